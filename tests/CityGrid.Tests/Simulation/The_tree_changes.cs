using CityGrid.Cli.Simulation;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// INV-23, clauses H1 to H4, for every other change of a tree, with whole nodes in bad weather: a tier between, a tier left out, a city that goes into another, one
/// that is split, a district that changes its city. At every look no tier shows a case twice or loses one that it had.
/// </summary>
public sealed class The_tree_changes
{
    private static readonly LocalDate First = new(2026, 3, 3);
    private static readonly Duration Night = Duration.FromHours(16) + Duration.FromMinutes(10);

    private SimulatedTree _tree = null!;
    private Dictionary<(NodeId, NodeId), long> _seen = [];
    private int _requests;

    private SimulatedNode Ministry => Node("ministry");

    private SimulatedNode Province => Node("province-1");

    private SimulatedNode City => Node("city-1-1");

    private SimulatedNode Neighbour => Node("city-1-2");

    [SetUp]
    public void Live() => (_tree, _seen) = (new SimulatedTree(77, 2, 2), []);

    [TestCase(false)]
    [TestCase(true)]
    public void A_tier_is_put_in(bool storm)
    {
        // A sub-province between: what the province had in detail of the city it has in total from then on, and says so.
        var middle = new SimulatedPlace(NodeId.Parse("subprovince"), DivisionCode.Parse("S"), Province.Place);
        Change(rows => rows.Append(new Division(middle.Division, Province.Place.Division, "副省", "Sub-province", DivisionKind.County, First, null)), City, middle.Division);
        Begin(storm);
        Report(City, 4);
        Report(Neighbour, 2);
        WatchUntil(Night);
        _tree.Add(middle).Start();
        Rehome(City, middle);
        Report(City, 1);
        Heal();
        var codes = (City: City.Place.Division, Neighbour: Neighbour.Place.Division, Province: Province.Place.Division);
        Assert.That(Ask(Ministry, "city", "as-was"), Is.EquivalentTo(new[] { $"{codes.City} 5", $"{codes.Neighbour} 2" }));
        Assert.That(Ask(Ministry, "province,day", "as-was"), Is.EqualTo(new[] { $"{codes.Province} 2026-03-02 6", $"{codes.Province} 2026-03-03 1" }));
        Assert.That(Ask(Node("subprovince"), "district", "as-is"), Has.Length.EqualTo(1));
        Assert.That(Ask(Province, "city", "as-is"), Is.EquivalentTo(new[] { $"{codes.City} 5", $"{codes.Neighbour} 2" }));
        var request = Views.ViewWorld.Ask("district", "reported");
        Assert.That(Province.Core!.Views.Answer(request, out var refusal), Is.Null);
        Assert.That(refusal!.Message, Does.Contain($"{codes.City} (or S above it)"));
        CheckEveryTier();
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_tier_is_left_out_and_put_back(bool storm)
    {
        var nation = Ministry.Place.Division;
        Change(rows => rows, City, nation, until: First);
        Begin(storm);
        Report(City, 4);
        WatchUntil(Night);
        Rehome(City, Ministry.Place);
        Report(City, 1);
        Heal();
        Assert.That(Ask(Ministry, "city", "as-is"), Is.EqualTo(new[] { $"{City.Place.Division} 5" }));
        Assert.That(Ask(Ministry, "province,day", "as-was"), Is.EqualTo(new[] { $"{Province.Place.Division} 2026-03-02 4", $"{City.Place.Division} 2026-03-03 1" }));
        var district = Views.ViewWorld.Ask("district", "reported");
        district.Divisions.Add(City.Place.Division.ToString());
        Assert.That(Ministry.Core!.Views.Answer(district, out _)!.Rows, Has.Count.EqualTo(1), "the ministry has the detail of who reports to it directly");

        WatchUntil(Night + Duration.FromHours(24));
        Rehome(City, Province.Place);
        Report(City, 2);
        Heal();
        Assert.That(Ask(Ministry, "province", "as-is"), Is.EqualTo(new[] { $"{Province.Place.Division} 7" }));
        Assert.That(Ministry.Core!.Views.Answer(district, out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo("DETAIL_NOT_HELD"), "and has it no more once it reports to the province again");
        CheckEveryTier();
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_city_goes_into_another(bool storm)
    {
        var (city, other) = (City.Place.Division, Neighbour.Place.Division);
        _tree.Register = DivisionRegister.Of(_tree.Register.All.SelectMany(row =>
            row.Code == city ? [row with { ValidTo = First.PlusDays(-1), Successor = other }]
            : row.Parent == city && row.Kind == DivisionKind.County ? new[] { row with { ValidTo = First.PlusDays(-1) }, row with { Parent = other, ValidFrom = First } }
            : [row]));
        Begin(storm);
        var district = District(City);
        var ids = Report(City, 3);
        Report(Neighbour, 2);
        WatchUntil(Night);

        // Its open cases are worked to their end where they are; what is new of its districts is the other's.
        Work(City, ids[0]);
        Do(Neighbour, new ReportCase(TypeCode.Parse(SmallTree.Cover), district, SourceCode.Parse("hotline")) { Case = Neighbour.Core!.Desk.Mint(), Actor = "desk" });
        Heal();
        Assert.That(Ask(Ministry, "city,day", "as-was"), Is.EquivalentTo(new[] { $"{city} 2026-03-02 3", $"{other} 2026-03-02 2", $"{other} 2026-03-03 1" }));
        Assert.That(Ask(Ministry, "city", "as-is"), Is.EqualTo(new[] { $"{other} 6" }));
        Assert.That(Ask(Ministry, "city", "as-is", "closed"), Is.EqualTo(new[] { $"{other} 1" }));
        Assert.That(Ask(Ministry, "city", "as-was", "open_at"), Is.EqualTo(new[] { $"{other} 5" }));
        Assert.That(Ask(Province, "district", "as-is"), Has.Member($"{district} 4"));
        Assert.That(Ministry.Core!.Views.Answer(Views.ViewWorld.Ask("", "reported"), out _)!.Coverage, Has.Property("Expected").EqualTo(3));
        CheckEveryTier();
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_city_is_split(bool storm)
    {
        // A district becomes a city of its own, with a node of its own that begins empty.
        var district = District(City);
        var born = new SimulatedPlace(NodeId.Parse("city-new"), district, Province.Place) { TakesCases = true };
        Change(rows => rows, district, Province.Place.Division, DivisionKind.City);
        Begin(storm);
        var ids = Report(City, 3);
        WatchUntil(Night);
        _tree.Add(born).Start();
        Work(City, ids[0]);
        Do(_tree[born.Node], new ReportCase(TypeCode.Parse(SmallTree.Cover), null, SourceCode.Parse("hotline")) { Case = _tree[born.Node].Core!.Desk.Mint(), Actor = "desk" });
        Heal();
        Assert.That(Ask(Ministry, "city,day", "as-was"), Is.EquivalentTo(new[] { $"{City.Place.Division} 2026-03-02 3", $"{district} 2026-03-03 1" }));
        Assert.That(Ask(Ministry, "city", "as-is", "closed"), Is.EqualTo(new[] { $"{City.Place.Division} 1" }), "what the old city keeps it reports to its end");
        Assert.That(Ask(Province, "city,district", "as-is"), Is.EquivalentTo(new[] { $"{district} {district} 3", $"{district} {district}-NONE 1" }), "in detail the district's cases stand with it");
        Assert.That(Ask(Province, "city,district", "2026-03-02"), Is.EquivalentTo(new[] { $"{City.Place.Division} {district} 3", $"{City.Place.Division} {district}-NONE 1" }));
        CheckEveryTier();
    }

    [Test]
    public void A_node_above_itself_is_refused_whichever_register_says_so()
    {
        // The province goes by a register in which the ministry's division hangs below it.
        Province.Register = DivisionRegister.Of(_tree.Register.All.Select(row =>
            row.Code == Ministry.Place.Division ? row with { Parent = Province.Place.Division, Kind = DivisionKind.County }
            : row.Code == Province.Place.Division ? row with { Parent = null, Kind = DivisionKind.Nation }
            : row));
        Ministry.Rehome(Province.Place);
        Begin(storm: false);
        Report(City, 1);
        _tree.Run(TimeSpan.FromHours(1));
        foreach (var node in new[] { Ministry, Province })
        {
            Assert.That(node.Core!.Uplink!.Standing.LastError, Does.Contain("PERMISSION_DENIED").And.Contain("does not lie below itself"));
        }

        Ministry.Crash(powerCut: false);
        Ministry.Rehome(null);
        Ministry.Start();
        _tree.Run(TimeSpan.FromHours(1));
        Assert.That(Ask(Ministry, "", "as-is"), Is.EqualTo(new[] { "1" }));
    }

    private SimulatedNode Node(string name) => _tree[NodeId.Parse(name)];

    private DivisionCode District(SimulatedNode city) => _tree.Register.At(First.PlusDays(-1)).ChildrenOf(city.Place.Division).First(d => d.Kind == DivisionKind.County).Code;

    private void Change(Func<IEnumerable<Division>, IEnumerable<Division>> also, SimulatedNode node, DivisionCode parent, LocalDate? until = null) =>
        Change(also, node.Place.Division, parent, null, until);

    /// <summary>From the first day on a division lies below another parent, until a day where one is given.</summary>
    private void Change(Func<IEnumerable<Division>, IEnumerable<Division>> also, DivisionCode code, DivisionCode parent, DivisionKind? kind = null, LocalDate? until = null)
    {
        var row = _tree.Register.Find(code)!;
        _tree.Register = DivisionRegister.Of(also(
        [
            .. _tree.Register.All.Where(d => d.Code != code),
            row with { ValidTo = First.PlusDays(-1) },
            row with { Parent = parent, Kind = kind ?? row.Kind, ValidFrom = First, ValidTo = until },
            .. until is { } last ? [row with { ValidFrom = last.PlusDays(1) }] : Array.Empty<Division>(),
        ]));
    }

    private void Begin(bool storm)
    {
        foreach (var node in _tree.Nodes.Values)
        {
            node.Start();
        }

        _tree.Weather = storm ? SimulatedWeather.Storm : SimulatedWeather.Fair;
    }

    private void Rehome(SimulatedNode node, SimulatedPlace parent)
    {
        node.Crash(powerCut: true);
        node.Rehome(parent);
        node.Start();
    }

    private CaseId[] Report(SimulatedNode city, int times)
    {
        var ids = new CaseId[times];
        for (var i = 0; i < times; i++)
        {
            ids[i] = city.Core!.Desk.Mint();
            Do(city, new ReportCase(TypeCode.Parse(SmallTree.Cover), District(city), SourceCode.Parse("hotline")) { Case = ids[i], Actor = "desk" });
        }

        return ids;
    }

    private void Work(SimulatedNode city, CaseId id)
    {
        while (city.Core!.Desk.Find(id)! is { Stage: < CaseStage.Closed } state)
        {
            Do(city, Cases.City.NextStep(state, 0));
        }
    }

    private void Do(SimulatedNode city, CaseCommand command)
    {
        CaseAnswer? told = null;
        city.Core!.Desk.Submit(command with { Request = new RequestMark($"t-{++_requests}", (ulong)_requests) }, answer => told = answer);
        city.Pump();
        Assert.That(told?.Refusal, Is.Null);
    }

    private void Heal()
    {
        Watch(Duration.FromHours(1), TimeSpan.FromSeconds(20));
        _tree.Weather = SimulatedWeather.Fair;
        Watch(Duration.FromHours(2), TimeSpan.FromMinutes(1));
    }

    private void WatchUntil(Duration time) =>
        Watch(time - Duration.FromTicks(_tree.Time.UtcTicks - new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero).UtcTicks), TimeSpan.FromMinutes(5));

    /// <summary>At every look: what was reported never falls, at no tier, and is nowhere more than at its origin.</summary>
    private void Watch(Duration span, TimeSpan step)
    {
        for (var end = _tree.Time.UtcTicks + span.BclCompatibleTicks; _tree.Time.UtcTicks < end;)
        {
            _tree.Run(step);
            foreach (var node in _tree.Nodes.Values)
            {
                foreach (var city in _tree.Cities)
                {
                    var sum = Reported(node, city);
                    Assert.That(sum, Is.InRange(_seen.GetValueOrDefault((node.Place.Node, city.Place.Node)), Reported(city, city)), $"{city.Place.Node} at {node.Place.Node}");
                    _seen[(node.Place.Node, city.Place.Node)] = sum;
                }
            }
        }
    }

    private static long Reported(SimulatedNode node, SimulatedNode city)
    {
        var sum = new CellSum(withHistograms: false);
        node.Core!.Cells.Visit(
            new CellFilter(Grain.National, Hub.Views.ViewQuery.Beginning, Hub.Views.ViewQuery.End) { Origins = origin => origin == city.Place.Node },
            (in CellKey _, Lsn _, ReadOnlySpan<byte> value) => sum.Add(value));
        return sum[Counter.Reported];
    }

    /// <summary>Whoever is above a city today has exactly its cells.</summary>
    private void CheckEveryTier()
    {
        foreach (var city in _tree.Cities)
        {
            for (var place = city.Place.Parent; place is not null; place = place.Parent)
            {
                Assert.That(_tree[place.Node].Core!.Cells.DigestOf(city.Place.Node, Grain.National), Is.EqualTo(city.Core!.Cells.DigestOf(city.Place.Node, Grain.National)), $"{city.Place.Node} at {place.Node}");
            }
        }
    }

    private static string[] Ask(SimulatedNode node, string by, string hierarchy, string measure = "reported")
    {
        var request = Views.ViewWorld.Ask(by, measure);
        request.Hierarchy = hierarchy;
        var answer = node.Core!.Views.Answer(request, out var refusal);
        Assert.That(refusal, Is.Null);
        return [.. answer!.Rows.Where(row => row.Measures[measure] != 0).Select(row => string.Join(' ', request.By.Select(d => row.Dimensions[d]).Append($"{row.Measures[measure]}")))];
    }
}
