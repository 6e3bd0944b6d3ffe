using System.Buffers;
using System.Text;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>
/// The digest tree of clause C8: day, month, grain, origin, root. Only what changed since it was last asked for is hashed again. Cells whose value
/// is zero are left out, so that a cell which fell to zero and one that never was are the same content. Over all cells, or over those of some
/// <paramref name="matters"/> alone, as if there were no others (L17): of one selection at a time is that kept.
/// </summary>
internal sealed class CellDigests(CellStore store, Matters matters)
{
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly List<int> _cells = [];

    /// <summary>The digest of what an origin has at these grains; that of nothing for an origin that is not known.</summary>
    public Hash256 DigestOf(NodeId origin, IReadOnlyCollection<Grain> grains) => Origin(origin, grains).Digest;

    /// <summary>True where no cell of an origin counts anything at these grains.</summary>
    public bool IsZero(NodeId origin, IReadOnlyCollection<Grain> grains) => Origin(origin, grains).Grains == 0;

    /// <summary>The digest over all origins.</summary>
    public Hash256 Whole(IReadOnlyCollection<Grain> grains)
    {
        var origins = store.Names.Scopes.Select(s => s.Origin).Distinct().Order()
            .Select(origin => (Name: origin, Part: Origin(origin, grains))).Where(o => o.Part.Grains > 0).ToList();
        Begin("citygrid/whole/1");
        Number((ulong)origins.Count);
        foreach (var (name, part) in origins)
        {
            Text(name.ToString());
            Hash(part.Digest);
        }

        return End();
    }

    /// <summary>The digest of an origin's cells at one grain; null where nothing is counted.</summary>
    public Hash256? OfGrain(NodeId origin, Grain grain) => store.Names.FindScope(origin, grain) is >= 0 and var scope ? Refresh(store.Names.Scopes[scope]) : null;

    /// <summary>The digests of the months that count anything, in order.</summary>
    public IReadOnlyList<(int Month, Hash256 Digest)> MonthsOf(NodeId origin, Grain grain)
    {
        if (OfGrain(origin, grain) is null)
        {
            return [];
        }

        return [.. TreeOf(store.Names.Scopes[store.Names.FindScope(origin, grain)]).Months.Select(m => (m.Key, m.Value))];
    }

    /// <summary>The digest of a grain whose months have these digests; null for none. Reads no cell.</summary>
    public Hash256? GrainOver(NodeId origin, Grain grain, IReadOnlyCollection<(int Month, Hash256 Digest)> months)
    {
        Begin("citygrid/grain/1", origin, grain);
        Number((ulong)months.Count);
        foreach (var (month, digest) in months)
        {
            Number(Varint.ZigZag(month));
            Hash(digest);
        }

        return months.Count > 0 ? End() : null;
    }

    /// <summary>The digest of an origin whose grains have these digests. Reads no cell.</summary>
    public Hash256 OriginOver(NodeId origin, IReadOnlyCollection<(Grain Grain, Hash256 Digest)> grains)
    {
        Begin("citygrid/origin/1");
        Text(origin.ToString());
        Number((ulong)grains.Count);
        foreach (var (grain, digest) in grains)
        {
            Number(grain.Number);
            Hash(digest);
        }

        return End();
    }

    private (int Grains, Hash256 Digest) Origin(NodeId origin, IReadOnlyCollection<Grain> grains)
    {
        var parts = new List<(Grain Grain, Hash256 Digest)>();
        foreach (var grain in grains.Distinct().OrderBy(g => g.Number))
        {
            var scope = store.Names.FindScope(origin, grain);
            if (scope >= 0 && Refresh(store.Names.Scopes[scope]) is { } digest)
            {
                parts.Add((grain, digest));
            }
        }

        return (parts.Count, OriginOver(origin, parts));
    }

    private MonthDigests TreeOf(Scope scope) => matters.IsAll ? scope.Whole : PartOf(scope).Digests;

    /// <summary>What is kept of another selection gives way.</summary>
    private PartDigests PartOf(Scope scope) => scope.InPart is { } part && part.Matters.Equals(matters)
        ? part
        : scope.InPart = new PartDigests(matters, scope.Days.Between(int.MinValue, int.MaxValue).Select(day => day.Value));

    private Hash256? Refresh(Scope scope)
    {
        var months = matters.IsAll ? RefreshDays(scope) : RefreshDays(scope, PartOf(scope));
        var tree = TreeOf(scope);
        if (months.Count == 0)
        {
            return tree.Digest;
        }

        foreach (var month in months)
        {
            tree.Months.Remove(month);
            if (Month(scope, month) is { } digest)
            {
                tree.Months.Add(month, digest);
            }
        }

        return tree.Digest = GrainOver(scope.Origin, scope.Grain, [.. tree.Months.Select(m => (m.Key, m.Value))]);
    }

    /// <summary>Works the changed days out; the months that they lie in.</summary>
    private SortedSet<int> RefreshDays(Scope scope)
    {
        var months = new SortedSet<int>();
        foreach (var number in scope.Dirty)
        {
            ref var bucket = ref store.BucketAt(number);
            bucket.Digest = Day(scope, bucket);
            bucket.IsDirty = false;
            months.Add(MonthOf(bucket.Day));
        }

        scope.Dirty.Clear();
        return months;
    }

