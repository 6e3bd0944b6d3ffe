using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CsCheck;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Names;

/// <summary>Clause L17: which types a sector's parent is told of.</summary>
public sealed class Matters_are_beginnings_of_codes
{
    private static readonly string[] Codes = ["01001", "01011", "02001", "06010", "06011", "99000", "x0a1b2c3d", "x1b2c3d4e", "A-1.2", "otherwise"];

    private static readonly Gen<string> Beginning = Gen.OneOf(Gen.OneOf("0", "01", "06", "06010", "0601", "x", "x0a", "99", "A", "other", "o"), Gen.OneOf(Codes));

    [TestCase("01001", "01", true)]
    [TestCase("01001", "01001", true)]
    [TestCase("01001", "06,01", true)]
    [TestCase("06010", "01", false)]
    [TestCase("x0a1b2c3d", "0,1,2,3,4,5,6,7,8,9", false)]
    [TestCase("x0a1b2c3d", "x", true)]
    [TestCase("x0a1b2c3d", "other", true)]
    [TestCase("99000", "other", true)]
    [TestCase("99000", "99", true)]
    [TestCase("x0a1b2c3d", "99", false)]
    [TestCase("01001", "other", false)]
    [TestCase("otherwise", "other", true, Description = "It is a local type, and not for how it begins.")]
    [TestCase("01001", "", true)]
    public void A_type_is_told_of_by_how_its_code_begins(string code, string beginnings, bool told) =>
        Assert.That(Of(beginnings).Includes(TypeCode.Parse(code)), Is.EqualTo(told));

    [TestCase("01", "01", true)]
    [TestCase("01", "01001", false)]
    [TestCase("01001", "01", true)]
    [TestCase("99", "99", false)]
    [TestCase("99", "other", true)]
    [TestCase("06", "other", false)]
    [TestCase("99000", "99", true)]
    [TestCase("x0a1b2c3d", "other", true)]
    [TestCase("06", "", true)]
    public void A_question_is_covered_where_all_that_it_asks_for_is_told(string asked, string beginnings, bool covered) =>
        Assert.That(Of(beginnings).Covers(TypeCode.Parse(asked)), Is.EqualTo(covered));

    [Test]
    public void One_selection_has_one_form_and_says_the_same_in_it() => Beginning.List[1, 8].Sample(texts =>
    {
        var matters = Matters.Of(texts)!;
        var again = Matters.Of([.. matters.Beginnings.Reverse(), .. texts])!;
        var plain = Codes.Where(code => texts.Any(text => text == "other" ? code.Length != 5 || !code.All(char.IsAsciiDigit) || code.StartsWith("99", StringComparison.Ordinal) : code.StartsWith(text, StringComparison.Ordinal)));
        return matters.Equals(again) && matters.GetHashCode() == again.GetHashCode() && Codes.Where(code => matters.Includes(TypeCode.Parse(code))).SequenceEqual(plain);
    });

    [Test]
    public void What_is_covered_leaves_out_no_type_that_is_asked_for() => Gen.Select(Beginning.List[1, 5], Gen.OneOf<string>([.. Codes, "01", "06", "99", "02"])).Sample((texts, asked) =>
    {
        var matters = Matters.Of(texts)!;
        return !matters.Covers(TypeCode.Parse(asked)) || Codes.Select(TypeCode.Parse).Where(code => code.ToString() == asked || code.LargeClass == asked).All(matters.Includes);
    });

    [Test]
    public void What_is_none_is_refused()
    {
        foreach (var bad in new[] { "", " ", "01 ", "01*", "燃气", "0_1", new string('0', 33) })
        {
            Assert.That(Matters.Of([bad]), Is.Null, bad);
        }

        Assert.That(Matters.Of([.. Enumerable.Range(0, 65).Select(i => $"{i:00}")]), Is.Null);
        Assert.That(Matters.Of([]), Is.SameAs(Matters.All));
    }

    [Test]
    public void A_watermark_says_them_and_since_when_or_is_none()
    {
        var stated = new Reception.Child("wuhan", "4201").Statement(9) with { Matters = Of("01,06010"), MattersSince = new Lsn(4) };
        var message = CellsPartCodec.Write(stated);
        Assert.That(CellsPartCodec.Read(message, out var read), Is.Null);
        Assert.That(read, Is.EqualTo(stated));
        foreach (var twist in new Action<Watermark>[]
                 {
                     m => m.MattersSince = 0, m => m.MattersSince = -1, m => m.MattersSince = 10, m => m.Matters.Clear(), m => m.Matters.Add("0 1"), m => m.Matters.AddRange(Enumerable.Range(0, 64).Select(i => $"{i:00}")),
                 })
        {
            var bad = message.Clone();
            twist(bad);
            Assert.That(CellsPartCodec.Read(bad, out _)?.Code, Is.EqualTo("WATERMARK_MALFORMED"), bad.ToString());
        }
    }

    private static Matters Of(string beginnings) => Matters.Of(beginnings.Split(',', StringSplitOptions.RemoveEmptyEntries))!;
}
