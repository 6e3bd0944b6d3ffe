using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Orders;

/// <summary>Where a node stands among those that orders pass.</summary>
public sealed record OrderPlace(NodeId Node, DivisionCode Division, DivisionRegister Register)
{
    /// <summary>The zone whose day decides which rows of the register hold.</summary>
    public DateTimeZone Zone { get; init; } = DateTimeZone.Utc;

    /// <summary>The register a day later: a neighbour's clock or zone may have come to it.</summary>
    public DivisionRegister Next { get; private init; } = Register;

    /// <summary>The same with the register as it stands at a time.</summary>
    public OrderPlace At(Instant now)
    {
        var today = StatDay.Of(now, Zone);
        return this with { Register = Register.At(today), Next = Register.At(today.Plus(1)) };
    }
}

/// <summary>What was found of an order's signature by both times of clause A7; null for a good one.</summary>
/// <param name="First">Where it is acted on first: at its place by the time there, elsewhere by the time of signing.</param>
/// <param name="Again">Where it is told again: by the time of signing.</param>
public readonly record struct OrderFinding(Refusal? First, Refusal? Again);

/// <summary>
/// What becomes of orders as they come in (clauses O1 to O7): pure. An order that cannot be followed ends here with a reason that goes back to its
/// issuer; it holds up no other.
/// </summary>
public static class OrderJudge
{
    /// <summary>The issuer is not above the place that it orders.</summary>
    public const string NoAuthority = "NO_AUTHORITY";

    /// <summary>The place lies neither here nor below.</summary>
    public const string NotBelow = "NOT_BELOW";

    /// <summary>The order has been at this node before.</summary>
    public const string Loop = "LOOP";

    /// <summary>The order to be cancelled is not known here, or has ended.</summary>
    public const string NothingToCancel = "NOTHING_TO_CANCEL";

    /// <summary>Characters of an order's, or an answer's, text.</summary>
    public const int TextMax = 4000;

    /// <summary>Receipts of one order: delivered, signed, and an end.</summary>
    public const int ReceiptsMax = 8;

    /// <summary>Orders of one part.</summary>
    public const int OrdersMax = 256;

    /// <summary>Bytes at which a part that goes down ends: some ten signed orders, which a line of 64 kbit/s carries in four seconds.</summary>
    public const int PartBytes = 32 * 1024;

    /// <summary>Why the part does not fit what is applied: null where it does, and a GAP, a FORK or MALFORMED otherwise. <paramref name="held"/> is what is applied of its journal.</summary>
    public static (LinkRefusalCode Code, string Message)? Placed(OrderFold fold, Incarnation own, OrdersPart part, out StreamMark held)
    {
        held = StreamMark.Start;
        if (Mark(part.From) is not { } from || Mark(part.To) is not { } to || to.Lsn < from.Lsn || part.Orders.Count > OrdersMax
            || JournalOf(part.From) != JournalOf(part.To) || JournalOf(part.To).IsNone)
        {
            return (LinkRefusalCode.Malformed, "The part of orders has no valid beginning or end.");
        }

        var (journal, applied) = fold.AppliedBy(own);
        held = JournalOf(part.From) == journal ? applied : StreamMark.Start;
        if (from.Lsn > held.Lsn)
        {
            return (LinkRefusalCode.Gap, $"The part starts after {from.Lsn}; {held.Lsn} is applied.");
        }

        return from.Lsn < held.Lsn || from == held ? null : (LinkRefusalCode.Fork, $"The parent's chain at {held.Lsn} is {from.ChainHash}, but {held.ChainHash} was applied.");
    }

    /// <summary>
    /// Why an order is not believed, by what was found of its signature (A7); null where it is. What was believed before with the same bytes is not judged again, and an unsigned one
    /// is taken, where policy allows that, from an issuer that has never signed.
    /// </summary>
    /// <param name="policy">Whether orders must be signed.</param>
    /// <param name="fold">What is known here.</param>
    /// <param name="order">The order.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="found">What was found: null for a good signature.</param>
    /// <param name="hasSigned">Its issuer has signed another in the same part.</param>
    public static Refusal? Disbelieved(SignaturePolicy policy, OrderFold fold, Order order, ByteString bytes, Refusal? found, bool hasSigned = false) =>
        fold.Find(OrderId.Of(order.Id))?.Order is { IsBelieved: true } known && known.Bytes.Span.SequenceEqual(bytes.Span) ? null
        : found is not { Code: IssuerWord.Unsigned } || policy == SignaturePolicy.Required || hasSigned || fold.HasSigned(order.Issuer, order.IssuerDivision) ? found
        : null;

