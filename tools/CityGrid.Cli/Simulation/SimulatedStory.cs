using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// One ministry, two provinces, four cities in one thread on virtual time: lossy network, crashes, power cuts, late corrections. Whatever happened,
/// once the weather has cleared every edge is equal bit for bit, everything acknowledged is there once, and the cells are those of a recount. The
/// same seed is the same story; what does not hold throws <see cref="StoryBrokenException"/>.
/// </summary>
public sealed class SimulatedStory(ulong seed)
{
    private readonly SimulatedTree _tree = new(seed, 2, 2);
    private readonly List<(SimulatedNode Node, CaseId Id, int Version)> _acknowledged = [];
    private readonly Dictionary<(NodeId, UInt128), int> _seenVersions = [];
    private int _requests;
    private int _escalated;

    /// <summary>Bad days, then three hours of fair weather and one of quiet.</summary>
    public void Play()
    {
        foreach (var node in _tree.Nodes.Values)
        {
            node.Start();
        }

        var random = _tree.Random;
        _tree.Weather = random.OneIn(4) ? SimulatedWeather.Fair : SimulatedWeather.Storm;
        for (var step = 0; step < 60; step++)
        {
            Work(random);
            Disturb(random);
            _tree.Run(TimeSpan.FromMinutes(random.Below(40)));
            WatchEscalations();
        }

        Heal();
    }

    /// <summary>Whether it has ended well.</summary>
    public void Check() => new StoryEnd(_tree, _acknowledged).Check();

    /// <summary>Everything that a run decided, to compare two runs of one seed.</summary>
    public string Trace() => string.Join('\n', _tree.Nodes.Values.Select(n => $"{n.Place.Node} {n.Core!.Sequencer.Applied} {n.Core.OwnDigest().Digest}"));

    private void Work(SeededEntropy random)
    {
        foreach (var city in _tree.Cities.ToArray())
        {
            for (var i = random.Below(4); i > 0 && city.Core is not null; i--)
            {
                Report(city, random);
            }

            for (var i = random.Below(6); i > 0 && city.Core is { } core; i--)
            {
                var open = core.Book.Open.Values.OrderBy(s => s.Id).ToArray();
                if (open.Length > 0)
                {
                    Step(city, open[random.Below(open.Length)], random);
                }
            }

            var mine = _acknowledged.Where(a => a.Node == city).ToArray();
            if (mine.Length > 0 && random.OneIn(5) && city.Core?.Desk.Find(mine[random.Below(mine.Length)].Id) is { IsOpen: false } ended)
            {
                // Late: a closed case is opened again, or was always something else.
                Submit(city, random.OneIn(2)
                    ? new ReopenCase { Case = ended.Id, Actor = "desk", Request = NextRequest(), Reason = "not_solved" }
                    : new CorrectCase(Protocol.Names.TypeCode.Parse("06011"), null) { Case = ended.Id, Actor = "desk", Request = NextRequest(), Reason = "wrong_type" });
            }
        }
    }

    private void Report(SimulatedNode city, SeededEntropy random)
    {
        var types = new[] { "01001", "06010", "06013", "09012", "10002" };
        var districts = _tree.Register.ChildrenOf(city.Place.Division).Where(d => d.Kind == DivisionKind.County).ToArray();
        var grade = random.OneIn(12) ? (EmergencyGrade)(1 + random.Below(4)) : EmergencyGrade.Unspecified;
        var id = city.Core!.Desk.Mint();
        Submit(city, new ReportCase(
            Protocol.Names.TypeCode.Parse(types[random.Below(types.Length)]),
            random.OneIn(10) ? null : districts[random.Below(districts.Length)].Code,
            SourceCode.Parse(random.OneIn(2) ? "hotline" : "inspector"))
        {
            Case = id,
            Actor = "desk",
            Request = NextRequest(),
            Grade = grade,
            Summary = grade == EmergencyGrade.Unspecified ? null : "released by a person",
        });
    }

    private void Step(SimulatedNode city, CaseState s, SeededEntropy random)
    {
        CaseCommand command = s.Stage switch
        {
            CaseStage.Reported => random.OneIn(8)
                ? new VoidCase { Case = s.Id, Actor = "desk", Reason = "duplicate" }
                : new CheckBeforeFiling(true) { Case = s.Id, Actor = "inspector" },
            CaseStage.Verified => new FileCase { Case = s.Id, Actor = "desk" },
            CaseStage.Filed => new DispatchCase("unit-1") { Case = s.Id, Actor = "desk" },
            CaseStage.Dispatched => random.OneIn(8)
                ? new MoveCase(null, OtherDistrict(city, s, random)) { Case = s.Id, Actor = "desk", Reason = "boundary" }
                : new FinishHandling { Case = s.Id, Actor = "handler" },
            CaseStage.Handled => random.OneIn(6)
                ? new ReworkCase { Case = s.Id, Actor = "inspector", Reason = "not_done" }
                : new CheckBeforeClosing(true) { Case = s.Id, Actor = "inspector" },
            _ => new CloseCase { Case = s.Id, Actor = "desk" },
        };
        Submit(city, command with { Request = NextRequest() });
    }

    private DivisionCode OtherDistrict(SimulatedNode city, CaseState s, SeededEntropy random)
    {
        var others = _tree.Register.ChildrenOf(city.Place.Division).Where(d => d.Kind == DivisionKind.County && d.Code != s.Division).ToArray();
        return others[random.Below(others.Length)].Code;
    }

    private RequestMark NextRequest() => new($"r-{++_requests}", (ulong)_requests);

    private void Submit(SimulatedNode city, CaseCommand command)
    {
        city.Core!.Desk.Submit(command, answer =>
        {
            if (answer.Refusal is null)
            {
                _acknowledged.RemoveAll(a => a.Node == city && a.Id == answer.State!.Id);
                _acknowledged.Add((city, answer.State!.Id, answer.Version));
                _escalated += answer.State.Escalations.Count > 0 ? 1 : 0;
            }
        });
        city.Pump();
    }

    private void Disturb(SeededEntropy random)
    {
        foreach (var node in _tree.Nodes.Values.ToArray())
        {
            if (node.Core is null)
            {
                if (random.OneIn(2))
                {
                    node.Start();
                }
            }
            else if (random.OneIn(25))
            {
                node.Crash(powerCut: random.OneIn(2));
            }
            else if (random.OneIn(30))
            {
                node.Core.SaveSnapshot();
            }

            if (random.OneIn(40))
            {
                node.Clock.Offset = TimeSpan.FromSeconds(random.Below(240) - 120);
            }
        }
    }

    private void Heal()
    {
        _tree.Weather = SimulatedWeather.Fair;
        foreach (var node in _tree.Nodes.Values.Where(n => n.Core is null))
        {
            node.Start();
        }

        _tree.Run(TimeSpan.FromHours(3));

        // Quiescent: no new input, not by time either, and three intervals more.
        foreach (var node in _tree.Nodes.Values)
        {
            node.StopTheClockwork();
        }

        _tree.Run(TimeSpan.FromHours(1));
    }

    /// <summary>No reader at any node ever sees an escalation's version fall (INV-9).</summary>
    private void WatchEscalations()
    {
        foreach (var node in _tree.Nodes.Values.Where(n => n.Core is not null))
        {
            foreach (var record in node.Core!.Escalations.Page(null, 10_000).Records)
            {
                var key = (node.Place.Node, record.Id);
                StoryBrokenException.Unless(record.Content.Version >= _seenVersions.GetValueOrDefault(key), () => $"the version of an escalation fell at {node.Place.Node}");
                _seenVersions[key] = record.Content.Version;
            }
        }
    }
}
