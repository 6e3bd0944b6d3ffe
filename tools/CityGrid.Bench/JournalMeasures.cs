#pragma warning disable RS0030 // The callers of a benchmark are tasks of its own.
using System.Security.Cryptography;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;

namespace CityGrid.Bench;

/// <summary>What a node in this process does durably, beside the bare disk: filings, cells of a child, recovery, and a writer with readers beside it.</summary>
internal static class JournalMeasures
{
    public const int Callers = 64;

    /// <summary>Durable reports a second of 64 callers, each waiting for its answer before the next.</summary>
    public static double ReportsPerSecond(BenchNode node, int each) => CallsPerSecond(node.ReportAsync, each);

    /// <summary>The same with nothing but the disk: 700 B each.</summary>
    public static double RawAppendsPerSecond(IDisk disk, int each)
    {
        using var journal = new RawJournal(disk);
        return CallsPerSecond(journal.AppendAsync, each);
    }

    /// <summary>
    /// The bare disk with the cryptography of a report and nothing else of it, by the same means: a sealed box, a keyed digest of what was said, the hash of the request's
    /// key and that of the record with the one before it.
    /// </summary>
    public static double SealedAppendsPerSecond(IDisk disk, int each)
    {
        using var journal = new RawJournal(disk, isChained: true);
        byte[] key = RandomNumberGenerator.GetBytes(32), text = new byte[120], associated = new byte[25];
        var (seal, digest) = (new AesGcmSeal(), new ContentDigest(key));
        return CallsPerSecond(
            () =>
            {
                Span<byte> box = stackalloc byte[text.Length], tag = stackalloc byte[SealInput.TagBytes], nonce = stackalloc byte[SealInput.NonceBytes];
                Hash256.Of(text.AsSpan(0, 32));
                digest.Of(text);
                seal.Encrypt(new SealInput(key, nonce, associated), text, box, tag);
                return journal.AppendAsync();
            },
            each);
    }

    private static double CallsPerSecond(Func<Task> call, int each) => Callers * each / Figures.SecondsAsync(() => Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(async () =>
    {
        for (var i = 0; i < each; i++)
        {
            await call();
        }
    })))).GetAwaiter().GetResult();

    /// <summary>Seconds from the beginning of opening the journal in <paramref name="folder"/> to a node that stands on it.</summary>
    public static double RecoverSeconds(string folder)
    {
        var start = TimeProvider.System.GetTimestamp();
        using var node = new BenchNode(folder);
        return TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>
    /// Seconds to parse the payloads of the same journal's events as messages and do nothing with them. They lie in memory one behind the other, in one piece: as many
    /// objects would have the collector walk them while the other side is measured.
    /// </summary>
    public static Func<double> ParseAlone(string folder, out int events)
    {
        var ends = new List<int>();
        using var together = new MemoryStream();
        using (var node = new BenchNode(folder))
        {
            foreach (var journalEvent in node.Core.Journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events))
            {
                together.Write(journalEvent.Payload.Span);
                ends.Add((int)together.Length);
            }
        }

        var payloads = together.ToArray();
        events = ends.Count;
        return () => Figures.Seconds(() =>
        {
            var from = 0;
            foreach (var end in ends)
            {
                StoredCaseEvent.Parser.ParseFrom(payloads.AsSpan(from..end));
                from = end;
            }
        });
    }

    /// <summary>The 99th percentile, in milliseconds, of one caller's reports, with so many readers of lists, cases and views beside it; and their faults.</summary>
    public static (double Milliseconds, int Faults) ReportLatency(BenchNode node, int reports, int readers)
    {
        using var stop = new CancellationTokenSource();
        var faults = 0;
        var reading = Enumerable.Range(0, readers).Select(number => Task.Run(async () =>
        {
            var random = new SeededEntropy((ulong)number + 1);
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    await node.ReadSomethingAsync(random);
                }
#pragma warning disable CA1031 // Every fault of a reader counts, whatever it is.
                catch (Exception)
#pragma warning restore CA1031
                {
                    Interlocked.Increment(ref faults);
                }
            }
        })).ToArray();
        var times = new double[reports];
        for (var i = 0; i < reports; i++)
        {
            times[i] = Figures.SecondsAsync(node.ReportAsync).GetAwaiter().GetResult() * 1000;
        }

        stop.Cancel();
        Task.WaitAll(reading);
        Array.Sort(times);
        return (times[reports * 99 / 100], faults);
    }

    /// <summary>Cells of a child that a parent takes durably a second: parts of 1,000, eight under way as on the link, one fdatasync a batch.</summary>
    public static double CellsPerSecond(BenchNode parent, BenchChild child, int parts)
    {
        var connection = new LinkConnection(child, _ => { });
        var answer = parent.Core.Door.TakeAsync(connection, child.Hello(parts)).GetAwaiter().GetResult();
        var welcome = answer?.Welcome ?? throw new InvalidOperationException($"The child was not let in: {answer}");
        var frames = child.Cuts(parts, welcome.ChildEpoch).ToArray();
        return frames.Length * 1000 / Figures.SecondsAsync(() => SendAsync(parent, connection, frames)).GetAwaiter().GetResult();
    }

    private static async Task SendAsync(BenchNode parent, LinkConnection connection, IReadOnlyList<ConnectRequest> frames)
    {
        var underWay = new Queue<Task<ConnectResponse?>>();
        foreach (var frame in frames)
        {
            underWay.Enqueue(parent.Core.Door.TakeAsync(connection, frame));
            if (underWay.Count == 8)
            {
                Check(await underWay.Dequeue());
            }
        }

        while (underWay.Count > 0)
        {
            Check(await underWay.Dequeue());
        }
    }

    private static void Check(ConnectResponse? response)
    {
        if (response?.FrameCase != ConnectResponse.FrameOneofCase.Receipt || response.Receipt.Accepted != 1000)
        {
            throw new InvalidOperationException($"A part of cells was not taken whole: {response?.Refusal?.Message ?? response?.Receipt?.Records.FirstOrDefault()?.Message}");
        }
    }
}

