using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Link;

/// <summary>Clause L17 at the sender: a choice is durable, says since when it holds, and puts what comes in at the end of the sector's lanes.</summary>
public sealed class A_choice_of_matters_is_kept
{
    private static readonly Instant Noon = Instant.FromUtc(2026, 11, 24, 4, 0);

    private readonly List<(Lsn At, string Added)> _added = [];
    private UplinkFold _uplink = null!;
    private EscalationFold _escalations = null!;
    private long _lsn;

    private ParentRecord Sector => _uplink[ParentKind.Sector];

    [SetUp]
    public void Begin()
    {
        _added.Clear();
        _lsn = 0;
        _uplink = new UplinkFold(null, (types, at) => _added.Add((at, string.Join(' ', new[] { "01001", "01011", "06010" }.Where(code => types(TypeCode.Parse(code)))))));
        _escalations = new EscalationFold(NodeId.Parse("wuhan"));
        Raise(1, "01001");
        Raise(2, "06010");
        Raise(2, "06010", version: 2);
    }

    [Test]
    public void It_names_its_position_and_the_types_that_came_in()
    {
        Choose("01");
        Assert.That((Sector.Matters.ToString(), Sector.MattersSince.Value), Is.EqualTo(("01", 4L)));
        Choose("01011", "06");
        Choose("01", "06");
        Choose();
        Assert.That((Sector.Matters.IsAll, Sector.MattersSince.Value), Is.EqualTo((true, 7L)));
        Assert.That(_added.Select(a => (a.At.Value, a.Added)), Is.EqualTo(new[] { (4L, ""), (5L, "06010"), (6L, "01001"), (7L, "") }));
        Assert.That(_uplink.Territorial.Matters.IsAll, "The other parent's is another affair.");
    }

    [Test]
    public void The_same_again_is_no_event()
    {
        Choose("01", "06010");
        Assert.That(new ChooseMatters(Sector, _escalations, Matters.Of(["06010", "01", "01001"])!) { Actor = "test" }.Decide(Noon).Records, Is.Empty);
    }

    [Test]
    public void Escalations_that_come_in_stand_in_their_newest_version_where_the_choice_does()
    {
        Choose("01");
        Choose("01", "06");
        Assert.That(Lane(0), Is.EqualTo(new[] { "1: 1.1", "2: 2.1", "3: 2.2", "5: 2.2" }));
        Assert.That(Lane(3), Is.EqualTo(new[] { "5: 2.2" }));
        Raise(3, "06010");
        Assert.That(Lane(3), Is.EqualTo(new[] { "5: 2.2", "6: 3.1" }));
    }

    [Test]
    public void So_many_of_them_stand_at_more_positions_than_one()
    {
        Choose("01");
        for (var i = 0; i < 450; i++)
        {
            Raise(1_000 + i, "06010");
        }

        var events = Choose("01", "06");
        Assert.That(events, Is.EqualTo(3));
        Assert.That(Sector.MattersSince.Value, Is.EqualTo(_lsn - 2), "It holds from the first of them on.");
        Assert.That(_added, Has.Count.EqualTo(2), "and the cells came in once");
        Assert.That(_escalations.ForSector(new Lsn(_lsn - 3), new Lsn(_lsn)).CountBy(told => told.At.Value).Select(at => at.Value), Is.EqualTo(new[] { 200, 200, 51 }));
    }

    [Test]
    public void A_snapshot_keeps_it()
    {
        Choose("01");
        Choose("01", "06");
        var (uplink, escalations) = (new UplinkFold(), new EscalationFold(NodeId.Parse("wuhan")));
        Copy(_uplink, uplink);
        Copy(_escalations, escalations);
        Assert.That(uplink[ParentKind.Sector].Matters, Is.EqualTo(Sector.Matters));
        Assert.That(uplink[ParentKind.Sector].MattersSince, Is.EqualTo(Sector.MattersSince));
        Assert.That(escalations.ForSector(Lsn.Zero, new Lsn(_lsn)).Select(told => (told.At, told.Record.Id)), Is.EqualTo(_escalations.ForSector(Lsn.Zero, new Lsn(_lsn)).Select(told => (told.At, told.Record.Id))));
    }

    [Test]
    public void A_new_epoch_changes_nothing_of_it()
    {
        Choose("01");
        var taken = UplinkFold.EpochTakenEvent(ParentKind.Sector, new Incarnation(5), new Epoch(2, 9), NodeId.Parse("gas"), Epoch.NotGranted);
        Apply(taken);
        Assert.That((Sector.Matters.ToString(), Sector.MattersSince.Value), Is.EqualTo(("01", 4L)));
    }

    private static void Copy(IFold from, IFold to)
    {
        using var image = new MemoryStream();
        from.Save(image);
        image.Position = 0;
        to.Load(image);
    }

    private IEnumerable<string> Lane(long from) =>
        _escalations.ForSector(new Lsn(from), new Lsn(_lsn)).Select(told => $"{told.At}: {told.Record.Id}.{told.Record.Content.Version}");

    private int Choose(params string[] beginnings)
    {
        var events = new ChooseMatters(Sector, _escalations, Matters.Of(beginnings)!) { Actor = "test" }.Decide(Noon).Records.SelectMany(record => record.Events).ToArray();
        Array.ForEach(events, Apply);
        return events.Length;
    }

    private void Raise(int id, string code, int version = 1)
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(12), id);
        Apply(EscalationFold.RaisedEvent(new Escalation { Id = Google.Protobuf.ByteString.CopyFrom(bytes), Version = version, Origin = "wuhan", Division = "4201", TypeCode = code }));
    }

    private void Apply(EventDraft draft)
    {
        var lsn = new Lsn(++_lsn);
        var journalEvent = new JournalEvent(lsn, lsn, lsn, Noon, "test", draft.Kind, draft.Schema, draft.Payload);
        _uplink.Apply(journalEvent);
        _escalations.Apply(journalEvent);
    }
}
