using CityGrid.Node.Uplink;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;
using static CityGrid.Tests.Link.SenderStory;

namespace CityGrid.Tests.Link;

/// <summary>O1: that one lane goes on proves nothing of another.</summary>
public sealed class A_lane_that_stands_still_is_told
{
    private LaneWaits _waits = LaneWaits.None;

    [Test]
    public void Where_the_parent_has_no_room_for_it_and_others_go_on()
    {
        var story = OpenedWithCellsAlone();
        Step(story, new SenderInput.CutReady(CellsCut(0, 20, 2)));
        Step(story, Busy(story));
        for (var alarm = 1; alarm <= 30; alarm++)
        {
            story.Now += Duration.FromMinutes(1);
            Step(story, new SenderInput.Nudged(Lane.Alarms));
            Step(story, new SenderInput.CutReady(Raised(alarm - 1, alarm, Lane.Alarms)));
            Step(story, Answer(story.Outstanding, alarm));
        }

        Assert.That(_waits.Longest, Is.EqualTo((Lane.Cells, Start)), "The alarms have gone on all the while.");
    }

    [Test]
    public void A_lane_that_moves_on_waits_anew_and_one_that_is_through_does_not()
    {
        var story = OpenedWithCellsAlone();
        Assert.That(_waits.Longest, Is.EqualTo((Lane.Cells, Start)));
        story.Now += Duration.FromMinutes(10);
        Step(story, new SenderInput.CutReady(CellsCut(0, 10, 1) with { ReachesHead = false }));
        Assert.That(_waits.Longest, Is.EqualTo((Lane.Cells, Start)), "Sent is not answered.");
        Step(story, Answer(story.Outstanding, 10));
        Assert.That(_waits.Longest, Is.EqualTo((Lane.Cells, story.Now)));
        Step(story, new SenderInput.CutReady(CellsCut(10, 20, 1)));
        Step(story, Answer(story.Outstanding, 20));
        Assert.That(_waits.Longest, Is.Null);
    }

    [Test]
    public void Each_part_that_is_answered_is_a_proof()
    {
        var story = OpenedWithCellsAlone();
        Step(story, new SenderInput.CutReady(CellsCut(0, 20, 3)));
        story.Now += Duration.FromMinutes(10);
        Step(story, Answer(story.Outstanding, 0));
        Assert.That(story.State.Cells.From.Lsn.Value, Is.Zero, "the lane moves on with the last part alone");
        Assert.That(_waits.Longest, Is.EqualTo((Lane.Cells, story.Now)));
        var answered = story.Now;
        story.Now += Duration.FromMinutes(10);
        Step(story, Busy(story));
        Assert.That(_waits.Longest, Is.EqualTo((Lane.Cells, answered)), "Turned away is not answered.");
    }

    private Sender OpenedWithCellsAlone()
    {
        _waits = LaneWaits.None;
        var story = Opened();
        foreach (var lane in new[] { Lane.Alarms, Lane.Escalations })
        {
            Step(story, new SenderInput.CutReady(new Cut(lane, Mark(0), Mark(20), true, [])));
        }

        return story;
    }

    private void Step(Sender story, SenderInput input)
    {
        var before = story.State;
        story.Step(input);
        _waits = _waits.After(before, story.State, story.Now);
    }

    private static SenderInput.Responded Busy(Sender story) =>
        new(new ConnectResponse { Number = story.Outstanding.Number, Refusal = new LinkRefusal { Code = LinkRefusalCode.Busy, Lane = Lane.Cells, RetryAfterMs = 3_600_000 } });

    private static SenderInput.Responded Answer(Outstanding part, long lsn) => new(Receipt(part.Number, part.Lane, lsn));
}
