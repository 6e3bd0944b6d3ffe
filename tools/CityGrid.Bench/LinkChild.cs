using System.Collections.Concurrent;
using CityGrid.Cli.Network;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime;

namespace CityGrid.Bench;

/// <summary>What happened to all children of a parent together, for many threads.</summary>
internal sealed class LinkCounts
{
    private long _cells;
    private long _parts;
    private int _dials;
    private int _handshakes;
    private int _refused;
    private readonly ConcurrentDictionary<string, int> _endings = new(StringComparer.Ordinal);

    /// <summary>Cells that the parent's receipts say it has applied durably.</summary>
    public long Cells => Interlocked.Read(ref _cells);

    public long Parts => Interlocked.Read(ref _parts);

    /// <summary>How often a child dialled, how often the parent let one in, and how often it answered a refusal, BUSY among them.</summary>
    public (int Dials, int Handshakes, int Refused) Told => (Volatile.Read(ref _dials), Volatile.Read(ref _handshakes), Volatile.Read(ref _refused));

    /// <summary>Why connections ended or could not be made, and how often.</summary>
    public string Endings => string.Join("; ", _endings.OrderByDescending(e => e.Value).Select(e => $"{e.Value} × {e.Key}"));

    public void Applied(Receipt receipt)
    {
        Interlocked.Add(ref _cells, receipt.Accepted);
        Interlocked.Increment(ref _parts);
    }

    public void Dialled() => Interlocked.Increment(ref _dials);

    public void Connected() => Interlocked.Increment(ref _handshakes);

    public void RefusedOne() => Interlocked.Increment(ref _refused);

    public void Ended(string reason) => _endings.AddOrUpdate(reason, 1, (_, times) => times + 1);
}

/// <summary>
/// A city that always has more cells to report than its parent takes: the sender, the wire, the certificates and the signatures of a node, and instead of a
/// journal and folds a rule by which the cell of each of its positions is known. What a node would make durable is taken as durable at once.
/// </summary>
internal sealed class LinkChild : IWireEvents, IDisposable
{
    /// <summary>The cells of a city that change again and again: 150 types on 8 days.</summary>
    private const int Keys = CellMeasures.Types * 8;

    private static readonly byte[][] Values = CellMeasures.SampleValues();
    private static readonly int BytesACell = 32 + (int)Values.Average(value => value.Length);

    /// <summary>So far ahead of all that is ever sent that the head is never reached.</summary>
    private static readonly Lsn Head = new(1L << 40);

    private readonly InputQueue<SenderInput> _inputs;
    private readonly SeededEntropy _entropy;
    private readonly LinkCounts _counts;
    private readonly ParentNotary _notary;
    private readonly GrpcWire _wire;
    private readonly ITimer _alarm;
    private readonly NodeId _node;
    private readonly CellKey[] _keys;
    private SenderState _state;
    private StreamPosition? _orders;
    private IWireLine? _line;
    private volatile bool _isOpen;
    private volatile bool _isIdle;

