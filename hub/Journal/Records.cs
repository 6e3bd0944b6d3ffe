using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Journal;

/// <summary>An event on its way into the journal: its kind, the schema version of its payload, and the payload, which the journal never reads.</summary>
public readonly record struct EventDraft(ushort Kind, ushort Schema, ReadOnlyMemory<byte> Payload)
{
    /// <summary>
    /// What whoever reads the payload would read, where it is at hand as the event is made: the fold that takes it need not read it again. It must be equal to that
    /// in all that a fold looks at, or a replay would end elsewhere. Never kept.
    /// </summary>
    public object? Known { get; init; }
}

/// <summary>
/// A record on its way into the journal: a transaction of 1..n events, all kept or none (an escalation stands with its cause).
/// </summary>
public sealed record RecordDraft(string Actor, IReadOnlyList<EventDraft> Events)
{
    /// <summary>The most events a record may have: a bulk row has at most a dozen, a received part is one event.</summary>
    public const int EventsMax = 1024;
}

/// <summary>An event as it stands in the journal. Its record spans the positions <see cref="RecordFirst"/> to <see cref="RecordLast"/>.</summary>
public readonly record struct JournalEvent(
    Lsn Lsn, Lsn RecordFirst, Lsn RecordLast, Instant RecordedAt, string Actor, ushort Kind, ushort Schema, ReadOnlyMemory<byte> Payload);

/// <summary>A record as it stands in the journal.</summary>
public sealed record JournalRecord(Instant RecordedAt, string Actor, Hash256 PreviousHash, Hash256 Hash, ImmutableArray<JournalEvent> Events)
{
    public Lsn First => Events[0].Lsn;

    public Lsn Last => Events[^1].Lsn;
}

/// <summary>The end of a journal: the position of the last event and the chain hash there (zero before the first record).</summary>
public readonly record struct JournalHead(Lsn Lsn, Hash256 ChainHash);

/// <summary>The positions that a record was given, and the chain hash after it.</summary>
public readonly record struct LsnRange(Lsn First, Lsn Last, Instant RecordedAt)
{
    public Hash256 ChainHash { get; init; }
}

/// <summary>What came of an append: the positions, or the head that was found instead of the expected one.</summary>
public readonly record struct AppendResult(bool Appended, IReadOnlyList<LsnRange> Ranges, JournalHead Head);

/// <summary>The journal is damaged in a way that no crash can explain. Nothing is written until a person has decided (INV-3).</summary>
public sealed class JournalDamagedException(string file, long offset, string what)
    : Exception($"The journal is damaged at {file}:{offset}: {what} Nothing was changed. Restore the file from a backup, or move the data directory aside and restore the node.")
{
    public string File { get; } = file;

    public long Offset { get; } = offset;

    public string What { get; } = what;
}

/// <summary>
/// A snapshot is whole, and yet a fold cannot read its own bytes in it. The folds are half filled and of no more use; others, made anew, can replay the journal.
/// </summary>
public sealed class FoldImageException(string fold, Lsn lsn, Exception inner)
    : Exception($"The fold {fold} cannot be read from {JournalFiles.Snapshot(lsn)}: {inner.Message}", inner)
{
    /// <summary>Where the snapshot stands.</summary>
    public Lsn Lsn { get; } = lsn;
}

/// <summary>The data were written by a newer program; the file is untouched. The node ends with exit code 78.</summary>
public sealed class NewerFormatException(string file, int found, int known)
    : Exception($"{file} has format {found}; this program knows up to {known}. Run the newer program. Nothing was changed.");
