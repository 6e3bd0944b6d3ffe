using CityGrid.Cli.Simulation;
using CityGrid.Node.Cases;
using CityGrid.Protocol.V1;
using NodaTime.Text;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// Item 8, L9, RULE-10 with whole nodes: what each rule raises goes up at once, hop by hop, as far as it must and no further; each tier lists it with its
/// state and says when it came.
/// </summary>
public sealed class An_escalation_reaches_the_tier_that_must_know
{
    private SmallTree _tree = null!;

    [SetUp]
    public void Begin()
    {
        _tree = new SmallTree();

        // Every link stands, and no scheduled push is near.
        _tree.Run(TimeSpan.FromMinutes(2));
    }

    [TestCase(EmergencyGrade.General, 0)]
    [TestCase(EmergencyGrade.Larger, 1)]
    [TestCase(EmergencyGrade.Serious, 2)]
    [TestCase(EmergencyGrade.EspeciallySerious, 2)]
    public void By_the_grade_given_at_intake(EmergencyGrade grade, int hops)
    {
        _tree.Report(_tree.City, 1, SmallTree.Refuse, 1, grade);
        Reaches("grade", hops, EscalationState.Open);
    }

    [TestCase(EmergencyGrade.Unspecified, 0)]
    [TestCase(EmergencyGrade.Larger, 1)]
    [TestCase(EmergencyGrade.Serious, 2)]
    public void By_urgency_as_far_as_the_grade_demands(EmergencyGrade grade, int hops)
    {
        var id = _tree.Report(_tree.City, 1, SmallTree.Cover, 1, grade).Single();
        _tree.Work(_tree.City, id, CaseStage.Filed, row: 1);
        Reaches("urgent", hops, EscalationState.Open);
    }

    [TestCase(EmergencyGrade.Unspecified, 1)]
    [TestCase(EmergencyGrade.EspeciallySerious, 2)]
    public void By_an_overdue_multiple_to_the_parent_at_least(EmergencyGrade grade, int hops)
    {
        var id = _tree.Report(_tree.City, 1, SmallTree.Refuse, 1, grade).Single();
        _tree.Work(_tree.City, id, CaseStage.Dispatched);
        while (_tree.City.Core!.Desk.Find(id)!.Escalations.All(mark => mark.Rule != "overdue-2x"))
        {
            _tree.Run(TimeSpan.FromMinutes(1));
        }

        Reaches("overdue-2x", hops, EscalationState.Open);
    }

    [TestCase(EmergencyGrade.Unspecified, 1)]
    [TestCase(EmergencyGrade.Serious, 2)]
    public void By_repetition_at_one_place_to_the_parent_at_least(EmergencyGrade grade, int hops)
    {
        _tree.Report(_tree.City, 19, SmallTree.Refuse, 1);
        _tree.Report(_tree.City, 19, SmallTree.Refuse, 2);
        _tree.Run(TimeSpan.FromMinutes(1));
        Assert.That(Rows(_tree.City, "repeat-20-in-7-days"), Is.Empty);
        _tree.Report(_tree.City, 1, SmallTree.Refuse, 1, grade);
        Reaches("repeat-20-in-7-days", hops, EscalationState.Open);
    }

    [Test]
    public void Later_versions_follow_to_every_tier_and_the_newest_is_listed()
    {
        var id = _tree.Report(_tree.City, 1, SmallTree.Refuse, 1, EmergencyGrade.Serious).Single();
        Reaches("grade", 2, EscalationState.Open);
        foreach (var (stage, state, version) in new[]
        {
            (CaseStage.Dispatched, EscalationState.Open, 4), (CaseStage.Handled, EscalationState.Handled, 5), (CaseStage.Closed, EscalationState.Closed, 7),
        })
        {
            _tree.Work(_tree.City, id, stage);
            Reaches("grade", 2, state, version);
        }

        _tree.Do(_tree.City, new ReopenCase { Case = id, Actor = "desk", Reason = "not_solved" });
        Reaches("grade", 2, EscalationState.Open, 8);
    }

    [Test]
    public void It_goes_up_before_the_cells_and_with_the_same_bytes_at_every_tier()
    {
        _tree.Settle();
        _tree.Report(_tree.City, 1, SmallTree.Refuse, 1, EmergencyGrade.Serious);
        _tree.Run(TimeSpan.FromSeconds(10));
        Assert.That(Rows(_tree.Ministry, "grade"), Has.Length.EqualTo(1));
        Assert.That(SmallTree.View(_tree.Ministry, "type", "reported"), Is.Empty, "its cells wait for the schedule");
        var bytes = Tiers.Select(node => Convert.ToHexString(node.Core!.Escalations.Page(null, 10).Records.Single().Bytes.Span)).Distinct();
        Assert.That(bytes.Count(), Is.EqualTo(1));
    }

    [Test]
    public void It_is_not_lost_where_a_tier_is_down_when_it_is_raised()
    {
        _tree.Province.Crash(powerCut: true);
        _tree.Report(_tree.City, 1, SmallTree.Refuse, 1, EmergencyGrade.Serious);
        _tree.Run(TimeSpan.FromMinutes(5));
        Assert.That(Rows(_tree.Ministry, "grade"), Is.Empty);
        _tree.Province.Start();
        _tree.Run(TimeSpan.FromMinutes(2));
        Reaches("grade", 2, EscalationState.Open);
    }

    private SimulatedNode[] Tiers => [_tree.City, _tree.Province, _tree.Ministry];

    /// <summary>Within ten seconds; the tiers that it reaches list it once, with the stamp of each hop so far, and those above know nothing.</summary>
    private void Reaches(string rule, int hops, EscalationState state, int version = 0)
    {
        _tree.Run(TimeSpan.FromSeconds(10));
        EscalationRow? below = null;
        foreach (var (tier, node) in Tiers.Index())
        {
            var rows = Rows(node, rule);
            if (tier > hops)
            {
                Assert.That(rows, Is.Empty, $"{node.Place.Node} need not know");
                continue;
            }

            Assert.That(rows, Has.Length.EqualTo(1), node.Place.Node.ToString());
            var row = rows[0];
            Assert.That(row.Escalation.State, Is.EqualTo(state));
            Assert.That(row.Escalation.Version, version == 0 ? Is.GreaterThan(0) : Is.EqualTo(version));
            Assert.That(row.Hops.Select(hop => hop.Node), Is.EqualTo(Tiers[1..(tier + 1)].Select(above => above.Place.Node.ToString())));
            if (below is not null)
            {
                Assert.That(row.Hops.Take(tier - 1), Is.EqualTo(below.Hops), "the stamps of the hops below stay as they are");
                Assert.That(row.Hops[^1].ReceivedAt, Is.GreaterThanOrEqualTo(below.Hops.Count > 0 ? below.Hops[^1].ReceivedAt : row.Escalation.OccurredAt * 1000));
                Assert.That(row.ReceivedAt, Is.EqualTo(InstantPattern.General.Format(NodaTime.Instant.FromUnixTimeMilliseconds(row.Hops[^1].ReceivedAt))));
                Assert.That(row.Escalation, Is.EqualTo(below.Escalation));
            }

            below = row;
        }
    }

    private static EscalationRow[] Rows(SimulatedNode node, string rule)
    {
        var answer = node.Core!.EscalationList.List(new ListEscalationsRequest { PageSize = 500 }, out var refusal);
        Assert.That(refusal, Is.Null);
        return [.. answer!.Escalations.Where(row => row.Escalation.Rule == rule)];
    }
}
