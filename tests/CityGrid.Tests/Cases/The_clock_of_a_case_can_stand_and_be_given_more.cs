using CityGrid.Node.Cases;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

public sealed class The_clock_of_a_case_can_stand_and_be_given_more
{
    private static readonly ExtendCase Extension = new() { Case = CaseStory.Id, Actor = "dispatcher", Reason = "weather" };

    [Test]
    public void An_extension_adds_one_original_limit_to_the_deadline_at_most_twice()
    {
        // Two working days from Monday 09:00.
        var story = new CaseStory().Dispatched(row: 3);
        Assert.That(story.State!.Deadline, Is.EqualTo(City.At(2026, 11, 4, 9)));
        story.Do(Extension);
        Assert.That(story.State!.Deadline, Is.EqualTo(City.At(2026, 11, 6, 9)));
        story.Do(Extension);
        Assert.That(story.State!.Deadline, Is.EqualTo(City.At(2026, 11, 10, 9)));
        Assert.That(story.RefusalOf(Extension), Is.EqualTo(CaseRefusals.ExtensionsUsedUp));
    }

    [Test]
    public void An_overdue_case_is_not_extended()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 16));
        Assert.That(story.RefusalOf(Extension), Is.EqualTo(CaseRefusals.Overdue));
    }

    [Test]
    public void A_suspended_clock_stands_and_goes_on_by_itself_at_the_time_set_even_if_the_node_was_down()
    {
        // Four working hours from Monday 09:00, suspended at 10:00 with three left.
        var until = City.At(2026, 11, 20, 14);
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 10)).Suspend(until);
        Assert.That(story.State!.NextDueAt, Is.EqualTo(until));
        Assert.That(story.At(City.At(2026, 11, 5)).Pass(), Is.InstanceOf<CaseOutcome.Unchanged>());

        story.At(City.At(2026, 11, 20, 16)).Pass();
        var resumed = (Resumed)story.Last.Single();
        Assert.Multiple(() =>
        {
            Assert.That(resumed.OccurredAt, Is.EqualTo(until));
            Assert.That(resumed.ByItself, Is.True);
            Assert.That(story.State!.Deadline, Is.EqualTo(City.At(2026, 11, 20, 17)));
            Assert.That(story.State.IsSuspended, Is.False);
        });
    }

    [Test]
    public void Resuming_and_missing_the_deadline_may_both_have_happened_meanwhile()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 10)).Suspend(City.At(2026, 11, 3, 14)).At(City.At(2026, 11, 4, 9));
        story.Pass();
        Assert.That(story.Last.Select(e => (e.GetType(), e.OccurredAt)), Is.EqualTo(new[]
        {
            (typeof(Resumed), City.At(2026, 11, 3, 14)),
            (typeof(DeadlinePassed), City.At(2026, 11, 3, 17)),
        }));
    }

    [Test]
    public void Urgent_hours_that_stood_are_given_back_by_the_clock()
    {
        var story = new CaseStory().Dispatched().At(City.At(2026, 11, 2, 10)).Suspend(City.At(2026, 11, 3, 22)).At(City.At(2026, 11, 3, 22)).Do(new PassTime { Case = CaseStory.Id, Actor = "node" });
        Assert.That(story.State!.Deadline, Is.EqualTo(City.At(2026, 11, 3, 23)));
    }

    [Test]
    public void It_is_suspended_once_for_at_most_a_year_and_not_into_the_past()
    {
        var story = new CaseStory().Dispatched(row: 4);
        SuspendCase Until(Instant until) => new(until) { Case = CaseStory.Id, Actor = "dispatcher", Reason = "season" };
        Assert.That(story.RefusalOf(Until(City.At(2027, 11, 2, 9, 0, 1))), Is.EqualTo(CaseRefusals.SuspensionTooLong));
        Assert.That(story.RefusalOf(Until(story.Now)), Is.EqualTo(CaseRefusals.SuspensionTooShort));
        story.Do(Until(City.At(2027, 11, 2, 9)));
        story.At(City.At(2026, 11, 3, 9)).Do(new ResumeCase { Case = CaseStory.Id, Actor = "dispatcher", Reason = "cause_gone" });
        Assert.That(((Resumed)story.Last.Single()).ByItself, Is.False);
        Assert.That(story.RefusalOf(Until(City.At(2026, 12, 1))), Is.EqualTo(CaseRefusals.SuspensionsUsedUp));
        Assert.That(story.RefusalOf(new ResumeCase { Case = CaseStory.Id, Actor = "dispatcher", Reason = "cause_gone" }), Is.EqualTo(CaseRefusals.NotSuspended));
    }

    [Test]
    public void What_stood_is_not_counted_as_worked()
    {
        var story = new CaseStory().Dispatched(row: 4).At(City.At(2026, 11, 2, 10)).Suspend(City.At(2026, 11, 4, 10)).At(City.At(2026, 11, 4, 11)).Finish();
        Assert.That(((HandlingFinished)story.Last[^1]).WorkedSeconds, Is.EqualTo(2 * 3600));
        Assert.That(((HandlingFinished)story.Last[^1]).ElapsedSeconds, Is.EqualTo((2 * 24 + 2) * 3600));
    }

    [Test]
    public void A_suspension_that_is_told_late_takes_back_a_deadline_that_passed_meanwhile()
    {
        var story = new CaseStory().Dispatched(row: 2).At(City.At(2026, 11, 2, 16));
        story.Pass();
        story.Do(new SuspendCase(City.At(2026, 12, 1)) { Case = CaseStory.Id, Actor = "dispatcher", Reason = "season", OccurredAt = City.At(2026, 11, 2, 14) });
        Assert.That(story.Last.Select(e => e.GetType()), Is.EqualTo(new[] { typeof(DeadlineWithdrawn), typeof(Suspended) }));
        Assert.That(((Suspended)story.Last[1]).RemainingMilliseconds, Is.EqualTo(3_600_000));
    }
}
