using CityGrid.Hub.Catalogue;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Catalogue;

/// <summary>The vectors of the domain: Monday to Friday, 08:00–12:00 and 14:00–18:00, no holidays.</summary>
public sealed class Limits_end_when_the_standard_says
{
    private static readonly DateTimeZone Shanghai = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];
    private static readonly WorkCalendar Usual = new(Shanghai);

    [TestCase("2025-03-07T17:00", "2u", "2025-03-07T19:00")]
    [TestCase("2025-03-07T17:00", "4h", "2025-03-10T11:00")]
    [TestCase("2025-03-07T17:00", "1d", "2025-03-10T17:00")]
    [TestCase("2025-03-07T13:00", "5d", "2025-03-14T12:00")]
    [TestCase("2025-03-07T17:00", "1U", "2025-03-08T17:00")]
    [TestCase("2025-03-08T10:00", "2h", "2025-03-10T10:00")]
    [TestCase("2025-03-07T17:00", "1n", "2025-03-08T17:00")]
    [TestCase("2025-12-31T17:00", "2d", "2026-01-02T17:00")]
    public void Six_vectors_and_two_of_our_own(string start, string limit, string deadline)
    {
        Assert.That(Limit.TryParse(limit, out var parsed), Is.True);
        Assert.That(Usual.Deadline(At(start), parsed), Is.EqualTo(At(deadline)));
    }

    [Test]
    public void Holidays_are_left_out_and_make_up_workdays_count()
    {
        // Spring festival 2026: off from 15 to 23 February, worked on Saturday the 14th and Saturday the 28th.
        var calendar = new WorkCalendar(
            Shanghai,
            holidays: Enumerable.Range(15, 9).Select(day => new LocalDate(2026, 2, day)),
            makeUpWorkdays: [new LocalDate(2026, 2, 14), new LocalDate(2026, 2, 28)]);
        Assert.That(calendar.Deadline(At("2026-02-13T17:00"), new Limit(2, LimitUnit.WorkDay)), Is.EqualTo(At("2026-02-24T17:00")));
        Assert.That(calendar.WorkingTimeBetween(At("2026-02-13T18:00"), At("2026-02-24T08:00")), Is.EqualTo(8 * 3600));
    }

    [Test]
    public void A_shift_may_end_at_midnight_and_another_begin_there()
    {
        var calendar = new WorkCalendar(Shanghai, [new Shift(0, 6 * 60), new Shift(22 * 60, Shift.MinutesMax)]);
        Assert.That(calendar.Deadline(At("2026-03-02T23:00"), new Limit(3, LimitUnit.WorkHour)), Is.EqualTo(At("2026-03-03T02:00")));
    }

    [Test]
    public void An_hour_that_the_clock_skips_is_not_worked_and_one_that_it_repeats_is_worked_twice()
    {
        var berlin = DateTimeZoneProviders.Tzdb["Europe/Berlin"];
        var nights = new WorkCalendar(
            berlin, [new Shift(0, 4 * 60)], [IsoDayOfWeek.Monday, IsoDayOfWeek.Tuesday, IsoDayOfWeek.Wednesday, IsoDayOfWeek.Thursday, IsoDayOfWeek.Friday, IsoDayOfWeek.Saturday, IsoDayOfWeek.Sunday]);
        Assert.Multiple(() =>
        {
            Assert.That(WorkedOn(nights, berlin, new LocalDate(2026, 3, 29)), Is.EqualTo(3 * 3600));
            Assert.That(WorkedOn(nights, berlin, new LocalDate(2026, 10, 25)), Is.EqualTo(5 * 3600));
            Assert.That(WorkedOn(nights, berlin, new LocalDate(2026, 10, 26)), Is.EqualTo(4 * 3600));
        });
    }

    [Test]
    public void A_calendar_that_never_works_is_refused()
    {
        Assert.That(() => new WorkCalendar(Shanghai, shifts: []), Throws.ArgumentException);
        Assert.That(() => new WorkCalendar(Shanghai, workDays: []), Throws.ArgumentException);
        Assert.That(() => new WorkCalendar(Shanghai, [new Shift(60, 120), new Shift(90, 180)]), Throws.ArgumentException);
        Assert.That(() => new WorkCalendar(Shanghai, [new Shift(60, 1441)]), Throws.ArgumentException);
    }

    private static long WorkedOn(WorkCalendar calendar, DateTimeZone zone, LocalDate date) =>
        calendar.WorkingTimeBetween(zone.AtStartOfDay(date).ToInstant(), zone.AtStartOfDay(date.PlusDays(1)).ToInstant());

    private static Instant At(string local) =>
        Shanghai.AtStrictly(NodaTime.Text.LocalDateTimePattern.CreateWithInvariantCulture("uuuu-MM-dd'T'HH:mm").Parse(local).Value).ToInstant();
}
