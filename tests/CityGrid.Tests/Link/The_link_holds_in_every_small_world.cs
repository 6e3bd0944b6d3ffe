using System.Globalization;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>
/// TIER-1x, small-scope exhaustive search (clauses L1 to L12; INV-7, INV-8, INV-9, INV-10, INV-11, INV-16, INV-21): one parent, two children, at most three
/// messages each, every order of delivery, with crashes, losses, duplicates, broken connections and restores. More than a million distinct worlds in all; ten
/// million with CITYGRID_STATES=10000000.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class The_link_holds_in_every_small_world
{
    private const int StatesInAll = 1_150_000;

    // A cell that rises and falls back to nothing, and an escalation between; two cells and an escalation; what cannot wait, twice.
    private static readonly (char Kind, int Name, int Value)[] Falling = [('c', 1, 5), ('x', 1, 1), ('c', 1, 0)];
    private static readonly (char Kind, int Name, int Value)[] Short = [('c', 1, 3), ('x', 2, 1)];
    private static readonly (char Kind, int Name, int Value)[] Wide = [('c', 1, 3), ('c', 2, 4), ('x', 1, 1)];
    private static readonly (char Kind, int Name, int Value)[] Changing = [('c', 1, 3), ('c', 2, 4), ('c', 1, 5), ('c', 3, 1)];
    private static readonly (char Kind, int Name, int Value)[] Urgent = [('x', 1, 1), ('x', 1, 2), ('c', 1, 1)];

    /// <summary>Worlds differ in what happens at the children and in what may go wrong: no state of one is a state of another.</summary>
    private static readonly (string Name, Faults Faults, (char Kind, int Name, int Value)[][] Scripts)[] Worlds =
    [
        ("two children with crashes", new Faults(Crashes: 2, 0, 0, 0, 0), [Falling, Short]),
        ("two children with duplicates and losses", new Faults(0, Losses: 1, Duplicates: 1, 0, 0), [Falling, Short]),
        ("one child with everything at once", new Faults(Crashes: 1, Losses: 1, Duplicates: 1, Breaks: 1, 0), [Wide]),
        ("one child that is restored", new Faults(Crashes: 1, 0, Duplicates: 1, Breaks: 1, Restores: 1), [Falling]),
        ("one child that is restored twice", new Faults(0, 0, 0, Breaks: 1, Restores: 2), [Wide]),
        ("one child that crashes and loses much", new Faults(Crashes: 2, Losses: 2, 0, 0, 0), [Wide]),
        ("one child that repeats itself", new Faults(0, 0, Duplicates: 3, Breaks: 1, 0), [Urgent]),
        ("two children of which one is restored", new Faults(0, Losses: 1, 0, 0, Restores: 1), [Short, Urgent]),
        ("two children whose lines break", new Faults(0, 0, 0, Breaks: 2, 0), [Wide, Short]),
        ("one urgent child that is restored while lines break", new Faults(Crashes: 1, Losses: 1, 0, Breaks: 1, Restores: 1), [Urgent]),
        ("one child that falls to nothing with everything at once", new Faults(Crashes: 1, Losses: 1, Duplicates: 1, Breaks: 1, 0), [Falling]),
        ("one child that cuts short and is restored", new Faults(0, 0, 0, Breaks: 1, Restores: 1), [Changing]),
        ("two urgent children", new Faults(Crashes: 1, 0, Duplicates: 1, 0, 0), [Urgent, Urgent]),
    ];

    private static long _states;
    private static int _searched;

    private static IEnumerable<TestCaseData> WorldsToSearch() => Enumerable.Range(0, Worlds.Length).Select(i => new TestCaseData(i).SetArgDisplayNames(Worlds[i].Name));

    [TestCaseSource(nameof(WorldsToSearch))]
    public void In(int world)
    {
        var wanted = int.TryParse(Environment.GetEnvironmentVariable("CITYGRID_STATES"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : StatesInAll;
        var rules = new SmallWorldRules(Planted.Nothing, Worlds[world].Scripts) { CellsACut = Worlds[world].Scripts[0] == Changing ? 1 : int.MaxValue };
        var result = new SmallWorldSearch(rules).Run(rules.Start(Worlds[world].Faults), wanted / Worlds.Length);
        TestContext.Out.WriteLine($"{result.States} states{(result.Exhausted ? ", which is all of them" : string.Empty)}");
        Interlocked.Add(ref _states, result.States);
        Interlocked.Increment(ref _searched);
        Assert.That(result.Fault, Is.Null, () => result.Fault + "\n  " + string.Join("\n  ", result.Way));
    }

    /// <summary>Where all worlds were searched they have a million states and more.</summary>
    [OneTimeTearDown]
    public void CountStates()
    {
        TestContext.Progress.WriteLine($"{_states} distinct states of small worlds");
        if (_searched == Worlds.Length && Environment.GetEnvironmentVariable("CITYGRID_STATES") is null)
        {
            Assert.That(_states, Is.GreaterThanOrEqualTo(1_000_000));
        }
    }
}
