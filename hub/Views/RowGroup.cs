using System.Runtime.InteropServices;
using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Views;

/// <summary>All rows of one place and type: the sums of each period, and of what came before the first.</summary>
internal abstract class RowGroup
{
    /// <summary>The period before the first one, which stocks begin with.</summary>
    public const int Before = -1;

    /// <summary>The periods that may hold anything, in order; <see cref="Before"/> among them.</summary>
    public abstract IEnumerable<int> Periods { get; }

    /// <summary>Adds what a period counts; nothing where it is not held.</summary>
    public abstract void AddTo(int period, CellSum target);

    /// <summary>What came into stock in a period, and left it, without being counted: its place moved with the tree.</summary>
    public virtual (long Open, long Overdue) MovedStock(int period) => default;

    /// <summary>How many cells or sums that passes, at most.</summary>
    public abstract int CostOf(int period);
}

/// <summary>Types whose sums over all origins are kept: read where they are, nothing is added up twice.</summary>
internal sealed class NationGroup(CellFold cells, IReadOnlyList<ViewPeriod> periods) : RowGroup
{
    public List<TypeKey> Types { get; } = [];

    public override IEnumerable<int> Periods => Enumerable.Range(Before, periods.Count + 1);

    public override void AddTo(int period, CellSum target)
    {
        var (from, to) = DaysOf(period);
        foreach (var type in Types)
        {
            cells.SumNation(type, from, to, target);
        }
    }

    public override int CostOf(int period)
    {
        var (from, to) = DaysOf(period);
        return (int)Math.Min(int.MaxValue, Types.Count * Math.Max(0L, to.Number - Math.Max(from.Number, cells.FirstDay.Number)));
    }

    private (StatDay From, StatDay To) DaysOf(int period) => period == Before ? (ViewQuery.Beginning, periods[0].From) : (periods[period].From, periods[period].To);
}

/// <summary>Cells added up as they are met.</summary>
internal sealed class CellGroup(IReadOnlyList<Histogram> histograms) : RowGroup
{
    private readonly Dictionary<int, RowSum> _sums = [];
    private readonly Dictionary<int, (long Open, long Overdue)> _moved = [];
    private RowSum? _last;
    private int _lastPeriod = int.MinValue;

    public int Count => _sums.Count;

    public override IEnumerable<int> Periods => _moved.Count == 0 ? _sums.Keys.Order() : _sums.Keys.Union(_moved.Keys).Order();

    public override void AddTo(int period, CellSum target) => _sums.GetValueOrDefault(period)?.AddTo(target, histograms);

    public override int CostOf(int period) => 1;

    public override (long Open, long Overdue) MovedStock(int period) => _moved.GetValueOrDefault(period);

    public void MoveStock(int period, (long Open, long Overdue) stock)
    {
        var (open, overdue) = _moved.GetValueOrDefault(period);
        _moved[period] = (open + stock.Open, overdue + stock.Overdue);
    }

    /// <summary>Adds a cell; true when it is the first of its period.</summary>
    public bool Add(int period, ReadOnlySpan<byte> value)
    {
        var isNew = false;
        if (_last is null || period != _lastPeriod)
        {
            ref var sum = ref CollectionsMarshal.GetValueRefOrAddDefault(_sums, period, out var known);
            isNew = !known;
            _last = sum ??= new RowSum(histograms.Count);
            _lastPeriod = period;
        }

        _last.Add(value, histograms);
        return isNew;
    }
}

/// <summary>The counters and the few buckets that one row adds up: there may be a hundred thousand of these.</summary>
internal sealed class RowSum(int histograms)
{
    private readonly long[] _counters = new long[CellSum.Counters];
    private readonly SparseCounts?[] _counts = histograms == 0 ? [] : new SparseCounts?[histograms];

    public void Add(ReadOnlySpan<byte> value, IReadOnlyList<Histogram> histograms)
    {
        var reader = new CellReader(value);
        while (reader.NextCounter(out var id, out var count))
        {
            if (CellSum.SlotOf(id) is var slot and >= 0)
            {
                _counters[slot] += count;
            }
        }

        while (_counts.Length > 0 && reader.NextHistogram(out var id))
        {
            var counts = PlaceOf(id, histograms) is var place and >= 0 ? _counts[place] ??= new SparseCounts() : null;
            while (reader.NextBucket(out var bucket, out var count))
            {
                if (bucket < DurationEdges.Buckets)
                {
                    counts?.Add((ushort)bucket, count);
                }
            }
        }
    }

    public void AddTo(CellSum target, IReadOnlyList<Histogram> histograms)
    {
        target.AddCounters(_counters);
        for (var i = 0; i < _counts.Length && target.WithHistograms; i++)
        {
            _counts[i]?.AddTo(target.Dense(CellSum.IndexOf(histograms[i].Id)));
        }
    }

    private static int PlaceOf(int id, IReadOnlyList<Histogram> histograms)
    {
        for (var i = 0; i < histograms.Count; i++)
        {
            if (histograms[i].Id == id)
            {
                return i;
            }
        }

        return -1;
    }
}
