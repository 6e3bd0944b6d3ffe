using CityGrid.Cli.Simulation;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Orders;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// INV-13, INV-22, INV-23, clause O7: from 3 March 2026 a city lies elsewhere in the tree, and orders of the ministry were on their way to it. Each reaches it, has one end, and that end is the
/// same at the city, at whoever is above it now, and at the ministry.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class Orders_follow_a_place_that_moves
{
    /// <summary>What becomes of the city's place.</summary>
    public enum Change
    {
        /// <summary>It goes to another province.</summary>
        OtherProvince,

        /// <summary>A tier stands between it and its province.</summary>
        TierPutIn,

        /// <summary>It lies directly below the ministry.</summary>
        TierLeftOut,
    }

    [Test]
    public void One_that_could_not_go_the_old_way_goes_the_new_one([Values] Change change)
    {
        var story = new Story(1, change);
        story.Start();
        var old = story.Issue(story.City)!.Value;
        story.Run(Duration.FromMinutes(5));
        story.Step(old, OrderState.Answered);
        story.Run(Duration.FromMinutes(5));

        story.City.Crash(powerCut: true);
        var waiting = story.Issue(story.City)!.Value;
        var taken = story.Issue(story.City)!.Value;
        story.IssueBeside();
        story.Run(Duration.FromMinutes(5));
        story.Issue(story.City, OrderKind.Cancel, taken);
        story.IssueBeside();
        story.RunUntil(Story.Midnight + Duration.FromMinutes(10));
        story.Move();
        story.Run(Duration.FromHours(2));
        Assert.That(story.City.Core!.Orders.Find(waiting)?.State, Is.EqualTo(OrderState.Delivered));
        Assert.That(story.City.Core.Orders.Find(taken)?.State, Is.EqualTo(OrderState.Cancelled));
        Assert.That(story.Ministry.Core!.Orders.Find(old), Has.Property(nameof(OrderStanding.ReroutedAt)).Not.Null.And.Property(nameof(OrderStanding.State)).EqualTo(OrderState.Answered), "its end goes with it");
        story.CheckAll();
    }

    [Test]
    public void A_city_that_was_restored_hears_again_by_the_new_way_what_had_come_by_the_old()
    {
        var story = new Story(2, Change.OtherProvince);
        story.Start();
        var copy = story.City.Disk.Copy();
        var id = story.Issue(story.City)!.Value;
        story.Run(Duration.FromMinutes(5));
        Assert.That(story.Ministry.Core!.Orders.Find(id)!.State, Is.EqualTo(OrderState.Delivered));
        story.City.Crash(powerCut: true);
        story.City.Replace(copy);
        story.City.Renew();
        story.IssueBeside();
        story.RunUntil(Story.Midnight + Duration.FromMinutes(10));
        story.Move();
        story.Run(Duration.FromHours(2));
        Assert.That(story.City.Core!.Orders.Find(id)?.State, Is.EqualTo(OrderState.Delivered));
        story.CheckAll();
    }

    [Test]
    public void A_city_that_is_restored_from_before_an_end_as_it_moves_decides_nothing_again([Values] Change change, [Values] bool copyKnowsTheOrder)
    {
        var story = new Story(5, change);
        story.Start();
        var copy = story.City.Disk.Copy();
        var id = story.Issue(story.City)!.Value;
        story.Run(Duration.FromMinutes(5));
        if (copyKnowsTheOrder)
        {
            copy = story.City.Disk.Copy();
        }

        story.Step(id, OrderState.Answered);
        story.Run(Duration.FromMinutes(5));
        Assert.That(story.Ministry.Core!.Orders.Find(id)!.State, Is.EqualTo(OrderState.Answered));
        story.City.Crash(powerCut: true);
        story.City.Replace(copy);
        story.City.Renew();
        story.RunUntil(Story.Midnight + Duration.FromMinutes(10));
        story.Move();
        story.Run(Duration.FromHours(2));
        Assert.That(story.City.Core!.Orders.Find(id)?.State, Is.EqualTo(OrderState.Answered));
        story.Step(id, OrderState.Rejected);
        Assert.That(story.City.Core.Orders.Find(id)!.State, Is.EqualTo(OrderState.Answered));
        story.CheckAll();
    }

    [Test]
    public void The_node_that_it_left_shows_what_it_can_do_nothing_about()
    {
        var story = new Story(3, Change.OtherProvince);
        story.Start();
        story.City.Crash(powerCut: false);
        var id = story.Issue(story.City)!.Value;
        story.Run(Duration.FromMinutes(5));
        Assert.That(story.Province.Core!.OrderList.Show(id).TargetHasLeft, Is.False);
        story.RunUntil(Story.Midnight + Duration.FromMinutes(10));
        story.Move();
        story.Run(Duration.FromHours(2));
        Assert.That(story.Province.Core!.OrderList.Show(id).TargetHasLeft, Is.True);
        Assert.That(story.Province.Core.Orders.Find(id)!.ReroutedAt, Is.Null);
        Assert.That(story.Ministry.Core!.OrderList.Show(id).TargetHasLeft, Is.False);
        var head = story.Ministry.Core.Journal.Head.Lsn;
        story.Ministry.Do(core => core.RerouteOrders());
        Assert.That(story.Ministry.Core.Journal.Head.Lsn, Is.EqualTo(head), "nothing is written where there is nothing to reroute");
        story.CheckAll();
    }

    [Test]
    public void In_any_weather_around_the_midnight_each_arrives_once_and_has_one_end([Values] Change change, [Range(1, 20)] int seed)
    {
        var story = new Story((ulong)((seed * 10) + (int)change), change);
        story.Play();
        story.CheckAll();
    }

    /// <summary>Two provinces of two cities each and a sub-province in the first; the first city moves.</summary>
    private sealed class Story
    {
        public static readonly Duration Midnight = Duration.FromHours(16);

        private static readonly LocalDate First = new(2026, 3, 3);

        private readonly SimulatedTree _tree;
        private readonly SimulatedPlace _newParent;
        private readonly SimulatedNode _beside;
        private readonly List<(UInt128 Id, SimulatedNode Target, OrderKind Kind, UInt128 Subject, Instant? Expires)> _issued = [];
        private int _requests;

        public Story(ulong seed, Change change)
        {
            _tree = new SimulatedTree(seed, 2, 2);
            var middle = _tree.Add(new SimulatedPlace(NodeId.Parse("subprovince"), DivisionCode.Parse("S"), Province.Place));
            _newParent = change switch
            {
                Change.OtherProvince => _tree[NodeId.Parse("province-2")].Place,
                Change.TierPutIn => middle.Place,
                _ => Ministry.Place,
            };

            // Orders to it carry the lane to the new parent past those for the city.
            _beside = change == Change.TierPutIn ? middle : _tree[NodeId.Parse("city-2-1")];
            var row = _tree.Register.Find(City.Place.Division)!;
            _tree.Register = DivisionRegister.Of(
            [
                .. _tree.Register.All.Where(d => d.Code != row.Code),
                new Division(middle.Place.Division, Province.Place.Division, "副省", "Sub-province", DivisionKind.County, null, null),
                row with { ValidTo = First.PlusDays(-1) },
                row with { Parent = _newParent.Division, ValidFrom = First },
            ]);
        }

        public SimulatedNode Ministry => _tree[NodeId.Parse("ministry")];

        public SimulatedNode Province => _tree[NodeId.Parse("province-1")];

        public SimulatedNode City => _tree[NodeId.Parse("city-1-1")];

        private bool HasMoved => City.Place.Parent == _newParent;

        private Duration Passed => Duration.FromTicks(_tree.Time.UtcTicks - new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero).UtcTicks);

        /// <summary>Two hours before midnight everybody is connected.</summary>
        public void Start()
        {
            RunUntil(Midnight - Duration.FromHours(2));
            StartAll();
            Run(Duration.FromMinutes(20));
        }

        public void Run(Duration span) => _tree.Run(span.ToTimeSpan());

        public void RunUntil(Duration time) => Run(time - Passed);

        public UInt128? Issue(SimulatedNode target, OrderKind kind = OrderKind.Assign, UInt128 subject = default, Duration? expiresAfter = null)
        {
            OrderAnswer? answer = null;
            var expires = expiresAfter is { } span ? Instant.FromDateTimeOffset(Ministry.Clock.GetUtcNow()) + span : (Instant?)null;
            Ministry.Do(core => core.Sequencer.Submit(core.OrderDesk.Issue(new OrderWish($"k-{++_requests}", target.Place.Division, kind, subject, "text", null, expires), "head"), told => answer = told));
            if (answer is not { Refusal: null })
            {
                return null;
            }

            _issued.Add((answer.Id, target, kind, subject, expires));
            return answer.Id;
        }

        public void IssueBeside() => Issue(_beside);

        public void Step(UInt128 id, OrderState state) =>
            City.Do(core => core.Sequencer.Submit(core.OrderDesk.Step(id, state, state == OrderState.Signed ? string.Empty : "done", "desk"), _ => { }));

        /// <summary>It is configured for its new parent.</summary>
        public void Move()
        {
            if (City.Core is not null)
            {
                City.Crash(_tree.Random.OneIn(2));
            }

            City.Rehome(_newParent);
            City.Start();
        }

        /// <summary>Orders, answers and cancellations from an hour and a half before midnight until two hours after it, while the city is cut off from its old parent, in storms, kills and power cuts.</summary>
        public void Play()
        {
            Start();
            var random = _tree.Random;
            _tree.Weather = random.OneIn(4) ? SimulatedWeather.Fair : SimulatedWeather.Storm;
            var cutOff = Midnight - Duration.FromMinutes(random.Below(80));
            var moves = Midnight + Duration.FromMinutes(random.Below(90) - 20);
            var provinceIsDown = random.OneIn(2);
            var copy = City.Disk.Copy();
            while (Passed < Midnight + Duration.FromHours(2))
            {
                if (!HasMoved && Passed >= moves)
                {
                    Move();
                }

                if (Passed >= cutOff && !HasMoved)
                {
                    CutOff(provinceIsDown);
                }

                IssueSome(random);
                foreach (var open in OpenAtCity().Where(_ => random.OneIn(4)).ToArray())
                {
                    Step(open, (OrderState)(2 + random.Below(3)));
                }

                foreach (var node in _tree.Nodes.Values.Where(node => node != Province || Passed < cutOff || !provinceIsDown).ToArray())
                {
                    Disturb(node, random);
                }

                if (City.Core is null && random.OneIn(8))
                {
                    City.Replace(copy.Copy());
                    City.Renew();
                }

                Run(Duration.FromSeconds(30 + random.Below(600)));
            }

            if (!HasMoved)
            {
                Move();
            }

            _tree.Weather = SimulatedWeather.Fair;
            StartAll();
            Run(Duration.FromHours(4));
        }

        /// <summary>What is open is answered first; what has ended then was ended before.</summary>
        public void CheckAll()
        {
            var mine = _issued.Where(order => order.Target == City).ToArray();
            foreach (var (id, _, _, subject, _) in mine.Where(order => order.Kind == OrderKind.Cancel))
            {
                var taken = Ministry.Core!.Orders.Find(subject)!;
                Assert.That(taken.HasEnded, Is.True, $"{OrderId.Shown(id)} took nothing back: {OrderId.Shown(subject)} is {taken.State}.");
            }

            foreach (var id in OpenAtCity())
            {
                Step(id, OrderState.Answered);
            }

            Run(Duration.FromHours(1));
            foreach (var (id, _, _, _, expires) in mine)
            {
                var (there, above) = (City.Core!.Orders.Find(id), Ministry.Core!.Orders.Find(id)!);
                if (there?.Order is null)
                {
                    // Its term ended on the way.
                    var hasExpired = expires is { } term && term < Instant.FromUtc(2026, 3, 2, 0, 0) + Passed && above.Receipts.Count == 0;
                    Assert.That(hasExpired, Is.True, $"{OrderId.Shown(id)} never came, and is {above.State} at the ministry.");
                    continue;
                }

                Assert.That(there.Receipts.Count(receipt => receipt.Content.State >= OrderState.Answered), Is.EqualTo(1), OrderId.Shown(id));
                foreach (var node in new[] { Ministry, _tree[_newParent.Node] })
                {
                    var known = node.Core!.Orders.Find(id);
                    Assert.That(known?.Order, Is.Not.Null, $"{OrderId.Shown(id)} at {node.Place.Node}");
                    Assert.That(known!.Receipts.Select(receipt => Convert.ToHexString(receipt.Bytes.Span)), Is.EqualTo(there.Receipts.Select(receipt => Convert.ToHexString(receipt.Bytes.Span))), $"{OrderId.Shown(id)} at {node.Place.Node}");
                }
            }
        }

        private UInt128[] OpenAtCity() => City.Core is not { } core ? [] :
            [.. core.Orders.Orders.Where(order => order.Target == City.Place.Division && core.Orders.Find(order.Id)!.State is OrderState.Delivered or OrderState.Signed).Select(order => order.Id)];

        private void IssueSome(Hub.Seams.SeededEntropy random)
        {
            if (random.OneIn(2))
            {
                Issue(City, (OrderKind)(1 + random.Below(4)), expiresAfter: random.OneIn(5) ? Duration.FromMinutes(random.Below(200)) : null);
            }

            var mine = _issued.Where(order => order.Target == City && order.Kind != OrderKind.Cancel && order.Expires is null).ToArray();
            if (mine.Length > 0 && random.OneIn(6))
            {
                Issue(City, OrderKind.Cancel, mine[random.Below(mine.Length)].Id);
            }

            if (random.OneIn(2))
            {
                IssueBeside();
            }
        }

        /// <summary>The old parent is down, or the line to it.</summary>
        private void CutOff(bool provinceIsDown)
        {
            if (provinceIsDown && Province.Core is not null)
            {
                Province.Crash(powerCut: false);
            }

            _tree.Network.Block(City.Place.Node, Province.Place.Node, TimeSpan.FromMinutes(20));
            _tree.Network.Block(Province.Place.Node, City.Place.Node, TimeSpan.FromMinutes(20));
        }

        private void Disturb(SimulatedNode node, Hub.Seams.SeededEntropy random)
        {
            if (node.Core is null)
            {
                if (random.OneIn(2))
                {
                    node.Start();
                }
            }
            else if (random.OneIn(15))
            {
                node.Crash(powerCut: random.OneIn(2));
            }
            else if (random.OneIn(20))
            {
                node.Core.SaveSnapshot();
            }

            if (random.OneIn(20))
            {
                node.Clock.Offset = TimeSpan.FromSeconds(random.Below(240) - 120);
            }
        }

        private void StartAll()
        {
            foreach (var node in _tree.Nodes.Values.Where(node => node.Core is null))
            {
                node.Start();
            }
        }
    }
}
