using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Divisions;

public sealed class The_built_in_register_is_GBT_2260
{
    private static readonly DivisionRegister Register = DivisionRegister.BuiltIn;

    [Test]
    public void It_has_one_nation_34_provinces_337_cities_and_2846_counties()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Register.All.Where(d => d.Kind == DivisionKind.Nation).Select(d => d.Code.ToString()), Is.EqualTo(new[] { "CN" }));
            Assert.That(CountOf(DivisionKind.Province, DivisionKind.Municipality), Is.EqualTo(34));
            Assert.That(CountOf(DivisionKind.City, DivisionKind.Placeholder), Is.EqualTo(337));
            Assert.That(CountOf(DivisionKind.County, DivisionKind.DirectCounty), Is.EqualTo(2846));
            Assert.That(Register.Count, Is.EqualTo(1 + 34 + 337 + 2846));
        }
    }

    [Test]
    public void Four_municipalities_count_among_the_provinces_and_have_their_districts_directly_below()
    {
        var municipalities = Register.All.Where(d => d.Kind == DivisionKind.Municipality).ToArray();
        Assert.That(municipalities.Select(d => d.NameEn), Is.EqualTo(new[] { "Beijing", "Tianjin", "Shanghai", "Chongqing" }));
        Assert.That(municipalities.Select(d => Register.ChildrenOf(d.Code).Count), Is.EqualTo(new[] { 16, 16, 16, 38 }));
        Assert.That(municipalities.SelectMany(d => Register.ChildrenOf(d.Code)).Select(d => d.Kind).Distinct(), Is.EqualTo(new[] { DivisionKind.County }));
    }

    [Test]
    public void Four_placeholders_keep_their_rows_and_are_nobodys_parent()
    {
        var placeholders = Register.All.Where(d => d.Kind == DivisionKind.Placeholder).ToArray();
        Assert.That(placeholders.Select(d => d.Code.ToString()), Is.EqualTo(new[] { "419000", "429000", "469000", "659000" }));
        Assert.That(placeholders.SelectMany(d => Register.ChildrenOf(d.Code)), Is.Empty);
        Assert.That(placeholders.Any(d => d.IsOrigin), Is.False);
    }

    [Test]
    public void County_level_units_directly_under_a_province_keep_cases_like_a_city()
    {
        var direct = Register.All.Where(d => d.Kind == DivisionKind.DirectCounty).ToArray();
        Assert.That(direct.GroupBy(d => d.Parent.ToString()).Select(g => (g.Key, g.Count())), Is.EqualTo(new[] { ("410000", 1), ("420000", 4), ("460000", 15), ("650000", 11) }));
        Assert.That(direct.All(d => d.IsOrigin), Is.True);
    }

    [Test]
    public void The_nation_expects_333_cities_4_municipalities_and_31_direct_counties_to_keep_cases() =>
        Assert.That(Register.OriginsBelow(Code("CN")), Has.Count.EqualTo(333 + 4 + 31));

    [Test]
    public void Hong_Kong_Macau_and_Taiwan_are_provinces_with_nothing_below()
    {
        foreach (var code in new[] { "710000", "810000", "820000" })
        {
            Assert.That(Register.Find(Code(code))!.Kind, Is.EqualTo(DivisionKind.Province));
            Assert.That(Register.ChildrenOf(Code(code)), Is.Empty);
        }
    }

    [Test]
    public void Every_way_up_ends_at_the_nation() =>
        Assert.That(Register.All.Where(d => !Register.IsAtOrBelow(d.Code, Code("CN"))), Is.Empty);

    [Test]
    public void The_nation_and_the_provinces_have_English_names() =>
        Assert.That(Register.All.Where(d => d.Kind is DivisionKind.Nation or DivisionKind.Province or DivisionKind.Municipality).Where(d => d.NameEn.Length == 0), Is.Empty);

    [Test]
    [Requires(Need.SharedData)]
    public void It_has_exactly_the_codes_and_names_of_the_tables_it_comes_from()
    {
        var tables = new[] { "province", "city", "area" }
            .SelectMany(table => File.ReadLines(Path.Combine(Machine.SharedData, "divisions", $"gbt2260_{table}.csv")).Skip(1))
            .Select(line => line.Split(','))
            .Select(fields => (Code: fields[0], Name: fields[1]))
            .OrderBy(row => row.Code, StringComparer.Ordinal);
        Assert.That(Register.All.Where(d => d.Kind != DivisionKind.Nation).Select(d => (d.Code.ToString(), d.NameZh)), Is.EqualTo(tables));
    }

    private static int CountOf(params DivisionKind[] kinds) => Register.All.Count(d => kinds.Contains(d.Kind));

    private static DivisionCode Code(string text) => DivisionCode.Parse(text);
}
