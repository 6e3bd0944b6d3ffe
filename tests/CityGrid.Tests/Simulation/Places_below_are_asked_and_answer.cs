using CityGrid.Cli.Simulation;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>INV-18, clauses P1 to P7: ministry, province and cities in one thread. Whoever is asked answers or is named as missing, in time, and nothing is written.</summary>
[Parallelizable(ParallelScope.All)]
public sealed class Places_below_are_asked_and_answer
{
    [Test]
    public void A_province_asks_its_city()
    {
        var story = new ReachStory(1);
        var told = story.AskAndWait(story.Province, ReachStory.ByDistrict(story.City(2).Place.Division));
        Assert.That(told.Answered, Is.EqualTo(new[] { $"city-1-2 {story.City(2).Place.Division}" }));
        Assert.That(told.Gathered!.IsPartial, Is.False);
        Assert.That(ReachStory.Lines(told.Gathered.Parts[0]), Is.EqualTo(new[] { $"{story.District(story.City(2), 1)} 2", $"{story.District(story.City(2), 2)} 1" }));
        Assert.That(told.Took, Is.LessThan(TimeSpan.FromSeconds(1)), "In true time, on lines of 50 ms.");
    }

    [Test]
    public void A_ministry_has_from_the_cities_what_it_does_not_hold_and_no_journal_grows_by_it()
    {
        var story = new ReachStory(2, cities: 3);
        var local = new QueryRequest { By = { "district" } };
        story.Ministry.Core!.Views.Answer(local, out var refusal);
        Assert.That(refusal!.Code, Is.EqualTo("DETAIL_NOT_HELD"));

        // Reported a moment ago: nobody above has heard of it.
        story.Report(story.City(1), 5, district: 1);
        var heads = story.Tree.Nodes.Values.Select(node => node.Core!.Journal.Head.Lsn).ToArray();
        var told = story.Ask(story.Ministry, ReachStory.ByDistrict(story.Ministry.Place.Division, allBelow: true));
        story.Run(TimeSpan.FromSeconds(2));
        Assert.That(told.Missing, Is.Empty);
        Assert.That(told.Answered, Is.EqualTo(story.Tree.Cities.Select(city => $"{city.Place.Node} {city.Place.Division}")));
        Assert.That(ReachStory.Lines(told.Gathered!.Parts[0]), Is.EqualTo(new[] { $"{story.District(story.City(1), 1)} 6", $"{story.District(story.City(1), 2)} 1" }));
        Assert.That(told.Gathered.Parts.Select(part => part.Lsn), Is.EqualTo(story.Tree.Cities.Select(city => city.Core!.Journal.Head.Lsn.Value)));
        Assert.That(told.Gathered.Parts.Select(part => part.Older), Is.All.False);
        Assert.That(story.Tree.Nodes.Values.Select(node => node.Core!.Journal.Head.Lsn), Is.EqualTo(heads), "A query writes nothing anywhere.");
        Assert.That(story.Tree.Nodes.Values.Select(node => node.Core!.ReachDesk.UnderWay), Is.All.Zero);
    }

