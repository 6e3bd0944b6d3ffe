using CityGrid.Cli.Simulation;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Reach;
using CityGrid.Hub.Reception;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// INV-23, clauses H1 to H4: from 3 March 2026 a city lies below another province. The ministry is asked all along: no figure of any city is ever there twice,
/// or gone, or less than it was, and the provinces are the nation by every tree.
/// </summary>
public sealed class A_city_goes_to_another_province
{
    private const string LastDay = "2026-03-02";
    private const string FirstDay = "2026-03-03";
    private static readonly Duration ToMidnight = Duration.FromHours(16);

    [Test]
    public void Whatever_the_weather_and_whoever_is_killed([Range(1, 20)] int seed) => new Story((ulong)seed).Play();

    [Test]
    public void What_was_before_stands_under_the_one_and_what_comes_after_under_the_other()
    {
        var story = new Story(1);
        story.Start(SimulatedWeather.Fair);
        var ids = story.Report(story.City, 4);
        story.Report(story.Neighbour, 2);
        story.WatchUntil(ToMidnight + Duration.FromMinutes(10));
        story.Move();
        story.Report(story.City, 3);
        story.Work(story.City, ids[0], CaseStage.Closed);
        story.Watch(Duration.FromHours(1));

        var (one, other) = (story.ProvinceOf("province-1"), story.ProvinceOf("province-2"));
        string Code(SimulatedNode node) => node.Place.Division.ToString();
        Assert.That(story.Ask("day,province", "reported,closed,open_end_of_day", "as-was"), Is.EqualTo(new[]
        {
            $"{LastDay} {Code(one)} 6 0 6", $"{FirstDay} {Code(one)} 0 0 2", $"{FirstDay} {Code(other)} 3 1 6",
        }));
        Assert.That(story.Ask("day,province", "reported,closed", "as-is"), Is.EqualTo(new[]
        {
            $"{LastDay} {Code(one)} 2 0", $"{LastDay} {Code(other)} 4 0", $"{FirstDay} {Code(other)} 3 1",
        }));
        Assert.That(story.Ask("province", "reported,closed", LastDay), Is.EqualTo(new[] { $"{Code(one)} 9 1" }));

        // Each province itself: its own time by the tree as it was, all or nothing by that of today.
        Assert.That(Story.Ask(one, "day,city", "reported", "as-was"), Is.EquivalentTo(new[] { $"{LastDay} {Code(story.City)} 4", $"{LastDay} {Code(story.Neighbour)} 2" }));
        Assert.That(Story.Ask(one, "city", "reported", "as-is"), Is.EqualTo(new[] { $"{Code(story.Neighbour)} 2" }));
        Assert.That(Story.Ask(other, "day", "reported", "as-was"), Is.EqualTo(new[] { $"{FirstDay} 3" }));
        Assert.That(Story.Ask(other, "day", "reported,open_end_of_day", "as-is"), Is.EqualTo(new[] { $"{LastDay} 4 4", $"{FirstDay} 3 6" }));
        Assert.That(Story.Ask(other, "district", "reported", "as-is"), Has.Length.EqualTo(1), "the new province has the detail too");

        // Asked live, each place answers for the days on which it stood there.
        foreach (var hierarchy in new[] { "as-was", "as-is", LastDay })
        {
            foreach (var province in new[] { one, other })
            {
                var here = story.Ask("day,city", "reported,closed", hierarchy, Code(province)).Where(row => !row.EndsWith(" 0 0", StringComparison.Ordinal));
                Assert.That(story.AskLive("day,city", "reported,closed", hierarchy, Code(province)), Is.EquivalentTo(here), $"{hierarchy} {Code(province)}");
            }
        }

        // A place below the one that answers is not all of it, where it was below what is named at another time.
        var district = DivisionCode.Parse(Story.Ask(other, "district", "reported", "as-is")[0].Split(' ')[0]);
        var answerer = new ViewAnswerer(other.Core!.Views, other.Place.Division, () => other.Core.RegisterNow);
        var reply = answerer.Answer(new QueryRequest { Divisions = { Code(one) }, Measures = { "reported" } }.ToByteString(), district);
        Assert.That(QueryResponse.Parser.ParseFrom(reply.Answer).Rows, Is.Empty);

        Assert.That(one.Core!.UplinkFold.Territorial.ReceiptOf(Lane.Cells, one.Core.Journal.Incarnation).Problems, Is.Empty, "the old province speaks of it no more");
        story.Check();
    }

