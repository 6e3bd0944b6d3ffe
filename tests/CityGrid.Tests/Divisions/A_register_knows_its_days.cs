using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Divisions;

/// <summary>Clause H1: several rows a code, of different days.</summary>
public sealed class A_register_knows_its_days
{
    private const string Header = "code,parent,name_zh,name_en,kind,valid_from,valid_to,successor\n";

    private const string Text = Header + """
        N,,国,Nation,nation,,,
        A,N,甲,A,province,,,
        B,N,乙,B,province,2026-01-01,,
        X,A,城,X,city,,2026-06-30,
        X,B,城,X,city,2026-07-01,,
        Y,A,镇,Y,city,,2026-12-31,X
        D,Y,区,D,county,,2026-12-31,
        D,X,区,D,county,2027-01-01,,

        """;

    [TestCase("2025-06-01", "X A N", "Y A N", "D Y A N")]
    [TestCase("2026-06-30", "X A N", "Y A N", "D Y A N")]
    [TestCase("2026-07-01", "X B N", "Y A N", "D Y A N")]
    [TestCase("2026-12-31", "X B N", "Y A N", "D Y A N")]
    [TestCase("2027-01-01", "X B N", "X B N", "D X B N")]
    public void Each_stands_where_it_stood_on_the_day(string day, string x, string y, string d)
    {
        var register = Register().At(Day(day));
        Assert.That(new[] { "X", "Y", "D" }.Select(code => string.Join(' ', register.UpFrom(Code(code)).Select(up => up.Code))), Is.EqualTo(new[] { x, y, d }));
        foreach (var (code, path) in new[] { ("X", x), ("D", d) })
        {
            foreach (var above in new[] { "A", "B", "N", "X", "Y" })
            {
                Assert.That(register.IsAtOrBelow(Code(code), Code(above)), Is.EqualTo(path.Split(' ').Contains(above)), $"{code} below {above}");
            }
        }
    }

    [Test]
    public void What_has_not_begun_is_not_known_and_what_has_ended_is()
    {
        Assert.That(Register().At(Day("2025-12-31")).Contains(Code("B")), Is.False);
        Assert.That(Register().At(Day("2026-01-01")).Contains(Code("B")), Is.True);
        Assert.That(Register().At(Day("2027-01-01")).Contains(Code("Y")), Is.True);
        Assert.That(Register().At(Day("2026-12-31")).OriginsBelow(Code("N")).Select(o => o.Code), Is.EqualTo(new[] { Code("X"), Code("Y") }));
        Assert.That(Register().At(Day("2027-01-01")).OriginsBelow(Code("N")).Select(o => o.Code), Is.EqualTo(new[] { Code("X") }));
        Assert.That(Register().At(Day("2027-01-01")).ChildrenOf(Code("A")), Is.Empty);
    }

    [Test]
    public void What_once_was_below_has_been_there_from_then_on()
    {
        Assert.That(Register().At(Day("2026-06-30")).HasBeenAtOrBelow(Code("X"), Code("B")), Is.False);
        Assert.That(Register().At(Day("2026-07-01")).HasBeenAtOrBelow(Code("X"), Code("B")), Is.True);
        Assert.That(Register().At(Day("2026-07-01")).HasBeenAtOrBelow(Code("X"), Code("A")), Is.True);
        Assert.That(Register().At(Day("2027-05-01")).HasBeenAtOrBelow(Code("D"), Code("Y")), Is.True);
    }

    [Test]
    public void Without_dates_it_is_the_same_on_every_day()
    {
        var register = DivisionFile.Read(new StringReader("code,parent,name_zh,name_en,kind,valid_from,valid_to\nN,,国,Nation,nation,,\n")).Register!;
        Assert.That(register.Changes, Is.Empty);
        Assert.That(register.At(Day("1950-01-01")), Is.SameAs(register));
        Assert.That(Register().Changes.Select(d => d.ToString("uuuu-MM-dd", null)), Is.EqualTo(new[] { "2026-01-01", "2026-07-01", "2027-01-01" }));
    }

    [TestCase("X,A,,,city,,2026-06-30,\nX,B,,,city,2026-06-30,,", "line 6, code: 'X' stands in line 5 for some of these days; on each day a code stands once: end one row (valid_to) before the other begins (valid_from)")]
    [TestCase("X,A,,,city,,,\nX,B,,,city,2026-06-30,,", "line 6, code: 'X' stands in line 5 for some of these days; on each day a code stands once: end one row (valid_to) before the other begins (valid_from)")]
    [TestCase("X,A,,,city,,2026-06-30,Z", "line 5, successor: 'Z' does not stand on the day after 2026-06-30; what a division went into stands when it has ended")]
    [TestCase("X,A,,,city,,,A", "line 5, successor: 'X' has no end; a division that went into another has a last day (valid_to)")]
    [TestCase("X,A,,,city,,9999-12-31,A", "line 5, successor: 'A' does not stand on the day after 9999-12-31; what a division went into stands when it has ended")]
    [TestCase("X,A,,,city,,2026-06-30,A\nX,A,,,city,2027-01-01,,", "line 5, successor: 'X' goes on after 2026-06-30; only the last row of a code names what it went into")]
    [TestCase("P,A,,,county,,2025-12-31,\nP,A,,,county,2026-02-01,,\nQ,P,,,township,2026-01-15,,", "line 7, parent: 'P' does not stand on 2026-01-15; between its first and its last day a parent stands on every day on which 'Q' lies below it")]
    [TestCase("P,A,,,county,,2025-12-31,\nP,Q,,,county,2026-01-01,,\nQ,P,,,township,,,", "line 6, parent: P below Q below P is a circle on 2026-01-01; every way up ends at a nation")]
    [TestCase("P,A,,,county,,2025-12-31,Q\nQ,P,,,township,,,", "line 6, parent: Q below Q is a circle on 2026-01-01; every way up ends at a nation")]
    [TestCase("P,A,,,county,2026-02-01,2026-01-01,\nP,A,,,county,2026-02-02,,", "line 5, valid_to: 2026-01-01 lies before valid_from, 2026-02-01; the last valid day is the first one or later")]
    [TestCase("C,A,,,city,,,\nP,C-NONE,,,township,,,", "line 6, parent: 'C-NONE' stands in no line; a parent has a line of its own")]
    public void A_bad_one_is_refused_with_its_faults(string rows, string expected) =>
        Assert.That(Faults(Header + "N,,,,nation,,,\nA,N,,,province,,,\nB,N,,,province,,,\n" + rows), Is.EqualTo(new[] { expected }));

    [Test]
    public void The_days_of_change_are_bounded()
    {
        var rows = string.Concat(Enumerable.Range(0, 1001).Select(i => $"X{i},N,,,city,{new LocalDate(2000, 1, 1).PlusDays(i):uuuu-MM-dd},,\n"));
        Assert.That(Faults(Header + "N,,,,nation,,,\n" + rows), Is.EqualTo(new[] { "something changes on 1001 days; at most 1000" }));
    }

    private static DivisionRegister Register()
    {
        var reading = DivisionFile.Read(new StringReader(Text));
        Assert.That(reading.Faults, Is.Empty);
        return reading.Register!;
    }

    private static string[] Faults(string text) => [.. DivisionFile.Read(new StringReader(text)).Faults.Select(f => f.ToString())];

    private static LocalDate Day(string text) => NodaTime.Text.LocalDatePattern.Iso.Parse(text).Value;

    private static DivisionCode Code(string text) => DivisionCode.Parse(text);
}
