using System.Globalization;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CsCheck;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Views;

/// <summary>
/// Clause H4 against a plain count: a city (AC) goes to another province (K) on 5 January 2024, and a city (BC) goes into a county (CC) on 2 March. Each day's
/// figures stand as the tree was on that day, or all as on one day; the provinces are the nation, always.
/// </summary>
public sealed class A_figure_stands_where_its_place_stood
{
    private const string Measured = "reported,closed,open_end_of_day,open_at,overdue_at,due_for_closing";

    private static readonly DateOnly Moved = new(2024, 1, 5);
    private static readonly DateOnly Merged = new(2024, 3, 2);

    private static readonly DivisionRegister Register = DivisionRegister.Of(
    [
        .. ViewWorld.Register.All.Where(d => d.Code != Code("AC") && d.Code != Code("BC")),
        Row("K", "N", DivisionKind.Province) with { ValidFrom = Local(Moved) },
        Row("AC", "B", DivisionKind.City) with { ValidTo = Local(Moved.AddDays(-1)) },
        Row("AC", "K", DivisionKind.City) with { ValidFrom = Local(Moved) },
        Row("BC", "B", DivisionKind.City) with { ValidTo = Local(Merged.AddDays(-1)), Successor = Code("CC") },
    ]);

    private static readonly Gen<string> Hierarchies = Gen.OneOf("", "as-was", "as-is", "2024-01-04", "2024-01-05", "2024-03-01", "2024-03-02");
    private static readonly Gen<string> Times = Gen.OneOf("", "day", "week", "month");
    private static readonly Gen<string> Measures = Gen.OneOf("reported,closed", Measured);
    private static readonly Gen<(DateOnly From, DateOnly To)> Period =
        Gen.Select(Gen.Int[0, 60], Gen.Int[1, 80]).Select((from, days) => (new DateOnly(2023, 12, 25).AddDays(from), new DateOnly(2023, 12, 25).AddDays(from + days)));

    [Test]
    public void As_a_plain_count_has_it_at_the_ministry() => Check(Gen.Const("N"), Gen.OneOf("", "", "B", "K", "AC", "CC", "BC", "M"), Gen.OneOf("", "province", "city", "province,city"));

    [Test]
    public void As_a_plain_count_has_it_at_either_province() => Check(Gen.OneOf("B", "K"), Gen.Const(""), Gen.OneOf("", "province", "city"));

    [Test]
    public void The_provinces_are_the_nation_in_total_and_on_each_day() =>
        Gen.Select(ViewWorld.Fact.List[0, 60], Hierarchies, Times, Period).Sample((facts, hierarchy, time, period) =>
        {
            // What stands as the last day ends is shown on the row of every day that there is one of, so only in total does it add up.
            var measures = time.Length > 0 ? "reported,closed,open_end_of_day,due_for_closing" : Measured;
            var held = ViewWorld.Held(facts, _ => false);
            var nation = Answer(held, "N", Ask($"{time}", measures, "", hierarchy, period));
            var provinces = Answer(held, "N", Ask($"{time},province", measures, "", hierarchy, period));
            var summed = provinces.GroupBy(line => time.Length > 0 ? line.Labels[0] : "").ToDictionary(g => g.Key, g => Enumerable.Range(0, g.First().Figures.Count).Select(i => g.Sum(line => line.Figures[i]!.Value)).ToArray());
            foreach (var line in nation)
            {
                var key = time.Length > 0 ? line.Labels[0] : "";
                Assert.That(line.Figures.Select(f => f!.Value), Is.EqualTo(summed.GetValueOrDefault(key) ?? new long[line.Figures.Count]), $"{hierarchy} {key}");
                summed.Remove(key);
            }

            // A province's stock and another's debt are rows where the nation has none.
            Assert.That(summed.Values.SelectMany(figures => figures), Has.All.Zero);
        }, iter: 1_000);