    [Test]
    public void A_case_of_the_old_days_is_put_right_by_the_new_way()
    {
        var story = new Story(2);
        story.Start(SimulatedWeather.Fair);
        var ids = story.Report(story.City, 4);
        story.WatchUntil(ToMidnight + Duration.FromMinutes(10));
        story.Move();
        story.Watch(Duration.FromHours(1));
        story.Do(story.City, new CorrectCase(TypeCode.Parse("06011"), null) { Case = ids[0], Actor = "desk", Reason = "wrong_type" });
        story.Settle();
        var one = story.ProvinceOf("province-1").Place.Division;
        Assert.That(story.Ask("day,province,type", "reported", "as-was"), Is.EquivalentTo(new[] { $"{LastDay} {one} 01001 3", $"{LastDay} {one} 06011 1" }));
        story.Check();
    }

    [Test]
    public void Its_ranges_are_compared_by_the_new_way_alone()
    {
        var story = new Story(7);
        story.Start(SimulatedWeather.Fair);
        story.Report(story.City, 3);
        story.Watch(Duration.FromHours(1));
        story.CompareRanges();
        var (one, other) = (story.ProvinceOf("province-1"), story.ProvinceOf("province-2"));
        var scope = new RangeScope(story.City.Place.Node, Grain.National);
        Assert.That(Compared(one).ContainsKey(scope), "to begin with by the old one");
        story.WatchUntil(ToMidnight + Duration.FromMinutes(10));
        story.Move();
        story.Watch(Duration.FromHours(1));
        story.CompareRanges();
        Assert.That((Compared(one).ContainsKey(scope), Compared(other)[scope].State), Is.EqualTo((false, RangeState.Equal)));
        Assert.That(one.Core!.Uplink!.Standing.State.Ranges.Scopes.Keys, Has.None.EqualTo(scope), "the old one says nothing of it");
        var links = new Node.Journey.Edges(one.Core).Standing([], out _)!;
        Assert.That(links.Select(l => l.Child), Is.EquivalentTo(new[] { one.Place.Node.ToString(), story.Neighbour.Place.Node.ToString() }), "and asks it for nothing");
        Assert.That(story.Ministry.Core!.Reception.Ranges.Children.Sum(c => c.FoundInAll), Is.Zero, "no false alarm");
        story.Check();

        System.Collections.Immutable.ImmutableSortedDictionary<RangeScope, ScopeStanding> Compared(SimulatedNode province) =>
            story.Ministry.Core!.Reception.Ranges.Of(province.Place.Node).Scopes;
    }

    [Test]
    public void Each_province_takes_it_on_its_own_days_alone()
    {
        var story = new Story(3);
        story.Start(SimulatedWeather.Fair);
        story.Report(story.City, 2);
        story.Watch(Duration.FromHours(1));
        story.Move();
        story.Report(story.City, 1);
        story.Watch(Duration.FromHours(1));
        Assert.That(story.City.Core!.Uplink!.Standing.LastError, Does.Contain("PERMISSION_DENIED").And.Contain("today"));
        story.MoveBack();
        story.Watch(Duration.FromHours(1));
        Assert.That(story.Ask("", "reported", "as-is"), Is.EqualTo(new[] { "3" }));

        // Still connected to the old one as the day turns: it takes nothing more.
        story.WatchUntil(ToMidnight + Duration.FromMinutes(5));
        story.Report(story.City, 1);
        story.Watch(Duration.FromHours(1));
        Assert.That(story.City.Core!.Uplink!.Standing.LastError, Does.Contain("PERMISSION_DENIED"));
        Assert.That(story.Ask("", "reported", "as-is"), Is.EqualTo(new[] { "3" }));
        story.Move();
        story.Watch(Duration.FromHours(1));
        Assert.That(story.Ask("", "reported", "as-is"), Is.EqualTo(new[] { "4" }));
        story.Check();
    }

    [Test]
    public void Where_the_ministrys_midnight_comes_hours_later_nothing_is_lost()
    {
        var story = new Story(6);
        story.Start(SimulatedWeather.Fair);
        story.Ministry.Clock.Offset = TimeSpan.FromHours(-3);
        story.Report(story.City, 2);
        story.WatchUntil(ToMidnight + Duration.FromMinutes(10));
        story.Move();
        story.Report(story.City, 3);
        story.Watch(Duration.FromHours(1));
        story.CheckMinistry();
        story.Watch(Duration.FromHours(4));
        Assert.That(story.Ask("", "reported", "as-is"), Is.EqualTo(new[] { "5" }));
        story.Check();
    }

