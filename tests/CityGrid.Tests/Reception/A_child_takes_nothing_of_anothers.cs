using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>
/// INV-29, clauses L9, L13, O4: what is known of another's escalation or order is not changed by a child that speaks in its own name and of its own division, and no child speaks in the
/// name of a node above it. Each was found by the hostile child of the stories.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_child_takes_nothing_of_anothers
{
    private readonly Parent _parent = new("hubei", "42", Registers.Tempting);
    private readonly Child _wuhan = new("wuhan", "4201");
    private readonly Child _county = new("county", "429004");

    [SetUp]
    public void Both_are_there()
    {
        _wuhan.Join(_parent);
        _county.Join(_parent);
    }

    [Test]
    public void An_escalation_stays_its_origins()
    {
        Assert.That(_parent.Take(_wuhan.Peer, _wuhan.Raise(0, 3, _wuhan.Escalation(1, 7), _wuhan.Escalation(2, 7, version: 2))).Receipt.Accepted, Is.EqualTo(2));
        var answer = _parent.Take(_county.Peer, _county.Raise(0, 3, _county.Escalation(1, 7, version: 3), _county.Escalation(2, 8)));

        Assert.That(answer.Receipt.Records.Select(r => (r.Index, r.Outcome, r.Code)), Is.EqualTo(new[] { (0, RecordOutcome.Refused, RecordJudge.Conflict) }), answer.ToString());
        Assert.That(_parent.Escalations.VersionsOf(7).Select(v => v.Content.Origin), Is.EqualTo(new[] { "wuhan", "wuhan" }));
        Assert.That(_parent.Take(_wuhan.Peer, _wuhan.Raise(3, 4, _wuhan.Escalation(4, 7, version: 3))).Receipt.Accepted, Is.EqualTo(1), "its own next version still comes");
    }

    [Test]
    public void What_became_of_an_order_is_told_by_its_place_or_one_above_it([Values("4201", "420111")] string target)
    {
        var order = OrderFor(target);
        _parent.Apply(OrderFold.IssuedEvent(order.ToByteString()));
        var stolen = _parent.Take(_county.Peer, Tell(_county, order, "county", "429004", OrderState.Rejected));
        Assert.That(stolen.Receipt.Records.Select(r => (r.Index, r.Outcome, r.Code)), Is.EqualTo(new[] { (0, RecordOutcome.Refused, RecordJudge.PermissionDenied) }), stolen.ToString());
        Assert.That(_parent.Orders.Find(1)!.Receipts, Is.Empty);

        Assert.That(_parent.Take(_wuhan.Peer, Tell(_wuhan, order, "wuhan", "4201", OrderState.Rejected)).Receipt.Accepted, Is.EqualTo(1));
        Assert.That(_parent.Orders.Find(1)!.State, Is.EqualTo(OrderState.Rejected));
    }

    [Test]
    public void A_place_below_the_target_does_not_tell_either()
    {
        var order = OrderFor("4201");
        _parent.Apply(OrderFold.IssuedEvent(order.ToByteString()));
        Assert.That(_parent.Take(_wuhan.Peer, Tell(_wuhan, order, "district", "420111", OrderState.Delivered)).Receipt.Refused, Is.EqualTo(1));
    }

    /// <summary>INV-13: of two data directories that decided, the first one heard stands, and both ends are told so.</summary>
    [TestCase(2, OrderState.Signed, true, TestName = "What_was_told_of_an_order_before_comes_again")]
    [TestCase(2, OrderState.Answered, false, TestName = "Another_content_of_a_step_is_refused")]
    [TestCase(3, OrderState.Rejected, true, TestName = "The_end_that_was_told_comes_again")]
    [TestCase(4, OrderState.Answered, false, TestName = "A_step_after_an_end_is_refused")]
    [TestCase(1, OrderState.Cancelled, false, TestName = "An_end_before_a_step_that_was_told_is_refused")]
    public void An_order_was_decided_on_before(int step, OrderState state, bool isKnown)
    {
        var order = OrderFor("4201");
        _parent.Apply(OrderFold.IssuedEvent(order.ToByteString()));
        var told = 0;
        ConnectRequest Step(int number, OrderState now) => Tell(_wuhan, order, "wuhan", "4201", now, number, told, ++told);
        Assert.That(_parent.Take(_wuhan.Peer, Step(2, OrderState.Signed)).Receipt.Accepted, Is.EqualTo(1));
        Assert.That(_parent.Take(_wuhan.Peer, Step(3, OrderState.Rejected)).Receipt.Accepted, Is.EqualTo(1));

        var answer = _parent.Take(_wuhan.Peer, Step(step, state));
        Assert.That(answer.Receipt.Records.Select(r => (r.Outcome, r.Code)), Is.EqualTo(isKnown ? Array.Empty<(RecordOutcome, string)>() : [(RecordOutcome.Refused, RecordJudge.DecidedTwice)]), answer.ToString());
        Assert.That(_parent.Orders.Find(1)!.Receipts.Select(r => (r.Content.Step, r.Content.State)), Is.EqualTo(new[] { (2, OrderState.Signed), (3, OrderState.Rejected) }));
    }

    /// <summary>Each node on the way holds the other decision and takes over only what it hears from above.</summary>
    [TestCase("wuhan", "4201", "Open that of wuhan as a restored one (--restored): it")]
    [TestCase("district", "420111", "Open that of wuhan as a restored one (--restored), then those below it down to district: it")]
    public void Who_told_otherwise_is_told_whose_directories_to_open(string node, string division, string cure)
    {
        var order = OrderFor(division);
        _parent.Apply(OrderFold.IssuedEvent(order.ToByteString()));
        _parent.Take(_wuhan.Peer, Tell(_wuhan, order, node, division, OrderState.Rejected));
        var answer = _parent.Take(_wuhan.Peer, Tell(_wuhan, order, node, division, OrderState.Cancelled, from: 5, to: 9));
        Assert.That(answer.Receipt.Records.Single().Message, Does.Contain(cure));
    }

    [Test]
    public void An_order_is_not_learned_from_the_receipt_of_another_place()
    {
        // Both lie below the child; the order is for one, the receipt is of the other.
        _parent.Take(_wuhan.Peer, Tell(_wuhan, OrderFor("430111"), "district", "420111", OrderState.Delivered));
        Assert.That(_parent.Orders.Find(1)?.Order, Is.Null);
    }

    /// <summary>Else a receipt could be judged beside the very record that brings its order.</summary>
    [Test]
    public void A_receipt_waits_for_whatever_else_is_done_with_its_order()
    {
        var desk = new ReceptionDesk(_parent.Settings, _parent.Reception, _parent.Cells, _parent.Escalations, () => Epoch.NotGranted);
        var told = desk.Receive(_county.Peer, null, Tell(_county, OrderFor("4201"), "county", "429004", OrderState.Rejected), 1);
        Assert.That(told.Touches, Does.Contain(Touched.By("order", (UInt128)1)));
    }

    [Test]
    public void A_node_above_speaks_for_itself([Values("hubei", "ministry")] string above)
    {
        _parent.Settings = _parent.Settings with { Parent = NodeId.Parse("ministry") };
        var lie = _wuhan.Statement(1) with { Origin = NodeId.Parse(above) };
        var answer = _parent.Take(_wuhan.Peer, _wuhan.Cut(0, 1, [_wuhan.Cell(1, 5, origin: above)], twist: part => CellsPartCodec.Write(part, [], [lie], [])));
        Assert.That(answer.Receipt.Records.Select(r => r.Code), Is.EqualTo(new[] { RecordJudge.PermissionDenied, RecordJudge.PermissionDenied }), answer.ToString());
        Assert.That(_parent.Take(_wuhan.Peer, _wuhan.Raise(0, 1, _wuhan.Escalation(1, 7, twist: e => e.Origin = above))).Receipt.Refused, Is.EqualTo(1));
    }

    private static Order OrderFor(string target) => new() { Id = OrderId.ToBytes(1), Issuer = "ministry", IssuerDivision = "CN", TargetDivision = target, Kind = OrderKind.Assign };

    private static ConnectRequest Tell(Child child, Order order, string node, string division, OrderState state, int step = 1, long from = 0, long to = 5)
    {
        var receipt = new OrderReceipt { Order = order.Id, Issuer = order.Issuer, Node = node, Division = division, Step = step, State = state };
        var frame = child.Raise(from, to);
        frame.Escalations.Lane = Lane.Alarms;
        frame.Escalations.Receipts.Add(new OrderReceiptEnvelope { Lsn = from + 1, Receipt = receipt.ToByteString(), Order = order.ToByteString() });
        return frame;
    }
}
