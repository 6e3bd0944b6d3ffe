namespace CityGrid.Hub.Journal;

/// <summary>How a <see cref="FileJournal"/> keeps its files. The defaults are for production.</summary>
public sealed record JournalOptions
{
    /// <summary>A segment is sealed once it has this many bytes.</summary>
    public long SegmentBytes { get; init; } = JournalLimits.SegmentBytes;

    /// <summary>A batch larger than this is written and synced in several frames; the first record of a frame always fits.</summary>
    public int FrameBytesMax { get; init; } = 32 << 20;

    /// <summary>Bytes of frames in a block of a packed segment: what a single read from there costs to unpack.</summary>
    public int BlockBytes { get; init; } = 256 << 10;

    /// <summary>Whole snapshots that are kept; the older ones are for the case that the newest is damaged.</summary>
    public int SnapshotsKept { get; init; } = 2;

    /// <summary>Long reads are decoded and verified on a thread of their own, ahead of the reader. Off in simulation.</summary>
    public bool ReadAhead { get; init; } = true;

    /// <summary>
    /// Goes on with a copy of the last segment under its name: an owner before, who may still be there, appends to a file that has no name any more
    /// (<see cref="Seams.DirectoryLock.IsExchanged"/>).
    /// </summary>
    public bool CopyLastSegment { get; init; }

    /// <summary>It is the restore itself that opens the journal.</summary>
    internal bool WhileRestoring { get; init; }

    /// <summary>The dangerous steps that a test leaves out to see that the search for lost records finds it.</summary>
    internal JournalFaults Faults { get; init; } = JournalFaults.None;
}

/// <summary>Bugs planted by tests; production has none of them.</summary>
internal sealed record JournalFaults
{
    public static readonly JournalFaults None = new();

    /// <summary>Records are acknowledged before they are synced.</summary>
    public bool AckBeforeSync { get; init; }

    /// <summary>A new segment's entry is not made durable.</summary>
    public bool SkipFolderSync { get; init; }

    /// <summary>Recovery cuts a whole frame with the incomplete one.</summary>
    public bool CutTooFar { get; init; }

    /// <summary>Recovery takes any bad end for an incomplete one.</summary>
    public bool CutAnything { get; init; }

    /// <summary>Recovery does not make its cut durable before new records follow.</summary>
    public bool SkipCutSync { get; init; }

    /// <summary>Recovery trusts what it reads without having synced it.</summary>
    public bool SkipRecoverySync { get; init; }

    /// <summary>Recovery trusts the page cache after a failed sync.</summary>
    public bool SkipDropCache { get; init; }

    /// <summary>A raw segment goes before the entry of its packed form is durable.</summary>
    public bool DeleteBeforeFolderSync { get; init; }

    /// <summary>A packed segment takes the raw one's place before its bytes are durable.</summary>
    public bool SkipPackedSync { get; init; }

    /// <summary>A snapshot gets its name before its bytes are durable.</summary>
    public bool SkipSnapshotSync { get; init; }

    /// <summary>Check values of records are not compared.</summary>
    public bool SkipCrc { get; init; }

    /// <summary>A sync that fails is taken for one that did not.</summary>
    public bool IgnoreFailedSync { get; init; }
}
