using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>A cut of the cells lane that has begun to arrive: its end, and how many of its parts are applied. The cursor moves with the last.</summary>
public sealed record CutProgress(StreamMark To, int Parts, int Applied);

/// <summary>What is applied of one lane of a child.</summary>
public sealed record LaneRow(StreamMark Mark, CutProgress? Cut)
{
    public static readonly LaneRow Start = new(StreamMark.Start, null);
}

/// <summary>Why nothing of a child is applied until a person has released it.</summary>
public sealed record Quarantine(string Code, string Reason, Instant Since);

/// <summary>
/// What this node knows durably of a child: the stream in office (incarnation and epoch), what is applied of each lane, and when it was last
/// heard. It changes only by a <see cref="ReceptionChange"/>, in the same journal event as the effect (RULE-3).
/// </summary>
public sealed record ChildRow(NodeId Node, DivisionCode Division, Incarnation Incarnation, Epoch Epoch)
{
    /// <summary>Incarnations out of office are remembered so that an old copy is fenced rather than taken for a new directory; a node has a handful in its life.</summary>
    public const int RetiredMax = 64;

    public LaneRow Cells { get; init; } = LaneRow.Start;

    public LaneRow Escalations { get; init; } = LaneRow.Start;

    /// <summary>The child has sent a part in this epoch, so it knows of its grant.</summary>
    public bool HasSpoken { get; init; }

    public Instant? LastHeard { get; init; }

    public Quarantine? Quarantine { get; init; }

    public ImmutableArray<Incarnation> Retired { get; init; } = [];

    public LaneRow Lane(Lane lane) => lane == Protocol.V1.Lane.Escalations ? Escalations : Cells;

    /// <summary>The row after a change; <paramref name="row"/> is null for a child not heard of before. A function of its arguments alone.</summary>
    public static ChildRow? After(ChildRow? row, ReceptionChange change, Instant recordedAt) => change switch
    {
        EpochGrant grant => Granted(row, grant, recordedAt),
        CellsTaken taken when row is not null => row with { Cells = Taken(row.Cells, taken.Part), HasSpoken = true, LastHeard = recordedAt },
        EscalationsTaken taken when row is not null => row with { Escalations = Taken(row.Escalations, taken.Part), HasSpoken = true, LastHeard = recordedAt },
        QuarantineChange { Released: true } => row is null ? null : row with { Quarantine = null },
        QuarantineChange set => row is null ? null : row with { Quarantine = new Quarantine(set.Code, set.Reason, recordedAt) },
        _ => row,
    };

    private static ChildRow Granted(ChildRow? row, EpochGrant grant, Instant recordedAt)
    {
        var retired = row?.Retired ?? [];
        if (row is not null && row.Incarnation != grant.Incarnation)
        {
            retired = [.. retired.Add(row.Incarnation).TakeLast(RetiredMax)];
        }

        return new ChildRow(grant.Child, grant.Division, grant.Incarnation, grant.Epoch)
        {
            Retired = retired,
            LastHeard = recordedAt,
            Quarantine = row?.Quarantine,
        };
    }

    private static LaneRow Taken(LaneRow lane, CellsPart part)
    {
        var to = MarkOf(part.CutTo, part.CutChainHash);
        return part.Part == part.Parts ? new LaneRow(to, null) : lane with { Cut = new CutProgress(to, part.Parts, part.Part) };
    }

    private static LaneRow Taken(LaneRow lane, EscalationsPart part) => lane with { Mark = MarkOf(part.To, part.ChainHash) };

    private static StreamMark MarkOf(long lsn, Google.Protobuf.ByteString hash) =>
        StreamMark.TryRead(lsn, hash, out var mark) ? mark : throw new FormatException("A part without a valid end passed the receiver's checks.");
}