    /// <summary>
    /// The orders of a part that are not believed, by index, each with its reason. Receipts tell again what an earlier life of the data directory <paramref name="own"/> acted on only until
    /// it has heard all; from then on they are its sender's word, by which no key holds longer.
    /// </summary>
    public static IReadOnlyDictionary<int, Refusal> Unbelieved(SignaturePolicy policy, OrderFold fold, Incarnation own, OrdersPart part, IReadOnlyList<OrderFinding> found)
    {
        var unbelieved = new Dictionary<int, Refusal>();
        var signing = new HashSet<(string, string)>();
        var hearsAgain = !fold.IsCaughtUp(own);
        for (var i = 0; i < found.Count; i++)
        {
            if (Fault(part.Orders[i]) is not null || OrderRead.Order(part.Orders[i].Order) is not { } order)
            {
                continue;
            }

            var fault = hearsAgain && part.Orders[i].Receipts.Count > 0 ? found[i].Again : found[i].First;
            if (Disbelieved(policy, fold, order, part.Orders[i].Order, fault, signing.Contains((order.Issuer, order.IssuerDivision))) is { } refusal)
            {
                unbelieved.Add(i, refusal);
            }
            else if (part.Orders[i].Signature is not null)
            {
                signing.Add((order.Issuer, order.IssuerDivision));
            }
        }

        return unbelieved;
    }

    /// <summary>
    /// The receipts that this node owes for orders which it has just received: those for this place, and those that can go no further. One that is not believed ends here, wherever it is
    /// for; one of which receipts tell already has been decided on elsewhere, and no other end is made of it.
    /// </summary>
    public static IReadOnlyList<OrderReceipt> Receipts(OrderPlace place, OrderFold fold, OrdersPart part, Instant now, IReadOnlyDictionary<int, Refusal>? unbelieved = null)
    {
        var receipts = new List<OrderReceipt>();
        var told = part.Orders.Where((_, at) => unbelieved?.ContainsKey(at) != true).SelectMany(envelope => envelope.Receipts).Select(OrderRead.Receipt).OfType<OrderReceipt>().ToLookup(receipt => OrderId.Of(receipt.Order));
        var here = new Dictionary<UInt128, Order>();
        for (var at = 0; at < part.Orders.Count; at++)
        {
            var envelope = part.Orders[at];

            // One that is known, or that its receipts tell has been decided on before, is not decided on again.
            if (Fault(envelope) is not null || OrderRead.Order(envelope.Order) is not { } order || OrderId.Of(order.Id) is var id && (fold.Find(id) is not null || !here.TryAdd(id, order))
                || envelope.Receipts.Count > 0)
            {
                continue;
            }

            var target = DivisionCode.Parse(order.TargetDivision);
            if (unbelieved?.GetValueOrDefault(at) is { } doubt)
            {
                receipts.Add(Of(place, order, 1, OrderState.Rejected, now, doubt.Code));
            }
            else if (Refused(place, order, target, envelope) is { } code)
            {
                receipts.Add(Of(place, order, 1, OrderState.Rejected, now, code));
            }
            else if (target == place.Division)
            {
                Take(place, fold, order, now, here, told, receipts);
            }
        }

        return receipts;
    }

    /// <summary>What is wrong with the form of an order on its way; null for nothing.</summary>
    public static string? Fault(OrderEnvelope envelope) =>
        OrderRead.Order(envelope.Order) is not { } order ? "bytes"
        : OrderId.Of(order.Id) == UInt128.Zero ? "id"
        : !NodeId.TryParse(order.Issuer, out _) ? "issuer"
        : !DivisionCode.TryParse(order.IssuerDivision, out _) ? "issuer_division"
        : !DivisionCode.TryParse(order.TargetDivision, out _) ? "target_division"
        : order.Text.Length > TextMax ? "text"
        : !order.Subject.IsEmpty && order.Subject.Length != 16 ? "subject"
        : envelope.Hops.Count > RecordJudge.HopsMax || envelope.Hops.Any(hop => !IsHop(hop)) ? "hops"
        : envelope.Receipts.Count > ReceiptsMax || envelope.Receipts.Any(bytes => Fault(OrderRead.Receipt(bytes)) is not null) ? "receipts"
        : null;