    [Test]
    public void A_province_that_does_not_know_of_it_is_not_heard_about_the_city()
    {
        var story = new Story(4);
        story.KeepsOldRegister("province-1");
        story.Start(SimulatedWeather.Fair);
        story.Report(story.City, 2);
        story.WatchUntil(ToMidnight + Duration.FromMinutes(10));
        story.Report(story.City, 5);
        story.Settle();
        Assert.That(story.Ask("", "reported", "as-is"), Is.EqualTo(new[] { "2" }), "the old province took five and the ministry takes them from the new one alone");
        var told = story.ProvinceOf("province-1").Core!;
        Assert.That(told.UplinkFold.Territorial.ReceiptOf(Lane.Cells, told.Journal.Incarnation).Problems.Select(p => p.Code), Does.Contain("PERMISSION_DENIED"));
        story.Move();
        story.Watch(Duration.FromHours(1));
        Assert.That(story.Ask("", "reported", "as-is"), Is.EqualTo(new[] { "7" }));
        story.CheckMinistry();
    }

    [Test]
    public void It_may_go_and_come_back()
    {
        var story = new Story(5, back: true);
        story.Start(SimulatedWeather.Fair);
        story.Report(story.City, 2);
        story.WatchUntil(ToMidnight + Duration.FromMinutes(10));
        story.Move();
        story.Report(story.City, 3);
        story.WatchUntil(ToMidnight + Duration.FromHours(24) + Duration.FromMinutes(10));
        story.MoveBack();
        story.Report(story.City, 4);
        story.Watch(Duration.FromHours(1));
        var (one, other) = (story.ProvinceOf("province-1").Place.Division, story.ProvinceOf("province-2").Place.Division);
        Assert.That(story.Ask("province,day", "reported", "as-was"), Is.EqualTo(new[] { $"{one} {LastDay} 2", $"{one} 2026-03-04 4", $"{other} {FirstDay} 3" }));
        Assert.That(story.Ask("province", "reported", "as-is"), Is.EqualTo(new[] { $"{one} 9" }));
        Assert.That(Story.Ask(story.ProvinceOf("province-1"), "day", "reported", "as-was"), Is.EqualTo(new[] { $"{LastDay} 2", "2026-03-04 4" }));
        story.Check();
    }

    /// <summary>Two provinces with two cities each, of which the first goes; watched at every step.</summary>
    private sealed class Story
    {
        private readonly SimulatedTree _tree;
        private readonly DivisionRegister _before;
        private readonly Dictionary<NodeId, long[]> _seen = [];
        private int _requests;

        public Story(ulong seed, bool back = false)
        {
            _tree = new SimulatedTree(seed, 2, 2);
            _before = _tree.Register;
            City = _tree[NodeId.Parse("city-1-1")];
            var row = _before.Find(City.Place.Division)!;
            var (first, next) = (new LocalDate(2026, 3, 3), new LocalDate(2026, 3, 4));
            _tree.Register = DivisionRegister.Of(
            [
                .. _before.All.Where(d => d.Code != row.Code),
                row with { ValidTo = first.PlusDays(-1) },
                row with { Parent = ProvinceOf("province-2").Place.Division, ValidFrom = first, ValidTo = back ? first : null },
                .. back ? [row with { ValidFrom = next }] : Array.Empty<Division>(),
            ]);
        }

        public SimulatedNode City { get; }

        public SimulatedNode Neighbour => _tree[NodeId.Parse("city-1-2")];

        public SimulatedNode Ministry => _tree[NodeId.Parse("ministry")];

        public SimulatedNode ProvinceOf(string name) => _tree[NodeId.Parse(name)];

        public void KeepsOldRegister(string node) => _tree[NodeId.Parse(node)].Register = _before;

        public void Start(SimulatedWeather weather)
        {
            _tree.Weather = weather;
            foreach (var node in _tree.Nodes.Values)
            {
                node.Start();
            }
        }

