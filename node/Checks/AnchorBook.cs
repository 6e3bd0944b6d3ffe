using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Node.Checks;

/// <summary>A chain head of one node as another recorded it: of which data directory, where, and where and when it was recorded.</summary>
/// <param name="Life">The incarnation of the directory that it speaks of.</param>
/// <param name="Mark">Position and chain hash there.</param>
/// <param name="HeldAt">The position of the event that records it.</param>
/// <param name="RecordedAt">When that was.</param>
/// <param name="Signed">What proves it; null for one that was not signed.</param>
internal sealed record Anchor(Incarnation Life, StreamMark Mark, Lsn HeldAt, Instant RecordedAt, SignedStatement? Signed);

/// <summary>A statement with everything that proves it.</summary>
/// <param name="Message">The <see cref="SignedHead"/> of a child, or the <see cref="Countersignature"/> of a parent.</param>
/// <param name="Bytes">What is signed (A2, A4).</param>
/// <param name="Signature">The signature over it.</param>
/// <param name="Signer">Whose key made it.</param>
/// <param name="Part">The part that it names, where that is kept here.</param>
internal sealed record SignedStatement(IMessage Message, byte[] Bytes, ByteString Signature, Signer Signer, ByteString? Part);

/// <summary>
/// What one directory has recorded of another node's history: a parent what its child sent and signed, a child what its parent countersigned. A
/// statement that its signature does not prove is a fault of this directory, and then nothing in it anchors anything.
/// </summary>
internal sealed class AnchorBook
{
    private readonly List<Anchor> _anchors = [];
    private readonly Dictionary<ByteString, Signer> _signers = [];
    private readonly NodeId _about;
    private readonly X509Certificate2Collection? _authorities;

    private AnchorBook(NodeId holder, NodeId about, X509Certificate2Collection? authorities) => (Holder, _about, _authorities) = (holder, about, authorities);

    /// <summary>Who recorded them.</summary>
    public NodeId Holder { get; }

    /// <summary>In the order in which they were recorded.</summary>
    public IReadOnlyList<Anchor> Anchors => _anchors;

    /// <summary>The first statement that is not proved, and why; null where all are.</summary>
    public (Lsn At, string Why)? Fault { get; private set; }

    /// <summary>Reads a directory whose journal is sound. With <paramref name="authorities"/> each signer must be theirs, by the time at which it was shown.</summary>
    public static AnchorBook Read(string folder, NodeId holder, NodeId about, X509Certificate2Collection? authorities)
    {
        using var copy = new DataCopy(folder, "journal");
        using var journal = copy.Journal(holder);
        return Read(journal, holder, about, authorities);
    }

    internal static AnchorBook Read(IJournal journal, NodeId holder, NodeId about, X509Certificate2Collection? authorities)
    {
        var book = new AnchorBook(holder, about, authorities);
        foreach (var journalEvent in journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events))
        {
            book.Take(journalEvent);
        }

