using System.Globalization;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Views;

/// <summary>A row: where it stands in each dimension asked for, and what was measured; a measure with nothing to measure is absent.</summary>
public sealed record ViewLine(IReadOnlyDictionary<Dimension, string> Dimensions, IReadOnlyDictionary<string, long> Measures);

/// <summary>The figures of a query, or why there are none.</summary>
public sealed record ViewFigures(IReadOnlyList<ViewLine> Lines, Refusal? Refusal);

/// <summary>
/// Answers slices from the cells held here. Grains are never mixed: districts and sources come from the detail grain, everything else from the
/// national one, whose sums over all origins make a view by type and time independent of how many cells there are. Pure but for the cells it reads;
/// call it under the sequencer's lock.
/// </summary>
public sealed class ViewEngine(CellFold cells, DivisionRegister register, NodeId node)
{
    /// <summary>More rows than a person or a page can take: 3,000 counties × 30 types.</summary>
    public const int RowsMax = 100_000;

    public ViewFigures Answer(ViewQuery query)
    {
        if (query.By.Contains(Dimension.District) && NotHeld(query) is { } refusal)
        {
            return new ViewFigures([], refusal);
        }

        var rows = new Rows(query, cells.FirstDay);
        var grain = GrainOf(query);
        if (grain == Grain.National && query.Divisions.Count == 0 && !query.By.Any(IsPlace))
        {
            SumTypes(query, rows);
        }
        else
        {
            SumCells(query, grain, rows);
        }

        return rows.Count > RowsMax
            ? new ViewFigures([], new Refusal("TOO_MANY_ROWS", $"The answer has more than {RowsMax} rows; ask for fewer dimensions or a shorter period.", "by"))
            : new ViewFigures(rows.Lines(), null);
    }

    /// <summary>True where the origin lies at or below one of the divisions, or holds one of them.</summary>
    public bool Concerns(ViewQuery query, DivisionCode origin) =>
        query.Divisions.Count == 0 || query.Divisions.Any(d => register.IsAtOrBelow(origin, d) || register.IsAtOrBelow(d, origin));

    private static bool IsPlace(Dimension dimension) => dimension is Dimension.Province or Dimension.City or Dimension.Division or Dimension.District;

    private Grain GrainOf(ViewQuery query)
    {
        var wantsDetail = query.Sources.Count > 0
            || query.By.Contains(Dimension.Source)
            || query.By.Contains(Dimension.District)
            || query.Divisions.Any(d => OriginAbove(d) is { } origin && origin.Code != d)
            || (query.By.Contains(Dimension.Division) && NotHeld(query) is null);
        return wantsDetail ? Grain.Detail : Grain.National;
    }

    /// <summary>Null where the detail of every origin that the query concerns is held here; else which node to ask.</summary>
    private Refusal? NotHeld(ViewQuery query)
    {
        foreach (var origin in cells.Origins)
        {
            if (origin != node && cells.CountOf(origin, Grain.National) > 0 && cells.CountOf(origin, Grain.Detail) == 0 && DivisionOf(origin) is { } division && Concerns(query, division))
            {
                var above = register.UpFrom(division).Skip(1).FirstOrDefault();
                return new Refusal("DETAIL_NOT_HELD", $"Districts of {division} are not held here: ask the node of {division}, or of {above?.Code.ToString() ?? "its parent"}.", "by");
            }
        }

        return null;
    }

    private DivisionCode? DivisionOf(NodeId origin)
    {
        DivisionCode? found = null;
        cells.Visit(new CellFilter(Grain.National, ViewQuery.Beginning, LastDay) { Origins = o => o == origin && found is null }, (in CellKey key, Lsn _, ReadOnlySpan<byte> _) => found ??= key.Division);
        return found;
    }

    private static StatDay LastDay { get; } = StatDay.Of(new LocalDate(9999, 12, 31));

    private Division? OriginAbove(DivisionCode code) => register.UpFrom(code).FirstOrDefault(d => d.IsOrigin);

    /// <summary>The whole place by type and time: the sums that are kept, not the cells.</summary>
    private void SumTypes(ViewQuery query, Rows rows)
    {
        foreach (var type in cells.NationTypes)
        {
            if (!PassesType(query, type))
            {
                continue;
            }

            foreach (var period in rows.Periods)
            {
                var sum = rows.NewSum();
                cells.SumNation(type, period.From, period.To, sum);
                if (!sum.IsZero)
                {
                    rows.Add(rows.Place(type, default, default), period, sum);
                }
            }

            if (rows.NeedsStocks)
            {
                rows.AddFlows(rows.Place(type, default, default), (from, to, target) => cells.SumNation(type, from, to, target));
            }
        }
    }

