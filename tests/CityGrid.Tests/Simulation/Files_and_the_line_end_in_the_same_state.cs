using CityGrid.Cli.Simulation;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// T14, INV-7, INV-16, clauses B1 to B4: batches and receipts by file. Whatever was carried by file and what by the line, in whichever order, lost, twice or weeks
/// old: the province ends with what the city has, and orders reach their end.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class Files_and_the_line_end_in_the_same_state
{
    [Test]
    public void By_files_alone_a_city_takes_its_epoch_reports_and_is_given_orders()
    {
        var story = new FileStory(1) { Line = false };
        story.Report(5, EmergencyGrade.Serious);
        story.Exchange();
        Assert.That(story.City.Core!.OwnEpoch.IsGranted, Is.True, "The first exchange brings the epoch.");
        Assert.That(story.Province.Core!.Escalations.Count, Is.Zero);
        var order = story.Order();
        story.Exchange();
        Assert.That(story.Province.Core.Escalations.Count, Is.EqualTo(5));
        Assert.That(story.City.Core.Orders.Find(order)!.State, Is.EqualTo(OrderState.Delivered));
        Assert.That(story.City.Core.Orders.Find(order)!.Order!.Signature, Is.EqualTo(story.Province.Core.Orders.Find(order)!.Order!.Signature).And.Not.Null, "a file carries the issuer's signature as the line does");
        Assert.That(story.Province.Core.Orders.Find(order)!.State, Is.EqualTo(OrderState.Unspecified));
        story.Exchange();
        story.CheckEqual();
        Assert.That(story.Province.Core.Orders.Find(order)!.State, Is.EqualTo(OrderState.Delivered));
    }

    [Test]
    public void Catalogue_packages_come_with_the_answer_and_are_not_carried_again()
    {
        var story = new FileStory(9) { Line = false };
        story.Exchange();
        story.Report(1);
        story.Exchange();
        story.Publish("first");
        story.Publish("second");
        var answer = story.TakeAtProvince(story.Make())!;
        Assert.That(BundleContent.Parser.ParseFrom(answer).Responses.Count(r => r.Package is not null), Is.EqualTo(2));
        story.TakeAtCity(answer);
        story.TakeAtCity(answer);
        Assert.That(story.City.Core!.Packages.Packages.Select(p => (p.Name.ToString(), p.IsTaken)), Is.EqualTo(new[] { ("province-1/1", true), ("province-1/2", true) }));
        var next = story.TakeAtProvince(story.Make())!;
        Assert.That(BundleContent.Parser.ParseFrom(next).Responses.Count(r => r.Package is not null), Is.Zero);
        Assert.That(story.Province.Core!.Packages.Child(story.City.Place.Node).Heads.Values.Single().Number, Is.EqualTo(2));
    }

    /// <summary>K4: of the first nothing is kept, so that nothing but the file itself says why the second need not wait for it.</summary>
    [Test]
    public void A_package_behind_one_that_is_refused_for_its_signature_is_taken_from_the_same_file()
    {
        var story = new FileStory(10, new SignedInTheCity()) { Line = false };
        var signatures = story.Province.Signatures;
        story.Sign(story.Province, null);
        story.Publish("unsigned");
        story.Publish("unsigned-too");
        story.Sign(story.Province, signatures);
        story.Publish("signed");
        story.Publish("signed-too");
        story.Exchange();
        story.Report(1);
        story.Exchange();
        var taken = story.TakeAtCity(story.TakeAtProvince(story.Make())!);
        Assert.That(story.City.Core!.Packages.Packages.Select(p => p.Name.ToString()), Is.EqualTo(new[] { "province-1/3", "province-1/4" }));
        Assert.That((taken.Taken, taken.Refused.Count), Is.EqualTo((0, 0)), "There is nothing more to take.");
    }

    [Test]
    public void What_became_of_the_packages_of_an_answer_is_told()
    {
        var story = new FileStory(11, new SignedInTheCity()) { Line = false };
        story.Publish("own", story.City, "code\tname_zh\tname_en\tlimits\n99000\t其他\tother\t\n");
        var signatures = story.Province.Signatures;
        story.Sign(story.Province, null);
        story.Publish("unsigned");
        story.Sign(story.Province, signatures);
        story.Publish("own");
        story.Publish("next");
        story.Exchange();
        story.Report(1);
        var answer = story.TakeAtProvince(story.Make())!;
        var (first, again) = (story.TakeAtCity(answer), story.TakeAtCity(answer));
        Assert.That((first.Taken, string.Join(", ", first.Refused)), Is.EqualTo((1, "province-1/1 ISSUER_UNSIGNED, province-1/2 CATALOGUE_VERSION_REUSED")));
        Assert.That((again.Taken, string.Join(", ", again.Refused)), Is.EqualTo((0, string.Empty)), "All of them are known.");
        var next = story.TakeAtCity(story.TakeAtProvince(story.Make())!);
        Assert.That((next.Taken, next.Refused.Count), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Bundles_that_are_not_answered_yet_may_follow_one_another()
    {
        var story = new FileStory(2) { Line = false };
        story.Exchange();
        story.Exchange();
        var (first, second, third) = (story.ReportAndMake(), story.ReportAndMake(), story.ReportAndMake());
        story.TakeAtProvince(first);
        story.TakeAtProvince(second);
        story.TakeAtProvince(third);
        story.CheckEqual();
    }

    [Test]
    public void The_same_one_again_or_an_older_one_has_no_effect()
    {
        var story = new FileStory(3) { Line = false };
        story.Exchange();
        story.Exchange();
        var (first, second) = (story.ReportAndMake(), story.ReportAndMake());
        story.TakeAtProvince(first);
        story.TakeAtProvince(second);
        var (head, digest) = (story.Province.Core!.Sequencer.Applied, story.Province.Core.DigestOfChild(story.City.Place.Node));
        story.TakeAtProvince(first);
        story.TakeAtProvince(second);
        Assert.That((story.Province.Core.Sequencer.Applied, story.Province.Core.DigestOfChild(story.City.Place.Node)), Is.EqualTo((head, digest)));
    }

    /// <summary>INV-22, INV-24, L15: what the answers of an old directory say is not believed, and what a restored province lacks is told again.</summary>
    [Test]
    public void A_restored_province_is_filled_again_by_files_once_it_has_its_epoch()
    {
        var story = new FileStory(4);
        story.RunOnTheLine();
        var copy = story.CopyOfProvince();
        story.Report(4, EmergencyGrade.Serious);
        story.Exchange();
        story.CheckEqual();
        var behind = story.Make();

        story.RestoreProvince(copy);
        var early = story.TakeAtProvince(story.Make())!;
        Assert.That(story.HeardAtCity(early).Disbelieved?.Code, Is.EqualTo("PARENT_FENCED"));

        story.RunOnTheLine(withCity: false);
        story.Exchange();
        story.Exchange();
        story.CheckEqual();
        Assert.That(story.HeardAtCity(early).Disbelieved?.Code, Is.EqualTo("PARENT_FENCED"), "It is as old as before.");
        story.TakeAtProvince(behind);
        story.Exchange();
        story.CheckEqual();
    }

    [Test]
    public void In_any_mixture([Range(1, 10)] int part)
    {
        for (var seed = part * 1000; seed < (part * 1000) + 10; seed++)
        {
            try
            {
                var story = new FileStory((ulong)seed);
                story.Mix();
                story.End();
                story.CheckEqual();
            }
            catch (Exception failure)
            {
                Assert.Fail($"Seed {seed}: {failure}");
            }
        }
    }

    /// <summary>The city takes nothing that is not signed.</summary>
    private sealed class SignedInTheCity : StoryTwist
    {
        public override NodeSettings Settings(NodeSettings settings) => settings with { Signatures = settings.Node == NodeId.Parse("city-1-1") ? SignaturePolicy.Required : SignaturePolicy.Accepted };
    }

    private sealed class FileStory
    {
        private readonly SimulatedTree _tree;
        private readonly List<byte[]> _bundles = [];
        private readonly List<byte[]> _answers = [];
        private int _requests;

        public FileStory(ulong seed, StoryTwist? twist = null)
        {
            _tree = new SimulatedTree(seed, TreeShape.Of(1, 1), twist);
            Line = false;
            foreach (var node in _tree.Nodes.Values)
            {
                node.Start();
            }

            _tree.Run(TimeSpan.FromMinutes(1));
        }

        public SimulatedNode City => _tree[NodeId.Parse("city-1-1")];

        public SimulatedNode Province => _tree[NodeId.Parse("province-1")];

        /// <summary>Whether the network carries anything.</summary>
        public bool Line
        {
            set => _tree.Weather = value ? SimulatedWeather.Storm : SimulatedWeather.Fair with { CutOf1000 = 1000 };
        }

        public void Report(int times, EmergencyGrade grade = EmergencyGrade.Unspecified)
        {
            for (var i = 0; i < times; i++)
            {
                var district = _tree.Register.ChildrenOf(City.Place.Division).Select(d => d.Code).Order().First();
                City.Core!.Desk.Submit(new Node.Cases.ReportCase(Protocol.Names.TypeCode.Parse("06010"), district, SourceCode.Parse("hotline"))
                {
                    Case = City.Core.Desk.Mint(),
                    Actor = "desk",
                    Grade = grade,
                    Summary = "released by a person",
                    Request = new Node.Cases.RequestMark($"r-{++_requests}", (ulong)_requests),
                }, _ => { });
                City.Pump();
            }
        }

        public UInt128 Order()
        {
            OrderAnswer? told = null;
            Province.Core!.Sequencer.Submit(
                Province.Core.OrderDesk.Issue(new OrderWish($"o-{++_requests}", City.Place.Division, OrderKind.Assign, UInt128.Zero, "text", null, null), "head"), answer => told = answer);
            Province.Pump();
            return told!.Id;
        }

        public byte[] ReportAndMake()
        {
            Report(3);
            return Make();
        }

        public byte[] Make()
        {
            var core = City.Core!;
            var (content, end) = core.Bundles!.Make();
            if (end > Lsn.Zero)
            {
                core.Sequencer.Submit(core.Bundles.Made(end, "courier"), _ => { });
                City.Pump();
            }

            return Google.Protobuf.MessageExtensions.ToByteArray(content);
        }

        public byte[]? TakeAtProvince(byte[] bundle)
        {
            byte[]? answer = null;
            Province.Core!.BundleDoor.Take(City.Identity, BundleContent.Parser.ParseFrom(bundle), told => answer = Google.Protobuf.MessageExtensions.ToByteArray(told.Content));
            Province.Pump();
            return answer;
        }

        public BundledPackages TakeAtCity(byte[] answer)
        {
            // What the province answered before it had its epoch is believed until it was heard in that.
            Assert.That(HeardAtCity(answer).Disbelieved?.Code, Is.Null.Or.EqualTo("PARENT_FENCED"));
            City.Core!.Uplink!.EpochMayHaveChanged();
            var packages = City.Core.Bundles!.PackagesOf(Province.Place.Node, BundleContent.Parser.ParseFrom(answer));
            while (packages.Next() is { } package)
            {
                City.Core.Sequencer.Submit(package, packages.Became);
                City.Pump();
            }

            return packages;
        }

        public void Publish(string version, SimulatedNode? issuer = null, string? rows = null)
        {
            rows ??= Hub.Catalogue.TypeCatalogue.BuiltIn.ToText();
            issuer ??= Province;
            issuer.Core!.Sequencer.Submit(
                issuer.Core.PackageDesk.Publish(new Hub.Catalogue.PackageWish($"p-{++_requests}", CatalogueVersion.Parse(version), issuer.Core.Today, "title", rows), "head"), answer => Assert.That(answer.Refusal, Is.Null));
            issuer.Pump();
        }

        /// <summary>It goes on with a signing key, or without one.</summary>
        public void Sign(SimulatedNode node, ISignatures? signatures)
        {
            node.Crash(powerCut: false);
            node.Signatures = signatures;
            node.Start();
            node.Pump();
        }

        public BundleOutcome HeardAtCity(byte[] answer)
        {
            BundleOutcome? outcome = null;
            City.Core!.Sequencer.Submit(City.Core.Bundles!.Take(Province.Place.Node, BundleContent.Parser.ParseFrom(answer), "courier"), told => outcome = told);
            City.Pump();
            return outcome!;
        }

        /// <summary>An hour in which the network carries what it is given, to and from the city too or not.</summary>
        public void RunOnTheLine(bool withCity = true)
        {
            if (!withCity)
            {
                City.Crash(powerCut: false);
            }

            _tree.Weather = SimulatedWeather.Fair;
            _tree.Run(TimeSpan.FromHours(1));
            Line = false;
            if (!withCity)
            {
                City.Start();
            }

            _tree.Run(TimeSpan.FromMinutes(1));
        }

        public DirectoryCopy CopyOfProvince() => Province.TakeCopy(_tree.Random);

        public void RestoreProvince(DirectoryCopy copy)
        {
            Province.Crash(powerCut: false);
            Province.Replace(copy.Disk, copy.Acknowledged);
            Province.Renew();
            Province.Start();
            Province.Pump();
        }

        public void Exchange() => TakeAtCity(TakeAtProvince(Make())!);

        public void Mix()
        {
            var random = _tree.Random;
            for (var step = 0; step < 80; step++)
            {
                Line = random.OneIn(4);
                if (City.Core is not null && random.OneIn(2))
                {
                    Report(1 + random.Below(3), random.OneIn(5) ? EmergencyGrade.Serious : EmergencyGrade.Unspecified);
                }

                if (Province.Core is not null && random.OneIn(6))
                {
                    Order();
                }

                Courier(random);
                Disturb(City, random);
                Disturb(Province, random);
                _tree.Run(TimeSpan.FromMinutes(random.Below(20)));
            }
        }

        public void End()
        {
            Line = false;
            foreach (var node in _tree.Nodes.Values.Where(n => n.Core is null))
            {
                node.Start();
            }

            _tree.Run(TimeSpan.FromMinutes(1));
            for (var i = 0; i < 4; i++)
            {
                Exchange();
            }
        }

        public void CheckEqual()
        {
            var cells = City.Core!.OwnDigest().Digest;
            Assert.That(Province.Core!.DigestOfChild(City.Place.Node), Is.EqualTo(cells));
            foreach (var record in City.Core.Escalations.Page(null, 10_000).Records.Where(r => r.Content.Grade == EmergencyGrade.Serious))
            {
                Assert.That(Province.Core.Escalations.Find(record.Id)?.Content.Version, Is.EqualTo(record.Content.Version));
            }

            foreach (var order in Province.Core.Orders.Orders)
            {
                Assert.That(Province.Core.Orders.Find(order.Id)!.State, Is.EqualTo(City.Core.Orders.Find(order.Id)?.State ?? OrderState.Unspecified));
            }
        }

        /// <summary>Bundles and answers are made, lost, kept for weeks and carried twice.</summary>
        private void Courier(SeededEntropy random)
        {
            if (City.Core is not null && random.OneIn(2))
            {
                _bundles.Add(Make());
            }

            if (Province.Core is not null && _bundles.Count > 0 && random.OneIn(2) && TakeAtProvince(_bundles[random.Below(_bundles.Count)]) is { } answer)
            {
                _answers.Add(answer);
            }

            if (City.Core is not null && _answers.Count > 0 && random.OneIn(2))
            {
                TakeAtCity(_answers[random.Below(_answers.Count)]);
            }
        }

        private static void Disturb(SimulatedNode node, SeededEntropy random)
        {
            if (node.Core is null)
            {
                node.Start();
            }
            else if (random.OneIn(12))
            {
                node.Crash(powerCut: random.OneIn(2));
            }
            else if (random.OneIn(15))
            {
                node.Core.SaveSnapshot();
            }
        }
    }
}
