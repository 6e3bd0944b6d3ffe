using CityGrid.Cli.Simulation;
using CityGrid.Hub.Reach;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>Queries in a small tree: a ministry, a province, and cities that have a few cases each.</summary>
internal sealed class ReachStory
{
    private int _requests;

    /// <param name="seed">Of the tree.</param>
    /// <param name="cities">How many.</param>
    /// <param name="wire">What is done to queries on their way.</param>
    /// <param name="absent">The number of a city that the register has and that never ran; 0 for none.</param>
    public ReachStory(ulong seed, int cities = 2, ReachWire? wire = null, int absent = 0)
    {
        Wire = wire ?? new ReachWire();
        Tree = new SimulatedTree(seed, TreeShape.Of(1, cities), Wire);
        foreach (var node in Tree.Nodes.Values.Where(node => node.Place.Node.ToString() != $"city-1-{absent}"))
        {
            node.Start();
        }

        Run(TimeSpan.FromMinutes(2));
        foreach (var (city, number) in Tree.Cities.Select((city, at) => (city, at + 1)).Where(one => one.city.Core is not null))
        {
            Report(city, number, district: 1);
            Report(city, 1, district: 2);
        }

        Run(TimeSpan.FromHours(1));
    }

    public SimulatedTree Tree { get; }

    public ReachWire Wire { get; }

    public SimulatedNode Ministry => Tree[NodeId.Parse("ministry")];

    public SimulatedNode Province => Tree[NodeId.Parse("province-1")];

    public SimulatedNode City(int number) => Tree[NodeId.Parse($"city-1-{number}")];

    public IEnumerable<DivisionCode> Places => Tree.Cities.Select(city => city.Place.Division).Order();

    public void Run(TimeSpan span) => Tree.Run(span);

    public DivisionCode District(SimulatedNode city, int number) =>
        Tree.Register.ChildrenOf(city.Place.Division).Where(d => d.Kind == Hub.Divisions.DivisionKind.County).Select(d => d.Code).Order().ElementAt(number - 1);

    public CaseId Report(SimulatedNode city, int times, int district, SealedPart? personal = null, string? summary = null, EmergencyGrade grade = EmergencyGrade.Unspecified)
    {
        var id = default(CaseId);
        for (var i = 0; i < times; i++)
        {
            id = city.Core!.Desk.Mint();
            city.Core.Desk.Submit(
                new ReportCase(TypeCode.Parse(SmallTree.Cover), District(city, district), SourceCode.Parse("hotline"))
                {
                    Case = id,
                    Actor = "desk",
                    Grade = grade,
                    Sealed = personal,
                    Summary = summary,
                    Request = new RequestMark($"q-{++_requests}", (ulong)_requests),
                },
                answer => Assert.That(answer.Refusal, Is.Null));
            city.Pump();
        }

        return id;
    }

    /// <summary>Cases of many types on many days: a cell for each.</summary>
    public void ReportMany(SimulatedNode city, int times, int district)
    {
        var types = Hub.Catalogue.TypeCatalogue.BuiltIn.All.Select(type => type.Key.Code).Distinct().ToArray();
        for (var i = 0; i < times; i++)
        {
            var id = city.Core!.Desk.Mint();
            city.Core.Desk.Submit(
                new ReportCase(types[i % types.Length], District(city, district), SourceCode.Parse($"channel-{i % 40}"))
                {
                    Case = id,
                    Actor = "desk",
                    Request = new RequestMark($"q-{++_requests}", (ulong)_requests),
                },
                answer => Assert.That(answer.Refusal, Is.Null));
        }

        city.Pump();
    }

    /// <summary>Districts of a place, live.</summary>
    public static ReachWish ByDistrict(DivisionCode target, bool allBelow = false, double seconds = 10, string actor = "viewer") => new(
        actor, target, allBelow, ReachKind.View, new QueryRequest { By = { "district" }, Measures = { "reported" } }.ToByteString(), Duration.FromSeconds(seconds));

    public static ReachWish OfCase(CaseId id, DivisionCode target) => new(
        "viewer", target, false, ReachKind.Case, new CaseAsked { Case = ByteString.CopyFrom(id.ToBytes()) }.ToByteString(), Duration.FromSeconds(10));

    /// <summary>Asks, and has the answer once it is there.</summary>
    public Told Ask(SimulatedNode asker, ReachWish wish)
    {
        var told = new Told();
        var asked = Tree.Time.UtcTicks;
        asker.Do(core => core.ReachDesk.Ask(wish, (gathered, refusal) =>
        {
            told.Times++;
            (told.Gathered, told.Refusal, told.Took) = (gathered, refusal, TimeSpan.FromTicks(Tree.Time.UtcTicks - asked));
        }));
        return told;
    }

    public Told AskAndWait(SimulatedNode asker, ReachWish wish)
    {
        var told = Ask(asker, wish);
        Run(TimeSpan.FromSeconds(31));
        Assert.That(told.Times, Is.EqualTo(1));
        return told;
    }

    /// <summary>What a place answered, one line a district that has something.</summary>
    public static string[] Lines(ReachPart part) =>
        [.. QueryResponse.Parser.ParseFrom(part.Answer).Rows.Where(row => row.Measures["reported"] != 0).Select(row => $"{row.Dimensions["district"]} {row.Measures["reported"]}")];

    internal sealed class Told
    {
        public int Times { get; set; }

        public ReachGathered? Gathered { get; set; }

        public Refusal? Refusal { get; set; }

        /// <summary>In true time.</summary>
        public TimeSpan Took { get; set; }

        public string[] Answered => [.. Gathered!.Parts.Select(part => $"{part.Node} {part.Division}{(part.Code.Length > 0 ? $" {part.Code}" : string.Empty)}")];

        public string[] Missing => [.. Gathered!.Missing.Select(one => $"{one.Node} {one.Division} {one.Code}")];
    }
}

/// <summary>Looks at each query and answer on its way, and may change it.</summary>
internal sealed class ReachWire : StoryTwist
{
    public List<(NodeId To, ReachQuery Query)> Queries { get; } = [];

    public List<byte[]> Frames { get; } = [];

    /// <summary>A query as the child hears it; null where it never does.</summary>
    public Func<NodeId, ReachQuery, ReachQuery?>? OnQuery { get; set; }

    public Func<NodeId, ReachAnswer, ReachAnswer?>? OnAnswer { get; set; }

    public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response)
    {
        if (response.ReachQuery is { } query)
        {
            Queries.Add((child.Place.Node, query));
            Frames.Add(query.ToByteArray());
            response.ReachQuery = OnQuery is null ? query : OnQuery(child.Place.Node, query);
            return response.ReachQuery is null ? null : response;
        }

        return response;
    }

    public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request)
    {
        if (request.ReachAnswer is { } answer)
        {
            Frames.Add(answer.Content.ToByteArray());
            request.ReachAnswer = OnAnswer is null ? answer : OnAnswer(child.Place.Node, answer);
            return request.ReachAnswer is null ? null : request;
        }

        return request;
    }
}
