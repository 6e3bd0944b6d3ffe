using System.Globalization;
using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Views;

/// <summary>Cases in stock (在办), and overdue, unhandled ones among them, at the end of a row's last day and at the end of the whole period: running sums of flows.</summary>
public readonly record struct RowStocks(long OpenAtEnd, long OverdueAtEnd, long OpenAtTo, long OverdueAtTo);

/// <summary>
/// A figure of a row, by the same formula at every tier: a counter, a count within a boundary, a stock, a percentile or a mean. Null where there is
/// nothing to measure: that is not zero.
/// </summary>
/// <param name="Name">As asked for.</param>
/// <param name="Reads">The histogram that it needs; null for none.</param>
/// <param name="NeedsStocks">True where it needs what came before the period, too.</param>
/// <param name="Of">The formula.</param>
public sealed record ViewMeasure(string Name, Histogram? Reads, bool NeedsStocks, Func<CellSum, RowStocks, long?> Of)
{
    private const string FlowWithin = "closed_within_";
    private const string CohortWithin = "cohort_closed_within_";
    private const string HandledWithin = "cohort_handled_within_";

    private static readonly (string Prefix, Histogram Histogram)[] Durations =
        [("handle_", Histogram.FileToHandle), ("flow_", Histogram.ReportToCloseFlow), (string.Empty, Histogram.ReportToClose)];

    private static readonly (string Prefix, Histogram Histogram)[] Boundaries =
        [(FlowWithin, Histogram.ReportToCloseFlow), (CohortWithin, Histogram.ReportToClose), (HandledWithin, Histogram.FileToHandle)];

    /// <summary>Reads a measure's name, or answers what there is.</summary>
    public static ViewMeasure? Read(string word, out Refusal? refusal)
    {
        refusal = null;
        if (Counter.Find(word) is { } counter)
        {
            return new ViewMeasure(word, null, false, (sum, _) => sum[counter]);
        }

        var measure = Stock(word) ?? Duration(word) ?? Within(word, out refusal);
        if (measure is null)
        {
            refusal ??= new Refusal(
                "MEASURE_UNKNOWN",
                $"'{(word.Length <= 40 ? word : word[..40] + "…")}' is no measure. There are the counters ({string.Join(", ", Counter.All.Select(c => c.Name))}), "
                + $"{FlowWithin}72h and its like (also {CohortWithin}…, {HandledWithin}…; a whole number of min, h or d), open_end_of_day, open_at, overdue_at, due_for_closing, "
                + "and p50, p90, p95, mean, each also with flow_ or handle_ in front.",
                "measures");
        }

        return measure;
    }

    private static ViewMeasure? Stock(string word) => word switch
    {
        "open_end_of_day" => new ViewMeasure(word, null, true, (_, stocks) => stocks.OpenAtEnd),
        "open_at" => new ViewMeasure(word, null, true, (_, stocks) => stocks.OpenAtTo),
        "overdue_at" => new ViewMeasure(word, null, true, (_, stocks) => stocks.OverdueAtTo),
        // 应结案数 = 处置数 + 超期未处置数 (GB/T 30428.4): a case still inside its limit is not due.
        "due_for_closing" => new ViewMeasure(word, null, true, (sum, stocks) => sum[Counter.Handled] + stocks.OverdueAtEnd),
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
                return new ViewMeasure(word, null, false, (sum, _) => sum.Mean(histogram));
            }

            if (rest.Length is 2 or 3 && rest[0] == 'p' && rest[1] != '0' && int.TryParse(rest.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var percent))
            {
                return new ViewMeasure(word, histogram, false, (sum, _) => sum.Percentile(histogram, percent));
            }
        }

        return null;
    }

    private static ViewMeasure? Within(string word, out Refusal? refusal)
    {
        refusal = null;
        foreach (var (prefix, histogram) in Boundaries)
        {
            if (!word.StartsWith(prefix, StringComparison.Ordinal) || SecondsOf(word[prefix.Length..]) is not { } seconds)
            {
                continue;
            }

            if (DurationEdges.IsEdge(seconds, out var bucket))
            {
                return new ViewMeasure(word, histogram, false, (sum, _) => sum.Within(histogram, seconds));
            }

            refusal = new Refusal("BOUNDARY_UNKNOWN", $"'{word}' ends at no boundary that is counted exactly; the nearest are {Nearest(prefix, bucket)}.", "measures");
        }

        return null;
    }

    /// <summary>The boundaries next to a bucket that have a name: whole minutes.</summary>
    private static string Nearest(string prefix, int bucket)
    {
        var below = Enumerable.Range(1, bucket - 1).Reverse().Select(DurationEdges.Edge).First(e => e % 60 == 0);
        var above = Enumerable.Range(bucket, DurationEdges.Overflow - bucket).Select(DurationEdges.Edge).FirstOrDefault(e => e % 60 == 0);
        return above == 0 ? prefix + TextOf(below) : $"{prefix}{TextOf(below)} and {prefix}{TextOf(above)}";
    }

    private static string TextOf(long seconds)
    {
        var (unit, word) = seconds % 86_400 == 0 && seconds > 3 * 86_400 ? (86_400, "d") : seconds % 3600 == 0 ? (3600, "h") : (60, "min");
        return (seconds / unit).ToString(CultureInfo.InvariantCulture) + word;
    }

    private static long? SecondsOf(string text)
    {
        var digits = text.TakeWhile(char.IsAsciiDigit).Count();
        if (digits is 0 or > 9 || text[0] == '0')
        {
            return null;
        }

        var count = long.Parse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture);
        return text[digits..] switch
        {
            "min" => count * 60,
            "h" => count * 3600,
            "d" => count * 86_400,
            _ => null,
        };
    }
}
