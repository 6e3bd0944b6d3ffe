using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Journal;

/// <summary>
/// A journal without a disk, for simulation: what was appended is durable at once and survives <see cref="Dispose"/> until <see cref="Reopen"/>.
/// Positions and chain hashes are those that a <see cref="FileJournal"/> gives to the same records.
/// </summary>
public sealed class MemoryJournal : IJournal
{
    private readonly Kept _kept;
    private bool _closed;

    /// <summary>Begins a journal with an incarnation of its own.</summary>
    public MemoryJournal(IEntropy entropy) => _kept = new Kept(new Incarnation(entropy.NextUInt128()));

    private MemoryJournal(Kept kept) => _kept = kept;

    public Incarnation Incarnation => _kept.Incarnation;

    public bool IsRestored => false;

    public JournalHead Head
    {
        get
        {
            lock (_kept.Gate)
            {
                return _kept.Head;
            }
        }
    }

    /// <summary>The same journal after a restart; the object at hand is closed.</summary>
    public MemoryJournal Reopen()
    {
        Dispose();
        return new MemoryJournal(_kept);
    }

    public AppendResult Append(IReadOnlyList<RecordDraft> records, Instant recordedAt, Lsn? expectedHead = null)
    {
        JournalRules.CheckBatch(records);
        lock (_kept.Gate)
        {
            JournalRules.CheckOpen(_closed ? JournalRules.Disposed : null);
            if (expectedHead is { } expected && expected != _kept.Head.Lsn)
            {
                return new(false, [], _kept.Head);
            }

            var ticks = RecordFormat.TicksOf(recordedAt);
            var ranges = new LsnRange[records.Count];
            for (var i = 0; i < records.Count; i++)
            {
                ranges[i] = Keep(records[i], ticks);
            }

            return new(true, ranges, _kept.Head);
        }
    }

    public IEnumerable<T> Replay<T>(Lsn after, Func<JournalRecord, T> make) => ReadFrom(after).Select(make);

    public IEnumerable<JournalRecord> ReadFrom(Lsn after)
    {
        int index;
        int end;
        lock (_kept.Gate)
        {
            index = _kept.IndexOf(after.Next);
            end = _kept.Records.Count;
        }

        for (; index < end; index++)
        {
            JournalRecord record;
            lock (_kept.Gate)
            {
                record = _kept.Records[index];
            }

            yield return record;
        }
    }

    public JournalRecord? ReadAt(Lsn lsn)
    {
        lock (_kept.Gate)
        {
            return lsn > Lsn.Zero && lsn <= _kept.Head.Lsn ? _kept.Records[_kept.IndexOf(lsn)] : null;
        }
    }

    public Hash256? ChainHashAt(Lsn lsn) => lsn == Lsn.Zero ? Hash256.Zero : ReadAt(lsn)?.Hash;

    public void SaveSnapshot(Lsn lsn, IReadOnlyList<FoldImage> folds)
    {
        lock (_kept.Gate)
        {
            JournalRules.CheckOpen(_closed ? JournalRules.Disposed : null);
            var hash = JournalRules.CheckSnapshot(this, lsn);
            _kept.Snapshot = new Snapshot(lsn, hash, [.. folds.Select(fold => fold with { Bytes = fold.Bytes.ToArray() })]);
        }
    }

    public Snapshot? LoadSnapshot()
    {
        lock (_kept.Gate)
        {
            return _kept.Snapshot;
        }
    }

    public void Dispose() => _closed = true;

    private LsnRange Keep(RecordDraft draft, long ticks)
    {
        var first = _kept.Head.Lsn.Next;
        var bytes = new byte[RecordFormat.Size(draft)];
        RecordFormat.Write(bytes, draft, first, ticks, _kept.Head.ChainHash);
        var record = RecordFormat.Read(bytes, Hash256.Of(bytes), _kept.Actors)!;
        _kept.Records.Add(record);
        _kept.Head = new(record.Last, record.Hash);
        return new(first, record.Last, record.RecordedAt) { ChainHash = record.Hash };
    }

    private sealed class Kept(Incarnation incarnation)
    {
        public Lock Gate { get; } = new();

        public Incarnation Incarnation { get; } = incarnation;

        public List<JournalRecord> Records { get; } = [];

        public ActorNames Actors { get; } = new();

        public JournalHead Head { get; set; }

        public Snapshot? Snapshot { get; set; }

        /// <summary>The index of the first record that ends at or after a position.</summary>
        public int IndexOf(Lsn lsn)
        {
            var (low, high) = (0, Records.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                (low, high) = Records[middle].Last < lsn ? (middle + 1, high) : (low, middle);
            }

            return low;
        }
    }
}
