using CityGrid.Cli.Simulation;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// INV-13, INV-14, E4, E5, clauses O1 to O6: ministry, province and cities in one thread, in any weather, with crashes and restored directories. Every order
/// that was issued is known once at its place, has at most one end, and that end is the same at issuer, relay and target.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class Orders_go_down_and_what_becomes_of_them_comes_up
{
    [Test]
    public void An_order_of_the_ministry_is_signed_and_answered_in_the_city_and_the_ministry_hears_of_it_at_once()
    {
        var story = new OrderStory(1);
        story.Run(TimeSpan.FromMinutes(2));
        var id = story.Issue(story.Ministry, story.Cities[0], OrderKind.Supervise)!.Value;
        story.Run(TimeSpan.FromSeconds(2));
        Assert.That(story.StatesOf(id), Is.EqualTo(new[] { OrderState.Delivered, OrderState.Delivered, OrderState.Delivered }));
        story.Step(story.Cities[0], id, OrderState.Signed);
        story.Run(TimeSpan.FromSeconds(2));
        story.Step(story.Cities[0], id, OrderState.Answered);
        story.Run(TimeSpan.FromSeconds(2));
        Assert.That(story.StatesOf(id), Is.EqualTo(new[] { OrderState.Answered, OrderState.Answered, OrderState.Answered }));
        var view = story.Ministry.Core!.OrderList.Show(id);
        Assert.That(view.Receipts.Select(r => (r.State, r.Node)), Is.EqualTo(new[] { (OrderState.Delivered, "city-1-1"), (OrderState.Signed, "city-1-1"), (OrderState.Answered, "city-1-1") }));
        Assert.That(story.Cities[0].Core!.OrderList.Show(id).Hops.Select(h => h.Node), Is.EqualTo(new[] { "province-1", "city-1-1" }));
    }

    [Test]
    public void One_that_is_cancelled_before_it_ends_is_cancelled_everywhere_and_one_that_has_ended_is_not()
    {
        var story = new OrderStory(2);
        story.Run(TimeSpan.FromMinutes(2));
        var open = story.Issue(story.Ministry, story.Cities[1], OrderKind.Assign)!.Value;
        var ended = story.Issue(story.Ministry, story.Cities[1], OrderKind.Assign)!.Value;
        story.Run(TimeSpan.FromMinutes(1));
        story.Step(story.Cities[1], ended, OrderState.Rejected);
        var first = story.Issue(story.Ministry, story.Cities[1], OrderKind.Cancel, open)!.Value;
        var second = story.Issue(story.Ministry, story.Cities[1], OrderKind.Cancel, ended)!.Value;
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(new[] { open, ended, first, second }.Select(id => story.StatesOf(id)[0]), Is.EqualTo(new[] { OrderState.Cancelled, OrderState.Rejected, OrderState.Answered, OrderState.Rejected }));
        Assert.That(story.Ministry.Core!.OrderList.Show(second).Receipts[0].Code, Is.EqualTo(OrderJudge.NothingToCancel));
        story.CheckAll();
    }

    [Test]
    public void One_that_is_delivered_too_late_has_expired()
    {
        var story = new OrderStory(3);
        story.Run(TimeSpan.FromMinutes(2));
        story.Cities[0].Crash(powerCut: true);
        var late = story.Issue(story.Ministry, story.Cities[0], OrderKind.Urge, expiresAfter: Duration.FromMinutes(10))!.Value;
        story.Run(TimeSpan.FromMinutes(30));
        Assert.That(story.Ministry.Core!.Orders.Find(late)!.State, Is.EqualTo(OrderState.Unspecified), "Unknown is not failed.");
        story.Cities[0].Start();
        story.Run(TimeSpan.FromMinutes(10));
        Assert.That(story.StatesOf(late)[0], Is.EqualTo(OrderState.Expired));
        story.CheckAll();
    }

    [Test]
    public void A_restored_city_learns_again_what_it_had_decided()
    {
        var story = new OrderStory(4);
        story.Run(TimeSpan.FromMinutes(2));
        var before = story.Issue(story.Ministry, story.Cities[0], OrderKind.Assign)!.Value;
        story.Run(TimeSpan.FromMinutes(1));
        story.Cities[0].Crash(powerCut: false);
        var copy = story.Cities[0].Disk.Copy();
        story.Cities[0].Start();
        story.Run(TimeSpan.FromMinutes(2));
        story.Step(story.Cities[0], before, OrderState.Answered);
        var after = story.Issue(story.Province, story.Cities[0], OrderKind.Assign)!.Value;
        story.Run(TimeSpan.FromMinutes(1));
        story.Step(story.Cities[0], after, OrderState.Rejected);
        story.Run(TimeSpan.FromMinutes(1));

        story.Cities[0].Crash(powerCut: true);
        story.Cities[0].Replace(copy);
        story.Cities[0].Renew();
        story.Cities[0].Start();
        story.Run(TimeSpan.FromMinutes(10));
        Assert.That(story.Cities[0].Core!.Orders.Find(before)!.State, Is.EqualTo(OrderState.Answered));
        Assert.That(story.Cities[0].Core!.Orders.Find(after)!.State, Is.EqualTo(OrderState.Rejected));
        story.CheckAll();
    }

    /// <summary>The ministry's order to the first city, which was copied before it answered.</summary>
    private static (UInt128 Order, ModelDisk Copy) AnsweredAfterACopy(OrderStory story)
    {
        story.Run(TimeSpan.FromMinutes(2));
        var id = story.Issue(story.Ministry, story.Cities[0], OrderKind.Assign)!.Value;
        story.Run(TimeSpan.FromMinutes(1));
        story.Cities[0].Crash(powerCut: false);
        var copy = story.Cities[0].Disk.Copy();
        story.Cities[0].Start();
        story.Run(TimeSpan.FromMinutes(2));
        story.Step(story.Cities[0], id, OrderState.Answered);
        story.Run(TimeSpan.FromMinutes(1));
        return (id, copy);
    }

    [Test]
    public void What_an_old_copy_decided_under_its_old_name_gives_way_to_what_was_heard_above()
    {
        var story = new OrderStory(6);
        var (id, copy) = AnsweredAfterACopy(story);

        story.Cities[0].Crash(powerCut: true);
        story.Cities[0].Replace(copy);
        story.Cities[0].Start();
        story.Step(story.Cities[0], id, OrderState.Signed);
        story.Step(story.Cities[0], id, OrderState.Rejected);
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(story.StatesOf(id), Is.EqualTo(new[] { OrderState.Answered, OrderState.Answered, OrderState.Rejected }), "or this shows nothing");
        story.Cities[0].Crash(powerCut: false);
        story.Cities[0].Renew();
        story.Cities[0].Start();
        story.Run(TimeSpan.FromMinutes(10));
        Assert.That(story.StatesOf(id), Is.All.EqualTo(OrderState.Answered));
        story.Cities[0].Do(core => core.SaveSnapshot());
        story.Cities[0].Crash(powerCut: true);
        story.Cities[0].Start();
        story.CheckAll();
    }

    [Test]
    public void A_province_that_lost_everything_and_has_not_heard_its_ministry_tells_no_city_that_this_was_all()
    {
        var story = new OrderStory(7);
        var (id, copy) = AnsweredAfterACopy(story);

        story.CutOff(story.Province, story.Ministry, TimeSpan.FromMinutes(20));
        story.Province.Crash(powerCut: true);
        story.Province.Replace(new ModelDisk());
        story.Province.Start();
        story.Cities[0].Crash(powerCut: true);
        story.Cities[0].Replace(copy);
        story.Cities[0].Renew();
        story.Cities[0].Start();
        story.Run(TimeSpan.FromMinutes(10));
        var own = story.Issue(story.Province, story.Cities[1], OrderKind.Urge)!.Value;
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(story.Cities[1].Core!.Orders.Find(own)?.State, Is.EqualTo(OrderState.Delivered), "What it orders itself waits for nobody.");
        story.Step(story.Cities[0], id, OrderState.Rejected);
        Assert.That(story.Cities[0].Core!.Orders.Find(id)!.State, Is.EqualTo(OrderState.Delivered), "The ministry knows that it was answered, and nobody here does.");
        story.Run(TimeSpan.FromMinutes(40));
        Assert.That(story.StatesOf(id), Is.All.EqualTo(OrderState.Answered));
        story.CheckAll();
    }

    [Test]
    public void A_ministry_that_lost_everything_learns_again_what_it_had_ordered()
    {
        var story = new OrderStory(5);
        story.Run(TimeSpan.FromMinutes(2));
        var id = story.Issue(story.Ministry, story.Cities[0], OrderKind.Assign)!.Value;
        story.Run(TimeSpan.FromMinutes(1));
        story.Step(story.Cities[0], id, OrderState.Answered);
        story.Run(TimeSpan.FromMinutes(1));
        story.Ministry.Crash(powerCut: true);
        story.Ministry.Replace(new ModelDisk());
        story.Ministry.Start();
        story.Run(TimeSpan.FromMinutes(30));
        Assert.That(story.Ministry.Core!.Orders.Find(id), Is.Not.Null);
        Assert.That(story.Ministry.Core!.Orders.Find(id)!.Order!.IsIssuedHere, Is.True);
        Assert.That(story.Ministry.Core!.OrderList.Show(id).Signature.Signer, Is.EqualTo("ministry"), "and that it had signed it");
        Assert.That(story.StatesOf(id), Is.EqualTo(new[] { OrderState.Answered, OrderState.Answered, OrderState.Answered }));
    }

    [Test]
    public void In_any_weather_every_order_arrives_once_and_has_one_end([Range(1, 12)] int part)
    {
        for (var seed = part * 100; seed < (part * 100) + 10; seed++)
        {
            try
            {
                var story = new OrderStory((ulong)seed);
                story.Storm();
                story.Heal();
                story.CheckAll();
            }
            catch (Exception failure)
            {
                Assert.Fail($"Seed {seed}: {failure}");
            }
        }
    }

    /// <summary>Orders in a small tree.</summary>
    private sealed class OrderStory
    {
        private readonly SimulatedTree _tree;
        private readonly List<(UInt128 Id, SimulatedNode Issuer, SimulatedNode Target)> _issued = [];
        private int _requests;

        public OrderStory(ulong seed)
        {
            _tree = new SimulatedTree(seed, provinces: 1, citiesEach: 2);
            foreach (var node in _tree.Nodes.Values)
            {
                node.Start();
            }
        }

        public SimulatedNode Ministry => _tree[NodeId.Parse("ministry")];

        public SimulatedNode Province => _tree[NodeId.Parse("province-1")];

        public SimulatedNode[] Cities => [.. _tree.Cities];

        public void Run(TimeSpan span) => _tree.Run(span);

        public void CutOff(SimulatedNode one, SimulatedNode other, TimeSpan span)
        {
            _tree.Network.Block(one.Place.Node, other.Place.Node, span);
            _tree.Network.Block(other.Place.Node, one.Place.Node, span);
        }

        public UInt128? Issue(SimulatedNode issuer, SimulatedNode target, OrderKind kind, UInt128 subject = default, Duration? expiresAfter = null)
        {
            OrderAnswer? answer = null;
            var expires = expiresAfter is { } span ? Instant.FromDateTimeOffset(issuer.Clock.GetUtcNow()) + span : (Instant?)null;
            issuer.Core!.Sequencer.Submit(issuer.Core.OrderDesk.Issue(new OrderWish($"k-{++_requests}", target.Place.Division, kind, subject, "text", null, expires), "head"), told => answer = told);
            issuer.Pump();
            if (answer is { Refusal: null })
            {
                _issued.Add((answer.Id, issuer, target));
            }

            return answer?.Id;
        }

        public void Step(SimulatedNode at, UInt128 id, OrderState state)
        {
            at.Core!.Sequencer.Submit(at.Core.OrderDesk.Step(id, state, state == OrderState.Signed ? string.Empty : "done", "desk"), _ => { });
            at.Pump();
        }

        /// <summary>At the ministry, the province and the target.</summary>
        public OrderState[] StatesOf(UInt128 id)
        {
            var (_, _, target) = _issued.Find(i => i.Id == id);
            return [.. new[] { Ministry, Province, target }.Select(node => node.Core!.Orders.Find(id)?.State ?? OrderState.Unspecified)];
        }

        public void Storm()
        {
            var random = _tree.Random;
            _tree.Weather = SimulatedWeather.Storm;
            var mishaps = new Mishaps(random);
            for (var step = 0; step < 60; step++)
            {
                foreach (var issuer in new[] { Ministry, Province }.Where(n => n.Core is not null && random.OneIn(2)))
                {
                    var cancels = _issued.Where(i => i.Issuer == issuer).ToArray();
                    if (cancels.Length > 0 && random.OneIn(5))
                    {
                        var (id, _, target) = cancels[random.Below(cancels.Length)];
                        Issue(issuer, target, OrderKind.Cancel, id);
                    }
                    else
                    {
                        Issue(issuer, Cities[random.Below(2)], (OrderKind)(1 + random.Below(4)), expiresAfter: random.OneIn(4) ? Duration.FromMinutes(random.Below(200)) : null);
                    }
                }

                foreach (var city in Cities.Where(n => n.Core is not null))
                {
                    foreach (var open in city.Core!.Orders.Orders.Where(o => city.Core.Orders.Find(o.Id)!.State is OrderState.Delivered or OrderState.Signed && random.OneIn(4)).ToArray())
                    {
                        Step(city, open.Id, (OrderState)(2 + random.Below(3)));
                    }
                }

                foreach (var node in _tree.Nodes.Values.ToArray())
                {
                    mishaps.Befall(node, mayBeRestored: true);
                }

                Run(TimeSpan.FromMinutes(random.Below(20)));
            }
        }

        public void Heal()
        {
            _tree.Weather = SimulatedWeather.Fair;
            foreach (var node in _tree.Nodes.Values.Where(n => n.Core is null))
            {
                node.Start();
            }

            Run(TimeSpan.FromMinutes(30));
            foreach (var node in _tree.Nodes.Values.Where(n => n.Core!.Uplink?.Standing.LastError.StartsWith(LinkSender.ParentFenced, StringComparison.Ordinal) == true))
            {
                // Ministry and province were both put back, and the province was granted a number again: that no other directory of it is left, a person has to say (L15).
                node.Do(core => core.Sequencer.Submit(new ForgetParentEpoch(core.UplinkFold.Territorial) { Actor = "keeper" }, _ => core.Uplink!.ParentForgotten()));
            }

            Run(TimeSpan.FromHours(3));
        }

        public void CheckAll()
        {
            foreach (var (id, issuer, target) in _issued)
            {
                var there = target.Core!.Orders.Find(id);
                if (there is null && issuer.Core!.Orders.Find(id) is null)
                {
                    // The issuer was restored from a copy made before, and had sent it to nobody.
                    continue;
                }

                Assert.That(there?.Order, Is.Not.Null, $"{OrderId.Shown(id)} of {issuer.Place.Node} never came to {target.Place.Node}.");
                Assert.That(there!.Order!.Signature, Is.Not.Null, "the issuer's signature goes with it, whatever became of those on the way");
                var ends = there.Receipts.Count(r => r.Content.State >= OrderState.Answered);
                Assert.That(ends, Is.LessThanOrEqualTo(1));
                foreach (var node in new[] { issuer, Province })
                {
                    var known = node.Core!.Orders.Find(id)!;
                    Assert.That(known.State, Is.EqualTo(there.State), $"{OrderId.Shown(id)} at {node.Place.Node}");
                    Assert.That(known.Receipts.Select(r => Convert.ToHexString(r.Bytes.Span)), Is.EqualTo(there.Receipts.Select(r => Convert.ToHexString(r.Bytes.Span))));
                }
            }
        }
    }
}
