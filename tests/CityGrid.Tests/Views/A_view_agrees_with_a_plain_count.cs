using System.Globalization;
using CityGrid.Hub.Views;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Views;

public sealed class A_view_agrees_with_a_plain_count
{
    private const string Exact = "reported,closed,cohort_closed,closed_within_72h,cohort_closed_within_72h,mean,flow_mean,handle_p50";
    private const string Stocks = "open_end_of_day,open_at,overdue_at,due_for_closing,reported";
    private const string Percentiles = "p50,p95,flow_p90";

    private static readonly Gen<List<Fact>> Facts = ViewWorld.Fact.List[0, 60];

    private static readonly Gen<(string From, string To)> Period = Gen.Select(Gen.Int[-3, 60], Gen.Int[1, 80]).Select((from, days) =>
        (Text(new DateOnly(2023, 12, 25).AddDays(from)), Text(new DateOnly(2023, 12, 25).AddDays(from + days))));

    private static readonly Gen<string> Time = Gen.OneOf("", "", "day", "week", "month", "quarter", "year", "week,month", "year,week,day");
    private static readonly Gen<string> Measures = Gen.OneOf(Exact, Stocks, Percentiles, $"{Percentiles},{Stocks},closed,flow_mean");
    private static readonly Gen<string> Types = Gen.OneOf("", "", "01001", "01", "99", "x1f2e3d4c,02");

    [Test]
    public void In_every_way_that_the_ministry_can_ask() => Check(
        Gen.OneOf("", "province", "city", "division", "type", "class", "city,type", "class,province", "type,class,city"), Gen.OneOf("", "", "N", "B", "M", "AC,M"), Gen.Const(""), _ => false);

    [Test]
    public void In_every_way_that_a_node_with_all_the_detail_can_be_asked() => Check(
        Gen.OneOf("", "district", "division", "source", "city,source", "type,district,source", "province"), Gen.OneOf("", "B", "AC", "D1", "D1,D4", "AC-NONE", "M,D3"), Gen.OneOf("", "web", "web,hotline"), _ => true);

    [Test]
    public void From_the_nation_to_the_provinces_the_cities_and_the_districts()
    {
        var facts = ViewWorld.Cities.SelectMany(city => city.Value.Districts.Select(district => ViewWorld.Case(city.Key, district))).ToArray();
        Assert.That(Drill(facts, "N", ""), Is.EqualTo(new[] { "reported=10" }));
        Assert.That(Drill(facts, "N", "province"), Is.EqualTo(new[] { "B reported=7", "M reported=3" }));
        Assert.That(Drill(facts, "B", "city"), Is.EqualTo(new[] { "AC reported=3", "BC reported=2", "CC reported=2" }));
        Assert.That(Drill(facts, "AC", "district"), Is.EqualTo(new[] { "AC-NONE reported=1", "D1 reported=1", "D2 reported=1" }));
        Assert.That(Drill(facts, "M", "district"), Is.EqualTo(new[] { "D4 reported=1", "D5 reported=1", "M-NONE reported=1" }));
        Assert.That(Drill(facts, "AC", "division,month,type")[0], Is.EqualTo("AC-NONE 2024-02 01001 reported=1"));
    }

    [Test]
    public void By_division_shows_the_finest_that_is_held_of_everything_asked_for()
    {
        var held = ViewWorld.Held([ViewWorld.Case("AC", "D1"), ViewWorld.Case("AC", "AC-NONE"), ViewWorld.Case("M", "D4")], city => city == "AC");
        Assert.That(Labels(held, "AC"), Is.EqualTo(new[] { "AC-NONE", "D1" }));
        Assert.That(Labels(held, "AC", "M"), Is.EqualTo(new[] { "AC", "M" }));
        Assert.That(Labels(held), Is.EqualTo(new[] { "AC", "M" }));
    }

    [Test]
    public void The_parent_is_a_function_of_the_sums_and_of_nothing_else() =>
        Facts.Sample(facts =>
        {
            // The same facts, counted by one city or by many: no figure may tell them apart.
            var many = ViewWorld.Held(facts, _ => false);
            var one = ViewWorld.Held(facts.Select(f => f with { City = "AC" }), _ => false);
            var ask = ViewWorld.Ask("type,month", $"{Exact},{Percentiles},{Stocks}", "2023-12-01", "2024-04-01");
            return ViewWorld.Rows(many, ask).SequenceEqual(ViewWorld.Rows(one, ask));
        });

    private static void Check(Gen<string> places, Gen<string> divisions, Gen<string> sources, Func<string, bool> withDetail) =>
        Gen.Select(Facts, Gen.Select(places, Time), Gen.Select(divisions, sources, Types), Period, Measures).Sample((facts, by, where, period, measures) =>
        {
            var request = ViewWorld.Ask($"{by.Item1},{by.Item2}", measures, period.From, period.To);
            request.Divisions.Add(where.Item1.Split(',', StringSplitOptions.RemoveEmptyEntries));
            request.Sources.Add(where.Item2.Split(',', StringSplitOptions.RemoveEmptyEntries));
            request.Types_.Add(where.Item3.Split(',', StringSplitOptions.RemoveEmptyEntries));
            var lines = new ViewEngine(ViewWorld.Held(facts, withDetail), ViewWorld.Register, ViewWorld.Nation).Answer(ViewWorld.Query(request));
            var expected = new PlainCount(facts, withDetail("AC")).Answer(request);
            Assert.That(lines.Refusal, Is.Null);
            Assert.That(lines.Lines.Select(l => string.Join(' ', l.Labels)), Is.EquivalentTo(expected.Keys), request.ToString());
            foreach (var line in lines.Lines)
            {
                var figures = expected[string.Join(' ', line.Labels)];
                for (var i = 0; i < figures.Length; i++)
                {
                    Assert.That(Agree(request.Measures[i], line.Figures[i], figures[i]), Is.True, $"{request}: {string.Join(' ', line.Labels)} {request.Measures[i]} {line.Figures[i]} for {figures[i]}");
                }
            }
        }, iter: 1_500);

    /// <summary>All figures agree to the last unit; a percentile within 1 % of the exact one.</summary>
    private static bool Agree(string measure, long? shown, long? exact) =>
        measure.Contains('p', StringComparison.Ordinal) && char.IsAsciiDigit(measure[^1]) && shown is { } s && exact is { } e ? 100 * Math.Abs(s - e) <= e : shown == exact;

    private static IEnumerable<string> Labels(Hub.Cells.CellFold held, params string[] divisions)
    {
        var request = ViewWorld.Ask("division", "reported");
        request.Divisions.Add(divisions);
        return ViewWorld.Rows(held, request).Select(row => row.Split(' ')[0]);
    }

    private static IReadOnlyList<string> Drill(Fact[] facts, string division, string by)
    {
        var request = ViewWorld.Ask(by, "reported");
        request.Divisions.Add(division);
        return ViewWorld.Rows(ViewWorld.Held(facts, _ => true), request);
    }

    private static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
