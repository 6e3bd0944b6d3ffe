using System.Globalization;
using CityGrid.Hub.Backup.V1;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Approvals;
using CityGrid.Tests.Cases;
using CityGrid.Tests.Cells;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>INV-27: the kinds of events that no page of their own subject holds are read as they were written, for ever. Lines of the golden file are added, and none is ever changed.</summary>
public sealed class Events_of_every_kind_keep_their_bytes
{
    private const string File = "every-kind";

    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");
    private static readonly NodeId Hubei = NodeId.Parse("hubei");
    private static readonly DivisionCode Place = DivisionCode.Parse("4201");
    private static readonly Incarnation Life = new(7);
    private static readonly Epoch Granted = new(3, 0xFEDC_BA98_7654_3210);
    private static readonly CellRow Cell = CellWorld.Row(CellWorld.Key("wuhan", division: "4201"), 3, 5);
    private static readonly RangeKey November = new(new RangeScope(Wuhan, Grain.National), 24_322);

    private static readonly EpochGrant Grant = new(Wuhan, Place, Life, Granted) { LastEpoch = 2 };
    private static readonly QuarantineChange SetAside = new(Wuhan, false, "FORK", "two histories");
    private static readonly QuarantineChange Released = new(Wuhan, true, string.Empty, string.Empty);
    private static readonly ChildRewind Rewound = new(Wuhan);
    private static readonly IReadOnlyList<Finding> Findings = [new(November.Scope, null, RangeState.Differs), new(November.Scope, November.Month, RangeState.Persists, 4)];

    private static readonly Escalation Raised = new()
    {
        Id = ByteString.CopyFrom(new CaseId(9).ToBytes()),
        Version = 2,
        Origin = "wuhan",
        Grade = EmergencyGrade.Serious,
        Rule = "grade",
        Catalogue = "gb47678-2026",
        TypeKind = 1,
        TypeCode = "01001",
        Division = "420111",
        Stage = "filed",
        OccurredAt = 1_764_000_000,
        Deadline = 1_764_003_600,
        State = EscalationState.Handled,
        Summary = "桥面塌陷",
        Subject = ByteString.CopyFrom(CaseStory.Id.ToBytes()),
    };

    private static readonly ParkedSettled Settled = new()
    {
        Child = "wuhan",
        Settled = { new SettledRecord { Lsn = 12, Index = 3, Outcome = (int)RecordOutcome.Refused } },
        Cells = PartOf(Cell).ToByteString(),
        Escalations = new EscalationsPart { Escalations = { new EscalationEnvelope { Lsn = 4, Escalation = Raised.ToByteString() } } }.ToByteString(),
    };

    private static readonly NameGiven Given = new() { Name = "jiangxia", Division = "4201", LetGo = { "4301" }, BroughtBy = { "hunan" } };

    private static readonly DirectoryRestored Restored = new()
    {
        Incarnation = ByteString.CopyFrom(new Incarnation(8).ToBytes()),
        IncarnationBefore = ByteString.CopyFrom(Life.ToBytes()),
        Lsn = 7,
        ChainHash = ByteString.CopyFrom(Hash256.Of([1]).ToBytes()),
        TakenAt = 1_000,
    };

    private static readonly (string Name, EventDraft Draft)[] Samples =
    [
        ("epoch granted", ReceptionEvents.ToEvent(Grant, Hubei)),
        ("child quarantined", ReceptionEvents.ToEvent(SetAside, Hubei)),
        ("child released", ReceptionEvents.ToEvent(Released, Hubei)),
        ("parked settled", ReceptionEvents.Draft(EventKinds.ParkedSettled, Settled)),
        ("name given", ReceptionEvents.Draft(EventKinds.NameGiven, Given)),
        ("name given by its place", ReceptionEvents.Draft(EventKinds.NameGiven, new NameGiven(Given) { ByPlace = true })),
        ("epoch taken", UplinkFold.EpochTakenEvent(ParentKind.Territorial, Life, Granted, Hubei, new Epoch(5, 6))),
        ("epoch taken of a sector's parent", UplinkFold.EpochTakenEvent(ParentKind.Sector, Life, Granted, Hubei, new Epoch(5, 6))),
        ("escalation raised", EscalationFold.RaisedEvent(Raised)),
        ("bundle made", UplinkFold.BundleMadeEvent(Life, new Lsn(300))),
        ("child rewound", ReceptionEvents.ToEvent(Rewound, Hubei)),
        ("ranges compared", RangeEvents.Beside(new CellsTaken(Wuhan, Life, Granted, new CellsPart { CutTo = 9 }, []) { Findings = Findings }).Single()),
        ("range repaired", RangeEvents.Beside(new CellsTaken(Wuhan, Life, Granted, Repairing(), []) { Repair = new RepairCounts(1, 2, 3, 4) }).Single()),
        ("directory restored", ReceptionEvents.Draft(EventKinds.DirectoryRestored, Restored)),
        ("parent's epoch heard", UplinkFold.ParentEpochHeardEvent(ParentKind.Sector, Hubei, new Epoch(3, 9), forgotten: true)),
        ("local type added", new EventDraft(CaseEventKinds.LocalTypeAdded, CaseEventKinds.Schema, new StoredLocalTypeAdded { Catalogue = "gb47678-2026", Code = "x-graffiti", Name = "涂鸦" }.ToByteArray())),
        ("personal part read", Single(new RecordReading(CaseStory.Id) { Actor = "desk" })),
    ];