    [Test]
    public void What_was_in_stock_goes_with_its_city()
    {
        var held = ViewWorld.Held([ViewWorld.Case("AC", "D1", day: "2024-01-02"), ViewWorld.Case("AC", "D1", day: "2024-01-07")], _ => false);
        string[] Rows(string hierarchy) =>
            [.. Answer(held, "N", Ask("day,province", "reported,open_end_of_day", "", hierarchy, (new(2024, 1, 4), new(2024, 1, 8)))).Select(l => string.Join(' ', [.. l.Labels, .. l.Figures.Select(f => $"{f}")]))];
        Assert.That(Rows("as-was"), Is.EqualTo(new[] { "2024-01-04 B 0 1", "2024-01-05 K 0 1", "2024-01-06 K 0 1", "2024-01-07 K 1 2" }));
        Assert.That(Rows("as-is"), Is.EqualTo(new[] { "2024-01-04 K 0 1", "2024-01-05 K 0 1", "2024-01-06 K 0 1", "2024-01-07 K 1 2" }));
        Assert.That(Rows("2024-01-04"), Is.EqualTo(new[] { "2024-01-04 B 0 1", "2024-01-05 B 0 1", "2024-01-06 B 0 1", "2024-01-07 B 1 2" }));
    }

    [Test]
    public void Detail_stands_with_its_district()
    {
        // D2 goes from AC to BC in February; AC works its old cases on.
        var register = DivisionRegister.Of(
        [
            .. ViewWorld.Register.All.Where(d => d.Code != Code("D2")),
            Row("D2", "AC", DivisionKind.County) with { ValidTo = new LocalDate(2024, 1, 31) },
            Row("D2", "BC", DivisionKind.County) with { ValidFrom = new LocalDate(2024, 2, 1) },
        ]);
        var held = ViewWorld.Held([ViewWorld.Case("AC", "D2", day: "2024-01-02"), ViewWorld.Case("AC", "D2", day: "2024-02-02"), ViewWorld.Case("BC", "D2", day: "2024-02-03")], _ => true);
        var ask = Ask("district,month", "reported", "BC", "as-was", (new(2024, 1, 1), new(2024, 3, 1)));
        Assert.That(Text(Answer(held, "N", ask, register)), Is.EqualTo(new[] { "D2 2024-02 2" }));
        ask.Hierarchy = "as-is";
        Assert.That(Text(Answer(held, "N", ask, register)), Is.EqualTo(new[] { "D2 2024-01 1", "D2 2024-02 2" }));
    }

    [TestCase("as-is-not")]
    [TestCase("2024-02-30")]
    [TestCase("1850-01-01")]
    public void Another_hierarchy_is_refused_with_what_is_allowed(string hierarchy)
    {
        var refusal = ViewWorld.Refused(new QueryRequest { Hierarchy = hierarchy });
        Assert.That((refusal.Code, refusal.Where), Is.EqualTo(("HIERARCHY_UNKNOWN", "hierarchy")));
        Assert.That(refusal.Message, Does.Contain("as-was").And.Contain("as-is").And.Contain("yyyy-MM-dd"));
    }

    [Test]
    public void What_lies_outside_in_the_tree_asked_for_is_refused_there()
    {
        Assert.That(Refused("K", "AC", "2024-01-04"), Is.EqualTo("DIVISION_OUTSIDE"));
        Assert.That(Refused("K", "AC", "as-was"), Is.Null);
        Assert.That(Refused("B", "AC", "as-is"), Is.EqualTo("DIVISION_OUTSIDE"));
        Assert.That(Refused("B", "AC", "as-was"), Is.Null);
    }

    private static string? Refused(string place, string division, string hierarchy)
    {
        ViewQuery.Read(new QueryRequest { Hierarchy = hierarchy, Divisions = { division } }, Register, Code(place), ViewWorld.Today, out var refusal);
        return refusal?.Code;
    }

    private static void Check(Gen<string> places, Gen<string> divisions, Gen<string> dimensions) =>
        Gen.Select(Gen.Select(ViewWorld.Fact.List[0, 60], Measures), Gen.Select(places, divisions, dimensions), Hierarchies, Times, Period).Sample((held, where, hierarchy, time, period) =>
        {
            var (facts, measures) = held;
            var (place, division, by) = where;
            var request = Ask($"{by},{time}", measures, division, hierarchy, period);
            if (ViewQuery.Read(request, Register, Code(place), ViewWorld.Today, out _) is null)
            {
                return;
            }

            var expected = Plain(facts, place, request, period);
            Assert.That(Text(Answer(ViewWorld.Held(facts, _ => false), place, request)), Is.EquivalentTo(expected), $"{place}: {request}");
        }, iter: 2_000);

