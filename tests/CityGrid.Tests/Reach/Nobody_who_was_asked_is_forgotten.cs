using CityGrid.Hub.Divisions;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Reach;

/// <summary>INV-18, clauses P2 to P5: one node's queries as a pure function, with children that answer in any order, twice, in part, late, or never.</summary>
public sealed class Nobody_who_was_asked_is_forgotten
{
    private static readonly NodeId Here = NodeId.Parse("province");
    private static readonly DivisionRegister Register = DivisionRegister.Of(
    [
        Row("N", null, DivisionKind.Nation), Row("P", "N", DivisionKind.Province), Row("Q", "N", DivisionKind.Province),
        .. Enumerable.Range(1, 6).Select(i => Row($"C{i}", "P", DivisionKind.City)), Row("D1", "C1", DivisionKind.County), Row("QC", "Q", DivisionKind.City),
    ]);

    [Test]
    public void In_any_order_of_whatever_happens([Range(1, 20)] int block)
    {
        for (var seed = block * 50; seed < (block * 50) + 50; seed++)
        {
            var fault = new Story((ulong)seed).Tell();
            Assert.That(fault, Is.Null, $"Seed {seed}");
        }
    }

    [TestCase("P", true, "C1 C2 C3", "C4 C5 C6", false)]
    [TestCase("C2", false, "C2", "", false)]
    [TestCase("C2", true, "C2", "", false)]
    [TestCase("D1", false, "D1", "", false)]
    [TestCase("C5", false, "", "C5", false)]
    [TestCase("P", false, "", "", true)]
    public void Each_is_asked_about_what_lies_below_it(string target, bool allBelow, string asked, string missing, bool itself)
    {
        var ground = Ground(Child("c1", "C1"), Child("c2", "C2"), Child("c3", "C3"));
        var plan = ReachPlan.Of(ground, DivisionCode.Parse(target), allBelow);
        Assert.That(string.Join(' ', plan.Asked.Select(one => one.Target)), Is.EqualTo(asked));
        Assert.That(string.Join(' ', plan.Missing.Select(one => one.Division)), Is.EqualTo(missing));
        Assert.That(plan.AsksItself, Is.EqualTo(itself));
    }

    [Test]
    public void Of_the_nations_cities_one_that_is_silent_costs_nobody_else_his_answer()
    {
        var nation = DivisionRegister.BuiltIn;
        var root = nation.All.Single(row => row.Kind == DivisionKind.Nation).Code;
        var cities = nation.OriginsBelow(root);
        var ground = new ReachGround(Here, root, nation, [.. cities.Select(city => new ReachChild(NodeId.Parse($"n-{city.Code}".ToLowerInvariant()), city.Code, ReachStanding.Connected, null))]);
        var query = QueryOf(7, root.ToString(), allBelow: true);
        query.Held.AddRange(cities.Select(city => new ReachHeld { Origin = $"n-{city.Code}", Division = city.Code.ToString(), Epoch = 1, Lsn = 1 }));
        var clock = TimeProvider.System;
        var began = clock.GetTimestamp();
        var (state, effects) = Gathering.Step(new GatheringState(Here), new GatheringInput.Asked(1, query, ground), Duration.Zero);
        var asked = effects.OfType<GatheringEffect.AskChild>().ToArray();
        Assert.That(asked, Has.Length.EqualTo(cities.Count).And.Length.GreaterThan(330));
        Assert.That(asked.Select(one => one.Query.Held.Single().Division), Is.EqualTo(asked.Select(one => one.Query.TargetDivision)), "Each hears of itself alone.");
        TestContext.Out.WriteLine($"{asked.Length} asked in {clock.GetElapsedTime(began).TotalMilliseconds:0} ms");
        foreach (var one in asked.Skip(1))
        {
            var result = new ReachResult { Results = 1, Parts = { new ReachPart { Node = one.Child.ToString(), Division = one.Query.TargetDivision, Answer = ByteString.CopyFrom(new byte[10_000]) } } };
            (state, effects) = Gathering.Step(state, new GatheringInput.Answered(one.Child, Piece(query.Id, 1, result), nation), Duration.FromSeconds(1));
            Assert.That(effects.OfType<GatheringEffect.Finish>(), Is.Empty);
        }

        TestContext.Out.WriteLine($"and answered after {clock.GetElapsedTime(began).TotalMilliseconds:0} ms");
        (_, effects) = Gathering.Step(state, new GatheringInput.Woken(), Duration.FromSeconds(10));
        var gathered = effects.OfType<GatheringEffect.Finish>().Single().Gathered;
        Assert.That(gathered.Parts, Has.Count.EqualTo(cities.Count - 1));
        Assert.That(gathered.Missing.Select(one => (one.Node, one.Code)), Is.EqualTo(new[] { (asked[0].Child.ToString(), ReachCodes.TooLate) }));
    }

