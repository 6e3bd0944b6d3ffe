using CityGrid.Cli.Simulation;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// R2, R4, clauses K1 to K6: ministry, province and cities in one thread, in any weather, with crashes and restored directories. At the end every place has the
/// same packages, took each once, and files under the version that is in force on the day.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class A_catalogue_goes_down_the_tree
{
    private static readonly DateTimeZone Shanghai = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];

    [Test]
    public void What_the_ministry_publishes_is_in_the_city_at_once_and_in_force_from_its_day()
    {
        var story = new CatalogueStory(1);
        story.Run(TimeSpan.FromMinutes(2));
        Assert.That(story.Publish(story.Ministry, "next", daysAhead: 1)?.Refusal, Is.Null);
        story.Run(TimeSpan.FromSeconds(5));
        Assert.That(story.Cities.Select(city => city.Core!.Packages.Editions.Count), Is.All.EqualTo(1));
        var today = story.Report(story.Cities[0]);
        story.Run(TimeSpan.FromHours(24));
        var tomorrow = story.Report(story.Cities[0]);
        Assert.That(new[] { today, tomorrow }.Select(state => state.Type.Version.ToString()), Is.EqualTo(new[] { "gb47678-2026", "next" }));
        var hops = story.Cities[0].Core!.Packages.Packages.Single().Envelope.Hops.Select(hop => hop.Node);
        Assert.That(hops, Is.EqualTo(new[] { "province-1", "city-1-1" }));
        story.Run(TimeSpan.FromHours(1));
        story.CheckAll();
    }

    [Test]
    public void In_any_weather_every_place_has_every_package_once([Range(1, 12)] int part)
    {
        for (var seed = part * 100; seed < (part * 100) + 5; seed++)
        {
            try
            {
                var story = new CatalogueStory((ulong)seed);
                story.Storm();
                story.Heal();
                story.CheckAll();
                story.CheckCases();
            }
            catch (Exception failure)
            {
                Assert.Fail($"Seed {seed}: {failure}");
            }
        }
    }

    [Test]
    public void A_lost_directory_has_them_again_by_its_hello_alone()
    {
        var story = new CatalogueStory(3);
        story.Run(TimeSpan.FromMinutes(2));
        story.Publish(story.Ministry, "one", 0);
        story.Publish(story.Province, "two", 0);
        story.Run(TimeSpan.FromMinutes(1));
        foreach (var node in new[] { story.Cities[0], story.Province })
        {
            node.Crash(powerCut: true);
            node.Replace(new ModelDisk());
            node.Start();
            story.Run(TimeSpan.FromMinutes(30));
        }

        Assert.That(story.Cities[0].Core!.Packages.Packages.Select(p => p.Name.ToString()), Is.EqualTo(new[] { "ministry/1", "province-1/1" }));
        Assert.That(story.Province.Core!.Packages.Packages.Select(p => p.Name.ToString()), Is.EqualTo(new[] { "ministry/1" }), "What it had published itself only those below it have.");
        Assert.That(story.Publish(story.Province, "three", 0)?.Package?.Name.Number, Is.EqualTo(2), "It goes on behind what those below say that they have.");
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(story.Cities.Select(city => city.Core!.Packages.Packages.Count(p => p.IsTaken)), Is.All.EqualTo(3));
    }

    [Test]
    public void A_relay_that_changes_what_it_passes_on_is_not_believed()
    {
        var story = new CatalogueStory(7, new Forger());
        story.Run(TimeSpan.FromMinutes(2));
        story.Publish(story.Ministry, "one", 0);
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(story.Province.Core!.Packages.Packages.Select(p => (p.IsTaken, p.Envelope.Signature is not null)), Is.EqualTo(new[] { (true, true) }));
        Assert.That(story.Cities.SelectMany(city => city.Core!.Packages.Packages), Is.Empty, "It says nothing of the package itself, which may still come.");
        Assert.That(story.Cities.Select(city => story.Province.Core!.Packages.Child(city.Place.Node).Refused.Single().Refusal.Code), Is.All.EqualTo(Hub.Identity.IssuerWord.Wrong));
        Assert.That(story.Report(story.Cities[0]).Type.Version.ToString(), Is.EqualTo("gb47678-2026"));
    }

    [Test]
    public void A_refusal_whose_receipt_is_lost_is_told_by_the_next_hello_and_the_package_is_not_sent_again()
    {
        var twist = new LostReceipts();
        var story = new CatalogueStory(8, twist);
        story.Run(TimeSpan.FromMinutes(2));
        var city = story.Cities[0];
        story.Publish(city, "one", 0, CatalogueStory.Rows("2h"));
        story.Publish(story.Ministry, "one", 0, CatalogueStory.Rows("3h"));
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(city.Core!.Packages.Refused.Single().Refusal!.Code, Is.EqualTo(PackageJudge.VersionReused));
        Assert.That(story.Province.Core!.Packages.Child(city.Place.Node).Refused, Is.Empty, "The receipt was lost, or this shows nothing.");
        city.Crash(powerCut: true);
        city.Start();
        var sent = twist.Sent;
        story.Run(TimeSpan.FromMinutes(5));
        Assert.That(story.Province.Core.Packages.Child(city.Place.Node).Refused.Select(refused => (refused.Name.ToString(), refused.Refusal.Code)), Is.EqualTo(new[] { ("ministry/1", PackageJudge.VersionReused) }));
        Assert.That(twist.Sent, Is.EqualTo(sent));
        story.Publish(story.Ministry, "two", 0);
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(city.Core!.Packages.Last(story.Ministry.Place.Node)?.Name.Number, Is.EqualTo(2), "It holds up no other.");
    }

    [Test]
    public void A_city_of_an_older_protocol_is_left_alone_and_its_figures_go_up()
    {
        var seen = new PackageWatch();
        var story = new CatalogueStory(4, seen);
        story.Cities[1].Crash(powerCut: false);
        story.Cities[1].ProtocolNewest = 1;
        story.Cities[1].Start();
        story.Run(TimeSpan.FromMinutes(2));
        story.Publish(story.Ministry, "one", 0);
        story.Run(TimeSpan.FromMinutes(1));
        var (old, young) = (story.Report(story.Cities[1]), story.Report(story.Cities[0]));
        story.Run(TimeSpan.FromHours(1));
        Assert.That(new[] { old, young }.Select(state => state.Type.Version.ToString()), Is.EqualTo(new[] { "gb47678-2026", "one" }));
        Assert.That(seen.Children, Is.EqualTo(new[] { "city-1-1", "province-1" }));
        new StoryEnd(story.Tree).Check();
        Assert.That(SmallTree.View(story.Ministry, "type", "reported"), Is.EqualTo(new[] { "01001 2" }), "One code under two versions is one row of figures.");
    }

    [Test]
    public void Two_packages_under_one_number_are_a_fork_that_is_told_above_and_holds_up_nothing()
    {
        var story = new CatalogueStory(5);
        story.Run(TimeSpan.FromMinutes(2));
        story.Ministry.Crash(powerCut: false);
        var copy = story.Ministry.Disk.Copy();
        story.Ministry.Start();
        story.Run(TimeSpan.FromMinutes(20));
        story.Publish(story.Ministry, "one", 0);
        story.Run(TimeSpan.FromMinutes(1));
        story.Ministry.Crash(powerCut: true);
        story.Ministry.Replace(copy);
        story.Ministry.Renew();
        story.Ministry.Start();
        Assert.That(story.Publish(story.Ministry, "another", 0)?.Package?.Name.Number, Is.EqualTo(1), "It has not heard yet what those below have.");
        story.Run(TimeSpan.FromMinutes(40));
        Assert.That(story.Province.Core!.Packages.Packages.Select(p => (p.Name.Number, p.Refusal?.Code)), Is.EqualTo(new[] { (1L, null), (1L, PackageJudge.Fork) }));
        Assert.That(story.Ministry.Core!.Packages.Child(story.Province.Place.Node).Refused.Single().Refusal.Code, Is.EqualTo(PackageJudge.Fork));
        Assert.That(story.Publish(story.Ministry, "third", 0)?.Package?.Name.Number, Is.EqualTo(3), "A number is left out, so that it is taken whatever stands before it.");
        Assert.That(story.Publish(story.Ministry, "fourth", 0)?.Package?.Name.Number, Is.EqualTo(5), "It has not heard yet that all is well again.");
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(story.Publish(story.Ministry, "fifth", 0)?.Package?.Name.Number, Is.EqualTo(6));
        story.Run(TimeSpan.FromMinutes(1));
        Assert.That(story.Cities[0].Core!.Packages.Packages.Select(p => p.Name.Number), Is.EqualTo(new[] { 1L, 3, 5, 6 }));
        Assert.That(story.Cities[0].Core!.Packages.Packages.Select(p => p.Refusal), Is.All.Null);
    }

    [Test]
    public void On_a_narrow_line_what_cannot_wait_goes_up_and_orders_come_down_while_a_package_does()
    {
        var story = new CatalogueStory(6);
        story.Run(TimeSpan.FromMinutes(2));
        story.Tree.Weather = SimulatedWeather.Fair with { BytesPerSecond = 256_000 / 8 };
        var rows = string.Concat(Enumerable.Range(10_000, 8_000).Select(code => $"{code}\t很长很长的事项名称{code}\ta long name of a matter that makes the file almost as large as one may be\t2h\n"));
        Assert.That(story.Publish(story.Ministry, "large", 0, CatalogueStory.Rows("2h") + rows)?.Refusal, Is.Null);
        var city = story.Cities[0];
        for (var second = 0; second < 200 && story.Province.Core!.Packages.Editions.Count == 0; second++)
        {
            story.Run(TimeSpan.FromSeconds(1));
        }

        story.Run(TimeSpan.FromSeconds(3));
        Assert.That(city.Core!.Packages.Editions, Is.Empty, "It is on its way to the city now, or this shows nothing.");
        var longest = TimeSpan.Zero;
        for (var i = 0; i < 10; i++)
        {
            var raised = story.Report(city, EmergencyGrade.Larger).Escalations.Single().Id;
            var start = story.Tree.Time.UtcTicks;
            while (story.Province.Core!.Escalations.Find(raised) is null && TimeSpan.FromTicks(story.Tree.Time.UtcTicks - start) < TimeSpan.FromSeconds(30))
            {
                story.Run(TimeSpan.FromMilliseconds(50));
            }

            longest = TimeSpan.FromTicks(Math.Max(longest.Ticks, story.Tree.Time.UtcTicks - start));
        }

        var longestDown = TimeSpan.Zero;
        for (var i = 0; i < 5; i++)
        {
            var (province, before) = (story.Province.Core!, city.Core!.Orders.Orders.Count());
            province.Sequencer.Submit(province.OrderDesk.Issue(new Hub.Orders.OrderWish($"o-{i}", city.Place.Division, OrderKind.Urge, UInt128.Zero, "text", null, null), "head"), _ => { });
            story.Province.Pump();
            var start = story.Tree.Time.UtcTicks;
            while (city.Core.Orders.Orders.Count() == before && TimeSpan.FromTicks(story.Tree.Time.UtcTicks - start) < TimeSpan.FromSeconds(30))
            {
                story.Run(TimeSpan.FromMilliseconds(50));
            }

            longestDown = TimeSpan.FromTicks(Math.Max(longestDown.Ticks, story.Tree.Time.UtcTicks - start));
        }

        Assert.That(city.Core!.Packages.Editions, Is.Empty, "It is still on its way, or this showed nothing.");
        TestContext.Out.WriteLine($"The longest of five orders took {longestDown.TotalMilliseconds} ms.");
        Assert.That(longestDown, Is.LessThanOrEqualTo(TimeSpan.FromSeconds(2)), "It stands behind one chunk, and no more.");
        TestContext.Out.WriteLine($"The longest of ten alarms took {longest.TotalMilliseconds} ms.");
        Assert.That(longest, Is.LessThanOrEqualTo(TimeSpan.FromSeconds(2)));
        story.Run(TimeSpan.FromMinutes(5));
        Assert.That(city.Core!.Packages.Editions, Has.Count.EqualTo(1));
    }

    /// <summary>Between the province and its cities somebody changes the limits of a package, and its hash with them.</summary>
    private sealed class Forger : StoryTwist
    {
        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response)
        {
            if (response.Package is { Offset: 0 } chunk && chunk.Content.Length == chunk.Total && child.Place.TakesCases)
            {
                var envelope = PackageEnvelope.Parser.ParseFrom(chunk.Content);
                var content = CataloguePackage.Parser.ParseFrom(envelope.Package);
                content.Rows = CatalogueStory.Rows("99h");
                envelope.Package = Google.Protobuf.MessageExtensions.ToByteString(content);
                chunk.Content = Google.Protobuf.MessageExtensions.ToByteString(envelope);
                chunk.Total = chunk.Content.Length;
                chunk.Package.Hash = Google.Protobuf.ByteString.CopyFrom(Hash256.Of(envelope.Package.Span).ToBytes());
            }

            return response;
        }

    }

    /// <summary>No refusal of a package comes to whoever sent it.</summary>
    private sealed class LostReceipts : StoryTwist
    {
        /// <summary>Chunks that went to cities.</summary>
        public int Sent { get; private set; }

        public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request) =>
            request.PackageReceipt is { Outcome: PackageOutcome.Refused } ? null : request;

        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response)
        {
            Sent += response.Package is not null && child.Place.TakesCases ? 1 : 0;
            return response;
        }
    }

    /// <summary>Which children were sent a piece of a package.</summary>
    private sealed class PackageWatch : StoryTwist
    {
        public SortedSet<string> Children { get; } = new(StringComparer.Ordinal);

        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response)
        {
            if (response.Package is not null)
            {
                Children.Add(child.Place.Node.ToString());
            }

            return response;
        }
    }

    /// <summary>Packages in a small tree.</summary>
    private sealed class CatalogueStory
    {
        private readonly List<(NodeId Issuer, StatDay From, long Number, string Version)> _published = [];
        private readonly List<(SimulatedNode City, CaseId Case, StatDay Day)> _cases = [];
        private int _requests;

        public CatalogueStory(ulong seed, StoryTwist? twist = null)
        {
            Tree = new SimulatedTree(seed, TreeShape.Of(1, 2), twist);
            foreach (var node in Tree.Nodes.Values)
            {
                node.Start();
            }
        }

        public SimulatedTree Tree { get; }

        public SimulatedNode Ministry => Tree[NodeId.Parse("ministry")];

        public SimulatedNode Province => Tree[NodeId.Parse("province-1")];

        public SimulatedNode[] Cities => [.. Tree.Cities];

        public static string Rows(string limits) => $"code\tname_zh\tname_en\tlimits\n01001\t供水井盖异常\twater-supply manhole cover anomaly\t{limits}\n06010\t垃圾\trefuse\t\n99000\t其他\tother\t\n";

        public void Run(TimeSpan span) => Tree.Run(span);

        public PackageAnswer? Publish(SimulatedNode issuer, string version, int daysAhead, string? rows = null)
        {
            PackageAnswer? answer = null;
            var from = Today(issuer).Plus(daysAhead);
            issuer.Core!.Sequencer.Submit(
                issuer.Core.PackageDesk.Publish(new PackageWish($"k-{++_requests}", CatalogueVersion.Parse(version), from, "title", rows ?? Rows($"{1 + (_requests % 9)}h")), "head"), told => answer = told);
            issuer.Pump();
            if (answer is { Refusal: null, Package: { } package })
            {
                _published.Add((package.Name.Issuer, from, package.Name.Number, version));
            }

            return answer;
        }

        public CaseState Report(SimulatedNode city, EmergencyGrade grade = EmergencyGrade.Unspecified)
        {
            CaseState? state = null;
            var id = city.Core!.Desk.Mint();
            city.Core.Desk.Submit(
                new ReportCase(TypeCode.Parse("01001"), null, SourceCode.Parse("hotline")) { Case = id, Actor = "desk", Grade = grade, Request = new RequestMark($"c-{++_requests}", (ulong)_requests) },
                answer => state = answer.State);
            city.Pump();
            _cases.Add((city, id, Today(city)));
            return state!;
        }

        public void Storm()
        {
            var random = Tree.Random;
            Tree.Weather = SimulatedWeather.Storm;
            var mishaps = new Mishaps(random);
            for (var step = 0; step < 50; step++)
            {
                foreach (var issuer in new[] { Ministry, Province }.Where(n => n.Core is not null && random.OneIn(8)))
                {
                    Publish(issuer, $"{issuer.Place.Node}.{_requests}", (int)random.Below(3), random.OneIn(6) ? Large(random) : null);
                }

                foreach (var city in Cities.Where(n => n.Core is not null && random.OneIn(2)))
                {
                    Report(city);
                }

                foreach (var node in Tree.Nodes.Values.ToArray())
                {
                    mishaps.Befall(node, mayBeRestored: Cities.Contains(node));
                }

                Run(TimeSpan.FromMinutes(random.Below(40)));
            }
        }

        public void Heal()
        {
            Tree.Weather = SimulatedWeather.Fair;
            foreach (var node in Tree.Nodes.Values.Where(n => n.Core is null))
            {
                node.Start();
            }

            Run(TimeSpan.FromHours(3));
        }

        public void CheckAll()
        {
            var all = Ministry.Core!.Packages.Packages.Concat(Province.Core!.Packages.Packages.Where(p => p.IsOwn)).Select(p => p.Name).ToArray();
            Assert.That(all, Has.Length.EqualTo(_published.Count), "What was answered is there (INV-1).");
            foreach (var node in Tree.Nodes.Values)
            {
                var packages = node.Core!.Packages;
                var own = node == Ministry ? all.Where(name => name.Issuer == Ministry.Place.Node) : all;
                Assert.That(packages.Packages.Select(p => p.Name), Is.EqualTo(own), $"at {node.Place.Node}");
                Assert.That(packages.Packages.Select(p => p.Refusal), Is.All.Null);
                var times = node.Core.Journal.ReadFrom(Lsn.Zero).SelectMany(r => r.Events).Where(e => e.Kind == EventKinds.PackageReceived).Count();
                Assert.That(times, Is.EqualTo(packages.Packages.Count(p => !p.IsOwn)), $"Each was taken once by {node.Place.Node}.");
                if (Tree.ParentOf(node) is { } parent)
                {
                    var fromAbove = PackageDesk.HeadsOf(packages.Heads).Where(head => head.Issuer != node.Place.Node);
                    Assert.That(parent.Core!.Packages.Child(node.Place.Node).Heads.Values.Where(head => head.Issuer != node.Place.Node), Is.EqualTo(fromAbove), $"{parent.Place.Node} knows what {node.Place.Node} has of it.");
                }
            }

            new StoryEnd(Tree).Check();
        }

        /// <summary>By a count of its own: today, and on each of the days after it, until the last package is in force.</summary>
        public void CheckCases()
        {
            for (var day = 0; day < 4; day++)
            {
                foreach (var city in Cities)
                {
                    var today = Today(city);
                    var expected = _published.Where(p => p.From <= today).OrderBy(p => p.From).ThenBy(p => p.Issuer == Province.Place.Node).ThenBy(p => p.Number).Select(p => p.Version).LastOrDefault("gb47678-2026");
                    Assert.That(Report(city).Type.Version.ToString(), Is.EqualTo(expected));
                }

                Run(TimeSpan.FromHours(24));
            }

            Run(TimeSpan.FromHours(1));
            new StoryEnd(Tree).Check();
            foreach (var (city, id, day) in _cases.Where(c => c.City.Core!.Desk.Find(c.Case) is not null))
            {
                var version = city.Core!.Desk.Find(id)!.Type.Version.ToString();
                Assert.That(version == "gb47678-2026" || _published.Single(p => p.Version == version).From <= day, Is.True, $"A case of {day} under {version}.");
            }
        }

        private static StatDay Today(SimulatedNode node) => StatDay.Of(Instant.FromDateTimeOffset(node.Clock.GetUtcNow()), Shanghai);

        /// <summary>Of several chunks.</summary>
        private static string Large(SeededEntropy random) =>
            TypeCatalogue.BuiltIn.ToText().Replace("5d", $"{1 + random.Below(30)}d", StringComparison.Ordinal);
    }
}