    public LinkChild(TreeNode place, TreeNode parent, NetworkTrust trust, ISpawner spawner, LinkCounts counts, ulong seed)
    {
        var clock = TimeProvider.System;
        var home = Path.GetDirectoryName(place.Configuration)!;
        var division = DivisionCode.Parse(place.Division);
        _node = NodeId.Parse(place.Node);
        (_entropy, _counts) = (new SeededEntropy(seed), counts);
        _keys = [.. Enumerable.Range(0, Keys).Select(number => new CellKey(
            _node, Grain.National, CellMeasures.TypeOf(number % CellMeasures.Types), division, CellMeasures.FirstDay.Plus(number / CellMeasures.Types), CellMeasures.AllSources))];
        var own = CertificateSignatures.Read(
            File.ReadAllText(Path.Combine(home, "signer.pem")), File.ReadAllText(Path.Combine(home, "signer.key")), _node, trust.Roots, clock.Now(), out var refusal)
            ?? throw new InvalidOperationException($"{_node} cannot sign: {refusal}");
        _notary = new ParentNotary(new CertificateSignatures(() => trust.Roots, () => own), clock);
        var credential = LinkCredential.Read(File.ReadAllText(Path.Combine(home, "node.pem")), File.ReadAllText(Path.Combine(home, "node.key")));
        var above = NodeId.Parse(parent.Node);
        _wire = new GrpcWire(
            new GrpcWireSettings(new Uri($"https://127.0.0.1:{parent.LinkPort}"), above, DivisionCode.Parse(parent.Division), () => credential, () => trust), spawner, clock);
        _state = SenderState.Start(new SenderSettings(_node, division) { Parent = above }, new Incarnation(_entropy.NextUInt128()), Epoch.NotGranted, 0, _ => StreamMark.Start);
        _inputs = new InputQueue<SenderInput>(Take);
        _alarm = clock.CreateTimer(_ => _inputs.Bring(new SenderInput.Woken()), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Its parent has welcomed it on the connection that stands.</summary>
    public bool IsOpen => _isOpen;

    public void Start() => _inputs.Bring(new SenderInput.Woken());

    /// <summary>Whether it has nothing to report for now.</summary>
    public bool IsIdle
    {
        set
        {
            _isIdle = value;
            _inputs.Bring(new SenderInput.Nudged(Lane.Cells));
        }
    }

    /// <summary>The line is cut, whatever is under way.</summary>
    public void Cut()
    {
        _isOpen = false;
        Volatile.Read(ref _line)?.HangUp();
    }

    public void Connected(IWireLine line)
    {
        _counts.Connected();
        Volatile.Write(ref _line, line);
        _inputs.Bring(new SenderInput.Connected(MarkAt(Head), _orders));
    }

    public void Received(ConnectResponse response) => _inputs.Bring(new SenderInput.Responded(response));

    public void Ended(string reason)
    {
        _isOpen = false;
        Volatile.Write(ref _line, null);
        _counts.Ended(reason);
        _inputs.Bring(new SenderInput.Disconnected(reason, _entropy.NextUInt64()));
    }

    public void Dispose()
    {
        _inputs.Stop();
        _alarm.Dispose();
        _line?.HangUp();
    }

    private void Take(SenderInput input)
    {
        if (input is SenderInput.Responded { Response: var response })
        {
            Hear(response);
        }

        var (state, effects) = LinkSender.Step(_state, input, TimeProvider.System.Now());
        _isOpen |= state.Phase == SenderPhase.Open && _state.Phase != SenderPhase.Open;
        _state = state;
        foreach (var effect in effects)
        {
            Do(effect);
        }
    }

    private void Hear(ConnectResponse response)
    {
        Refusal? refusal;
        if (response.Welcome is { } welcome)
        {
            _notary.Meet(welcome, out refusal);
        }
        else
        {
            _notary.Check(response, _state, out refusal);
        }

        if (response.Receipt is { } receipt)
        {
            _counts.Applied(receipt);
        }
        else if (response.Refusal is not null)
        {
            _counts.RefusedOne();
        }

        if (refusal is not null)
        {
            throw new InvalidOperationException($"{_node} does not believe what its parent signed: {refusal}");
        }
    }

    private void Do(SenderEffect effect)
    {
        switch (effect)
        {
            case SenderEffect.Dial:
                _counts.Dialled();
                _wire.Dial(this);
                break;
            case SenderEffect.Send send:
                _notary.Sign(send.Request, _state);
                _line?.Send(send.Request);
                break;
            case SenderEffect.HangUp:
                _line?.HangUp();
                break;
            case SenderEffect.ReadCut { Lane: Lane.Cells } read when !_isIdle:
                _inputs.Add(new SenderInput.CutReady(Read(read.From, read.PartBytes, read.Proves)));
                break;
            case SenderEffect.ReadCut read:
                _inputs.Add(new SenderInput.CutReady(new Cut(read.Lane, MarkAt(read.From), MarkAt(Head), true, [])));
                break;
            case SenderEffect.StoreReceipt store:
                _inputs.Add(new SenderInput.ReceiptStored(store.Lane, store.Mark));
                break;
            case SenderEffect.TakeEpoch take:
                _inputs.Add(new SenderInput.EpochStored(take.Epoch));
                break;
            case SenderEffect.TakeOrders take:
                _orders = take.Part.To.Clone();
                _orders.Lane = Lane.Orders;
                _inputs.Add(new SenderInput.OrdersTaken(take.Part.Number, new OrdersTaken(_orders, LinkRefusalCode.Unspecified, string.Empty)));
                break;
            case SenderEffect.WakeAt wake:
                var wait = wake.At - TimeProvider.System.Now();
                _alarm.Change(wait > Duration.Zero ? wait.ToTimeSpan() : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
                break;
            case SenderEffect.TakeQuery:
                break;
            default:
                throw new InvalidOperationException($"{_node} met what a measure of cells does not: {effect}");
        }
    }

    /// <summary>The cells after a position, in parts of the size that the line bears; none of a cut is changed twice in it. The first shows the chain where the parent has heard more.</summary>
    private Cut Read(Lsn from, int partBytes, Lsn proves)
    {
        var each = Math.Clamp(partBytes / BytesACell, 1, Keys / 2);
        var count = Math.Min(Keys / each, CutSizes.Default.PartsACut);
        StreamMark start = MarkAt(from), end = MarkAt(new Lsn(from.Value + (count * each)));
        var parts = new CutPart[count];
        for (var part = 0; part < count; part++)
        {
            var message = new CellsPart
            {
                CutFrom = start.Lsn.Value,
                CutFromChainHash = start.HashBytes(),
                CutTo = end.Lsn.Value,
                CutChainHash = end.HashBytes(),
                Part = part + 1,
                Parts = count,
                Reading = (ulong)each,
            };
            if (part == 0 && proves > from)
            {
                (message.HeardLsn, message.HeardChainHash) = (proves.Value, MarkAt(proves).HashBytes());
            }

            CellsPartCodec.Write(message, Enumerable.Range(1 + (part * each), each).Select(step => CellAt(from.Value + step)), [], []);
            parts[part] = new CutPart(part == count - 1 ? end : start, message, null);
        }

        return new Cut(Lane.Cells, start, end, false, parts);
    }

    private CellRow CellAt(long lsn) => new(_keys[lsn % Keys], new Revision(_state.Epoch.Number, lsn), Values[lsn % Values.Length]);

    private StreamMark MarkAt(Lsn lsn) => lsn == Lsn.Zero ? StreamMark.Start : new StreamMark(lsn, Hash256.Of(System.Text.Encoding.ASCII.GetBytes($"{_node} {lsn.Value}")));
}