        /// <summary>Work, storms, kills and power cuts around midnight; the city is configured for its new parent hours before or after it.</summary>
        public void Play()
        {
            var random = _tree.Random;
            Start(random.OneIn(4) ? SimulatedWeather.Fair : SimulatedWeather.Storm);
            var moveAt = Duration.FromMinutes(13 * 60 + random.Below(6 * 60));
            while (Passed < Duration.FromHours(20))
            {
                if (City.Place.Parent!.Node.ToString() == "province-1" && Passed >= moveAt)
                {
                    Move(random.OneIn(2));
                }

                foreach (var city in _tree.Cities.Where(c => c.Core is not null).ToArray())
                {
                    foreach (var id in random.OneIn(2) ? Report(city, 1 + random.Below(3)) : [])
                    {
                        Work(city, id, (CaseStage)random.Below((int)CaseStage.Closed + 1));
                    }
                }

                foreach (var node in _tree.Nodes.Values.ToArray())
                {
                    if (node.Core is null && random.OneIn(2))
                    {
                        node.Start();
                    }
                    else if (node.Core is not null && random.OneIn(30))
                    {
                        node.Crash(powerCut: random.OneIn(2));
                    }
                    else if (node.Core is { } core && random.OneIn(20))
                    {
                        core.SaveSnapshot();
                    }

                    if (random.OneIn(20))
                    {
                        node.Clock.Offset = TimeSpan.FromSeconds(random.Below(240) - 120);
                    }
                }

                Watch(Duration.FromMinutes(1 + random.Below(40)), step: Duration.FromSeconds(Passed > moveAt - Duration.FromHours(1) && Passed < moveAt + Duration.FromHours(3) ? 20 : 120));
            }

            _tree.Weather = SimulatedWeather.Fair;
            foreach (var node in _tree.Nodes.Values.Where(n => n.Core is null))
            {
                node.Start();
            }

            Watch(Duration.FromHours(2), step: Duration.FromMinutes(5));
            foreach (var node in _tree.Nodes.Values)
            {
                node.StopTheClockwork();
            }

            Watch(Duration.FromHours(1), step: Duration.FromMinutes(5));
            Check();
        }

        public void CompareRanges()
        {
            foreach (var node in _tree.Nodes.Values)
            {
                node.Do(core => core.Uplink?.CompareRanges());
            }

            Watch(Duration.FromMinutes(10));
        }

        public void Move(bool powerCut = false) => Rehome("province-2", powerCut);

        public void MoveBack() => Rehome("province-1", false);

        private void Rehome(string province, bool powerCut)
        {
            if (City.Core is not null)
            {
                City.Crash(powerCut);
            }

            City.Rehome(ProvinceOf(province).Place);
            City.Start();
        }

        public CaseId[] Report(SimulatedNode city, int times)
        {
            var district = _tree.Register.ChildrenOf(city.Place.Division).First(d => d.Kind == DivisionKind.County).Code;
            var ids = new CaseId[times];
            for (var i = 0; i < times; i++)
            {
                ids[i] = city.Core!.Desk.Mint();
                Do(city, new ReportCase(TypeCode.Parse(SmallTree.Cover), district, SourceCode.Parse("hotline")) { Case = ids[i], Actor = "desk" });
            }

            return ids;
        }

        public void Work(SimulatedNode city, CaseId id, CaseStage until)
        {
            while (city.Core!.Desk.Find(id)! is { } state && state.Stage < until)
            {
                Do(city, Cases.City.NextStep(state, 0));
            }
        }

        public void Do(SimulatedNode city, CaseCommand command)
        {
            CaseAnswer? told = null;
            city.Core!.Desk.Submit(command with { Request = new RequestMark($"h-{++_requests}", (ulong)_requests) }, answer => told = answer);
            city.Pump();
            Assert.That(told?.Refusal, Is.Null);
        }

        /// <summary>Time goes on and nobody looks: figures are put right meanwhile, and then fall.</summary>
        public void Settle() => _tree.Run(TimeSpan.FromHours(1));

        public void Watch(Duration span) => Watch(span, Duration.FromSeconds(20));

        public void WatchUntil(Duration time) => Watch(time - Passed, Duration.FromMinutes(5));

        public string[] Ask(string by, string measures, string hierarchy) => Ask(Ministry, by, measures, hierarchy);

        public string[] Ask(string by, string measures, string hierarchy, string division) => Ask(Ministry, by, measures, hierarchy, division);

        public static string[] Ask(SimulatedNode node, string by, string measures, string hierarchy, string division = "")
        {
            var request = RequestOf(by, measures, hierarchy, division);
            var answer = node.Core!.Views.Answer(request, out var refusal);
            Assert.That(refusal, Is.Null);
            return Rows(request, answer!);
        }

