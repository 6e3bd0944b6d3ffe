using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>
/// A cut of the cells lane that has begun to arrive: its end, and how many of its parts are applied. The cursor moves with the last. Read again, a range may be
/// divided otherwise, and one that stops short of the sender's head may hold other cells: that is another cut, and begins anew.
/// </summary>
/// <param name="To">Where the cut ends.</param>
/// <param name="Parts">How many parts it has.</param>
/// <param name="Applied">How many of them are applied, from the first on.</param>
/// <param name="Reading">Which reading of the range it is; 0 where the sender does not say, and then a first part begins anew.</param>
public sealed record CutProgress(StreamMark To, int Parts, int Applied, ulong Reading)
{
    /// <summary>True where a part belongs to this very cut (L5).</summary>
    public bool Has(CellsPart part, StreamMark to) => To == to && Parts == part.Parts && Reading == part.Reading && (Reading != 0 || part.Part > 1);
}

/// <summary>What is applied of one lane of a child.</summary>
public sealed record LaneRow(StreamMark Mark, CutProgress? Cut)
{
    public static readonly LaneRow Start = new(StreamMark.Start, null);

    /// <summary>
    /// The furthest position past the cursor that a cut which came was of: its end, of which something may be applied, or the head at which it was read, for what had changed by then was left out of it. It outlives
    /// the cut, for another reading may stop short of it. Null for none.
    /// </summary>
    public StreamMark? Ahead { get; init; }

    /// <summary>The furthest position of the sender's journal that this lane has heard of.</summary>
    public StreamMark Heard => Ahead ?? Mark;

    /// <summary>What is known of the sender's chain at the position of <paramref name="theirs"/>, where that is another one (L8): the cursor, the end of the cut under way and the furthest heard of; null where nothing contradicts.</summary>
    public StreamMark? Against(StreamMark theirs)
    {
        foreach (var ours in (StreamMark?[])[Mark, Cut?.To, Ahead])
        {
            if (ours is { } known && known.Lsn == theirs.Lsn && known != theirs)
            {
                return known;
            }
        }

        return null;
    }

    /// <summary>The lane asked for once more from its start, which unsays nothing of what was heard.</summary>
    public LaneRow Anew() => Start with { Ahead = Heard.IsStart ? null : Heard };

    /// <summary>The lane once it is applied up to there.</summary>
    public LaneRow At(StreamMark mark) => new(mark, null) { Ahead = Ahead?.Lsn > mark.Lsn ? Ahead : null };

    /// <summary>The lane with a cut under way; one of repairs alone (L16) may end at the cursor itself.</summary>
    public LaneRow During(CutProgress cut) => Hearing(cut.To) with { Cut = cut };

    /// <summary>The lane once it has heard of that position of the sender's journal.</summary>
    public LaneRow Hearing(StreamMark mark) => this with { Ahead = mark.Lsn > Heard.Lsn ? mark : Ahead };
}

/// <summary>Why nothing of a child is applied until a person has released it.</summary>
public sealed record Quarantine(string Code, string Reason, Instant Since);

/// <summary>An epoch granted to a data directory that has not yet spoken in it.</summary>
public sealed record EpochOffer(Incarnation Incarnation, Epoch Epoch, DivisionCode Division);

/// <summary>
/// What this node knows durably of a child: the stream in office (incarnation and epoch), the one that may come into office next, what is applied
/// of each lane, and when it was last heard. It changes only by a <see cref="ReceptionChange"/>, in the same journal event as the effect (RULE-3).
/// </summary>
public sealed record ChildRow(NodeId Node, DivisionCode Division)
{
    /// <summary>Incarnations out of office are remembered so that an old copy is fenced rather than taken for a new directory; a node has a handful in its life.</summary>
    public const int RetiredMax = 64;

    /// <summary>The data directory in office; none before the first part.</summary>
    public Incarnation Incarnation { get; init; }

    public Epoch Epoch { get; init; }

    /// <summary>
    /// A grant takes office with the first part sent in it. Until then the one before stays, so that a late or lost hello of a directory that is
    /// gone puts nobody out of office.
    /// </summary>
    public EpochOffer? Offer { get; init; }

    /// <summary>The greatest number of an epoch that a directory of the child named as one of its history when it was granted one here.</summary>
    public long LastEpoch { get; init; }

