using System.Runtime.InteropServices;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>
/// A cell in 48 bytes; its value lies in the arena. Numbers instead of references: the collector has nothing to walk, and a cell stands in three
/// chains (hash, day, order of change) at four bytes a link.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct Entry
{
    public int Series;
    public int Bucket;
    public int Epoch;
    public long Lsn;
    public long Local;
    public int Older;
    public int Newer;
    public int NextInHash;
    public int NextInDay;
    public int Value;
}

/// <summary>The cells of a scope on one day: a leaf of the digest tree.</summary>
internal struct DayBucket
{
    public int Scope;
    public int Day;
    public int First;
    public bool IsDirty;

    /// <summary>The local position at which a value here last became another; a new revision of an equal value is no change.</summary>
    public long Changed;
    public Hash256? Digest;
}

/// <summary>
/// The memory behind <see cref="CellFold"/>: entries in chunks, found by (series, day bucket), kept in the order of their last change here. A
/// cell once in never leaves, so that a chain needs no way back and a zero is remembered.
/// </summary>
internal sealed class CellStore
{
    private const int ChunkBits = 8, ChunkEntries = 1 << ChunkBits;

    private readonly List<Entry[]> _chunks = [];
    private readonly List<DayBucket> _buckets = [];
    private readonly ByteArena _values = new();
    private int[] _heads = NoHeads(64);
    private int _oldest = -1;
    private int _newest = -1;
    private int _finger = -1;
    private long _fingerLsn = -1;

    public CellStore() => Nation = new NationSums(this);

    public CellNames Names { get; } = new();

    public NationSums Nation { get; }

    public DayChanges Days { get; } = new();

    public int Count { get; private set; }

    /// <summary>The cell whose last change lies furthest back, or -1; the next one is its <see cref="Entry.Newer"/>.</summary>
    public int Oldest => _oldest;

    /// <summary>The local position of the last change, 0 before the first.</summary>
    public long NewestLocal => _newest < 0 ? 0 : At(_newest).Local;

    /// <summary>Bytes held for everything: entries, chains, values, names, day buckets, sums.</summary>
    public long Bytes =>
        (_chunks.Count * ((ChunkEntries * 48L) + 24)) + (_chunks.Capacity * 8L) + (_heads.Length * 4L) + _values.Bytes
        + (_buckets.Capacity * 72L) + Names.Bytes + Nation.Bytes + Days.Bytes;

    public ref Entry At(int entry) => ref _chunks[entry >> ChunkBits][entry & (ChunkEntries - 1)];

    public ref DayBucket BucketAt(int bucket) => ref CollectionsMarshal.AsSpan(_buckets)[bucket];

    public ReadOnlySpan<byte> ValueOf(int entry) => _values.Read(At(entry).Value);

    public Revision RevisionOf(int entry)
    {
        ref var found = ref At(entry);
        return new(Names.Epochs[found.Epoch], found.Lsn);
    }

    public CellKey KeyOf(int entry)
    {
        ref var found = ref At(entry);
        return Names.KeyOf(found.Series, _buckets[found.Bucket].Day);
    }

    /// <summary>The cell's number, or -1.</summary>
    public int Find(in CellKey key) => Find(key, out _);

    /// <summary>The cell's number, or -1; and its series' number, or -1.</summary>
    public int Find(in CellKey key, out int series)
    {
        series = Names.FindSeries(key);
        if (series < 0)
        {
            return -1;
        }

        return FindOn(series, key.Day.Number);
    }

    /// <summary>The number of a series' cell on a day, or -1.</summary>
    public int FindOn(int series, int day)
    {
        var bucket = Names.Scopes[Names.SeriesAt(series).Scope].Days.Find(day);
        return bucket < 0 ? -1 : Find(series, bucket);
    }

