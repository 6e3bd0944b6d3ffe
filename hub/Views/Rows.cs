using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Views;

/// <summary>Adds from, or up to but without, a day into a sum.</summary>
internal delegate void FlowSource(StatDay from, StatDay to, CellSum target);

/// <summary>The rows of an answer while they are added up: a sum for each place and period, and the running flows behind the stocks.</summary>
internal sealed class Rows
{
    private readonly ViewQuery _query;
    private readonly bool _needsHistograms;
    private readonly CellSum _scratch = new(withHistograms: false);
    private readonly Dictionary<RowPlace, Group> _groups = [];

    /// <param name="query">What is asked.</param>
    /// <param name="firstDay">The first day that anything is held of: no period starts before it.</param>
    public Rows(ViewQuery query, StatDay firstDay)
    {
        _query = query;
        var from = query.From < firstDay && firstDay < query.To ? firstDay : query.From;
        Periods = ViewPeriod.Cut(query.Period, from, query.To);
        NeedsStocks = query.Measures.Any(m => m.NeedsStocks);
        _needsHistograms = query.Measures.Any(m => m.NeedsHistograms);
    }

    public IReadOnlyList<ViewPeriod> Periods { get; }

    public bool NeedsStocks { get; }

    public int Count => _groups.Count * Periods.Count;

    public CellSum NewSum() => new(_needsHistograms);

    /// <summary>Where a cell stands in the dimensions of place and type that the query tells apart.</summary>
    public RowPlace Place(TypeKey type, PlaceLabel label, SourceCode source)
    {
        var by = _query.By;
        return new RowPlace(
            by.Contains(Dimension.Province) ? label.Province : null,
            by.Contains(Dimension.City) ? label.City : null,
            by.Contains(Dimension.Division) || by.Contains(Dimension.District) ? label.Own : null,
            by.Contains(Dimension.Type) ? type.Code.ToString() : null,
            by.Contains(Dimension.Class) ? ClassOf(type) : null,
            by.Contains(Dimension.Source) ? source.ToString() : null);
    }

    public void Add(RowPlace place, ViewPeriod period, CellSum sum) => GroupOf(place).SumOf(period.From, NewSum).Add(sum);

    public void Add(RowPlace place, StatDay day, ReadOnlySpan<byte> value)
    {
        var group = GroupOf(place);
        if (day >= Periods[0].From)
        {
            group.SumOf(Periods[PeriodOf(day)].From, NewSum).Add(value);
        }

        if (NeedsStocks)
        {
            _scratch.Clear();
            _scratch.Add(value);
            group.AddFlows(day, _scratch);
        }
    }

    /// <summary>The flows behind a place's stocks, where whole sums are at hand: what came before the first period, and each period's own.</summary>
    public void AddFlows(RowPlace place, FlowSource source)
    {
        var group = GroupOf(place);
        _scratch.Clear();
        source(ViewQuery.Beginning, Periods[0].From, _scratch);
        group.AddFlows(ViewQuery.Beginning, _scratch);
        foreach (var period in Periods)
        {
            _scratch.Clear();
            source(period.From, period.To, _scratch);
            group.AddFlows(period.From, _scratch);
        }
    }

    /// <summary>The rows in order of their dimensions. A row that counts nothing and stocks nothing is no row.</summary>
    public IReadOnlyList<ViewLine> Lines()
    {
        var lines = new List<ViewLine>();
        var empty = NewSum();
        foreach (var (place, group) in _groups.OrderBy(g => g.Key))
        {
            var atTo = group.StocksBefore(_query.To);
            foreach (var period in Periods)
            {
                var sum = group.Find(period.From);
                var atEnd = group.StocksBefore(period.To);
                if (sum is null && atEnd.Open == 0 && atEnd.Overdue == 0)
                {
                    continue;
                }

                lines.Add(Line(place, period, sum ?? empty, new RowStocks(atEnd.Open, atTo.Open, atTo.Overdue)));
            }
        }

        return lines;
    }

