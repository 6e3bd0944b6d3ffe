using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>What the parent has applied of one lane as it last said, when that was noted, and the newest records of it that the parent keeps aside or refused.</summary>
public sealed record LaneReceipt(StreamMark Mark, Instant? KeptAt, IReadOnlyList<RecordReceipt> Problems)
{
    public static readonly LaneReceipt None = new(StreamMark.Start, null, []);
}

/// <summary>
/// This node's own standing with its parent: the epoch it was granted for its data directory, and the parent's receipts. Both hold for the
/// incarnation they were given to; another incarnation has neither (a restored directory asks anew).
/// </summary>
public sealed class UplinkFold : IFold
{
    /// <summary>Problem records kept a lane; all of them stay in the journal.</summary>
    public const int ProblemsMax = 200;

    /// <summary>Bundles that may be on their way at once; of more, the ends of the newest are kept.</summary>
    public const int BundlesMax = 64;

    private readonly Action<Epoch, Lsn>? _epochTaken;
    private readonly SortedSet<Lsn> _bundles = [];
    private Incarnation _incarnation;
    private Epoch _epoch;
    private LaneReceipt _escalations = LaneReceipt.None;
    private LaneReceipt _cells = LaneReceipt.None;
    private LaneReceipt _alarms = LaneReceipt.None;

    /// <param name="epochTaken">Called when this node takes an epoch, with the event's position: its own cells are stamped anew (L7).</param>
    public UplinkFold(Action<Epoch, Lsn>? epochTaken = null) => _epochTaken = epochTaken;

    public string Name => "uplink";

    public int Version => 1;

    /// <summary>The number that this node's own cells carry: that of the last epoch taken, whatever directory it was granted to; 0 before the first.</summary>
    public long RevisionEpoch => _epoch.Number;

    public NodeId? Parent { get; private set; }

    /// <summary>The highest epoch in which <see cref="Parent"/> was ever heard: a node that has its name and an earlier epoch is out of office (INV-24).</summary>
    public Epoch ParentEpoch { get; private set; }

    /// <summary>The fingerprint of the signer that the parent showed last; null where it never showed one.</summary>
    public Hash256? ParentSigner { get; private set; }

    /// <summary>When the parent last told that it has this node's head, with its signature where it has shown a signer; null before the first time.</summary>
    public Instant? AnchoredAt { get; private set; }

    /// <summary>The epoch granted to this data directory, or <see cref="Epoch.NotGranted"/>.</summary>
    public Epoch EpochOf(Incarnation incarnation) => incarnation == _incarnation ? _epoch : Epoch.NotGranted;

    public LaneReceipt ReceiptOf(Lane lane, Incarnation incarnation) =>
        incarnation != _incarnation ? LaneReceipt.None
        : lane switch
        {
            Lane.Escalations => _escalations,
            Lane.Alarms => _alarms,
            _ => _cells,
        };

    /// <summary>Where the bundles end that this data directory made behind <paramref name="after"/>.</summary>
    public IReadOnlyList<Lsn> BundlesAfter(Lsn after, Incarnation incarnation) => incarnation == _incarnation ? [.. _bundles.Where(end => end > after)] : [];

    public static EventDraft BundleMadeEvent(Incarnation incarnation, Lsn end) => ReceptionEvents.Draft(
        EventKinds.BundleMade, new BundleMade { Incarnation = ByteString.CopyFrom(incarnation.ToBytes()), Lsn = end.Value });

    public static EventDraft EpochTakenEvent(Incarnation incarnation, Epoch epoch, NodeId parent, Epoch parentEpoch) => ReceptionEvents.Draft(EventKinds.EpochTaken, new EpochTaken
    {
        Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
        Epoch = epoch.Number,
        EpochNonce = epoch.Nonce,
        Parent = parent.ToString(),
        ParentEpoch = parentEpoch.Number,
        ParentEpochNonce = parentEpoch.Nonce,
    });

    public static EventDraft ParentEpochHeardEvent(NodeId parent, Epoch epoch, bool forgotten) => ReceptionEvents.Draft(EventKinds.ParentEpochHeard, new ParentEpochHeard
    {
        Parent = parent.ToString(),
        Epoch = epoch.Number,
        EpochNonce = epoch.Nonce,
        Forgotten = forgotten,
    });

    public static EventDraft ReceiptKeptEvent(Lane lane, Incarnation incarnation, Epoch epoch, StreamMark mark, IReadOnlyList<RecordReceipt> problems, Countersignature? said = null) => ReceptionEvents.Draft(EventKinds.ReceiptKept, new ReceiptKept
    {
        Lane = (int)lane,
        Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
        Epoch = epoch.Number,
        EpochNonce = epoch.Nonce,
        Lsn = mark.Lsn.Value,
        ChainHash = mark.HashBytes(),
        Verdicts = { problems.Take(ProblemsMax).Select(ReceptionEvents.ToVerdict) },
        Countersignature = said?.ToByteString() ?? ByteString.Empty,
    });

    public void Apply(in JournalEvent journalEvent)
    {
        switch (journalEvent.Kind)
        {
            case EventKinds.EpochTaken:
                Take(EpochTaken.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent.Lsn);
                break;
            case EventKinds.ParentEpochHeard:
                var heard = ParentEpochHeard.Parser.ParseFrom(journalEvent.Payload.Span);
                HearParent(NodeId.Parse(heard.Parent), new Epoch(heard.Epoch, heard.EpochNonce), heard.Forgotten);
                break;
            case EventKinds.ReceiptKept:
                Keep(ReceiptKept.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent.RecordedAt);
                break;
            case EventKinds.BundleMade when BundleMade.Parser.ParseFrom(journalEvent.Payload.Span) is var made && Incarnation.FromBytes(made.Incarnation.Span) == _incarnation:
                _bundles.Add(new Lsn(made.Lsn));
                while (_bundles.Count > BundlesMax)
                {
                    _bundles.Remove(_bundles.Min);
                }
                break;
            case EventKinds.SignerShown when ReceptionEvents.Read(journalEvent) is SignerChange shown && shown.Child == Parent:
                ParentSigner = shown.Fingerprint;
                break;
            default:
                break;
        }
    }

