using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Tally;

/// <summary>Clause M1: whoever reads the contract knows every counter that the code knows, and no other.</summary>
public sealed class The_table_of_counters_stands_in_the_contract
{
    private static readonly string[][] Rows =
        [.. File.ReadAllLines(Path.Combine(Machine.Repository, "protocol", "README.md"))
            .SkipWhile(l => !l.StartsWith("### M1", StringComparison.Ordinal))
            .TakeWhile(l => !l.StartsWith("### M2", StringComparison.Ordinal))
            .Select(l => l.Split('|', StringSplitOptions.TrimEntries))
            .Where(f => f.Length > 4 && ushort.TryParse(f[1], out _))];

    [Test]
    public void Each_counter_with_id_name_and_family() =>
        Assert.That(
            Rows.Where(f => f.Length == 6).Select(f => $"{f[1]} {f[2]} {f[3]}"),
            Is.EqualTo(Counter.All.OrderBy(c => c.Id).Select(c => $"{c.Id} `{c.Name}` {Word(c.Family)}")));

    [Test]
    public void Each_histogram_with_its_counters() =>
        Assert.That(
            Rows.Where(f => f.Length == 7).Select(f => string.Join(' ', f[1..6])),
            Is.EqualTo(Histogram.All.Select(h => $"{h.Id} `{h.Name}` {Word(h.Family)} `{h.Total.Name}` `{h.Seconds.Name}`")));

    private static string Word(CounterFamily family) => family == CounterFamily.Flow ? "flow" : "cohort";
}
