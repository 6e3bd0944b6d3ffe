using CityGrid.Cli.Simulation;
using CityGrid.Node.Cases;
using CityGrid.Node.Journey;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Simulation;
using TypeCode = CityGrid.Protocol.Names.TypeCode;
using NUnit.Framework;

namespace CityGrid.Tests.Journey;

/// <summary>Each node of the way tells how a figure or a case came to be what it is there, and what it cannot tell.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class The_journey_of_a_figure_and_of_a_case
{
    private readonly SmallTree _tree = new();

    [Test]
    public void A_figure_has_one_revision_at_every_tier_and_a_position_and_a_way_at_each()
    {
        _tree.Settle();
        var cases = _tree.Report(_tree.City, 3, SmallTree.Cover, 1);
        _tree.Work(_tree.City, cases[0], CaseStage.Closed);
        _tree.Settle();
        var request = new WhyCellRequest { Origin = "city-1-1", Type = SmallTree.Cover, Day = Day };
        var (city, province, ministry) = (Tell(_tree.City, request), Tell(_tree.Province, request), Tell(_tree.Ministry, request));

        Assert.That(new[] { province.Cell, ministry.Cell }, Has.All.EqualTo(city.Cell).And.All.EqualTo($"city-1-1:2:gb47678-2026/2/01001:911000:{Day}:all"));
        Assert.That(new[] { city, province, ministry }.Select(a => (a.Epoch, a.Lsn)).Distinct().Count(), Is.EqualTo(1));
        Assert.That(new[] { city, province, ministry }, Has.All.Matches<WhyCellResponse>(a => Figure(a!, "reported") == 3 && Figure(a!, "closed") == 1));
        Assert.That((city.Came, province.Came, province.Via, ministry.Via), Is.EqualTo((Arrival.Counted, Arrival.Received, "city-1-1", "province-1")));
        Assert.That((city.Upward.Parent, city.Upward.Confirmed, province.Upward.Confirmed, ministry.Upward), Is.EqualTo(("province-1", true, true, (UpwardStanding?)null)));
        Assert.That(province.CutTo, Is.GreaterThanOrEqualTo(province.Lsn));
        Assert.That(ministry.RecordedAt, Is.Not.Empty.And.GreaterThanOrEqualTo(province.RecordedAt).Using((IComparer<string>)StringComparer.Ordinal));
        Assert.That((province.Word.Digest, province.Word.Via, ministry.Word.Via), Is.EqualTo((WordDigest.Agrees, "city-1-1", "province-1")));
        Assert.That(ministry.Unknown.Select(u => u.Code), Is.EqualTo(new[] { "CASES_STAY_HOME" }));
        Assert.That(city.Unknown.Select(u => u.Code), Is.EqualTo(new[] { "ABOVE_BY_RECEIPT" }));
    }

    [Test]
    public void At_its_origin_the_events_add_up_to_it_whatever_happened_to_the_cases()
    {
        var cases = _tree.Report(_tree.City, 4, SmallTree.Cover, 1);
        _tree.Report(_tree.City, 2, SmallTree.Refuse, 2);
        _tree.Work(_tree.City, cases[0], CaseStage.Closed);
        _tree.Do(_tree.City, new Node.Cases.ReopenCase { Case = cases[0], Actor = "desk", Reason = "not_solved" });
        _tree.Do(_tree.City, new Node.Cases.CorrectCase(TypeCode.Parse(SmallTree.Refuse), null) { Case = cases[0], Actor = "desk", Reason = "wrong_type" });
        _tree.Work(_tree.City, cases[1], CaseStage.Dispatched);
        _tree.Do(_tree.City, new Node.Cases.MoveCase(null, _tree.District(_tree.City, 3)) { Case = cases[1], Actor = "desk", Reason = "boundary" });
        _tree.Run(TimeSpan.FromDays(20));
        foreach (var row in _tree.City.Core!.Cells.ChangedSince(Lsn.Zero, _tree.City.Core.Sequencer.Applied).Where(r => r.Key.Origin == _tree.City.Place.Node))
        {
            var answer = Tell(_tree.City, new WhyCellRequest { Cell = CellNaming.TextOf(row.Key) });
            Assert.That(answer.Explained, Is.True, answer.Cell);
            Assert.That(answer.ContributionsInAll, Is.GreaterThan(0), answer.Cell);
            Assert.That(answer.Contributions.Select(c => c.Lsn), Is.Ordered.And.All.LessThanOrEqualTo(answer.Lsn));
        }
    }

    [Test]
    public void A_figure_that_was_repaired_says_so_and_one_that_is_wrong_is_seen()
    {
        _tree.Report(_tree.City, 3, SmallTree.Cover, 1);
        _tree.Settle();
        var request = new WhyCellRequest { Origin = "city-1-1", Type = SmallTree.Cover, Day = Day };
        var core = _tree.Province.Core!;
        var key = Journey(_tree.Province).Read(request, out _)!.Value;
        core.Cells.Correct(key, Reception.Child.Value(77), core.Sequencer.Applied);
        var wrong = Tell(_tree.Province, request);
        Assert.That((Figure(wrong, "reported"), wrong.Word.Digest), Is.EqualTo((77L, WordDigest.Differs)));
        _tree.City.Core!.Uplink!.CompareRanges();
        _tree.Run(TimeSpan.FromMinutes(1));
        var right = Tell(_tree.Province, request);
        Assert.That((Figure(right, "reported"), right.Word.Digest), Is.EqualTo((3L, WordDigest.Agrees)));
        var range = right.Ranges.Single(e => e.Child == "city-1-1").Ranges.Single(r => r.Month.Length > 0);
        Assert.That((range.State, range.Replaced, range.FoundLsn), Is.EqualTo((RangeState.Repaired, 1L, range.FoundLsn)).And.Not.EqualTo((RangeState.Repaired, 1L, 0L)));
    }

    [Test]
    public void What_a_node_does_not_have_it_says_and_why()
    {
        _tree.Report(_tree.City, 1, SmallTree.Cover, 1);
        _tree.Settle();
        var detail = new WhyCellRequest { Origin = "city-1-1", Type = SmallTree.Cover, Day = Day, Grain = "detail", Division = "911001", Source = "hotline" };
        Assert.That(Tell(_tree.Province, detail), Has.Property("Held").True.And.Property("Upward").Property("GoesUp").False);
        Assert.That(Tell(_tree.Ministry, detail).Unknown.Select(u => u.Code), Does.Contain("DETAIL_STAYS_BELOW"));
        Assert.That(Tell(_tree.Neighbour, detail).Unknown.Select(u => u.Code), Does.Contain("ORIGIN_UNHEARD"));
        Assert.That(Journey(_tree.Neighbour).Read(new WhyCellRequest { Origin = "city-1-1", Type = SmallTree.Cover, Day = Day }, out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo("CELL_NAME"));
    }

    [TestCase("nonsense", "cell")]
    [TestCase("city 1:2:gb47678-2026/2/01001:911000:2026-03-02:all", "origin")]
    [TestCase("city-1-1:0:gb47678-2026/2/01001:911000:2026-03-02:all", "grain")]
    [TestCase("city-1-1:2:gb47678-2026/3/01001:911000:2026-03-02:all", "type")]
    [TestCase("city-1-1:2:gb47678-2026/2/01001:9-市:2026-03-02:all", "division")]
    [TestCase("city-1-1:2:gb47678-2026/2/01001:911000:2026-02-30:all", "day")]
    [TestCase("city-1-1:2:gb47678-2026/2/01001:911000:2026-03-02:A!", "source")]
    public void A_name_that_is_none_is_refused_where_it_is_wrong(string cell, string where)
    {
        Assert.That(Journey(_tree.City).Read(new WhyCellRequest { Cell = cell }, out var refusal), Is.Null);
        Assert.That((refusal!.Code, refusal.Where), Is.EqualTo(("CELL_NAME", where)));
    }

    [Test]
    public void A_case_is_told_by_its_origin_and_its_escalation_by_every_tier_that_it_reached()
    {
        var id = _tree.Report(_tree.City, 1, SmallTree.Cover, 1, EmergencyGrade.Serious)[0];
        _tree.Settle();
        var (city, province, ministry) = (Case(_tree.City, id), Case(_tree.Province, id), Case(_tree.Ministry, id));
        Assert.That((city.Held, province.Held, ministry.Held), Is.EqualTo((true, false, false)));
        Assert.That(city.Events[0].Event, Is.EqualTo("Reported"));
        Assert.That(city.Events[0].Cells, Has.Count.EqualTo(2), "detail and national");
        Assert.That(city.Cells, Is.Not.Empty.And.All.Property("Upward").Property("Confirmed").True);
        Assert.That(city.Escalations.Select(e => (e.Via, e.Lane, e.Upward.Confirmed)), Is.EqualTo(new[] { (string.Empty, "alarms", true) }));
        Assert.That(ministry.Escalations.Single().Hops.Select(h => h.Node), Is.EqualTo(new[] { "province-1", "ministry" }));
        Assert.That(ministry.Escalations.Single().Id, Is.EqualTo(city.Escalations.Single().Id).And.EqualTo(province.Escalations.Single().Id));
        Assert.That(ministry.Unknown.Select(u => u.Code), Is.EqualTo(new[] { "CASE_ELSEWHERE" }));
    }

    [Test]
    public void Both_ends_of_a_link_tell_how_its_ranges_stand()
    {
        _tree.Report(_tree.City, 1, SmallTree.Cover, 1);
        _tree.Settle();
        var below = new Edges(_tree.City.Core!);
        var above = new Edges(_tree.Province.Core!);
        Assert.That(below.Reconcile([], out _)!.Single(), Has.Property("GoingOn").True);
        _tree.Run(TimeSpan.FromMinutes(1));
        Assert.That(below.Standing(["province-1"], out _)!.Single().Ranges.Select(r => (r.Grain, r.State)), Is.EqualTo(new[] { ("detail", RangeState.Equal), ("national", RangeState.Equal) }));
        Assert.That(above.Standing(["city-1-1"], out _)!.Single(), Has.Property("ComparedLsn").GreaterThan(0).And.Property("GoingOn").False);
        Assert.That(above.Reconcile(["city-1-2"], out _)!.Single(), Has.Property("GoingOn").True, "asked with the child's next answer");
        _tree.Settle();
        Assert.That(above.Standing(["city-1-2"], out _)!.Single(), Has.Property("GoingOn").False);
        Assert.That(above.Reconcile(["city-9"], out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo("NO_NEIGHBOUR"));
    }

    private static string Day => "2026-03-02";

    private static long Figure(WhyCellResponse answer, string name) => answer.Figures.FirstOrDefault(f => f.Name == name)?.Value ?? 0;

    private static CellJourney Journey(SimulatedNode node) => new(node.Core!, node.Place.Division);

    private static WhyCellResponse Tell(SimulatedNode node, WhyCellRequest request)
    {
        var journey = Journey(node);
        return journey.Tell(journey.Read(request, out var refusal) ?? throw new AssertionException(refusal!.ToString()), withEvents: true);
    }

    private static WhyCaseResponse Case(SimulatedNode node, CaseId id) => new CaseJourney(node.Core!, node.Place.Division, Journey(node)).Tell(id);
}
