using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Views;

/// <summary>The writer goes on while a view reads cells piece by piece; the answer is that of one position all the same.</summary>
public sealed class A_view_is_of_one_position
{
    [TestCase(1, Description = "it begins again")]
    [TestCase(int.MaxValue, Description = "and at last holds the writer up")]
    public void Though_what_it_rests_on_changes_meanwhile(int changes)
    {
        using var node = Filled(out var reported);
        node.Desk.BetweenPieces = () =>
        {
            if (changes-- > 0)
            {
                // One more in the city that is read first, one fewer in the one that is read last: two positions mixed would show it.
                node.Hears("AC", "2024-02-29", ViewWorld.Case("AC", "AC", day: "2024-02-10") with { Reported = ++reported["AC"] });
                node.Hears("M", "2024-02-29", ViewWorld.Case("M", "M", day: "2024-02-10") with { Reported = --reported["M"] });
                node.Hears("CC", "2024-02-29", ViewWorld.Case("CC", "CC", $"x{reported["M"]}", day: "2024-02-09"));
            }
        };
        var answer = node.Answers(ByCity());
        Assert.That(answer.Revision, Is.EqualTo(node.Sequencer.Applied.Value));
        Assert.That(Reported(answer, "AC"), Is.EqualTo(reported["AC"]));
        Assert.That(Reported(answer, "M"), Is.EqualTo(reported["M"]));
        node.Desk.BetweenPieces = null;
        Assert.That(node.Answers(ByCity()), Is.EqualTo(answer));
    }

    [Test]
    public void And_what_it_does_not_rest_on_may_change()
    {
        using var node = Filled(out _);
        var pieces = 0;
        node.Desk.BetweenPieces = () =>
        {
            pieces++;
            node.Hears("AC", "2024-02-29", ViewWorld.Case("AC", "AC", day: "2024-03-01") with { Reported = pieces });
        };
        Assert.That(node.Answers(ByCity()).Rows, Has.Count.EqualTo(4));
        Assert.That(pieces, Is.EqualTo(4 * 10 - 1), "a piece for each day of each city, and none twice");
    }

    /// <summary>A row may rest on the days of a year times all types: the writer waits for a piece of it, not for all rows that there are.</summary>
    [Test]
    public void The_writer_goes_on_between_rows_that_rest_on_many_sums()
    {
        using var node = Filled(out _, cellsAtOnce: 16);
        var pieces = 0;
        node.Desk.BetweenPieces = () => pieces++;
        Assert.That(node.Answers(ViewWorld.Ask("week", "reported", "2024-02-05", "2024-02-26")).Rows, Has.Count.EqualTo(3));
        Assert.That(pieces, Is.EqualTo(1), "the first two weeks have 9 days and cost two rows, which is past the piece; the third is less than one");
    }

    private static QueryRequest ByCity() => ViewWorld.Ask("city", "reported", "2024-02-01", "2024-03-01");

    private static long Reported(QueryResponse answer, string city) => answer.Rows.Single(r => r.Dimensions["city"] == city).Measures["reported"];

    private static ViewNode Filled(out Dictionary<string, int> reported, int cellsAtOnce = 1)
    {
        var node = new ViewNode(cellsAtOnce: cellsAtOnce);
        reported = new() { ["AC"] = 1_000, ["M"] = 1_000 };
        foreach (var city in ViewWorld.Cities.Keys)
        {
            var days = Enumerable.Range(11, 9).Select(day => ViewWorld.Case(city, city, day: $"2024-02-{day}") with { Reported = 0, Handled = 1 });
            node.Hears(city, "2024-02-29", [ViewWorld.Case(city, city, day: "2024-02-10") with { Reported = 1_000 }, .. days]);
        }

        return node;
    }
}
