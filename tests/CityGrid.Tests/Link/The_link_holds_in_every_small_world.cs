using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>
/// Small-scope exhaustive search (clauses L1 to L12; INV-7, INV-8, INV-9, INV-10, INV-11, INV-16, INV-21): one parent, two children, at most three
/// messages each, every order of delivery, with crashes, losses, duplicates, broken connections and restores.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class The_link_holds_in_every_small_world
{
    // A cell that rises and falls back to nothing, and an escalation between; two cells and an escalation.
    private static readonly (char Kind, int Name, int Value)[] First = [('c', 1, 5), ('x', 1, 1), ('c', 1, 0)];
    private static readonly (char Kind, int Name, int Value)[] Second = [('c', 1, 3), ('x', 2, 1)];
    private static readonly (char Kind, int Name, int Value)[] Wide = [('c', 1, 3), ('c', 2, 4), ('x', 1, 1)];

    [Test]
    public void Two_children_with_crashes() => Holds(new Faults(Crashes: 2, 0, 0, 0, 0), First, Second);

    [Test]
    public void Two_children_with_duplicates_and_losses() => Holds(new Faults(0, Losses: 1, Duplicates: 1, 0, 0), First, Second);

    [Test]
    public void One_child_with_everything_at_once() => Holds(new Faults(Crashes: 1, Losses: 1, Duplicates: 1, Breaks: 1, 0), Wide);

    [Test]
    public void One_child_that_is_restored() => Holds(new Faults(Crashes: 1, 0, Duplicates: 1, Breaks: 1, Restores: 1), First);

    [Test]
    public void One_child_that_is_restored_twice() => Holds(new Faults(0, 0, 0, Breaks: 1, Restores: 2), Wide);

    private static void Holds(Faults faults, params (char Kind, int Name, int Value)[][] scripts)
    {
        var rules = new SmallWorldRules(Planted.Nothing, scripts);
        var result = new SmallWorldSearch(rules).Run(rules.Start(faults), 60_000);
        TestContext.Out.WriteLine($"{result.States} states{(result.Exhausted ? ", which is all of them" : string.Empty)}");
        Assert.That(result.Fault, Is.Null, () => result.Fault + "\n  " + string.Join("\n  ", result.Way));
    }
}