        /// <summary>All places below the ministry, live; what has something to say, over all of them.</summary>
        public string[] AskLive(string by, string measures, string hierarchy, string division)
        {
            var request = RequestOf(by, measures, hierarchy, division);
            ReachGathered? told = null;
            Ministry.Do(core => core.ReachDesk.Ask(
                new ReachWish("viewer", Ministry.Place.Division, true, ReachKind.View, request.ToByteString(), Duration.FromSeconds(10)), (gathered, _) => told = gathered));
            _tree.Run(TimeSpan.FromSeconds(20));
            Assert.That(told!.Parts.Select(part => part.Code), Is.All.Empty);
            return [.. told.Parts.SelectMany(part => Rows(request, QueryResponse.Parser.ParseFrom(part.Answer))).Where(row => !row.EndsWith(" 0 0", StringComparison.Ordinal))];
        }

        private static QueryRequest RequestOf(string by, string measures, string hierarchy, string division)
        {
            var request = Views.ViewWorld.Ask(by, measures);
            request.Hierarchy = hierarchy;
            request.Divisions.AddRange(division.Length == 0 ? [] : [division]);
            return request;
        }

        private static string[] Rows(QueryRequest request, QueryResponse answer) =>
            [.. answer.Rows.Select(row => string.Join(' ', request.By.Select(d => row.Dimensions[d]).Concat(request.Measures.Select(m => $"{row.Measures[m]}"))))];

        public void Check() => new StoryEnd(_tree).Check();

        /// <summary>The ministry has what the cities have, cell for cell, though a province holds what it should not.</summary>
        public void CheckMinistry()
        {
            foreach (var city in _tree.Cities)
            {
                Assert.That(Ministry.Core!.Cells.DigestOf(city.Place.Node, Grain.National), Is.EqualTo(city.Core!.Cells.DigestOf(city.Place.Node, Grain.National)));
            }
        }

        private Duration Passed => Duration.FromTicks(_tree.Time.UtcTicks - new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero).UtcTicks);

        private void Watch(Duration span, Duration step)
        {
            for (var end = Passed + span; Passed < end;)
            {
                _tree.Run(step.ToTimeSpan());
                Look();
            }
        }

        /// <summary>
        /// What never falls at its origin never falls at the ministry and is never more than there: held twice, or not held, it would be. And the provinces are
        /// the nation.
        /// </summary>
        private void Look()
        {
            if (Ministry.Core is not { } core)
            {
                return;
            }

            foreach (var city in _tree.Cities)
            {
                var (above, seen) = (Sums(core, city), _seen.GetValueOrDefault(city.Place.Node) ?? new long[3]);
                var below = city.Core is { } its ? Sums(its, city) : null;
                for (var i = 0; i < above.Length; i++)
                {
                    Assert.That(above[i], Is.GreaterThanOrEqualTo(seen[i]), $"{city.Place.Node} lost at the ministry at {Passed}");
                    Assert.That(below is null || above[i] <= below[i], Is.True, $"{city.Place.Node} has {above[i]} at the ministry and {below?[i]} itself at {Passed}");
                }

                _seen[city.Place.Node] = above;
            }

            foreach (var hierarchy in new[] { "as-was", "as-is", LastDay })
            {
                var nation = Ask("", "reported,closed,open_at", hierarchy).Single().Split(' ').Select(long.Parse);
                var provinces = Ask("province", "reported,closed,open_at", hierarchy).Select(row => row.Split(' ').Skip(1).Select(long.Parse).ToArray()).ToArray();
                Assert.That(Enumerable.Range(0, 3).Select(i => provinces.Sum(p => p[i])), Is.EqualTo(nation), $"{hierarchy} at {Passed}");
            }
        }

        private static long[] Sums(CityGrid.Node.NodeCore core, SimulatedNode city)
        {
            var sum = new Hub.Cells.CellSum(withHistograms: false);
            core.Cells.Visit(new Hub.Cells.CellFilter(Grain.National, Hub.Views.ViewQuery.Beginning, Hub.Views.ViewQuery.End) { Origins = o => o == city.Place.Node }, (in CellKey _, Lsn _, ReadOnlySpan<byte> value) => sum.Add(value));
            return [sum[Counter.Reported], sum[Counter.Filed], sum[Counter.Closed]];
        }
    }
}
