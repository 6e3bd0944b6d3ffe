using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CsCheck;
using NodaTime;
using NUnit.Framework;
using static CityGrid.Tests.Link.SenderStory;

namespace CityGrid.Tests.Link;

/// <summary>Clause L14: how long a sender waits, for what, and what does not wait.</summary>
public sealed class A_sender_waits_no_longer_than_it_must
{
    [Test]
    public void The_pause_after_a_failure_is_drawn_from_a_range_that_doubles_up_to_a_minute() => Gen.Select(Gen.ULong, Gen.Int[1, 60]).Sample((draw, failures) =>
    {
        var most = Backoff.Most(Settings, failures);
        var drawn = Backoff.Drawn(most, draw);
        Assert.That(most, Is.EqualTo(Duration.FromSeconds(Math.Min(60, Math.Pow(2, failures - 1)))));
        Assert.That(drawn, Is.GreaterThanOrEqualTo(Duration.Zero).And.LessThanOrEqualTo(most));
    });

    [Test]
    public void It_does_not_dial_before_the_pause_is_over()
    {
        var story = new Sender();
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Disconnected("refused", 500));
        Assert.That(story.Last.OfType<SenderEffect.WakeAt>().Single().At, Is.EqualTo(Start + Duration.FromMilliseconds(500)));
        story.Step(new SenderInput.PushDue(Lane.Cells));
        Assert.That(story.Last.OfType<SenderEffect.Dial>(), Is.Empty);
        story.Now += Duration.FromMilliseconds(500);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.Dial>().Count(), Is.EqualTo(1));
    }

    [Test]
    public void Where_the_parent_wishes_it_its_children_come_back_over_a_longer_time()
    {
        var story = Quiet(redialWithinMs: 10_000);
        story.Step(new SenderInput.Disconnected("The parent ended the connection.", 7_777));
        Assert.That(story.State.NotBefore, Is.EqualTo(Start + Duration.FromMilliseconds(7_777)));

        story = Quiet(redialWithinMs: 0);
        story.Step(new SenderInput.Disconnected("The parent ended the connection.", 7_777));
        Assert.That(story.State.NotBefore, Is.EqualTo(Start + Duration.FromMilliseconds(7_777 % 1_001)), "Unasked it is a second.");
    }

    [TestCase(long.MaxValue)]
    [TestCase(-1)]
    public void What_the_parent_wishes_is_no_longer_than_the_longest_pause(long redialWithinMs)
    {
        var story = Quiet(redialWithinMs);
        story.Step(new SenderInput.Disconnected("The parent ended the connection.", ulong.MaxValue));
        Assert.That(story.State.NotBefore, Is.LessThanOrEqualTo(Start + Settings.BackoffMost).And.GreaterThanOrEqualTo(Start));
    }

    [Test]
    public void After_many_failures_the_pause_is_drawn_as_if_the_parent_had_wished_nothing()
    {
        var story = Quiet(redialWithinMs: 10_000);
        for (var failures = 0; failures < 6; failures++)
        {
            story.Step(new SenderInput.Disconnected("refused", 0));
        }

        story.Step(new SenderInput.Disconnected("refused", 55_555));
        Assert.That(story.State.NotBefore, Is.EqualTo(Start + Duration.FromMilliseconds(55_555)));
    }

    [TestCase(Lane.Alarms)]
    [TestCase(Lane.Escalations)]
    public void What_cannot_wait_does_not_wait_until_all_children_have_come_back(Lane lane)
    {
        // It comes up while the sender rests.
        var story = Quiet(redialWithinMs: 10_000);
        story.Step(new SenderInput.Disconnected("The parent ended the connection.", 7_777));
        story.Step(new SenderInput.Nudged(Lane.Cells));
        Assert.That(story.State.NotBefore, Is.EqualTo(Start + Duration.FromMilliseconds(7_777)), "Cells can wait.");
        story.Step(new SenderInput.Nudged(lane));
        Assert.That(story.Last.OfType<SenderEffect.WakeAt>().Single().At, Is.EqualTo(Start + Duration.FromMilliseconds(7_777 % 1_001)));

        // It was under way when the connection ended.
        story = Quiet(redialWithinMs: 10_000);
        story.Step(new SenderInput.Nudged(lane));
        story.Step(new SenderInput.CutReady(Raised(0, 1, lane)));
        story.Step(new SenderInput.Disconnected("The parent ended the connection.", 7_777));
        Assert.That(story.State.NotBefore, Is.EqualTo(Start + Duration.FromMilliseconds(7_777 % 1_001)));
    }

    [TestCase(LinkRefusalCode.Busy, 20_000, 20)]
    [TestCase(LinkRefusalCode.Busy, 999_999_999, 900)]
    [TestCase(LinkRefusalCode.Fenced, 0, 300)]
    [TestCase(LinkRefusalCode.NoSession, 0, 0)]
    public void A_pause_that_the_parent_asks_for_is_kept(LinkRefusalCode code, long asked, int seconds)
    {
        var story = new Sender();
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = 1, Refusal = new LinkRefusal { Code = code, RetryAfterMs = asked } }));
        Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1));
        story.Step(new SenderInput.Disconnected("hung up", 0));
        Assert.That(story.State.NotBefore, Is.EqualTo(Start + Duration.FromSeconds(seconds)));
    }

    [Test]
    public void A_lane_that_the_parent_has_no_room_for_waits_alone()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 20, 12)));
        var refused = story.Outstanding;
        story.Step(new SenderInput.Responded(new ConnectResponse
        {
            Number = refused.Number,
            Refusal = new LinkRefusal { Code = LinkRefusalCode.Busy, Lane = Lane.Cells, RetryAfterMs = 2000, Message = "It holds as many cells as limits.cellsPerChild." },
        }));
        var standing = new UplinkStanding(story.State, Start, string.Empty);
        Assert.That(standing.ErrorAt(story.Now), Does.Match("no room for Cells before .*Z \\(BUSY\\).*It holds as many cells as limits.cellsPerChild\\.$"), "The child's own list of links says what its lane waits for.");
        Assert.That(standing.ErrorAt(story.Now + Duration.FromSeconds(2)), Is.Empty);
        Assert.That((standing with { LastError = "The line ended." }).ErrorAt(story.Now), Is.EqualTo("The line ended."));
        Assert.That((story.State.Phase, story.State.UnderWay.Count, story.State.AnswerBy), Is.EqualTo((SenderPhase.Open, 0, (Instant?)null)), "What is under way of it is not waited for.");
        Assert.That(story.Last.OfType<SenderEffect.WakeAt>().Min(wake => wake.At), Is.EqualTo(Start + Duration.FromSeconds(2)));

        story.Step(new SenderInput.CutReady(Raised(0, 1, Lane.Alarms)));
        Assert.That(LaneOf(story.Sent[^1]), Is.EqualTo(Lane.Alarms));
        story.Answer(story.Outstanding);
        story.Step(new SenderInput.PushDue(Lane.Cells));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Where(read => read.Lane == Lane.Cells), Is.Empty);
        story.Now += Duration.FromSeconds(2);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single(read => read.Lane == Lane.Cells).From, Is.EqualTo(Lsn.Zero));
    }

    [Test]
    public void The_pause_of_a_lane_outlives_its_connection_and_no_clock_that_is_set_back()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 20, 1)));
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = story.Outstanding.Number, Refusal = new LinkRefusal { Code = LinkRefusalCode.Busy, Lane = Lane.Cells, RetryAfterMs = 60_000 } }));
        story.Step(new SenderInput.Disconnected("A parent of before ends the connection.", 0));
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed()));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Select(read => read.Lane), Is.EqualTo(new[] { Lane.Alarms, Lane.Escalations }));
        story.Now -= Duration.FromDays(3);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Select(read => read.Lane), Is.EqualTo(new[] { Lane.Cells }));
    }

    [Test]
    public void An_alarm_does_not_wait_for_the_back_off()
    {
        // A parent that was away for minutes may have been back for most of one.
        var story = Quiet(redialWithinMs: 0);
        for (var failures = 0; failures < 8; failures++)
        {
            story.Step(new SenderInput.Disconnected("nobody answers", 59_999));
            story.Now = story.State.NotBefore;
            story.Step(new SenderInput.Woken());
        }

        var dialled = story.Now;
        story.Step(new SenderInput.Disconnected("nobody answers", 59_999));
        story.Step(new SenderInput.Nudged(Lane.Alarms));
        Assert.That(story.State.NotBefore - dialled, Is.GreaterThan(Duration.FromSeconds(59)), "What became of an order waits.");
        story.Now += Duration.FromSeconds(1);
        story.Step(new SenderInput.Nudged(Lane.Alarms, true));
        Assert.That(story.Last.OfType<SenderEffect.WakeAt>().Single().At, Is.EqualTo(dialled + Settings.AlarmTriesApart), "Nor do a thousand alarms dial a thousand times.");
        story.Now += Duration.FromSeconds(30);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.Dial>().Count(), Is.EqualTo(1));
    }

    [Test]
    public void An_alarm_waits_where_the_parent_asked_for_it()
    {
        var story = new Sender();
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = 1, Refusal = new LinkRefusal { Code = LinkRefusalCode.Fenced } }));
        story.Step(new SenderInput.Disconnected("hung up", 500));
        story.Now += Duration.FromSeconds(20);
        story.Step(new SenderInput.Nudged(Lane.Alarms, true));
        Assert.That(story.State.NotBefore, Is.EqualTo(Start + Duration.FromMinutes(5)));
    }

    [Test]
    public void A_person_does_not_wait_out_a_refusal_whose_cause_is_mended()
    {
        var story = new Sender();
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = 1, Refusal = new LinkRefusal { Code = LinkRefusalCode.IncarnationUnknown } }));
        story.Step(new SenderInput.Disconnected("hung up", 500));
        story.Now += Duration.FromSeconds(1);
        story.Step(new SenderInput.PushDue(Lane.Cells));
        Assert.That(story.State.NotBefore, Is.GreaterThanOrEqualTo(Start + Duration.FromMinutes(5)), "The schedule waits.");
        story.Step(new SenderInput.PushDue(Lane.Cells, IsAsked: true));
        Assert.That(story.State.NotBefore, Is.EqualTo(Start + Settings.AlarmTriesApart), "But one who asks again and again does not dial again and again.");
        story.Now += Duration.FromSeconds(20);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.Dial>().Count(), Is.EqualTo(1));
    }

    [Test]
    public void An_epoch_that_does_not_become_durable_ends_the_connection()
    {
        // A node whose queue is full forgets the command: without an end nothing would ever go up again.
        var story = new Sender();
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(Welcomed()));
        Assert.That(story.State.Phase, Is.EqualTo(SenderPhase.TakingEpoch));
        story.Now += Duration.FromSeconds(30);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1));
    }

    [Test]
    public void Silence_ends_the_connection_after_half_a_minute()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1)));
        story.Now += Duration.FromSeconds(29);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.HangUp>(), Is.Empty);
        story.Now += Duration.FromSeconds(1);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1));
        story.Step(new SenderInput.Disconnected("hung up", 0));
        Assert.That(story.State.Cells.Due, Is.True, "What was under way goes again.");
    }

    [Test]
    public void A_clock_that_is_set_back_by_days_keeps_nobody_waiting_for_days()
    {
        // INV-15: the wake-up comes after the time that was asked for; what the wall clock says then may be anything.
        var story = new Sender();
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Disconnected("refused", 500));
        story.Now -= Duration.FromDays(3);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.Dial>().Count(), Is.EqualTo(1));

        story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1)));
        story.Now -= Duration.FromDays(3);
        story.Step(new SenderInput.Woken());
        story.Now += Duration.FromSeconds(30);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1), "Silence ends the connection all the same.");
    }
}
