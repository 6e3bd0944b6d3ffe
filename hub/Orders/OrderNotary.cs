using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Orders;

/// <summary>
/// The notary of orders (clause A7): signs those that are issued here, and looks at the signatures of others before they are decided on. All of it takes place on the caller's
/// thread, never on the writer; what follows from it is <see cref="OrderJudge.Disbelieved"/>.
/// </summary>
/// <param name="signatures">Null where nobody signs and nothing is judged.</param>
/// <param name="place">The place, with its register of all days.</param>
/// <param name="policy">Whether orders must be signed.</param>
/// <param name="clock">The time by which a signer is judged where an order is acted on first.</param>
public sealed class OrderNotary(ISignatures? signatures, OrderPlace place, SignaturePolicy policy, TimeProvider clock)
{
    public SignaturePolicy Policy => policy;

    public Instant Now => clock.Now();

    /// <summary>Signs an order that is issued here; null where this node has no key, and with the refusal where nobody would believe it.</summary>
    public IssuerSignature? Sign(Order order, ByteString bytes, out Refusal? refusal)
    {
        refusal = null;
        var said = IssuerWord.Sign(signatures, IssuedAs(order, bytes), Now);
        if (said is not null)
        {
            IssuerWord.Judge(signatures!, place.Register, IssuedAs(order, bytes), said, Now, out refusal);
        }

        return said;
    }

    /// <summary>What was found of each order of a part. Empty where nobody judges, and for more orders than a part may have, which is refused whole.</summary>
    public IReadOnlyList<OrderFinding> Look(OrdersPart part) =>
        signatures is null || part.Orders.Count > OrderJudge.OrdersMax ? [] : [.. part.Orders.Select(envelope => FoundOf(signatures, envelope))];

    /// <summary>The same for the orders that come up with receipts: told again by those who acted on them. A part has several receipts of one order, which is looked at once.</summary>
    public IReadOnlyList<Refusal?> Look(EscalationsPart part)
    {
        if (signatures is null)
        {
            return [];
        }

        var found = new Dictionary<(ByteString, IssuerSignature?), Refusal?>();
        return [.. part.Receipts.Select(envelope => found.TryGetValue((envelope.Order, envelope.Signature), out var known)
            ? known
            : found[(envelope.Order, envelope.Signature)] = Readable(new OrderEnvelope { Order = envelope.Order }) is { } order ? FaultOf(signatures, order, envelope.Order, envelope.Signature, null) : null)];
    }

    private OrderFinding FoundOf(ISignatures judge, OrderEnvelope envelope)
    {
        if (Readable(envelope) is not { } order)
        {
            return default;
        }

        var isForHere = order.TargetDivision == place.Division.ToString();
        var first = FaultOf(judge, order, envelope.Order, envelope.Signature, isForHere ? Now : null);
        return new OrderFinding(first, isForHere && envelope.Receipts.Count > 0 ? FaultOf(judge, order, envelope.Order, envelope.Signature, null) : first);
    }

    /// <summary>What is no order is told so elsewhere.</summary>
    private static Order? Readable(OrderEnvelope envelope) => OrderJudge.Fault(envelope) is null ? OrderRead.Order(envelope.Order) : null;

    private Refusal? FaultOf(ISignatures judge, Order order, ByteString bytes, IssuerSignature? said, Instant? now)
    {
        IssuerWord.Judge(judge, place.Register, IssuedAs(order, bytes), said, now, out var refusal);
        return refusal;
    }

    private static Issued IssuedAs(Order order, ByteString bytes) => new(IssuerWord.Order, NodeId.Parse(order.Issuer), DivisionCode.Parse(order.IssuerDivision), bytes);
}
