using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Views;

/// <summary>
/// An answer on its way: <see cref="Step"/> by step what is held is read, under the sequencer's lock, then <see cref="Finish"/> makes the rows,
/// without it. Where kept sums are read, the steps make the rows themselves; else cells are added up as they are met, at about 0.1 µs each. The memory
/// is that of the sums and rows: reading ends where they pass what an answer may have.
/// </summary>
public sealed class ViewReading
{
    // A row has at most one sum before its periods, so twice the rows is a bound that no answer within the limit passes.
    private const int SumsMax = 2 * ViewEngine.RowsMax;

    // What making a row costs next to reading a cell; with histograms, whose every bucket is looked at.
    private const int RowCost = 4, RowCostWithHistograms = 256;

    private readonly Rows? _rows;
    private readonly int _rowCost;
    private readonly IEnumerator<int>? _making;
    private readonly CellWalk? _walk;
    private readonly List<(RowPlace Place, RowGroup Group)> _groups = [];
    private readonly Dictionary<RowPlace, int> _known = [];
    private readonly List<MovingSeries> _moving = [];
    private Action? _endStocks;
    private Refusal? _refusal;
    private int _sums;

    /// <summary>Nothing is to be read.</summary>
    internal ViewReading(Grain grain, Refusal refusal) => (Grain, _refusal) = (grain, refusal);

    /// <summary>The whole place by type and time: the sums that are kept, and no cell.</summary>
    internal ViewReading(CellFold cells, ViewQuery query, IReadOnlyList<ViewPeriod> periods)
    {
        (Grain, _rows) = (Grain.National, new Rows(query, periods, ViewEngine.RowsMax));
        NationGroup GroupOf(RowPlace at) => (NationGroup)_groups[NumberOf(at, () => new NationGroup(cells, periods))].Group;
        if (query.By.Count == 0)
        {
            GroupOf(default);
        }

        foreach (var type in cells.NationTypes.Where(query.Includes))
        {
            GroupOf(RowPlace.Of(query, type, default, default)).Types.Add(type);
        }

        _rowCost = query.Histograms.Count > 0 ? RowCostWithHistograms : RowCost;
        _making = MakeRows().GetEnumerator();
    }

    /// <summary>Everything else: the cells of the days asked for, added up as they are met.</summary>
    internal ViewReading(CellFold cells, PlaceTrees trees, ViewQuery query, Grain grain, IReadOnlyList<ViewPeriod> periods, Func<NodeId, bool> origins)
    {
        (Grain, _rows) = (grain, new Rows(query, periods, ViewEngine.RowsMax));
        _making = MakeRows().GetEnumerator();
        int GroupOf(RowPlace at) => NumberOf(at, () => new CellGroup(query.Histograms));
        if (query.By.Count == 0)
        {
            GroupOf(default);
        }

        bool Includes(TypeKey type, SourceCode source) =>
            query.Includes(type)
            && (query.Sources.Count == 0 || query.Sources.Contains(source));

        // A place is twice the number of its group, or of the series that moves from group to group, and then one more.
        int PlaceOf(TypeKey type, DivisionCode division, SourceCode source)
        {
            var standing = trees.Of(division);
            int In(PlaceLabel? label) => label is { } at ? GroupOf(RowPlace.Of(query, type, at, source)) : -1;
            if (standing.Count == 1)
            {
                return In(standing[0]) * 2;
            }

            var groups = standing.Select(In).ToArray();
            if (groups.Distinct().Count() == 1)
            {
                return groups[0] * 2;
            }

            _moving.Add(new MovingSeries(groups));
            return (_moving.Count * 2) - 1;
        }

        var finder = new PeriodFinder(periods);
        _endStocks = query.NeedsStocks ? () => MoveStocks(trees, query, finder) : null;
        _walk = cells.Walk(
            grain,
            query.NeedsStocks ? ViewQuery.Beginning : periods[0].From,
            query.To,
            origins,
            (type, division, source) => Includes(type, source) ? PlaceOf(type, division, source) : -1,
            (place, day, value) =>
            {
                var number = place / 2;
                if (place % 2 == 1)
                {
                    var era = trees.EraOf(day);
                    var series = _moving[number];
                    series.Add(era, value);
                    number = series.Groups[era];
                }

                _sums += number >= 0 && ((CellGroup)_groups[number].Group).Add(finder.Of(day), value) ? 1 : 0;
            });
    }

