using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Reception;

/// <summary>
/// This node's own standing above: the epoch it was granted for its data directory, the same with all of its parents, and what it noted of each. All of it
/// holds for the incarnation it was given to; another incarnation has nothing (a restored directory asks anew).
/// </summary>
public sealed class UplinkFold : IFold
{
    private readonly Action<Epoch, Lsn>? _epochTaken;
    private readonly Action<Func<Protocol.Names.TypeCode, bool>, Lsn>? _mattersAdded;
    private readonly ParentRecord[] _parents = [new(ParentKind.Territorial), new(ParentKind.Sector)];
    private Incarnation _incarnation;
    private Epoch _epoch;

    /// <param name="epochTaken">Called when this node takes an epoch, with the event's position: its own cells are stamped anew (L7).</param>
    /// <param name="mattersAdded">Called when a parent is told of more matters than before, with which types came in and the event's position: this node's own cells of them are stamped anew (L17).</param>
    public UplinkFold(Action<Epoch, Lsn>? epochTaken = null, Action<Func<Protocol.Names.TypeCode, bool>, Lsn>? mattersAdded = null) => (_epochTaken, _mattersAdded) = (epochTaken, mattersAdded);

    public string Name => "uplink";

    public int Version => 2;

    public bool Takes(ushort kind) => kind < EventKinds.NodeFirst;

    /// <summary>The number that this node's own cells carry: that of the last epoch taken, whatever directory it was granted to; 0 before the first.</summary>
    public long RevisionEpoch => _epoch.Number;

    public ParentRecord Territorial => this[ParentKind.Territorial];

    public ParentRecord this[ParentKind kind] => _parents[(int)kind];

    /// <summary>The epoch granted to this data directory, or <see cref="Epoch.NotGranted"/>.</summary>
    public Epoch EpochOf(Incarnation incarnation) => incarnation == _incarnation ? _epoch : Epoch.NotGranted;

    public static EventDraft BundleMadeEvent(Incarnation incarnation, Lsn end) => ReceptionEvents.Draft(
        EventKinds.BundleMade, new BundleMade { Incarnation = ByteString.CopyFrom(incarnation.ToBytes()), Lsn = end.Value });

    public static EventDraft EpochTakenEvent(ParentKind kind, Incarnation incarnation, Epoch epoch, NodeId parent, Epoch parentEpoch) => ReceptionEvents.Draft(EventKinds.EpochTaken, new EpochTaken
    {
        Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
        Epoch = epoch.Number,
        EpochNonce = epoch.Nonce,
        Parent = parent.ToString(),
        ParentEpoch = parentEpoch.Number,
        ParentEpochNonce = parentEpoch.Nonce,
        ParentKind = (int)kind,
    });

    public static EventDraft ParentEpochHeardEvent(ParentKind kind, NodeId parent, Epoch epoch, bool forgotten) => ReceptionEvents.Draft(EventKinds.ParentEpochHeard, new ParentEpochHeard
    {
        Parent = parent.ToString(),
        Epoch = epoch.Number,
        EpochNonce = epoch.Nonce,
        Forgotten = forgotten,
        ParentKind = (int)kind,
    });

    public static EventDraft ReceiptKeptEvent(ParentKind kind, Lane lane, Incarnation incarnation, Epoch epoch, StreamMark mark, IReadOnlyList<RecordReceipt> problems, Countersignature? said = null) => ReceptionEvents.Draft(EventKinds.ReceiptKept, new ReceiptKept
    {
        Lane = (int)lane,
        Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
        Epoch = epoch.Number,
        EpochNonce = epoch.Nonce,
        Lsn = mark.Lsn.Value,
        ChainHash = mark.HashBytes(),
        Verdicts = { problems.Take(ParentRecord.ProblemsMax).Select(ReceptionEvents.ToVerdict) },
        Countersignature = said?.ToByteString() ?? ByteString.Empty,
        ParentKind = (int)kind,
    });

