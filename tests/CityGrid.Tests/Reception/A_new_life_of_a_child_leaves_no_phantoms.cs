using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clauses L7, L11 and L12; INV-10, INV-21, U7: a directory that is lost or restored becomes a new life, and what only the old one had becomes zero at every tier.</summary>
public sealed class A_new_life_of_a_child_leaves_no_phantoms
{
    private Parent _ministry = null!;
    private Parent _hubei = null!;
    private Child _province = null!;
    private long _sent;

    [SetUp]
    public void Build()
    {
        _ministry = new Parent("ministry", "CN", Registers.Tempting);
        _hubei = new Parent("hubei", "42", Registers.Tempting);
        _province = new Child("hubei", "42");
        _province.Join(_ministry);
        _sent = 0;
    }

    [Test]
    public void Cells_that_the_new_one_does_not_have_become_zero_there_and_above()
    {
        var old = new City(1);
        old.Join(_hubei);
        old.Add(day: 1, 5);
        old.Add(day: 2, 6);
        old.Push(_hubei);
        Relay();
        Assert.That(Held(_ministry), Is.EqualTo(new[] { (1, 5L), (2, 6L) }));

        // The directory is lost; the new one knows only a later day, and the first again with less.
        var fresh = new City(2);
        fresh.Add(day: 1, 1);
        fresh.Add(day: 3, 9);
        fresh.Join(_hubei);
        fresh.Push(_hubei);
        Assert.That(Held(_hubei), Is.EqualTo(new[] { (1, 1L), (3, 9L) }));
        Relay();
        Assert.That(Held(_ministry), Is.EqualTo(new[] { (1, 1L), (3, 9L) }));
        Assert.That(_ministry.Cells.DigestOf(fresh.Child.Node, Grain.National), Is.EqualTo(fresh.Cells.DigestOf(fresh.Child.Node, Grain.National)));
        Assert.That(_hubei.Reception.DigestAgrees(fresh.Child.Node), Is.True);
    }

    [Test]
    public void An_empty_new_one_makes_all_of_it_zero()
    {
        var old = new City(1);
        old.Join(_hubei);
        old.Add(day: 1, 5);
        old.Push(_hubei);
        Relay();
        var fresh = new City(2);
        fresh.Join(_hubei);
        fresh.Push(_hubei);
        Relay();
        Assert.That(Held(_hubei), Is.Empty);
        Assert.That(Held(_ministry), Is.Empty);
    }

    [Test]
    public void A_relay_that_was_lost_itself_passes_the_completeness_on()
    {
        var old = new City(1);
        old.Join(_hubei);
        old.Add(day: 1, 5);
        old.Push(_hubei);
        Relay();

        // City and province are lost together: nobody below the ministry has ever heard of day 1.
        _hubei = new Parent("hubei", "42", Registers.Tempting);
        _province = new Child("hubei", "42") { Incarnation = new Incarnation(50) };
        _province.Join(_ministry);
        _sent = 0;
        var fresh = new City(2) { LastEpoch = 1 };
        fresh.Join(_hubei);
        fresh.Add(day: 3, 9);
        fresh.Push(_hubei);
        Relay();
        Assert.That(Held(_ministry), Is.EqualTo(new[] { (3, 9L) }));
    }

    [Test]
    public void The_relay_sends_what_it_received_and_the_watermark_as_it_came()
    {
        var city = new City(1);
        city.Join(_hubei);
        city.Add(day: 1, 5);
        city.Push(_hubei);
        Relay();
        var (below, above) = (_hubei.Reception.Origin(city.Child.Node)!, _ministry.Reception.Origin(city.Child.Node)!);
        Assert.That(above.Message, Is.EqualTo(below.Message));
        Assert.That(above.Via, Is.EqualTo(_hubei.Settings.Node));
        Assert.That(_ministry.Cells.ChangedSince(Lsn.Zero, _ministry.Head).Single().Revision, Is.EqualTo(_hubei.Cells.ChangedSince(Lsn.Zero, _hubei.Head).Single(c => c.Key.Grain == Grain.National).Revision));
    }

