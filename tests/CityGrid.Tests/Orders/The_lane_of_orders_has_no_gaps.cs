using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Orders;

/// <summary>Clause O3: one part at a time, from where the child stands; what was lost on the way goes again, what is known has no effect.</summary>
public sealed class The_lane_of_orders_has_no_gaps
{
    private static readonly Instant Now = Instant.FromUtc(2026, 11, 29, 4, 0);
    private static readonly Incarnation Own = new(5);
    private static readonly Incarnation Journal = new(77);

    [Test]
    public void One_part_is_under_way_and_the_next_is_read_from_its_end()
    {
        var (state, _, read) = OrderFeed.Step(OrderFeed.Start(Mark(0)), new OrderFeedInput.Nudged(), Now);
        Assert.That(read, Is.True);
        (state, var sent, _) = OrderFeed.Step(state, new OrderFeedInput.PartReady(Part(0, 5)), Now);
        Assert.That(sent!.Number, Is.EqualTo(1));
        (state, _, read) = OrderFeed.Step(state, new OrderFeedInput.Nudged(), Now);
        Assert.That(read, Is.False, "One is under way.");
        (state, _, read) = OrderFeed.Step(state, Answer(1, 5), Now);
        Assert.That((read, state.Cursor), Is.EqualTo((true, Mark(5))));
        (state, sent, read) = OrderFeed.Step(state, new OrderFeedInput.PartReady(null), Now);
        Assert.That((sent, read), Is.EqualTo(((OrdersPart?)null, false)));
    }

    [Test]
    public void A_child_that_stands_elsewhere_is_served_from_there()
    {
        var state = Sent(Mark(5), Part(5, 9));
        var (after, _, read) = OrderFeed.Step(state, Answer(1, 3, LinkRefusalCode.Gap), Now);
        Assert.That((after.Cursor, read), Is.EqualTo((Mark(3), true)));
    }

    [Test]
    public void A_child_that_refuses_for_good_is_left_alone_until_there_are_new_orders()
    {
        var state = Sent(Mark(5), Part(5, 9));
        (state, _, var read) = OrderFeed.Step(state, Answer(1, 3, LinkRefusalCode.Fork), Now);
        Assert.That((state.Cursor, read), Is.EqualTo((Mark(5), false)));
        Assert.That(OrderFeed.Step(state, new OrderFeedInput.Nudged(), Now).Read, Is.True);
    }

    [Test]
    public void What_is_lost_goes_again_when_the_child_is_heard_of_after_half_a_minute()
    {
        var state = Sent(Mark(0), Part(0, 5));
        Assert.That(OrderFeed.Step(state, new OrderFeedInput.Heard(), Now + OrderFeed.AnswerWait - Duration.FromSeconds(1)).Read, Is.False);
        Assert.That(OrderFeed.Step(state, new OrderFeedInput.Heard(), Now + OrderFeed.AnswerWait).Read, Is.True);
    }

    [Test]
    public void An_answer_to_another_part_is_none()
    {
        var state = Sent(Mark(0), Part(0, 5));
        Assert.That(OrderFeed.Step(state, Answer(2, 5), Now).State, Is.EqualTo(state));
    }

    [Test]
    public void The_child_takes_a_part_that_begins_where_it_stands_on_the_same_chain_and_no_other()
    {
        var fold = new OrderFold(NodeId.Parse("wuhan"));
        var first = OrderFold.ReceivedEvent(Part(0, 5), NodeId.Parse("hubei"), NodeId.Parse("wuhan"), Own);
        fold.Apply(new JournalEvent(new Lsn(1), new Lsn(1), new Lsn(1), Now, "node/hubei", first.Kind, first.Schema, first.Payload));
        Assert.Multiple(() =>
        {
            Assert.That(Placed(fold, Part(5, 9)), Is.Null);
            Assert.That(Placed(fold, Part(0, 5)), Is.Null, "Known: no effect, and no refusal.");
            Assert.That(Placed(fold, Part(6, 9)), Is.EqualTo(LinkRefusalCode.Gap));
            Assert.That(Placed(fold, Part(5, 4)), Is.EqualTo(LinkRefusalCode.Malformed));
            Assert.That(Placed(fold, Part(5, 9, p => p.From.ChainHash = Mark(6).HashBytes())), Is.EqualTo(LinkRefusalCode.Fork));
            Assert.That(Placed(fold, Part(5, 9, p => p.From.Incarnation = p.To.Incarnation = Google.Protobuf.ByteString.CopyFrom(new Incarnation(78).ToBytes()))), Is.EqualTo(LinkRefusalCode.Gap), "Another journal begins at its start.");
            Assert.That(Placed(fold, Part(0, 9, p => p.From.Incarnation = p.To.Incarnation = Google.Protobuf.ByteString.CopyFrom(new Incarnation(78).ToBytes()))), Is.Null);
            Assert.That(Placed(fold, Part(5, 9, p => p.To = null)), Is.EqualTo(LinkRefusalCode.Malformed));
            Assert.That(Placed(fold, new OrdersPart()), Is.EqualTo(LinkRefusalCode.Malformed));
            Assert.That(fold.AppliedBy(new Incarnation(6)).Mark, Is.EqualTo(StreamMark.Start), "Another directory of the child hears all again.");
        });
    }

    private static OrderFeedState Sent(StreamMark cursor, OrdersPart part) => OrderFeed.Step(OrderFeed.Start(cursor) with { Due = false }, new OrderFeedInput.PartReady(part), Now).State;

    private static LinkRefusalCode? Placed(OrderFold fold, OrdersPart part) => OrderJudge.Placed(fold, Own, part, out _)?.Code;

    private static OrderFeedInput.Answered Answer(long number, long lsn, LinkRefusalCode refusal = LinkRefusalCode.Unspecified) =>
        new(new OrdersReceipt { Number = number, Position = Position(lsn), Refusal = refusal });

    private static OrdersPart Part(long from, long to, Action<OrdersPart>? twist = null)
    {
        var part = new OrdersPart { From = Position(from), To = Position(to) };
        twist?.Invoke(part);
        return part;
    }

    private static StreamPosition Position(long lsn) => Mark(lsn).ToPosition(Lane.Orders, Journal, Epoch.NotGranted);

    private static StreamMark Mark(long lsn) => lsn == 0 ? StreamMark.Start : new StreamMark(new Lsn(lsn), new Hash256(1, (UInt128)(ulong)lsn));
}
