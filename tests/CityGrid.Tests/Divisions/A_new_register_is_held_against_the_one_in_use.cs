using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Divisions;

/// <summary>A dry run of a change of the tree: what it does, and what is refused, all at once (H2, H3).</summary>
public sealed class A_new_register_is_held_against_the_one_in_use
{
    private const string Present = "N,,国,Nation,nation,,,\nA,N,甲,A,province,,,\nB,N,乙,B,province,,,\nX,A,城,X,city,,,\nY,A,镇,Y,city,,,\nD,Y,区,D,county,,,\n";

    private static readonly LocalDate Today = new(2026, 6, 15);

    [TestCase("X,A,城,X,city,,2026-06-30,\nX,B,城,X,city,2026-07-01,,", "2026-07-01 X A B")]
    [TestCase("X,A,城,New name,city,,,", "")]
    [TestCase("X,A,城,X,city,,,\nZ,B,新,Z,city,2026-06-16,,", "2026-06-16 Z - B")]
    [TestCase("X,A,城,X,city,,2026-06-15,Y", "2026-06-16 X A -")]
    [TestCase("X,A,城,X,city,,2026-06-30,\nX,A,城,X,county,2026-07-01,,", "2026-07-01 X A A")]
    public void It_tells_what_happens_and_when(string rowsOfX, string expected)
    {
        var change = RegisterChange.Of(Register(Present), Register(Present.Replace("X,A,城,X,city,,,\n", rowsOfX + "\n", StringComparison.Ordinal)), Today);
        Assert.That(change.Faults, Is.Empty);
        Assert.That(string.Join("; ", change.Changes.Select(c => $"{c.Day:uuuu-MM-dd} {c.Code} {c.Before?.Parent?.ToString() ?? "-"} {c.After?.Parent?.ToString() ?? "-"}")), Is.EqualTo(expected));
    }

    [Test]
    public void What_was_to_come_and_is_called_off_is_told_by_nothing_and_refused_by_nobody()
    {
        var planned = Register(Present.Replace("X,A,城,X,city,,,\n", "X,A,城,X,city,,2026-06-30,\nX,B,城,X,city,2026-07-01,,\n", StringComparison.Ordinal));
        Assert.That(RegisterChange.Of(planned, planned, Today).Changes, Is.Empty, "it is in use already");
        Assert.That(RegisterChange.Of(planned, Register(Present), Today).Faults, Is.Empty);
    }

    [Test]
    public void Every_mistake_is_refused_at_once()
    {
        var next = Register("""
            N,,国,Nation,nation,,,
            A,N,甲,A,province,,,
            X,A,城,X,city,,2026-06-14,
            X,N,城,X,city,2026-06-15,,
            Y,A,镇,Y,city,,2026-08-31,
            D,Y,区,D,county,,,

            """);
        Assert.That(RegisterChange.Of(Register(Present), next, Today).Faults, Is.EqualTo(new[]
        {
            new RegisterFault(RegisterFaultKind.Gone, null, null, "B"),
            new RegisterFault(RegisterFaultKind.ToldAnew, DivisionCode.Parse("X"), new LocalDate(2026, 6, 15), string.Empty),
            new RegisterFault(RegisterFaultKind.LeavesOthers, DivisionCode.Parse("Y"), new LocalDate(2026, 9, 1), "D"),
        }));
    }

    [Test]
    public void What_a_division_that_ended_went_into_is_not_told_anew()
    {
        const string went = "X,A,城,X,city,,2026-05-31,Y\n";
        var present = Register(Present.Replace("X,A,城,X,city,,,\n", went, StringComparison.Ordinal));
        var next = Register(Present.Replace("X,A,城,X,city,,,\n", went.Replace(",Y", ",D", StringComparison.Ordinal), StringComparison.Ordinal));
        Assert.That(RegisterChange.Of(present, next, Today).Faults, Is.EqualTo(new[]
        {
            new RegisterFault(RegisterFaultKind.SuccessorToldAnew, DivisionCode.Parse("X"), null, "Y"),
        }));
        Assert.That(RegisterChange.Of(present, present, Today).Faults, Is.Empty);
    }

    [Test]
    public void The_one_built_in_may_follow_itself() => Assert.That(RegisterChange.Of(DivisionRegister.BuiltIn, DivisionRegister.BuiltIn, Today).Faults, Is.Empty);

    private static DivisionRegister Register(string rows)
    {
        var reading = DivisionFile.Read(new StringReader("code,parent,name_zh,name_en,kind,valid_from,valid_to,successor\n" + rows));
        Assert.That(reading.Faults, Is.Empty);
        return reading.Register!;
    }
}
