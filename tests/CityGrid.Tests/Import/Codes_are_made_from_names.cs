using System.Text;
using CityGrid.Node.Intake.Import;
using CityGrid.Protocol.Names;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

public sealed class Codes_are_made_from_names
{
    private static readonly DivisionCode Boston = DivisionCode.Parse("US-MA-BOSTON");

    [TestCase("Other", "xf97e9da0")]
    [TestCase("  Other ", "xf97e9da0")]
    [TestCase("Cafe\u0301", "x73473dcc")]
    [TestCase("Caf\u00e9", "x73473dcc")]
    public void A_local_type_is_x_and_eight_digits_of_the_hash_of_its_name(string name, string expected)
    {
        var hash = System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(name.Trim().Normalize()));
        Assert.That(SourceNames.LocalType(name).ToString(), Is.EqualTo("x" + Convert.ToHexString(hash, 0, 4).ToLowerInvariant()));
        Assert.That(SourceNames.LocalType(name).ToString(), Is.EqualTo(expected));
    }

    [TestCase("Dorchester", "US-MA-BOSTON-DORCHESTER")]
    [TestCase("Allston / Brighton", "US-MA-BOSTON-ALLSTON-BRIGHTON")]
    [TestCase("Fisherman's Wharf", "US-MA-BOSTON-FISHERMANS-WHARF")]
    [TestCase("São João", "US-MA-BOSTON-SAO-JOAO")]
    [TestCase("  St. Mary's Park. ", "US-MA-BOSTON-ST-MARYS-PARK")]
    [TestCase("13", "US-MA-BOSTON-13")]
    public void A_district_is_the_city_and_its_name(string name, string expected) =>
        Assert.That(SourceNames.District(Boston, name).ToString(), Is.EqualTo(expected));

    [TestCase("South Boston / South Boston Waterfront", "US-MA-BOSTON-SOUTH-BOSTON-")]
    [TestCase("姑苏区", "US-MA-BOSTON-")]
    [TestCase("None", "US-MA-BOSTON-NONE-")]
    [TestCase("///", "US-MA-BOSTON-")]
    public void What_does_not_fit_gets_six_digits_of_the_hash(string name, string start)
    {
        var code = SourceNames.District(Boston, name).ToString();
        Assert.That(code, Does.Match($"^{start}[0-9A-F]{{6}}$"));
        Assert.That(SourceNames.District(Boston, name + "2").ToString(), Is.Not.EqualTo(code));
    }

    [Test]
    public void Every_name_gives_a_code_and_the_same_one_every_time() =>
        Gen.Select(Gen.Char.Array[1, 60], Gen.Int[1, 25]).Sample((chars, cityLength) =>
        {
            var name = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(new string(chars)));
            var city = DivisionCode.Parse(new string('C', cityLength));
            var code = SourceNames.District(city, name);
            return code == SourceNames.District(city, " " + name + " ") && code != SourceNames.NoDistrict(city)
                && code.ToString().Length <= DivisionCode.LengthMax && SourceNames.LocalType(name) == SourceNames.LocalType(name + " ");
        });
}