    [Test]
    public void A_node_that_was_replaced_is_not_asked_and_not_missing()
    {
        var plan = ReachPlan.Of(
            Ground(Child("c1-old", "C1", ReachStanding.Absent), Child("c1", "C1"), Child("left", "QC", ReachStanding.Absent), Child("c2-old", "C2", ReachStanding.Absent, 5), Child("c2", "C2", ReachStanding.Absent, 9)),
            DivisionCode.Parse("P"), allBelow: true);
        Assert.That(plan.Asked.Select(one => one.Child.Node.ToString()), Is.EqualTo(new[] { "c1", "c2" }));
    }

    [TestCase("N", "C1", null)]
    [TestCase("P", "C1", null)]
    [TestCase("Q", "C1", OrderJudge.NoAuthority)]
    [TestCase("C1", "C1", OrderJudge.NoAuthority)]
    [TestCase("D1", "C1", OrderJudge.NoAuthority)]
    [TestCase("C2", "D1", OrderJudge.NoAuthority)]
    [TestCase("N", "Q", OrderJudge.NotBelow)]
    [TestCase("N", "QC", OrderJudge.NotBelow)]
    [TestCase("N", "N", OrderJudge.NotBelow)]
    [TestCase("ZZ", "C1", OrderJudge.NoAuthority)]
    [TestCase("N", "ZZ", OrderJudge.NotBelow)]
    public void Who_may_ask_is_decided_by_the_register_of_the_day(string asker, string target, string? code)
    {
        var query = QueryOf(7, target);
        query.AskerDivision = asker;
        Assert.That(ReachPlan.Refused(Ground(), query)?.Code, Is.EqualTo(code));
    }

    [Test]
    public void Below_an_asker_only_until_the_day_on_which_the_register_says_otherwise()
    {
        var moves = DivisionRegister.Of(
        [
            Row("N", null, DivisionKind.Nation), Row("P", "N", DivisionKind.Province), Row("Q", "N", DivisionKind.Province),
            Row("C1", "P", DivisionKind.City) with { ValidTo = new LocalDate(2026, 6, 30) }, Row("C1", "Q", DivisionKind.City) with { ValidFrom = new LocalDate(2026, 7, 1) },
        ]);
        var query = QueryOf(7, "C1");
        query.AskerDivision = "N";
        Assert.That(ReachPlan.Refused(Ground() with { Register = moves.At(new LocalDate(2026, 6, 30)) }, query), Is.Null);
        Assert.That(ReachPlan.Refused(Ground() with { Register = moves.At(new LocalDate(2026, 7, 1)) }, query)?.Code, Is.EqualTo(OrderJudge.NotBelow));
    }

    [Test]
    public void Time_shrinks_at_every_hop_and_ends()
    {
        var left = ReachShape.WaitMost;
        for (var hop = 0; hop < 100 && left > Duration.Zero; hop++)
        {
            var next = Gathering.ForChild(left);
            Assert.That(next, Is.LessThan(left));
            left = next;
        }

        Assert.That(left, Is.EqualTo(Duration.Zero));
        Assert.That(Gathering.ForChild(Duration.FromSeconds(10)), Is.GreaterThan(Duration.FromSeconds(8)), "Four hops of ten seconds leave more than half.");
    }

