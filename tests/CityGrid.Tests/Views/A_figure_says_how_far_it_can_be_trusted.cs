using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Views;

/// <summary>Features.md U10 and U12: zero, missing, late, final and not applicable are told apart.</summary>
public sealed class A_figure_says_how_far_it_can_be_trusted
{
    private static readonly string[] Cities = ["AC", "BC", "CC", "M"];

    [Test]
    public void A_city_that_counted_nothing_is_zero_and_one_that_said_nothing_is_missing()
    {
        using var node = new ViewNode();
        node.Hears("AC", "2024-02-29");
        var answer = node.Answers(February());
        Assert.That(Reported(answer), Is.Zero);
        Assert.That(answer.Coverage.Heard, Is.EqualTo(1));
        Assert.That(answer.Coverage.Expected, Is.EqualTo(4));
        Assert.That(answer.Coverage.Missing, Is.EqualTo(new[] { "BC", "CC", "M" }));
        Assert.That(answer.Coverage.Late, Is.Empty);
        Assert.That(answer.State, Is.EqualTo(ViewState.Provisional));
        Assert.That(node.Answers(Where("AC")).Coverage, Is.EqualTo(new Coverage { Heard = 1, Expected = 1 }));
    }

    [Test]
    public void A_city_that_is_not_through_the_last_day_is_late()
    {
        using var node = new ViewNode();
        HearAll(node, "2024-02-29");
        node.Hears("BC", "2024-02-29");
        node.Now("2024-03-20 12:00");
        Assert.That(node.Answers(ViewWorld.Ask("", "", "2024-02-01", "2024-03-02")).Coverage.Late, Is.EqualTo(Cities));
        Assert.That(node.Answers(February()).Coverage.Late, Is.Empty);
    }

    [Test]
    public void A_city_that_tells_of_some_matters_is_named_where_others_are_asked_for_and_makes_nothing_final()
    {
        using var node = new ViewNode { Tells = Protocol.Names.Matters.Of(["06010", "01"])! };
        node.Hears("AC", "2024-02-29");
        node.Tells = Protocol.Names.Matters.All;
        foreach (var city in Cities[1..])
        {
            node.Hears(city, "2024-02-29");
        }

        node.Now("2024-03-20 12:00");
        QueryResponse Asked(params string[] types)
        {
            var request = February();
            request.Types_.AddRange(types);
            return node.Answers(request);
        }

        foreach (var answer in new[] { Asked(), Asked("06"), Asked("01", "02001"), Asked("other") })
        {
            Assert.That(answer.Coverage.ToldInPart, Is.EqualTo(new[] { new ToldInPart { Division = "AC", Matters = { "01", "06010" } } }));
            Assert.That(answer.State, Is.EqualTo(ViewState.Provisional));
            Assert.That(answer.Coverage.Heard, Is.EqualTo(4), "It was heard from.");
        }

        foreach (var answer in new[] { Asked("01"), Asked("01001", "06010") })
        {
            Assert.That(answer.Coverage.ToldInPart, Is.Empty);
            Assert.That(answer.State, Is.EqualTo(ViewState.Final));
        }

        var elsewhere = Where("M");
        Assert.That(node.Answers(elsewhere).Coverage.ToldInPart, Is.Empty);
    }

    [Test]
    public void The_age_is_that_of_the_oldest_statement_that_counts()
    {
        using var node = new ViewNode();
        node.Hears("AC", "2024-02-29");
        node.Now("2024-03-02 08:00");
        node.Hears("M", "2024-02-29");
        Assert.That(node.Answers(February()).AsOf, Is.EqualTo("2024-03-01T04:00:00Z"));
        Assert.That(node.Answers(Where("M")).AsOf, Is.EqualTo("2024-03-02T00:00:00Z"));
    }

    [Test]
    public void It_is_final_when_all_is_in_and_the_closing_delay_has_passed_in_the_places_own_zone()
    {
        using var node = new ViewNode();
        HearAll(node, "2024-02-29");
        node.Now("2024-03-03 23:59");
        Assert.That(node.Answers(February()).State, Is.EqualTo(ViewState.Provisional));
        node.Now("2024-03-04 00:00");
        Assert.That(node.Answers(February()).State, Is.EqualTo(ViewState.Final));
        Assert.That(node.Answers(ViewWorld.Ask("", "", "2024-02-01", "2024-03-02")).State, Is.EqualTo(ViewState.Provisional), "a day later it is not");
    }

