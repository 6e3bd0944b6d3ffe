using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Cases;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Catalogue;

/// <summary>R4, clause K5: what is new is filed under the version in force on its day, what runs keeps its version.</summary>
public sealed class A_version_is_in_force_from_its_day
{
    private static readonly StatDay First = StatDay.Of(new LocalDate(2026, 12, 1));

    [Test]
    public void From_its_first_day_on_and_not_before()
    {
        var shelf = CatalogueShelf.BuiltIn.With(Edition("a", First, "CN"));
        Assert.That(new[] { -1, 0, 1 }.Select(days => At(shelf, First.Plus(days))), Is.EqualTo(new[] { "gb47678-2026", "a", "a" }));
    }

    [Test]
    public void The_latest_first_day_wins_then_the_nearest_issuer_then_what_was_published_last()
    {
        var shelf = CatalogueShelf.BuiltIn.With(Edition("nation", First, "CN")).With(Edition("province", First, "140000")).With(Edition("city", First.Plus(-1), "140800"));
        Assert.That(At(shelf, First.Plus(-1)), Is.EqualTo("city"));
        Assert.That(At(shelf, First), Is.EqualTo("province"));
        Assert.That(At(shelf.With(Edition("nation-2", First.Plus(1), "CN")), First.Plus(1)), Is.EqualTo("nation-2"));
        Assert.That(At(shelf.With(Edition("province-2", First, "140000", 2)), First), Is.EqualTo("province-2"));
        Assert.That(At(shelf.With(Edition("province-0", First, "140000", 0)), First), Is.EqualTo("province"));
    }

    [Test]
    public void What_a_place_publishes_that_is_not_above_on_the_day_is_in_force_nowhere_here()
    {
        var register = DivisionRegister.Of(
        [
            Row("CN", null, DivisionKind.Nation), Row("14", "CN", DivisionKind.Province), Row("13", "CN", DivisionKind.Province),
            Row("1408", "14", DivisionKind.City) with { ValidTo = new LocalDate(2026, 12, 31) }, Row("1408", "13", DivisionKind.City) with { ValidFrom = new LocalDate(2027, 1, 1) },
        ]);
        var shelf = CatalogueShelf.BuiltIn.With(Edition("of-14", First, "14")).With(Edition("of-13", First, "13"));
        var city = DivisionCode.Parse("1408");
        Assert.That(shelf.At(StatDay.Of(new LocalDate(2026, 12, 31)), city, register).Version.ToString(), Is.EqualTo("of-14"));
        Assert.That(shelf.At(StatDay.Of(new LocalDate(2027, 1, 1)), city, register).Version.ToString(), Is.EqualTo("of-13"));
    }

    [Test]
    public void What_is_above_says_nothing_of_what_the_place_itself_put_in_force()
    {
        var shelf = CatalogueShelf.BuiltIn.With(Edition("nation", First, "CN")).With(Edition("own", First.Plus(1), "140800"));
        Assert.That(shelf.Above(First.Plus(5), City.Place, City.Rules.Divisions).Version.ToString(), Is.EqualTo("nation"));
    }

    [Test]
    public void A_type_is_found_in_the_version_that_its_key_names_and_a_local_one_in_every_version()
    {
        var local = TypeCatalogue.LocalCodeOf("potholes");
        var shelf = CatalogueShelf.BuiltIn.With(Edition("a", First, "CN")).WithLocal(local, "potholes").With(Edition("b", First, "CN"));
        var code = TypeCode.Parse("01001");
        Assert.That(shelf.Find(Key("a", code))!.Rows.Single().Limit.ToString(), Is.EqualTo("7h"));
        Assert.That(shelf.Find(Key("gb47678-2026", code))!.Rows, Has.Count.EqualTo(4));
        Assert.That(shelf.Find(Key("z", code)), Is.Null);
        Assert.That(new[] { "gb47678-2026", "a" }.Select(version => shelf.Find(Key(version, local))?.NameEn), Is.All.EqualTo("potholes"));
        Assert.That(shelf.Knows(local), Is.True);
    }

