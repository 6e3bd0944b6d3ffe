using System.Globalization;
using CityGrid.Cli.Simulation;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// TIER-2: whole trees of one to seven nodes on up to four levels, in one thread a story, on virtual time, with every fault that a seed allows. Whatever happened,
/// after all is healed every edge is equal bit for bit, everything acknowledged is there once, and the cells are those of a recount; and at each step no
/// revision has fallen, no two histories of one stream were taken, and a parent's copy is what its child had. Orders go down meanwhile and have one end each, the same
/// everywhere; versions of the catalogue are taken once each and filed by (INV-1, 4, 7 to 16, 19, 21, 22, 31, 32, K1 to K6).
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class A_tree_in_bad_weather_ends_equal
{
    private static readonly int Seeds = Machine.IsPullRequest ? 700 : 100;
    private const int SeedsOfSeven = 300;
    private const int SeedsAtOnce = 50;
    private const ulong TwiceEvery = 100;
    private const int ShrunkBy = 100;

    /// <summary>A failing seed is run alone by naming it here: CITYGRID_SEED=17.</summary>
    private static IEnumerable<TestCaseData> SeedsToRun() =>
        ulong.TryParse(Environment.GetEnvironmentVariable("CITYGRID_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var one)
            ? [new TestCaseData(one, one)]
            : InParts(Seeds);

    private static IEnumerable<TestCaseData> SeedsOfSevenToRun() => InParts(SeedsOfSeven);

    private static IEnumerable<TestCaseData> InParts(int seeds) =>
        Enumerable.Range(0, seeds / SeedsAtOnce).Select(part => new TestCaseData((ulong)((part * SeedsAtOnce) + 1), (ulong)((part + 1) * SeedsAtOnce)));

    /// <summary>Stories that broke once, each as small as it could be made, with what was wrong; they are told again for ever.</summary>
    private static readonly string[] Kept =
    [
        // A cut was read again with other parts of the same number, and a part of it was taken for one that was applied.
        "seed=413 nodes=6 levels=4 steps=31 faults=none",
        "seed=254 nodes=7 levels=4 steps=14 faults=Reorder,ClockDrift out=98,111,117,162,245",

        // A county that lost its directory never said that its earlier life was over.
        "seed=286 nodes=4 levels=4 steps=27 faults=LostDirectory out=238,270,686",

        // Orders went out in another order in each telling.
        "seed=200 nodes=4 levels=4 steps=3 faults=Loss,Replay,LateReplay,Break,Kill out=4",

        // A parent lost its directory and its child went back to an old copy before it was heard again: no one was left who knew that there had been another history.
        "seed=10071 nodes=5 levels=3 steps=11 faults=Partition,PowerCut,OldCopy,ParentLost also=Orders,Packages",

        // A cell in a county's name went up before the county was heard of, its city let go of it, and the province kept it.
        "seed=40094 nodes=4 levels=4 steps=1 faults=HostileChild",

        // One of two clones sent a part of its cut and was cut off; the other stood at the same cursor, had come further and went on, and nobody saw that there were two.
        "seed=41324 nodes=7 levels=3 steps=18 faults=Reorder,Partition,PowerCut,CrashInRecovery,Clone also=Orders,Packages out=229,361,482",

        // One of two clones had left out of its cut what had changed there since; the other stood at the same cursor and never told it.
        "seed=51593 nodes=2 levels=2 steps=21 faults=Loss,Reorder,Clog,Kill,Restore,Clone,ParentRestored,ParentLost,DiskError also=Orders out=2,34",

        // A province that had lost everything had seen its city's later epoch; an old copy came and it was forgotten, and granted once more.
        "seed=60409 nodes=3 levels=3 steps=17 faults=HalfPartition,Restore,OldCopy,ParentLost out=6,16,44,75",
    ];

    [TestCaseSource(nameof(SeedsToRun))]
    public void Every_seed_ends_well(ulong first, ulong last) => Tell(first, last, seed => StoryPlan.Drawn(seed, StoryBounds.Short));

    /// <summary>A ministry, two provinces and four cities.</summary>
    [TestCaseSource(nameof(SeedsOfSevenToRun))]
    public void Every_tree_of_seven_ends_well(ulong first, ulong last) => Tell(first, last, seed => StoryPlan.OfSeven(seed, StoryBounds.Brief));

    private static void Tell(ulong first, ulong last, Func<ulong, StoryPlan> planOf)
    {
        for (var seed = first; seed <= last; seed++)
        {
            Func<StoryPlan, StoryOutcome> tell = seed % TwiceEvery == 0 ? StoryOutcome.Twice : plan => StoryOutcome.Of(plan);
            var outcome = tell(planOf(seed));
            if (outcome.Broken is not null)
            {
                var smallest = Shrinking.Smallest(outcome, ShrunkBy, tell);
                Assert.Fail($"{outcome.Line}: {outcome.Broken}\nThe smallest story that still breaks: {smallest.Line}\n{smallest.Broken}");
            }
        }
    }

    [TestCaseSource(nameof(Kept))]
    public void What_broke_once_is_told_again(string line)
    {
        Assert.That(StoryPlan.TryParse(line, out var plan), Is.True, line);
        Assert.That(StoryOutcome.Twice(plan).Broken, Is.Null);
    }

    [Test]
    public void A_tree_that_talks_to_itself_without_end_breaks_its_story()
    {
        var tree = new SimulatedTree(seed: 1, provinces: 1, citiesEach: 1);
        tree.Run(TimeSpan.FromHours(1));
        void Again() => tree.Time.After(TimeSpan.FromMilliseconds(10), Again);
        Again();
        var steps = tree.Time.Steps;
        Assert.That(() => tree.Run(TimeSpan.FromDays(1)), Throws.TypeOf<StoryBrokenException>().With.Message.Contain("INV-31"));
        Assert.That(tree.Time.Steps - steps, Is.LessThan(300_000), "it does not wait for the end of the day");
    }

    [Test]
    public void A_plan_is_one_line_and_comes_back_from_it()
    {
        for (var seed = 1UL; seed <= 500; seed++)
        {
            var plan = StoryPlan.Drawn(seed, StoryBounds.Nightly) with { LeftOut = [(int)seed, 7] };
            Assert.That(StoryPlan.TryParse($"{plan} hash=0123", out var read), Is.True);
            Assert.That(read.ToString(), Is.EqualTo(plan.ToString()));
            var seven = StoryPlan.OfSeven(seed, StoryBounds.Brief);
            Assert.That(StoryPlan.TryParse(seven.ToString(), out read), Is.True);
            Assert.That((read.IsOfSeven, read.ToString()), Is.EqualTo((true, seven.ToString())));
        }
    }

    [TestCase("")]
    [TestCase("seed=1")]
    [TestCase("seed=1 nodes=2 levels=3 steps=1 faults=none")]
    [TestCase("seed=1 nodes=2 levels=1 steps=1 faults=none")]
    [TestCase("seed=1 nodes=2 levels=2 steps=-1 faults=none")]
    [TestCase("seed=1 nodes=2 levels=2 steps=1 faults=Rain")]
    [TestCase("seed=1 nodes=2 levels=2 steps=1 also=Songs")]
    [TestCase("seed=1 nodes=2 levels=2 steps=1 out=x")]
    [TestCase("seed=1 nodes=6 levels=3 steps=1 faults=none tree=1+2+4")]
    [TestCase("seed=1 nodes=7 levels=3 steps=1 faults=none tree=1+3+3")]
    public void What_is_no_plan_is_not_taken_for_one(string line) => Assert.That(StoryPlan.TryParse(line, out _), Is.False);
}