    [Test]
    public void What_a_child_is_given_is_a_whole_number_of_milliseconds_or_nothing([Range(15, 40)] int left)
    {
        var query = QueryOf(7, "P", allBelow: true);
        query.RemainingMs = left;
        var (_, effects) = Gathering.Step(new GatheringState(Here), new GatheringInput.Heard(query, Ground(Child("c1", "C1"))), Duration.FromNanoseconds(300_000));
        Assert.That(effects.OfType<GatheringEffect.AskChild>().Select(one => one.Query.RemainingMs), Is.All.GreaterThan(0));
    }

    [Test]
    public void Of_what_a_child_says_only_what_lies_outside_is_left_out()
    {
        var query = QueryOf(7, "P", allBelow: true);
        var ground = new ReachGround(Here, DivisionCode.Parse("N"), Register, [Child("p", "P")]);
        query.TargetDivision = "N";
        var (state, _) = Gathering.Step(new GatheringState(Here), new GatheringInput.Asked(1, query, ground), Duration.Zero);
        var parts = new[] { "C1", "QC", "C2" }.Select((code, i) => (Number: i + 1, Result: new ReachResult { Parts = { new ReachPart { Node = code.ToLowerInvariant(), Division = code } } })).ToArray();
        parts[2].Result.Results = 3;
        var effects = new List<GatheringEffect>();
        foreach (var (number, result) in parts)
        {
            (state, var told) = Gathering.Step(state, new GatheringInput.Answered(NodeId.Parse("p"), Piece(query.Id, number, result), Register), Duration.Zero);
            effects.AddRange(told);
        }

        var gathered = effects.OfType<GatheringEffect.Finish>().Single().Gathered;
        Assert.That(gathered.Parts.Select(part => part.Division), Is.EqualTo(new[] { "C1", "C2" }));
        Assert.That(gathered.Missing.Where(one => one.Node == "p").Select(one => one.Code), Is.EqualTo(new[] { ReachCodes.Denied }));
        Assert.That(gathered.Missing.Single(one => one.Node == "p").Message, Does.Contain("QC").And.Contain("registers"));
    }

    [TestCase("C1", ReachCodes.Malformed)]
    [TestCase("D1", null, Description = "where no place keeps cases there is none to name")]
    public void A_child_whose_whole_answer_names_no_place_is_named_itself(string target, string? code)
    {
        var query = QueryOf(7, target);
        var (state, _) = Gathering.Step(new GatheringState(Here), new GatheringInput.Asked(1, query, Ground(Child("c1", "C1"))), Duration.Zero);
        var (_, effects) = Gathering.Step(state, new GatheringInput.Answered(NodeId.Parse("c1"), Piece(query.Id, 1, new ReachResult { Results = 1 }), Register), Duration.Zero);
        Assert.That(effects.OfType<GatheringEffect.Finish>().Single().Gathered.Missing.SingleOrDefault()?.Code, Is.EqualTo(code));
    }

    [Test]
    public void A_child_that_floods_is_taken_for_none_and_its_words_have_an_end()
    {
        var query = QueryOf(7, "P", allBelow: true);
        var (state, _) = Gathering.Step(new GatheringState(Here), new GatheringInput.Asked(1, query, Ground(Child("c1", "C1"), Child("c2", "C2"))), Duration.Zero);
        var flood = new ReachResult { Results = 1, Parts = { Enumerable.Range(0, 50).Select(_ => new ReachPart { Node = "c1", Division = "C1" }) } };
        (state, _) = Gathering.Step(state, new GatheringInput.Answered(NodeId.Parse("c1"), Piece(query.Id, 1, flood), Register), Duration.Zero);
        for (var number = 1; number <= 5; number++)
        {
            var again = new ReachResult { Parts = { new ReachPart { Node = "c2", Division = "C2", Message = new string('x', 100_000) } } };
            (state, _) = Gathering.Step(state, new GatheringInput.Answered(NodeId.Parse("c2"), Piece(query.Id, number, again), Register), Duration.Zero);
        }

        var run = state.Runs.Values.Single();
        Assert.That(run.Missing.Where(one => one.Node == "c1").Select(one => one.Code), Is.EqualTo(new[] { ReachCodes.Malformed }));
        Assert.That(run.Parts.Select(part => (part.Division, part.Message.Length)), Is.EqualTo(new[] { ("C2", ReachShape.MessageMax) }));
    }

