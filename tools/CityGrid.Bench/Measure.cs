namespace CityGrid.Bench;

/// <summary>One goal of the performance page: what is divided by what, what must be reached and what is aimed for.</summary>
internal sealed record Goal(string Id, string What, Bound Gate, Bound Aim, string LimitedBy);

/// <summary>A bound on a figure: at least, or at most, so much.</summary>
internal readonly record struct Bound(double Value, bool AtLeast)
{
    public static Bound Least(double value) => new(value, true);

    public static Bound Most(double value) => new(value, false);

    public bool Holds(double figure) => AtLeast ? figure >= Value : figure <= Value;

    public override string ToString() => (AtLeast ? "≥ " : "≤ ") + Figures.Short(Value);
}

/// <summary>What came out: the figure (median of the rounds) with its spread, and a line of the raw figures behind it.</summary>
internal sealed record Outcome(Goal Goal, double? Figure, double Low, double High, string Detail, string? Skipped = null)
{
    public bool BelowGate => Figure is { } figure && !Goal.Gate.Holds(figure);

    public bool MissesAim => Figure is { } figure && !Goal.Aim.Holds(figure);
}

internal static class Figures
{
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? throw new ArgumentException("No values.", nameof(values))
            : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2]
            : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Three significant digits, more before the point, without an exponent for the sizes that occur.</summary>
    public static string Short(double value)
    {
        if (double.IsNaN(value) || value == 0)
        {
            return value == 0 ? "0" : "–";
        }

        var decimals = Math.Clamp(2 - (int)Math.Floor(Math.Log10(Math.Abs(value))), 0, 6);
        return value.ToString($"N{decimals}", System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Seconds that the work took.</summary>
    public static double Seconds(Action work)
    {
        var start = TimeProvider.System.GetTimestamp();
        work();
        return TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>A question is asked so often in a round: one alone takes less than the clock and the first compilation of the code do.</summary>
    public const int Questions = 50;

    /// <summary>Seconds that the work took, the mean of so many times.</summary>
    public static double MeanSeconds(int times, Action work) => Seconds(() =>
    {
        for (var time = 0; time < times; time++)
        {
            work();
        }
    }) / times;

    public static async Task<double> SecondsAsync(Func<Task> work)
    {
        var start = TimeProvider.System.GetTimestamp();
        await work();
        return TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>A figure that has no peer: the median of its rounds, with the smallest and the largest.</summary>
    public static Outcome Of(Goal goal, IReadOnlyCollection<double> rounds, string detail) => new(goal, Median(rounds), rounds.Min(), rounds.Max(), detail);

    /// <summary>
    /// Runs ours so often and throws the figures away: a node serves for months, and what it runs is compiled well only once it has run often. The peers
    /// are compiled beforehand.
    /// </summary>
    public static void Warm(int rounds, Func<double> ours)
    {
        for (var round = 0; round < rounds; round++)
        {
            ours();
        }
    }

    /// <summary>
    /// Runs ours and the peer's measure in turn, <paramref name="rounds"/> times, after one round that is thrown away. Each returns a rate or a
    /// time; the figure is the median of the rounds' ratios, so that a busy moment touches both sides of one ratio.
    /// </summary>
    public static Outcome Interleave(Goal goal, int rounds, string unit, Func<double> ours, Func<double> peer)
    {
        ours();
        peer();
        var ratios = new List<double>();
        var left = new List<double>();
        var right = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            left.Add(ours());
            right.Add(peer());
            ratios.Add(left[^1] / right[^1]);
        }

        var detail = $"{Short(Median(left))} {unit} against {Short(Median(right))} {unit}";
        return new Outcome(goal, Median(ratios), ratios.Min(), ratios.Max(), detail);
    }
}