    [Test]
    public void Each_is_written_as_ever() =>
        GoldenLines.Have("Journal", File, [.. Samples.Select(sample => $"{sample.Name} | {sample.Draft.Kind} | {sample.Draft.Schema} | {Convert.ToHexStringLower(sample.Draft.Payload.Span)}")]);

    [Test]
    public void What_a_child_did_is_read_as_it_was_meant() => Assert.Multiple(() =>
    {
        Assert.That(ReceptionEvents.Read(Line("epoch granted")), Is.EqualTo(Grant));
        Assert.That(ReceptionEvents.Read(Line("child quarantined")), Is.EqualTo(SetAside));
        Assert.That(ReceptionEvents.Read(Line("child released")), Is.EqualTo(Released));
        Assert.That(ReceptionEvents.Read(Line("child rewound")), Is.EqualTo(Rewound));
        Assert.That(RangeEvents.ReadCompared(Line("ranges compared")).Findings, Is.EqualTo(Findings));
        Assert.That(RangeEvents.ReadRepaired(Line("range repaired")), Is.EqualTo((Wuhan, new RangeStretch(November, true, true), new RepairCounts(1, 2, 3, 4))));
    });

    [Test]
    public void What_was_settled_is_applied_and_counted()
    {
        var (cells, escalations) = (new CellFold(), new EscalationFold(Hubei));
        var reception = new ReceptionFold(cells);
        reception.Apply(Line("parked settled"));
        escalations.Apply(Line("parked settled"));

        Assert.That(cells.Find(Cell.Key)?.Revision, Is.EqualTo(Cell.Revision));
        Assert.That(cells.Find(Cell.Key)?.Value.ToArray(), Is.EqualTo(Cell.Value.ToArray()));
        Assert.That(reception.RefusedInAll, Is.EqualTo(1));
        Assert.That(escalations.Find(9), Has.Property(nameof(EscalationRecord.Content)).EqualTo(Raised).And.Property(nameof(EscalationRecord.Via)).EqualTo(Wuhan));
    }

    [Test]
    public void A_name_has_the_home_that_it_was_given()
    {
        var reception = new ReceptionFold(new CellFold());
        reception.Apply(Line("name given"));
        Assert.That(reception.GivenTo(NodeId.Parse("jiangxia")), Is.EqualTo(Place));
        reception.Apply(Line("name given by its place"));
        Assert.That(reception.GivenTo(NodeId.Parse("jiangxia")), Is.Null);
        Assert.That(NameGiven.Parser.ParseFrom(Line("name given").Payload.Span), Is.EqualTo(Given));
    }

    [Test]
    public void What_stands_above_is_what_stood_there()
    {
        var uplink = new UplinkFold();
        uplink.Apply(Line("epoch taken"));
        Assert.That((uplink.EpochOf(Life), uplink.Territorial.Node, uplink.Territorial.Epoch), Is.EqualTo((Granted, (NodeId?)Hubei, new Epoch(5, 6))));
        uplink.Apply(Line("bundle made"));
        Assert.That(uplink.Territorial.BundlesAfter(new Lsn(299), Life), Is.EqualTo(new[] { new Lsn(300) }));
        uplink.Apply(Line("parent's epoch heard"));
        Assert.That((uplink[ParentKind.Sector].Node, uplink[ParentKind.Sector].Epoch), Is.EqualTo(((NodeId?)Hubei, new Epoch(3, 9))));

        var beside = new UplinkFold();
        beside.Apply(Line("epoch taken of a sector's parent"));
        Assert.That((beside[ParentKind.Sector].Node, beside.Territorial.Node), Is.EqualTo(((NodeId?)Hubei, (NodeId?)null)));
    }

    [Test]
    public void What_was_raised_is_there_byte_for_byte()
    {
        var escalations = new EscalationFold(Wuhan);
        escalations.Apply(Line("escalation raised"));
        Assert.That(escalations.Find(9)!.Content, Is.EqualTo(Raised));
        Assert.That(escalations.Find(9)!.Bytes.ToArray(), Is.EqualTo(Raised.ToByteArray()));
    }

    [Test]
    public void What_happened_to_the_place_itself_is_read_as_it_was_meant()
    {
        var book = new CaseBook(new CellFold(), Wuhan, Place, () => 0, _ => null);
        book.Apply(Line("local type added"));
        Assert.That(book.LocalTypes.Select(type => (type.Key.ToString(), type.Value)), Is.EqualTo(new[] { ("x-graffiti", "涂鸦") }));
        Assert.That(CaseId.FromBytes(StoredPersonalRead.Parser.ParseFrom(Line("personal part read").Payload.Span).CaseId.Span), Is.EqualTo(CaseStory.Id));
        Assert.That(DirectoryRestored.Parser.ParseFrom(Line("directory restored").Payload.Span), Is.EqualTo(Restored));
    }

    private static JournalEvent Line(string name)
    {
        var cells = GoldenLines.Of("Journal", File).Single(line => line[0] == name);
        return new JournalEvent(
            new Lsn(20), new Lsn(20), new Lsn(20), Drafts.Noon, "test", ushort.Parse(cells[1], CultureInfo.InvariantCulture), ushort.Parse(cells[2], CultureInfo.InvariantCulture), Convert.FromHexString(cells[3]));
    }

    private static CellsPart PartOf(CellRow row)
    {
        var part = new CellsPart();
        CellsPartCodec.Write(part, [row], [], []);
        return part;
    }

    private static CellsPart Repairing()
    {
        var part = new CellsPart { CutTo = 9 };
        RangeStatements.Write(part, new RangeStretch(November, true, true));
        return part;
    }

    private static EventDraft Single(Command<bool> command) => command.Decide(Drafts.Noon).Records.Single().Events.Single();
}
