using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>Which of its parents a node means (L17). Each has cursors of its own; what becomes of the one link says nothing of the other.</summary>
public enum ParentKind
{
    /// <summary>The tier above in the territorial tree (块): it commands, and what it has is summed further up.</summary>
    Territorial,

    /// <summary>A sector's own network (条) beside it, with a register of its own: it is told the same, or some matters alone, and orders nothing.</summary>
    Sector,
}

/// <summary>What a parent has applied of one lane as it last said, when that was noted, and the newest records of it that the parent keeps aside or refused.</summary>
public sealed record LaneReceipt(StreamMark Mark, Instant? KeptAt, IReadOnlyList<RecordReceipt> Problems)
{
    public static readonly LaneReceipt None = new(StreamMark.Start, null, []);
}

/// <summary>What this node durably noted of one of its parents: who it is, in which epoch of its own it was heard, and its receipts. Part of <see cref="UplinkFold"/>.</summary>
public sealed class ParentRecord
{
    /// <summary>Problem records kept a lane; all of them stay in the journal.</summary>
    public const int ProblemsMax = 200;

    /// <summary>Bundles that may be on their way at once; of more, the ends of the newest are kept.</summary>
    public const int BundlesMax = 64;

    private readonly SortedSet<Lsn> _bundles = [];
    private LaneReceipt _escalations = LaneReceipt.None;
    private LaneReceipt _cells = LaneReceipt.None;
    private LaneReceipt _alarms = LaneReceipt.None;

    internal ParentRecord(ParentKind kind) => Kind = kind;

    public ParentKind Kind { get; }

    /// <summary>Who it is; null before it was first heard.</summary>
    public NodeId? Node { get; private set; }

    /// <summary>The highest epoch in which <see cref="Node"/> was ever heard: a node that has its name and an earlier epoch is out of office (INV-24).</summary>
    public Epoch Epoch { get; private set; }

    /// <summary>The fingerprint of the signer that it showed last; null where it never showed one.</summary>
    public Hash256? Signer { get; private set; }

    /// <summary>When it last told that it has this node's head, with its signature where it has shown a signer; null before the first time.</summary>
    public Instant? AnchoredAt { get; private set; }

    /// <summary>The matters that it is told of (L17).</summary>
    public Matters Matters { get; private set; } = Matters.All;

    /// <summary>The position here since which it is told of these; zero where nothing was ever chosen.</summary>
    public Lsn MattersSince { get; private set; }

    /// <summary>The data directory that the receipts and bundles speak of.</summary>
    internal Incarnation Incarnation { get; private set; }

    public LaneReceipt ReceiptOf(Lane lane, Incarnation incarnation) =>
        incarnation != Incarnation ? LaneReceipt.None
        : lane switch
        {
            Lane.Escalations => _escalations,
            Lane.Alarms => _alarms,
            _ => _cells,
        };

    /// <summary>Where the bundles end that this data directory made behind <paramref name="after"/>.</summary>
    public IReadOnlyList<Lsn> BundlesAfter(Lsn after, Incarnation incarnation) => incarnation == Incarnation ? [.. _bundles.Where(end => end > after)] : [];

    /// <summary>A new epoch is a new stream: nothing of it is applied anywhere yet (L7).</summary>
    internal void Begin(Incarnation incarnation)
    {
        Incarnation = incarnation;
        (_escalations, _cells, _alarms) = (LaneReceipt.None, LaneReceipt.None, LaneReceipt.None);
        _bundles.Clear();
    }

    /// <summary>Epochs of two parents have nothing to do with one another; those of one only rise, unless a person says otherwise.</summary>
    internal void Hear(NodeId parent, Epoch epoch, bool forgotten)
    {
        if (parent != Node)
        {
            // What another parent has applied says nothing of this one.
            Signer = null;
            Begin(Incarnation);
        }

        if (forgotten || parent != Node || epoch.Number > Epoch.Number)
        {
            (Node, Epoch) = (parent, epoch);
        }
    }

    internal void Choose(Matters matters, Lsn since) => (Matters, MattersSince) = (matters, since);

    internal void Meet(SignerChange shown)
    {
        if (shown.Child == Node)
        {
            Signer = shown.Fingerprint;
        }
    }

    internal void NoteBundle(Lsn end)
    {
        _bundles.Add(end);
        while (_bundles.Count > BundlesMax)
        {
            _bundles.Remove(_bundles.Min);
        }
    }

    internal void Keep(ReceiptKept kept, StreamMark mark, Instant recordedAt)
    {
        if (Signer is null || !kept.Countersignature.IsEmpty)
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

    internal UplinkImage Image()
    {
        var image = new UplinkImage
        {
            Incarnation = ByteString.CopyFrom(Incarnation.ToBytes()),
            Parent = Node?.ToString() ?? string.Empty,
            ParentEpoch = Epoch.Number,
            ParentEpochNonce = Epoch.Nonce,
            Escalations = Images.Of(_escalations.Mark),
            Cells = Images.Of(_cells.Mark),
            EscalationVerdicts = { _escalations.Problems.Select(ReceptionEvents.ToVerdict) },
            CellVerdicts = { _cells.Problems.Select(ReceptionEvents.ToVerdict) },
            Alarms = Images.Of(_alarms.Mark),
            AlarmVerdicts = { _alarms.Problems.Select(ReceptionEvents.ToVerdict) },
            Bundles = { _bundles.Select(end => end.Value) },
            ParentSigner = Signer is { } signer ? ByteString.CopyFrom(signer.ToBytes()) : ByteString.Empty,
            Matters = { Matters.Beginnings },
            MattersSince = MattersSince.Value,
        }.WithTimes(_escalations.KeptAt, _cells.KeptAt, _alarms.KeptAt);
        if (AnchoredAt is { } anchored)
        {
            image.AnchoredAt = Images.Of(anchored);
        }

        return image;
    }

    internal void Load(UplinkImage image)
    {
        Incarnation = Incarnation.FromBytes(image.Incarnation.Span);
        Node = image.Parent.Length == 0 ? null : NodeId.Parse(image.Parent);
        Epoch = new Epoch(image.ParentEpoch, image.ParentEpochNonce);
        AnchoredAt = image.HasAnchoredAt ? Images.InstantOf(image.AnchoredAt) : null;
        Signer = image.ParentSigner.IsEmpty ? null : Hash256.FromBytes(image.ParentSigner.Span);
        _escalations = new LaneReceipt(Images.MarkOf(image.Escalations), image.HasEscalationsKeptAt ? Images.InstantOf(image.EscalationsKeptAt) : null, ReceptionEvents.ToReceipts(image.EscalationVerdicts));
        _cells = new LaneReceipt(Images.MarkOf(image.Cells), image.HasCellsKeptAt ? Images.InstantOf(image.CellsKeptAt) : null, ReceptionEvents.ToReceipts(image.CellVerdicts));
        _alarms = new LaneReceipt(Images.MarkOf(image.Alarms), image.HasAlarmsKeptAt ? Images.InstantOf(image.AlarmsKeptAt) : null, ReceptionEvents.ToReceipts(image.AlarmVerdicts));
        (Matters, MattersSince) = (Matters.Of(image.Matters) ?? throw new FormatException("A selection of matters in the snapshot is malformed."), new Lsn(image.MattersSince));
        _bundles.Clear();
        _bundles.UnionWith(image.Bundles.Select(end => new Lsn(end)));
    }
}
