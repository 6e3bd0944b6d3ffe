using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;

namespace CityGrid.Hub.Reception;

/// <summary>What was found about the signatures of one frame before it is decided: of a hello the signer that it showed, of a part whether its head is signed.</summary>
public sealed record Attestation
{
    /// <summary>The signer that the hello showed, judged; null where it showed none that is taken.</summary>
    public Signer? Signer { get; init; }

    /// <summary>The hash of the part as received (A1).</summary>
    public Hash256 PartHash { get; init; }

    /// <summary>What was found of each order that came up with a receipt, by index: null where its issuer's signature is good (A7).</summary>
    public IReadOnlyList<Refusal?> Orders { get; init; } = [];

    /// <summary>This node signs the orders that it issues.</summary>
    public bool SignsOrders { get; init; }

    /// <summary>Why the signer or the signature is not taken; null where it is, or where none was shown.</summary>
    public Refusal? Fault { get; init; }
}

/// <summary>Whether children must sign what they send.</summary>
public enum SignaturePolicy
{
    /// <summary>A child without a signer is taken; one that has shown a signer must sign from then on, whenever it speaks protocol 2.</summary>
    Accepted,

    /// <summary>Nothing is taken that is not signed, and protocol 1, which has no signatures, is not spoken.</summary>
    Required,
}

/// <summary>The rules of signed heads (A3), pure.</summary>
internal static class SignedHeads
{
    /// <summary>Protocol 1 has no signatures.</summary>
    public const int Protocol = 2;

    /// <summary>Why this hello is not taken; null where it is.</summary>
    public static string? Fault(SignaturePolicy policy, ChildRow? row, NodeId node, int protocol, Attestation? found)
    {
        if (protocol < Protocol)
        {
            return policy == SignaturePolicy.Required ? $"Signatures are required here, and protocol {protocol} has none. Upgrade {node}." : null;
        }

        if (found?.Fault is { } fault)
        {
            return fault.ToString();
        }

        if (found?.Signer is { } signer)
        {
            return signer.Node == node ? null : $"The signer's certificate is that of {signer.Node}; the hello names {node}.";
        }

        return policy == SignaturePolicy.Required ? $"Signatures are required here, and {node} showed no signer. Configure link.signingCertificate and link.signingKey there."
            : row?.Signer is not null && found is not null ? $"{node} has shown a signer before and shows none now. Give it its signing key again, or a new one."
            : null;
    }

    /// <summary>Why the head does not speak of exactly this part of this stream; null where it does, or where the session has no signer.</summary>
    public static string? Fault(ReceiverSettings settings, LinkSession session, Lane lane, StreamMark to, SignedHead? head, Attestation? found)
    {
        if (session.Signer is not { } signer)
        {
            return null;
        }

        if (head is null)
        {
            return $"The part carries no signed head; {session.Child} has shown a signer.";
        }

        var wrong =
            head.Node != session.Child.ToString() ? "another node"
            : head.Receiver != settings.Node.ToString() ? "another receiver"
            : Incarnation.FromBytes(head.Incarnation.Span) != session.Incarnation || head.Epoch != session.Epoch.Number || head.EpochNonce != session.Epoch.Nonce ? "another stream"
            : head.Lane != lane ? $"lane {head.Lane}"
            : head.Lsn != to.Lsn.Value || head.ChainHash != to.HashBytes() ? $"position {head.Lsn}, and the part ends at {to.Lsn}"
            : found is null || !head.PartHash.Span.SequenceEqual(found.PartHash.ToBytes()) ? "another part"
            : head.Algorithm != signer.Algorithm || !head.Signer.Span.SequenceEqual(signer.Fingerprint.ToBytes()) ? "another signer"
            : null;
        return wrong is not null ? $"The signed head speaks of {wrong}." : found!.Fault?.ToString();
    }
}

/// <summary>What a node signs about parts.</summary>
public static class PartStatements
{
    /// <summary>The part of the request, its lane and its end; null for a frame that is no part or has no valid end.</summary>
    public static (IMessage Part, Lane Lane, StreamMark To)? Of(ConnectRequest request) => request.FrameCase switch
    {
        ConnectRequest.FrameOneofCase.Cells => Of(request.Cells),
        ConnectRequest.FrameOneofCase.Escalations => Of(request.Escalations),
        _ => null,
    };

    public static (IMessage Part, Lane Lane, StreamMark To)? Of(CellsPart part) => StreamMark.TryRead(part.CutTo, part.CutChainHash, out var to) ? (part, Lane.Cells, to) : null;

    public static (IMessage Part, Lane Lane, StreamMark To)? Of(EscalationsPart part) => StreamMark.TryRead(part.To, part.ChainHash, out var to) ? (part, part.LaneOf(), to) : null;
}