    [Test]
    public void A_case_reported_before_the_day_has_the_version_before_to_its_end_and_one_after_it_the_new()
    {
        var rules = City.Rules with { Catalogue = CatalogueShelf.BuiltIn.With(Edition("a", StatDay.Of(new LocalDate(2026, 11, 3)), "140000")) };
        var (before, after) = (Reported(rules, City.At(2026, 11, 2, 23, 59)), Reported(rules, City.At(2026, 11, 3)));
        Assert.That(new[] { before, after }.Select(state => state.Type.Version.ToString()), Is.EqualTo(new[] { "gb47678-2026", "a" }));
        var filed = new[] { before, after }
            .Select(state => Decide(rules, state, City.NextStep(state), City.At(2026, 11, 4, 8)))
            .Select(state => Decide(rules, state, City.NextStep(state, row: 1), City.At(2026, 11, 4, 9))).ToArray();
        Assert.That(filed.Select(state => state.Filing!.Limit.ToString()), Is.EqualTo(new[] { "2u", "7h" }), "A limit of the version that the case is of.");

        Assert.That(Decide(rules, before, Correction(before), City.At(2026, 11, 4, 10)).Type.Version.ToString(), Is.EqualTo("gb47678-2026"), "The new version does not have this type, and it is not asked.");
        Assert.That((CaseDecisions.Decide(after, Correction(after), City.At(2026, 11, 4, 10), rules) as CaseOutcome.Refused)?.Refusal.Code, Is.EqualTo(CaseRefusals.TypeUnknown));
    }

    [Test]
    public void A_package_that_comes_late_changes_nothing_of_what_was_filed_without_it()
    {
        var late = City.Rules with { Catalogue = CatalogueShelf.BuiltIn.With(Edition("a", StatDay.Of(new LocalDate(2026, 11, 3)), "140000")) };
        var reported = Reported(City.Rules, City.At(2026, 11, 5));
        Assert.That(Decide(late, reported, Correction(reported), City.At(2026, 11, 6)).Type.ToString(), Does.Contain("gb47678-2026"));
    }

    [Test]
    public void An_imported_row_has_the_version_of_the_day_on_which_it_was_reported_there()
    {
        var rules = City.Rules with { Catalogue = CatalogueShelf.BuiltIn.With(Edition("a", StatDay.Of(new LocalDate(2026, 11, 3)), "140000")) };
        var versions = new[] { City.At(2026, 11, 2, 12), City.At(2026, 11, 3, 12) }.Select((reported, i) => Decide(rules, null, new ImportCase(City.Cover, null, City.Hotline, "other", $"{i}")
        {
            Case = CaseId.Mint(City.At(2026, 11, 9), new byte[10]),
            Actor = "import",
            ReportedAt = reported,
            ContentHash = new Hash256(1, 1),
        }, City.At(2026, 11, 9)).Type.Version.ToString());
        Assert.That(versions, Is.EqualTo(new[] { "gb47678-2026", "a" }));
    }

    [Test]
    public void The_text_of_a_version_makes_the_same_version()
    {
        var text = TypeCatalogue.BuiltIn.ToText();
        Assert.That(PackageFile.Read(TypeCatalogue.BuiltIn.Version, text, out _)!.ToText(), Is.EqualTo(text));
        Assert.That(PackageFile.Read(TypeCatalogue.BuiltIn.Version, text, out _)!.All.Select(t => (t.Key, t.NameZh, t.NameEn, t.Rows.Count)), Is.EqualTo(TypeCatalogue.BuiltIn.All.Select(t => (t.Key, t.NameZh, t.NameEn, t.Rows.Count))));
    }

    [Test]
    public void A_file_with_faults_is_refused_with_every_one_of_them()
    {
        Assert.That(PackageFile.Read(CatalogueVersion.Parse("a"), Head + "1\tx\ty\t\n01001\tx\ty\t2q\n01002\tx\n", out var faults), Is.Null);
        Assert.That(faults.Named.Select(fault => fault[..7]), Is.EqualTo(new[] { "line 2:", "line 3:", "line 4:" }));
        Assert.That(PackageFile.Read(CatalogueVersion.Parse("a"), Head + "01001\t\ty\t\n", out faults), Is.Null);
        Assert.That(faults, Has.Count.EqualTo(2), "No other, and a type without a name.");
    }

    [Test]
    public void A_file_without_its_header_loses_no_type_and_one_that_lost_characters_is_no_file()
    {
        Assert.That(PackageFile.Read(CatalogueVersion.Parse("a"), Packages.Rows[Head.Length..], out var faults), Is.Null);
        Assert.That(faults.Named.Single(), Does.StartWith("line 1:"));
        Assert.That(PackageFile.Read(CatalogueVersion.Parse("a"), Packages.Rows.Replace("井盖", "\uFFFD\uFFFD", StringComparison.Ordinal), out faults), Is.Null);
        Assert.That(faults.Named.Single(), Does.StartWith("line 2:").And.Contain("UTF-8"));
        Assert.That(PackageFile.Read(CatalogueVersion.Parse("a"), Packages.Rows, out _), Is.Not.Null);
    }

