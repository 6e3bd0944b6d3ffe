using CityGrid.Cli.Simulation;
using CityGrid.Hub.Bundles;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Checks;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Identity;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Checks;

/// <summary>A city under a province under a ministry with real signing keys, and their directories when they have stopped.</summary>
internal sealed class SignedTree : IDisposable
{
    public static readonly NodeId CityName = NodeId.Parse("city-1-1");
    public static readonly NodeId ProvinceName = NodeId.Parse("province-1");

    private readonly SimulatedTree _tree = new(seed: 77, provinces: 1, citiesEach: 1);
    private readonly List<string> _folders = [];
    private int _requests;

    public SignedTree(bool signs = true)
    {
        Signers = new Signers(Instant.FromDateTimeOffset(new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero)));
        foreach (var node in _tree.Nodes.Values)
        {
            node.Signatures = signs ? Signers.Of(node.Place.Node.ToString()) : null;
            node.Start();
        }

        Run(2);
    }

    public Signers Signers { get; }

    public SimulatedNode City => _tree[CityName];

    public SimulatedNode Province => _tree[ProvinceName];

    /// <summary>The city gets a new signing key, as after a renewal.</summary>
    public void RenewKey()
    {
        City.Crash(powerCut: false);
        City.Signatures = Signers.Of(CityName.ToString());
        City.Start();
    }

    /// <summary>Cases come in, some go up at once, and figures as scheduled.</summary>
    public void Work(int rounds)
    {
        for (var i = 0; i < rounds; i++)
        {
            Report("01001", EmergencyGrade.Unspecified);
            if (i % 3 == 0)
            {
                Report("06010", EmergencyGrade.Serious);
            }

            Run(16);
        }
    }

    /// <summary>Nothing goes by the line any more.</summary>
    public void CutTheLine() => _tree.Weather = SimulatedWeather.Fair with { CutOf1000 = 1000 };

    /// <summary>A bundle of the city goes to the province, and the answer back.</summary>
    public void ExchangeByFile()
    {
        var bundle = City.Core!.Bundles!.Make().Content;
        BundleAnswer? answer = null;
        Province.Core!.BundleDoor.Take(City.Identity, BundleContent.Parser.ParseFrom(Google.Protobuf.MessageExtensions.ToByteArray(bundle)), told => answer = told);
        Province.Pump();
        City.Core.Sequencer.Submit(City.Core.Bundles.Take(ProvinceName, answer!.Content, "courier"), outcome => Assert.That((outcome.Disbelieved, outcome.Refusal), Is.EqualTo(((Refusal?)null, (LinkRefusal?)null))));
        City.Pump();
    }

    public void Run(int minutes) => _tree.Run(TimeSpan.FromMinutes(minutes));

    /// <summary>All nodes end; what is on their disks stays.</summary>
    public void Stop()
    {
        foreach (var node in _tree.Nodes.Values)
        {
            node.Crash(powerCut: false);
        }
    }

    public static List<JournalRecord> Records(SimulatedNode node)
    {
        using var journal = Open(node.Disk, node.Place.Node);
        return [.. journal.ReadFrom(Lsn.Zero)];
    }

    public static FileJournal Open(IDisk disk, NodeId node) => FileJournal.Open(disk, new SeededEntropy(5), node, new JournalOptions { ReadAhead = false });

    /// <summary>What <paramref name="holder"/> has recorded of <paramref name="about"/>.</summary>
    public static AnchorBook BookOf(ModelDisk holder, NodeId name, NodeId about, Signers? signers)
    {
        using var journal = Open(holder, name);
        return AnchorBook.Read(journal, name, about, signers?.Roots);
    }

    /// <summary>The verdict over a directory, as <c>audit verify --anchors</c> comes to it.</summary>
    public static CheckVerdict Judge(ModelDisk disk, AnchorBook book)
    {
        var own = JournalVerifier.Verify(disk);
        if (own is not JournalVerdict.Sound sound)
        {
            return CheckVerdict.Of(own);
        }

        using var journal = Open(disk, sound.Node);
        return AuditCheck.Compare(journal, sound, book);
    }

    /// <summary>A directory with these records, made by somebody who knows the format: right positions, checksums and hashes, and the identity that he wants.</summary>
    public static ModelDisk Forge(NodeId node, Incarnation incarnation, IEnumerable<(Instant At, RecordDraft Record)> records, int segmentBytes = 8 << 10)
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new Chosen(incarnation), node, new JournalOptions { SegmentBytes = segmentBytes, BlockBytes = 2 << 10, ReadAhead = false });
        foreach (var (at, record) in records)
        {
            journal.Append([record], at);
        }

        journal.PackSealed(CancellationToken.None);
        return disk;
    }

    public static (Instant At, RecordDraft Record) Draft(JournalRecord record) =>
        (record.RecordedAt, new RecordDraft(record.Actor, [.. record.Events.Select(e => new EventDraft(e.Kind, e.Schema, e.Payload))]));

    /// <summary>The directory on the real disk, for what reads folders.</summary>
    public string FolderOf(SimulatedNode node)
    {
        var folder = Directory.CreateTempSubdirectory("citygrid-signed-").FullName;
        _folders.Add(folder);
        foreach (var path in node.Disk.Files)
        {
            Directory.CreateDirectory(Path.Combine(folder, Path.GetDirectoryName(path)!));
            File.WriteAllBytes(Path.Combine(folder, path), node.Disk.Bytes(path));
        }

        return folder;
    }

    /// <summary>A case comes in at the city, or why it does not.</summary>
    public Refusal? TryReport(string type, EmergencyGrade grade)
    {
        CaseAnswer? told = null;
        var district = _tree.Register.ChildrenOf(City.Place.Division).First().Code;
        City.Core!.Desk.Submit(
            new ReportCase(TypeCode.Parse(type), district, SourceCode.Parse("hotline")) { Case = City.Core.Desk.Mint(), Actor = "desk", Grade = grade, Request = new RequestMark($"s-{++_requests}", (ulong)_requests) },
            answer => told = answer);
        City.Pump();
        return told!.Refusal;
    }

    public void Dispose()
    {
        _folders.ForEach(folder => Directory.Delete(folder, recursive: true));
        Signers.Dispose();
    }

    private void Report(string type, EmergencyGrade grade) => Assert.That(TryReport(type, grade), Is.Null);

    /// <summary>The first draw, which becomes the incarnation of a new directory, is chosen.</summary>
    private sealed class Chosen(Incarnation first) : IEntropy
    {
        private readonly SeededEntropy _rest = new(11);
        private bool _given;

        public void Fill(Span<byte> target)
        {
            if (_given)
            {
                _rest.Fill(target);
                return;
            }

            _given = true;
            System.Buffers.Binary.BinaryPrimitives.WriteUInt128LittleEndian(target, System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(first.ToBytes()));
        }
    }
}
