using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
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
    internal ViewReading(CellFold cells, DivisionRegister register, ViewQuery query, Grain grain, IReadOnlyList<ViewPeriod> periods, Func<NodeId, bool> origins)
    {
        (Grain, _rows) = (grain, new Rows(query, periods, ViewEngine.RowsMax));
        _making = MakeRows().GetEnumerator();
        int GroupOf(RowPlace at) => NumberOf(at, () => new CellGroup(query.Histograms));
        if (query.By.Count == 0)
        {
            GroupOf(default);
        }

        bool Includes(TypeKey type, DivisionCode division, SourceCode source) =>
            query.Includes(type)
            && (query.Sources.Count == 0 || query.Sources.Contains(source))
            && (query.Divisions.Count == 0 || query.Divisions.Any(d => register.IsAtOrBelow(division, d)));

        var labels = new PlaceLabels(register);
        var finder = new PeriodFinder(periods);
        _walk = cells.Walk(
            grain,
            query.NeedsStocks ? ViewQuery.Beginning : periods[0].From,
            query.To,
            origins,
            (type, division, source) => Includes(type, division, source) ? GroupOf(RowPlace.Of(query, type, labels.Of(division), source)) : -1,
            (number, day, value) => _sums += ((CellGroup)_groups[number].Group).Add(finder.Of(day), value) ? 1 : 0);
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
                MakeRows(int.MaxValue);
            }
        }
        catch (OverflowException)
        {
            _refusal = TooLarge;
        }

        return new ViewFigures(Grain, _refusal is null ? _rows!.Lines() : [], _refusal);
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
