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

/// <summary>Health and its reason in words, empty while serving. Anyone may read it: it says nothing of cases, paths or people.</summary>
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

    public long DiskFreeBytes { get; init; }
}

/// <summary>What the node tells of itself; the core fills it in. Each is quick, safe for many threads, and throws nothing.</summary>
public sealed record NodeReports
{
    public required Func<HealthReport> Health { get; init; }

    /// <summary>The digest as it stands.</summary>
    public required Func<DigestReport> Digest { get; init; }

    public required Func<OutboxReport> Outbox { get; init; }

    public required Func<NodeFigures> Figures { get; init; }

    /// <summary>Releases a child from quarantine (clause L8) for an actor who has looked; true where it was in it, null where there is no such child. Durable when it answers.</summary>
    public Func<NodeId, string, Task<bool?>> Release { get; init; } = (_, _) => Task.FromResult((bool?)null);
}
