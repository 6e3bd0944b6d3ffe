using CityGrid.Hub.Catalogue;
using CsCheck;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Catalogue;

/// <summary>A brute-force clock looks at every minute and asks the wall clock of the place whether it is worked.</summary>
public sealed class Working_time_agrees_with_a_count_of_minutes
{
    private static readonly string[] Zones = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];

    private static readonly Gen<WorkCalendar> Calendars =
        from zone in Gen.Int[0, Zones.Length - 1]
        from edges in Gen.Int[0, 96].Array[2, 6]
        from days in Gen.Int[1, 7].Array[1, 5]
        from holidays in Gen.Int[0, 40].Array[0, 5]
        from makeUp in Gen.Int[0, 40].Array[0, 3]
        select new WorkCalendar(
            DateTimeZoneProviders.Tzdb[Zones[zone]],
            ShiftsOf(edges),
            days.Select(d => (IsoDayOfWeek)d),
            holidays.Select(d => First.PlusDays(d)),
            makeUp.Select(d => First.PlusDays(d)));

    // Around the day in autumn on which the clocks of Berlin go back; New York and Lord Howe change within the forty days.
    private static readonly LocalDate First = new(2026, 10, 1);

    private static readonly Instant Start = Instant.FromUtc(2026, 9, 30, 0, 0);

    [Test]
    public void Between_two_instants() =>
        Gen.Select(Calendars, Gen.Int[0, 45 * 1440], Gen.Int[0, 10 * 1440]).Sample(
            (calendar, from, length) =>
            {
                var start = Start.Plus(Duration.FromMinutes(from));
                var worked = Enumerable.Range(0, length).Count(m => IsWorked(calendar, start.Plus(Duration.FromMinutes(m))));
                Assert.That(calendar.WorkingTimeBetween(start, start.Plus(Duration.FromMinutes(length))), Is.EqualTo(worked * 60L));
            },
            iter: 200);

    [Test]
    public void Until_a_deadline() =>
        Gen.Select(Calendars, Gen.Int[0, 30 * 1440], Gen.Int[1, 12]).Sample(
            (calendar, from, hours) =>
            {
                var at = Start.Plus(Duration.FromMinutes(from));
                var deadline = calendar.Deadline(at, new Limit(hours, LimitUnit.WorkHour));
                for (var left = hours * 60; left > 0; at = at.Plus(Duration.FromMinutes(1)))
                {
                    left -= IsWorked(calendar, at) ? 1 : 0;
                }

                Assert.That(deadline, Is.EqualTo(at));
            },
            iter: 200);

    [Test]
    public void A_deadline_is_the_earliest_instant_by_which_the_limit_has_run() =>
        Gen.Select(Calendars, Gen.Long[0, 45L * 86_400_000], Gen.Int[1, 400]).Sample(
            (calendar, from, hours) =>
            {
                var start = Start.Plus(Duration.FromMilliseconds(from));
                var limit = new Limit(hours, LimitUnit.WorkHour);
                var deadline = calendar.Deadline(start, limit);
                Assert.That(calendar.Between(start, deadline, workingTime: true), Is.EqualTo(limit.Seconds * 1000));
                Assert.That(calendar.Between(start, deadline.Plus(Duration.FromMilliseconds(-1)), workingTime: true), Is.EqualTo((limit.Seconds * 1000) - 1));
            },
            iter: 200);

    private static bool IsWorked(WorkCalendar calendar, Instant minute)
    {
        var local = minute.InZone(calendar.Zone).LocalDateTime;
        return calendar.IsWorkday(local.Date) && calendar.Shifts.Any(s => s.FromMinute <= MinuteOf(local) && MinuteOf(local) < s.ToMinute);
    }

    private static int MinuteOf(LocalDateTime local) => (local.Hour * 60) + local.Minute;

    private static Shift[] ShiftsOf(int[] quarters)
    {
        var edges = quarters.Distinct().Order().Select(q => q * 15).ToArray();
        if (edges.Length < 2)
        {
            edges = [480, 720];
        }

        return [.. Enumerable.Range(0, edges.Length / 2).Select(i => new Shift(edges[2 * i], edges[(2 * i) + 1]))];
    }
}
