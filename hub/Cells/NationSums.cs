using System.Runtime.InteropServices;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>
/// The sums over all origins for each (type, day) at the national grain, kept up with every change, so that a view of the nation adds up types × days
/// and never cells. A sum of one cell is that cell itself and takes no memory, so a city pays nothing for what only a ministry needs. The counters of
/// a sum are there from its second cell on; the histograms of a day are added up when they are first asked for, and kept up from then on, so that
/// a first fill with millions of cells does not touch them and what is never looked at takes no memory.
/// </summary>
/// <remarks>
/// Sums wrap at 64 bits: a fold may not throw, and taking a value out again brings the true sum back. No accepted value is above 10^15, so a
/// sum of up to 9,223 cells cannot wrap. Only counters and histograms that this version knows are summed: no view can name others.
/// </remarks>
internal sealed class NationSums(CellStore store)
{
    private const int BlockBits = 6, BlockRows = 1 << BlockBits;

    private readonly List<DayPages> _types = [];
    private readonly List<Row> _rows = [];
    private readonly List<long[]> _counters = [];
    private readonly List<SparseCounts?> _histograms = [];
    private readonly DayPages _daysWithHistograms = new();
    private int _sums;

    /// <summary>The first cell, and the number of the sum once there is a second one (-1 before).</summary>
    private record struct Row(int OnlyCell, int Sum);

    public long Bytes =>
        _types.Sum(t => 40 + t.Bytes) + _daysWithHistograms.Bytes + (_rows.Capacity * 8L) + (_counters.Count * (24 + (BlockRows * CellSum.Counters * 8L)))
        + (_histograms.Capacity * 8L) + _histograms.Sum(h => h?.Bytes ?? 0);

    /// <summary>The types that have a cell at the national grain.</summary>
    public IEnumerable<int> Types => Enumerable.Range(0, _types.Count).Where(type => !_types[type].IsEmpty);

    /// <summary>A cell has come in, and its value with it.</summary>
    public void Added(int type, int day, int cell)
    {
        while (_types.Count <= type)
        {
            _types.Add(new DayPages());
        }

        var number = _types[type].Find(day);
        if (number < 0)
        {
            _types[type].Set(day, _rows.Count);
            _rows.Add(new Row(cell, -1));
            return;
        }

        var histograms = HasHistograms(day);
        ref var row = ref CollectionsMarshal.AsSpan(_rows)[number];
        if (row.Sum < 0)
        {
            row.Sum = NewSum();
            Change(row.Sum, store.ValueOf(row.OnlyCell), 1, histograms);
        }

        Change(row.Sum, store.ValueOf(cell), 1, histograms);
    }

    /// <summary>A cell's value is about to be another.</summary>
    public void Changed(int type, int day, ReadOnlySpan<byte> before, ReadOnlySpan<byte> after)
    {
        var sum = _rows[_types[type].Find(day)].Sum;
        if (sum >= 0)
        {
            var histograms = HasHistograms(day);
            Change(sum, before, -1, histograms);
            Change(sum, after, 1, histograms);
        }
    }

    /// <summary>Adds the days from <paramref name="from"/> on and before <paramref name="to"/> of a type.</summary>
    public void AddTo(CellSum target, int type, int from, int to)
    {
        if (type >= _types.Count)
        {
            return;
        }

        // By number and not by enumerator: 13,500 sums are to be passed in a fraction of a millisecond.
        var days = _types[type];
        for (var at = days.Seek(from); days.Step(ref at, to, out var day, out var number);)
        {
            var row = _rows[number];
            if (row.Sum < 0)
            {
                target.Add(store.ValueOf(row.OnlyCell));
                continue;
            }

            target.AddCounters(CountersOf(row.Sum));
            if (target.WithHistograms && !HasHistograms(day))
            {
                AddUpHistograms(day);
            }

            for (var i = 0; target.WithHistograms && i < Histogram.All.Count; i++)
            {
                _histograms[(row.Sum * Histogram.All.Count) + i]?.AddTo(target.Dense(i));
            }
        }
    }

    private int NewSum()
    {
        if (_sums == _counters.Count << BlockBits)
        {
            _counters.Add(new long[BlockRows * CellSum.Counters]);
        }

        for (var i = 0; i < Histogram.All.Count; i++)
        {
            _histograms.Add(null);
        }

        return _sums++;
    }

    private Span<long> CountersOf(int sum) => _counters[sum >> BlockBits].AsSpan((sum & (BlockRows - 1)) * CellSum.Counters, CellSum.Counters);

    private bool HasHistograms(int day) => _daysWithHistograms.Find(day) >= 0;

    /// <summary>Adds up the histograms of all types on a day: one walk over the day's cells at the national grain.</summary>
    private void AddUpHistograms(int day)
    {
        _daysWithHistograms.Set(day, 1);
        foreach (var scope in store.Names.Scopes)
        {
            if (scope.Grain != Grain.National || scope.Days.Find(day) is not (>= 0 and var bucket))
            {
                continue;
            }

            for (var cell = store.BucketAt(bucket).First; cell >= 0; cell = store.At(cell).NextInDay)
            {
                var sum = _rows[_types[store.Names.SeriesAt(store.At(cell).Series).Type].Find(day)].Sum;
                if (sum >= 0)
                {
                    var reader = new CellReader(store.ValueOf(cell));
                    while (reader.NextCounter(out _, out _))
                    {
                    }

                    ChangeHistograms(sum, ref reader, 1);
                }
            }
        }
    }

    private void Change(int sum, ReadOnlySpan<byte> value, int sign, bool histograms)
    {
        var counters = CountersOf(sum);
        var reader = new CellReader(value);
        while (reader.NextCounter(out var id, out var count))
        {
            var slot = CellSum.SlotOf(id);
            if (slot >= 0)
            {
                counters[slot] = unchecked(counters[slot] + (count * sign));
            }
        }

        if (histograms)
        {
            ChangeHistograms(sum, ref reader, sign);
        }
    }

    private void ChangeHistograms(int sum, ref CellReader reader, int sign)
    {
        while (reader.NextHistogram(out var id))
        {
            var index = CellSum.IndexOf(id);
            var counts = index < 0 ? null : _histograms[(sum * Histogram.All.Count) + index] ??= new SparseCounts();
            while (reader.NextBucket(out var bucket, out var count))
            {
                if (counts is not null && bucket < DurationEdges.Buckets)
                {
                    counts.Add(bucket, unchecked(count * sign));
                }
            }
        }
    }
}
