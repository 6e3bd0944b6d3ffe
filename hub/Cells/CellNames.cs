using System.Runtime.InteropServices;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Cells;

/// <summary>What is counted apart from the day: a scope's type, division and source. Few series have many cells, so a cell names its series.</summary>
internal readonly record struct Series(int Scope, int Type, int Division, int Source);

/// <summary>The cells of one origin at one grain: their days, and what of their digest is known.</summary>
internal sealed class Scope(NodeId origin, Grain grain)
{
    public NodeId Origin { get; } = origin;

    public Grain Grain { get; } = grain;

    /// <summary>How many of its cells were not let go of. The places of the others are among its <see cref="Days"/> none the less.</summary>
    public long Cells { get; set; }

    /// <summary>The series of its first cell that was not let go of; -1 where there is none.</summary>
    public int FirstSeries { get; set; } = -1;

    /// <summary>From a day to the number of its <see cref="DayBucket"/>.</summary>
    public DayPages Days { get; } = new();

    /// <summary>Buckets that changed since the digest was last worked out.</summary>
    public List<int> Dirty { get; } = [];

    /// <summary>The digests of the months that hold anything, and of all of them.</summary>
    public MonthDigests Whole { get; } = new();

    /// <summary>The same over some types alone, with the buckets that changed since it was worked out; null where nobody asks for it.</summary>
    public PartDigests? InPart { get; set; }

    /// <summary>About what the digests take.</summary>
    public long DigestBytes => (Whole.Months.Count * 100L) + (Dirty.Capacity * 4L) + (InPart is { } part ? (part.Digests.Months.Count * 100L) + (part.Days.Count * 60L) + (part.Dirty.Count * 20L) : 0);
}

/// <summary>The upper part of a scope's digest tree.</summary>
internal sealed class MonthDigests
{
    /// <summary>By year × 12 + month - 1; months that hold nothing are not there.</summary>
    public SortedDictionary<int, Hash256> Months { get; } = [];

    /// <summary>Null while nothing is held.</summary>
    public Hash256? Digest { get; set; }
}

/// <summary>A scope's digest tree over the cells of some types.</summary>
internal sealed class PartDigests(Matters matters, IEnumerable<int> buckets)
{
    public Matters Matters { get; } = matters;

    public HashSet<int> Dirty { get; } = [.. buckets];

    /// <summary>By bucket; days on which nothing of these types counts are not there.</summary>
    public Dictionary<int, Hash256> Days { get; } = [];

    public MonthDigests Digests { get; } = new();
}

/// <summary>Numbers for the names that cells share, so that a name stands in memory once.</summary>
internal sealed class CellNames
{
    private readonly Dictionary<(int Origin, byte Grain), int> _scopes = [];
    private readonly Dictionary<Series, int> _series = [];
    private readonly List<Series> _seriesList = [];
    private int _lastSeries;

    public SymbolTable<NodeId> Origins { get; } = new();

    public SymbolTable<TypeKey> Types { get; } = new();

    public SymbolTable<DivisionCode> Divisions { get; } = new();

    public SymbolTable<SourceCode> Sources { get; } = new();

    public SymbolTable<long> Epochs { get; } = new();

    public List<Scope> Scopes { get; } = [];

    public int SeriesCount => _seriesList.Count;

    /// <summary>About what the names take: a dictionary entry, its bucket and the list's place, for series; the texts for the rest.</summary>
    public long Bytes =>
        _series.EnsureCapacity(0) * 28L + _seriesList.Capacity * 16L + Scopes.Sum(s => 400 + s.Days.Bytes + s.DigestBytes)
        + Origins.Bytes(60) + Types.Bytes(90) + Divisions.Bytes(60) + Sources.Bytes(60) + Epochs.Bytes(0);

    public ref readonly Series SeriesAt(int number) => ref CollectionsMarshal.AsSpan(_seriesList)[number];

    /// <summary>The scope's number, or -1.</summary>
    public int FindScope(NodeId origin, Grain grain)
    {
        var number = Origins.Find(origin);
        return number >= 0 && _scopes.TryGetValue((number, grain.Number), out var scope) ? scope : -1;
    }

    public int InternScope(NodeId origin, Grain grain)
    {
        ref var scope = ref CollectionsMarshal.GetValueRefOrAddDefault(_scopes, (Origins.Intern(origin), grain.Number), out var known);
        if (!known)
        {
            scope = Scopes.Count;
            Scopes.Add(new Scope(origin, grain));
        }

        return scope;
    }

    /// <summary>The series' number, or -1.</summary>
    public int FindSeries(in CellKey key)
    {
        var scope = FindScope(key.Origin, key.Grain);
        int type = Types.Find(key.Type), division = Divisions.Find(key.Division), source = Sources.Find(key.Source);
        return scope >= 0 && type >= 0 && division >= 0 && source >= 0 ? FindSeries(new Series(scope, type, division, source)) : -1;
    }

    public int InternSeries(in CellKey key) =>
        InternSeries(new(InternScope(key.Origin, key.Grain), Types.Intern(key.Type), Divisions.Intern(key.Division), Sources.Intern(key.Source)));

    public int InternSeries(Series series)
    {
        if (FindSeries(series) is >= 0 and var found)
        {
            return found;
        }

        ref var number = ref CollectionsMarshal.GetValueRefOrAddDefault(_series, series, out var known);
        if (!known)
        {
            number = _seriesList.Count;
            _seriesList.Add(series);
        }

        return number;
    }

    /// <summary>The number of a series of known names; -1 where there is none.</summary>
    public int FindSeries(Series series)
    {
        // Batches come sorted: the same again, or the one that came after it the first time too.
        var guess = _lastSeries;
        if (guess < _seriesList.Count && (_seriesList[guess] == series || (++guess < _seriesList.Count && _seriesList[guess] == series)))
        {
            return _lastSeries = guess;
        }

        return _series.TryGetValue(series, out var number) ? _lastSeries = number : -1;
    }

    public CellKey KeyOf(int seriesNumber, int day)
    {
        ref readonly var series = ref SeriesAt(seriesNumber);
        var scope = Scopes[series.Scope];
        return new(scope.Origin, scope.Grain, Types[series.Type], Divisions[series.Division], new StatDay(day), Sources[series.Source]);
    }
}

/// <summary>
/// Numbers for names, from 0 in the order of their coming. The name asked for last, and the one that came after it, are found at once: batches
/// come sorted.
/// </summary>
internal sealed class SymbolTable<T>
    where T : notnull, IEquatable<T>
{
    private readonly Dictionary<T, int> _numbers = [];
    private readonly List<T> _names = [];
    private int _last;

    public int Count => _names.Count;

    public T this[int number] => _names[number];

    public long Bytes(int textBytes) => _numbers.EnsureCapacity(0) * 36L + _names.Capacity * 16L + _names.Count * (long)textBytes;

    /// <summary>The name's number, or -1.</summary>
    public int Find(T name)
    {
        var guess = _last;
        if (guess < _names.Count && (_names[guess].Equals(name) || (++guess < _names.Count && _names[guess].Equals(name))))
        {
            return _last = guess;
        }

        return _numbers.TryGetValue(name, out var number) ? _last = number : -1;
    }

    public int Intern(T name)
    {
        var number = Find(name);
        if (number < 0)
        {
            number = _names.Count;
            _names.Add(name);
            _numbers.Add(name, number);
            _last = number;
        }

        return number;
    }
}
