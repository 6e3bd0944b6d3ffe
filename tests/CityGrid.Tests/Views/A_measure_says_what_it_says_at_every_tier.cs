using CityGrid.Hub.Cells;
using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Views;

public sealed class A_measure_says_what_it_says_at_every_tier
{
    [Test]
    public void A_boundary_counts_as_within()
    {
        var fact = ViewWorld.Case("AC", "D1") with { ClosedThatDay = [72 * 3_600, (72 * 3_600) + 1], ClosedOfThatDay = [900, 901, 365L * 86_400] };
        var ask = ViewWorld.Ask("", "closed_within_72h,closed_within_3d,cohort_closed_within_15min,cohort_closed_within_365d");
        Assert.That(ViewWorld.Rows(ViewWorld.Held([fact], _ => false), ask), Is.EqualTo(new[]
        {
            "closed_within_72h=1 closed_within_3d=1 cohort_closed_within_15min=1 cohort_closed_within_365d=3",
        }));
    }

    [Test]
    public void Nothing_to_measure_is_absent_and_not_zero()
    {
        var ask = ViewWorld.Ask("", "reported,closed,closed_within_72h,p50,p95,mean,flow_mean,handle_p90,handle_mean,open_at");
        Assert.That(ViewWorld.Rows(ViewWorld.Held([ViewWorld.Case("AC", "D1")], _ => false), ask), Is.EqualTo(new[] { "reported=1 closed=0 closed_within_72h=0 open_at=1" }));
    }

    [Test]
    public void A_view_that_tells_nothing_apart_has_one_row_even_of_nothing()
    {
        Assert.That(ViewWorld.Rows(new(), ViewWorld.Ask("", "")), Is.EqualTo(new[] { "reported=0 closed=0" }));
        Assert.That(ViewWorld.Rows(new(), ViewWorld.Ask("city", "")), Is.Empty);
    }

    [TestCase("city", "BC")]
    [TestCase("district", "D3")]
    [TestCase("type", "01001")]
    [TestCase("type,day", "01001 2024-02-28")]
    [TestCase("city,type,day", "BC 01001 2024-02-28")]
    [TestCase("province,class", "B 01")]
    public void A_cell_that_fell_to_zero_is_no_row_by_whichever_way(string by, string label)
    {
        var held = ViewWorld.Held([ViewWorld.Case("AC", "D1", "02001"), ViewWorld.Case("BC", "D3", day: "2024-02-28")], _ => true);
        foreach (var (grain, place, source) in new[] { (Grain.National, "AC", "all"), (Grain.Detail, "D1", "web") })
        {
            var key = new CellKey(NodeId.Parse("node-ac"), grain, ViewWorld.Type("02001"), DivisionCode.Parse(place), ViewWorld.Day("2024-02-29"), SourceCode.Parse(source));
            Assert.That(held.Merge(key, new Revision(1, 2), CellCodec.Zero, new Lsn(100)), Is.EqualTo(MergeOutcome.Accepted));
        }

        Assert.That(ViewWorld.Rows(held, ViewWorld.Ask(by, "reported")), Is.EqualTo(new[] { $"{label} reported=1" }));
    }

    [Test]
    public void The_mean_is_in_whole_seconds_rounded_down()
    {
        var fact = ViewWorld.Case("AC", "D1") with { ClosedOfThatDay = [100, 101, 101] };
        Assert.That(ViewWorld.Rows(ViewWorld.Held([fact], _ => false), ViewWorld.Ask("", "mean")), Is.EqualTo(new[] { "mean=100" }));
    }

    [Test]
    public void Due_for_closing_is_what_was_handled_and_what_stands_overdue_at_the_end_of_the_row()
    {
        var first = ViewWorld.Case("AC", "D1", day: "2024-02-01") with { Handled = 2, Overdue = [3, 0] };
        var second = ViewWorld.Case("AC", "D1", day: "2024-03-01") with { Handled = 1, Overdue = [0, 2] };
        var ask = ViewWorld.Ask("month", "due_for_closing,overdue_at", "2024-02-01", "2024-04-01");
        Assert.That(ViewWorld.Rows(ViewWorld.Held([first, second], _ => false), ask), Is.EqualTo(new[]
        {
            "2024-02 due_for_closing=5 overdue_at=1", "2024-03 due_for_closing=2 overdue_at=1",
        }));
    }

    [Test]
    public void A_local_type_counts_in_the_class_of_other()
    {
        var held = ViewWorld.Held([ViewWorld.Case("AC", "D1", "x1f2e3d4c"), ViewWorld.Case("AC", "D1", "99000"), ViewWorld.Case("AC", "D1", "02001")], _ => false);
        Assert.That(ViewWorld.Rows(held, ViewWorld.Ask("class", "reported")), Is.EqualTo(new[] { "02 reported=1", "99 reported=2" }));
        foreach (var word in new[] { "99", "other" })
        {
            var ask = ViewWorld.Ask("type", "reported");
            ask.Types_.Add(word);
            Assert.That(ViewWorld.Rows(held, ask), Is.EqualTo(new[] { "99000 reported=1", "x1f2e3d4c reported=1" }), word);
        }
    }

    [Test]
    public void Every_counter_is_a_measure() =>
        Assert.Multiple(() =>
        {
            foreach (var counter in Counter.All)
            {
                Assert.That(ViewMeasure.Read(counter.Name, out var refusal), Is.Not.Null, counter.Name);
                Assert.That(refusal, Is.Null);
            }
        });

    [TestCase("15min,30min,1h,2h,4h,8h,24h,48h,72h,5d,7d,10d,15d,30d,60d,90d,180d,365d")]
    public void Every_limit_of_the_standard_is_a_boundary(string limits) =>
        Assert.Multiple(() =>
        {
            foreach (var limit in limits.Split(','))
            {
                Assert.That(ViewMeasure.Read($"closed_within_{limit}", out _), Is.Not.Null, limit);
                Assert.That(ViewMeasure.Read($"cohort_closed_within_{limit}", out _), Is.Not.Null, limit);
            }
        });

    [Test]
    public void A_figure_past_64_bits_is_refused_and_no_wrong_one_shown()
    {
        var vast = ViewWorld.Case("AC", "D1") with { Reported = int.MaxValue };
        var held = ViewWorld.Held([vast], _ => false);
        var key = new CellKey(NodeId.Parse("node-m"), Grain.National, ViewWorld.Type("01001"), DivisionCode.Parse("M"), ViewWorld.Day("2024-02-29"), SourceCode.Parse("all"));
        held.Merge(key, new Revision(1, 1), Cells.CellWorld.Value((Counter.Reported, long.MaxValue)), new Lsn(100));
        var figures = new ViewEngine(held, ViewWorld.Register, ViewWorld.Nation).Answer(ViewWorld.Query(ViewWorld.Ask("month,province", "reported")));
        Assert.That(figures.Refusal, Is.Null);
        Assert.That(new ViewEngine(held, ViewWorld.Register, ViewWorld.Nation).Answer(ViewWorld.Query(Where("M", "AC"))).Refusal!.Code, Is.EqualTo("FIGURE_TOO_LARGE"));
    }

    private static Protocol.V1.QueryRequest Where(params string[] divisions)
    {
        var ask = ViewWorld.Ask("month", "reported");
        ask.Divisions.Add(divisions);
        return ask;
    }
}