    /// <summary>Puts back a cell that events were added to: at the end of the order of change, as the last of those events left it.</summary>
    public void WriteBack(GatheredCell gathered, ReadOnlySpan<byte> value)
    {
        if (gathered.Cell < 0)
        {
            var bucket = BucketOf(Names.SeriesAt(gathered.Series).Scope, gathered.Day);
            Append(gathered.Series, bucket, gathered.Revision, value, gathered.Local.Value);
            NoteChange(ref BucketAt(bucket), gathered.Changed);
        }
        else
        {
            Replace(gathered.Cell, gathered.Revision, value, gathered.Local.Value);
            NoteChange(ref BucketAt(At(gathered.Cell).Bucket), gathered.Changed);
        }
    }

    /// <summary>Puts a value in the place of the cell's own, or makes the cell, and moves it to the end of the order of change.</summary>
    public void Put(int series, int day, Revision revision, ReadOnlySpan<byte> value, long local)
    {
        var bucket = BucketOf(Names.SeriesAt(series).Scope, day);
        var entry = Find(series, bucket);
        if (entry < 0)
        {
            Append(series, bucket, revision, value, local);
            NoteChange(ref BucketAt(bucket), local);
        }
        else
        {
            Change(entry, revision, value, local);
        }
    }

    /// <summary>Puts a value in the place of an existing cell's.</summary>
    public void Change(int entry, Revision revision, ReadOnlySpan<byte> value, long local)
    {
        var isAnother = !ValueOf(entry).SequenceEqual(value);
        Replace(entry, revision, value, local);
        if (isAnother)
        {
            NoteChange(ref BucketAt(At(entry).Bucket), local);
        }
    }

    /// <summary>
    /// Puts another value under the same revision, where the one held was wrong. The cell keeps its place in the order of change: what was read from
    /// there is right by its revision, and whoever took the wrong value with it finds that out by the digest.
    /// </summary>
    public void Correct(int entry, ReadOnlySpan<byte> value, long local)
    {
        SetValue(entry, value);
        NoteChange(ref BucketAt(At(entry).Bucket), local);
    }

    /// <summary>True for a cell that was let go of: it counts nothing, has no revision, and is as if it had never come.</summary>
    public bool IsLetGo(int entry) => IsLetGo(At(entry));

    /// <inheritdoc cref="IsLetGo(int)"/>
    public static bool IsLetGo(in Entry entry) => entry.Lsn == 0;

    /// <summary>Lets go of cells of a scope (<see cref="IsLetGo(int)"/>). Their places stay theirs, so that one that comes again is found.</summary>
    public void LetGo(Scope scope, IReadOnlyCollection<int> entries, long local)
    {
        foreach (var entry in entries)
        {
            Change(entry, default, CellCodec.Zero, local);
        }

        var kept = CellsOf(scope, int.MinValue, int.MaxValue).Where(entry => !IsLetGo(entry)).DefaultIfEmpty(-1).First();
        scope.FirstSeries = kept < 0 ? -1 : At(kept).Series;
    }

    private void Replace(int entry, Revision revision, ReadOnlySpan<byte> value, long local)
    {
        CheckOrder(local);
        SetValue(entry, value);
        ref var cell = ref At(entry);
        Hold(Names.Scopes[Names.SeriesAt(cell.Series).Scope], cell.Series, cell.Lsn, revision.Lsn);
        cell.Epoch = Names.Epochs.Intern(revision.Epoch);
        cell.Lsn = revision.Lsn;
        Unlink(entry);
        LinkNewest(entry, local);
    }

    private void SetValue(int entry, ReadOnlySpan<byte> value)
    {
        ref var cell = ref At(entry);
        var series = Names.SeriesAt(cell.Series);
        ref var bucket = ref BucketAt(cell.Bucket);
        var before = _values.Read(cell.Value);
        if (Names.Scopes[series.Scope].Grain == Grain.National)
        {
            Nation.Changed(series.Type, bucket.Day, before, value);
        }

        cell.Value = _values.Replace(cell.Value, value);
        MarkDirty(ref bucket, cell.Bucket);
    }