    private void SumCells(ViewQuery query, Grain grain, Rows rows)
    {
        var labels = new Dictionary<DivisionCode, PlaceLabel>();
        PlaceLabel LabelOf(DivisionCode code)
        {
            if (!labels.TryGetValue(code, out var label))
            {
                var up = register.UpFrom(code).ToArray();
                label = new PlaceLabel(
                    up.FirstOrDefault(d => d.Kind is DivisionKind.Province or DivisionKind.Municipality)?.Code.ToString() ?? code.ToString(),
                    up.FirstOrDefault(d => d.IsOrigin)?.Code.ToString() ?? code.ToString(),
                    code.ToString());
                labels.Add(code, label);
            }

            return label;
        }

        var filter = new CellFilter(grain, rows.NeedsStocks ? ViewQuery.Beginning : query.From, query.To)
        {
            Types = type => PassesType(query, type),
            Divisions = query.Divisions.Count == 0 ? null : code => query.Divisions.Any(d => register.IsAtOrBelow(code, d)),
            Sources = query.Sources.Count == 0 ? null : query.Sources.Contains,
        };
        cells.Visit(filter, (in CellKey key, Lsn _, ReadOnlySpan<byte> value) =>
            rows.Add(rows.Place(key.Type, LabelOf(key.Division), key.Source), key.Day, value));
    }

    private static bool PassesType(ViewQuery query, TypeKey type)
    {
        if (query.Types.Count == 0)
        {
            return true;
        }

        var code = type.Code.ToString();
        foreach (var wanted in query.Types)
        {
            var text = wanted.ToString();
            if (code == text || (text.Length == 2 && code.Length == 5 && code.StartsWith(text, StringComparison.Ordinal)))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>How a division reads in each of the dimensions of place.</summary>
internal readonly record struct PlaceLabel(string Province, string City, string Own);

/// <summary>A period of a row: from is in, to is out.</summary>
internal readonly record struct ViewPeriod(string Label, StatDay From, StatDay To)
{
    /// <summary>The calendar periods that cover the days, cut to them; a single unnamed one where rows are not told apart by time.</summary>
    public static IReadOnlyList<ViewPeriod> Cut(Dimension? by, StatDay from, StatDay to)
    {
        if (by is not { } dimension)
        {
            return [new ViewPeriod(string.Empty, from, to)];
        }

        var periods = new List<ViewPeriod>();
        for (var at = from; at < to;)
        {
            var (label, end) = Of(dimension, at);
            periods.Add(new ViewPeriod(label, at, end < to ? end : to));
            at = end;
        }

        return periods;
    }

    /// <summary>The name of the period that holds the day, and the day after its last one. Weeks are those of ISO 8601.</summary>
    public static (string Label, StatDay End) Of(Dimension dimension, StatDay day)
    {
        var date = day.Date;
        switch (dimension)
        {
            case Dimension.Day:
                return (day.ToString(), day.Plus(1));
            case Dimension.Week:
                var rule = NodaTime.Calendars.WeekYearRules.Iso;
                return (string.Create(CultureInfo.InvariantCulture, $"{rule.GetWeekYear(date):D4}-W{rule.GetWeekOfWeekYear(date):D2}"), day.Plus(8 - (int)date.DayOfWeek));
            case Dimension.Month:
                return (string.Create(CultureInfo.InvariantCulture, $"{date.Year:D4}-{date.Month:D2}"), StatDay.Of(new LocalDate(date.Year, date.Month, 1).PlusMonths(1)));
            case Dimension.Quarter:
                var quarter = (date.Month + 2) / 3;
                return (string.Create(CultureInfo.InvariantCulture, $"{date.Year:D4}-Q{quarter}"), StatDay.Of(new LocalDate(date.Year, (quarter * 3) - 2, 1).PlusMonths(3)));
            case Dimension.Year:
                return (string.Create(CultureInfo.InvariantCulture, $"{date.Year:D4}"), StatDay.Of(new LocalDate(date.Year + 1, 1, 1)));
            default:
                throw new ArgumentOutOfRangeException(nameof(dimension), dimension, "no dimension of time");
        }
    }
}
