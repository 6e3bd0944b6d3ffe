using CityGrid.Hub.Catalogue;
using CityGrid.Protocol.Names;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Catalogue;

public sealed class The_first_catalogue_has_250_matters
{
    private static readonly TypeCatalogue BuiltIn = TypeCatalogue.BuiltIn;

    [Test]
    public void And_other_which_holds_what_fits_nowhere()
    {
        Assert.That(BuiltIn.Count, Is.EqualTo(251));
        Assert.That(BuiltIn.Find(BuiltIn.Other)!.NameZh, Is.EqualTo("其他"));
        Assert.That(BuiltIn.Version.ToString(), Is.EqualTo("gb47678-2026"));
    }

    [Test]
    public void Of_which_153_are_anomalies_of_components()
    {
        var anomalies = BuiltIn.All.Where(t => t.NameZh.EndsWith("异常", StringComparison.Ordinal)).ToList();
        Assert.That(anomalies, Has.Count.EqualTo(153));
        Assert.That(anomalies, Has.All.Matches<CatalogueType>(t => t!.NameEn.EndsWith(" anomaly", StringComparison.Ordinal) && string.CompareOrdinal(t.LargeClass, "05") <= 0));
    }

    [TestCase("01", 76)]
    [TestCase("02", 44)]
    [TestCase("03", 16)]
    [TestCase("04", 14)]
    [TestCase("05", 3)]
    [TestCase("06", 51)]
    [TestCase("07", 7)]
    [TestCase("08", 16)]
    [TestCase("09", 21)]
    [TestCase("10", 2)]
    public void By_large_class_as_the_standard_counts_them(string largeClass, int expected) =>
        Assert.That(BuiltIn.All.Count(t => t.LargeClass == largeClass), Is.EqualTo(expected));

    [Test]
    public void Every_key_carries_version_kind_and_code() =>
        Assert.That(BuiltIn.All, Has.All.Matches<CatalogueType>(t => t!.Key.Version == BuiltIn.Version && t.Key.Kind == TypeKind.Matter));

    [Test]
    public void Names_stand_in_both_languages() =>
        Assert.That(BuiltIn.All, Has.All.Matches<CatalogueType>(t => t!.NameZh.Length > 0 && t.NameEn.Length > 0));

    [TestCase("01004", "2u 4h 2d 5d 1d")]
    [TestCase("01037", "1d 1d 2d 2d 2h 3d")]
    [TestCase("06001", "2U 15d")]
    [TestCase("08001", "2u 2u")]
    [TestCase("09011", "1d 2h 1d 1d 1d 1d")]
    public void A_type_with_several_limits_has_that_many_rows(string code, string limits)
    {
        var type = BuiltIn.Find(TypeCode.Parse(code))!;
        Assert.That(string.Join(' ', type.Rows.Select(r => r.Limit)), Is.EqualTo(limits));
        Assert.That(type.Rows.Select(r => r.Number), Is.EqualTo(Enumerable.Range(1, type.Rows.Count)));
        Assert.That(type.Row(0), Is.EqualTo(type.Rows[0]));
        Assert.That(type.Row(type.Rows.Count + 1), Is.Null);
    }

    [Test]
    public void A_type_without_a_limit_gets_five_working_days_marked_as_the_default()
    {
        var type = BuiltIn.Find(TypeCode.Parse("01005"))!;
        Assert.That(type.Rows, Is.EqualTo(new[] { new CatalogueRow(1, new Limit(5, LimitUnit.WorkDay), IsDefault: true) }));
        Assert.That(BuiltIn.All.SelectMany(t => t.Rows).Count(r => !r.IsDefault), Is.EqualTo(403));
    }

    [Test]
    public void A_name_that_nobody_knows_becomes_a_local_type_below_other()
    {
        var code = TypeCatalogue.LocalCodeOf("Sign Repair");
        var more = BuiltIn.WithLocal(code, "Sign Repair");
        var type = more.Find(code)!;
        Assert.Multiple(() =>
        {
            Assert.That(code.ToString(), Does.Match("^x[0-9a-f]{8}$"));
            Assert.That(type.LargeClass, Is.EqualTo("99"));
            Assert.That(type.Rows[0].IsDefault, Is.True);
            Assert.That(more.WithLocal(code, "Sign Repair"), Is.SameAs(more));
            Assert.That(BuiltIn.Find(code), Is.Null);
        });
    }

    [Test]
    public void A_file_with_faults_is_refused_with_all_of_them()
    {
        const string File = "code\tzh\ten\tlimits\n0100\ta\tb\t1d\n01001\ta\tb\t1x 2d\n01002\ta\tb\n01003\ta\tb\t1d\n01003\ta\tb\t1d\n";
        Assert.That(
            () => TypeCatalogue.Read(CatalogueVersion.Parse("local"), new StringReader(File)),
            Throws.TypeOf<FormatException>().With.Message.Contains("line 2").And.Message.Contains("line 3").And.Message.Contains("line 4").And.Message.Contains("line 6"));
    }

    [TestCase("0d")]
    [TestCase("d")]
    [TestCase("-1d")]
    [TestCase("3661d")]
    [TestCase("1D")]
    [TestCase("")]
    public void What_is_no_limit_is_refused(string text) => Assert.That(Limit.TryParse(text, out _), Is.False);
}