    [Test]
    public void A_file_of_garbage_has_as_many_faults_as_lines_and_few_are_named()
    {
        Assert.That(PackageFile.Read(CatalogueVersion.Parse("a"), Head + string.Concat(Enumerable.Repeat("x\n", 200_000)), out var faults), Is.Null);
        Assert.That((faults.Count, faults.Named.Count), Is.EqualTo((200_000, CatalogueFaults.NamedMax)));
    }

    [Test]
    public void Where_two_nodes_speak_for_a_place_the_order_in_which_their_versions_came_decides_nothing()
    {
        CatalogueEdition[] editions =
        [
            Edition("one", First, "14") with { Number = 5, Issuer = NodeId.Parse("b") },
            Edition("two", First, "14") with { Number = 1, Issuer = NodeId.Parse("a"), IssuedAt = Packages.Now + Duration.FromHours(1) },
            Edition("three", First, "14") with { Number = 2, Issuer = NodeId.Parse("c"), IssuedAt = Packages.Now + Duration.FromHours(1) },
        ];
        var register = DivisionRegister.Of([Row("CN", null, DivisionKind.Nation), Row("14", "CN", DivisionKind.Province)]);
        foreach (var order in new int[][] { [0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1] })
        {
            var shelf = order.Aggregate(CatalogueShelf.BuiltIn, (shelf, i) => shelf.With(editions[i]));
            Assert.That(shelf.At(First, DivisionCode.Parse("14"), register).Version.ToString(), Is.EqualTo("two"), "The later one by their clocks, then by name.");
        }
    }

    [Test]
    public void A_figure_asked_for_by_a_code_that_stands_in_several_versions_is_asked_for_by_version()
    {
        var request = new Node.V1.WhyCellRequest { Origin = "suzhou", Type = "01001", Day = "2026-12-01", Division = "140800" };
        var shelf = CatalogueShelf.BuiltIn;
        Assert.That(Node.Journey.CellNaming.Read(request, _ => null, shelf, out _)?.Type.Version.ToString(), Is.EqualTo("gb47678-2026"));
        shelf = shelf.With(Edition("a", First, "CN"));
        Assert.That(Node.Journey.CellNaming.Read(request, _ => null, shelf, out var refusal), Is.Null);
        Assert.That(refusal!.Message, Does.Contain("a/matter/01001, gb47678-2026/matter/01001"));
        request.Type = "a/matter/01001";
        Assert.That(Node.Journey.CellNaming.Read(request, _ => null, shelf, out _)?.Type.Version.ToString(), Is.EqualTo("a"));
    }

    private const string Head = "code\tname_zh\tname_en\tlimits\n";

    private static CaseState Reported(CaseRules rules, Instant at) =>
        Decide(rules, null, new ReportCase(City.Cover, City.North, City.Hotline) { Case = CaseId.Mint(at, new byte[10]), Actor = "desk", OccurredAt = at }, at);

    private static CorrectCase Correction(CaseState state) => new(City.Refuse, null, 1) { Case = state.Id, Actor = "desk", Reason = Reasons.Of(new CorrectCase(null, null) { Case = state.Id, Actor = "desk" })[0] };

    private static CaseState Decide(CaseRules rules, CaseState? state, CaseCommand command, Instant now) => CaseDecisions.Decide(state, command, now, rules) switch
    {
        CaseOutcome.Decided decided => decided.After,
        var other => throw new AssertionException($"{other}"),
    };

    private static string At(CatalogueShelf shelf, StatDay day) => shelf.At(day, City.Place, City.Rules.Divisions).Version.ToString();

    private static TypeKey Key(string version, TypeCode code) => new(CatalogueVersion.Parse(version), TypeKind.Matter, code);

    private static CatalogueEdition Edition(string version, StatDay from, string issuer, long number = 1) => new(
        PackageFile.Read(CatalogueVersion.Parse(version), Packages.Rows.Replace("2h", "7h", StringComparison.Ordinal), out _)!, from, NodeId.Parse($"node-{issuer.ToLowerInvariant()}"), DivisionCode.Parse(issuer), number, Packages.Now);

    private static Division Row(string code, string? parent, DivisionKind kind) =>
        new(DivisionCode.Parse(code), parent is null ? null : DivisionCode.Parse(parent), code, code, kind, null, null);
}
