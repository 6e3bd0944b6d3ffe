using System.Globalization;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>
/// TIER-1x, small-scope exhaustive search (clauses L1 to L12; INV-7, INV-8, INV-9, INV-10, INV-11, INV-16, INV-21): one parent and one or two children, with
/// crashes, losses, duplicates, broken connections, restores, overtakings, parts that the parent has no room for, and clones. The smallest worlds are searched to
/// their end: each kind of fault alone, and each two kinds together. Of the larger ones, in which frames overtake each other as often as they like so that
/// there is no end, as many states are looked at as are asked for: half of them the nearest to the start, half along walks from there. More than a million distinct states
/// in all; ten million with CITYGRID_STATES=10000000.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class The_link_holds_in_every_small_world
{
    private const int StatesInAll = 1_150_000;

    /// <summary>About how many states the worlds have in all that are searched to their end.</summary>
    private const int StatesToTheEnd = 785_000;

    // A cell that rises and falls back to nothing, and an escalation between; two cells and an escalation; what cannot wait, twice.
    private static readonly (char Kind, int Name, int Value)[] Falling = [('c', 1, 5), ('x', 1, 1), ('c', 1, 0)];
    private static readonly (char Kind, int Name, int Value)[] Short = [('c', 1, 3), ('x', 2, 1)];
    private static readonly (char Kind, int Name, int Value)[] Wide = [('c', 1, 3), ('c', 2, 4), ('x', 1, 1)];
    private static readonly (char Kind, int Name, int Value)[] WideAndFalling = [.. Wide, ('c', 1, 0)];
    private static readonly (char Kind, int Name, int Value)[] Changing = [('c', 1, 3), ('c', 2, 4), ('c', 1, 5), ('c', 3, 1)];
    private static readonly (char Kind, int Name, int Value)[] Urgent = [('x', 1, 1), ('x', 1, 2), ('c', 1, 1)];
    private static readonly (char Kind, int Name, int Value)[] UrgentTwice = [('x', 1, 1), ('c', 1, 2), ('x', 1, 2)];
    private static readonly (char Kind, int Name, int Value)[] OneCell = [('c', 1, 3)];
    private static readonly (char Kind, int Name, int Value)[] OneEscalation = [('x', 1, 1)];

    private static readonly Faults[] Passing =
    [
        Faults.None with { Crashes = 1 }, Faults.None with { Losses = 1 }, Faults.None with { Duplicates = 1 }, Faults.None with { Breaks = 1 },
        Faults.None with { Overtakings = 1 }, Faults.None with { Fulls = 1 },
    ];

    /// <summary>A clone is two of them: a copy is taken, and it runs.</summary>
    private static readonly Faults[] Kinds = [.. Passing, Faults.None with { Restores = 1 }, Faults.None with { Clones = 2 }];

    /// <summary>Worlds differ in what happens at the children, or in whether overtaking has an end: no state of one is a state of another.</summary>
    private static readonly World[] Worlds =
    [
        new("one child with each two kinds of faults", ToTheEnd: true, TwoOf(Kinds), Short),
        new("one child of two cells with each two kinds of faults that pass", ToTheEnd: true, TwoOf(Passing), Wide),
        new("one child that falls to nothing with each two kinds of faults that pass", ToTheEnd: true, TwoOf(Passing), Falling),
        new("one child of four messages with each kind of fault", ToTheEnd: true, Kinds, WideAndFalling),
        new("one child that cuts short with each kind of fault", ToTheEnd: true, Kinds, Changing),
        new("one cell with four kinds of faults at once", ToTheEnd: true, [Passing[0] + Passing[1] + Passing[2] + Passing[3]], OneCell),
        new("two children of one message with each kind of fault", ToTheEnd: true, Kinds, OneCell, OneEscalation),
        new("two children of three messages with each kind of fault that passes", ToTheEnd: true, Passing, Short, OneCell),
        new("two children of five messages", ToTheEnd: true, [Faults.None], Falling, Short),
        new("two children of six messages", ToTheEnd: true, [Faults.None], UrgentTwice, UrgentTwice),

        new("one child with everything at once", ToTheEnd: false, [new(1, 1, 1, 1, 0), new(0, 0, 0, Breaks: 1, Restores: 2), new(Crashes: 2, Losses: 2, 0, 0, 0)], Wide),
        new("one child that falls to nothing with everything at once", ToTheEnd: false, [new(1, 1, 1, 1, 0), new(1, 0, 1, 1, Restores: 1), new(1, 1, 1, 1, 1) { Fulls = 1, Clones = 3 }], Falling),
        new("one urgent child", ToTheEnd: false, [new(0, 0, Duplicates: 3, Breaks: 1, 0), new(1, 1, 0, 1, Restores: 1)], Urgent),
        new("one child that cuts short", ToTheEnd: false, [new(0, 0, 0, Breaks: 1, Restores: 1), new(0, Losses: 1, 0, 0, 0) { Clones = 3 }], Changing),
        new("two children", ToTheEnd: false, [new(Crashes: 2, 0, 0, 0, 0), new(0, Losses: 1, Duplicates: 1, 0, 0)], Falling, Short),
        new("two children of which one is restored", ToTheEnd: false, [new(0, Losses: 1, 0, 0, Restores: 1)], Short, Urgent),
        new("two children whose lines break", ToTheEnd: false, [new(0, 0, 0, Breaks: 2, 0)], Wide, Short),
        new("two urgent children", ToTheEnd: false, [new(Crashes: 1, 0, Duplicates: 1, 0, 0)], Urgent, Urgent),
    ];

    private static long _states;
    private static int _searched;

    private static IEnumerable<TestCaseData> WorldsToSearch() => Worlds.Select(world => new TestCaseData(world).SetArgDisplayNames(world.Name));

    [TestCaseSource(nameof(WorldsToSearch))]
    public void In(object searched)
    {
        var world = (World)searched;
        var wanted = int.TryParse(Environment.GetEnvironmentVariable("CITYGRID_STATES"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : StatesInAll;
        var rules = new SmallWorldRules(Planted.Nothing, world.Scripts) { CellsACut = world.Scripts[0] == Changing ? 1 : int.MaxValue };
        var search = new SmallWorldSearch(rules, [.. world.Faults.Select(rules.Start)]);
        var result = search.Run(world.ToTheEnd ? int.MaxValue : Math.Max(wanted - StatesToTheEnd, 0) / Worlds.Count(other => !other.ToTheEnd));
        TestContext.Out.WriteLine($"{result.States} states{(result.Exhausted ? ", which is all of them" : string.Empty)}");
        Interlocked.Add(ref _states, result.States);
        Interlocked.Increment(ref _searched);
        Assert.That(result.Fault, Is.Null, () => result.Fault + "\n  " + string.Join("\n  ", result.Way));
        Assert.That(result.Exhausted || !world.ToTheEnd, Is.True, "It was not searched to its end.");
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

    private static Faults[] TwoOf(Faults[] kinds) => [.. kinds.SelectMany((one, i) => kinds[(i + 1)..].Select(other => one + other))];

    private sealed record World(string Name, bool ToTheEnd, Faults[] Faults, params (char Kind, int Name, int Value)[][] Scripts);
}
