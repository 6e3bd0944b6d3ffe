using System.Globalization;
using CityGrid.Cli.Simulation;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Reach;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Node.Escalations;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// L5, L14, P5, T9, INV-20: over a line of 256 kbit/s that more waits for than it carries (cells, answers to live queries, a package on its way down, all of it), what cannot wait is at
/// the parent within two seconds, each lane has its share, no connection ends, and the line is not left idle. On virtual time, with real bytes and whole nodes.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_slow_line_carries_first_what_cannot_wait
{
    private const int LineBytes = 256_000 / 8;
    private const int QueriesUnderWay = 6;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    private readonly Watch _watch = new();
    private readonly SimulatedTree _tree;
    private readonly List<TypeCode> _types = [.. TypeCatalogue.BuiltIn.All.Select(t => t.Key.Code).Distinct()];
    private readonly HashSet<int> _asked = [];
    private int _requests;
    private int _floods;
    private int _answered;

    public A_slow_line_carries_first_what_cannot_wait() => _tree = new SimulatedTree(seed: 7, TreeShape.Of(1, 1), _watch);

    private SimulatedNode City => _tree[NodeId.Parse("city-1-1")];

    private SimulatedNode Province => _tree[NodeId.Parse("province-1")];

    private SenderState Sender => City.Core!.Uplink!.Standing.State;

    [Test]
    public void An_escalation_is_there_within_two_seconds_while_cells_fill_the_line()
    {
        Start();
        Flood(3000);
        var before = Carried();
        var delays = new List<TimeSpan>();
        var idle = 0;
        for (var second = 0; second < 150; second++)
        {
            Flood(1000);
            if (second >= 10 && second % 2 == 0)
            {
                delays.Add(DelayOfAnEscalation());
            }

            Wait(TimeSpan.FromSeconds(1));
            idle += Sender.Cells.Phase == LanePhase.Idle ? 1 : 0;
        }

        Assert.That(idle, Is.LessThan(15), "The line must have had more to carry than it could, or this shows nothing.");
        TestContext.Out.WriteLine($"cells {(Carried() - before) / 1000} kB; window {Sender.Pace}");
        RequireInTime(delays);
    }

    [Test]
    public void And_while_answers_to_queries_fill_it()
    {
        Start(archive: true);
        var (delays, idle) = (new List<TimeSpan>(), 0);
        var end = _tree.Time.UtcTicks + TimeSpan.FromMinutes(3).Ticks;
        var before = _watch.UpBytes[Bulk];
        while (_tree.Time.UtcTicks < end)
        {
            Ask();
            Wait(TimeSpan.FromSeconds(1));
            delays.Add(DelayOfAnEscalation());
            idle += Sender.Answers.Results.IsEmpty ? 1 : 0;
        }

        Assert.That(idle, Is.LessThan(delays.Count / 20), "The line must have had more answers to carry than it could, or this shows nothing.");
        var carried = _watch.UpBytes[Bulk] - before;
        TestContext.Out.WriteLine($"answers {carried / 1000} kB of {180 * LineBytes / 1000}, {_answered} queries answered; window {Sender.Pace}");
        Assert.That(carried, Is.GreaterThan(180 * LineBytes * 3 / 4), "The line is not left idle.");
        Assert.That(_answered, Is.GreaterThan(10), "They are answered, however slowly.");
        RequireInTime(delays);
        Assert.That(_watch.Hellos, Is.EqualTo(1), "No connection ended for want of an answer.");
    }

    [Test]
    public void And_while_answers_and_cells_and_escalations_go_up_and_a_package_comes_down()
    {
        _watch.Rules = EachReportGoesToTheParent;
        Start(archive: true);
        Publish(4);
        var delays = new List<TimeSpan>();
        Shares shares = default!;
        for (var second = 0; second < 60 + 60; second++)
        {
            Ask();
            Flood(60);
            if (second == 60)
            {
                shares = new Shares(this);
            }

            if (second >= 60)
            {
                delays.Add(DelayOfAnEscalation());
            }

            Wait(TimeSpan.FromSeconds(1));
        }

        TestContext.Out.WriteLine($"{City.Core!.Packages.Editions.Count} packages taken, {_watch.DownPackages / 1000} kB of them came down; window {Sender.Pace}");
        Assert.That(City.Core.Packages.Editions, Has.Count.InRange(1, 3), "A package is on its way down all the time.");
        RequireInTime(delays);

        // Receipts stand behind a piece of the package, so that less is under way than the line could carry.
        shares.Require(3, (Bulk, 3), (nameof(Lane.Escalations), 3), (nameof(Lane.Cells), 1));
        Assert.That(_watch.Hellos, Is.EqualTo(1), "No connection ended for want of an answer.");
    }

    [Test]
    public void And_where_every_lane_is_full_each_has_its_share()
    {
        _watch.Rules = EachReportGoesToTheParent;
        Start(archive: true);
        var (shares, idle) = (default(Shares)!, 0);
        for (var second = 0; second < 120; second++)
        {
            Ask();
            Flood(100, EmergencyGrade.Larger);
            Flood(60);
            Wait(TimeSpan.FromSeconds(1));
            idle += second >= 20 ? Sender.Lanes.Count(lane => lane.Phase == LanePhase.Idle) : 0;
            if (second == 20)
            {
                shares = new Shares(this);
            }
        }

        Assert.That(idle, Is.Zero, "Each lane had more to carry than it could, or this shows nothing.");
        shares.Require(9, (nameof(Lane.Alarms), 12), (Bulk, 3), (nameof(Lane.Escalations), 3), (nameof(Lane.Cells), 1));
        Assert.That(_watch.Hellos, Is.EqualTo(1), "No connection ended for want of an answer.");
    }

    private const string Bulk = "Bulk";

    /// <summary>Beside the grade, which makes an alarm, each report raises an escalation that is none.</summary>
    private static EscalationRules EachReportGoesToTheParent { get; } = EscalationRules.Read(
        """{ "rules": [ { "name": "grade", "trigger": "grade" }, { "name": "each", "trigger": "repeat", "count": 1, "window_days": 7, "to_parent": true } ] }""");

    /// <summary>Two minutes in which everybody meets, then the slow line; with an archive of cases of which a view by type and source is a large answer.</summary>
    private void Start(bool archive = false)
    {
        _tree.Weather = SimulatedWeather.Fair with { BytesPerSecond = archive ? 100 * LineBytes : LineBytes };
        foreach (var node in _tree.Nodes.Values)
        {
            node.Start();
        }

        _tree.Run(TimeSpan.FromMinutes(2));
        if (archive)
        {
            for (var i = 0; i < 1500; i++)
            {
                Submit(Report(_types[i % _types.Count], null, $"archive-{i % 40}"));
            }

            City.Core!.Uplink!.PushDue();
            _tree.Run(TimeSpan.FromMinutes(1));
            Assert.That(Sender.Lanes.Select(lane => lane.Phase), Is.All.EqualTo(LanePhase.Idle));
            _tree.Weather = SimulatedWeather.Fair with { BytesPerSecond = LineBytes };
        }
    }

    /// <summary>Several large queries are under way at once, each of an asker of its own: one more where one of them has its answer, or none.</summary>
    private void Ask()
    {
        var asker = Enumerable.Range(0, QueriesUnderWay).FirstOrDefault(number => !_asked.Contains(number), -1);
        if (asker < 0)
        {
            return;
        }

        var query = new QueryRequest { By = { "type", "source" }, Measures = { "reported", "closed", "open_end_of_day" } };
        query.Sources.AddRange(Enumerable.Range(0, 40).Select(number => $"archive-{number}"));
        _asked.Add(asker);
        Province.Do(core => core.ReachDesk.Ask(
            new ReachWish($"viewer-{asker}", City.Place.Division, false, ReachKind.View, query.ToByteString(), Duration.FromSeconds(30)),
            (gathered, refusal) =>
            {
                Assert.That(refusal, Is.Null);
                _asked.Remove(asker);
                Assert.That(gathered!.Parts.Select(part => part.Code), Is.All.Empty);
                _answered += gathered.Parts.Count;
            }));
    }

    /// <summary>So many versions of a megabyte each, for every place.</summary>
    private void Publish(int versions)
    {
        var rows = "code\tname_zh\tname_en\tlimits\n99000\t其他\tother\t\n" + string.Concat(Enumerable.Range(10_000, 8_000).Select(code => $"{code}\t很长很长的事项名称{code}\ta long name of a matter that makes the file almost as large as one may be\t2h\n"));
        for (var i = 0; i < versions; i++)
        {
            var version = $"large-{i}";
            _tree[NodeId.Parse("ministry")].Do(core => core.Sequencer.Submit(
                core.PackageDesk.Publish(new PackageWish(version, CatalogueVersion.Parse(version), core.Today.Plus(1), version, rows), "head"), answer => Assert.That(answer.Refusal, Is.Null)));
        }
    }

    private static void RequireInTime(List<TimeSpan> delays)
    {
        delays.Sort();
        TestContext.Out.WriteLine($"{delays.Count} escalations: median {delays[delays.Count / 2].TotalMilliseconds} ms, longest {delays[^1].TotalMilliseconds} ms");
        Assert.That(delays[^1], Is.LessThanOrEqualTo(TimeSpan.FromSeconds(2)));
    }

    /// <summary>So many new reports, each of another type, district and source than the one before.</summary>
    private void Flood(int reports, EmergencyGrade grade = EmergencyGrade.Unspecified)
    {
        var districts = _tree.Register.ChildrenOf(City.Place.Division).Select(d => d.Code).Order().ToArray();
        for (var i = 0; i < reports; i++)
        {
            var n = _floods++;
            Submit(Report(_types[n % _types.Count], districts[n % 3], $"channel-{n % 40}") with { Grade = grade });
        }

        City.Core!.Uplink!.PushDue();
        City.Pump();
    }

    private TimeSpan DelayOfAnEscalation()
    {
        var start = _tree.Time.UtcTicks;
        var raised = Submit(Report(TypeCode.Parse("06010"), null, "hotline") with { Grade = EmergencyGrade.Larger, Summary = "released by a person" });
        for (var i = 0; i < 600 && Province.Core!.Escalations.Find(raised) is null; i++)
        {
            Wait(Tick);
        }

        Assert.That(Province.Core!.Escalations.Find(raised), Is.Not.Null);
        return TimeSpan.FromTicks(_tree.Time.UtcTicks - start);
    }

    private ReportCase Report(TypeCode type, DivisionCode? district, string source) =>
        new(type, district, SourceCode.Parse(source)) { Case = City.Core!.Desk.Mint(), Actor = "desk", Request = new RequestMark($"f-{++_requests}", (ulong)_requests) };

    /// <summary>Files it; the id of the first escalation that it raised, or 0.</summary>
    private UInt128 Submit(ReportCase report)
    {
        CaseState? state = null;
        City.Core!.Desk.Submit(report, answer => state = answer.State);
        City.Pump();
        return state!.Escalations.FirstOrDefault()?.Id ?? UInt128.Zero;
    }

    private long Carried() => Province.Core!.Cells.Bytes;

    private void Wait(TimeSpan span)
    {
        for (var left = span; left > TimeSpan.Zero; left -= Tick)
        {
            _tree.Time.Run(Tick);
            foreach (var node in _tree.Nodes.Values)
            {
                node.Pump();
            }
        }
    }

    /// <summary>What the lanes are given of the line from now on.</summary>
    private sealed class Shares(A_slow_line_carries_first_what_cannot_wait story)
    {
        private readonly Dictionary<string, long> _before = new(story._watch.UpBytes);
        private readonly long _start = story._tree.Time.UtcTicks;

        /// <summary>Each lane had nine tenths of its part of what these lanes were given, at least, and so many tenths of what the line carries were used.</summary>
        public void Require(int tenths, params (string Lane, int Weight)[] lanes)
        {
            var carried = story._watch.UpBytes.ToDictionary(lane => lane.Key, lane => lane.Value - _before[lane.Key]);
            var (all, line) = (lanes.Sum(lane => carried[lane.Lane]), TimeSpan.FromTicks(story._tree.Time.UtcTicks - _start).TotalSeconds * LineBytes);
            TestContext.Out.WriteLine(string.Join(", ", carried.Select(lane => string.Create(CultureInfo.InvariantCulture, $"{lane.Key} {lane.Value / 1000} kB, {100.0 * lane.Value / all:F1} %"))));
            foreach (var (lane, weight) in lanes)
            {
                Assert.That((double)carried[lane] / all, Is.GreaterThan(0.9 * weight / lanes.Sum(one => one.Weight)), lane);
            }

            Assert.That(carried.Values.Sum(), Is.GreaterThan(line * tenths / 10), "The line is not left idle.");
        }
    }

    /// <summary>The bytes that came from the city by the lane that they are of, and how often it said hello.</summary>
    private sealed class Watch : StoryTwist
    {
        public Dictionary<string, long> UpBytes { get; } = new[] { nameof(Lane.Alarms), nameof(Lane.Escalations), Bulk, nameof(Lane.Cells) }.ToDictionary(lane => lane, _ => 0L);

        public long DownPackages { get; private set; }

        public int Hellos { get; private set; }

        public EscalationRules Rules { get; set; } = EscalationRules.BuiltIn;

        public override NodeSettings Settings(NodeSettings settings) => settings with { EscalationRules = Rules };

        public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request)
        {
            if (child.Place.TakesCases)
            {
                Hellos += request.Hello is null ? 0 : 1;
                if (LaneOf(request) is { } lane)
                {
                    UpBytes[lane] += request.CalculateSize();
                }
            }

            return request;
        }

        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response)
        {
            DownPackages += child.Place.TakesCases && response.Package is { } chunk ? chunk.CalculateSize() : 0;
            return response;
        }

        private static string? LaneOf(ConnectRequest request) =>
            request.ReachAnswer is not null ? Bulk : request.Cells is not null ? nameof(Lane.Cells) : request.Escalations is { } part ? part.Lane == Lane.Alarms ? nameof(Lane.Alarms) : nameof(Lane.Escalations) : null;
    }
}
