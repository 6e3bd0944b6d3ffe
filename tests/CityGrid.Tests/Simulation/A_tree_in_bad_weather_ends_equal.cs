using CityGrid.Hub.Cells;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// One ministry, two provinces, four cities in one thread on virtual time: lossy network, crashes, power cuts, late corrections. Whatever happened, after
/// the weather has cleared every edge is equal bit for bit, everything acknowledged is there once, and the cells are those of a recount (INV-1, 7, 8,
/// 9, 10, 12, 16, 19).
/// </summary>
public sealed class A_tree_in_bad_weather_ends_equal
{
    private const int Seeds = 300;

    /// <summary>A failing seed is run alone by naming it here: CITYGRID_SEED=17.</summary>
    private static IEnumerable<ulong> SeedsToRun() =>
        ulong.TryParse(Environment.GetEnvironmentVariable("CITYGRID_SEED"), out var one) ? [one] : Enumerable.Range(1, Seeds).Select(s => (ulong)s);

    [Test]
    public void Every_seed_ends_with_equal_digests_and_nothing_lost()
    {
        foreach (var seed in SeedsToRun())
        {
            try
            {
                var story = new Story(seed);
                story.Play();
                story.Check();
            }
            catch (Exception failure)
            {
                Assert.Fail($"Seed {seed}: {failure}");
            }
        }
    }

    [Test]
    public void One_seed_is_one_story()
    {
        var first = new Story(99);
        first.Play();
        var second = new Story(99);
        second.Play();
        Assert.That(second.Trace(), Is.EqualTo(first.Trace()));
    }

    private sealed class Story(ulong seed)
    {
        private readonly SimulatedTree _tree = new(seed, 2, 2);
        private readonly List<(SimulatedNode Node, CaseId Id, int Version)> _acknowledged = [];
        private readonly Dictionary<(NodeId, UInt128), int> _seenVersions = [];
        private int _requests;
        private int _escalated;

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

        public void Check()
        {
            CheckAcknowledged();
            CheckEdges();
            CheckRecount();
            CheckEscalations();
        }

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
            var districts = _tree.Register.ChildrenOf(city.Place.Division).Where(d => d.Kind == Hub.Divisions.DivisionKind.County).ToArray();
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
            var others = _tree.Register.ChildrenOf(city.Place.Division).Where(d => d.Kind == Hub.Divisions.DivisionKind.County && d.Code != s.Division).ToArray();
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
                    Assert.That(record.Content.Version, Is.GreaterThanOrEqualTo(_seenVersions.GetValueOrDefault(key)), $"escalation at {node.Place.Node}");
                    _seenVersions[key] = record.Content.Version;
                }
            }
        }

        private void CheckAcknowledged()
        {
            foreach (var (node, id, version) in _acknowledged)
            {
                Assert.That(node.Core!.Desk.Find(id)?.Version, Is.GreaterThanOrEqualTo(version), $"case {id} of {node.Place.Node}");
            }
        }

        private void CheckEdges()
        {
            foreach (var child in _tree.Nodes.Values.Where(n => n.Place.Parent is not null))
            {
                var parent = _tree[child.Place.Parent!.Node];
                Assert.That(parent.Core!.DigestOfChild(child.Place.Node), Is.EqualTo(child.Core!.OwnDigest().Digest), () => $"edge {parent.Place.Node} → {child.Place.Node}: {Difference(parent, child)}");
            }

            // The ministry is the sum of the cities, cell for cell.
            var ministry = _tree[NodeId.Parse("ministry")].Core!.Cells;
            foreach (var city in _tree.Cities)
            {
                Assert.That(ministry.DigestOf(city.Place.Node, Grain.National), Is.EqualTo(city.Core!.Cells.DigestOf(city.Place.Node, Grain.National)));
            }
        }

        /// <summary>How an edge stands and the first cells that differ, for whoever reads a failing seed.</summary>
        private static string Difference(SimulatedNode parent, SimulatedNode child)
        {
            var (above, below) = (parent.Core!, child.Core!);
            var differing = below.Cells.ChangedSince(Lsn.Zero, below.Sequencer.Applied)
                .Where(row => above.Cells.Find(row.Key) is not { } copy || copy.Revision != row.Revision || !copy.Value.Span.SequenceEqual(row.Value.Span))
                .Take(3).Select(row => $"{row.Key} {row.Revision} above {above.Cells.Find(row.Key)?.Revision}");
            var state = below.Uplink!.Standing.State;
            return $"phase {state.Phase}, cells {state.Cells.Phase} from {state.Cells.From.Lsn} acked {state.Cells.Acked.Lsn} of {below.Sequencer.Applied}, "
                + $"epoch {below.OwnEpoch}, row {above.Reception.Child(child.Place.Node)}, aside {string.Join("; ", above.Reception.Aside.Take(3))}, {string.Join("; ", differing)}";
        }

        private void CheckRecount()
        {
            foreach (var city in _tree.Cities)
            {
                var core = city.Core!;
                var recount = Recount.OfJournal(() => core.Journal.ReadFrom(Lsn.Zero), core.Sequencer.Applied, city.Place.Node, city.Place.Division);
                var anew = new CellFold();
                foreach (var change in recount.Cells())
                {
                    anew.Add(change, new Revision(1, 1), new Lsn(1));
                }

                foreach (var row in core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied))
                {
                    var held = anew.Find(row.Key)?.Value ?? CellCodec.Zero.ToArray();
                    Assert.That(Convert.ToHexString(row.Value.Span), Is.EqualTo(Convert.ToHexString(held.Span)), $"{city.Place.Node} {row.Key}");
                }

                Assert.That(anew.Count, Is.LessThanOrEqualTo(core.Cells.Count));
            }
        }

        private void CheckEscalations()
        {
            var ministry = _tree[NodeId.Parse("ministry")].Core!;
            foreach (var city in _tree.Cities)
            {
                var own = city.Core!.Escalations.Page(null, 10_000).Records.Where(r => r.Via is null).ToArray();
                foreach (var record in own.Where(r => r.Content.Grade is EmergencyGrade.Serious or EmergencyGrade.EspeciallySerious))
                {
                    var above = ministry.Escalations.Find(record.Id);
                    Assert.That(above?.Content.Version, Is.EqualTo(record.Content.Version), "a serious escalation is at the ministry in its newest version");
                    Assert.That(above!.Bytes.ToArray(), Is.EqualTo(record.Bytes.ToArray()), "relays pass the bytes on untouched");
                    Assert.That(above.Hops, Has.Length.EqualTo(2));
                }
            }
        }
    }
}