    public void Save(Stream target)
    {
        var image = Image();
        if (AnchoredAt is { } anchored)
        {
            image.AnchoredAt = Images.Of(anchored);
        }

        image.WriteTo(target);
    }

    private UplinkImage Image() => new UplinkImage
    {
        Incarnation = ByteString.CopyFrom(_incarnation.ToBytes()),
        Epoch = _epoch.Number,
        EpochNonce = _epoch.Nonce,
        Parent = Parent?.ToString() ?? string.Empty,
        ParentEpoch = ParentEpoch.Number,
        ParentEpochNonce = ParentEpoch.Nonce,
        Escalations = Images.Of(_escalations.Mark),
        Cells = Images.Of(_cells.Mark),
        EscalationVerdicts = { _escalations.Problems.Select(ReceptionEvents.ToVerdict) },
        CellVerdicts = { _cells.Problems.Select(ReceptionEvents.ToVerdict) },
        Alarms = Images.Of(_alarms.Mark),
        AlarmVerdicts = { _alarms.Problems.Select(ReceptionEvents.ToVerdict) },
        Bundles = { _bundles.Select(end => end.Value) },
        ParentSigner = ParentSigner is { } signer ? ByteString.CopyFrom(signer.ToBytes()) : ByteString.Empty,
    }.WithTimes(_escalations.KeptAt, _cells.KeptAt, _alarms.KeptAt);

    public void Load(Stream source)
    {
        var image = UplinkImage.Parser.ParseFrom(source);
        _incarnation = Incarnation.FromBytes(image.Incarnation.Span);
        _epoch = new Epoch(image.Epoch, image.EpochNonce);
        Parent = image.Parent.Length == 0 ? null : NodeId.Parse(image.Parent);
        ParentEpoch = new Epoch(image.ParentEpoch, image.ParentEpochNonce);
        AnchoredAt = image.HasAnchoredAt ? Images.InstantOf(image.AnchoredAt) : null;
        ParentSigner = image.ParentSigner.IsEmpty ? null : Hash256.FromBytes(image.ParentSigner.Span);
        _escalations = new LaneReceipt(Images.MarkOf(image.Escalations), image.HasEscalationsKeptAt ? Images.InstantOf(image.EscalationsKeptAt) : null, ReceptionEvents.ToReceipts(image.EscalationVerdicts));
        _cells = new LaneReceipt(Images.MarkOf(image.Cells), image.HasCellsKeptAt ? Images.InstantOf(image.CellsKeptAt) : null, ReceptionEvents.ToReceipts(image.CellVerdicts));
        _alarms = new LaneReceipt(Images.MarkOf(image.Alarms), image.HasAlarmsKeptAt ? Images.InstantOf(image.AlarmsKeptAt) : null, ReceptionEvents.ToReceipts(image.AlarmVerdicts));
        _bundles.Clear();
        _bundles.UnionWith(image.Bundles.Select(end => new Lsn(end)));
    }

    private void Take(EpochTaken taken, Lsn lsn)
    {
        var incarnation = Incarnation.FromBytes(taken.Incarnation.Span);
        var epoch = new Epoch(taken.Epoch, taken.EpochNonce);
        if (incarnation == _incarnation && epoch.Number <= _epoch.Number)
        {
            return;
        }

        _incarnation = incarnation;
        _epoch = epoch;
        var parent = NodeId.Parse(taken.Parent);
        HearParent(parent, new Epoch(taken.ParentEpoch, taken.ParentEpochNonce), forgotten: false);
        _escalations = LaneReceipt.None;
        _cells = LaneReceipt.None;
        _alarms = LaneReceipt.None;
        _bundles.Clear();
        _epochTaken?.Invoke(epoch, lsn);
    }

    /// <summary>Epochs of two parents have nothing to do with one another; those of one only rise, unless a person says otherwise.</summary>
    private void HearParent(NodeId parent, Epoch epoch, bool forgotten)
    {
        if (parent != Parent)
        {
            // What another parent has applied says nothing of this one.
            (ParentSigner, _escalations, _cells, _alarms) = (null, LaneReceipt.None, LaneReceipt.None, LaneReceipt.None);
            _bundles.Clear();
        }

        if (forgotten || parent != Parent || epoch.Number > ParentEpoch.Number)
        {
            (Parent, ParentEpoch) = (parent, epoch);
        }
    }

    private void Keep(ReceiptKept kept, Instant recordedAt)
    {
        if (Incarnation.FromBytes(kept.Incarnation.Span) != _incarnation || kept.Epoch != _epoch.Number || kept.EpochNonce != _epoch.Nonce
            || !StreamMark.TryRead(kept.Lsn, kept.ChainHash, out var mark))
        {
            return;
        }

        if (ParentSigner is null || !kept.Countersignature.IsEmpty)
        {
            AnchoredAt = recordedAt;
        }

        switch ((Lane)kept.Lane)
        {
            case Lane.Escalations:
                _escalations = After(_escalations);
                break;
            case Lane.Alarms:
                _alarms = After(_alarms);
                break;
            default:
                _cells = After(_cells);
                break;
        }

        LaneReceipt After(LaneReceipt before) =>
            new(mark, recordedAt, [.. before.Problems.Concat(ReceptionEvents.ToReceipts(kept.Verdicts)).TakeLast(ProblemsMax)]);
    }
}
