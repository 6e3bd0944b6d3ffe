namespace CityGrid.Cli.Simulation;

/// <summary>What may go wrong in a story. A seed allows some of these and no others (swarm), so that rare ones are not drowned by frequent ones.</summary>
public enum FaultKind
{
    /// <summary>Messages are lost, up to 30 %.</summary>
    Loss,

    /// <summary>Messages come twice, up to 50 %.</summary>
    Replay,

    /// <summary>Messages overtake one another by up to minutes.</summary>
    Reorder,

    /// <summary>Messages come again hours or days later, on whatever connection there is.</summary>
    LateReplay,

    /// <summary>Connections break.</summary>
    Break,

    /// <summary>Nothing passes between two nodes.</summary>
    Partition,

    /// <summary>Nothing passes one way, everything the other.</summary>
    HalfPartition,

    /// <summary>Messages wait, and all come at once.</summary>
    Clog,

    /// <summary>A process dies.</summary>
    Kill,

    /// <summary>A machine loses power: what was not synced may be lost or torn.</summary>
    PowerCut,

    /// <summary>A process dies while it recovers, at any operation of its disk.</summary>
    CrashInRecovery,

    /// <summary>A node that keeps cases goes on from an earlier copy of its directory, as a restored one.</summary>
    Restore,

    /// <summary>An earlier copy goes on under the name it had, until its operator opens it as a restored one.</summary>
    OldCopy,

    /// <summary>Two directories of one node are live; in the end its operator stops one and opens the other as a restored one.</summary>
    Clone,

    /// <summary>A node that keeps cases loses its directory.</summary>
    LostDirectory,

    /// <summary>A node with children goes on from an earlier copy of its directory.</summary>
    ParentRestored,

    /// <summary>A node with children loses its directory.</summary>
    ParentLost,

    /// <summary>A disk is full for a while.</summary>
    FullDisk,

    /// <summary>One operation of a disk fails.</summary>
    DiskError,

    /// <summary>A wall clock is wrong by minutes.</summary>
    ClockOff,

    /// <summary>A wall clock is wrong by up to three days.</summary>
    ClockDaysOff,

    /// <summary>A clock runs fast or slow by up to 5 %.</summary>
    ClockDrift,

    /// <summary>A snapshot is written, or tried.</summary>
    Snapshot,

    /// <summary>A node is cut off for 30 days and works on.</summary>
    Absence,

    /// <summary>One more child, with a sound certificate of its own place, says what it must not.</summary>
    HostileChild,

    /// <summary>A node is taken back to a program of before, which speaks the protocol before this one, and upgraded again some time.</summary>
    OldProgram,
}
