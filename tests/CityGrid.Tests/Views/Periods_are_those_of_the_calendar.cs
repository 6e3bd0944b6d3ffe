using NUnit.Framework;

namespace CityGrid.Tests.Views;

public sealed class Periods_are_those_of_the_calendar
{
    private static readonly string[] Days = ["2023-12-31", "2024-01-01", "2024-02-28", "2024-02-29", "2024-03-01", "2024-12-29", "2024-12-30", "2025-01-01"];

    [Test]
    public void A_week_belongs_to_the_year_of_its_Thursday() =>
        Assert.That(Rows("week"), Is.EqualTo(new[] { "2023-W52 reported=1", "2024-W01 reported=1", "2024-W09 reported=3", "2024-W52 reported=1", "2025-W01 reported=2" }));

    [Test]
    public void A_leap_day_is_a_day_of_its_month_quarter_and_year()
    {
        Assert.That(Rows("day"), Has.Member("2024-02-29 reported=1"));
        Assert.That(Rows("month"), Is.EqualTo(new[] { "2023-12 reported=1", "2024-01 reported=1", "2024-02 reported=2", "2024-03 reported=1", "2024-12 reported=2", "2025-01 reported=1" }));
        Assert.That(Rows("quarter"), Is.EqualTo(new[] { "2023-Q4 reported=1", "2024-Q1 reported=4", "2024-Q4 reported=2", "2025-Q1 reported=1" }));
        Assert.That(Rows("year"), Is.EqualTo(new[] { "2023 reported=1", "2024 reported=6", "2025 reported=1" }));
    }

    [Test]
    public void A_week_across_two_months_is_two_rows_of_week_and_month() =>
        Assert.That(Rows("week,month", "2024-02-26", "2024-03-04"), Is.EqualTo(new[] { "2024-W09 2024-02 reported=2", "2024-W09 2024-03 reported=1" }));

    [Test]
    public void From_is_in_and_to_is_out() =>
        Assert.That(Rows("", "2024-02-28", "2024-03-01"), Is.EqualTo(new[] { "reported=2" }));

    [Test]
    public void A_period_that_is_cut_counts_what_is_left_of_it() =>
        Assert.That(Rows("month", "2024-02-29", "2024-03-01"), Is.EqualTo(new[] { "2024-02 reported=1" }));

    [Test]
    public void What_is_open_at_the_end_of_each_day_runs_on_over_days_on_which_nothing_happens()
    {
        var ask = ViewWorld.Ask("day", "reported,open_end_of_day,open_at", "2024-02-27", "2024-03-02");
        Assert.That(ViewWorld.Rows(ViewWorld.Held(Facts(), _ => false), ask), Is.EqualTo(new[]
        {
            "2024-02-27 reported=0 open_end_of_day=2 open_at=5",
            "2024-02-28 reported=1 open_end_of_day=3 open_at=5",
            "2024-02-29 reported=1 open_end_of_day=4 open_at=5",
            "2024-03-01 reported=1 open_end_of_day=5 open_at=5",
        }));
    }

    [Test]
    public void The_last_century_and_the_next_can_be_asked_for_day_by_day()
    {
        Assert.That(Rows("day", "1900-01-01", "2200-01-01"), Has.Count.EqualTo(8));
        Assert.That(Rows("year", "1900-01-01", "2200-01-01"), Has.Count.EqualTo(3));
    }

    [Test]
    public void A_period_that_has_not_begun_is_no_row()
    {
        var ask = ViewWorld.Ask("month", "open_end_of_day", "2026-10-01", "2199-12-31");
        Assert.That(ViewWorld.Rows(ViewWorld.Held(Facts(), _ => false), ask), Is.EqualTo(new[] { "2026-10 open_end_of_day=8", "2026-11 open_end_of_day=8" }));
    }

    [TestCase("day")]
    [TestCase("day,city")]
    public void A_stock_is_carried_from_day_to_day_and_never_counted_again(string by)
    {
        // 40,000 days with an event on each: were every row to count from the beginning, this would be 800 million events.
        var held = ViewWorld.Held(Enumerable.Range(0, 40_000).Select(i => ViewWorld.Case("AC", "D1", day: ViewWorld.Today.Plus(-i).ToString())), _ => false);
        Assert.That(ViewWorld.Rows(held, ViewWorld.Ask(by, "open_end_of_day"))[^1], Does.EndWith("open_end_of_day=40000"));
    }

    private static IReadOnlyList<string> Rows(string by, string from = "2023-12-01", string to = "2025-02-01") =>
        ViewWorld.Rows(ViewWorld.Held(Facts(), _ => false), ViewWorld.Ask(by, "reported", from, to));

    private static IEnumerable<Fact> Facts() => Days.Select(day => ViewWorld.Case("AC", "D1", day: day));
}
