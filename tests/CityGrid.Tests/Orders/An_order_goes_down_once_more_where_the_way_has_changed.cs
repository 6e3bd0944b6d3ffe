using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Orders;

/// <summary>Clause O7; INV-13, INV-23: which orders are rerouted, when, and how they stand on the lane afterwards. All changes take place on 3 March.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class An_order_goes_down_once_more_where_the_way_has_changed
{
    private const string Moves = "X";
    private const string Stays = "Y";
    private const string GetsATier = "Z";
    private const string GoesAndReturns = "G";

    private static readonly Instant Before = Instant.FromUtc(2026, 3, 2, 12, 0);
    private static readonly Instant Midnight = Instant.FromUtc(2026, 3, 3, 0, 0);
    private static readonly Instant After = Instant.FromUtc(2026, 3, 3, 12, 0);
    private static readonly LocalDate Day = new(2026, 3, 3);

    private static readonly DivisionRegister Register = DivisionRegister.Of(
    [
        Row("N", null), Row("A", "N"), Row("B", "N"), Row("S", "A"), Row(Stays, "A"),
        Row(Moves, "A", null, Day.PlusDays(-1)), Row(Moves, "B", Day),
        Row(GetsATier, "A", null, Day.PlusDays(-1)), Row(GetsATier, "S", Day),
        Row(GoesAndReturns, "A", null, Day.PlusDays(-1)), Row(GoesAndReturns, "B", Day, Day), Row(GoesAndReturns, "A", Day.PlusDays(1)),
    ]);

    private static readonly OrderPlace Ministry = PlaceOf("ministry", "N");
    private static readonly OrderPlace ProvinceA = PlaceOf("province-a", "A");

    private readonly OrderFold _fold = new(NodeId.Parse("ministry"));
    private readonly MemoryJournal _journal = new(new SeededEntropy(1));

    [Test]
    public void One_for_a_place_that_moved_and_for_no_other()
    {
        Issue(1, Moves, Before);
        Issue(2, Stays, Before);
        Assert.That(Due(Ministry, Before + Duration.FromHours(1)), Is.Empty, "its day has not come");
        Assert.That(Due(Ministry, Midnight - Duration.FromSeconds(1)), Is.Empty);
        Assert.That(Due(Ministry, Midnight), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void One_that_has_ended_too_unless_that_is_long_ago()
    {
        Issue(1, Moves, Before);
        Decide(1, OrderState.Delivered);
        Assert.That(Due(Ministry, After), Is.EqualTo(new[] { 1 }), "a restored directory must hear of what it had received");
        Decide(1, OrderState.Answered, 2);
        Assert.That(Due(Ministry, After), Is.EqualTo(new[] { 1 }), "and of how that ended");
        Assert.That(Due(Ministry, After + OrderRouting.EndsAreToldFor), Is.EqualTo(new[] { 1 }));
        Assert.That(Due(Ministry, After + OrderRouting.EndsAreToldFor + Duration.FromSeconds(1)), Is.Empty);
    }

    [Test]
    public void Not_one_whose_term_ended_on_its_way()
    {
        Issue(1, Moves, Before, order => order.ExpiresAt = After.ToUnixTimeSeconds());
        Assert.That(Due(Ministry, After), Is.EqualTo(new[] { 1 }));
        Assert.That(Due(Ministry, After + Duration.FromSeconds(1)), Is.Empty);
        Decide(1, OrderState.Delivered);
        Assert.That(Due(Ministry, After + Duration.FromSeconds(1)), Is.EqualTo(new[] { 1 }), "it came in time");
    }

    [Test]
    public void A_node_that_the_place_has_left_does_nothing_and_says_so()
    {
        Receive(1, Moves, Before);
        Receive(2, Stays, Before);
        Assert.That(Due(ProvinceA, After), Is.Empty);
        Assert.That(OrderRouting.HasLeft(ProvinceA.At(Before), _fold.Find(1)!), Is.False);
        Assert.That(OrderRouting.HasLeft(ProvinceA.At(After), _fold.Find(1)!), Is.True);
        Assert.That(OrderRouting.HasLeft(ProvinceA.At(After), _fold.Find(2)!), Is.False);
        Decide(1, OrderState.Answered);
        Assert.That(OrderRouting.HasLeft(ProvinceA.At(After), _fold.Find(1)!), Is.False, "it has ended");
    }

    [Test]
    public void A_tier_that_is_put_in_is_another_way()
    {
        Receive(1, GetsATier, Before);
        Assert.That(Due(ProvinceA, After), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void The_day_is_that_on_which_it_came_here_whenever_it_was_issued()
    {
        Receive(1, GetsATier, received: After, issued: Before);
        Receive(2, GetsATier, received: Before, issued: Before);
        Assert.That(Due(ProvinceA, After + Duration.FromHours(1)), Is.EqualTo(new[] { 2 }));
    }

    [Test]
    public void One_that_went_and_came_back_may_have_been_passed_over_meanwhile()
    {
        Issue(1, GoesAndReturns, Before);
        Assert.That(Due(Ministry, After + Duration.FromDays(1)), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void What_was_sent_within_an_hour_of_the_change_goes_again_for_the_clock_may_be_put_back()
    {
        Issue(1, Moves, Midnight + Duration.FromMinutes(59));
        Issue(2, Moves, Midnight + Duration.FromMinutes(61));
        Assert.That(Due(Ministry, After), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void What_was_rerouted_is_not_again()
    {
        Issue(1, Moves, Before);
        Write(Midnight + Duration.FromMinutes(59), OrderFold.ReroutedEvent([1]));
        Assert.That(Due(Ministry, After), Is.EqualTo(new[] { 1 }), "the clock may have been put back");
        Write(Midnight + Duration.FromMinutes(61), OrderFold.ReroutedEvent([1]));
        Assert.That(Due(Ministry, After), Is.Empty);
    }

    [TestCase(long.MaxValue)]
    [TestCase(long.MinValue)]
    public void A_time_of_issue_that_is_none_stops_nobody(long issued)
    {
        Issue(1, Moves, Before, order => order.IssuedAt = issued);
        Issue(2, Moves, Before);
        Assert.That(Due(Ministry, After), Does.Contain(2));
    }

    [Test]
    public void It_is_written_once_and_nothing_where_there_is_nothing_to_do()
    {
        for (var id = 1; id <= 300; id++)
        {
            Issue(id, Moves, Before);
        }

        var desk = new OrderDesk(Ministry, _fold, _journal, new OrderNotary(null, Ministry, SignaturePolicy.Accepted, new VirtualClock(new VirtualTime(After.ToDateTimeOffset()))));
        Assert.That(desk.Reroute("clock").Decide(Before).Records, Is.Empty);
        var record = desk.Reroute("clock").Decide(After).Records.Single();
        Assert.That(record.Events.Select(OrdersRerouted), Is.EqualTo(Enumerable.Repeat(4, 75)));
        Write(After, [.. record.Events]);
        Assert.That(desk.Reroute("clock").Decide(After + Duration.FromHours(1)).Records, Is.Empty);
        Assert.That(_fold.OrdersSince(Lsn.Zero, _journal.Head.Lsn).Select(standing => (int)standing.Order!.Id), Is.EqualTo(Enumerable.Range(1, 300)), "each once, in the order in which they came");
    }

    [Test]
    public void It_stands_at_the_end_of_the_lane_and_is_sent_to_whoever_had_been_passed_over()
    {
        Issue(1, Moves, Before);
        Issue(2, Stays, Before);
        var passed = MarkHere();
        Assert.That(Read("B", passed, After), Is.Empty);
        Write(After, OrderFold.ReroutedEvent([1]));
        Assert.That(Read("B", passed, After), Is.EqualTo(new[] { 1 }));
        Assert.That(Read("A", StreamMark.Start, After), Is.EqualTo(new[] { 2 }));
        Assert.That(_fold.Orders.Select(order => (int)order.Id), Is.EqualTo(new[] { 1, 2 }), "lists show them as they came");
    }

    [Test]
    public void A_snapshot_keeps_it()
    {
        Issue(1, Moves, Before);
        Issue(2, GetsATier, Before);
        Issue(3, Stays, Before);
        Write(After, OrderFold.ReroutedEvent([1]));
        Write(After, OrderFold.ReroutedEvent([1, 2]));
        var image = new MemoryStream();
        _fold.Save(image);
        image.Position = 0;
        var loaded = new OrderFold(NodeId.Parse("ministry"));
        loaded.Load(image);
        Assert.That(Lane(loaded), Is.EqualTo(Lane(_fold)));
        Assert.That(Lane(loaded).Select(at => at.Id), Is.EqualTo(new[] { 3, 1, 2 }));
        var again = new MemoryStream();
        loaded.Save(again);
        Assert.That(again.ToArray(), Is.EqualTo(image.ToArray()));

        (int Id, Lsn At, Instant? Rerouted)[] Lane(OrderFold fold) =>
            [.. fold.OrdersSince(Lsn.Zero, _journal.Head.Lsn).Select(standing => ((int)standing.Order!.Id, standing.Position, standing.ReroutedAt))];
    }

    [Test]
    public void A_cancellation_takes_along_what_it_takes_back()
    {
        Issue(1, Moves, Before);
        var passed = MarkHere();
        Issue(2, Moves, Before, Cancels(1));
        Assert.That(Read("B", passed, After), Is.EqualTo(new[] { 1, 2 }), "the order was passed over, and is not yet rerouted");
        Write(After, OrderFold.ReroutedEvent([1]));
        Assert.That(Read("B", passed, After), Is.EqualTo(new[] { 1, 2 }), "the order waits further down the lane");
        Assert.That(Read("B", StreamMark.Start, After), Is.EqualTo(new[] { 1, 2 }));
        Issue(3, Stays, Before);
        Issue(4, Moves, Before, Cancels(3));
        Assert.That(Read("B", passed, After), Is.EqualTo(new[] { 1, 2, 4 }), "what is not for the child it never hears of");
        Decide(1, OrderState.Answered);
        Assert.That(Read("B", passed, After), Is.EqualTo(new[] { 2, 4 }));
    }

    [Test]
    public void No_part_has_more_orders_than_a_child_takes()
    {
        // As a relay stands whose parts came in whole: 127 one by one, then 200 at one position.
        for (var id = 1; id <= 127; id++)
        {
            Issue(id, Stays, Before);
        }

        Write(Before, OrderFold.ReceivedEvent(Part(Enumerable.Range(200, 200).Select(id => OrderOf(id, Stays, Before))), NodeId.Parse("above"), NodeId.Parse("ministry"), new Incarnation(5)));
        Assert.That(Read("A", StreamMark.Start, Before), Has.Length.EqualTo(127));
        Assert.That(Read("A", new StreamMark(new Lsn(127), _journal.ChainHashAt(new Lsn(127))!.Value), Before), Has.Length.EqualTo(200));
    }

    [Test]
    public void One_that_comes_for_a_place_that_has_left_or_comes_tomorrow_is_not_ended_here()
    {
        Assert.That(Judged(ProvinceA, Moves, Before), Is.Empty);
        Assert.That(Judged(ProvinceA, Moves, After), Is.Empty, "it goes down the other way too, and has one end");
        var provinceB = PlaceOf("province-b", "B");
        Assert.That(Judged(provinceB, Moves, Midnight - Duration.FromMinutes(1)), Is.Empty, "the clock above is ahead");
        Assert.That(Judged(provinceB, Moves, Before - Duration.FromDays(1)), Is.EqualTo(new[] { OrderJudge.NotBelow }));
        Assert.That(Judged(provinceB, Stays, After), Is.EqualTo(new[] { OrderJudge.NotBelow }));
        Assert.That(Judged(PlaceOf("x", Moves), Moves, Midnight - Duration.FromMinutes(1), issuer: "B"), Is.EqualTo(new[] { string.Empty }), "and so may that of a new province be");
        Assert.That(Judged(PlaceOf("x", Moves), Moves, Before - Duration.FromDays(1), issuer: "B"), Is.EqualTo(new[] { OrderJudge.NoAuthority }));
        Assert.That(Judged(PlaceOf("x", Moves), Moves, After, issuer: "A"), Is.EqualTo(new[] { OrderJudge.NoAuthority }));
    }

    private static string[] Judged(OrderPlace place, string target, Instant now, string issuer = "N") =>
        [.. OrderJudge.Receipts(place.At(now), new OrderFold(place.Node), Part([OrderOf(1, target, now, order => order.IssuerDivision = issuer)]), now).Select(receipt => receipt.Code)];

    private static int OrdersRerouted(EventDraft draft) => Hub.Reception.V1.OrdersRerouted.Parser.ParseFrom(draft.Payload.Span).Orders.Count;

    private int[] Due(OrderPlace place, Instant now) => [.. OrderRouting.Due(place, _fold, now).Select(id => (int)id)];

    private int[] Read(string child, StreamMark from, Instant now) =>
        [.. new OrderReader(_fold, () => Register.At(StatDay.Of(now, DateTimeZone.Utc)), _journal, () => Epoch.NotGranted, isRoot: true)
            .Read(DivisionCode.Parse(child), from, _journal.Head.Lsn, knowsHead: false)!.Orders.Select(envelope => (int)OrderId.Of(Order.Parser.ParseFrom(envelope.Order).Id))];

    private StreamMark MarkHere() => new(_journal.Head.Lsn, _journal.Head.ChainHash);

    private void Issue(int id, string target, Instant at, Action<Order>? twist = null) => Write(at, OrderFold.IssuedEvent(OrderOf(id, target, at, twist).ToByteString()));

    private void Receive(int id, string target, Instant received, Instant? issued = null) =>
        Write(received, OrderFold.ReceivedEvent(Part([OrderOf(id, target, issued ?? received)]), NodeId.Parse("ministry"), ProvinceA.Node, new Incarnation(5)));

    private void Decide(int id, OrderState state, int step = 1)
    {
        var order = _fold.Find((UInt128)id)!.Order!.Content;
        Write(After, OrderFold.ReceiptedEvent(OrderJudge.Of(PlaceOf("target", order.TargetDivision), order, step, state, After)));
    }

    private void Write(Instant at, params EventDraft[] events)
    {
        var before = _journal.Head.Lsn;
        _journal.Append([new RecordDraft("test", events)], at);
        foreach (var journalEvent in _journal.ReadFrom(before).SelectMany(record => record.Events))
        {
            _fold.Apply(journalEvent);
        }
    }

    private static OrdersPart Part(IEnumerable<Order> orders) => new()
    {
        From = StreamMark.Start.ToPosition(Lane.Orders, new Incarnation(77), Epoch.NotGranted),
        To = new StreamMark(new Lsn(10), new Hash256(1, 10)).ToPosition(Lane.Orders, new Incarnation(77), Epoch.NotGranted),
        Orders = { orders.Select(order => new OrderEnvelope { Lsn = 1, Order = order.ToByteString() }) },
    };

    private static Action<Order> Cancels(int id) => order => (order.Kind, order.Subject) = (OrderKind.Cancel, OrderId.ToBytes((UInt128)id));

    private static Order OrderOf(int id, string target, Instant issued, Action<Order>? twist = null)
    {
        var order = new Order
        {
            Id = OrderId.ToBytes((UInt128)id),
            Issuer = "issuer",
            IssuerDivision = "N",
            TargetDivision = target,
            Kind = OrderKind.Assign,
            IssuedAt = issued.ToUnixTimeSeconds(),
        };
        twist?.Invoke(order);
        return order;
    }

    private static OrderPlace PlaceOf(string node, string division) => new(NodeId.Parse(node), DivisionCode.Parse(division), Register);

    private static Division Row(string code, string? parent, LocalDate? from = null, LocalDate? to = null) =>
        new(DivisionCode.Parse(code), parent is null ? null : DivisionCode.Parse(parent), code, code, parent is null ? DivisionKind.Nation : code is "A" or "B" ? DivisionKind.Province : DivisionKind.City, from, to);
}
