using CityGrid.Node.Cases;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Cases;
using NUnit.Framework;

namespace CityGrid.Tests.Tally;

/// <summary>The rules of counting by example. Monday 2026-11-02 is the day of the report in all of them.</summary>
public sealed class A_case_counts_where_and_when_it_should
{
    [Test]
    public void Flows_count_on_the_day_of_the_event_and_cohorts_on_the_day_of_the_report()
    {
        var story = new CaseStory().Dispatched(row: 4).At(City.At(2026, 11, 3, 9)).Finish().At(City.At(2026, 11, 4, 9)).Check().Close();
        Assert.That(Detail(story), Is.EqualTo(new[]
        {
            "01001 140802 2026-11-02: reported=1 filed=1 dispatched=1 cohort_closed=1 cohort_closed_in_time=1 cohort_closed_seconds=172800 cohort_handled=1 cohort_handled_seconds=86400"
                + " report_to_close[172800]=1 file_to_handle[86400]=1",
            "01001 140802 2026-11-03: handled=1 handled_in_time=1",
            "01001 140802 2026-11-04: closed=1 closed_in_time=1 checked=1 closed_seconds=172800 report_to_close_flow[172800]=1",
        }));
    }

    [Test]
    public void A_reopened_case_is_withdrawn_from_its_cohort_and_stays_in_the_flows()
    {
        var story = new CaseStory().Dispatched(row: 4).Finish().Check().Close().At(City.At(2026, 11, 5, 9)).Reopen();
        Assert.That(Detail(story), Is.EqualTo(new[]
        {
            "01001 140802 2026-11-02: reported=1 filed=1 dispatched=1 handled=1 handled_in_time=1 closed=1 closed_in_time=1 checked=1 report_to_close_flow[0]=1",
            "01001 140802 2026-11-05: reopened=1",
        }));
    }

    [Test]
    public void A_correction_takes_everything_to_where_it_always_belonged_on_the_original_days()
    {
        var story = new CaseStory().Report().At(City.At(2026, 11, 3, 9)).Verify().File(row: 4)
            .At(City.At(2026, 11, 9, 9)).Do(new CorrectCase(City.Refuse, City.South) { Case = CaseStory.Id, Actor = "a", Reason = "wrong_type" });
        Assert.That(Detail(story), Is.EqualTo(new[] { "06010 140821 2026-11-02: reported=1", "06010 140821 2026-11-03: filed=1" }));
        Assert.That(National(story), Is.EqualTo(new[] { "06010 140800 2026-11-02: reported=1", "06010 140800 2026-11-03: filed=1" }));
    }

    [Test]
    public void A_correction_of_the_division_alone_says_nothing_to_the_nation()
    {
        var story = new CaseStory().Report();
        var before = story.State;
        story.Do(new CorrectCase(null, City.South) { Case = CaseStory.Id, Actor = "a", Reason = "wrong_division" });
        var changes = CaseTally.ChangesOf(before, story.Last.Single(), City.Node, City.Place);
        Assert.That(changes.Select(c => c.Key.Grain), Has.All.EqualTo(Grain.Detail));
    }