    private static string ClassOf(TypeKey type)
    {
        var code = type.Code.ToString();
        return code.Length == 5 && code.All(char.IsAsciiDigit) ? code[..2] : "other";
    }

    private ViewLine Line(RowPlace place, ViewPeriod period, CellSum sum, RowStocks stocks)
    {
        var dimensions = new Dictionary<Dimension, string>();
        foreach (var dimension in _query.By)
        {
            dimensions[dimension] = place.Of(dimension) ?? (dimension == _query.Period ? period.Label : ViewPeriod.Of(dimension, period.From).Label);
        }

        var measures = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var measure in _query.Measures)
        {
            if (measure.Of(sum, stocks) is { } figure)
            {
                measures[measure.Name] = figure;
            }
        }

        return new ViewLine(dimensions, measures);
    }

    private Group GroupOf(RowPlace place)
    {
        if (!_groups.TryGetValue(place, out var group))
        {
            _groups.Add(place, group = new Group());
        }

        return group;
    }

    private int PeriodOf(StatDay day)
    {
        var (low, high) = (0, Periods.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = Periods[middle].From <= day ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    private sealed class Group
    {
        private readonly Dictionary<StatDay, CellSum> _sums = [];
        private readonly SortedDictionary<StatDay, (long Open, long Overdue)> _flows = [];

        public CellSum SumOf(StatDay periodFrom, Func<CellSum> make)
        {
            if (!_sums.TryGetValue(periodFrom, out var sum))
            {
                _sums.Add(periodFrom, sum = make());
            }

            return sum;
        }

        public CellSum? Find(StatDay periodFrom) => _sums.GetValueOrDefault(periodFrom);

        public void AddFlows(StatDay day, CellSum s)
        {
            var open = s[Counter.Reported] + s[Counter.Reopened] + s[Counter.MovedIn] - s[Counter.Closed] - s[Counter.Voided] - s[Counter.MovedOut];
            var overdue = s[Counter.BecameOverdue] + s[Counter.OverdueAgain] + s[Counter.OverdueMovedIn]
                - s[Counter.OverdueHandled] - s[Counter.OverdueWithdrawn] - s[Counter.OverdueMovedOut];
            if (open != 0 || overdue != 0)
            {
                var (before, overdueBefore) = _flows.GetValueOrDefault(day);
                _flows[day] = (before + open, overdueBefore + overdue);
            }
        }

        /// <summary>The stocks as the day begins.</summary>
        public (long Open, long Overdue) StocksBefore(StatDay day)
        {
            long open = 0;
            long overdue = 0;
            foreach (var (at, flow) in _flows)
            {
                if (at >= day)
                {
                    break;
                }

                open += flow.Open;
                overdue += flow.Overdue;
            }

            return (open, overdue);
        }
    }
}

/// <summary>Where a row stands, but for time; null in what the query does not tell apart.</summary>
internal readonly record struct RowPlace(string? Province, string? City, string? Division, string? Type, string? Class, string? Source) : IComparable<RowPlace>
{
    public string? Of(Dimension dimension) => dimension switch
    {
        Dimension.Province => Province,
        Dimension.City => City,
        Dimension.Division or Dimension.District => Division,
        Dimension.Type => Type,
        Dimension.Class => Class,
        Dimension.Source => Source,
        _ => null,
    };

    public int CompareTo(RowPlace other)
    {
        ReadOnlySpan<string?> mine = [Province, City, Division, Type, Class, Source];
        ReadOnlySpan<string?> theirs = [other.Province, other.City, other.Division, other.Type, other.Class, other.Source];
        for (var i = 0; i < mine.Length; i++)
        {
            var order = string.CompareOrdinal(mine[i], theirs[i]);
            if (order != 0)
            {
                return order;
            }
        }

        return 0;
    }
}