/// <summary>A city with cells of its own to send: what its certificate names, its hello and its cuts.</summary>
internal sealed record BenchChild(NodeId Node, DivisionCode Division) : IPeerIdentity
{
    public IReadOnlyList<DivisionCode> Divisions => [Division];

    public ConnectRequest Hello(int head) => new()
    {
        Number = 1,
        Hello = new Hello
        {
            Node = Node.ToString(),
            Division = Division.ToString(),
            Incarnation = ByteString.CopyFrom(new Incarnation(1).ToBytes()),
            HeadLsn = head,
            HeadChainHash = MarkAt(head).HashBytes(),
            ProtocolMin = 1,
            ProtocolMax = 1,
        },
    };

    /// <summary>Cuts of 1,000 cells each, going back in days.</summary>
    public IEnumerable<ConnectRequest> Cuts(int parts, long epoch)
    {
        var values = CellMeasures.SampleValues();
        var number = 0;
        for (var part = 1; part <= parts; part++)
        {
            var cells = new CellsPart
            {
                CutFrom = part - 1,
                CutFromChainHash = MarkAt(part - 1).HashBytes(),
                CutTo = part,
                CutChainHash = MarkAt(part).HashBytes(),
                Part = 1,
                Parts = 1,
            };
            var rows = new List<CellRow>(1000);
            for (var i = 0; i < 1000; i++, number++)
            {
                var day = CellMeasures.FirstDay.Plus(-(number / CellMeasures.Types));
                var key = new CellKey(Node, Grain.National, CellMeasures.TypeOf(number % CellMeasures.Types), Division, day, CellMeasures.AllSources);
                rows.Add(new CellRow(key, new Revision(epoch, part), values[number % values.Length]));
            }

            CellsPartCodec.Write(cells, rows, [], []);
            yield return new ConnectRequest { Number = part + 1, Cells = cells };
        }
    }

    private StreamMark MarkAt(long lsn) =>
        lsn == 0 ? StreamMark.Start : new StreamMark(new Lsn(lsn), Hash256.Of(System.Text.Encoding.ASCII.GetBytes($"{Node} {lsn}")));
}
