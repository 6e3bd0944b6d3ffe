using System.Globalization;
using CityGrid.Cli.Simulation;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>What <c>citygrid simulate</c> ends with: 1 where a story broke, and in a night where a condition that stories must meet was never met.</summary>
public sealed class A_night_says_what_it_did_not_meet
{
    [TestCase(false, 0)]
    [TestCase(true, 1)]
    public void One_node_alone_meets_few_conditions(bool isNight, int code)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        Assert.That(SimulateCommand.Run(new SeedRange(1, 1), new StoryBounds(1, 1, 1), isNight, output), Is.EqualTo(code), output.ToString());
    }

    [Test]
    public void Every_single_condition_counts()
    {
        Assert.That(Code(SometimesTable.Wanted), Is.Zero);
        foreach (var wanted in SometimesTable.Wanted)
        {
            Assert.That(Code(SometimesTable.Wanted.Where(condition => condition != wanted)), Is.EqualTo(1), wanted);
        }
    }

    [Test]
    public void A_story_that_broke_is_enough([Values] bool isNight) => Assert.That(Code(SometimesTable.Wanted, isNight, "something"), Is.EqualTo(1));

    [Test]
    public void By_day_nothing_need_be_met() => Assert.That(Code([], isNight: false), Is.Zero);

    [Test]
    public void No_condition_is_counted_that_the_table_does_not_know()
    {
        Assert.That(() => new SometimesTable().Reached("the moon was full"), Throws.ArgumentException);
        Assert.That(SometimesTable.Wanted, Is.Unique);
        Assert.That(SometimesTable.Wanted, Does.Contain("a node was cut off for 30 days"));
        Assert.That(SometimesTable.Wanted, Is.SupersetOf(HostileChild.Conditions));
    }

    private static int Code(IEnumerable<string> met, bool isNight = true, string? broken = null)
    {
        var (table, tally) = (new SometimesTable(), new StoryTally());
        foreach (var condition in met)
        {
            table.Reached(condition);
        }

        tally.Add(new StoryOutcome(StoryPlan.Drawn(1, StoryBounds.Short), broken, string.Empty, 0, table, []));
        return tally.Print(TextWriter.Null, isNight);
    }
}
