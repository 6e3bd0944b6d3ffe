using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>
/// The append-only file of a node, which is the truth: everything else is a fold of it. One sequencer appends; reads may run beside it.
/// A file and a memory implementation exist, and one conformance suite runs over both.
/// </summary>
public interface IJournal : IDisposable
{
    Incarnation Incarnation { get; }

    /// <summary>The directory came from a copy: it goes on as another life than it began with, and others may know of what the copy does not have.</summary>
    bool IsRestored { get; }

    /// <summary>The end of what is durable.</summary>
    JournalHead Head { get; }

    /// <summary>
    /// Appends the records as one batch and makes it durable with one sync, or appends nothing and says so when the head is not the expected
    /// one. At most <see cref="JournalLimits.BatchRecordsMax"/> records. A failed write or sync throws and closes the journal for good.
    /// </summary>
    AppendResult Append(IReadOnlyList<RecordDraft> records, NodaTime.Instant recordedAt, Lsn? expectedHead = null);

    /// <summary>The durable records that come after <paramref name="after"/>, in order. Damage throws <see cref="JournalDamagedException"/>.</summary>
    IEnumerable<JournalRecord> ReadFrom(Lsn after);

    /// <summary>
    /// The same for a start, with something made of each record, which may be done on another thread, ahead of whoever reads. Every check value is compared, and the chain of
    /// hashes from frame to frame. Within a frame it is not: <see cref="ReadFrom"/> does that, and the packing of a segment, and whoever verifies the journal.
    /// </summary>
    IEnumerable<T> Replay<T>(Lsn after, Func<JournalRecord, T> make);

    /// <summary>The record that holds this position, or null where there is none.</summary>
    JournalRecord? ReadAt(Lsn lsn);

    /// <summary>The chain hash after the record that ends at or holds <paramref name="lsn"/>; null where that is not known any more.</summary>
    Hash256? ChainHashAt(Lsn lsn);

    /// <summary>Keeps the folds of the journal up to <paramref name="lsn"/>; whole and durable, or not at all.</summary>
    void SaveSnapshot(Lsn lsn, IReadOnlyList<FoldImage> folds);

    /// <summary>The newest whole snapshot, or null.</summary>
    Snapshot? LoadSnapshot();
}

/// <summary>One fold in a snapshot: its name, the version of its code, and its bytes.</summary>
public sealed record FoldImage(string Name, int Version, ReadOnlyMemory<byte> Bytes);

/// <summary>The folds at a position.</summary>
public sealed record Snapshot(Lsn Lsn, Hash256 ChainHash, IReadOnlyList<FoldImage> Folds);

/// <summary>Limits of a journal with their arithmetic.</summary>
public static class JournalLimits
{
    /// <summary>4,096 records of about 500 B are 2 MB a write: past that a sync no longer gets cheaper a record.</summary>
    public const int BatchRecordsMax = 4096;

    /// <summary>A received part of 1,000 cells is about 100 kB; 8 MB leaves room for the largest legal message.</summary>
    public const int RecordBytesMax = 8 << 20;

    /// <summary>A segment is sealed past 64 MB: about 120,000 filings, two days of the largest city.</summary>
    public const long SegmentBytes = 64L << 20;
}