    /// <summary>The rows, by filtering and counting day by day.</summary>
    private static IEnumerable<string> Plain(List<Fact> facts, string place, QueryRequest request, (DateOnly From, DateOnly To) period)
    {
        var days = Enumerable.Range(0, period.To.DayNumber - period.From.DayNumber).Select(period.From.AddDays).ToArray();
        var needsStocks = request.Measures.Contains("open_at");
        var labels = facts.SelectMany(f => new[] { Moved.AddDays(-1), Moved, Merged }.Select(day => Label(f, day))).Distinct().Where(l => l is not null).ToArray();
        foreach (var label in request.By.Any(by => by is "province" or "city") ? labels : [""])
        {
            foreach (var days1 in days.GroupBy(day => string.Join(' ', request.By.Select(by => TimeOf(by, day)))))
            {
                var counted = facts.Where(f => days1.Contains(f.Day) && Label(f, f.Day) == label).ToArray();
                var atEnd = facts.Where(f => f.Day <= days1.Last() && Label(f, days1.Last()) == label).ToArray();
                var atTo = facts.Where(f => f.Day < period.To && Label(f, days[^1]) == label).ToArray();
                if (request.By.Count == 0 || counted.Any(f => !f.IsNothing) || (needsStocks && (Open(atEnd) != 0 || Overdue(atEnd) != 0)))
                {
                    var figures = request.Measures.Select(m => m switch
                    {
                        "reported" => counted.Sum(f => f.Reported),
                        "closed" => counted.Sum(f => f.ClosedThatDay.Length),
                        "open_end_of_day" => Open(atEnd),
                        "open_at" => Open(atTo),
                        "overdue_at" => Overdue(atTo),
                        _ => counted.Sum(f => f.Handled) + Overdue(atEnd),
                    });
                    var names = label!.Split('/');
                    yield return string.Join(' ', request.By.Select(by => by == "province" ? names[0] : by == "city" ? names[1] : TimeOf(by, days1.First())).Concat(figures.Select(f => $"{f}")));
                }
            }
        }

        string? Label(Fact fact, DateOnly day)
        {
            var at = request.Hierarchy switch
            {
                "" or "as-was" => day,
                "as-is" => new DateOnly(2026, 11, 24),
                var named => DateOnly.Parse(named, CultureInfo.InvariantCulture),
            };
            var city = fact.City == "BC" && at >= Merged ? "CC" : fact.City;
            var province = city == "M" ? "M" : city == "AC" && at >= Moved ? "K" : "B";
            var included = (place == "N" || place == province) && (request.Divisions.Count == 0 || request.Divisions.Any(d => d == province || d == city || d == fact.City));
            return !included ? null
                : string.Join('/', request.By.Contains("province") ? province : "", request.By.Contains("city") ? city : "") is var text && text.Length > 1 ? text : "";
        }
    }

    private static long Open(IEnumerable<Fact> facts) => facts.Sum(f => (long)f.Reported - f.ClosedThatDay.Length);

    private static long Overdue(IEnumerable<Fact> facts) => facts.Sum(f => (long)f.BecameOverdue - f.OverdueHandled);

    private static string TimeOf(string by, DateOnly day) => by switch
    {
        "day" => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        "week" => string.Create(CultureInfo.InvariantCulture, $"{ISOWeek.GetYear(day)}-W{ISOWeek.GetWeekOfYear(day):00}"),
        "month" => day.ToString("yyyy-MM", CultureInfo.InvariantCulture),
        _ => "",
    };

    private static IReadOnlyList<ViewLine> Answer(CellFold held, string place, QueryRequest request, DivisionRegister? register = null)
    {
        var query = ViewQuery.Read(request, register ?? Register, Code(place), ViewWorld.Today, out var refusal) ?? throw new InvalidOperationException(refusal!.ToString());
        var figures = new ViewEngine(held, register ?? Register, Code(place)).Answer(query);
        Assert.That(figures.Refusal, Is.Null);
        return figures.Lines;
    }

    private static string[] Text(IReadOnlyList<ViewLine> lines) => [.. lines.Select(l => string.Join(' ', [.. l.Labels, .. l.Figures.Select(f => $"{f}")]))];

    private static QueryRequest Ask(string by, string measures, string division, string hierarchy, (DateOnly From, DateOnly To) period)
    {
        var request = ViewWorld.Ask(by, measures, TimeOf("day", period.From), TimeOf("day", period.To));
        request.Hierarchy = hierarchy;
        request.Divisions.AddRange(division.Split(',', StringSplitOptions.RemoveEmptyEntries));
        return request;
    }

    private static LocalDate Local(DateOnly day) => new(day.Year, day.Month, day.Day);

    private static DivisionCode Code(string text) => DivisionCode.Parse(text);

    private static Division Row(string code, string? parent, DivisionKind kind) => new(Code(code), parent is null ? null : Code(parent), code, code, kind, null, null);
}