        return book;
    }

    private void Take(in JournalEvent journalEvent)
    {
        var payload = journalEvent.Payload.Span;
        switch (journalEvent.Kind)
        {
            case EventKinds.SignerShown:
                Meet(SignerShown.Parser.ParseFrom(payload), journalEvent);
                break;
            case EventKinds.CellsReceived:
                var cells = CellsReceived.Parser.ParseFrom(payload);
                if (cells.Child == _about.ToString() && PartStatements.Of(CellsPart.Parser.ParseFrom(cells.Part)) is { } cut)
                {
                    Add(journalEvent, cells.Incarnation, cells.Epoch, cells.EpochNonce, cells.Part, cells.SignedHead, cut.Lane, cut.To);
                }

                break;
            case EventKinds.EscalationsReceived:
                var escalations = EscalationsReceived.Parser.ParseFrom(payload);
                if (escalations.Child == _about.ToString() && PartStatements.Of(EscalationsPart.Parser.ParseFrom(escalations.Part)) is { } records)
                {
                    Add(journalEvent, escalations.Incarnation, escalations.Epoch, escalations.EpochNonce, escalations.Part, escalations.SignedHead, records.Lane, records.To);
                }

                break;
            case EventKinds.ReceiptKept:
                var kept = ReceiptKept.Parser.ParseFrom(payload);
                if (!kept.Countersignature.IsEmpty && Countersignature.Parser.ParseFrom(kept.Countersignature) is { } said && said.Node == _about.ToString())
                {
                    Add(journalEvent, kept, said);
                }

                break;
            default:
                break;
        }
    }

    private void Meet(SignerShown shown, in JournalEvent journalEvent)
    {
        if (shown.Node != _about.ToString())
        {
            return;
        }

        if (SignerCertificate.Read(shown.Certificates, _authorities, journalEvent.RecordedAt, out var refusal) is { } signer && signer.Node == _about)
        {
            _signers[ByteString.CopyFrom(signer.Fingerprint.ToBytes())] = signer;
        }
        else
        {
            Fault ??= (journalEvent.Lsn, refusal?.Message ?? $"the signer shown there is not that of {_about}");
        }
    }

    private void Add(in JournalEvent journalEvent, ByteString incarnation, long epoch, ulong nonce, ByteString part, ByteString signed, Lane lane, StreamMark to)
    {
        var statement = default(SignedStatement);
        if (!signed.IsEmpty)
        {
            var head = SignedHead.Parser.ParseFrom(signed);
            var speaks = head.Node == _about.ToString() && head.Receiver == Holder.ToString() && head.Incarnation == incarnation && head.Epoch == epoch && head.EpochNonce == nonce
                && head.Lane == lane && head.Lsn == to.Lsn.Value && head.ChainHash == to.HashBytes() && head.PartHash.Span.SequenceEqual(Hash256.Of(part.Span).ToBytes());
            statement = Proved(journalEvent.Lsn, speaks, head, Statements.BytesOf(head), head.Signer, head.Signature, part);
        }

        if (to.Lsn > Lsn.Zero)
        {
            _anchors.Add(new Anchor(Incarnation.FromBytes(incarnation.Span), to, journalEvent.Lsn, journalEvent.RecordedAt, statement));
        }
    }

    private void Add(in JournalEvent journalEvent, ReceiptKept kept, Countersignature said)
    {
        var speaks = said.Child == Holder.ToString() && said.ChildIncarnation == kept.Incarnation && said.ChildEpoch == kept.Epoch && said.ChildEpochNonce == kept.EpochNonce
            && (int)said.Lane == kept.Lane && said.Lsn > 0 && said.ChainHash.Length == Hash256.Size;
        var statement = Proved(journalEvent.Lsn, speaks, said, Statements.BytesOf(said), said.Signer, said.Signature, null);
        if (speaks)
        {
            var mark = new StreamMark(new Lsn(said.Lsn), Hash256.FromBytes(said.ChainHash.Span));
            _anchors.Add(new Anchor(Incarnation.FromBytes(said.Incarnation.Span), mark, journalEvent.Lsn, journalEvent.RecordedAt, statement));
        }
    }

    private SignedStatement? Proved(Lsn at, bool speaks, IMessage message, byte[] bytes, ByteString fingerprint, ByteString signature, ByteString? part)
    {
        var signer = _signers.GetValueOrDefault(fingerprint);
        var why =
            !speaks ? $"what {_about} signed there speaks of another part than the one that is kept with it"
            : signer is null ? $"{_about} signed there with a key that it has not shown before"
            : !SignerCertificate.Verify(signer, bytes, signature.Span) ? $"the signature there is not one of {_about}"
            : null;
        if (why is not null)
        {
            Fault ??= (at, why);
            return null;
        }

        return new SignedStatement(message, bytes, signature, signer!, part);
    }
}
