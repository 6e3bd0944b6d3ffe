using CityGrid.Cli.Simulation;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// L3, A7, K3, INV-27: protocol 2 began before issuers signed orders and before there were packages. Builds of that time, which pass on nothing of either, beside today's, in every mix of three tiers, where
/// today's take what is unsigned and where they do not: each order has its one end as the clauses say, packages go as far as there is somebody who takes them, and nothing waits once the early ones are upgraded.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class Early_and_late_builds_of_protocol_2_meet
{
    /// <summary>A field that no build of today knows, of a number far above those that there are: 1999, a text.</summary>
    private static readonly byte[] OfALaterBuild = [0xFA, 0x7C, 0x05, .. "later"u8];

    [Test]
    public void In_every_mix_each_order_has_its_end_and_packages_go_as_far_as_they_are_known(
        [Values("", "m", "p", "c", "mp", "mc", "pc", "mpc")] string early, [Values] SignaturePolicy policy)
    {
        var story = new MixedStory(early, policy);
        var orders = story.IssueAll();
        if (!story.IsEarly(story.Ministry))
        {
            story.Publish("one");
        }

        story.Work();
        foreach (var (id, issuer, target) in orders)
        {
            story.RequireEnd(id, issuer, target);
        }

        foreach (var node in new[] { story.Province, story.City, story.Neighbour })
        {
            var isReached = story.Way(story.Ministry, node).All(one => !story.IsEarly(one));
            Assert.That(node.Core!.Packages.Packages.Select(package => (package.Name.ToString(), package.IsTaken)), Is.EqualTo(isReached ? new[] { ("ministry/1", true) } : []), $"{node.Place.Node}");
        }

        story.Upgrade();
        orders = story.IssueAll();
        story.Publish("two");
        story.Work();
        foreach (var (id, issuer, target) in orders)
        {
            story.RequireEnd(id, issuer, target);
            Assert.That(target.Core!.Orders.Find(id)!.Order!.Signature, Is.Not.Null, "Nobody is left who takes it away.");
        }

        var last = story.Ministry.Core!.Packages.Packages.Last().Name;
        Assert.That(story.Tree.Nodes.Values.Select(node => node.Core!.Packages.Last(last.Issuer)?.Name), Is.All.EqualTo(last), "What was missing has come.");
        story.Check();
    }

    /// <summary>Whose issuer was heard to sign is not believed without: a relay that takes signatures away is told of by what becomes of its orders, and all goes well again once it does so no more.</summary>
    [Test]
    public void A_relay_that_is_set_up_anew_with_an_early_build_is_found_out_and_holds_nothing_up()
    {
        var story = new MixedStory(string.Empty, SignaturePolicy.Accepted);
        var before = story.Issue(story.Ministry, story.City);
        story.Publish("one");
        story.Work();
        story.SetUpAnew(story.Province);
        var (heard, unheard) = (story.Issue(story.Ministry, story.City), story.Issue(story.Ministry, story.Neighbour));
        story.Publish("two");
        story.Work();
        Assert.That(story.Ends(before, story.Ministry, story.City), Is.All.EqualTo("Answered"));
        Assert.That(story.Ends(heard, story.Ministry, story.City), Is.All.EqualTo($"Rejected {IssuerWord.Unsigned}"), "The city has heard the ministry sign.");
        Assert.That(story.Ends(unheard, story.Ministry, story.Neighbour), Is.All.EqualTo("Answered"), "The other city has not.");
        Assert.That(story.City.Core!.Packages.Packages.Select(package => package.Name.Number), Is.EqualTo(new[] { 1L }));

        story.Upgrade();
        var after = story.Issue(story.Ministry, story.City);
        story.Work();
        Assert.That(story.Ends(after, story.Ministry, story.City), Is.All.EqualTo("Answered"));
        Assert.That(story.City.Core!.Packages.Packages.Select(package => (package.Name.Number, package.IsTaken)), Is.EqualTo(new[] { (1L, true), (2L, true) }));
        story.Check();
    }

    /// <summary>What an issuer of a later build makes is signed with fields that a relay of today has never heard of.</summary>
    [Test]
    public void What_a_later_build_adds_to_an_order_or_a_package_goes_through_a_relay_byte_for_byte()
    {
        var story = new MixedStory(string.Empty, SignaturePolicy.Required);
        var order = new Order
        {
            Id = OrderId.ToBytes(77),
            Issuer = story.Ministry.Place.Node.ToString(),
            IssuerDivision = story.Ministry.Place.Division.ToString(),
            TargetDivision = story.City.Place.Division.ToString(),
            Kind = OrderKind.Assign,
            Text = "of a later build",
            IssuedAt = story.Now.ToUnixTimeSeconds(),
        };
        var package = new CataloguePackage
        {
            Issuer = order.Issuer,
            IssuerDivision = order.IssuerDivision,
            Number = 1,
            Kind = PackageKind.Catalogue,
            Version = "later",
            EffectiveFrom = story.Ministry.Core!.Today.Number,
            Title = "title",
            IssuedAt = order.IssuedAt,
            Rows = Catalogue.Packages.Rows,
        };
        var (orderBytes, packageBytes) = (Later(order), Later(package));
        var (orderSignature, packageSignature) = (IssuerSignature.Parser.ParseFrom(Later(story.Sign(IssuerWord.Order, orderBytes))), IssuerSignature.Parser.ParseFrom(Later(story.Sign(IssuerWord.Package, packageBytes))));
        story.Ministry.Do(core => core.Sequencer.Submit(new Made([OrderFold.IssuedEvent(orderBytes), OrderFold.SignedEvent(order.Id, orderSignature)]) { Actor = "later" }, _ => { }));
        story.Ministry.Do(core => core.Sequencer.Submit(new Made([PackageFold.PublishedEvent(new PackageEnvelope { Package = packageBytes, Signature = packageSignature }, new Hash256(1, 1))]) { Actor = "later" }, _ => { }));
        story.Work();
        foreach (var node in new[] { story.Province, story.City })
        {
            var came = node.Core!.Orders.Find(77)!.Order!;
            Assert.That(ByteString.CopyFrom(came.Bytes.Span), Is.EqualTo(orderBytes), $"{node.Place.Node}");
            Assert.That(came.Signature!.ToByteString(), Is.EqualTo(orderSignature.ToByteString()), $"{node.Place.Node}");
            var taken = node.Core.Packages.Packages.Single();
            Assert.That((taken.IsTaken, taken.Envelope.Package, taken.Envelope.Signature.ToByteString()), Is.EqualTo((true, packageBytes, packageSignature.ToByteString())), $"{node.Place.Node}");
        }

        Assert.That(story.Ends(77, story.Ministry, story.City), Is.All.EqualTo("Answered"));
    }

    private static ByteString Later(IMessage message) => ByteString.CopyFrom([.. message.ToByteArray(), .. OfALaterBuild]);

    /// <summary>What another build wrote.</summary>
    private sealed class Made(IReadOnlyList<EventDraft> events) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [];

        public override Decision<bool> Decide(Instant now) => Decision<bool>.Of(new RecordDraft("later", events), _ => true);
    }

    /// <summary>A ministry, a province and two cities; those of some tiers are early builds. The second city is of today's all the while.</summary>
    private sealed class MixedStory
    {
        private readonly EarlyBuilds _early;
        private int _requests;

        public MixedStory(string early, SignaturePolicy policy)
        {
            _early = new EarlyBuilds(policy);
            Tree = new SimulatedTree(23, TreeShape.Of(1, 2), _early);
            _early.Nodes.UnionWith(early.Select(TierOf).Select(node => node.Place.Node));
            foreach (var node in Tree.Nodes.Values)
            {
                node.Start();
            }

            Tree.Run(TimeSpan.FromMinutes(2));
        }

        public SimulatedTree Tree { get; }

        public SimulatedNode Ministry => Tree[NodeId.Parse("ministry")];

        public SimulatedNode Province => Tree[NodeId.Parse("province-1")];

        public SimulatedNode City => Tree[NodeId.Parse("city-1-1")];

        public SimulatedNode Neighbour => Tree[NodeId.Parse("city-1-2")];

        public Instant Now => Instant.FromDateTimeOffset(Ministry.Clock.GetUtcNow());

        public bool IsEarly(SimulatedNode node) => _early.Nodes.Contains(node.Place.Node);

        /// <summary>The nodes from one to another below it, both among them.</summary>
        public IReadOnlyList<SimulatedNode> Way(SimulatedNode from, SimulatedNode to)
        {
            var way = new List<SimulatedNode> { to };
            while (way[0] != from)
            {
                way.Insert(0, Tree.ParentOf(way[0])!);
            }

            return way;
        }

        /// <summary>An order from each tier to each below it.</summary>
        public (UInt128 Id, SimulatedNode Issuer, SimulatedNode Target)[] IssueAll() =>
        [
            .. new[] { (Ministry, Province), (Ministry, City), (Ministry, Neighbour), (Province, City), (Province, Neighbour) }.Select(one => (Issue(one.Item1, one.Item2), one.Item1, one.Item2)),
        ];

        public UInt128 Issue(SimulatedNode issuer, SimulatedNode target)
        {
            OrderAnswer? answer = null;
            issuer.Do(core => core.Sequencer.Submit(core.OrderDesk.Issue(new OrderWish($"o-{++_requests}", target.Place.Division, OrderKind.Assign, UInt128.Zero, "do it", null, null), "head"), told => answer = told));
            Assert.That(answer!.Refusal, Is.Null);
            return answer.Id;
        }

        public void Publish(string version) => Ministry.Do(core => core.Sequencer.Submit(
            core.PackageDesk.Publish(new PackageWish(version, CatalogueVersion.Parse(version), core.Today, "title", Catalogue.Packages.Rows), "head"), told => Assert.That(told.Refusal, Is.Null)));

        public IssuerSignature Sign(string kind, ByteString bytes) => IssuerWord.Sign(Ministry.Signatures, new Issued(kind, Ministry.Place.Node, Ministry.Place.Division, bytes), Now)!;

        /// <summary>An hour in which cases are reported and orders that were delivered are answered.</summary>
        public void Work()
        {
            for (var i = 0; i < 6; i++)
            {
                foreach (var city in Tree.Cities)
                {
                    var core = city.Core!;
                    core.Desk.Submit(
                        new ReportCase(TypeCode.Parse("01001"), null, SourceCode.Parse("hotline")) { Case = core.Desk.Mint(), Actor = "desk", Grade = EmergencyGrade.Serious, Request = new RequestMark($"c-{++_requests}", (ulong)_requests) },
                        answer => Assert.That(answer.Refusal, Is.Null));
                    city.Pump();
                }

                foreach (var node in Tree.Nodes.Values)
                {
                    foreach (var order in node.Core!.Orders.Orders.Where(order => order.Target == node.Place.Division && node.Core.Orders.Find(order.Id)!.State == OrderState.Delivered).ToArray())
                    {
                        node.Do(core => core.Sequencer.Submit(core.OrderDesk.Step(order.Id, OrderState.Answered, "done", "clerk"), told => Assert.That(told.Refusal, Is.Null)));
                    }
                }

                Tree.Run(TimeSpan.FromMinutes(10));
            }
        }

        /// <summary>How the order stands at each node of its way: its end, and the code of a rejection.</summary>
        public string[] Ends(UInt128 id, SimulatedNode issuer, SimulatedNode target) =>
            [.. Way(issuer, target).Select(node => node.Core!.Orders.Find(id) is { Receipts: [.., { Content: var last }] } ? $"{last.State} {last.Code}".TrimEnd() : "unknown")];

        /// <summary>
        /// The signature is taken away by the first early build of the way; where a node behind that requires one, the order ends there and goes no further, and everybody above knows it. All others are answered.
        /// </summary>
        public void RequireEnd(UInt128 id, SimulatedNode issuer, SimulatedNode target)
        {
            var way = Way(issuer, target);
            var rejecting = way.Skip(1).FirstOrDefault(node => !IsEarly(node) && _early.Policy == SignaturePolicy.Required && way.TakeWhile(one => one != node).Any(IsEarly));
            var ends = Ends(id, issuer, target);
            var expected = way.Select((_, at) => rejecting is null ? "Answered" : at <= way.ToList().IndexOf(rejecting) ? $"Rejected {IssuerWord.Unsigned}" : "unknown");
            Assert.That(ends, Is.EqualTo(expected), $"{issuer.Place.Node} to {target.Place.Node}");
        }

        public void Upgrade()
        {
            _early.Nodes.Clear();
            foreach (var node in Tree.Nodes.Values)
            {
                node.Crash(powerCut: false);
                node.Start();
            }

            Tree.Run(TimeSpan.FromMinutes(2));
        }

        /// <summary>It begins with an empty directory and an early build.</summary>
        public void SetUpAnew(SimulatedNode node)
        {
            node.Crash(powerCut: false);
            node.Replace(new ModelDisk());
            _early.Nodes.Add(node.Place.Node);
            node.Start();
            Tree.Run(TimeSpan.FromMinutes(30));
        }

        /// <summary>At rest, every edge is equal.</summary>
        public void Check()
        {
            Tree.Run(TimeSpan.FromHours(1));
            new StoryEnd(Tree).Check();
        }

        private SimulatedNode TierOf(char tier) => tier switch
        {
            'm' => Ministry,
            'p' => Province,
            _ => City,
        };
    }

    /// <summary>What comes from an early build, or goes to one, as that build would have it: orders and receipts without issuers' signatures, no packages and no word of them. It judges no issuer.</summary>
    private sealed class EarlyBuilds(SignaturePolicy policy) : StoryTwist
    {
        public HashSet<NodeId> Nodes { get; } = [];

        public SignaturePolicy Policy => policy;

        public override NodeSettings Settings(NodeSettings settings) => settings with { Signatures = Nodes.Contains(settings.Node) ? SignaturePolicy.Accepted : policy };

        public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request)
        {
            if (!Nodes.Contains(child.Place.Node) && !Nodes.Contains(parent.Place.Node))
            {
                return request;
            }

            if (request.Hello is { } hello)
            {
                hello.TakesPackages = false;
                hello.Packages.Clear();
                hello.RefusedPackages.Clear();
            }

            // Of what a build does not know it makes nothing, and the child's own signature is over the part as it stands.
            if (request.Escalations is { Receipts.Count: > 0 } part)
            {
                foreach (var receipt in part.Receipts)
                {
                    receipt.Signature = null;
                }

                request.SignedHead.PartHash = ByteString.CopyFrom(CityGrid.Protocol.Wire.Statements.HashOf(part).ToBytes());
                request.SignedHead.Signature = ByteString.CopyFrom(child.Signatures!.Own!.Sign(CityGrid.Protocol.Wire.Statements.BytesOf(request.SignedHead)));
            }

            return request;
        }

        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response)
        {
            if (response.Orders is { } part && (Nodes.Contains(child.Place.Node) || Nodes.Contains(parent.Place.Node)))
            {
                foreach (var envelope in part.Orders)
                {
                    envelope.Signature = null;
                }
            }

            return response;
        }
    }
}