    /// <summary>One whose time is over is not worked out any more: others wait for the lane in which it would be.</summary>
    [Test]
    public void What_nobody_waits_for_any_more_is_not_worked_out()
    {
        var time = new VirtualTime(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));
        var answerer = new Counting();
        var place = new ReachPlace(Here, DivisionCode.Parse("P"), () => Ground(), () => Register) { Stands = _ => null, Held = _ => [] };
        using var desk = new ReachDesk(place, new Dictionary<ReachKind, IAnswerer> { [ReachKind.View] = answerer }, new SeededEntropy(1), new VirtualClock(time));
        var waiting = new Queue<Action>();
        desk.Work = waiting.Enqueue;
        foreach (var id in new[] { 7, 8 })
        {
            var query = QueryOf(id, "P");
            query.Actor = $"a{id}";
            query.RemainingMs = id == 7 ? 1_000 : 5_000;
            desk.Hear(query);
        }

        time.Run(TimeSpan.FromSeconds(2));
        while (waiting.TryDequeue(out var work))
        {
            work();
        }

        Assert.That(answerer.Times, Is.EqualTo(1), "the one that is still waited for");
    }

    private sealed class Counting : IAnswerer
    {
        public int Times { get; private set; }

        public ReachReply Answer(ByteString request, DivisionCode target)
        {
            Times++;
            return ReachReply.No(new Refusal("NONE", "Counted."));
        }
    }

    [Test]
    public void Where_no_time_is_left_nobody_is_asked_and_it_is_said()
    {
        var query = QueryOf(7, "P", allBelow: true);
        query.RemainingMs = 15;
        var (_, effects) = Gathering.Step(new GatheringState(Here), new GatheringInput.Heard(query, Ground(Child("c1", "C1"))), Duration.Zero);
        Assert.That(effects.OfType<GatheringEffect.AskChild>(), Is.Empty);
        Assert.That(effects.OfType<GatheringEffect.Reply>().Single().Result.Missing.Where(one => one.Node == "c1").Select(one => one.Code), Is.EqualTo(new[] { ReachCodes.TooLate }));
    }

    [Test]
    public void Under_pressure_nobody_is_asked_and_it_is_said_to_whoever_asks()
    {
        var ground = Ground(Child("c1", "C1")) with { Shed = new Refusal(Hub.Load.Shedding.Busy, "The node is at 90 % of its bound.") };
        var (_, effects) = Gathering.Step(new GatheringState(Here), new GatheringInput.Asked(4, QueryOf(7, "C1"), ground), Duration.Zero);
        Assert.That(effects.OfType<GatheringEffect.Refuse>().Select(one => (one.Caller, one.Refusal.Code)), Is.EqualTo(new[] { (4L, Hub.Load.Shedding.Busy) }));
        Assert.That(effects, Has.Count.EqualTo(1));
        (_, effects) = Gathering.Step(new GatheringState(Here), new GatheringInput.Heard(QueryOf(7, "P", allBelow: true), ground), Duration.Zero);
        var told = ((GatheringEffect.Reply)effects.Single()).Result;
        Assert.That((told.Results, told.Parts.Count), Is.EqualTo((1, 0)));
        Assert.That(told.Missing.Select(one => (one.Node, one.Division, one.Code, one.Origins)), Is.EqualTo(new[] { ("province", "P", Hub.Load.Shedding.Busy, 6) }), "It stands for all below it.");
    }

    [Test]
    public void An_answer_past_the_bound_is_refused_with_what_to_do()
    {
        var part = ReachShape.Bounded(new ReachPart { Node = "c1", Division = "C1", Answer = ByteString.CopyFrom(new byte[ReachShape.AnswerBytesMax + 1]) });
        Assert.That((part.Code, part.Answer.Length), Is.EqualTo((ReachCodes.AnswerTooLarge, 0)));
        Assert.That(part.Message, Does.Contain($"{ReachShape.AnswerBytesMax}").And.Contain("Ask for fewer"));
        Assert.That(ReachShape.Bounded(new ReachPart { Answer = ByteString.CopyFrom(new byte[ReachShape.AnswerBytesMax]) }).Code, Is.Empty);
    }

    [Test]
    public void What_is_gathered_is_bounded_in_all_and_what_finds_no_room_is_named()
    {
        var ground = Ground([.. Enumerable.Range(1, 6).Select(i => Child($"c{i}", $"C{i}"))]);
        var state = new GatheringState(Here);
        IReadOnlyList<GatheringEffect> effects = [];
        var finished = new List<GatheringEffect.Finish>();
        for (var caller = 1; caller <= 25; caller++)
        {
            var query = QueryOf(caller, "P", allBelow: true);
            query.Actor = $"a{caller}";
            (state, effects) = Gathering.Step(state, new GatheringInput.Asked(caller, query, ground), Duration.Zero);
            for (var i = 1; i <= 6; i++)
            {
                var result = new ReachResult { Results = i == 6 ? 2 : 1, Parts = { new ReachPart { Node = $"c{i}", Division = $"C{i}", Answer = ByteString.CopyFrom(new byte[ReachShape.AnswerBytesMax]) } } };
                (state, effects) = Gathering.Step(state, new GatheringInput.Answered(NodeId.Parse($"c{i}"), Piece(query.Id, 1, result), Register), Duration.Zero);
            }
        }

        Assert.That(state.Runs.Values.Sum(run => run.Bytes), Is.LessThanOrEqualTo(Gathering.GatheredMax));
        (_, effects) = Gathering.Step(state, new GatheringInput.Woken(), Duration.FromSeconds(60));
        finished.AddRange(effects.OfType<GatheringEffect.Finish>());
        Assert.That(finished, Has.Count.EqualTo(25));
        Assert.That(finished.Select(one => one.Gathered.Parts.Count + one.Gathered.Missing.Count(missing => missing.Code == ReachCodes.AnswerTooLarge)), Is.All.EqualTo(6));
        Assert.That(finished[^1].Gathered.Missing.Any(missing => missing.Code == ReachCodes.AnswerTooLarge), Is.True);
    }

    [Test]
    public void Of_a_long_list_of_missing_places_the_last_says_how_many_more()
    {
        var missing = Enumerable.Range(1, ReachShape.MissingMax + 10).Select(i => new ReachMissing { Division = "C1", Origins = 1 }).ToArray();
        var bounded = ReachShape.Bounded(missing, DivisionCode.Parse("P"));
        Assert.That(bounded, Has.Count.EqualTo(ReachShape.MissingMax));
        Assert.That(bounded.Sum(one => one.Origins), Is.EqualTo(missing.Length));
        Assert.That(bounded[^1].Message, Does.Contain("11 more"));
    }

    [Test]
    public void A_result_in_pieces_is_whole_in_any_order_and_never_twice()
    {
        var random = new SeededEntropy(3);
        var result = new ReachResult { Results = 1, Parts = { new ReachPart { Node = "c1", Division = "C1", Answer = ByteString.CopyFrom(Enumerable.Range(0, 5000).Select(i => (byte)(i % 251)).ToArray()) } } };
        for (var times = 0; times < 200; times++)
        {
            var cut = Cut(ByteString.CopyFrom(new byte[16]), 1, result, random).ToList();
            cut.AddRange(cut.Where(_ => random.OneIn(2)).ToArray());
            var pieces = ReachPieces.None;
            var whole = 0;
            foreach (var piece in cut.OrderBy(_ => random.Next()).ToArray())
            {
                pieces = pieces.With(piece, out var made)!;
                Assert.That(pieces, Is.Not.Null);
                whole += made is null ? 0 : 1;
                Assert.That(made is null || made.Equals(result), Is.True);
            }

            Assert.That((whole, pieces.IsComplete), Is.EqualTo((1, true)));
        }
    }

    [TestCase(0, 0, 10, 10)]
    [TestCase(ReachShape.ResultsMax + 1, 0, 10, 10)]
    [TestCase(1, -1, 10, 10)]
    [TestCase(1, 1, 10, 10)]
    [TestCase(1, int.MaxValue, 10, 10)]
    [TestCase(1, 0, -1, 0)]
    [TestCase(1, 0, ReachShape.ResultBytesMax + 1, 10)]
    [TestCase(1, 0, 10, 11)]
    [TestCase(1, 0, 10, 0)]
    public void A_piece_that_is_none_is_refused(int number, int offset, int total, int length) =>
        Assert.That(ReachPieces.None.With(new ReachAnswer { Result = number, Offset = offset, Total = total, Content = ByteString.CopyFrom(new byte[length]) }, out _), Is.Null);

    private static Division Row(string code, string? parent, DivisionKind kind) => new(DivisionCode.Parse(code), parent is null ? null : DivisionCode.Parse(parent), code, code, kind, null, null);

    private static ReachChild Child(string node, string division, ReachStanding standing = ReachStanding.Connected, long heard = 1) =>
        new(NodeId.Parse(node), DivisionCode.Parse(division), standing, Instant.FromUnixTimeSeconds(heard));

    private static ReachGround Ground(params ReachChild[] children) => new(Here, DivisionCode.Parse("P"), Register, children);

    private static ReachQuery QueryOf(long id, string target, bool allBelow = false) => new()
    {
        Id = OrderId.ToBytes((UInt128)(ulong)id),
        Asker = "ministry",
        AskerDivision = "N",
        Actor = "viewer",
        TargetDivision = target,
        AllBelow = allBelow,
        Kind = ReachKind.View,
        RemainingMs = 10_000,
    };

    private static ReachAnswer Piece(ByteString id, int number, ReachResult result) => new() { Id = id, Result = number, Total = result.CalculateSize(), Content = result.ToByteString() };

    private static IEnumerable<ReachAnswer> Cut(ByteString id, int number, ReachResult result, SeededEntropy random)
    {
        var bytes = result.ToByteArray();
        for (var at = 0; at < bytes.Length;)
        {
            var length = Math.Min(1 + random.Below(400), bytes.Length - at);
            yield return new ReachAnswer { Id = id, Result = number, Offset = at, Total = bytes.Length, Content = ByteString.CopyFrom(bytes, at, length) };
            at += length;
        }
    }

    /// <summary>A node between a parent and six children, and everything that can happen to it, drawn.</summary>
    private sealed class Story(ulong seed)
    {
        private readonly SeededEntropy _random = new(seed);
        private readonly List<(ByteString Id, NodeId Child, ReachAnswer Piece)> _onTheirWay = [];
        private readonly Dictionary<long, (Duration By, int Times)> _callers = [];
        private readonly Dictionary<UInt128, List<GatheringEffect.Reply>> _replies = [];
        private readonly Dictionary<UInt128, Duration> _heard = [];
        private readonly Dictionary<UInt128, string> _targets = [];
        private readonly HashSet<UInt128> _givenUp = [];
        private GatheringState _state = new(Here);
        private Duration _now;
        private string? _fault;
        private long _next;

        public string? Tell()
        {
            for (var step = 0; step < 120 && _fault is null; step++)
            {
                _now += Duration.FromMilliseconds(_random.Below(400));
                if (_state.Alarm <= _now)
                {
                    Take(new GatheringInput.Woken());
                }

                switch (_random.Below(10))
                {
                    case 0 or 1:
                        Ask(own: true);
                        break;
                    case 2:
                        Ask(own: false);
                        break;
                    case 3 when _random.OneIn(3):
                        Take(new GatheringInput.Left(NodeId.Parse($"c{1 + _random.Below(6)}")));
                        break;
                    case 4 when _random.OneIn(8):
                        _givenUp.UnionWith(_heard.Keys);
                        Take(new GatheringInput.ParentLeft());
                        break;
                    default:
                        Deliver();
                        break;
                }
            }

            while (_state.Alarm is { } alarm && _fault is null)
            {
                _now = Duration.Max(alarm, _now);
                Take(new GatheringInput.Woken());
            }

            return _fault ?? End();
        }

        private void Ask(bool own)
        {
            var query = QueryOf(++_next, _random.OneIn(4) ? $"C{1 + _random.Below(6)}" : "P", _random.OneIn(3) || own);
            query.AllBelow |= query.TargetDivision == "P";
            query.RemainingMs = 200 + _random.Below(5_000);
            query.Actor = $"a{_random.Below(3)}";
            _targets[OrderId.Of(query.Id)] = query.TargetDivision;
            var standing = Enumerable.Range(1, 6).Where(_ => !_random.OneIn(6)).Select(i => Child($"c{i}", $"C{i}", (ReachStanding)(_random.OneIn(4) ? 1 + _random.Below(2) : 0))).ToArray();
            var until = _now + Duration.FromMilliseconds(query.RemainingMs);
            if (own)
            {
                // Whoever asks what is under way already has that answer, which may end later than his own would have.
                _callers[_next] = (_state.Runs.Values.Select(run => run.Until).Append(until).Max(), 0);
                Take(new GatheringInput.Asked(_next, query, Ground(standing)));
            }
            else
            {
                var id = OrderId.Of(query.Id);
                foreach (var same in _state.Runs.Values.Where(run => !run.IsOwn && run.Query.Actor == query.Actor && run.Query.TargetDivision == query.TargetDivision && run.Query.AllBelow == query.AllBelow))
                {
                    _givenUp.Add(same.Id);
                }

                _heard[id] = until;
                Take(new GatheringInput.Heard(query, Ground(standing)));
                if (_random.OneIn(3) && _state.Runs.ContainsKey(id))
                {
                    Take(new GatheringInput.Heard(query, Ground(standing)));
                }
            }
        }

        private void Deliver()
        {
            if (_onTheirWay.Count == 0)
            {
                return;
            }

            var at = _random.Below(_onTheirWay.Count);
            var (_, child, piece) = _onTheirWay[at];
            if (!_random.OneIn(4))
            {
                _onTheirWay.RemoveAt(at);
            }

            if (!_random.OneIn(30))
            {
                Take(new GatheringInput.Answered(child, piece, Register));
            }
        }

        private void Take(GatheringInput input)
        {
            (_state, var effects) = Gathering.Step(_state, input, _now);
            foreach (var effect in effects)
            {
                switch (effect)
                {
                    case GatheringEffect.AskChild ask:
                        if (ask.Query.RemainingMs >= 5_200 || ask.Query.TargetDivision != ask.Child.ToString().ToUpperInvariant())
                        {
                            _fault = $"{ask.Child} is asked about {ask.Query.TargetDivision} with {ask.Query.RemainingMs} ms";
                        }

                        foreach (var (number, result) in AnswersOf(ask.Child))
                        {
                            _onTheirWay.AddRange(Cut(ask.Query.Id, number, result, _random).Select(piece => (ask.Query.Id, ask.Child, piece)));
                        }

                        break;
                    case GatheringEffect.Finish finish:
                        foreach (var caller in finish.Callers)
                        {
                            Told(caller);
                        }

                        _fault ??= Hole(finish.Gathered);
                        break;
                    case GatheringEffect.Refuse refuse:
                        Told(refuse.Caller);
                        break;
                    case GatheringEffect.Reply reply:
                        if (_givenUp.Contains(reply.Id) || reply.Until <= _now)
                        {
                            _fault = "a reply that nobody waits for";
                        }

                        (_replies.TryGetValue(reply.Id, out var list) ? list : _replies[reply.Id] = []).Add(reply);
                        break;
                    default:
                        break;
                }
            }

            if (!_state.Runs.IsEmpty && !(_state.Alarm <= _state.Runs.Values.Min(run => run.Until)))
            {
                _fault = "nothing would wake it";
            }
        }

        /// <summary>One or two results, each of the child's own place.</summary>
        private IEnumerable<(int Number, ReachResult Result)> AnswersOf(NodeId child)
        {
            var place = child.ToString().ToUpperInvariant();
            var part = new ReachPart { Node = child.ToString(), Division = place, Answer = ByteString.CopyFrom(new byte[_random.Below(900)]) };
            if (_random.OneIn(2))
            {
                yield return (1, new ReachResult { Results = 1, Parts = { part } });
                yield break;
            }

            yield return (1, new ReachResult { Parts = { part } });
            yield return (2, new ReachResult { Results = 2, Missing = { new ReachMissing { Division = place, Node = "below", Code = ReachCodes.TooLate } } });
        }

        private void Told(long caller)
        {
            var (by, times) = _callers[caller];
            _callers[caller] = (by, times + 1);
            if (times > 0 || _now > by + Duration.FromMilliseconds(400))
            {
                _fault = $"{caller} is told {times + 1} times, {_now - by} after his time";
            }
        }

        /// <summary>Each question here is about one city or all six: each of those that it is about is in the answer.</summary>
        private string? Hole(ReachGathered gathered)
        {
            var answered = gathered.Parts.Select(part => part.Division).ToArray();
            var spoken = answered.Concat(gathered.Missing.Select(missing => missing.Division)).Distinct().Order(StringComparer.Ordinal).ToArray();
            return answered.Length != answered.Distinct().Count() ? "a place is there twice"
                : spoken.SequenceEqual(AskedAbout(gathered.Id)) ? null
                : $"about {_targets[gathered.Id]} {string.Join(' ', spoken)} are spoken of";
        }

        private string[] AskedAbout(UInt128 id) => _targets[id] == "P" ? [.. Enumerable.Range(1, 6).Select(i => $"C{i}")] : [_targets[id]];

        private string? End()
        {
            if (_callers.Values.Any(caller => caller.Times != 1) || !_state.Runs.IsEmpty)
            {
                return "somebody waits for ever";
            }

            foreach (var (id, until) in _heard.Where(one => !_givenUp.Contains(one.Key)))
            {
                var replies = _replies.GetValueOrDefault(id) ?? [];
                var last = replies.LastOrDefault()?.Result.Results;
                if (last != replies.Count || !replies.Select(reply => reply.Number).SequenceEqual(Enumerable.Range(1, replies.Count)) || replies.SkipLast(1).Any(reply => reply.Result.Results != 0))
                {
                    return $"the parent cannot tell when query {id} has been answered";
                }

                var spoken = replies.SelectMany(reply => reply.Result.Parts.Select(part => part.Division).Concat(reply.Result.Missing.Select(missing => missing.Division))).ToHashSet();
                if (replies.Any(reply => reply.Until != until + Gathering.MarginMost) || !(spoken.SetEquals(AskedAbout(id)) || spoken.SetEquals([_targets[id]])))
                {
                    return $"about {_targets[id]} {string.Join(' ', spoken.Order(StringComparer.Ordinal))} are spoken of";
                }
            }

            return null;
        }
    }
}