    [Test]
    public void What_comes_before_it_was_complete_is_late_and_what_comes_after_it_was_final_is_restated()
    {
        using var node = new ViewNode();
        HearAll(node, "2024-02-20");
        node.Now("2024-03-30 12:00");

        // The line of one city was down for a month: its cells come, and are no restatement, for nobody had the figure.
        foreach (var city in Cities)
        {
            node.Hears(city, "2024-03-29", ViewWorld.Case(city, city));
        }

        Assert.That(node.Answers(February()).State, Is.EqualTo(ViewState.Final));
        node.Now("2024-03-31 12:00");
        node.Hears("AC", "2024-03-30", ViewWorld.Case("AC", "AC") with { Reported = 1 });
        Assert.That(node.Answers(February()).State, Is.EqualTo(ViewState.Final), "the same figure again");
        node.Hears("AC", "2024-03-30", ViewWorld.Case("AC", "AC") with { Reported = 2 });
        var restated = node.Answers(February());
        Assert.That(restated.State, Is.EqualTo(ViewState.Restated));
        Assert.That(Reported(restated), Is.EqualTo(9));
        Assert.That(restated.Revision, Is.EqualTo(node.Sequencer.Applied.Value));

        foreach (var elsewhere in (QueryRequest[])[Where("M"), Where("BC", "CC"), ViewWorld.Ask("", "", "2024-02-01", "2024-02-29")])
        {
            Assert.That(node.Answers(elsewhere).State, Is.EqualTo(ViewState.Final), elsewhere.ToString());
        }

        Assert.That(node.Answers(Where("AC")).State, Is.EqualTo(ViewState.Restated));
        Assert.That(node.Answers(ViewWorld.Ask("", "open_at", "2024-03-01", "2024-03-08")).State, Is.EqualTo(ViewState.Restated), "a stock rests on all days before");
        Assert.That(node.Answers(ViewWorld.Ask("", "reported", "2024-03-01", "2024-03-08")).State, Is.EqualTo(ViewState.Final));
    }

    [Test]
    public void A_change_within_the_closing_delay_is_no_restatement()
    {
        using var node = new ViewNode();
        HearAll(node, "2024-02-29");
        node.Now("2024-03-02 12:00");
        node.Hears("AC", "2024-03-01", ViewWorld.Case("AC", "AC") with { Reported = 2 });
        node.Now("2024-03-05 12:00");
        Assert.That(node.Answers(February()).State, Is.EqualTo(ViewState.Final));
    }

    [Test]
    public void A_restart_from_a_snapshot_says_the_same()
    {
        using var node = new ViewNode();
        HearAll(node, "2024-02-29");
        node.Now("2024-03-06 12:00");
        node.Hears("BC", "2024-03-05", ViewWorld.Case("BC", "BC"));
        node.Hears("AC", "2024-03-05", ViewWorld.Case("AC", "AC", day: "2024-01-15"));
        foreach (var ask in (QueryRequest[])[February(), Where("AC"), Where("BC"), Where("M"), ViewWorld.Ask("", "", "2024-01-01", "2024-02-01")])
        {
            var before = node.Answers(ask);
            node.Restarts();
            Assert.That(node.Answers(ask), Is.EqualTo(before));
        }

        Assert.That(node.Answers(Where("BC")).State, Is.EqualTo(ViewState.Restated));
        Assert.That(node.Answers(Where("M")).State, Is.EqualTo(ViewState.Final));
    }

    [Test]
    public void Where_nothing_is_expected_nothing_is_missing()
    {
        using var node = new ViewNode();
        node.Now("2024-03-20 12:00");
        var answer = node.Answers(Where("P"));
        Assert.That(answer.Coverage, Is.EqualTo(new Coverage()));
        Assert.That(answer.AsOf, Is.Empty);
    }

    [Test]
    public void A_place_below_the_cities_expects_itself()
    {
        using var node = new ViewNode("D1");
        Assert.That(node.Answers(February()).Coverage, Is.EqualTo(new Coverage { Expected = 1, Missing = { "D1" } }));
    }

    [Test]
    public void Tomorrow_is_that_of_the_places_own_zone()
    {
        using var node = new ViewNode();
        node.Hears("AC", "2024-02-29", ViewWorld.Case("AC", "AC", day: "2024-03-05"), ViewWorld.Case("AC", "AC", day: "2024-03-06"));
        node.Now("2024-03-05 23:59");
        Assert.That(Reported(node.Answers(ViewWorld.Ask("", ""))), Is.EqualTo(1));
        node.Now("2024-03-06 00:00");
        Assert.That(Reported(node.Answers(ViewWorld.Ask("", ""))), Is.EqualTo(2));
    }

    [Test]
    public void A_reader_can_ask_for_at_least_a_position()
    {
        using var node = new ViewNode();
        node.Hears("AC", "2024-02-29");
        var ask = February();
        ask.AtLeastLsn = node.Sequencer.Applied.Value;
        Assert.That(node.Answers(ask).Revision, Is.EqualTo(ask.AtLeastLsn));
        ask.AtLeastLsn++;
        Assert.That(node.Desk.Answer(ask, out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo("NOT_THERE_YET"));
    }

    private static QueryRequest February() => ViewWorld.Ask("", "reported", "2024-02-01", "2024-03-01");

    private static QueryRequest Where(params string[] divisions)
    {
        var ask = February();
        ask.Divisions.Add(divisions);
        return ask;
    }

    private static void HearAll(ViewNode node, string completeThrough)
    {
        foreach (var city in Cities)
        {
            node.Hears(city, completeThrough, ViewWorld.Case(city, city, day: "2024-02-10"));
        }
    }

    private static long Reported(QueryResponse answer) => answer.Rows.Single().Measures["reported"];
}