    [Test]
    public void A_cut_that_stops_short_of_the_head_says_nothing_of_completeness()
    {
        var city = new City(1);
        for (var i = 0; i < (CutSizes.Default.CellsAPart * CutSizes.Default.PartsACut / 2) + 10; i++)
        {
            city.Add(day: i + 1, 1);
        }

        var first = city.Read(StreamMark.Start);
        Assert.That(first.ReachesHead, Is.False);
        Assert.That(first.Parts.Sum(p => p.Cells!.Watermarks.Count + p.Cells.CompleteOrigins.Count), Is.Zero);
        var second = city.Read(first.To);
        Assert.That(second.ReachesHead, Is.True);
        Assert.That(second.Parts[^1].Cells!.Watermarks, Has.Count.EqualTo(1));
        Assert.That(first.Parts.Concat(second.Parts).Sum(p => p.Cells!.Cells.Count), Is.EqualTo((int)city.Cells.Count), "Each cell goes once.");

        // What had changed once more behind its end is not in the first.
        Assert.That(first.Parts.Select(p => p.Cells!.ReadLsn), Is.EqualTo(first.Parts.Select((_, i) => i == 0 ? second.To.Lsn.Value : 0)));
        Assert.That((first.ReadAt, first.Parts[0].Cells!.ReadChainHash), Is.EqualTo((second.To.Lsn, second.To.HashBytes())));
        Assert.That((second.ReadAt, second.Parts[0].Cells!.ReadLsn), Is.EqualTo((second.To.Lsn, 0L)));
    }

    /// <summary>A file may end its cuts where earlier ones ended.</summary>
    [Test]
    public void A_cut_to_an_earlier_end_says_where_it_was_read_too()
    {
        var city = new City(1);
        city.Add(day: 1, 1);
        city.Add(day: 2, 1);
        var cut = city.Read(StreamMark.Start, to: 2);
        Assert.That((cut.To.Lsn.Value, cut.ReadAt.Value, cut.Parts[0].Cells!.ReadLsn), Is.EqualTo((2L, 4L, 4L)));
    }

    private static (int Day, long Reported)[] Held(Parent parent) =>
    [
        .. parent.Cells.ChangedSince(Lsn.Zero, parent.Head).Where(c => c.Key.Grain == Grain.National && !CellCodec.IsZero(c.Value.Span))
            .Select(c => (c.Key.Day.Number, CellCodec.Decode(c.Value.Span, out _)!.Counters.Single().Value)).Order(),
    ];

    private void Relay()
    {
        var reader = new CutReader(_hubei.Settings.Node, _hubei.Cells, _hubei.Reception, _hubei.Escalations, new EscalationReach(GradeTier.Ministry, _ => false), new OrderFold(NodeId.Parse("hubei")), _ => true);
        var cut = reader.Cells(Parent.MarkAt(new Lsn(_sent)), Parent.MarkAt(_hubei.Head), Parent.MarkAt, [Grain.Detail, Grain.National], true, 100_000, null);
        foreach (var part in cut.Parts)
        {
            var receipt = _ministry.Take(_province.Peer, new ConnectRequest { Number = 1, Cells = part.Cells }).Receipt;
            Assert.That(receipt?.Records, Is.Empty);
        }

        _sent = cut.To.Lsn.Value;
    }

    /// <summary>A city with a real cell fold, which sends as its uplink would.</summary>
    private sealed class City
    {
        private readonly CutReader _reader;
        private long _lsn;
        private long _sent;

        public City(int incarnation)
        {
            Child = new Child("wuhan", "4201") { Incarnation = new Incarnation((UInt128)(ulong)incarnation), History = $"life {incarnation}" };
            _reader = new CutReader(Child.Node, Cells, new ReceptionFold(Cells), new EscalationFold(Child.Node), new EscalationReach(GradeTier.Province, _ => false), new OrderFold(Child.Node), _ => true);
        }

        public Child Child { get; }

        public CellFold Cells { get; } = new();

        public long LastEpoch
        {
            init => Child.LastEpoch = value;
        }

        public void Add(int day, long reported)
        {
            foreach (var grain in new[] { Grain.Detail, Grain.National })
            {
                _lsn++;
                var key = Child.Cell(_lsn, 0, day: day, grain: grain).Key;
                Cells.Add(new CellChange(key, [new CounterChange(Counter.Reported.Id, reported)], []), new Revision(Child.Epoch.Number, _lsn), new Lsn(_lsn));
            }
        }

        public void Join(Parent parent)
        {
            Child.Head = _lsn;
            Child.Join(parent);

            // Taking the epoch is an event, and stamps every own cell.
            _lsn++;
            Cells.Restamp(Child.Node, new Revision(Child.Epoch.Number, _lsn), new Lsn(_lsn));
        }

        public Cut Read(StreamMark from, long? to = null) => _reader.Cells(
            from,
            Child.MarkAt(to ?? _lsn),
            l => Child.MarkAt(l.Value),
            [Grain.Detail, Grain.National],
            true,
            100_000,
            () => Child.Statement(_lsn) with { Digest = Cells.DigestOf(Child.Node, Grain.National) },
            states: to is null,
            readAt: Child.MarkAt(_lsn));

        public void Push(Parent parent)
        {
            foreach (var part in Read(Child.MarkAt(_sent)).Parts)
            {
                var response = parent.Take(Child.Peer, new ConnectRequest { Number = 1, Cells = part.Cells });
                Assert.That(response.Receipt?.Records, Is.Empty, response.ToString());
            }

            _sent = _lsn;
        }
    }
}