    /// <summary>The grain that is read.</summary>
    public Grain Grain { get; }

    internal static Refusal TooManyRows { get; } = new(
        "TOO_MANY_ROWS", $"The answer has more than {ViewEngine.RowsMax} rows; ask for fewer dimensions, fewer divisions or a shorter period.", "by");

    private static Refusal TooLarge { get; } = new(
        "FIGURE_TOO_LARGE", "A figure of this answer is past 64 bits: some cell counts what cannot be. Ask by division to find it.", "measures");

    /// <summary>Reads about so many cells; false when all is read, or when it is known that there is no answer.</summary>
    public bool Step(int cells)
    {
        if (_refusal is not null)
        {
            return false;
        }

        try
        {
            if (_walk is null)
            {
                return MakeRows(cells);
            }

            var more = _walk.Step(cells);
            _refusal = _sums > SumsMax ? TooManyRows : null;
            return more && _refusal is null;
        }
        catch (OverflowException)
        {
            _refusal = TooLarge;
            return false;
        }
    }

    /// <summary>The rows, or why there are none.</summary>
    public ViewFigures Finish()
    {
        try
        {
            if (_refusal is null)
            {
                _endStocks?.Invoke();
                _endStocks = null;
                MakeRows(int.MaxValue);
            }
        }
        catch (OverflowException)
        {
            _refusal = TooLarge;
        }

        return new ViewFigures(Grain, _refusal is null ? _rows!.Lines() : [], _refusal);
    }

    /// <summary>What was in stock where a series moved goes with it: from the day of the move it stands in the new place.</summary>
    private void MoveStocks(PlaceTrees trees, ViewQuery query, PeriodFinder finder)
    {
        foreach (var series in _moving)
        {
            for (var era = 1; era < series.Groups.Count; era++)
            {
                if (series.Groups[era - 1] != series.Groups[era] && trees.FirstDayOf(era) < query.To)
                {
                    var stock = series.StockBefore(era);
                    var period = finder.Of(trees.FirstDayOf(era));
                    GroupAt(series.Groups[era - 1])?.MoveStock(period, (-stock.Open, -stock.Overdue));
                    GroupAt(series.Groups[era])?.MoveStock(period, stock);
                }
            }
        }

        CellGroup? GroupAt(int number) => number < 0 ? null : (CellGroup)_groups[number].Group;
    }

    /// <summary>A type, division and source whose place changes from one era of the register to the next.</summary>
    private sealed class MovingSeries(IReadOnlyList<int> groups)
    {
        private readonly CellSum _flows = new(withHistograms: false);
        private readonly (long Open, long Overdue)[] _stocks = new (long, long)[groups.Count];

        /// <summary>The group in each era; negative for none.</summary>
        public IReadOnlyList<int> Groups => groups;

        public void Add(int era, ReadOnlySpan<byte> value)
        {
            _flows.Clear();
            _flows.Add(value);
            _stocks[era] = (_stocks[era].Open + Rows.OpenFlow(_flows), _stocks[era].Overdue + Rows.OverdueFlow(_flows));
        }

        /// <summary>What was in stock as the era began.</summary>
        public (long Open, long Overdue) StockBefore(int era)
        {
            var (open, overdue) = (0L, 0L);
            for (var i = 0; i < era; i++)
            {
                (open, overdue) = (open + _stocks[i].Open, overdue + _stocks[i].Overdue);
            }

            return (open, overdue);
        }
    }

    /// <summary>Makes the rows that cost about as much as so many cells; false when there are no more.</summary>
    private bool MakeRows(int cells)
    {
        for (var spent = 0L; spent < cells; spent += (long)_rowCost + _making.Current)
        {
            if (!_making!.MoveNext())
            {
                return false;
            }

            if (_making.Current == Rows.Full)
            {
                _refusal = TooManyRows;
                return false;
            }
        }

        return true;
    }

    private IEnumerable<int> MakeRows() => _groups.SelectMany(g => _rows!.Add(g.Place, g.Group));

    private int NumberOf(RowPlace at, Func<RowGroup> begin)
    {
        if (!_known.TryGetValue(at, out var number))
        {
            _known.Add(at, number = _groups.Count);
            _groups.Add((at, begin()));
        }

        return number;
    }
}