    public LaneRow Cells { get; init; } = LaneRow.Start;

    public LaneRow Escalations { get; init; } = LaneRow.Start;

    public LaneRow Alarms { get; init; } = LaneRow.Start;

    public Instant? LastHeard { get; init; }

    public Quarantine? Quarantine { get; init; }

    public ImmutableArray<Incarnation> Retired { get; init; } = [];

    /// <summary>The fingerprint of the signer that it showed last; null where it never showed one.</summary>
    public Hash256? Signer { get; init; }

    public LaneRow Lane(Lane lane) => lane switch
    {
        Protocol.V1.Lane.Escalations => Escalations,
        Protocol.V1.Lane.Alarms => Alarms,
        _ => Cells,
    };

    /// <summary>The row as a part of this stream finds it: the stream in office, or the one on offer come into office; null for any other.</summary>
    public ChildRow? Seat(Incarnation incarnation, Epoch epoch) =>
        incarnation == Incarnation && epoch == Epoch && epoch.IsGranted ? this
        : Offer is { } offer && incarnation == offer.Incarnation && epoch == offer.Epoch ? InOffice(offer)
        : null;

    /// <summary>The row after a change; <paramref name="row"/> is null for a child not heard of before. A function of its arguments alone.</summary>
    public static ChildRow? After(ChildRow? row, ReceptionChange change, Instant recordedAt) => change switch
    {
        EpochGrant grant => (row ?? new ChildRow(grant.Child, grant.Division)) with
        {
            Offer = new EpochOffer(grant.Incarnation, grant.Epoch, grant.Division),
            LastEpoch = Math.Max(row?.LastEpoch ?? 0, grant.LastEpoch),
            LastHeard = recordedAt,
        },
        CellsTaken taken => row?.Seat(taken.Incarnation, taken.Epoch) is { } seat ? seat with { Cells = Taken(seat.Cells, taken.Part), LastHeard = recordedAt } : row,
        EscalationsTaken taken => row?.Seat(taken.Incarnation, taken.Epoch) is { } seat ? seat.After(taken.Part) with { LastHeard = recordedAt } : row,
        ChildRewind => row is null ? null : row with { Cells = row.Cells.Anew(), Escalations = row.Escalations.Anew(), Alarms = row.Alarms.Anew() },
        SignerChange shown => row is null ? null : row with { Signer = shown.Fingerprint },
        QuarantineChange { Released: true } => row is null ? null : row with { Quarantine = null },
        QuarantineChange set => row is null ? null : row with { Quarantine = new Quarantine(set.Code, set.Reason, recordedAt) },
        _ => row,
    };

    private ChildRow After(EscalationsPart part) =>
        part.LaneOf() == Protocol.V1.Lane.Alarms ? this with { Alarms = Taken(Alarms, part) } : this with { Escalations = Taken(Escalations, part) };

    /// <summary>A new epoch is a new stream: all lanes start again at 0 (L7).</summary>
    private ChildRow InOffice(EpochOffer offer) => this with
    {
        Division = offer.Division,
        Incarnation = offer.Incarnation,
        Epoch = offer.Epoch,
        Offer = null,
        Cells = LaneRow.Start,
        Escalations = LaneRow.Start,
        Alarms = LaneRow.Start,
        Retired = Incarnation.IsNone || Incarnation == offer.Incarnation ? Retired : [.. Retired.Add(Incarnation).TakeLast(RetiredMax)],
    };

    private static LaneRow Taken(LaneRow lane, CellsPart part)
    {
        var to = MarkOf(part.CutTo, part.CutChainHash);
        var heard = lane.Hearing(MarkOf(part.ReadLsn, part.ReadChainHash));
        return part.Part == part.Parts ? heard.At(to) : heard.During(new CutProgress(to, part.Parts, part.Part, part.Reading));
    }

    private static LaneRow Taken(LaneRow lane, EscalationsPart part) => lane.At(MarkOf(part.To, part.ChainHash));

    private static StreamMark MarkOf(long lsn, Google.Protobuf.ByteString hash) =>
        StreamMark.TryRead(lsn, hash, out var mark) ? mark : throw new FormatException("A part without a valid end passed the receiver's checks.");
}
