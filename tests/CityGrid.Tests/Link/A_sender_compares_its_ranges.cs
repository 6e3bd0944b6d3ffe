using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>Clause L16, the child's side as a pure record.</summary>
public sealed class A_sender_compares_its_ranges
{
    private static readonly Instant Noon = Instant.FromUtc(2026, 11, 24, 4, 0);
    private static readonly RangeScope Own = new(NodeId.Parse("wuhan"), Grain.Detail), National = new(NodeId.Parse("wuhan"), Grain.National);
    private static readonly RangeKey March = new(Own, 24_314), April = new(Own, 24_315);

    private static readonly RangeTalk Asked = RangeTalk.Quiet.Asked(Noon);

    [Test]
    public void It_says_roots_then_months_then_cells_then_the_months_again()
    {
        var roots = Asked.Heard(Roots(Own, National), [Answer(Own, null, RangeState.Differs)], Noon);
        Assert.That(roots.Wish, Has.Property("Roots").False.And.Property("Months").EqualTo(new[] { Own }).And.Property("Repairs").Empty);
        var months = roots.Heard(Months(Own), [Answer(Own, null, RangeState.Differs), Answer(Own, March.Month, RangeState.Differs), Answer(Own, April.Month, RangeState.Differs)], Noon);
        Assert.That(months.Wish, Has.Property("Repairs").EqualTo(new[] { March, April }).And.Property("Months").EqualTo(new[] { Own }));
        var half = months.Heard(Words(repaired: 1), [], Noon);
        Assert.That(half.Wish!.Repairs, Is.EqualTo(new[] { April }));
        var end = half.Heard(Months(Own) with { Repaired = 1 }, [Answer(Own, March.Month, RangeState.Repaired, 3), Answer(Own, April.Month, RangeState.Persists, 1)], Noon);
        Assert.That(end, Has.Property("Wish").Null.And.Property("EndedAt").EqualTo(Noon).And.Property("Persisting").EqualTo(1), "what does not help is done once a talk");
        Assert.That(end.Report()!.Value.Code, Is.EqualTo("RANGES_DIFFER"));
        Assert.That(end.Asked(Noon).Wish, Has.Property("Roots").True);
    }

    [Test]
    public void Where_all_is_equal_it_ends_with_the_roots_and_says_nothing()
    {
        var end = Asked.Heard(Roots(Own, National), [], Noon);
        Assert.That(end, Has.Property("IsGoingOn").False.And.Property("Scopes").Count.EqualTo(2));
        Assert.That(end.Report(), Is.Null);
    }

    [Test]
    public void With_another_parent_it_begins_again_with_the_roots()
    {
        var going = Asked.Heard(Roots(Own), [Answer(Own, null, RangeState.Differs)], Noon);
        Assert.That(going.Anew().Wish, Has.Property("Roots").True.And.Property("Months").Empty);
        Assert.That(RangeTalk.Quiet.Anew(), Is.SameAs(RangeTalk.Quiet), "nothing was asked");
        Assert.That(going.Asked(Noon), Is.SameAs(going), "one that is going on serves whoever asks");
    }

    [Test]
    public void What_could_not_be_compared_is_tried_with_later_cuts_a_few_times()
    {
        var talk = Asked;
        var tries = 0;
        for (; talk.IsGoingOn; tries++)
        {
            talk = talk.Heard(Roots(Own) with { Unfit = [National] }, [], Noon).Pushed();
        }

        Assert.That((tries, talk.Scopes[National]), Is.EqualTo((RangeTalk.TriesMax + 1, RangeState.NotCompared)));
    }

    [Test]
    public void A_parent_can_ask_for_nothing_that_was_not_stated()
    {
        var other = new RangeScope(NodeId.Parse("shanghai"), Grain.Detail);
        var end = Asked.Heard(Roots(Own), [Answer(other, null, RangeState.Differs), Answer(other, 5, RangeState.Differs), new RangeAnswer { Origin = "no name!", Grain = 900 }, Answer(Own, null, (RangeState)77)], Noon);
        Assert.That((end.IsGoingOn, end.Repairs.Count, end.Months.Count), Is.EqualTo((false, 0, 0)));
    }

    [TestCase(0, null)]
    [TestCase(-1, null)]
    [TestCase(900, null)]
    [TestCase(1, int.MaxValue)]
    [TestCase(1, int.MinValue)]
    [TestCase(1, (1899 * 12) + 11)]
    [TestCase(1, 10_000 * 12)]
    public void An_answer_of_no_grain_or_no_month_is_passed_over(int grain, int? month)
    {
        var answer = new RangeAnswer { Origin = Own.Origin.ToString(), Grain = grain, State = RangeState.Differs };
        if (month is { } some)
        {
            answer.Month = some;
        }

        var end = Asked.Heard(Roots(Own), [answer], Noon);
        Assert.That((end.IsGoingOn, end.Ranges.Count, end.Scopes[Own]), Is.EqualTo((false, 0, RangeState.Equal)));
    }

    [TestCase(long.MaxValue)]
    [TestCase(long.MinValue)]
    public void A_parent_that_says_of_two_ranges_how_many_cells_it_repaired_is_told_of_whatever_it_says(long cells)
    {
        var end = Asked.Heard(Roots(Own), [Answer(Own, 24_300, RangeState.Repaired, cells), Answer(Own, 24_301, RangeState.Repaired, cells)], Noon);
        Assert.That(end.Report()!.Value.Code, Is.EqualTo("RANGES_REPAIRED"));
        Assert.That(end.Ranges.Values.Select(range => range.Cells), Is.All.InRange(0, RangeTalk.CellsMax));
    }

    private static RangeWords Words(int repaired = 0) => new([], [], null, [], repaired, null);

    private static RangeWords Roots(params RangeScope[] scopes) => Words() with { Roots = scopes };

    private static RangeWords Months(params RangeScope[] scopes) => Words() with { Months = scopes };

    private static RangeAnswer Answer(RangeScope scope, int? month, RangeState state, long cells = 0)
    {
        var answer = new RangeAnswer { Origin = scope.Origin.ToString(), Grain = scope.Grain.Number, State = state, Cells = cells };
        if (month is { } some)
        {
            answer.Month = some;
        }

        return answer;
    }
}
