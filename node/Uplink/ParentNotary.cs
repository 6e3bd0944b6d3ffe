using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;

namespace CityGrid.Node.Uplink;

/// <summary>
/// The notary of a child (clauses A1 to A4): signs the head of its history with each part, and looks at what the parent countersigns. What it does not believe
/// is told and not kept; it holds up no figure.
/// </summary>
public sealed class ParentNotary(ISignatures signatures, TimeProvider clock)
{
    private NodeId? _parent;
    private Signer? _signer;

    /// <summary>The signer that the newest hello showed: what follows it on the same connection, or in the same bundle, is signed by no other (A3).</summary>
    private OwnSigner? _shown;

    /// <summary>True where this node has another signer by now than the one that its hello showed: the next hello brings it.</summary>
    public bool IsReplaced => _shown is { } shown && signatures.Own?.Signer.Fingerprint != shown.Signer.Fingerprint;

    /// <summary>Adds what the contract lets this node sign to a frame on its way up to the parent that welcomed it.</summary>
    public void Sign(ConnectRequest request, SenderState state) => Sign(request, state, _parent);

    /// <summary>The same for a frame that goes by file, to the parent that granted the epoch.</summary>
    public void Sign(ConnectRequest request, SenderState state, NodeId? receiver)
    {
        if (request.FrameCase == ConnectRequest.FrameOneofCase.Hello)
        {
            _shown = signatures.Own;
            request.Hello.Signer.Add(_shown?.Signer.Certificates ?? []);
        }
        else if (_shown is { } own && state.Speaks >= 2 && receiver is { } parent && PartStatements.Of(request) is { } said)
        {
            var head = new SignedHead
            {
                Node = state.Settings.Node.ToString(),
                Receiver = parent.ToString(),
                Incarnation = ByteString.CopyFrom(state.Incarnation.ToBytes()),
                Epoch = state.Epoch.Number,
                EpochNonce = state.Epoch.Nonce,
                Lane = said.Lane,
                Lsn = said.To.Lsn.Value,
                ChainHash = said.To.HashBytes(),
                PartHash = ByteString.CopyFrom(Statements.HashOf(said.Part).ToBytes()),
                SignedAt = clock.Now().ToUnixTimeMilliseconds(),
                Algorithm = own.Signer.Algorithm,
                Signer = ByteString.CopyFrom(own.Signer.Fingerprint.ToBytes()),
            };
            Failpoint.Hit("head.sign.before");
            head.Signature = ByteString.CopyFrom(own.Sign(Statements.BytesOf(head)));
            request.SignedHead = head;
            Failpoint.Hit("head.sign.after");
        }
    }

    /// <summary>A parent welcomes this node: who it is, and its signer, which is to be noted; null where it shows none that is taken, with the refusal where it showed one.</summary>
    public Signer? Meet(Welcome welcome, out Refusal? refusal)
    {
        refusal = null;
        _signer = null;
        _parent = NodeId.TryParse(welcome.Node, out var parent) ? parent : null;
        if (welcome.Signer.Count > 0 && _parent is not null)
        {
            _signer = signatures.Judge([.. welcome.Signer], clock.Now(), out refusal);
            if (_signer is { } shown && shown.Node != parent)
            {
                refusal = new Refusal("SIGNER_OF_ANOTHER", $"{parent} shows the signer of {shown.Node}.");
                _signer = null;
            }
        }

        return _signer;
    }

    /// <summary>
    /// The parent's countersignature, where it speaks of exactly the part that this answers (A4); null for none, and with the refusal for one that is
    /// not believed. <paramref name="state"/> is that before the answer is heard.
    /// </summary>
    public Countersignature? Check(ConnectResponse response, SenderState state, out Refusal? refusal)
    {
        refusal = null;
        if (response.Countersignature is not { } said || state.UnderWay.Find(o => o.Number == response.Number && o.Lane != Lane.Unspecified) is not { } asked)
        {
            return null;
        }

        var part = state.Lane(asked.Lane).Cut!.Parts[asked.Part];
        var due = (part.Cells is { } cells ? PartStatements.Of(cells) : PartStatements.Of(part.Escalations!))!.Value;
        refusal = Fault(said, state, asked.Lane, due.To, due.Part);
        return refusal is null ? said : null;
    }

    /// <summary>Why a countersignature is not believed; null where it is.</summary>
    /// <param name="said">What the parent countersigned.</param>
    /// <param name="state">The stream that it must speak of.</param>
    /// <param name="lane">The lane of the part.</param>
    /// <param name="to">The end of the part.</param>
    /// <param name="part">The part; null where it went by file, and is not at hand any more.</param>
    public Refusal? Fault(Countersignature said, SenderState state, Lane lane, StreamMark to, IMessage? part)
    {
        var wrong =
            _signer is not { } signer ? "it has shown no signer"
            : said.Node != signer.Node.ToString() || said.Algorithm != signer.Algorithm || !said.Signer.Span.SequenceEqual(signer.Fingerprint.ToBytes()) ? "it names another signer"
            : clock.Now() > signer.HoldsTo ? $"the signer's certificate held until {signer.HoldsTo}"
            : said.Child != state.Settings.Node.ToString() || Incarnation.FromBytes(said.ChildIncarnation.Span) != state.Incarnation
                || said.ChildEpoch != state.Epoch.Number || said.ChildEpochNonce != state.Epoch.Nonce || said.Lane != lane ? "it speaks of another stream"
            : said.ChildLsn != to.Lsn.Value || said.ChildChainHash != to.HashBytes() || (part is not null && !said.PartHash.Span.SequenceEqual(Statements.HashOf(part).ToBytes())) ? "it speaks of another part"
            : said.Incarnation.Length != 16 || said.Lsn < 1 || said.ChainHash.Length != Hash256.Size ? "it names no position of its own"
            : !signatures.Verify(signer, Statements.BytesOf(said), said.Signature.Span) ? "the signature is not one of the signer's key"
            : null;
        return wrong is null ? null : new Refusal("COUNTERSIGNATURE_WRONG", $"The parent's countersignature was not believed: {wrong}. The figures go on; this receipt is kept without proof.");
    }
}
