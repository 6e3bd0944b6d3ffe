using System.Globalization;
using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Views;

/// <summary>Stocks at the ends of a row: running sums of flows from the first day held.</summary>
public readonly record struct RowStocks(long OpenAtEnd, long OpenAtTo, long OverdueAtTo);

/// <summary>
/// A figure of a row, by the same formula at every tier: a counter, a count within a boundary, a stock, a percentile or a mean. Null where there is
/// nothing to measure: that is not zero.
/// </summary>
public sealed record ViewMeasure(string Name, bool NeedsHistograms, bool NeedsStocks, Func<CellSum, RowStocks, long?> Of)
{
    private const string FlowWithin = "closed_within_";
    private const string CohortWithin = "cohort_closed_within_";
    private const string HandledWithin = "cohort_handled_within_";

    private static readonly (string Prefix, Histogram Histogram)[] Durations =
        [("handle_", Histogram.FileToHandle), ("flow_", Histogram.ReportToCloseFlow), (string.Empty, Histogram.ReportToClose)];

    /// <summary>Reads a measure's name, or answers what there is.</summary>
    public static ViewMeasure? Read(string word, out Refusal? refusal)
    {
        refusal = null;
        if (Counter.Find(word) is { } counter)
        {
            return new ViewMeasure(word, false, false, (sum, _) => sum[counter]);
        }

        var measure = Stock(word) ?? Duration(word) ?? Within(word, out refusal);
        if (measure is null)
        {
            refusal ??= new Refusal(
                "MEASURE_UNKNOWN",
                $"'{(word.Length <= 40 ? word : word[..40] + "…")}' is no measure. There are the counters ({string.Join(", ", Counter.All.Select(c => c.Name))}), "
                + "closed_within_72h and its like (also cohort_closed_within_, cohort_handled_within_; units min, h, d), open_end_of_day, open_at, overdue_at, due_for_closing, "
                + "and p50, p90, p95, mean, each also with flow_ or handle_ in front.",
                "measures");
        }

        return measure;
    }

    private static ViewMeasure? Stock(string word) => word switch
    {
        "open_end_of_day" => new ViewMeasure(word, false, true, (_, stocks) => stocks.OpenAtEnd),
        "open_at" => new ViewMeasure(word, false, true, (_, stocks) => stocks.OpenAtTo),
        "overdue_at" => new ViewMeasure(word, false, true, (_, stocks) => stocks.OverdueAtTo),
        // 应结案数 = 处置数 + 超期未处置数 (standards.md 2.9): a case still inside its limit is not due.
        "due_for_closing" => new ViewMeasure(word, false, true, (sum, stocks) => sum[Counter.Handled] + stocks.OverdueAtTo),
        _ => null,
    };

    private static ViewMeasure? Duration(string word)
    {
        foreach (var (prefix, histogram) in Durations)
        {
            if (!word.StartsWith(prefix, StringComparison.Ordinal))
            {
                continue;
            }

            var rest = word[prefix.Length..];
            if (rest == "mean")
            {
                return new ViewMeasure(word, false, false, (sum, _) => sum.Mean(histogram));
            }

            if (rest.Length is 2 or 3 && rest[0] == 'p' && int.TryParse(rest.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var percent) && percent is >= 1 and <= 99)
            {
                return new ViewMeasure(word, true, false, (sum, _) => sum.Percentile(histogram, percent));
            }
        }

        return null;
    }

    private static ViewMeasure? Within(string word, out Refusal? refusal)
    {
        refusal = null;
        var (prefix, histogram) = word.StartsWith(CohortWithin, StringComparison.Ordinal) ? (CohortWithin, Histogram.ReportToClose)
            : word.StartsWith(HandledWithin, StringComparison.Ordinal) ? (HandledWithin, Histogram.FileToHandle)
            : word.StartsWith(FlowWithin, StringComparison.Ordinal) ? (FlowWithin, Histogram.ReportToCloseFlow)
            : (null, null);
        if (prefix is null)
        {
            return null;
        }

        if (SecondsOf(word[prefix.Length..]) is not { } seconds || !DurationEdges.IsEdge(seconds, out _))
        {
            refusal = new Refusal("BOUNDARY_UNKNOWN", $"'{word}' does not end at a boundary that is counted exactly; there are 15min, 30min, 1h, 2h, 4h, 8h, 24h, 48h, 72h, 5d, 7d, 10d, 15d, 30d, 60d, 90d, 180d and 365d.", "measures");
            return null;
        }

        return new ViewMeasure(word, true, false, (sum, _) => sum.Within(histogram!, seconds));
    }

    private static long? SecondsOf(string text)
    {
        var digits = text.TakeWhile(char.IsAsciiDigit).Count();
        if (digits is 0 or > 5 || !long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            return null;
        }

        return text[digits..] switch
        {
            "min" => count * 60,
            "h" => count * 3600,
            "d" => count * 86_400,
            _ => null,
        };
    }
}