    [Test]
    public void A_move_leaves_what_was_and_counts_what_comes_elsewhere()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 3, 9)).Do(new MoveCase(null, City.South) { Case = CaseStory.Id, Actor = "a", Reason = "boundary" })
            .At(City.At(2026, 11, 4, 9)).Finish();
        Assert.That(Detail(story), Is.EqualTo(new[]
        {
            "01001 140802 2026-11-02: reported=1 filed=1 dispatched=1 became_overdue=1",
            "01001 140802 2026-11-03: moved_out=1 overdue_moved_out=1",
            "01001 140821 2026-11-02: cohort_handled=1 cohort_handled_seconds=172800 file_to_handle[172800]=1",
            "01001 140821 2026-11-03: moved_in=1 overdue_moved_in=1",
            "01001 140821 2026-11-04: handled=1 overdue_handled=1",
        }));
    }

    [Test]
    public void A_case_that_came_back_when_overdue_is_overdue_and_unhandled_again()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 3, 9)).Finish().At(City.At(2026, 11, 4, 9)).Check(passed: false).Rework()
            .At(City.At(2026, 11, 5, 9)).Finish();
        Assert.That(Detail(story), Is.EqualTo(new[]
        {
            "01001 140802 2026-11-02: reported=1 filed=1 dispatched=1 became_overdue=1 cohort_handled=1 cohort_handled_seconds=259200 file_to_handle[259200]=1",
            "01001 140802 2026-11-03: handled=1 overdue_handled=1",
            "01001 140802 2026-11-04: reworked=1 checked=1 overdue_again=1",
            "01001 140802 2026-11-05: handled=1 overdue_handled=1",
        }));
    }

    [Test]
    public void Closed_and_solved_are_two_facts()
    {
        var story = new CaseStory().Dispatched(row: 4).Finish().Check().Close().At(City.At(2026, 11, 3, 9))
            .Do(new CallBack(false, false) { Case = CaseStory.Id, Actor = "a" })
            .Do(new CallBack(true) { Case = CaseStory.Id, Actor = "a" });
        Assert.That(Detail(story).Last(), Is.EqualTo("01001 140802 2026-11-03: called_back=2 solved=1"));
    }

    [Test]
    public void History_counts_the_stages_that_the_source_has_and_no_others()
    {
        var story = new CaseStory().Do(new ImportCase(City.Refuse, null, City.Hotline, "old", "1")
        {
            Case = CaseStory.Id,
            Actor = "import",
            ReportedAt = City.At(2026, 3, 2, 9),
            ClosedAt = City.At(2026, 3, 3, 9),
            ContentHash = Hash256.Of([1]),
        });
        Assert.That(Detail(story), Is.EqualTo(new[]
        {
            "06010 140800-NONE 2026-03-02: reported=1 cohort_closed=1 cohort_closed_seconds=86400 report_to_close[86400]=1",
            "06010 140800-NONE 2026-03-03: closed=1 closed_seconds=86400 report_to_close_flow[86400]=1",
        }));
    }

    [Test]
    public void A_recount_of_a_journal_stops_at_its_position_however_often_it_reads()
    {
        var story = new CaseStory().Dispatched(row: 2).Finish().Check().Close();
        var records = story.History.Select(h => new Hub.Journal.JournalRecord(
            h.Stamp.RecordedAt, h.Stamp.Actor, Hash256.Zero, Hash256.Zero,
            [.. CaseEventCodec.Encode([h.Event], h.PreviousLsn).Select(d => new Hub.Journal.JournalEvent(h.Stamp.Lsn, h.Stamp.Lsn, h.Stamp.Lsn, h.Stamp.RecordedAt, h.Stamp.Actor, d.Kind, d.Schema, d.Payload))]));
        var filedAt = story.History.First(h => h.Event is Filed).Stamp.Lsn;
        var recount = Recount.OfJournal(() => records, filedAt, City.Node, City.Place, passes: 3);
        Assert.That(recount.Cases, Is.EqualTo(1));
        Assert.That(Lines(LooseCells.Of(recount.Cells()), Grain.Detail), Is.EqualTo(new[] { "01001 140802 2026-11-02: reported=1 filed=1" }));
    }

    private static IEnumerable<string> Detail(CaseStory story) => Lines(Tallied(story), Grain.Detail);

    private static IEnumerable<string> National(CaseStory story) => Lines(Tallied(story), Grain.National);

    private static LooseCells Tallied(CaseStory story)
    {
        var cells = new LooseCells();
        CaseState? before = null;
        foreach (var entry in story.History)
        {
            foreach (var change in CaseTally.ChangesOf(before, entry.Event, City.Node, City.Place))
            {
                cells.Add(change);
            }

            before = CaseState.Apply(before, entry.Event, entry.Stamp);
        }

        return cells;
    }

    private static IEnumerable<string> Lines(LooseCells cells, Grain grain) =>
        cells.Keys.Where(k => k.Grain == grain).OrderBy(k => (k.Type, k.Division.ToString(), k.Day)).Select(key => Line(cells, key)).Where(line => line is not null)!;

    private static string? Line(LooseCells cells, CellKey key)
    {
        var counters = Counter.All.OrderBy(c => c.Id).Where(c => cells[key, c] != 0).Select(c => $"{c.Name}={cells[key, c]}");
        var bars = Histogram.All.SelectMany(h => cells.Bars(key, h).Select(b => $"{h.Name}[{b.Seconds}]={b.Count}"));
        var text = string.Join(' ', counters.Concat(bars));
        return text.Length == 0 ? null : $"{key.Type.Code} {key.Division} {key.Day}: {text}";
    }
}
