using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Orders;

/// <summary>Clauses O1, O2, O4 and O5; INV-13, INV-14: what becomes of an order where it comes by.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class Each_order_is_judged_on_its_way
{
    private static readonly Instant Now = Instant.FromUtc(2026, 11, 29, 4, 0);
    private static readonly Incarnation ParentsJournal = new(77);
    private static readonly OrderPlace Wuhan = new(NodeId.Parse("wuhan"), DivisionCode.Parse("4201"), Registers.Tempting);

    private readonly OrderFold _fold = new(NodeId.Parse("wuhan"));
    private long _lsn;

    [Test]
    public void One_for_this_place_is_delivered() => Assert.That(Judge(OrderOf(1)), Is.EqualTo(new[] { (1, OrderState.Delivered, string.Empty) }));

    [TestCase("4290", OrderJudge.NotBelow)]
    [TestCase("42", OrderJudge.NotBelow)]
    [TestCase("999999", OrderJudge.NotBelow)]
    public void One_for_a_place_that_lies_not_below_ends_here(string target, string code) =>
        Assert.That(Judge(OrderOf(1, order => order.TargetDivision = target)), Is.EqualTo(new[] { (1, OrderState.Rejected, code) }));

    [TestCase("4201")]
    [TestCase("4290")]
    [TestCase("43")]
    public void One_whose_issuer_is_not_above_ends_here(string issuer) =>
        Assert.That(Judge(OrderOf(1, order => order.IssuerDivision = issuer)), Is.EqualTo(new[] { (1, OrderState.Rejected, OrderJudge.NoAuthority) }));

    [Test]
    public void One_that_was_here_before_ends_here()
    {
        var envelope = Enveloped(OrderOf(1));
        envelope.Hops.Add(new Hop { Node = "wuhan", ReceivedAt = 1 });
        Assert.That(Judge(envelope), Is.EqualTo(new[] { (1, OrderState.Rejected, OrderJudge.Loop) }));
    }

    [TestCase(0, OrderState.Delivered)]
    [TestCase(60, OrderState.Delivered)]
    [TestCase(-1, OrderState.Expired)]
    public void One_that_comes_after_its_time_has_expired(int seconds, OrderState expected) =>
        Assert.That(Judge(OrderOf(1, order => order.ExpiresAt = seconds == 0 ? 0 : Now.ToUnixTimeSeconds() + seconds)).Single().State, Is.EqualTo(expected));

    [Test]
    public void One_that_cannot_be_read_holds_up_no_other()
    {
        foreach (var twist in new Action<OrderEnvelope>[]
        {
            e => e.Order = ByteString.CopyFromUtf8("no order"), e => e.Order = ByteString.Empty, e => e.Hops.Add(new Hop { Node = "No Node" }),
            e => e.Receipts.Add(ByteString.CopyFromUtf8("none")), e => e.Order = OrderOf(1, o => o.Id = ByteString.CopyFrom(new byte[15])).ToByteString(),
            e => e.Order = OrderOf(1, o => o.Text = new string('x', OrderJudge.TextMax + 1)).ToByteString(), e => e.Order = OrderOf(1, o => o.Subject = ByteString.CopyFrom(new byte[3])).ToByteString(),
        })
        {
            var bad = Enveloped(OrderOf(1));
            twist(bad);
            Assert.That(Judge(bad, Enveloped(OrderOf(2))), Is.EqualTo(new[] { (2, OrderState.Delivered, string.Empty) }), bad.ToString());
        }
    }

    [Test]
    public void One_that_is_known_or_was_decided_on_before_is_not_decided_on_again()
    {
        Receive(Enveloped(OrderOf(1)));
        var decided = Enveloped(OrderOf(2));
        decided.Receipts.Add(OrderJudge.Of(Wuhan, OrderOf(2), 1, OrderState.Answered, Now).ToByteString());
        Assert.That(Judge(Enveloped(OrderOf(1)), decided, Enveloped(OrderOf(3)), Enveloped(OrderOf(3))), Is.EqualTo(new[] { (3, OrderState.Delivered, string.Empty) }));
        Receive(decided);
        Assert.That(_fold.Find(2)!.State, Is.EqualTo(OrderState.Answered), "A restored directory learns what it had decided.");
    }

    [Test]
    public void A_cancellation_ends_an_open_order_of_the_same_issuer_and_no_other()
    {
        Receive(Enveloped(OrderOf(1)));
        Receive(Enveloped(OrderOf(2, order => order.Issuer = "another")));
        Assert.Multiple(() =>
        {
            Assert.That(Judge(Cancel(9, 1)), Is.EqualTo(new[] { (1, OrderState.Cancelled, string.Empty), (9, OrderState.Answered, string.Empty) }));
            Assert.That(Judge(Cancel(9, 2)), Is.EqualTo(new[] { (9, OrderState.Rejected, OrderJudge.NothingToCancel) }));
            Assert.That(Judge(Cancel(9, 5)), Is.EqualTo(new[] { (9, OrderState.Rejected, OrderJudge.NothingToCancel) }));
            Assert.That(Judge(Enveloped(Cancel(8, 1)), Enveloped(Cancel(9, 1))).Select(r => (r.Id, r.State)), Is.EqualTo(new[] { (1, OrderState.Cancelled), (8, OrderState.Answered), (9, OrderState.Rejected) }));
            Assert.That(Judge(Enveloped(OrderOf(6)), Enveloped(Cancel(9, 6))).Select(r => (r.Id, r.State)), Is.EqualTo(new[] { (6, OrderState.Delivered), (6, OrderState.Cancelled), (9, OrderState.Answered) }));
        });
        var ended = Enveloped(OrderOf(7));
        ended.Receipts.Add(OrderJudge.Of(Wuhan, OrderOf(7), 1, OrderState.Answered, Now).ToByteString());
        Assert.That(Judge(ended, Enveloped(Cancel(9, 7))), Is.EqualTo(new[] { (9, OrderState.Rejected, OrderJudge.NothingToCancel) }), "The end is told in the same part.");
    }

    [Test]
    public void A_receipt_counts_once_and_in_the_order_of_its_steps()
    {
        var standing = new OrderFold(NodeId.Parse("hubei"));
        foreach (var step in new[] { 2, 1, 2, 3 })
        {
            standing.Apply(EventOf(EventKinds.OrderReceipted, OrderJudge.Of(Wuhan, OrderOf(1), step, (OrderState)step, Now)));
        }

        Assert.That(standing.Find(1)!.Receipts.Select(r => r.Content.Step), Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(standing.Find(1)!.State, Is.EqualTo(OrderState.Answered));
    }

    [Test]
    public void What_is_folded_is_what_a_snapshot_keeps()
    {
        Receive(Enveloped(OrderOf(1)), Enveloped(OrderOf(2)));
        _fold.Apply(EventOf(EventKinds.OrderReceipted, OrderJudge.Of(Wuhan, OrderOf(1), 1, OrderState.Delivered, Now)));
        var image = new MemoryStream();
        _fold.Save(image);
        image.Position = 0;
        var loaded = new OrderFold(NodeId.Parse("wuhan"));
        loaded.Load(image);
        var again = new MemoryStream();
        loaded.Save(again);
        Assert.That(again.ToArray(), Is.EqualTo(image.ToArray()));
        Assert.That((loaded.Orders.Count, loaded.Find(1)!.State, loaded.AppliedBy(new Incarnation(5)), loaded.IsCaughtUp(new Incarnation(5))), Is.EqualTo((2, OrderState.Delivered, _fold.AppliedBy(new Incarnation(5)), false)));
    }

    private (int Id, OrderState State, string Code)[] Judge(Order order) => Judge(Enveloped(order));

    private (int Id, OrderState State, string Code)[] Judge(params OrderEnvelope[] envelopes) =>
        [.. OrderJudge.Receipts(Wuhan, _fold, Part(envelopes), Now).Select(r => ((int)OrderId.Of(r.Order), r.State, r.Code))];

    /// <summary>As the desk does: effect, receipts and cursor in one record.</summary>
    private void Receive(params OrderEnvelope[] envelopes)
    {
        var part = Part(envelopes);
        var receipts = OrderJudge.Receipts(Wuhan, _fold, part, Now);
        var draft = OrderFold.ReceivedEvent(part, NodeId.Parse("hubei"), Wuhan.Node, new Incarnation(5));
        _fold.Apply(new JournalEvent(new Lsn(++_lsn), new Lsn(_lsn), new Lsn(_lsn), Now, "desk", draft.Kind, draft.Schema, draft.Payload));
        foreach (var receipt in receipts)
        {
            _fold.Apply(EventOf(EventKinds.OrderReceipted, receipt));
        }
    }

    private JournalEvent EventOf(ushort kind, IMessage payload) => new(new Lsn(++_lsn), new Lsn(_lsn), new Lsn(_lsn), Now, "desk", kind, ReceptionEvents.Schema, payload.ToByteArray());

    private static OrdersPart Part(params OrderEnvelope[] envelopes)
    {
        var part = new OrdersPart
        {
            From = StreamMark.Start.ToPosition(Lane.Orders, ParentsJournal, Epoch.NotGranted),
            To = new StreamMark(new Lsn(10), new Hash256(1, 10)).ToPosition(Lane.Orders, ParentsJournal, Epoch.NotGranted),
        };
        part.Orders.AddRange(envelopes);
        return part;
    }

    private static OrderEnvelope Enveloped(Order order) => new() { Lsn = 1, Order = order.ToByteString() };

    private static Order Cancel(int id, int subject) => OrderOf(id, order => (order.Kind, order.Subject) = (OrderKind.Cancel, OrderId.ToBytes((UInt128)subject)));

    private static Order OrderOf(int id, Action<Order>? twist = null) => Made.OrderOf(id, Now, twist);
}
