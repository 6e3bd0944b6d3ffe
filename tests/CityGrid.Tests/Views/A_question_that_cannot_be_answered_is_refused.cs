using CityGrid.Hub.Cells;
using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Views;

public sealed class A_question_that_cannot_be_answered_is_refused
{
    [TestCase("planet", "DIMENSION_UNKNOWN", "'planet' is no dimension; there are province, city, division, district, type, class, day, week, month, quarter, year, source.")]
    [TestCase("0", "DIMENSION_UNKNOWN", "'0' is no dimension")]
    [TestCase("City", "DIMENSION_UNKNOWN", "'City' is no dimension")]
    [TestCase("province,city,type,class,day,week,month", "TOO_MANY_DIMENSIONS", "At most 6 dimensions are taken, not 7.")]
    public void A_dimension_that_is_none(string by, string code, string message) => Check(ViewWorld.Ask(by, ""), code, message, "by");

    [Test]
    public void Dimensions_in_one_word() => Check(new QueryRequest { By = { "day,week" } }, "DIMENSION_UNKNOWN", "'day,week' is no dimension", "by");

    [TestCase("happiness", "MEASURE_UNKNOWN", "'happiness' is no measure. There are the counters (reported, filed,")]
    [TestCase("p0", "MEASURE_UNKNOWN", "'p0' is no measure")]
    [TestCase("p100", "MEASURE_UNKNOWN", "'p100' is no measure")]
    [TestCase("p05", "MEASURE_UNKNOWN", "'p05' is no measure")]
    [TestCase("closed_within_", "MEASURE_UNKNOWN", "closed_within_72h and its like")]
    [TestCase("closed_within_-1h", "MEASURE_UNKNOWN", "a whole number of min, h or d")]
    [TestCase("closed_within_99999999999d", "MEASURE_UNKNOWN", "a whole number of min, h or d")]
    [TestCase("closed_within_73h", "BOUNDARY_UNKNOWN", "the nearest are closed_within_72h and ")]
    [TestCase("cohort_closed_within_401d", "BOUNDARY_UNKNOWN", "the nearest are cohort_closed_within_400d.")]
    [TestCase("cohort_closed_within_999999999d", "BOUNDARY_UNKNOWN", "the nearest are cohort_closed_within_400d.")]
    [TestCase("closed_within_7min", "BOUNDARY_UNKNOWN", "the nearest are closed_within_5min and ")]
    public void A_measure_that_is_none(string measure, string code, string message) => Check(ViewWorld.Ask("", measure), code, message, "measures");

    [Test]
    public void The_boundaries_that_are_offered_instead_are_boundaries()
    {
        foreach (var hours in Enumerable.Range(1, 9_700))
        {
            if (ViewMeasure.Read($"closed_within_{hours}h", out var refusal) is null)
            {
                var words = refusal!.Message.Split(' ', '.').Where(w => w.StartsWith("closed_within_", StringComparison.Ordinal)).ToArray();
                Assert.That(words, Has.Length.InRange(1, 2), refusal.Message);
                Assert.That(words.Select(w => ViewMeasure.Read(w, out _)), Has.None.Null, refusal.Message);
            }
        }
    }

    [TestCase("2024-02-30", "", "DAY_BAD", "'2024-02-30' is no day: write yyyy-MM-dd, from 1900-01-01 to 2200-01-01.", "from")]
    [TestCase("", "yesterday", "DAY_BAD", "'yesterday' is no day", "to")]
    [TestCase("1899-12-31", "", "DAY_BAD", "'1899-12-31' is no day", "from")]
    [TestCase("", "9999-12-31", "DAY_BAD", "'9999-12-31' is no day", "to")]
    [TestCase("2024-03-01", "2024-03-01", "PERIOD_EMPTY", "from (2024-03-01) is in and to (2024-03-01) is out, so to must be later.", "to")]
    [TestCase("2026-11-25", "", "PERIOD_AHEAD", "from (2026-11-25) lies after today (2026-11-24)", "from")]
    [TestCase("2027-01-01", "2027-02-01", "PERIOD_AHEAD", "from (2027-01-01) lies after today (2026-11-24)", "from")]
    public void A_day_that_is_none(string from, string to, string code, string message, string where) => Check(ViewWorld.Ask("", "", from, to), code, message, where);

    [TestCase("XX", "DIVISION_UNKNOWN", "'XX' does not stand in this node's register; directly below N stand B, M.")]
    [TestCase("lower", "DIVISION_UNKNOWN", "'lower' does not stand in this node's register")]
    public void A_division_that_is_none(string division, string code, string message) => Check(new QueryRequest { Divisions = { division } }, code, message, "divisions");

    [Test]
    public void A_division_that_this_node_does_not_answer_for()
    {
        var refusal = ViewWorld.Refused(new QueryRequest { Divisions = { "M" } }, "AC");
        Assert.That(refusal.ToString(), Is.EqualTo(
            "DIVISION_OUTSIDE: M does not lie at or below AC, which this node answers for: ask the node of M or one above it; here, directly below AC stand D1, D2. (divisions)"));
    }

