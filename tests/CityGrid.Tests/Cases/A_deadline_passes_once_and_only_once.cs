using CityGrid.Node.Cases;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

public sealed class A_deadline_passes_once_and_only_once
{
    // Filed on Monday 2026-11-02 at 09:00 under row 2, four working hours: the deadline is 15:00.
    private static readonly Instant Deadline = City.At(2026, 11, 2, 15);

    [Test]
    public void At_its_own_time_even_if_the_node_was_down()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 18));
        story.Pass();
        var passed = (DeadlinePassed)story.Last.Single();
        Assert.Multiple(() =>
        {
            Assert.That(passed.OccurredAt, Is.EqualTo(Deadline));
            Assert.That(story.History[^1].Stamp.RecordedAt, Is.EqualTo(City.At(2026, 11, 2, 18)));
            Assert.That(story.State!.IsOverdue, Is.True);
            Assert.That(story.Pass(), Is.InstanceOf<CaseOutcome.Unchanged>());
        });
    }

    [Test]
    public void The_deadline_itself_is_in_time()
    {
        var story = new CaseStory().Dispatched(row: 2).At(Deadline);
        Assert.That(story.State!.NextDueAt, Is.EqualTo(Deadline.Plus(Duration.FromMilliseconds(1))));
        Assert.That(story.Pass(), Is.InstanceOf<CaseOutcome.Unchanged>());
        story.Finish();
        Assert.That(((HandlingFinished)story.Last.Single()).InTime, Is.True);
        Assert.That(story.State!.NextDueAt, Is.Null);
    }

    [Test]
    public void A_millisecond_later_it_has_passed_and_stands_before_the_step_that_found_it()
    {
        var story = new CaseStory().Dispatched(row: 2).At(Deadline.Plus(Duration.FromMilliseconds(1))).Finish();
        Assert.That(story.Last.Select(e => e.GetType()), Is.EqualTo(new[] { typeof(DeadlinePassed), typeof(HandlingFinished) }));
        Assert.That(((HandlingFinished)story.Last[1]).InTime, Is.False);
        Assert.That(story.Last[0].Request, Is.Null);
        Assert.That(story.Last[1].Request, Is.Not.Null);
    }

    [Test]
    public void It_is_withdrawn_when_handling_in_time_comes_to_be_known_later()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 16));
        story.Pass();
        story.Finish(occurredAt: City.At(2026, 11, 2, 14, 30));
        Assert.Multiple(() =>
        {
            Assert.That(story.Last.Select(e => e.GetType()), Is.EqualTo(new[] { typeof(HandlingFinished), typeof(DeadlineWithdrawn) }));
            Assert.That(((HandlingFinished)story.Last[0]).InTime, Is.True);
            Assert.That(story.Last[1].OccurredAt, Is.EqualTo(Deadline), "not before it was taken to pass");
            Assert.That(story.State!.IsOverdue, Is.False);
        });
    }

    [Test]
    public void Handling_that_is_told_in_time_order_needs_no_withdrawal()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 16)).Finish(occurredAt: City.At(2026, 11, 2, 14, 30));
        Assert.That(story.Last.Single(), Is.InstanceOf<HandlingFinished>());
    }

    [Test]
    public void Multiples_of_the_limit_past_it_are_noticed_once_each()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 10));
        story.Pass();
        var steps = story.Last.OfType<OverdueReached>().ToList();
        Assert.Multiple(() =>
        {
            Assert.That(story.Last, Has.Count.EqualTo(3));
            Assert.That(steps.Select(s => s.Multiple), Is.EqualTo(new[] { 2, 5 }));
            Assert.That(steps[0].OccurredAt, Is.EqualTo(City.At(2026, 11, 3, 15)));
            Assert.That(steps[1].OccurredAt, Is.EqualTo(City.At(2026, 11, 5, 9)));
            Assert.That(story.State!.NextDueAt, Is.Null);
            Assert.That(story.Pass(), Is.InstanceOf<CaseOutcome.Unchanged>());
        });
    }

    [Test]
    public void Rework_never_resets_it_and_what_passed_while_others_checked_passes_then()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 14, 30)).Finish().At(City.At(2026, 11, 3, 9)).Check(passed: false).Rework();
        story.At(City.At(2026, 11, 3, 9, 30)).Pass();
        Assert.That(story.Last.Single(), Is.InstanceOf<DeadlinePassed>());
        Assert.That(story.Last.Single().OccurredAt, Is.EqualTo(City.At(2026, 11, 3, 9)));
        Assert.That(story.State!.Deadline, Is.EqualTo(Deadline));
    }

    [Test]
    public void An_overdue_case_that_comes_back_does_not_become_overdue_again()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 16)).Finish().Check().Close().At(City.At(2026, 11, 5, 9)).Reopen();
        Assert.That(story.State!.Filing!.InOverdueStock, Is.True);
        Assert.That(story.State.Stage, Is.EqualTo(CaseStage.Filed));
        story.At(City.At(2026, 11, 5, 10)).Dispatch();
        Assert.That(story.History.Count(h => h.Event is DeadlinePassed), Is.EqualTo(1));
    }

    [Test]
    public void A_calendar_that_changes_moves_the_deadlines_of_what_still_runs_and_says_so()
    {
        var holiday = City.Rules with { Calendar = new Hub.Catalogue.WorkCalendar(City.Zone, holidays: [new LocalDate(2026, 11, 2)]) };
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 16));
        story.Pass();
        Assert.That(CaseDecisions.Decide(story.State, new ReckonAgain { Case = CaseStory.Id, Actor = "node" }, story.Now, City.Rules), Is.InstanceOf<CaseOutcome.Unchanged>());

        var decided = (CaseOutcome.Decided)CaseDecisions.Decide(story.State, new ReckonAgain { Case = CaseStory.Id, Actor = "node" }, story.Now, holiday);
        Assert.That(decided.Events.Select(e => e.GetType()), Is.EqualTo(new[] { typeof(DeadlineMoved), typeof(DeadlineWithdrawn) }));
        Assert.That((decided.After.Deadline, decided.After.IsOverdue), Is.EqualTo(((Instant?)City.At(2026, 11, 3, 12), false)));

        var handled = new CaseStory().Dispatched(row: 2).Finish().State;
        Assert.That(CaseDecisions.Decide(handled, new ReckonAgain { Case = CaseStory.Id, Actor = "node" }, story.Now, holiday), Is.InstanceOf<CaseOutcome.Unchanged>());
    }

    [Test]
    public void No_time_runs_against_a_case_that_is_handled_closed_or_void()
    {
        foreach (var story in new[]
        {
            new CaseStory().Dispatched(row: 2).Finish(),
            new CaseStory().Dispatched(row: 2).Finish().Check().Close(),
            new CaseStory().Dispatched(row: 2).Do(new VoidCase { Case = CaseStory.Id, Actor = "a", Reason = "duplicate" }),
        })
        {
            Assert.That(story.State!.NextDueAt, Is.Null);
            Assert.That(story.At(City.At(2027, 1, 1)).Pass(), Is.InstanceOf<CaseOutcome.Unchanged>());
        }
    }
}
