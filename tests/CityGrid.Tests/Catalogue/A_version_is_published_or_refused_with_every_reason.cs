using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Reception;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Catalogue;

/// <summary>Clause K2: what is published, by whom, and that what is refused changes nothing.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_version_is_published_or_refused_with_every_reason
{
    private static readonly CataloguePlace Root = new(NodeId.Parse("ministry"), DivisionCode.Parse("CN"), Registers.Tempting, DateTimeZone.Utc, IsRoot: true);

    private static readonly StatDay Today = StatDay.Of(Packages.Now, DateTimeZone.Utc);

    private readonly PackageFold _fold = new();
    private Refusal? _held;
    private long _lsn;

    [Test]
    public void The_same_request_is_the_same_package_and_another_content_under_its_key_is_refused()
    {
        Assert.That(Publish(Root, Wish()), Is.EqualTo(("1", false)));
        Assert.That(Publish(Root, Wish()), Is.EqualTo(("1", true)));
        Assert.That(Publish(Root, Wish() with { Title = "another" }).Outcome, Is.EqualTo("REQUEST_KEY_REUSED"));
        Assert.That(Publish(Root, Wish() with { RequestKey = "k-2", Version = CatalogueVersion.Parse("w") }), Is.EqualTo(("2", false)));
        Assert.That(_fold.At(NodeId.Parse("ministry"), 2)!.Content!.Previous.ToByteArray(), Is.EqualTo(_fold.At(NodeId.Parse("ministry"), 1)!.Name.Hash.ToBytes()));
    }

    [Test]
    public void Every_fault_of_the_file_is_told_with_its_line_and_nothing_is_published()
    {
        var answer = Decide(Root, Wish() with { Rows = "code\tname_zh\tname_en\tlimits\n1\tx\ty\t\n01001\tx\ty\t2q\n99000\tx\ty\t\n99000\tx\ty\t\n" }).Refusal!;
        Assert.That((answer.Code, new[] { "3 faults", "line 2", "line 3", "line 5" }.All(word => answer.Message.Contains(word, StringComparison.Ordinal))), Is.EqualTo((PackageDesk.FileBad, true)), answer.Message);
        Assert.That(_fold.Packages, Is.Empty);
    }

    [Test]
    public void Of_very_many_faults_as_many_are_named_as_come_whole_and_how_many_there_are()
    {
        var rows = "code\tname_zh\tname_en\tlimits\n" + string.Concat(Enumerable.Repeat("a line that is none\n", 5000));
        var message = Decide(Root, Wish() with { Rows = rows }).Refusal!.Message;
        Assert.That(message.Length, Is.LessThan(1000), "The service cuts what is longer.");
        Assert.That(message, Does.StartWith("The rows have 5000 faults").And.Contain("The first ").And.Contain("line 2:"));

        var codes = string.Concat(Enumerable.Range(50_000, 500).Select(code => $"{code}\tx\ty\t\n"));
        message = Decide(Packages.Wuhan, Wish() with { Rows = Packages.Rows + codes }).Refusal!.Message;
        Assert.That(message.Length, Is.LessThan(1000));
        Assert.That(message, Does.StartWith("500 codes").And.Contain("figures are added up").And.Contain("50000"));
    }

    [TestCase(-1, PackageDesk.DayPast)]
    [TestCase(0, "1")]
    [TestCase(400, "1")]
    public void The_first_day_is_today_or_later(int days, string outcome) => Assert.That(Publish(Root, Wish() with { EffectiveFrom = Today.Plus(days) }).Outcome, Is.EqualTo(outcome));

    [Test]
    public void A_name_stands_for_one_content()
    {
        Publish(Root, Wish());
        Assert.That(Publish(Root, Wish() with { RequestKey = "k-2", Rows = Packages.Rows.Replace("2h", "3h", StringComparison.Ordinal) }).Outcome, Is.EqualTo(PackageJudge.VersionReused));
        Assert.That(Publish(Root, Wish() with { RequestKey = "k-3", EffectiveFrom = Today.Plus(9) }).Outcome, Is.EqualTo("2"), "The same content may be put in force again.");
    }

    [Test]
    public void Below_the_root_only_codes_of_the_version_in_force_above_on_that_day_are_published()
    {
        var own = Packages.Rows.Replace("01001", "98765", StringComparison.Ordinal);
        Assert.That(Publish(Packages.Wuhan, Wish() with { Rows = own }).Outcome, Is.EqualTo(PackageDesk.CodeNotAbove));
        Assert.That(Publish(Root, Wish() with { Rows = own }).Outcome, Is.EqualTo("1"), "The root publishes any.");
        _fold.Apply(Packages.Event(++_lsn, PackageFold.ReceivedEvent(_fold.Packages.Single().Name with { Issuer = NodeId.Parse("hubei") }, Packages.Enveloped(Packages.Of(1, Hash256.Zero, p => p.Rows = own, "hubei", "42")), NodeId.Parse("hubei"), NodeId.Parse("wuhan"), null)));
        var day = StatDay.Of(new LocalDate(2027, 1, 1));
        var wish = Wish() with { RequestKey = "k-2", Version = CatalogueVersion.Parse("of-wuhan"), Rows = own };
        Assert.That(Publish(Packages.Wuhan, wish with { EffectiveFrom = day }).Outcome, Is.EqualTo("1"), "From that day on it stands above.");
        Assert.That(Publish(Packages.Wuhan, wish with { RequestKey = "k-3", Rows = Packages.Rows.Replace("2h", "30h", StringComparison.Ordinal), Version = CatalogueVersion.Parse("limits"), EffectiveFrom = day }).Outcome, Is.EqualTo(PackageDesk.CodeNotAbove), "What the built-in one has does not stand in the one above.");
    }

    [Test]
    public void Where_nothing_new_is_taken_nothing_is_published()
    {
        _held = new Refusal("DISK_FULL", "words");
        Assert.That(Publish(Root, Wish()).Outcome, Is.EqualTo("DISK_FULL"));
    }

    [Test]
    public void One_that_lost_what_it_published_goes_on_behind_what_a_child_has()
    {
        var name = new PackageName(NodeId.Parse("ministry"), 7, new Hash256(7, 7));
        _fold.Apply(Packages.Event(++_lsn, PackageFold.ToldEvent(NodeId.Parse("hubei"), [name], [])));
        Assert.That(Publish(Root, Wish()).Outcome, Is.EqualTo("8"));
        Assert.That(_fold.Packages.Single().Content!.Previous.ToByteArray(), Is.EqualTo(name.Hash.ToBytes()));
    }

    private static PackageWish Wish() => new("k-1", CatalogueVersion.Parse("v"), Today, "title", Packages.Rows);

    private (string Outcome, bool Repeated) Publish(CataloguePlace place, PackageWish wish)
    {
        var answer = Decide(place, wish);
        return (answer.Refusal?.Code ?? $"{answer.Package!.Name.Number}", answer.Repeated);
    }

    /// <summary>As the sequencer does: what is decided is applied before it is answered.</summary>
    private PackageAnswer Decide(CataloguePlace place, PackageWish wish)
    {
        var desk = new PackageDesk(place, _fold, new PackageNotary(null, Registers.Tempting, SignaturePolicy.Accepted, new VirtualClock(new VirtualTime(Packages.Now.ToDateTimeOffset())))) { Held = _ => _held };
        var decision = desk.Publish(wish, "head").Decide(Packages.Now);
        foreach (var draft in decision.Records.SelectMany(record => record.Events))
        {
            _fold.Apply(Packages.Event(++_lsn, draft));
        }

        return decision.Answer([.. decision.Records.Select(_ => default(Hub.Journal.LsnRange))]);
    }
}