    [Test]
    public void Types_and_sources_that_are_none()
    {
        Check(new QueryRequest { Types_ = { "01 001" } }, "TYPE_UNKNOWN", "'01 001' is no type code, such as 01001, or large class, such as 01.", "types");
        Check(new QueryRequest { Sources = { "HOT LINE" } }, "SOURCE_UNKNOWN", "'HOT LINE' is no source, such as hotline; for all sources leave it out.", "sources");
        Check(new QueryRequest { Sources = { "all" } }, "SOURCE_UNKNOWN", "'all' is no source, such as hotline; for all sources leave it out.", "sources");
    }

    [Test]
    public void All_faults_are_told_at_once()
    {
        var request = ViewWorld.Ask("planet", "happiness", "never");
        request.Divisions.Add("XX");
        var refusal = ViewWorld.Refused(request);
        Assert.That(refusal.Code, Is.EqualTo("DIMENSION_UNKNOWN"));
        Assert.That(refusal.Message, Does.Contain("'planet'").And.Contain("'XX'").And.Contain("'never'").And.Contain("'happiness'"));
    }

    [TestCase("district", "", "")]
    [TestCase("source", "", "")]
    [TestCase("", "D1", "")]
    [TestCase("", "AC-NONE", "")]
    [TestCase("", "", "web")]
    public void Detail_that_another_node_holds(string by, string division, string source)
    {
        var request = ViewWorld.Ask(by, "reported");
        request.Divisions.Add(division.Split(',', StringSplitOptions.RemoveEmptyEntries));
        request.Sources.Add(source.Split(',', StringSplitOptions.RemoveEmptyEntries));
        var held = ViewWorld.Held([ViewWorld.Case("AC", "D1"), ViewWorld.Case("M", "D4")], city => city == "M");
        var figures = new ViewEngine(held, ViewWorld.Register, ViewWorld.Nation).Answer(ViewWorld.Query(request));
        Assert.That(figures.Refusal!.Code, Is.EqualTo("DETAIL_NOT_HELD"));
        Assert.That(figures.Refusal.Message, Does.EndWith("Ask the node of AC (or B above it)."));

        // What is held in detail is answered.
        request.Divisions.Clear();
        request.Divisions.Add("M");
        Assert.That(new ViewEngine(held, ViewWorld.Register, ViewWorld.Nation).Answer(ViewWorld.Query(request)).Refusal, Is.Null);
    }

    [TestCase("CC", "N", "Ask the node of CC (or B above it).", Description = "no placeholder between them is a node")]
    [TestCase("CC", "B", "Ask the node of CC.", Description = "this node itself is none to be asked")]
    [TestCase("M", "N", "Ask the node of M.")]
    public void And_says_which_node_to_ask(string city, string place, string message)
    {
        var held = ViewWorld.Held([ViewWorld.Case(city, city)], _ => false);
        var figures = new ViewEngine(held, ViewWorld.Register, DivisionCode.Parse(place)).Answer(ViewWorld.Query(ViewWorld.Ask("district", ""), place));
        Assert.That(figures.Refusal!.Message, Does.EndWith(message));
    }

    [TestCase("day,city,type", "reported", 1000)]
    [TestCase("day,city,type", "open_end_of_day", 1000)]
    [TestCase("day,type", "reported", 4000)]
    [TestCase("day,type", "p50,open_at", 150000)]
    public void An_answer_with_more_rows_than_anyone_reads(string by, string measures, int stepsOfAll)
    {
        var reading = new ViewEngine(Wide.Value, ViewWorld.Register, ViewWorld.Nation).Begin(ViewWorld.Query(ViewWorld.Ask(by, measures)));
        var steps = 1;
        while (reading.Step(300))
        {
            steps++;
        }

        Assert.That(reading.Finish().Refusal!.Code, Is.EqualTo("TOO_MANY_ROWS"));
        Assert.That(steps, Is.LessThan(0.7 * stepsOfAll), "it is refused before all is added up");
    }

    [TestCase("DIMENSION_UNKNOWN", false)]
    [TestCase("PERIOD_EMPTY", false)]
    [TestCase("DETAIL_NOT_HELD", true)]
    [TestCase("NOT_THERE_YET", true)]
    public void The_question_is_at_fault_or_the_node_cannot_answer_as_it_stands(string code, bool isOfTheNode) =>
        Assert.That(ViewDesk.IsOfTheNode(new Refusal(code, "What happened.")), Is.EqualTo(isOfTheNode));

    private static readonly Lazy<CellFold> Wide = new(() => ViewWorld.Held(
        Enumerable.Range(1, 1_000).SelectMany(day => Enumerable.Range(0, 300).Select(type => ViewWorld.Case("AC", "D1", $"x{type}", ViewWorld.Today.Plus(-day).ToString()))),
        _ => false));

    private static void Check(QueryRequest request, string code, string message, string where)
    {
        var refusal = ViewWorld.Refused(request);
        Assert.That(refusal.Code, Is.EqualTo(code));
        Assert.That(refusal.Message, Does.Contain(message));
        Assert.That(refusal.Where, Is.EqualTo(where));
    }
}