    public static EventDraft MattersChosenEvent(ParentKind kind, Matters matters, IEnumerable<UInt128> escalations) => ReceptionEvents.Draft(EventKinds.MattersChosen, new MattersChosen
    {
        ParentKind = (int)kind,
        Matters = { matters.Beginnings },
        Escalations = { escalations.Select(EscalationId) },
    });

    public void Apply(in JournalEvent journalEvent)
    {
        switch (journalEvent.Kind)
        {
            case EventKinds.MattersChosen:
                Choose(MattersChosen.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent.Lsn);
                break;
            case EventKinds.EpochTaken:
                Take(EpochTaken.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent.Lsn);
                break;
            case EventKinds.ParentEpochHeard:
                var heard = ParentEpochHeard.Parser.ParseFrom(journalEvent.Payload.Span);
                Of(heard.ParentKind).Hear(NodeId.Parse(heard.Parent), new Epoch(heard.Epoch, heard.EpochNonce), heard.Forgotten);
                break;
            case EventKinds.ReceiptKept:
                var kept = ReceiptKept.Parser.ParseFrom(journalEvent.Payload.Span);
                if (Incarnation.FromBytes(kept.Incarnation.Span) == _incarnation && new Epoch(kept.Epoch, kept.EpochNonce) == _epoch && StreamMark.TryRead(kept.Lsn, kept.ChainHash, out var mark))
                {
                    Of(kept.ParentKind).Keep(kept, mark, journalEvent.RecordedAt);
                }

                break;
            case EventKinds.BundleMade when BundleMade.Parser.ParseFrom(journalEvent.Payload.Span) is var made && Incarnation.FromBytes(made.Incarnation.Span) == _incarnation:
                Territorial.NoteBundle(new Lsn(made.Lsn));
                break;
            case EventKinds.SignerShown when ReceptionEvents.Read(journalEvent) is SignerChange shown:
                Array.ForEach(_parents, parent => parent.Meet(shown));
                break;
            default:
                break;
        }
    }

    public void Save(Stream target)
    {
        // The first parent stands in the image itself, as it did before there were two.
        var image = Territorial.Image();
        (image.Epoch, image.EpochNonce, image.Sector) = (_epoch.Number, _epoch.Nonce, this[ParentKind.Sector].Image());
        image.WriteTo(target);
    }

    public void Load(Stream source)
    {
        var image = UplinkImage.Parser.ParseFrom(source);
        _incarnation = Incarnation.FromBytes(image.Incarnation.Span);
        _epoch = new Epoch(image.Epoch, image.EpochNonce);
        Territorial.Load(image);
        if (image.Sector is { } sector)
        {
            this[ParentKind.Sector].Load(sector);
        }
        else
        {
            this[ParentKind.Sector].Begin(_incarnation);
        }
    }

    private static ByteString EscalationId(UInt128 id)
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, id);
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    /// <summary>A choice of several events stands with the first.</summary>
    private void Choose(MattersChosen chosen, Lsn lsn)
    {
        var parent = Of(chosen.ParentKind);
        var (before, after) = (parent.Matters, Matters.Of(chosen.Matters) ?? throw new FormatException("A selection of matters in the journal is malformed."));
        if (!after.Equals(before))
        {
            parent.Choose(after, lsn);
            _mattersAdded?.Invoke(type => after.Includes(type) && !before.Includes(type), lsn);
        }
    }

    private ParentRecord Of(int kind) => _parents[kind == (int)ParentKind.Sector ? 1 : 0];

    private void Take(EpochTaken taken, Lsn lsn)
    {
        var incarnation = Incarnation.FromBytes(taken.Incarnation.Span);
        var epoch = new Epoch(taken.Epoch, taken.EpochNonce);
        if (incarnation == _incarnation && epoch.Number <= _epoch.Number)
        {
            return;
        }

        (_incarnation, _epoch) = (incarnation, epoch);
        Array.ForEach(_parents, parent => parent.Begin(incarnation));
        Of(taken.ParentKind).Hear(NodeId.Parse(taken.Parent), new Epoch(taken.ParentEpoch, taken.ParentEpochNonce), forgotten: false);
        _epochTaken?.Invoke(epoch, lsn);
    }
}
