using CityGrid.Node.Cases;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

public sealed class A_request_is_answered_the_same_for_ever
{
    private static readonly RequestMark Key = new("7f3c", 42);

    [Test]
    public void The_same_key_with_the_same_content_gets_the_first_answer()
    {
        var story = new CaseStory().Report().Verify().Do(new FileCase { Case = CaseStory.Id, Actor = "a", Request = Key });
        var (version, lsn) = (story.State!.Version, story.State.LastLsn);
        story.Dispatch().Finish();

        var again = story.Try(new FileCase { Case = CaseStory.Id, Actor = "a", Request = Key });
        Assert.That(again, Is.EqualTo(new CaseOutcome.Repeated(version, lsn)));
    }

    [Test]
    public void Other_content_under_a_used_key_is_an_error()
    {
        var story = new CaseStory().Report().Do(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", Request = Key });
        Assert.That(story.RefusalOf(new FileCase { Case = CaseStory.Id, Actor = "a", Request = Key with { Content = 43 } }), Is.EqualTo(CaseRefusals.RequestKeyReused));
    }

    [Test]
    public void A_refused_request_may_be_sent_again_when_it_is_allowed()
    {
        var story = new CaseStory().Report();
        Assert.That(story.RefusalOf(new FileCase { Case = CaseStory.Id, Actor = "a", Request = Key }), Is.EqualTo(CaseRefusals.IllegalStep));
        story.Verify().Do(new FileCase { Case = CaseStory.Id, Actor = "a", Request = Key });
    }

    [Test]
    public void A_repetition_is_recognised_before_anything_else_is_looked_at()
    {
        var story = new CaseStory().Report().Do(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", Request = Key, ExpectedVersion = 1 });
        Assert.That(story.Try(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", Request = Key, ExpectedVersion = 1 }), Is.InstanceOf<CaseOutcome.Repeated>());
    }

    [Test]
    public void A_version_that_was_not_expected_is_a_conflict()
    {
        var story = new CaseStory().Report();
        Assert.That(story.RefusalOf(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", ExpectedVersion = 2 }), Is.EqualTo(CaseRefusals.VersionConflict));
        story.Do(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", ExpectedVersion = 1 });
        Assert.That(new CaseStory().RefusalOf(new ReportCase(City.Cover, null, City.Hotline) { Case = CaseStory.Id, Actor = "a", ExpectedVersion = 3 }), Is.EqualTo(CaseRefusals.VersionConflict));
    }
}
