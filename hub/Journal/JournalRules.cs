using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>What every journal asks of those who call it.</summary>
public static class JournalRules
{
    internal static readonly Exception Disposed = new ObjectDisposedException(nameof(IJournal), "the journal was closed");

    /// <summary>What is wrong with a record that no journal can keep, or null. Whoever makes records of foreign input asks before appending.</summary>
    public static string? Problem(RecordDraft record) => RecordFormat.Problem(record);

    internal static void CheckBatch(IReadOnlyList<RecordDraft> records)
    {
        if (records.Count > JournalLimits.BatchRecordsMax)
        {
            throw new ArgumentException($"A batch has at most {JournalLimits.BatchRecordsMax} records, this one has {records.Count}.", nameof(records));
        }

        for (var i = 0; i < records.Count; i++)
        {
            if (RecordFormat.Problem(records[i]) is { } problem)
            {
                throw new ArgumentException($"Record {i} of the batch cannot be kept: {problem}. Nothing was appended.", nameof(records));
            }
        }
    }

    internal static void CheckOpen(Exception? closedBy)
    {
        if (closedBy is not null)
        {
            throw new JournalClosedException(closedBy);
        }
    }

    /// <summary>The chain hash for a snapshot at this position, which must be the end of a durable record.</summary>
    internal static Hash256 CheckSnapshot(IJournal journal, Lsn lsn)
    {
        if (lsn == Lsn.Zero)
        {
            return Hash256.Zero;
        }

        return journal.ReadAt(lsn) is { } record && record.Last == lsn
            ? record.Hash
            : throw new ArgumentException($"A snapshot stands at the end of a durable record; {lsn} is none (the head is {journal.Head.Lsn}).", nameof(lsn));
    }
}

/// <summary>
/// The journal was closed for good by an operation that failed earlier (INV-2), by damage that was found, or by its owner. Nothing more is kept;
/// what is durable can still be read. Opening it again starts from what the disk really holds.
/// </summary>
public sealed class JournalClosedException(Exception cause)
    : IOException($"The journal is closed and keeps nothing more: {cause.Message} Restart the node once the cause is gone.", cause);

/// <summary>The disk had no room for a snapshot or a packed segment. The file is not there, and the journal goes on.</summary>
public sealed class DiskFullException(DiskFailedException cause) : IOException($"{cause.Message} Free some space; the journal goes on without the file.", cause);