    [Test]
    public void One_city_that_is_down_costs_nobody_else_his_answer_and_is_named_with_when_it_was_last_heard()
    {
        var story = new ReachStory(3, cities: 3);
        story.City(2).Crash(powerCut: true);
        story.Run(TimeSpan.FromSeconds(40));
        foreach (var _ in story.Tree.Edges.Where(edge => edge.Child == story.City(2)))
        {
            // The process is gone and the line with it, which the province learns by the next frame that finds nobody.
            story.Province.Do(core => core.ReachDesk.Ask(ReachStory.ByDistrict(story.City(2).Place.Division, seconds: 1), (_, _) => { }));
        }

        story.Run(TimeSpan.FromSeconds(5));
        var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Ministry.Place.Division, allBelow: true));
        Assert.That(told.Answered, Is.EqualTo(new[] { story.City(1), story.City(3) }.Select(city => $"{city.Place.Node} {city.Place.Division}")));
        Assert.That(told.Gathered!.IsPartial, Is.True);
        Assert.That(told.Missing, Has.Length.EqualTo(1));
        Assert.That(told.Missing[0], Does.StartWith($"city-1-2 {story.City(2).Place.Division} "));
        Assert.That(told.Gathered.Missing[0].LastHeard, Is.GreaterThan(0));
        Assert.That(told.Gathered.Missing[0].Origins, Is.EqualTo(1));
        Assert.That(told.Took, Is.LessThan(TimeSpan.FromSeconds(10)));
    }

    [Test]
    public void One_that_hears_and_never_answers_is_told_of_by_its_own_parent_and_in_time()
    {
        var wire = new ReachWire { OnAnswer = (from, answer) => from == NodeId.Parse("city-1-1") ? null : answer };
        var story = new ReachStory(4, wire: wire);
        var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Ministry.Place.Division, allBelow: true, seconds: 4));
        Assert.That(told.Missing, Is.EqualTo(new[] { $"city-1-1 {story.City(1).Place.Division} {ReachCodes.TooLate}" }), "The province is not missing: it was left time to say so.");
        Assert.That(told.Answered, Is.EqualTo(new[] { $"city-1-2 {story.City(2).Place.Division}" }));
        Assert.That(told.Took, Is.GreaterThan(TimeSpan.FromSeconds(2)).And.LessThan(TimeSpan.FromSeconds(4)));
        var left = wire.Queries.Where(one => one.To == story.Province.Place.Node || one.To == story.City(1).Place.Node).Select(one => one.Query.RemainingMs).ToArray();
        Assert.That(left, Has.Length.EqualTo(2));
        Assert.That(left[0], Is.LessThan(4000));
        Assert.That(left[1], Is.LessThan(left[0]));
    }

    [Test]
    public void A_ministry_that_hears_nothing_ends_in_time_by_itself()
    {
        var story = new ReachStory(5, wire: new ReachWire { OnQuery = (_, _) => null });
        var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Ministry.Place.Division, allBelow: true, seconds: 3));
        Assert.That(told.Missing, Is.EqualTo(new[] { $"province-1 {story.Province.Place.Division} {ReachCodes.TooLate}" }));
        Assert.That(told.Gathered!.Missing[0].Origins, Is.EqualTo(2), "It stands for its cities.");
        Assert.That(told.Took, Is.EqualTo(TimeSpan.FromSeconds(3)).Within(TimeSpan.FromMilliseconds(50)));
    }

    [TestCase("asker")]
    [TestCase("target")]
    [TestCase("loop")]
    public void The_scope_is_decided_anew_at_every_hop(string forged)
    {
        foreach (var hop in new[] { "province-1", "city-1-1" })
        {
            var wire = new ReachWire();
            var story = new ReachStory(6, wire: wire);
            wire.OnQuery = (to, query) =>
            {
                if (to == NodeId.Parse(hop))
                {
                    (query.AskerDivision, query.TargetDivision, query.Asker) = forged switch
                    {
                        // A neighbour that asks by the ministry's hand.
                        "asker" => (story.City(2).Place.Division.ToString(), query.TargetDivision, query.Asker),
                        "target" => (query.AskerDivision, story.City(hop == "city-1-1" ? 2 : 1).Place.Division.ToString(), query.Asker),
                        _ => (query.AskerDivision, query.TargetDivision, hop),
                    };
                    if (forged == "target" && hop == "province-1")
                    {
                        query.TargetDivision = story.Ministry.Place.Division.ToString();
                    }
                }

                return query;
            };
            var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.City(1).Place.Division));
            Assert.That(told.Answered, Is.Empty, hop);
            var code = forged switch
            {
                "asker" => OrderJudge.NoAuthority,

                // The one above does not believe what is said of a place that it did not ask about.
                "target" => ReachCodes.Denied,
                _ => OrderJudge.Loop,
            };
            Assert.That(told.Missing, Is.EqualTo(new[] { $"{hop} {story.City(1).Place.Division} {code}" }), hop);
        }
    }

    [Test]
    public void A_child_that_speaks_for_another_is_not_believed()
    {
        var wire = new ReachWire();
        var story = new ReachStory(7, wire: wire);
        wire.OnAnswer = (from, answer) =>
        {
            if (from == NodeId.Parse("city-1-1"))
            {
                var result = ReachResult.Parser.ParseFrom(answer.Content);
                result.Parts[0].Division = story.City(2).Place.Division.ToString();
                (answer.Content, answer.Total) = (result.ToByteString(), result.CalculateSize());
            }

            return answer;
        };
        var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Ministry.Place.Division, allBelow: true));
        Assert.That(told.Missing, Is.EqualTo(new[] { $"city-1-1 {story.City(1).Place.Division} {ReachCodes.Denied}" }));
        Assert.That(told.Answered, Is.EqualTo(new[] { $"city-1-2 {story.City(2).Place.Division}" }));
    }

    [Test]
    public void A_child_that_speaks_the_old_protocol_is_never_asked_and_is_named()
    {
        var wire = new ReachWire();
        var story = new ReachStory(8, wire: wire);
        story.City(1).Crash(powerCut: false);
        story.City(1).ProtocolNewest = 1;
        story.City(1).Start();
        story.Run(TimeSpan.FromMinutes(20));
        var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Ministry.Place.Division, allBelow: true));
        Assert.That(told.Missing, Is.EqualTo(new[] { $"city-1-1 {story.City(1).Place.Division} {ReachCodes.ProtocolOld}" }));
        Assert.That(wire.Queries.Select(one => one.To), Has.None.EqualTo(story.City(1).Place.Node));
        Assert.That(told.Took, Is.LessThan(TimeSpan.FromSeconds(1)));
    }

    [Test]
    public void A_place_that_nobody_speaks_for_is_named_too()
    {
        var story = new ReachStory(9, cities: 3, absent: 2);
        var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.City(2).Place.Division));
        Assert.That(told.Missing, Is.EqualTo(new[] { $" {story.City(2).Place.Division} {ReachCodes.NeverHeard}" }));
        told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Ministry.Place.Division, allBelow: true));
        Assert.That(told.Missing, Is.EqualTo(new[] { $" {story.City(2).Place.Division} {ReachCodes.NeverHeard}" }));
        Assert.That(told.Answered, Has.Length.EqualTo(2));
    }

    [Test]
    public void A_district_without_a_node_is_answered_for_by_its_city_and_for_itself_alone()
    {
        var story = new ReachStory(10);
        var district = story.District(story.City(1), 2);
        var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(district));
        Assert.That(told.Answered, Is.EqualTo(new[] { $"city-1-1 {district}" }));
        Assert.That(ReachStory.Lines(told.Gathered!.Parts[0]), Is.EqualTo(new[] { $"{district} 1" }));
    }

    [Test]
    public void A_province_that_was_put_back_says_that_it_has_less_than_the_ministry_knows_of()
    {
        var story = new ReachStory(11);
        story.Province.Crash(powerCut: false);
        var copy = story.Province.Disk.Copy();
        story.Province.Start();
        story.Report(story.City(1), 3, district: 1);
        story.Run(TimeSpan.FromHours(1));
        story.City(1).Crash(powerCut: false);
        story.City(2).Crash(powerCut: false);
        story.Province.Crash(powerCut: false);
        story.Province.Replace(copy);
        story.Province.Renew();
        story.Province.Start();
        story.Run(TimeSpan.FromHours(1));
        var told = story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Province.Place.Division));
        Assert.That(told.Answered, Is.EqualTo(new[] { $"province-1 {story.Province.Place.Division}" }));
        Assert.That(told.Gathered!.Parts[0].Older, Is.True);

        story.City(1).Start();
        story.City(2).Start();
        story.Run(TimeSpan.FromHours(1));
        Assert.That(story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Province.Place.Division)).Gathered!.Parts[0].Older, Is.False, "The cities have told it again.");
    }

    [Test]
    public void The_same_question_of_the_same_asker_is_asked_once_and_answered_to_both()
    {
        var wire = new ReachWire();
        var story = new ReachStory(12, wire: wire);
        var wish = ReachStory.ByDistrict(story.City(1).Place.Division);
        var (first, second) = (story.Ask(story.Ministry, wish), story.Ask(story.Ministry, wish));
        var another = story.Ask(story.Ministry, wish with { Actor = "somebody else" });
        story.Run(TimeSpan.FromSeconds(5));
        Assert.That(new[] { first.Times, second.Times, another.Times }, Is.EqualTo(new[] { 1, 1, 1 }));
        Assert.That(second.Gathered!.Id, Is.EqualTo(first.Gathered!.Id));
        Assert.That(another.Gathered!.Id, Is.Not.EqualTo(first.Gathered.Id));
        Assert.That(wire.Queries.Where(one => one.To == story.City(1).Place.Node).Select(one => one.Query.Actor), Is.EquivalentTo(new[] { "viewer", "somebody else" }));
    }

    [Test]
    public void More_than_a_node_takes_at_once_are_refused_with_a_code()
    {
        var story = new ReachStory(13, wire: new ReachWire { OnQuery = (_, _) => null });
        var told = Enumerable.Range(0, Gathering.UnderWayMax + 5).Select(i => story.Ask(story.Ministry, ReachStory.ByDistrict(story.City(1).Place.Division, actor: $"a{i}"))).ToArray();
        Assert.That(told.Count(one => one.Refusal?.Code == Hub.Load.Shedding.Busy), Is.EqualTo(5));
        story.Run(TimeSpan.FromSeconds(11));
        Assert.That(told.Select(one => one.Times), Is.All.EqualTo(1));
        Assert.That(story.Ministry.Core!.ReachDesk.UnderWay, Is.Zero);
        Assert.That(story.Ask(story.Ministry, ReachStory.ByDistrict(story.City(1).Place.Division)).Refusal, Is.Null);
    }

    [Test]
    public void A_case_is_told_of_as_it_stands_there_and_nothing_personal_goes_up()
    {
        var wire = new ReachWire();
        var story = new ReachStory(14, wire: wire);
        var desk = story.City(1).Core!.Desk;
        var id = desk.Mint();
        var part = new PersonalPart { ReporterName = "Zhang Wei", Contact = "13912345678", Address = "Renmin Road 5", FreeText = "The gate code is 4711" };
        var sealedPart = desk.Seal(id, part)!;
        desk.Submit(
            new ReportCase(Protocol.Names.TypeCode.Parse(SmallTree.Cover), story.District(story.City(1), 1), SourceCode.Parse("hotline"))
            {
                Case = id,
                Actor = "desk-of-li-na",
                Sealed = sealedPart,
                Summary = "Cover missing",
                Request = new RequestMark("p-1", 1),
            },
            answer => Assert.That(answer.Refusal, Is.Null));
        story.City(1).Pump();
        foreach (var stage in new[] { CaseStage.Verified, CaseStage.Filed })
        {
            desk.Submit(Cases.City.NextStep(desk.Find(id)!, 0) with { Request = new RequestMark($"p-{stage}", (ulong)stage + 10), Actor = "desk-of-li-na" }, answer => Assert.That(answer.Refusal, Is.Null));
            story.City(1).Pump();
        }

        var told = story.AskAndWait(story.Ministry, ReachStory.OfCase(id, story.City(1).Place.Division));
        var summary = CaseSummary.Parser.ParseFrom(told.Gathered!.Parts.Single().Answer);
        var state = desk.Find(id)!;
        Assert.That((summary.CaseId, summary.Stage, summary.Division, summary.Version), Is.EqualTo((id.ToString(), "filed", state.Division.ToString(), state.Version)));
        Assert.That(summary.Deadline, Is.EqualTo(state.Deadline!.Value.ToUnixTimeSeconds()));
        Assert.That(summary.Steps.Select(step => step.Event), Is.EqualTo(new[] { "Reported", "PreFilingChecked", "Filed", "Escalated" }));

        story.AskAndWait(story.Ministry, ReachStory.ByDistrict(story.Ministry.Place.Division, allBelow: true));
        var secrets = new[] { "Zhang", "13912345678", "Renmin", "4711", "li-na", "Cover missing" };
        Assert.That(wire.Frames, Has.Count.GreaterThan(4));
        foreach (var frame in wire.Frames)
        {
            var text = System.Text.Encoding.Latin1.GetString(frame);
            Assert.That(secrets.Where(text.Contains), Is.Empty, "INV-30");
        }

        Assert.That(story.AskAndWait(story.Ministry, ReachStory.OfCase(id, story.City(2).Place.Division)).Answered, Is.EqualTo(new[] { $"city-1-2 {story.City(2).Place.Division} CASE_UNKNOWN" }));
        Assert.That(
            story.AskAndWait(story.Ministry, ReachStory.OfCase(id, story.District(story.City(1), 2))).Answered,
            Is.EqualTo(new[] { $"city-1-1 {story.District(story.City(1), 2)} CASE_UNKNOWN" }),
            "It lies in another district than the one asked.");
    }

    [Test]
    public void A_question_that_makes_a_node_stumble_does_not_end_it()
    {
        var story = new ReachStory(16);
        Exception? told = null;
        using var desk = new ReachDesk(
            new ReachPlace(story.Province.Place.Node, story.Province.Place.Division, () => new ReachGround(story.Province.Place.Node, story.Province.Place.Division, story.Tree.Register, []), () => story.Tree.Register)
            {
                Stands = _ => null,
                Held = _ => [],
            },
            new Dictionary<ReachKind, IAnswerer> { [ReachKind.View] = new Stumbling() },
            story.Tree.Random,
            story.Province.Clock)
        {
            Failed = failure => told = failure,
        };
        var parts = new List<ReachPart>();
        foreach (var kind in new[] { ReachKind.View, ReachKind.Case })
        {
            desk.Ask(ReachStory.ByDistrict(story.Province.Place.Division) with { Kind = kind }, (gathered, _) => parts.AddRange(gathered!.Parts));
        }

        Assert.That(parts.Select(part => part.Code), Is.EqualTo(new[] { ReachCodes.Internal, ReachCodes.KindUnknown }));
        Assert.That(parts[0].Message, Does.Not.Contain("secret"));
        Assert.That(told!.Message, Is.EqualTo("a secret path"));
    }

    private sealed class Stumbling : IAnswerer
    {
        public ReachReply Answer(ByteString request, DivisionCode target) => throw new InvalidOperationException("a secret path");
    }

    [Test]
    public void A_line_full_of_cells_still_answers()
    {
        var story = new ReachStory(15);
        story.Tree.Weather = new SimulatedWeather(0, 0, TimeSpan.FromMilliseconds(30), 0) { BytesPerSecond = 8_000 };
        for (var district = 1; district <= 3; district++)
        {
            story.ReportMany(story.City(1), 400, district);
        }

        story.City(1).Do(core => core.PushDue());
        story.Run(TimeSpan.FromSeconds(3));
        Assert.That(story.City(1).Core!.Uplink!.Standing.State.Cells.Phase, Is.EqualTo(Node.Uplink.LanePhase.Sending), "The line is full.");
        var told = story.Ask(story.Province, ReachStory.ByDistrict(story.City(1).Place.Division));
        story.Run(TimeSpan.FromSeconds(10));
        Assert.That(told.Missing, Is.Empty);
        Assert.That(told.Took, Is.LessThan(TimeSpan.FromSeconds(2)));
    }

    [Test]
    public void In_any_weather_each_question_has_one_answer_in_time_and_every_city_is_in_it([Range(1, 10)] int part)
    {
        var (whole, partial, answers) = (0, 0, 0);
        for (var seed = part * 100; seed < (part * 100) + 6; seed++)
        {
            try
            {
                var asked = Storm((ulong)seed);
                whole += asked.Count(told => told.Gathered is { IsPartial: false });
                partial += asked.Count(told => told.Gathered is { IsPartial: true });
                answers += asked.Sum(told => told.Gathered?.Parts.Count ?? 0);
            }
            catch (Exception failure)
            {
                Assert.Fail($"Seed {seed}: {failure}");
            }
        }

        TestContext.Out.WriteLine($"{whole} whole, {partial} partial, {answers} places answered");
        Assert.That(whole, Is.GreaterThan(0));
        Assert.That(partial, Is.GreaterThan(0));
    }

    /// <summary>The questions whose askers lived on.</summary>
    private static ReachStory.Told[] Storm(ulong seed)
    {
        var story = new ReachStory(seed, cities: 3);
        var random = story.Tree.Random;
        var asked = new List<(ReachStory.Told Told, SimulatedNode Asker, int Life)>();
        story.Tree.Weather = new SimulatedWeather(40, 200, TimeSpan.FromMilliseconds(50 << random.Below(7)), 4) { KeptOf1000 = 50 };
        for (var step = 0; step < 60; step++)
        {
            foreach (var asker in new[] { story.Ministry, story.Province }.Where(node => node.Core is not null && random.OneIn(2)))
            {
                asked.Add((story.Ask(asker, ReachStory.ByDistrict(asker.Place.Division, allBelow: true, seconds: 2 + random.Below(20), actor: $"a{random.Below(3)}")), asker, asker.Life));
            }

            foreach (var node in story.Tree.Nodes.Values)
            {
                if (node.Core is null ? random.OneIn(2) : random.OneIn(40))
                {
                    if (node.Core is null)
                    {
                        node.Start();
                    }
                    else
                    {
                        node.Crash(powerCut: random.OneIn(2));
                    }
                }
            }

            if (random.OneIn(4))
            {
                story.Tree.Network.ReplayLate(random);
            }

            story.Run(TimeSpan.FromSeconds(random.Below(40)));
        }

        story.Run(TimeSpan.FromSeconds(31));
        foreach (var (told, asker, life) in asked.Where(one => one.Asker.Life == one.Life))
        {
            Assert.That(told.Times, Is.EqualTo(1));
            Assert.That(told.Took, Is.LessThanOrEqualTo(TimeSpan.FromSeconds(22.1)));
            if (told.Gathered is null)
            {
                Assert.That(told.Refusal!.Code, Is.EqualTo(Hub.Load.Shedding.Busy));
                continue;
            }

            var places = told.Gathered.Parts.Select(one => one.Division).ToArray();
            Assert.That(places, Is.Unique, "Nobody is counted twice.");
            foreach (var city in story.Places)
            {
                Assert.That(
                    places.Contains(city.ToString()) || told.Gathered.Missing.Any(one => story.Tree.Register.IsAtOrBelow(city, DivisionCode.Parse(one.Division))),
                    $"{city} is a silent hole.");
            }

            foreach (var one in told.Gathered.Parts)
            {
                Assert.That(one.Code, Is.Empty);
                Assert.That(ReachStory.Lines(one), Has.Length.EqualTo(2));
            }
        }

        Assert.That(story.Tree.Nodes.Values.Where(node => node.Core is not null).Select(node => node.Core!.ReachDesk.UnderWay), Is.All.Zero);
        return [.. asked.Where(one => one.Asker.Life == one.Life).Select(one => one.Told)];
    }
}
