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
    private readonly List<SumPages> _types = [];
    private readonly DayPages _daysWithHistograms = new();

    public long Bytes => _types.Sum(t => t.Bytes) + _daysWithHistograms.Bytes;

    /// <summary>The types that have a cell at the national grain.</summary>
    public IEnumerable<int> Types => Enumerable.Range(0, _types.Count).Where(type => !_types[type].IsEmpty);

    /// <summary>A cell has come in, and its value with it.</summary>
    public void Added(int type, int day, int cell)
    {
        while (_types.Count <= type)
        {
            _types.Add(new SumPages());
        }

        var page = _types[type].PageOf(day);
        var row = SumPage.RowOf(day);
        page.Cells++;
        if (page.FirstCells[row] < 0)
        {
            page.BeginDay(row, cell);
            return;
        }

        var histograms = HasHistograms(day);
        if (!page.IsSummed(row))
        {
            page.BeginSum(row);
            Change(page, row, store.ValueOf(page.FirstCells[row]), 1, histograms);
        }

        Change(page, row, store.ValueOf(cell), 1, histograms);
    }

    /// <summary>A cell's value is about to be another.</summary>
    public void Changed(int type, int day, ReadOnlySpan<byte> before, ReadOnlySpan<byte> after)
    {
        var page = _types[type].PageOf(day);
        var row = SumPage.RowOf(day);
        if (page.IsSummed(row))
        {
            var histograms = HasHistograms(day);
            Change(page, row, before, -1, histograms);
            Change(page, row, after, 1, histograms);
        }
    }

    /// <summary>Adds the days from <paramref name="from"/> on and before <paramref name="to"/> of a type.</summary>
    public void AddTo(CellSum target, int type, int from, int to)
    {
        if (type >= _types.Count)
        {
            return;
        }

        // Page by page and by number: 13,500 sums are to be passed in a fraction of a millisecond.
        var pages = _types[type].Pages;
        for (var i = _types[type].FirstFrom(from); i < pages.Count && pages[i].FirstDay < to; i++)
        {
            var page = pages[i];
            var first = (int)Math.Max((long)from - page.FirstDay, 0);
            var end = (int)Math.Min((long)to - page.FirstDay, SumPage.Days);
            for (var row = first; row < end;)
            {
                var days = target.WithHistograms ? 1 : page.DaysTogether(row, end);
                if (days > 1)
                {
                    target.AddCounters(page.CountersOf(row, days));
                }
                else if (page.IsSummed(row))
                {
                    target.AddCounters(page.CountersOf(row, 1));
                    AddHistograms(target, page, row);
                }
                else if (page.FirstCells[row] >= 0)
                {
                    target.Add(store.ValueOf(page.FirstCells[row]));
                }

                row += days;
            }
        }
    }

    private void AddHistograms(CellSum target, SumPage page, int row)
    {
        if (!target.WithHistograms)
        {
            return;
        }

        if (!HasHistograms(page.FirstDay + row))
        {
            AddUpHistograms(page.FirstDay + row);
        }

        for (var i = 0; i < Histogram.All.Count; i++)
        {
            page.HistogramOf(row, i)?.AddTo(target.Dense(i));
        }
    }

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
                var page = _types[store.Names.SeriesAt(store.At(cell).Series).Type].PageOf(day);
                if (page.IsSummed(SumPage.RowOf(day)))
                {
                    var reader = new CellReader(store.ValueOf(cell));
                    while (reader.NextCounter(out _, out _))
                    {
                    }

                    ChangeHistograms(page, SumPage.RowOf(day), ref reader, 1);
                }
            }
        }
    }

    private static void Change(SumPage page, int row, ReadOnlySpan<byte> value, int sign, bool histograms)
    {
        Span<long> day = page.CountersOf(row, 1), few = page.CountersOf(row, SumPage.FewDays), all = page.CountersOf(row, SumPage.Days);
        var reader = new CellReader(value);
        while (reader.NextCounter(out var id, out var count))
        {
            var slot = CellSum.SlotOf(id);
            if (slot >= 0)
            {
                day[slot] = unchecked(day[slot] + (count * sign));
                few[slot] = unchecked(few[slot] + (count * sign));
                all[slot] = unchecked(all[slot] + (count * sign));
            }
        }

        if (histograms)
        {
            ChangeHistograms(page, row, ref reader, sign);
        }
    }

    private static void ChangeHistograms(SumPage page, int row, ref CellReader reader, int sign)
    {
        while (reader.NextHistogram(out var id))
        {
            var index = CellSum.IndexOf(id);
            var counts = index < 0 ? null : page.HistogramOf(row, index) ?? page.AddHistogram(row, index);
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

/// <summary>The sums of a type, 16 days a page, in order of the days.</summary>
internal sealed class SumPages
{
    private readonly List<SumPage> _pages = [];
    private int _last;

    public IReadOnlyList<SumPage> Pages => _pages;

    public bool IsEmpty => _pages.Count == 0;

    public long Bytes => 80 + (_pages.Capacity * 8L) + _pages.Sum(page => page.Bytes);

    /// <summary>The page of a day; made where there is none.</summary>
    public SumPage PageOf(int day)
    {
        var first = SumPage.FirstDayOf(day);
        if (_last < _pages.Count && _pages[_last].FirstDay == first)
        {
            return _pages[_last];
        }

        _last = FirstFrom(day);
        if (_last == _pages.Count || _pages[_last].FirstDay != first)
        {
            _pages.Insert(_last, new SumPage(first));
        }

        return _pages[_last];
    }

    /// <summary>The place of the first page that ends on this day or later.</summary>
    public int FirstFrom(int day)
    {
        int low = 0, high = _pages.Count, first = SumPage.FirstDayOf(day);
        while (low < high)
        {
            var middle = (low + high) >> 1;
            if (_pages[middle].FirstDay < first)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}

/// <summary>
/// A type's sums of 16 days, side by side, behind them those of each 4 days, and last that of them all: a view of 90 days passes some 10 sums.
/// </summary>
internal sealed class SumPage(int firstDay)
{
    public const int Days = 16;
    public const int FewDays = 4;

    private const int Sums = Days + (Days / FewDays) + 1;

    /// <summary>As many cells of at most <see cref="CellChecks.ValueMax"/> surely add up in 64 bits.</summary>
    private const int TotalCellsMax = (int)(long.MaxValue / CellChecks.ValueMax);

    private uint _begun;
    private uint _summed;
    private long[] _counters = [];
    private SparseCounts?[] _histograms = [];

    public int FirstDay => firstDay;

    /// <summary>The first cell of each day, or -1; the sum of a day that has no second one.</summary>
    public int[] FirstCells { get; } = NoCells();

    public long Bytes => 96 + ((Days * 4L) + 24) + (_counters.Length * 8L) + (_histograms.Length * 8L) + _histograms.Sum(h => h?.Bytes ?? 0);

    public static int FirstDayOf(int day) => day & ~(Days - 1);

    public static int RowOf(int day) => day & (Days - 1);

    public bool IsSummed(int row) => (_summed & (1u << row)) != 0;

    /// <summary>The first cell of a day.</summary>
    public void BeginDay(int row, int cell)
    {
        _begun |= 1u << row;
        FirstCells[row] = cell;
    }

    /// <summary>A day's second cell is about to be added to the first.</summary>
    public void BeginSum(int row)
    {
        _summed |= 1u << row;
        if (_counters.Length == 0)
        {
            _counters = new long[Sums * CellSum.Counters];
        }
    }

    /// <summary>Cells that count on these days.</summary>
    public int Cells { get; set; }

    /// <summary>
    /// From a day on and before <paramref name="end"/>, how many days stand together in one sum: all, a few, or the one. A day of a single cell stands in
    /// none, and sums that may have wrapped are not used.
    /// </summary>
    public int DaysTogether(int row, int end) =>
        _counters.Length == 0 || Cells > TotalCellsMax ? 1
        : row == 0 && end == Days && _begun == _summed ? Days
        : row % FewDays == 0 && row + FewDays <= end && ((_begun ^ _summed) >> row & ((1u << FewDays) - 1)) == 0 ? FewDays
        : 1;

    /// <summary>The counters of a day, or of the <see cref="FewDays"/> or all <see cref="Days"/> days that it stands among.</summary>
    public Span<long> CountersOf(int row, int days)
    {
        var sum = days == 1 ? row : days == Days ? Sums - 1 : Days + (row / FewDays);
        return _counters.AsSpan(sum * CellSum.Counters, CellSum.Counters);
    }

    public SparseCounts? HistogramOf(int row, int index) => _histograms.Length == 0 ? null : _histograms[(row * Histogram.All.Count) + index];

    public SparseCounts AddHistogram(int row, int index)
    {
        if (_histograms.Length == 0)
        {
            _histograms = new SparseCounts?[Days * Histogram.All.Count];
        }

        return _histograms[(row * Histogram.All.Count) + index] = new SparseCounts();
    }

    private static int[] NoCells()
    {
        var cells = new int[Days];
        Array.Fill(cells, -1);
        return cells;
    }
}