    private SortedSet<int> RefreshDays(Scope scope, PartDigests part)
    {
        var months = new SortedSet<int>();
        foreach (var number in part.Dirty)
        {
            ref var bucket = ref store.BucketAt(number);
            months.Add(MonthOf(bucket.Day));
            part.Days.Remove(number);
            if (Day(scope, bucket) is { } digest)
            {
                part.Days.Add(number, digest);
            }
        }

        part.Dirty.Clear();
        return months;
    }

    private Hash256? DigestOfDay(Scope scope, int bucket) =>
        matters.IsAll ? store.BucketAt(bucket).Digest : PartOf(scope).Days.TryGetValue(bucket, out var digest) ? digest : null;

    private Hash256? Month(Scope scope, int month)
    {
        var days = scope.Days.Between(FirstDayOf(month), FirstDayOf(month + 1)).Where(d => DigestOfDay(scope, d.Value) is not null).ToList();
        Begin("citygrid/month/1", scope);
        Number(Varint.ZigZag(month));
        Number((ulong)days.Count);
        foreach (var (day, bucket) in days)
        {
            Number(Varint.ZigZag(day));
            Hash(DigestOfDay(scope, bucket)!.Value);
        }

        return days.Count > 0 ? End() : null;
    }

    private Hash256? Day(Scope scope, in DayBucket bucket)
    {
        _cells.Clear();
        for (var cell = bucket.First; cell >= 0; cell = store.At(cell).NextInDay)
        {
            if (!CellCodec.IsZero(store.ValueOf(cell)) && (matters.IsAll || matters.Includes(store.Names.Types[store.Names.SeriesAt(store.At(cell).Series).Type].Code)))
            {
                _cells.Add(cell);
            }
        }

        _cells.Sort(InCanonicalOrder);
        Begin("citygrid/day/1", scope);
        Number(Varint.ZigZag(bucket.Day));
        Number((ulong)_cells.Count);
        foreach (var cell in _cells)
        {
            Cell(cell);
        }

        return _cells.Count > 0 ? End() : null;
    }

    private void Cell(int cell)
    {
        var names = store.Names;
        ref readonly var series = ref names.SeriesAt(store.At(cell).Series);
        var type = names.Types[series.Type];
        Text(type.Version.ToString());
        Number((ulong)type.Kind);
        Text(type.Code.ToString());
        Text(names.Divisions[series.Division].ToString());
        Text(names.Sources[series.Source].ToString());
        var revision = store.RevisionOf(cell);
        Number(unchecked((ulong)revision.Epoch));
        Number(unchecked((ulong)revision.Lsn));
        var value = store.ValueOf(cell);
        Number((ulong)value.Length);
        _buffer.Write(value);
    }

    private int InCanonicalOrder(int a, int b)
    {
        var names = store.Names;
        ref readonly var left = ref names.SeriesAt(store.At(a).Series);
        ref readonly var right = ref names.SeriesAt(store.At(b).Series);
        var order = left.Type == right.Type ? 0 : names.Types[left.Type].CompareTo(names.Types[right.Type]);
        order = order != 0 || left.Division == right.Division ? order : names.Divisions[left.Division].CompareTo(names.Divisions[right.Division]);
        return order != 0 || left.Source == right.Source ? order : names.Sources[left.Source].CompareTo(names.Sources[right.Source]);
    }

    private void Begin(string label)
    {
        _buffer.ResetWrittenCount();
        Text(label);
    }

    private void Begin(string label, Scope scope) => Begin(label, scope.Origin, scope.Grain);

    private void Begin(string label, NodeId origin, Grain grain)
    {
        Begin(label);
        Text(origin.ToString());
        Number(grain.Number);
    }

    private Hash256 End() => Hash256.Of(_buffer.WrittenSpan);

    private void Number(ulong value) => _buffer.Advance(Varint.Write(_buffer.GetSpan(Varint.BytesMax), value));

    private void Text(string text)
    {
        Number((ulong)Encoding.UTF8.GetByteCount(text));
        _buffer.Advance(Encoding.UTF8.GetBytes(text, _buffer.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length))));
    }

    private void Hash(Hash256 hash)
    {
        hash.WriteTo(_buffer.GetSpan(Hash256.Size));
        _buffer.Advance(Hash256.Size);
    }

    /// <summary>Year × 12 + month - 1 of a day. By arithmetic over all 32-bit days (the proleptic calendar): a stray day must not throw.</summary>
    internal static int MonthOf(int day)
    {
        long z = day + 719_468L;
        var era = (z >= 0 ? z : z - 146_096) / 146_097;
        var inEra = z - (era * 146_097);
        var year = (inEra - (inEra / 1_460) + (inEra / 36_524) - (inEra / 146_096)) / 365;
        var inYear = inEra - ((365 * year) + (year / 4) - (year / 100));
        var month = ((5 * inYear) + 2) / 153;
        return (int)(((year + (era * 400)) * 12) + month + 2);
    }

    /// <summary>The first day of a month, in days since 1970-01-01, held to 32 bits.</summary>
    internal static int FirstDayOf(int month)
    {
        // Counted from March, so that the leap day is the last of a year.
        var fromMarch = month - 2L;
        var year = (fromMarch >= 0 ? fromMarch : fromMarch - 11) / 12;
        var inYear = fromMarch - (year * 12);
        var era = (year >= 0 ? year : year - 399) / 400;
        var yearOfEra = year - (era * 400);
        var day = (era * 146_097) + (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + (((153 * inYear) + 2) / 5) - 719_468;
        return (int)Math.Clamp(day, int.MinValue, int.MaxValue);
    }
}