    /// <summary>The oldest cell whose last change here lies after <paramref name="from"/>, or -1.</summary>
    /// <remarks>
    /// Steps from where the last question ended and from the newest at once, so that a sender that works through a backlog in cuts, and one that
    /// is up to date, both pay for the cells between and not for those stored.
    /// </remarks>
    public int FirstAfter(long from)
    {
        var forward = _finger >= 0 && _fingerLsn <= from ? _finger : _oldest;
        var backward = _newest;
        while (true)
        {
            if (backward < 0 || At(backward).Local <= from)
            {
                return Remember(from, backward);
            }

            if (At(forward).Local > from)
            {
                return Remember(from, At(forward).Older);
            }

            forward = At(forward).Newer;
            backward = At(backward).Older;
        }
    }

    /// <summary>The cells of a scope on the days from <paramref name="from"/> on and before <paramref name="to"/>, day by day.</summary>
    public IEnumerable<int> CellsOf(Scope scope, int from, int to)
    {
        foreach (var (_, bucket) in scope.Days.Between(from, to))
        {
            for (var entry = _buckets[bucket].First; entry >= 0; entry = At(entry).NextInDay)
            {
                yield return entry;
            }
        }
    }

    /// <summary>The local position of the newest change of a value of a scope on the days from <paramref name="from"/> on and before <paramref name="to"/>, 0 for none.</summary>
    public long NewestChangeOf(Scope scope, int from, int to)
    {
        long newest = 0;
        for (var at = scope.Days.Seek(from); scope.Days.Step(ref at, to, out _, out var bucket);)
        {
            newest = Math.Max(newest, _buckets[bucket].Changed);
        }

        return newest;
    }

    /// <summary>When the values of each day of a scope last changed, in order of days: a snapshot keeps it, for the cells alone do not tell.</summary>
    public IEnumerable<(int Day, long Changed)> ChangesOf(Scope scope) => scope.Days.Between(int.MinValue, int.MaxValue).Select(d => (d.Day, _buckets[d.Value].Changed));

    /// <summary>
    /// Puts in place what <see cref="ChangesOf"/> gave. A cell that came again with an equal value moved in the order of change, yet its day did not
    /// change: so what the cells seem to tell is forgotten first.
    /// </summary>
    public void RestoreChanges(IEnumerable<(Scope Scope, int Day, long Changed)> changes)
    {
        Days.Clear();
        foreach (ref var bucket in CollectionsMarshal.AsSpan(_buckets))
        {
            bucket.Changed = 0;
        }

        foreach (var (scope, day, changed) in changes)
        {
            var bucket = scope.Days.Find(day);
            if (bucket < 0)
            {
                throw new FormatException($"day {day} is said to have changed and has no cells.");
            }

            NoteChange(ref BucketAt(bucket), changed);
        }
    }

