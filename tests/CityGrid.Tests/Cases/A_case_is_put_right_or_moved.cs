using CityGrid.Hub.Catalogue;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Cases;

public sealed class A_case_is_put_right_or_moved
{
    [Test]
    public void A_correction_says_that_it_was_always_so_and_brings_the_limit_of_the_right_type()
    {
        // Filed as a manhole cover (2 urgent hours); it was refuse (4 working hours) all along.
        var story = new CaseStory().Dispatched().At(City.At(2026, 11, 2, 10)).Do(Correct(City.Refuse, null));
        Assert.Multiple(() =>
        {
            Assert.That(story.State!.Type.Code, Is.EqualTo(City.Refuse));
            Assert.That(story.State.Filing!.Limit, Is.EqualTo(new Limit(4, LimitUnit.WorkHour)));
            Assert.That(story.State.Deadline, Is.EqualTo(City.At(2026, 11, 2, 15)));
            Assert.That(story.State.Stage, Is.EqualTo(CaseStage.Dispatched));
        });
    }

    [Test]
    public void The_deadline_that_passed_under_the_wrong_type_is_withdrawn()
    {
        var story = new CaseStory().Dispatched().At(City.At(2026, 11, 2, 12));
        story.Pass();
        Assert.That(story.State!.IsOverdue, Is.True);
        story.Do(Correct(City.Refuse, null));
        Assert.That(story.Last.Select(e => e.GetType()), Is.EqualTo(new[] { typeof(Corrected), typeof(DeadlineWithdrawn) }));
        Assert.That(story.State!.IsOverdue, Is.False);

        story.At(City.At(2026, 11, 2, 16)).Pass();
        Assert.That(((DeadlinePassed)story.Last.Single()).Deadline, Is.EqualTo(City.At(2026, 11, 2, 15)));
    }

    [Test]
    public void Extensions_and_suspensions_count_under_the_new_limit_too()
    {
        var story = new CaseStory().Dispatched(row: 2)
            .Do(new ExtendCase { Case = CaseStory.Id, Actor = "a", Reason = "weather" })
            .At(City.At(2026, 11, 2, 10)).Suspend(City.At(2026, 11, 3, 10)).At(City.At(2026, 11, 3, 10)).Do(new PassTime { Case = CaseStory.Id, Actor = "node" })
            .Do(Correct(TypeCode.Parse("09010"), null));
        // Two hours from Monday 09:00, two more, and the eight that it stood: Tuesday 14:00, no sooner than work begins again.
        Assert.That(story.State!.Deadline, Is.EqualTo(story.Rules.Calendar.After(City.At(2026, 11, 2, 9), 12 * 3_600_000, workingTime: true)));
    }

    [Test]
    public void A_suspended_case_keeps_what_the_right_limit_leaves_it()
    {
        var story = new CaseStory().Dispatched().At(City.At(2026, 11, 2, 10)).Suspend(City.At(2026, 11, 20, 14)).Do(Correct(City.Refuse, null));
        Assert.That(story.State!.Filing!.RemainingMilliseconds, Is.EqualTo(3 * 3_600_000));
        story.At(City.At(2026, 11, 20, 14)).Pass();
        Assert.That(story.State!.Deadline, Is.EqualTo(City.At(2026, 11, 20, 17)));
    }

    [Test]
    public void A_closed_case_can_be_put_right_and_stays_closed()
    {
        var story = new CaseStory().Dispatched().Finish().Check().Close().Do(Correct(null, City.South));
        Assert.That((story.State!.Division, story.State.Stage, story.State.Type.Code), Is.EqualTo((City.South, CaseStage.Closed, City.Cover)));
    }

    [Test]
    public void A_move_keeps_the_promise_that_was_given()
    {
        var story = new CaseStory().Dispatched();
        var deadline = story.State!.Deadline;
        story.Do(new MoveCase(City.Refuse, City.South) { Case = CaseStory.Id, Actor = "a", Reason = "responsibility" });
        Assert.Multiple(() =>
        {
            Assert.That(story.State!.Deadline, Is.EqualTo(deadline));
            Assert.That(story.State!.SpotOf(0), Is.EqualTo(new Spot(TypeCatalogue.BuiltIn.KeyOf(City.Cover), City.North)));
            Assert.That(story.State!.SpotOf(1), Is.EqualTo(new Spot(TypeCatalogue.BuiltIn.KeyOf(City.Refuse), City.South)));
        });
    }

    [Test]
    public void What_is_so_already_is_neither_corrected_nor_moved()
    {
        var story = new CaseStory().Report();
        Assert.That(story.RefusalOf(Correct(City.Cover, City.North)), Is.EqualTo(CaseRefusals.NothingChanges));
        Assert.That(story.RefusalOf(Correct(null, null)), Is.EqualTo(CaseRefusals.NothingChanges));
        Assert.That(story.RefusalOf(Correct(TypeCode.Parse("77777"), null)), Is.EqualTo(CaseRefusals.TypeUnknown));
        Assert.That(story.Verify().File().RefusalOf(Correct(City.Refuse, null, row: 9)), Is.EqualTo(CaseRefusals.RowUnknown));
    }

    private static CorrectCase Correct(TypeCode? type, DivisionCode? division, int row = 0) =>
        new(type, division, row) { Case = CaseStory.Id, Actor = "shift-head", Reason = "wrong_type" };
}