    /// <summary>What is wrong with the form of a receipt on its way; null for nothing.</summary>
    public static string? Fault(OrderReceiptEnvelope envelope) =>
        Fault(OrderRead.Receipt(envelope.Receipt))
        ?? (envelope.Hops.Count > RecordJudge.HopsMax || envelope.Hops.Any(hop => !IsHop(hop)) ? "hops"
            : !envelope.Order.IsEmpty && Fault(new OrderEnvelope { Order = envelope.Order }) is not null ? "order"
            : null);

    private static string? Fault(OrderReceipt? receipt) =>
        receipt is null ? "bytes"
        : OrderId.Of(receipt.Order) == UInt128.Zero ? "order"
        : !NodeId.TryParse(receipt.Issuer, out _) ? "issuer"
        : !NodeId.TryParse(receipt.Node, out _) ? "node"
        : !DivisionCode.TryParse(receipt.Division, out _) ? "division"
        : receipt.Step is < 1 or > ReceiptsMax ? "step"
        : receipt.State is <= OrderState.Unspecified or > OrderState.Cancelled ? "state"
        : receipt.Text.Length > TextMax ? "text"
        : null;

    public static OrderReceipt Of(OrderPlace place, Order order, int step, OrderState state, Instant now, string code = "", string text = "") => new()
    {
        Order = order.Id,
        Issuer = order.Issuer,
        Node = place.Node.ToString(),
        Division = place.Division.ToString(),
        Step = step,
        State = state,
        Code = code,
        Text = text,
        At = now.ToUnixTimeSeconds(),
    };

    /// <summary>An order for this place: delivered, unless it came too late or takes back another.</summary>
    private static void Take(
        OrderPlace place, OrderFold fold, Order order, Instant now, Dictionary<UInt128, Order> here, ILookup<UInt128, OrderReceipt> told, List<OrderReceipt> receipts)
    {
        if (order.ExpiresAt > 0 && now.ToUnixTimeSeconds() > order.ExpiresAt)
        {
            receipts.Add(Of(place, order, 1, OrderState.Expired, now));
            return;
        }

        if (order.Kind != OrderKind.Cancel)
        {
            receipts.Add(Of(place, order, 1, OrderState.Delivered, now));
            return;
        }

        // Only who issued an order takes it back. A node's name alone does not say who that is: another authority may have made a signer of the same name for a division of its own.
        var subject = OrderId.Of(order.Subject);
        var known = fold.Find(subject);
        var cancelled = known?.Order?.Content ?? here.GetValueOrDefault(subject);
        var before = (known?.Receipts.Select(record => record.Content) ?? []).Concat(told[subject]).Concat(receipts.Where(r => OrderId.Of(r.Order) == subject)).ToList();
        if (cancelled is null || cancelled.Issuer != order.Issuer || cancelled.IssuerDivision != order.IssuerDivision || before.Any(receipt => receipt.State >= OrderState.Answered))
        {
            receipts.Add(Of(place, order, 1, OrderState.Rejected, now, NothingToCancel));
            return;
        }

        receipts.Add(Of(place, cancelled, before.Select(receipt => receipt.Step).DefaultIfEmpty(0).Max() + 1, OrderState.Cancelled, now));
        receipts.Add(Of(place, order, 1, OrderState.Answered, now));
    }

    /// <summary>
    /// Why an order may go no further. One for a place that has left is not ended here: it goes down to it by another way too (O7), and it has one end. A day's difference between the clocks
    /// or zones of two nodes ends none.
    /// </summary>
    private static string? Refused(OrderPlace place, Order order, DivisionCode target, OrderEnvelope envelope) =>
        order.Issuer == place.Node.ToString() || envelope.Hops.Any(hop => hop.Node == place.Node.ToString()) ? Loop
        : !place.Next.HasBeenAtOrBelow(target, place.Division) ? NotBelow
        : DivisionCode.Parse(order.IssuerDivision) is var issuer && (issuer == target || !(place.Register.IsAtOrBelow(target, issuer) || place.Next.IsAtOrBelow(target, issuer))) ? NoAuthority
        : null;

    private static bool IsHop(Hop hop) => NodeId.TryParse(hop.Node, out _) && RecordJudge.IsTime(hop.ReceivedAt);

    internal static StreamMark? Mark(StreamPosition? position) =>
        position is not null && StreamMark.TryRead(position.Lsn, position.ChainHash, out var mark) ? mark : null;

    internal static Incarnation JournalOf(StreamPosition position) => Incarnation.FromBytes(position.Incarnation.Span);
}
