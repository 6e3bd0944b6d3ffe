using System.Globalization;
using CityGrid.Protocol.V1;

namespace CityGrid.Tests.Views;

/// <summary>
/// The same questions answered from the facts themselves, by filtering and counting, day by day: no cell, no sum, no histogram and no calendar of the
/// program.
/// </summary>
internal sealed class PlainCount(IReadOnlyList<Fact> facts, bool withDistricts)
{
    /// <summary>Label by label, joined by spaces, to the figures: null for nothing to measure.</summary>
    public SortedDictionary<string, long?[]> Answer(QueryRequest request)
    {
        var (from, to) = (DateOnly.Parse(request.From, CultureInfo.InvariantCulture), DateOnly.Parse(request.To, CultureInfo.InvariantCulture));
        var included = facts.Where(f => Includes(request, f)).ToArray();
        var days = Enumerable.Range(0, to.DayNumber - from.DayNumber).Select(from.AddDays).ToArray();
        var periods = days.GroupBy(day => string.Join(' ', request.By.Select(by => TimeLabel(by, day)))).ToArray();
        var rows = new SortedDictionary<string, long?[]>(StringComparer.Ordinal);
        foreach (var group in included.GroupBy(f => string.Join(' ', request.By.Select(by => PlaceLabel(by, f)))).Append(null))
        {
            if (group is null && (request.By.Count > 0 || included.Length > 0))
            {
                continue;
            }

            foreach (var period in periods)
            {
                AddRow(rows, request, group?.ToArray() ?? [], [.. period], to);
            }
        }

        return rows;
    }

    private void AddRow(SortedDictionary<string, long?[]> rows, QueryRequest request, Fact[] group, DateOnly[] days, DateOnly to)
    {
        var inPeriod = group.Where(f => days.Contains(f.Day)).ToArray();
        var untilEnd = group.Where(f => f.Day <= days[^1]).ToArray();
        var needsStocks = request.Measures.Any(m => m is "open_end_of_day" or "open_at" or "overdue_at" or "due_for_closing");
        var hasStock = needsStocks && (Open(untilEnd) != 0 || Overdue(untilEnd) != 0);
        if (inPeriod.All(f => f.IsNothing) && !hasStock && request.By.Count > 0)
        {
            return;
        }

        var of = inPeriod.Length > 0 ? inPeriod[0] : group.FirstOrDefault();
        var labels = request.By.Select(by => TimeLabel(by, days[0]) is { Length: > 0 } time ? time : PlaceLabel(by, of!));
        var untilTo = group.Where(f => f.Day < to).ToArray();
        rows.Add(string.Join(' ', labels), [.. request.Measures.Select(m => Measure(m, inPeriod, untilEnd, untilTo))]);
    }

    private static long? Measure(string measure, Fact[] facts, Fact[] untilEnd, Fact[] untilTo)
    {
        var flow = facts.SelectMany(f => f.ClosedThatDay).Order().ToArray();
        var cohort = facts.SelectMany(f => f.ClosedOfThatDay).Order().ToArray();
        return measure switch
        {
            "reported" => facts.Sum(f => f.Reported),
            "closed" => flow.Length,
            "cohort_closed" => cohort.Length,
            "closed_within_72h" => flow.Count(d => d <= 72 * 3_600),
            "cohort_closed_within_72h" => cohort.Count(d => d <= 72 * 3_600),
            "open_end_of_day" => Open(untilEnd),
            "open_at" => Open(untilTo),
            "overdue_at" => Overdue(untilTo),
            "due_for_closing" => facts.Sum(f => f.Handled) + Overdue(untilEnd),
            "p50" => Rank(cohort, 50),
            "p95" => Rank(cohort, 95),
            "flow_p90" => Rank(flow, 90),
            "mean" => cohort.Length == 0 ? null : cohort.Sum() / cohort.Length,
            "flow_mean" => flow.Length == 0 ? null : flow.Sum() / flow.Length,
            "handle_p50" => null,
            _ => throw new ArgumentOutOfRangeException(nameof(measure), measure, "not counted here"),
        };
    }

    private static long? Rank(long[] sorted, int percent) => sorted.Length == 0 ? null : sorted[(int)Math.Ceiling(sorted.Length * percent / 100m) - 1];

    private static long Open(Fact[] facts) => facts.Sum(f => (long)f.Reported - f.ClosedThatDay.Length);

    private static long Overdue(Fact[] facts) => facts.Sum(f => (long)f.BecameOverdue - f.OverdueHandled);

    private bool Includes(QueryRequest request, Fact fact)
    {
        var (province, districts) = ViewWorld.Cities[fact.City];
        return (request.Types_.Count == 0 || request.Types_.Contains(fact.Type) || request.Types_.Contains(ClassOf(fact.Type)))
            && (request.Sources.Count == 0 || request.Sources.Contains(fact.Source))
            && (request.Divisions.Count == 0 || request.Divisions.Any(d => d == "N" || d == province || d == fact.City || d == fact.District));
    }

    private string PlaceLabel(string by, Fact fact) => by switch
    {
        "province" => ViewWorld.Cities[fact.City].Province,
        "city" => fact.City,
        "district" => fact.District,
        "division" => withDistricts ? fact.District : fact.City,
        "type" => fact.Type,
        "class" => ClassOf(fact.Type),
        "source" => fact.Source,
        _ => "",
    };

    private static string ClassOf(string type) => type[0] == 'x' ? "99" : type[..2];

    private static string TimeLabel(string by, DateOnly day) => by switch
    {
        "day" => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        "week" => string.Create(CultureInfo.InvariantCulture, $"{ISOWeek.GetYear(day)}-W{ISOWeek.GetWeekOfYear(day):00}"),
        "month" => day.ToString("yyyy-MM", CultureInfo.InvariantCulture),
        "quarter" => string.Create(CultureInfo.InvariantCulture, $"{day.Year}-Q{1 + ((day.Month - 1) / 3)}"),
        "year" => day.ToString("yyyy", CultureInfo.InvariantCulture),
        _ => "",
    };
}
