using System.Globalization;
using NUnit.Framework;

namespace CityGrid.Tests.Mutants;

/// <summary>
/// The oracles of the stories are tried themselves: each planted bug must be found (reliability 4.5). What runs with every change is one trial each of those that
/// die soon; the table in docs/mutants.md is written by <c>CITYGRID_MUTANTS=$PWD/docs/mutants.md dotnet test --filter FullyQualifiedName~Mutants</c>. The rows of those that a filter leaves out
/// stay as they stand in it.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class Every_mutant_is_killed
{
    /// <summary>A mutant that lives longer is worth a wider workload, or a written reason.</summary>
    private const int StoriesMax = 500;

    /// <summary>What a change waits for: those that die of a handful of stories by the table have ten times as many.</summary>
    private const int StoriesSoon = 60;

    /// <summary>One that may live is not told so many.</summary>
    private const int StoriesOfHarmless = 50;

    private const int Trials = 5;

    private static readonly string? Table = Environment.GetEnvironmentVariable("CITYGRID_MUTANTS");
    private static readonly SortedDictionary<string, string> Rows = Standing();

    /// <summary>The slow ones, and those that may live, are tried where the table is written, and only there.</summary>
    private static IEnumerable<TestCaseData> MutantsToKill() =>
        AllMutants.All.Index().Where(one => Table is not null || (one.Item.Harmless is null && !SlowToDie.Contains(one.Item.Name)))
            .Select(one => new TestCaseData(one.Index).SetArgDisplayNames(one.Item.ToString()));

    [TestCaseSource(nameof(MutantsToKill))]
    public void By_stories(int number)
    {
        var mutant = AllMutants.All[number];
        if (Table is null)
        {
            Assert.That(mutant.KilledBy(1, StoriesSoon), Is.Not.Null, $"{mutant} lived through {StoriesSoon} stories.");
            return;
        }

        var trials = new List<int?>();
        for (var trial = 0; trial < Trials && (trial == 0 || trials[0] is not null); trial++)
        {
            trials.Add(mutant.KilledBy((ulong)(trial * 1000) + 1, mutant.Harmless is null ? StoriesMax : StoriesOfHarmless));
        }

        var median = trials.Order().ElementAt(trials.Count / 2);
        lock (Rows)
        {
            Rows[$"{number:D3}"] = median is { } stories
                ? string.Create(CultureInfo.InvariantCulture, $"| {mutant.Area} | {mutant.Name} | {stories} | |")
                : $"| {mutant.Area} | {mutant.Name} | lives | {mutant.Harmless} |";
            File.WriteAllText(Table, Document());
        }

        Assert.That(median is not null || mutant.Harmless is not null, Is.True, $"{mutant} lived through {StoriesMax} stories.");
    }

    /// <summary>Found by no dozen of stories, or not by the first.</summary>
    private static readonly HashSet<string> SlowToDie =
    [
        "the chain is not compared", "a quarantine is not written", "the hello hides the newest epoch", "two readings of a cut are not told apart", "a new segment's entry is not made durable",
        "recovery cuts a whole frame with the incomplete one", "recovery does not make its cut durable", "recovery trusts what it reads without having synced it",
    ];

    /// <summary>The rows of the table as it is, by the number of their mutant.</summary>
    private static SortedDictionary<string, string> Standing()
    {
        var lines = Table is not null && File.Exists(Table) ? File.ReadAllLines(Table) : [];
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (number, mutant) in AllMutants.All.Index())
        {
            if (lines.FirstOrDefault(line => line.StartsWith($"| {mutant.Area} | {mutant.Name} |", StringComparison.Ordinal)) is { } row)
            {
                rows[$"{number:D3}"] = row;
            }
        }

        return rows;
    }

    private static string Document() =>
        $"""
        # Mutants: are the oracles any good?

        Bugs planted in front of the real code or behind it, and how many stories of the simulation (`citygrid simulate`) it takes to find each: the median of {Trials}
        trials with seeds of their own, at most {StoriesMax} stories a trial. Written by
        `CITYGRID_MUTANTS=$PWD/docs/mutants.md dotnet test tests/CityGrid.Tests --filter FullyQualifiedName~Mutants`. Thirteen more of the link are found by the search over small
        worlds (`Link/Planted_faults_are_found`), and those of the journal also by its own search over crash states (`Journal/A_journal_survives_every_crash`). Those of authority and judge, and of a given name,
        are met by a liar alone: each of their stories has one more child of some node that says what it must not.

        | of | what is wrong | stories to find it | why it may live |
        |---|---|---|---|
        {string.Join('\n', Rows.Values)}

        """;
}
