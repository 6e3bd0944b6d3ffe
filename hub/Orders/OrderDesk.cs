using System.Security.Cryptography;
using System.Text;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Orders;

/// <summary>What a person wants ordered.</summary>
public sealed record OrderWish(string RequestKey, DivisionCode Target, OrderKind Kind, UInt128 Subject, string Text, Instant? AnswerBy, Instant? ExpiresAt);

/// <summary>An order as it stands after a command, or why there is none. <paramref name="Repeated"/>: it was so before.</summary>
public sealed record OrderAnswer(UInt128 Id, bool Repeated, Refusal? Refusal)
{
    public static OrderAnswer No(string code, string message, string where) => new(UInt128.Zero, false, new Refusal(code, message, where));
}

/// <summary>What the child answers to a part of orders: where it stands now, and why it took nothing.</summary>
public sealed record OrdersTaken(StreamPosition Position, LinkRefusalCode Refusal, string Message);

/// <summary>The door of orders: issuing, stepping and receiving as commands for the sequencer (clauses O1 to O7).</summary>
public sealed class OrderDesk(OrderPlace place, OrderFold orders, IJournal journal, OrderNotary notary)
{
    public const string TargetUnknown = "ORDER_TARGET_UNKNOWN";
    public const string TargetNotBelow = "ORDER_TARGET_NOT_BELOW";
    public const string OrderUnknown = "ORDER_UNKNOWN";
    public const string NotForHere = "ORDER_NOT_FOR_HERE";
    public const string Ended = "ORDER_ENDED";

    /// <summary>This directory was restored and has not heard yet what its earlier life had decided.</summary>
    public const string Uncertain = "ORDER_UNCERTAIN";

    public Command<OrderAnswer> Issue(OrderWish wish, string actor) => new IssueOrder(this, wish) { Actor = actor };

    /// <summary>A person at the place that the order is for signs for it, answers it, or rejects it.</summary>
    public Command<OrderAnswer> Step(UInt128 id, OrderState state, string text, string actor) => new StepOrder(this, id, state, text) { Actor = actor };

    /// <summary>A part of orders from the parent: the effect, the receipts that this node owes, and the new cursor are one record.</summary>
    public Command<OrdersTaken> Receive(OrdersPart part, NodeId parent) => new ReceiveOrders(this, part, parent, notary.Look(part)) { Actor = $"node/{parent}" };

    /// <summary>Orders whose way down has changed go down once more (O7). Answers how many; nothing is written where there are none.</summary>
    public Command<int> Reroute(string actor) => new RerouteOrders(this) { Actor = actor };

    /// <summary>What is found of the signatures of a part, for <see cref="EventsOf"/>: on the caller's thread. Empty where nobody judges.</summary>
    public IReadOnlyList<OrderFinding> Look(OrdersPart part) => notary.Look(part);

    /// <summary>The position up to which this data directory has applied its parent's orders: what the hello says.</summary>
    public StreamPosition Stands()
    {
        var (applied, mark) = orders.AppliedBy(journal.Incarnation);
        return mark.ToPosition(Lane.Orders, applied, Epoch.NotGranted);
    }

    /// <summary>One key is one order, for ever: the id is made of the key.</summary>
    private UInt128 IdOf(string requestKey) =>
        OrderId.Of(ByteString.CopyFrom(SHA256.HashData(Encoding.UTF8.GetBytes($"citygrid/order/1\n{place.Node}\n{requestKey}")).AsSpan(0, 16)));

    private sealed class IssueOrder : Command<OrderAnswer>
    {
        private readonly OrderDesk _desk;
        private readonly OrderWish _wish;
        private readonly UInt128 _id;
        private readonly Order _order;
        private readonly ByteString _bytes;
        private readonly IssuerSignature? _signature;
        private readonly Refusal? _unbelievable;

        public IssueOrder(OrderDesk desk, OrderWish wish)
        {
            (_desk, _wish, _id) = (desk, wish, desk.IdOf(wish.RequestKey));
            _order = OrderOf(desk.Notary.Now);
            _bytes = _order.ToByteString();
            _signature = desk.Notary.Sign(_order, _bytes, out _unbelievable);
        }

        public override IReadOnlyCollection<Touched> Touches => [Touched.By("order", _id)];

