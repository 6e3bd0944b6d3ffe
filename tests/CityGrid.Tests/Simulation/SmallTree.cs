using CityGrid.Cli.Simulation;
using CityGrid.Hub.Divisions;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>A ministry, a province and two cities in fair weather, told by a test step by step, and what each tier shows of them.</summary>
internal sealed class SmallTree
{
    public const string Cover = "01001";
    public const string Refuse = "06010";

    private readonly SimulatedTree _tree;
    private int _requests;

    public SmallTree((int Ministry, int Province, int City)? newest = null, Node.Uplink.CutSizes? cuts = null, StoryTwist? twist = null)
    {
        _tree = new SimulatedTree(seed: 41, provinces: 1, citiesEach: 2, twist) { Cuts = cuts ?? Node.Uplink.CutSizes.Default };
        if (newest is { } protocols)
        {
            Ministry.ProtocolNewest = protocols.Ministry;
            Province.ProtocolNewest = protocols.Province;
            City.ProtocolNewest = Neighbour.ProtocolNewest = protocols.City;
        }

        foreach (var node in _tree.Nodes.Values)
        {
            node.Start();
        }
    }

    public SimulatedNode City => _tree[NodeId.Parse("city-1-1")];

    public SimulatedNode Neighbour => _tree[NodeId.Parse("city-1-2")];

    public SimulatedNode Province => _tree[NodeId.Parse("province-1")];

    public SimulatedNode Ministry => _tree[NodeId.Parse("ministry")];

    public SimulatedWeather Weather
    {
        set => _tree.Weather = value;
    }

    public void Run(TimeSpan span) => _tree.Run(span);

    /// <summary>A sector's network beside the tree, with a register of its own; these cities report to it from now on.</summary>
    public SimulatedNode AddSector(string name, params SimulatedNode[] cities) => AddSector(name, Matters.All, cities);

    /// <summary>The same, told of some matters alone.</summary>
    public SimulatedNode AddSector(string name, Matters matters, params SimulatedNode[] cities)
    {
        var division = DivisionCode.Parse(name.ToUpperInvariant());
        var sector = _tree.Add(new SimulatedPlace(NodeId.Parse(name), division, null));
        sector.Register = DivisionRegister.Of(
        [
            new Division(division, null, name, name, DivisionKind.Nation, null, null),
            .. cities.SelectMany(city => _tree.Register.All.Where(d => d.Code == city.Place.Division || d.Parent == city.Place.Division))
                .Select(d => cities.Any(city => city.Place.Division == d.Code) ? d with { Parent = division } : d),
        ]);
        sector.Start();
        foreach (var city in cities)
        {
            city.Crash(powerCut: false);
            city.JoinSector(sector.Place);
            city.SectorMatters = matters;
            city.Start();
        }

        return sector;
    }

    /// <summary>A node beyond the sector's own, which it reports to from now on with all that it is told.</summary>
    public SimulatedNode AddAbove(SimulatedNode sector, string name)
    {
        var division = DivisionCode.Parse(name.ToUpperInvariant());
        var above = _tree.Add(new SimulatedPlace(NodeId.Parse(name), division, null));
        var root = new Division(division, null, name, name, DivisionKind.Nation, null, null);
        above.Register = DivisionRegister.Of([root, .. sector.Register!.All.Select(d => d.Code == sector.Place.Division ? d with { Parent = division, Kind = DivisionKind.Province } : d)]);
        above.Start();
        sector.Crash(powerCut: false);
        sector.Register = above.Register;
        sector.Rehome(above.Place);
        sector.Start();
        return above;
    }

    /// <summary>Long enough for every scheduled push to have reached the ministry.</summary>
    public void Settle() => _tree.Run(TimeSpan.FromHours(1));

    /// <summary>A district of a city by its number, from 1 to 3.</summary>
    public DivisionCode District(SimulatedNode city, int number) =>
        _tree.Register.ChildrenOf(city.Place.Division).Where(d => d.Kind == DivisionKind.County).Select(d => d.Code).Order().ElementAt(number - 1);

    public CaseId[] Report(SimulatedNode city, int times, string type, int district, EmergencyGrade grade = EmergencyGrade.Unspecified)
    {
        var ids = new CaseId[times];
        for (var i = 0; i < times; i++)
        {
            ids[i] = city.Core!.Desk.Mint();
            Do(city, new ReportCase(TypeCode.Parse(type), District(city, district), SourceCode.Parse("hotline")) { Case = ids[i], Actor = "desk", Grade = grade });
        }

        return ids;
    }

    /// <summary>Works a reported case as far as a stage.</summary>
    public void Work(SimulatedNode city, CaseId id, CaseStage until, int row = 0)
    {
        while (city.Core!.Desk.Find(id)! is { } state && state.Stage < until)
        {
            Do(city, Cases.City.NextStep(state, row));
        }
    }

    public void Do(SimulatedNode city, CaseCommand command)
    {
        CaseAnswer? told = null;
        city.Core!.Desk.Submit(command with { Request = new RequestMark($"t-{++_requests}", (ulong)_requests) }, answer => told = answer);
        city.Pump();
        Assert.That(told?.Refusal, Is.Null);
    }

    /// <summary>What a node answers, one line a row that has something: labels and figures.</summary>
    public static string[] View(SimulatedNode node, string by, string measures)
    {
        var request = new QueryRequest();
        request.By.AddRange(by.Split(','));
        request.Measures.AddRange(measures.Split(','));
        var answer = node.Core!.Views.Answer(request, out var refusal);
        Assert.That(refusal, Is.Null);
        return
        [
            .. answer!.Rows.Where(row => row.Measures.Values.Any(figure => figure != 0))
                .Select(row => string.Join(' ', request.By.Select(d => row.Dimensions[d]).Concat(request.Measures.Select(m => row.Measures.TryGetValue(m, out var figure) ? $"{figure}" : "-")))),
        ];
    }

    /// <summary>Every edge is equal bit for bit, the cells are those of a recount, and no tier holds a cell that counts something and that its origin does not have.</summary>
    public void Check()
    {
        new StoryEnd(_tree).Check();
        foreach (var city in _tree.Cities)
        {
            var own = Counting(city.Core!, city, Grain.National);
            Assert.That(Counting(Province.Core!, city, Grain.National), Is.EquivalentTo(own));
            Assert.That(Counting(Ministry.Core!, city, Grain.National), Is.EquivalentTo(own));
            Assert.That(Counting(Province.Core!, city, Grain.Detail), Is.EquivalentTo(Counting(city.Core!, city, Grain.Detail)));
        }
    }

    private static IEnumerable<string> Counting(NodeCore core, SimulatedNode city, Grain grain) => core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied)
        .Where(cell => cell.Key.Origin == city.Place.Node && cell.Key.Grain == grain && !Protocol.Wire.CellCodec.IsZero(cell.Value.Span))
        .Select(cell => $"{cell.Key} {Convert.ToHexString(cell.Value.Span)}");
}
