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

    /// <summary>
    /// What was found of each order of a part: null where its signature is good, else why not. Where it is for this place and nobody has decided on it, the signer must hold now.
    /// </summary>
    public IReadOnlyList<Refusal?> Look(OrdersPart part) =>
        [.. part.Orders.Select(envelope => Found(envelope.Order, envelope.Signature, order => envelope.Receipts.Count == 0 && order.TargetDivision == place.Division.ToString() ? Now : null))];

    /// <summary>The same for the orders that come up with receipts.</summary>
    public IReadOnlyList<Refusal?> Look(EscalationsPart part) => [.. part.Receipts.Select(envelope => Found(envelope.Order, envelope.Signature, _ => null))];

    private Refusal? Found(ByteString bytes, IssuerSignature? said, Func<Order, Instant?> at)
    {
        // What is no order is told so elsewhere.
        if (signatures is null || OrderRead.Order(bytes) is not { } order || OrderJudge.Fault(new OrderEnvelope { Order = bytes }) is not null)
        {
            return null;
        }

        IssuerWord.Judge(signatures, place.Register, IssuedAs(order, bytes), said, at(order), out var refusal);
        return refusal;
    }

    private static Issued IssuedAs(Order order, ByteString bytes) => new(IssuerWord.Order, NodeId.Parse(order.Issuer), DivisionCode.Parse(order.IssuerDivision), bytes);
}