        public override Decision<OrderAnswer> Decide(Instant now)
        {
            var (desk, wish) = (_desk, _wish);
            var (place, orders) = (desk.Place.At(now), desk.Orders);
            if (!place.Register.Contains(wish.Target))
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(TargetUnknown, $"'{wish.Target}' does not stand in the register of {place.Node}.", "target_division"));
            }

            if (wish.Target == place.Division || !place.Register.IsAtOrBelow(wish.Target, place.Division))
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(TargetNotBelow, $"'{wish.Target}' does not lie below {place.Division}; an order goes down.", "target_division"));
            }

            if (orders.Find(_id)?.Order is { } known)
            {
                var order = _order.Clone();
                order.IssuedAt = known.Content.IssuedAt;
                return Decision<OrderAnswer>.Nothing(known.Content.Equals(order)
                    ? new OrderAnswer(_id, true, null)
                    : OrderAnswer.No("REQUEST_KEY_REUSED", "Another order was issued with this request key. Use a fresh key for each order.", "request_key"));
            }

            if (orders.Find(_id) is { Receipts.Count: > 0 })
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(Uncertain, "An earlier life of this node issued an order with this request key, and all that is known of it is what became of it. Use a fresh key for another order.", "request_key"));
            }

            if (wish.Kind == OrderKind.Cancel && (orders.Find(wish.Subject)?.Order is not { IsIssuedHere: true } subject || subject.Target != wish.Target))
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(OrderUnknown, "A cancellation names in subject an order that was issued here, and its target.", "subject"));
            }

            if (_unbelievable is { } unbelievable)
            {
                return Decision<OrderAnswer>.Nothing(new OrderAnswer(UInt128.Zero, false, unbelievable));
            }

            if (_signature is null && (desk.Notary.Policy == SignaturePolicy.Required || orders.HasSigned(_order.Issuer, _order.IssuerDivision)))
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(
                    IssuerWord.Unsigned, "This node has no signing key, and its orders must be signed: by its policy, or because it has signed before. Configure link.signingCertificate and link.signingKey.", "signature"));
            }

            Failpoint.Hit("order.issue.before");
            var issued = OrderFold.IssuedEvent(_bytes);
            return Decision<OrderAnswer>.Of(new RecordDraft(Actor, _signature is { } said ? [issued, OrderFold.SignedEvent(_order.Id, said)] : [issued]), _ => Issued());
        }

        private OrderAnswer Issued()
        {
            Failpoint.Hit("order.issue.after");
            return new OrderAnswer(_id, false, null);
        }

        private Order OrderOf(Instant now) => new()
        {
            Id = OrderId.ToBytes(_id),
            Issuer = _desk.Place.Node.ToString(),
            IssuerDivision = _desk.Place.Division.ToString(),
            TargetDivision = _wish.Target.ToString(),
            Kind = _wish.Kind,
            Subject = _wish.Subject == UInt128.Zero ? ByteString.Empty : OrderId.ToBytes(_wish.Subject),
            Text = _wish.Text,
            IssuedAt = now.ToUnixTimeSeconds(),
            AnswerBy = _wish.AnswerBy?.ToUnixTimeSeconds() ?? 0,
            ExpiresAt = _wish.ExpiresAt?.ToUnixTimeSeconds() ?? 0,
        };
    }

    private sealed class StepOrder(OrderDesk desk, UInt128 id, OrderState state, string text) : Command<OrderAnswer>
    {
        public override IReadOnlyCollection<Touched> Touches => [Touched.By("order", id)];

        public override Decision<OrderAnswer> Decide(Instant now)
        {
            if (desk.Orders.Find(id) is not { Order: { } order } standing)
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(OrderUnknown, "There is no order with this id here.", "order_id"));
            }

            if (order.Target != desk.Place.Division || order.IsIssuedHere)
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(NotForHere, $"The order is for {order.Target}; it is signed for and answered there.", "order_id"));
            }

            if (desk.IsUncertain)
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(Uncertain, "This directory was restored, and the parent has not told yet what became of its orders. Try again once the link stands.", "order_id"));
            }

            if (standing.Receipts.FirstOrDefault(receipt => receipt.Content.State == state) is { } done && done.Content.Text == text)
            {
                return Decision<OrderAnswer>.Nothing(new OrderAnswer(id, true, null));
            }

            if (standing.Receipts.Count == 0 || standing.HasEnded || (state == OrderState.Signed && standing.State != OrderState.Delivered))
            {
                return Decision<OrderAnswer>.Nothing(OrderAnswer.No(Ended, $"The order is {standing.State} already.", "state"));
            }

            var receipt = OrderJudge.Of(desk.Place, order.Content, standing.Receipts[^1].Content.Step + 1, state, now, text: text);
            Failpoint.Hit("order.step.before");
            return Decision<OrderAnswer>.Of(new RecordDraft(Actor, [OrderFold.ReceiptedEvent(receipt)]), _ => Stepped());
        }

        private OrderAnswer Stepped()
        {
            Failpoint.Hit("order.step.after");
            return new OrderAnswer(id, false, null);
        }
    }

    /// <summary>The stream, and each order that a part brings or cancels.</summary>
    public static IReadOnlyCollection<Touched> TouchedBy(OrdersPart part) =>
    [
        Touched.By("orders", string.Empty),
        .. part.Orders.Select(envelope => OrderRead.Order(envelope.Order)).OfType<Order>().SelectMany(order => new[] { OrderId.Of(order.Id), OrderId.Of(order.Subject) })
            .Distinct().Select(id => Touched.By("order", id)),
    ];

    /// <summary>
    /// What a part of orders changes here: the effect, the receipts that this node owes, and the new cursor; nothing where it is known or does not fit. <paramref name="found"/> is what
    /// <see cref="Look"/> found of its signatures.
    /// </summary>
    public IReadOnlyList<EventDraft> EventsOf(OrdersPart part, IReadOnlyList<OrderFinding> found, NodeId parent, Instant now, out OrdersTaken taken)
    {
        var refusal = OrderJudge.Placed(orders, journal.Incarnation, part, out var held);
        if (refusal is not null || (OrderJudge.Mark(part.From) is { } from && from.Lsn < held.Lsn))
        {
            var stands = held.ToPosition(Lane.Orders, OrderJudge.JournalOf(part.From ?? new StreamPosition()), Epoch.NotGranted);
            taken = new OrdersTaken(stands, refusal?.Code ?? LinkRefusalCode.Unspecified, refusal?.Message ?? string.Empty);
            return [];
        }

        if (part.Orders.Count == 0 && orders.IsCaughtUp(journal.Incarnation))
        {
            taken = new OrdersTaken(part.From, LinkRefusalCode.Unspecified, string.Empty);
            return [];
        }

        taken = new OrdersTaken(part.To, LinkRefusalCode.Unspecified, string.Empty);
        var unbelieved = OrderJudge.Unbelieved(notary.Policy, orders, journal.Incarnation, part, found);
        return
        [
            OrderFold.ReceivedEvent(part, parent, place.Node, journal.Incarnation, found.Count > 0 ? unbelieved.Keys : null),
            .. OrderJudge.Receipts(place.At(now), orders, part, now, unbelieved).Select(OrderFold.ReceiptedEvent),
        ];
    }

    private sealed class ReceiveOrders(OrderDesk desk, OrdersPart part, NodeId parent, IReadOnlyList<OrderFinding> found) : Command<OrdersTaken>
    {
        public override IReadOnlyCollection<Touched> Touches => TouchedBy(part);

        public override Decision<OrdersTaken> Decide(Instant now)
        {
            var events = desk.EventsOf(part, found, parent, now, out var taken);
            return events.Count == 0 ? Decision<OrdersTaken>.Nothing(taken) : Decision<OrdersTaken>.Of(new RecordDraft(Actor, events), _ => taken);
        }
    }

    private sealed class RerouteOrders(OrderDesk desk) : Command<int>
    {
        public override IReadOnlyCollection<Touched> Touches => [Touched.By("orders", "rerouted")];

        public override Decision<int> Decide(Instant now)
        {
            var due = OrderRouting.Due(desk.Place, desk.Orders, now);
            if (due.Count == 0)
            {
                return Decision<int>.Nothing(0);
            }

            Failpoint.Hit("orders.reroute.before");
            return Decision<int>.Of(new RecordDraft(Actor, [.. due.Chunk(OrderRouting.OrdersOfEvent).Select(OrderFold.ReroutedEvent)]), _ => Rerouted(due.Count));
        }

        private static int Rerouted(int count)
        {
            Failpoint.Hit("orders.reroute.after");
            return count;
        }
    }

    private bool IsUncertain => journal.IsRestored && !orders.IsCaughtUp(journal.Incarnation);

    private OrderPlace Place => place;

    private OrderFold Orders => orders;

    private OrderNotary Notary => notary;

    private Incarnation Own => journal.Incarnation;
}
