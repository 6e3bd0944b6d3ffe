using CityGrid.Cli.Simulation;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// INV-29: one more child of some node, with a sound certificate of its own place, says all that it must not, in the midst of every other fault. Each lie is answered with its code, and of everybody
/// else every figure, statement, escalation and order is at every tier exactly what it is without it; nobody else is set aside.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class A_child_that_lies_harms_nobody_else
{
    private static readonly int Stories = Machine.IsPullRequest ? 60 : 12;

    [Test]
    public void Whatever_it_says()
    {
        var met = new SometimesTable();
        for (var seed = 1UL; seed <= (ulong)Stories; seed++)
        {
            var outcome = StoryOutcome.Of(StoryPlan.WithHostile(seed, StoryBounds.Brief));
            Assert.That(outcome.Broken, Is.Null, outcome.Line);
            met.Add(outcome.Sometimes);
        }

        Assert.That(HostileChild.Conditions.Where(condition => met[condition] == 0), Is.Empty, "each lie was told");
    }

    [Test]
    public void Told_twice_it_is_one_story() => Assert.That(StoryOutcome.Twice(StoryPlan.WithHostile(7, StoryBounds.Brief)).Broken, Is.Null);

    /// <summary>Stories without a liar are those that they were before there was one.</summary>
    [Test]
    public void It_is_drawn_from_a_stream_of_its_own()
    {
        var drawn = Enumerable.Range(1, 400).Select(seed => StoryPlan.Drawn((ulong)seed, StoryBounds.Short)).ToArray();
        var liars = drawn.Count(plan => plan.Has(FaultKind.HostileChild));
        Assert.That(liars, Is.InRange(50, 150));
        Assert.That(drawn.Where(plan => plan.Has(FaultKind.HostileChild)).All(plan => plan.Nodes > 1), Is.True);
        Assert.That(drawn[0].ToString(), Is.EqualTo(
            "seed=1 nodes=2 levels=2 steps=32 faults=LateReplay,Break,Clog,PowerCut,Restore,Clone,LostDirectory,ParentRestored,ClockOff,ClockDrift,Snapshot also=Orders,Packages"));
        Assert.That(drawn[3].ToString(), Is.EqualTo("seed=4 nodes=4 levels=2 steps=22 faults=Kill,OldCopy,LostDirectory,FullDisk also=Orders,Packages"));
        Assert.That(drawn[9].ToString(), Is.EqualTo("seed=10 nodes=4 levels=3 steps=20 faults=HalfPartition,Kill,Restore,OldCopy,ClockOff,HostileChild,OldProgram also=Orders,Packages"));
    }
}
