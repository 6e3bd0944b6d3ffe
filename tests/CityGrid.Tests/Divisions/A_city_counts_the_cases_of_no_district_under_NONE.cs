using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Divisions;

public sealed class A_city_counts_the_cases_of_no_district_under_NONE
{
    private static readonly DivisionRegister Register = DivisionRegister.BuiltIn;

    [TestCase("330100-NONE", "330100", Description = "a city")]
    [TestCase("110000-NONE", "110000", Description = "a municipality")]
    [TestCase("419001-NONE", "419001", Description = "a county-level unit directly under a province")]
    public void Every_division_that_keeps_cases_has_one_below_it(string code, string parent)
    {
        var found = Register.Find(Code(code));
        Assert.That(found, Is.Not.Null);
        Assert.That(found!.Kind, Is.EqualTo(DivisionKind.Unknown));
        Assert.That(found.Parent, Is.EqualTo(Code(parent)));
        Assert.That(Register.Contains(Code(code)), Is.True);
        Assert.That(Register.IsAtOrBelow(Code(code), Code(parent)), Is.True);
        Assert.That(Register.IsAtOrBelow(Code(code), Code("CN")), Is.True);
        Assert.That(Register.IsAtOrBelow(Code(code), Code("440000")), Is.False);
        Assert.That(Register.UpFrom(Code(code)).Last().Code, Is.EqualTo(Code("CN")));
    }

    [TestCase("CN-NONE")]
    [TestCase("330000-NONE")]
    [TestCase("330102-NONE")]
    [TestCase("419000-NONE")]
    [TestCase("999999-NONE")]
    [TestCase("330100-NONE-NONE")]
    public void No_other_division_has_one(string code) => Assert.That(Register.Contains(Code(code)), Is.False);

    [Test]
    public void It_is_no_row() => Assert.That(Register.All.Where(d => d.Kind == DivisionKind.Unknown), Is.Empty);

    [Test]
    public void A_row_that_the_register_has_is_the_one_that_counts()
    {
        var register = DivisionRegister.Of(
        [
            new(Code("C"), null, "", "", DivisionKind.City, null, null),
            new(Code("C-NONE"), Code("C"), "不明", "Somewhere", DivisionKind.Unknown, null, null),
        ]);
        Assert.That(register.Find(Code("C-NONE"))!.NameEn, Is.EqualTo("Somewhere"));
        Assert.That(register.ChildrenOf(Code("C")), Has.Count.EqualTo(1));
    }

    private static DivisionCode Code(string text) => DivisionCode.Parse(text);
}