    /// <summary>Makes room for this many cells at once.</summary>
    public void Reserve(int cells)
    {
        if (cells > _heads.Length)
        {
            Rehash((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)cells));
        }
    }

    /// <summary>A new cell at the end of the order of change; the caller knows that there is none of this series on this day.</summary>
    private void Append(int series, int bucketNumber, Revision revision, ReadOnlySpan<byte> value, long local)
    {
        CheckOrder(local);
        if (Count >= _heads.Length + (_heads.Length >> 2))
        {
            Rehash(_heads.Length * 2);
        }

        if (Count == _chunks.Count << ChunkBits)
        {
            // Pinned, for the collector would carry a chunk through its generations; it holds no references and lives as long as the store.
            _chunks.Add(GC.AllocateArray<Entry>(ChunkEntries, pinned: true));
        }

        var entry = Count++;
        ref var cell = ref At(entry);
        ref var bucket = ref BucketAt(bucketNumber);
        cell.Series = series;
        cell.Bucket = bucketNumber;
        cell.Epoch = Names.Epochs.Intern(revision.Epoch);
        cell.Lsn = revision.Lsn;
        cell.Value = _values.Store(value);
        ref var head = ref _heads[SlotOf(series, bucketNumber, _heads.Length)];
        cell.NextInHash = head;
        head = entry;
        cell.NextInDay = bucket.First;
        bucket.First = entry;
        LinkNewest(entry, local);
        MarkDirty(ref bucket, bucketNumber);

        var scope = Names.Scopes[bucket.Scope];
        Hold(scope, series, before: 0, revision.Lsn);
        if (scope.Grain == Grain.National)
        {
            Nation.Added(Names.SeriesAt(series).Type, bucket.Day, entry);
        }
    }

    /// <summary>How many cells of a scope are not let go of, and the series of the first of them, where the position of one was <paramref name="before"/> and is another now; 0 is <see cref="IsLetGo(int)"/>.</summary>
    private static void Hold(Scope scope, int series, long before, long now)
    {
        scope.Cells += (now == 0 ? 0 : 1) - (before == 0 ? 0 : 1);
        scope.FirstSeries = scope.FirstSeries < 0 && now != 0 ? series : scope.FirstSeries;
    }

    private int Find(int series, int bucket)
    {
        var entry = _heads[SlotOf(series, bucket, _heads.Length)];
        while (entry >= 0)
        {
            ref var cell = ref At(entry);
            if (cell.Series == series && cell.Bucket == bucket)
            {
                break;
            }

            entry = cell.NextInHash;
        }

        return entry;
    }

    private int BucketOf(int scopeNumber, int day)
    {
        var scope = Names.Scopes[scopeNumber];
        var bucket = scope.Days.Find(day);
        if (bucket < 0)
        {
            bucket = _buckets.Count;
            _buckets.Add(new DayBucket { Scope = scopeNumber, Day = day, First = -1 });
            scope.Days.Set(day, bucket);
        }

        return bucket;
    }

    private void NoteChange(ref DayBucket bucket, long local)
    {
        if (local > bucket.Changed)
        {
            bucket.Changed = local;
            Days.Note(bucket.Day, local);
        }
    }

    private void MarkDirty(ref DayBucket bucket, int number)
    {
        if (!bucket.IsDirty)
        {
            bucket.IsDirty = true;
            Names.Scopes[bucket.Scope].Dirty.Add(number);
        }

        Names.Scopes[bucket.Scope].InPart?.Dirty.Add(number);
    }

    /// <summary>The order of change is that of the journal; a fold that is driven otherwise is broken, and the journal is not.</summary>
    private void CheckOrder(long local)
    {
        if (local < NewestLocal)
        {
            throw new ArgumentException($"Cells change in the order of the journal: position {local} came after {NewestLocal}.", nameof(local));
        }
    }

    private int Remember(long from, int lastBefore)
    {
        (_finger, _fingerLsn) = (lastBefore, from);
        return lastBefore < 0 ? _oldest : At(lastBefore).Newer;
    }

    private void Unlink(int entry)
    {
        ref var cell = ref At(entry);
        if (_finger == entry)
        {
            _finger = cell.Older;
        }

        if (cell.Older < 0)
        {
            _oldest = cell.Newer;
        }
        else
        {
            At(cell.Older).Newer = cell.Newer;
        }

        if (cell.Newer < 0)
        {
            _newest = cell.Older;
        }
        else
        {
            At(cell.Newer).Older = cell.Older;
        }
    }

    private void LinkNewest(int entry, long local)
    {
        ref var cell = ref At(entry);
        cell.Local = local;
        cell.Older = _newest;
        cell.Newer = -1;
        if (_newest < 0)
        {
            _oldest = entry;
        }
        else
        {
            At(_newest).Newer = entry;
        }

        _newest = entry;
    }

    private void Rehash(int size)
    {
        var heads = NoHeads(size);
        for (var entry = 0; entry < Count; entry++)
        {
            ref var cell = ref At(entry);
            ref var head = ref heads[SlotOf(cell.Series, cell.Bucket, size)];
            cell.NextInHash = head;
            head = entry;
        }

        _heads = heads;
    }

    private static int[] NoHeads(int size)
    {
        var heads = new int[size];
        Array.Fill(heads, -1);
        return heads;
    }

    /// <summary>The series of one place and day lie side by side, so that a sorted batch walks memory forward.</summary>
    private static int SlotOf(int series, int bucket, int size) =>
        unchecked((int)(((uint)series + ((uint)bucket * 0x9E37_79B1u)) & (uint)(size - 1)));
}
