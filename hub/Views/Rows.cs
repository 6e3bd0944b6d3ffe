using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Views;

/// <summary>
/// A row: its label in each dimension and its figure for each measure, in the order in which the query names them. A measure with nothing to
/// measure is null.
/// </summary>
public sealed record ViewLine(IReadOnlyList<string> Labels, IReadOnlyList<long?> Figures);

/// <summary>Makes the rows of an answer out of sums: what was counted, and what stood open, in each period of each group.</summary>
internal sealed class Rows(ViewQuery query, IReadOnlyList<ViewPeriod> periods, int most)
{
    private readonly CellSum _sum = new(query.Histograms.Count > 0);
    private readonly CellSum _flows = new(withHistograms: false);
    private readonly (long Open, long Overdue)[] _stocks = new (long, long)[query.NeedsStocks ? periods.Count : 0];
    private readonly List<ViewLine> _lines = [];

    /// <summary>What a step of <see cref="Add"/> is when the answer is full.</summary>
    public const int Full = -1;

    /// <summary>
    /// Adds a group's rows, as far as it is enumerated: a step for each period, which tells how many cells or sums it passed, or <see cref="Full"/>. A row
    /// that counted nothing and has nothing in stock is no row, but for the single row of a query that tells nothing apart.
    /// </summary>
    public IEnumerable<int> Add(RowPlace place, RowGroup group)
    {
        if (query.NeedsStocks)
        {
            foreach (var passed in AddUpStocks(group))
            {
                yield return passed;
            }
        }

        foreach (var period in query.NeedsStocks || query.By.Count == 0 ? Enumerable.Range(0, periods.Count) : group.Periods)
        {
            if (period == RowGroup.Before)
            {
                continue;
            }

            _sum.Clear();
            group.AddTo(period, _sum);
            var stocks = query.NeedsStocks ? _stocks[period] : default;
            var isRow = !_sum.IsZero || stocks != default || query.By.Count == 0;
            if (isRow && _lines.Count == most)
            {
                yield return Full;
                yield break;
            }

            if (isRow)
            {
                _lines.Add(Line(place, period, stocks));
            }

            yield return group.CostOf(period);
        }
    }

    /// <summary>The rows in order of their labels.</summary>
    public IReadOnlyList<ViewLine> Lines()
    {
        _lines.Sort((a, b) =>
        {
            var order = 0;
            for (var i = 0; order == 0 && i < a.Labels.Count; i++)
            {
                order = string.CompareOrdinal(a.Labels[i], b.Labels[i]);
            }

            return order;
        });
        return _lines;
    }

    private ViewLine Line(RowPlace place, int period, (long Open, long Overdue) stocks)
    {
        var labels = new string[query.By.Count];
        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = place.In(query.By[i]) ?? ViewPeriod.Of(query.By[i], periods[period].From).Label;
        }

        var atTo = query.NeedsStocks ? _stocks[^1] : default;
        var row = new RowStocks(stocks.Open, stocks.Overdue, atTo.Open, atTo.Overdue);
        var figures = new long?[query.Measures.Count];
        for (var i = 0; i < figures.Length; i++)
        {
            figures[i] = query.Measures[i].Of(_sum, row);
        }

        return new ViewLine(labels, figures);
    }

    private IEnumerable<int> AddUpStocks(RowGroup group)
    {
        (long Open, long Overdue) stock = default;
        var filled = 0;
        foreach (var period in group.Periods)
        {
            for (; filled < period; filled++)
            {
                _stocks[filled] = stock;
            }

            _flows.Clear();
            group.AddTo(period, _flows);
            var moved = group.MovedStock(period);
            stock = (stock.Open + OpenFlow(_flows) + moved.Open, stock.Overdue + OverdueFlow(_flows) + moved.Overdue);
            yield return group.CostOf(period);
        }

        _stocks.AsSpan(filled).Fill(stock);
    }

    internal static long OpenFlow(CellSum s) =>
        s[Counter.Reported] + s[Counter.Reopened] + s[Counter.MovedIn] - s[Counter.Closed] - s[Counter.Voided] - s[Counter.MovedOut];

    internal static long OverdueFlow(CellSum s) =>
        s[Counter.BecameOverdue] + s[Counter.OverdueAgain] + s[Counter.OverdueMovedIn]
        - s[Counter.OverdueHandled] - s[Counter.OverdueWithdrawn] - s[Counter.OverdueMovedOut];
}
