using System.Globalization;
using System.Text;

namespace CityGrid.Bench;

/// <summary>Writes docs/performance.md: each figure with its gate, its goal and what limits it, all of one run.</summary>
internal static class Report
{
    public static string Markdown(IReadOnlyList<Outcome> outcomes, string machine, DateTimeOffset when)
    {
        var text = new StringBuilder();
        text.AppendLine("# Performance, as measured");
        text.AppendLine();
        text.AppendLine("Written by `dotnet run -c Release --project tools/CityGrid.Bench`. A figure with ÷ is a ratio of two measures taken in turn in one run on");
        text.AppendLine("one machine, the median of the rounds, with the smallest and largest in brackets. Absolute numbers move by 2 to 4 times with the");
        text.AppendLine("machine's other load; ratios are what to compare. The command exits 1 when a figure is below its *gate*; the *goal* is what is aimed for.");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{when:yyyy-MM-dd}, {machine}.");
        text.AppendLine();
        text.AppendLine("| # | what | figure | gate | goal | behind it | what limits it |");
        text.AppendLine("|---|---|---|---|---|---|---|");
        foreach (var outcome in outcomes)
        {
            var figure = outcome.Figure is { } value
                ? $"**{Figures.Short(value)}** [{Figures.Short(outcome.Low)}..{Figures.Short(outcome.High)}]{(outcome.BelowGate ? " BELOW THE GATE" : outcome.MissesAim ? " (goal missed)" : string.Empty)}"
                : $"skipped: {outcome.Skipped}";
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {outcome.Goal.Id} | {outcome.Goal.What} | {figure} | {outcome.Goal.Gate} | {outcome.Goal.Aim} | {outcome.Detail} | {outcome.Goal.LimitedBy} |");
        }

        return text.ToString();
    }
}