/// <summary>
/// The notary of a parent: looks at what children sign before their frames are decided, and countersigns what became durable. Hashing and
/// signatures take place on the caller's thread, never on the writer.
/// </summary>
public sealed class ChildNotary(ISignatures signatures, NodeId node, Incarnation incarnation, TimeProvider clock)
{
    /// <summary>Why a signer is not taken any more, though its certificate holds; null where it is.</summary>
    public Func<Signer, Refusal?> Revoked { get; init; } = _ => null;

    /// <summary>Looks at the orders that come up with receipts; null where nobody does.</summary>
    public OrderNotary? Orders { get; init; }

    /// <summary>What the frame's signatures are worth.</summary>
    public Attestation Look(LinkSession? session, ConnectRequest request)
    {
        var found = LookAtSender(session, request);

        // A part that is refused for its form is not worth a signature looked at: there may be thousands in one frame.
        return request.Escalations is { Receipts.Count: > 0 } part && Orders is { } orders && PartShape.Fault(part) is null
            ? found with { Orders = orders.Look(part), SignsOrders = signatures.Own is not null }
            : found;
    }

    private Attestation LookAtSender(LinkSession? session, ConnectRequest request)
    {
        if (request.FrameCase == ConnectRequest.FrameOneofCase.Hello)
        {
            if (request.Hello.Signer.Count == 0)
            {
                return new Attestation();
            }

            var shown = signatures.Judge([.. request.Hello.Signer], clock.Now(), out var refusal);
            return shown is not null && Revoked(shown) is { } isVoid ? new Attestation { Fault = isVoid } : new Attestation { Signer = shown, Fault = refusal };
        }

        if (session is not { Protocol: >= SignedHeads.Protocol } || PartStatements.Of(request) is not { } said)
        {
            return new Attestation();
        }

        var found = new Attestation { PartHash = Statements.HashOf(said.Part) };
        return session.Signer is not { } signer || request.SignedHead is not { } head ? found
            : clock.Now() > signer.HoldsTo ? found with { Fault = new Refusal("SIGNER_OUT_OF_TIME", $"The signer's certificate held until {signer.HoldsTo}. Renew it, and dial again.") }
            : Revoked(signer) is { } revoked ? found with { Fault = revoked }
            : !signatures.Verify(signer, Statements.BytesOf(head), head.Signature.Span) ? found with { Fault = new Refusal("SIGNATURE_WRONG", "The signature is not one of the signer's key over this head.") }
            : found;
    }

    /// <summary>
    /// Shows this node's signer with a welcome, and countersigns a receipt whose part took effect: by the signer that the welcome of the connection showed, for the child knows
    /// no other (A4).
    /// </summary>
    /// <param name="decision">What is answered.</param>
    /// <param name="found">What was found of the frame.</param>
    /// <param name="shown">The signer that this connection was shown; null before its welcome.</param>
    /// <returns>The signer that this connection has been shown now.</returns>
    public OwnSigner? Answer(LinkDecision decision, Attestation found, OwnSigner? shown)
    {
        if (decision.Session is not { Protocol: >= SignedHeads.Protocol } session)
        {
            return shown;
        }

        if (decision.Response.Welcome is { } welcome)
        {
            shown = signatures.Own;
            welcome.Signer.Add(shown?.Signer.Certificates ?? []);
        }
        else if (shown is not null && decision.Stands is { } stands && Taken(decision.Change) is { } taken)
        {
            var said = new Countersignature
            {
                Node = node.ToString(),
                Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
                Lsn = stands.Lsn.Value,
                ChainHash = stands.HashBytes(),
                Child = session.Child.ToString(),
                ChildIncarnation = ByteString.CopyFrom(session.Incarnation.ToBytes()),
                ChildEpoch = session.Epoch.Number,
                ChildEpochNonce = session.Epoch.Nonce,
                Lane = taken.Lane,
                ChildLsn = taken.To.Lsn.Value,
                ChildChainHash = taken.To.HashBytes(),
                PartHash = ByteString.CopyFrom(found.PartHash.ToBytes()),
                SignedAt = clock.Now().ToUnixTimeMilliseconds(),
                Algorithm = shown.Signer.Algorithm,
                Signer = ByteString.CopyFrom(shown.Signer.Fingerprint.ToBytes()),
            };
            Failpoint.Hit("countersign.before");
            said.Signature = ByteString.CopyFrom(shown.Sign(Statements.BytesOf(said)));
            decision.Response.Countersignature = said;
            Failpoint.Hit("countersign.after");
        }

        return shown;
    }

    /// <summary>True where this node has another signer by now than the one that a connection was shown.</summary>
    public bool IsReplaced(OwnSigner? shown) => shown is not null && signatures.Own?.Signer.Fingerprint != shown.Signer.Fingerprint;

    private static (IMessage Part, Lane Lane, StreamMark To)? Taken(ReceptionChange? change) => change switch
    {
        CellsTaken cells => PartStatements.Of(cells.Part),
        EscalationsTaken escalations => PartStatements.Of(escalations.Part),
        _ => null,
    };
}
