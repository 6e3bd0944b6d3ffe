using System.Text.Json.Serialization;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Hosting;

/// <summary>Whether the node works, for whoever watches it.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Health>))]
public enum Health
{
    /// <summary>Everything works.</summary>
    [JsonStringEnumMemberName("SERVING")]
    Serving,

    /// <summary>Reading works, nothing new is taken.</summary>
    [JsonStringEnumMemberName("READ_ONLY")]
    ReadOnly,

    /// <summary>As read-only, because the disk is full.</summary>
    [JsonStringEnumMemberName("DISK_FULL")]
    DiskFull,

    /// <summary>Starting, ending, or broken.</summary>
    [JsonStringEnumMemberName("NOT_SERVING")]
    NotServing,
}

/// <summary>Health and its reason in words; while serving it is empty but where figures disagree. Anyone may read it: it says nothing of cases, paths or people.</summary>
public sealed record HealthReport(Health Status, string Reason);

/// <summary>What two ends of an edge compare: the digest of the cells and how far each child has come.</summary>
public sealed record DigestReport(
    string Code, string NodeId, string Epoch, string ParentEpoch, long Lsn, long Cells, string Digest, IReadOnlyList<ChildDigest> Children);

/// <summary>A child as this node sees it: the cells applied up to <see cref="LastSeq"/> of its journal, and their digest here.</summary>
public sealed record ChildDigest(string Code, string NodeId, string Epoch, long LastSeq, string Digest);

/// <summary>What still has to go up: changed cells and escalations, how long the oldest waits, and what the parent parked or refused.</summary>
public sealed record OutboxReport(long Pending, long OldestSeconds, long DeadLetter);

/// <summary>What came of a release: false where the child was not in quarantine, and nothing changed.</summary>
public sealed record ReleaseReport(string NodeId, bool Released);

/// <summary>
/// What this node has heard of a child past a position of the child's journal: <see cref="Heard"/> is the furthest, and the rest is what the child would
/// lose by going back to that position. Only where <see cref="SameLife"/>: positions of two data directories cannot be compared. <see cref="HeardChain"/> is the child's chain hash at
/// <see cref="Heard"/>: a directory that has another one there holds another history.
/// </summary>
public sealed record ChildBeyond(
    string NodeId, string Incarnation, string Epoch, bool SameLife, long Heard, long CellsLater, long EscalationsLater, IReadOnlyList<EscalationBeyond> Escalations, string HeardChain = "");

/// <summary>An escalation that the child itself raised past the position; <see cref="Subject"/> is its case.</summary>
public sealed record EscalationBeyond(long Lsn, string Id, int Version, string Grade, string Type, string Division, string Stage, string Subject);

/// <summary>What came of forgetting the parent's epoch: false where there was none to forget, and nothing changed.</summary>
public sealed record ForgetReport(bool Forgotten);

/// <summary>The figures that stand as gauges under /metrics.</summary>
public sealed record NodeFigures
{
    public long Lsn { get; init; }

    public long ViewLsn { get; init; }

    public long Cells { get; init; }

    public long CellBytes { get; init; }

    public long OpenCases { get; init; }

    public long OpenEscalations { get; init; }

    public long WaitingCommands { get; init; }

    public long Pending { get; init; }

    public long OldestPendingSeconds { get; init; }

    public long Parked { get; init; }

    public int Children { get; init; }

    public int ChildrenConnected { get; init; }

    public bool ParentConnected { get; init; }

    /// <summary>Seconds until the first of the node's own certificates ends; 0 where none is known.</summary>
    public long CertificateSeconds { get; init; }

    /// <summary>Seconds until the first of the children's newest certificates ends; 0 where the node keeps no register of children, or an empty one.</summary>
    public long ChildCertificateSeconds { get; init; }

    public long DiskFreeBytes { get; init; }

    public int PressurePercent { get; init; }

    public int ShedKinds { get; init; }

    public long ShedCalls { get; init; }

    public long RangesDiffering { get; init; }

    public long RangesPersisting { get; init; }

    public long CellsRepaired { get; init; }

    public long ViewsDamaged { get; init; }
}

/// <summary>What the node tells of itself; the core fills it in. Each is quick, safe for many threads, and throws nothing.</summary>
public sealed record NodeReports
{
    public required Func<HealthReport> Health { get; init; }

    /// <summary>The digest as it stands.</summary>
    public required Func<DigestReport> Digest { get; init; }

    public required Func<OutboxReport> Outbox { get; init; }

    public required Func<NodeFigures> Figures { get; init; }

    /// <summary>What was heard of a child past a position of a life of it; null where there is no such child.</summary>
    public Func<NodeId, Incarnation, Lsn, ChildBeyond?> Beyond { get; init; } = (_, _, _) => null;

    /// <summary>
    /// Forgets in which epoch a parent was heard, the territorial one where none is named, for an actor who knows that there is no later one any more; false where
    /// there was nothing to forget, null where the node has no such parent. Durable when it answers.
    /// </summary>
    public Func<NodeId?, string, Task<bool?>> ForgetParent { get; init; } = (_, _) => Task.FromResult((bool?)null);

    /// <summary>Releases a child from quarantine (clause L8) for an actor who has looked; true where it was in it, null where there is no such child. Durable when it answers.</summary>
    public Func<NodeId, string, Task<bool?>> Release { get; init; } = (_, _) => Task.FromResult((bool?)null);
}
