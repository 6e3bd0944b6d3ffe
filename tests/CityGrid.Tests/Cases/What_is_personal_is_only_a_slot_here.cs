using System.Text;
using CityGrid.Node.Cases;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

public sealed class What_is_personal_is_only_a_slot_here
{
    private static readonly SealedPart First = new(17, Encoding.UTF8.GetBytes("box one"));
    private static readonly SealedPart Second = new(18, Encoding.UTF8.GetBytes("box two"));
    private static readonly EraseReporter Erase = new() { Case = CaseStory.Id, Actor = "officer", Reason = "reporter_request" };

    [Test]
    public void A_case_knows_the_slots_that_hold_something_of_it()
    {
        var story = new CaseStory().Report(part: First)
            .Do(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", Sealed = First })
            .Do(new FileCase { Case = CaseStory.Id, Actor = "a", Sealed = Second });
        Assert.That(story.State!.Slots, Is.EqualTo(new long[] { 17, 18 }));
        Assert.That(story.History[0].Event.Sealed!.Box.ToArray(), Is.EqualTo(First.Box.ToArray()));
    }

    [Test]
    public void Erasing_names_them_all_and_leaves_the_case_as_it_is()
    {
        var story = new CaseStory().Report(part: First).Verify();
        var before = story.State!;
        story.Do(Erase);
        Assert.That(((ReporterErased)story.Last.Single()).Slots, Is.EqualTo(new long[] { 17 }));
        Assert.That(story.State!.Slots, Is.Empty);
        Assert.That((story.State.Stage, story.State.Contributions), Is.EqualTo((before.Stage, before.Contributions)));
        story.File();
    }

    [Test]
    public void Where_nothing_is_kept_there_is_nothing_to_erase()
    {
        var story = new CaseStory().Report(part: First).Do(Erase);
        Assert.That(story.RefusalOf(Erase), Is.EqualTo(CaseRefusals.NothingToErase));
        story.Do(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", Sealed = Second });
        story.Do(Erase);
        Assert.That(((ReporterErased)story.Last.Single()).Slots, Is.EqualTo(new long[] { 18 }));
    }

    [Test]
    public void A_closed_case_forgets_too() =>
        new CaseStory().Report(part: First).Verify().File().Dispatch().Finish().Check().Close().Do(Erase);
}
