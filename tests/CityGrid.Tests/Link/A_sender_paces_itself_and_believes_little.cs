using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CsCheck;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>Clauses L5, L6, L7 and L14; T1, T3, T8.</summary>
public sealed class A_sender_paces_itself_and_believes_little
{
    private static readonly Instant Start = Instant.FromUtc(2026, 11, 24, 0, 0);
    private static readonly Epoch Granted = new(1, 7);
    private static readonly Incarnation Directory = new(5);

    [Test]
    public void It_dials_says_hello_takes_its_epoch_and_reads_its_lanes_alarms_first()
    {
        var story = new Sender();
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.Dial>().Count(), Is.EqualTo(1));
        story.Step(new SenderInput.Connected(Mark(10)));
        var hello = story.Last.OfType<SenderEffect.Send>().Single().Request.Hello;
        Assert.That((hello.Epoch, hello.HeadLsn, hello.Positions.Count), Is.EqualTo((0L, 10L, 3)));
        story.Step(new SenderInput.Responded(Welcomed()));
        Assert.That(story.Last.OfType<SenderEffect.TakeEpoch>().Single().Epoch, Is.EqualTo(Granted));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>(), Is.Empty, "The own cells do not carry the epoch yet.");
        story.Step(new SenderInput.EpochStored(Granted));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Select(r => (r.Lane, r.From.Value, r.EvenIfEmpty)), Is.EqualTo(new[] { (Lane.Alarms, 0L, false), (Lane.Escalations, 0L, false), (Lane.Cells, 0L, true) }));
    }

    [Test]
    public void At_most_eight_parts_are_under_way_and_escalations_overtake()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Cells(0, 20, 12)));
        Assert.That(story.Sent, Has.Count.EqualTo(8));
        story.Step(new SenderInput.CutReady(Raised(0, 1)));
        Assert.That(story.Last.OfType<SenderEffect.Send>(), Is.Empty);
        story.Answer(story.Sent[0], Lane.Cells, 0);
        Assert.That(story.Sent[^1].FrameCase, Is.EqualTo(ConnectRequest.FrameOneofCase.Escalations), "It goes before the cells that wait.");
    }

    [Test]
    public void A_lane_that_floods_leaves_the_others_their_share()
    {
        // 12 : 3 : 1, in bytes: while all three have something, a sixteenth of the line is the cells' own.
        var story = Opened();
        story.Step(new SenderInput.CutReady(Heavy(Lane.Cells)));
        story.Step(new SenderInput.CutReady(Heavy(Lane.Escalations)));
        story.Step(new SenderInput.CutReady(Heavy(Lane.Alarms)));
        story.Sent.Clear();
        for (var i = 0; i < 160; i++)
        {
            story.Answer(story.Outstanding);
        }

        var sent = story.Sent.CountBy(LaneOf).ToDictionary();
        Assert.That(sent[Lane.Alarms] / (double)sent[Lane.Cells], Is.EqualTo(12).Within(2));
        Assert.That(sent[Lane.Escalations] / (double)sent[Lane.Cells], Is.EqualTo(3).Within(1));
    }

    [Test]
    public void An_alarm_goes_before_whatever_waits()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Heavy(Lane.Cells)));
        story.Step(new SenderInput.CutReady(Heavy(Lane.Escalations)));
        for (var i = 0; i < 40; i++)
        {
            story.Answer(story.Outstanding);
        }

        story.Step(new SenderInput.CutReady(Raised(0, 1, Lane.Alarms)));
        story.Answer(story.Outstanding);
        Assert.That(LaneOf(story.Sent[^1]), Is.EqualTo(Lane.Alarms));
    }

    [Test]
    public void Bytes_under_way_stay_within_the_parents_credit()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Heavy(Lane.Cells)));
        var part = Heavy(Lane.Cells).Parts[0].Bytes;
        story.Answer(story.Outstanding, credit: part * 3);
        Assert.That(story.State.UnderWay, Has.Count.EqualTo(7), "What is under way cannot be called back.");
        while (story.State.UnderWay.Count > 3)
        {
            story.Answer(story.Outstanding, credit: part * 3);
        }

        for (var i = 0; i < 10; i++)
        {
            story.Answer(story.Outstanding, credit: part * 3);
            Assert.That(story.State.UnderWay, Has.Count.EqualTo(3));
        }

        story.Answer(story.Outstanding, credit: 1);
        story.Answer(story.Outstanding, credit: 1);
        story.Answer(story.Outstanding, credit: 1);
        Assert.That(story.State.UnderWay, Has.Count.EqualTo(1), "One part may always be under way.");
    }

    [Test]
    public void Towards_a_parent_of_protocol_1_alarms_go_with_the_other_escalations()
    {
        var story = new Sender(SenderState.Start(Settings, Directory, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed(twist: w => w.Protocol = 1)));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Select(r => (r.Lane, r.AlarmsApart)), Is.EqualTo(new[] { (Lane.Escalations, false), (Lane.Cells, false) }));
        story.Step(new SenderInput.Nudged(Lane.Alarms));
        Assert.That(story.Last, Is.Empty);
    }

    [Test]
    public void The_skew_of_the_parents_clock_is_measured_from_the_middle_of_the_greeting()
    {
        var story = new Sender(SenderState.Start(Settings, Directory, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Now += Duration.FromSeconds(2);
        story.Step(new SenderInput.Responded(Welcomed(twist: w => w.ReceivedAt = (Start + Duration.FromSeconds(91)).ToUnixTimeMilliseconds())));
        Assert.That(story.State.Skew, Is.EqualTo(Duration.FromSeconds(90)));
        Assert.That(story.Last.OfType<SenderEffect.Report>().Select(r => r.Code), Is.EqualTo(new[] { "CLOCK_SKEW" }), "More than a minute is told.");
    }

    [Test]
    public void One_cut_a_lane_and_the_next_from_where_the_parent_stands()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Cells(0, 10, 2)));
        story.Step(new SenderInput.Nudged(Lane.Cells));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>(), Is.Empty);
        story.Answer(story.Sent[0], Lane.Cells, 0);
        Assert.That(story.Last.OfType<SenderEffect.StoreReceipt>(), Is.Empty, "The cursor moves with the last part.");
        story.Answer(story.Sent[1], Lane.Cells, 10);
        Assert.That(story.Last.OfType<SenderEffect.StoreReceipt>().Single().Mark, Is.EqualTo(Mark(10)));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single().From.Value, Is.EqualTo(10));
    }

    [Test]
    public void A_cut_that_stopped_short_is_followed_by_the_next_at_once()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Cells(0, 10, 1) with { ReachesHead = false }));
        story.Answer(story.Sent[0], Lane.Cells, 10);
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single().From.Value, Is.EqualTo(10));
    }

    [Test]
    public void The_schedule_sends_an_empty_cut_and_a_nudge_does_not()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Cells(0, 10, 1)));
        story.Answer(story.Sent[0], Lane.Cells, 10);
        story.Step(new SenderInput.Nudged(Lane.Cells));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single().EvenIfEmpty, Is.False);
        story.Step(new SenderInput.CutReady(new Cut(Lane.Cells, Mark(10), Mark(10), true, [])));
        story.Step(new SenderInput.PushDue(Lane.Cells));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single().EvenIfEmpty, Is.True);
    }

    [Test]
    public void A_welcome_further_back_is_believed_and_filled_from_there()
    {
        // INV-22: the parent was restored from a copy.
        var story = new Sender(SenderState.Start(Settings, Directory, Granted, 1, lane => lane == Lane.Cells ? Mark(9) : Mark(8)));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(Welcomed(cells: 4, escalations: 2, alarms: 3)));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Select(r => r.From.Value), Is.EqualTo(new[] { 3L, 2L, 4L }));
    }

    [Test]
    public void A_welcome_that_cannot_be_is_not_believed()
    {
        foreach (var welcome in new[]
        {
            Welcomed(cells: 11),
            Welcomed(epoch: new Epoch(0, 0)),
            Welcomed(twist: w => w.Protocol = 3),
            Welcomed(twist: w => w.Node = string.Empty),
            Welcomed(twist: w => w.Positions[0].Incarnation = Google.Protobuf.ByteString.CopyFrom(new byte[16])),
            Welcomed(cells: 4, twist: w => w.Positions[2].ChainHash = Google.Protobuf.ByteString.Empty),
        })
        {
            var story = new Sender();
            story.Step(new SenderInput.Woken());
            story.Step(new SenderInput.Connected(Mark(10)));
            story.Step(new SenderInput.Responded(welcome));
            Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1), welcome.ToString());
            Assert.That(story.Last.OfType<SenderEffect.Report>().Count(r => r.Code == "WRONG_ANSWER"), Is.EqualTo(1));
        }
    }

    [TestCase(1, 6)]
    [TestCase(1, 8)]
    [TestCase(2, 7)]
    public void Only_the_highest_epoch_ever_held_is_obeyed(long number, long nonce)
    {
        var story = new Sender(SenderState.Start(Settings, Directory, new Epoch(2, 6), 2, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(Welcomed(epoch: new Epoch(number, (ulong)nonce))));
        Assert.That(story.Last.OfType<SenderEffect.TakeEpoch>(), Is.Empty);
        Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1));
    }

    [TestCase(0, 0)]
    [TestCase(4, 9)]
    [TestCase(5, 8)]
    public void A_parent_in_an_earlier_epoch_of_its_own_is_told_nothing(long number, long nonce)
    {
        // INV-24: an old directory of the parent, or a number that was granted twice.
        var story = new Sender(HeardParent(new Epoch(5, 9)));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(Welcomed(twist: w => (w.ParentEpoch, w.ParentEpochNonce) = (number, (ulong)nonce))));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>(), Is.Empty);
        Assert.That(story.Last.OfType<SenderEffect.HangUp>().Single().Reason, Does.Contain("PARENT_FENCED"));
        Assert.That(story.State.ParentEpoch, Is.EqualTo(new Epoch(5, 9)));
    }

    [Test]
    public void One_on_the_line_is_out_of_office_once_a_file_brought_a_later_epoch_of_it()
    {
        var story = new Sender(HeardParent(new Epoch(5, 9)));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(Welcomed(twist: w => (w.ParentEpoch, w.ParentEpochNonce) = (5, 9))));
        story.Step(new SenderInput.EpochHeld(Granted, story.State.Parent, new Epoch(5, 9)));
        Assert.That(story.Last.OfType<SenderEffect.HangUp>(), Is.Empty);
        story.Step(new SenderInput.EpochHeld(Granted, story.State.Parent, new Epoch(6, 1)));
        Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1));
        Assert.That(story.State.ParentEpoch, Is.EqualTo(new Epoch(6, 1)));
    }

    [Test]
    public void A_later_one_is_durable_before_anything_is_sent()
    {
        var story = new Sender(HeardParent(new Epoch(5, 9)));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(Welcomed(cells: 4, escalations: 2, twist: w => (w.ParentEpoch, w.ParentEpochNonce) = (6, 3))));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>(), Is.Empty);
        var take = story.Last.OfType<SenderEffect.TakeEpoch>().Single();
        Assert.That((take.Epoch, take.ParentEpoch), Is.EqualTo((Granted, new Epoch(6, 3))));
        story.Step(new SenderInput.EpochStored(Granted));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Select(r => r.From.Value), Is.EqualTo(new[] { 0L, 2L, 4L }), "the lanes go on where they were");
    }

    [Test]
    public void Another_parent_is_believed_in_any_epoch_and_so_is_one_that_a_person_had_forgotten()
    {
        var story = new Sender(HeardParent(new Epoch(5, 9)) with { Parent = NodeId.Parse("another") });
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(Welcomed(twist: w => (w.ParentEpoch, w.ParentEpochNonce) = (1, 1))));
        Assert.That(story.Last.OfType<SenderEffect.TakeEpoch>().Count(), Is.EqualTo(1));

        story = new Sender(HeardParent(new Epoch(5, 9)));
        story.Step(new SenderInput.ParentForgotten());
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(10)));
        story.Step(new SenderInput.Responded(Welcomed(twist: w => (w.ParentEpoch, w.ParentEpochNonce) = (1, 1))));
        Assert.That(story.Last.OfType<SenderEffect.TakeEpoch>().Count(), Is.EqualTo(1));
    }

    [Test]
    public void An_answer_to_nothing_is_ignored()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Cells(0, 10, 1)));
        var before = story.State;
        foreach (var response in new[]
        {
            Receipt(99, Lane.Cells, 10),
            Receipt(1, Lane.Cells, 10),
            new ConnectResponse { Number = 99, Refusal = new LinkRefusal { Code = LinkRefusalCode.Fenced } },
            Welcomed(),
            new ConnectResponse(),
        })
        {
            story.Step(new SenderInput.Responded(response));
            Assert.That(story.State with { Alarm = before.Alarm }, Is.EqualTo(before));
        }
    }

    [Test]
    public void A_receipt_that_was_not_due_ends_the_connection()
    {
        foreach (var twist in new Action<ConnectResponse>[]
        {
            r => r.Receipt.Position.Lsn = 9,
            r => r.Receipt.Position.Lsn = 11,
            r => r.Receipt.Position.ChainHash = Mark(9).HashBytes(),
            r => r.Receipt.Position.Epoch = 2,
            r => r.Receipt.Lane = Lane.Escalations,
            r => r.Receipt.Position = null,
        })
        {
            var story = Opened();
            story.Step(new SenderInput.CutReady(Cells(0, 10, 1)));
            var response = Receipt(story.Sent[0].Number, Lane.Cells, 10);
            twist(response);
            story.Step(new SenderInput.Responded(response));
            Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1));
            Assert.That(story.Last.OfType<SenderEffect.StoreReceipt>(), Is.Empty);
        }
    }

    [Test]
    public void What_the_parent_set_aside_is_shown_at_this_end_too()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Cells(0, 10, 1)));
        var response = Receipt(story.Sent[0].Number, Lane.Cells, 10);
        response.Receipt.Records.Add(new RecordReceipt { Index = 0, Outcome = RecordOutcome.Parked, Code = "CELL_NEGATIVE" });
        story.Step(new SenderInput.Responded(response));
        Assert.That(story.Last.OfType<SenderEffect.ReportRecords>().Single().Records.Single().Code, Is.EqualTo("CELL_NEGATIVE"));
    }

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
        story.Step(new SenderInput.CutReady(Cells(0, 20, 12)));
        var refused = story.Outstanding;
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = refused.Number, Refusal = new LinkRefusal { Code = LinkRefusalCode.Busy, Lane = Lane.Cells, RetryAfterMs = 2000 } }));
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
        story.Step(new SenderInput.CutReady(Cells(0, 20, 1)));
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
    public void Each_refusal_has_its_word()
    {
        var words = Enum.GetValues<LinkRefusalCode>().Except([LinkRefusalCode.Unspecified]).Select(LinkWords.NameOf).ToArray();
        Assert.That(words, Is.EqualTo(Enum.GetValues<LinkRefusalCode>().Except([LinkRefusalCode.Unspecified]).Select(code => string.Concat(code.ToString().Select((letter, at) => at > 0 && char.IsUpper(letter) ? $"_{letter}" : $"{letter}")).ToUpperInvariant())));
    }

    [Test]
    public void Silence_ends_the_connection_after_half_a_minute()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(Cells(0, 10, 1)));
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
        story.Step(new SenderInput.CutReady(Cells(0, 10, 1)));
        story.Now -= Duration.FromDays(3);
        story.Step(new SenderInput.Woken());
        story.Now += Duration.FromSeconds(30);
        story.Step(new SenderInput.Woken());
        Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1), "Silence ends the connection all the same.");
    }

    [Test]
    public void A_gap_is_read_again_three_times_and_then_the_next_welcome_decides()
    {
        var story = Opened();
        for (var i = 0; i < 4; i++)
        {
            story.Step(new SenderInput.CutReady(Cells(0, 10, 1)));
            var gap = new LinkRefusal { Code = LinkRefusalCode.Gap, Lane = Lane.Cells, Position = default(StreamMark).ToPosition(Lane.Cells, Directory, Granted) };
            story.Step(new SenderInput.Responded(new ConnectResponse { Number = story.Sent[^1].Number, Refusal = gap }));
            Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Count(), Is.EqualTo(i < 3 ? 1 : 0));
            Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(i < 3 ? 0 : 1));
        }
    }

    private static readonly SenderSettings Settings = new(NodeId.Parse("a"), DivisionCode.Parse("A"));

    private static StreamMark Mark(long lsn) => lsn == 0 ? default : new StreamMark(new Lsn(lsn), new Hash256(1, (UInt128)(ulong)lsn));

    private static SenderState HeardParent(Epoch epoch) =>
        SenderState.Start(Settings, Directory, Granted, 1, lane => lane == Lane.Cells ? Mark(9) : Mark(8)) with { Parent = NodeId.Parse(Welcomed().Welcome.Node), ParentEpoch = epoch };

    private static Sender Opened()
    {
        var story = new Sender(SenderState.Start(Settings, Directory, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed()));
        story.Sent.Clear();
        return story;
    }

    /// <summary>Opened towards a parent that wishes this, and with nothing to say.</summary>
    private static Sender Quiet(long redialWithinMs)
    {
        var story = new Sender(SenderState.Start(Settings, Directory, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed(twist: welcome => welcome.RedialWithinMs = redialWithinMs)));
        foreach (var lane in LinkWords.Lanes)
        {
            story.Step(new SenderInput.CutReady(new Cut(lane, Mark(0), Mark(20), true, [])));
        }

        return story;
    }

    private static ConnectResponse Welcomed(long cells = 0, long escalations = 0, long alarms = 0, Epoch? epoch = null, Action<Welcome>? twist = null)
    {
        var granted = epoch ?? Granted;
        var welcome = new Welcome { Node = "p", Protocol = 2, ChildEpoch = granted.Number, ChildEpochNonce = granted.Nonce, Grains = { 1, 2 } };
        welcome.Positions.Add(Mark(alarms).ToPosition(Lane.Alarms, Directory, granted));
        welcome.Positions.Add(Mark(escalations).ToPosition(Lane.Escalations, Directory, granted));
        welcome.Positions.Add(Mark(cells).ToPosition(Lane.Cells, Directory, granted));
        twist?.Invoke(welcome);
        return new ConnectResponse { Number = 1, Welcome = welcome };
    }

    private static ConnectResponse Receipt(long number, Lane lane, long lsn) =>
        new() { Number = number, Receipt = new Receipt { Lane = lane, Position = Mark(lsn).ToPosition(lane, Directory, Granted) } };

    private static Cut Cells(long from, long to, int parts) => new(
        Lane.Cells, Mark(from), Mark(to), true, [.. Enumerable.Range(1, parts).Select(i => new CutPart(i == parts ? Mark(to) : Mark(from), new CellsPart { Part = i, Parts = parts }, null))]);

    private static Cut Raised(long from, long to, Lane lane = Lane.Escalations) => new(lane, Mark(from), Mark(to), true, [new CutPart(Mark(to), null, new EscalationsPart { From = from, To = to, Lane = lane })]);

    /// <summary>A cut of 400 parts of two kilobytes.</summary>
    private static Cut Heavy(Lane lane)
    {
        var filling = new string('x', 2000);
        return new Cut(lane, Mark(0), Mark(400), true, [.. Enumerable.Range(1, 400).Select(i => lane == Lane.Cells
            ? new CutPart(i == 400 ? Mark(400) : Mark(0), new CellsPart { Part = i, Parts = 400, Symbols = { filling } }, null)
            : new CutPart(Mark(i), null, new EscalationsPart { Lane = lane, From = i - 1, To = i, Escalations = { new EscalationEnvelope { Hops = { new Hop { Node = filling } } } } }))]);
    }

    private static Lane LaneOf(ConnectRequest request) => request.Escalations?.LaneOf() ?? Lane.Cells;

    /// <summary>A sender, stepped by hand.</summary>
    private sealed class Sender(SenderState? start = null)
    {
        public SenderState State { get; private set; } = start ?? SenderState.Start(Settings, Directory, Epoch.NotGranted, 0, _ => default);

        public Instant Now { get; set; } = Start;

        public IReadOnlyList<SenderEffect> Last { get; private set; } = [];

        public List<ConnectRequest> Sent { get; } = [];

        public void Step(SenderInput input)
        {
            (State, Last) = LinkSender.Step(State, input, Now);
            Sent.AddRange(Last.OfType<SenderEffect.Send>().Select(s => s.Request));
        }

        /// <summary>What has waited longest for its answer.</summary>
        public Outstanding Outstanding => State.UnderWay[0];

        /// <summary>Answers a part as it was due.</summary>
        public void Answer(Outstanding part, long credit = 0)
        {
            var response = Receipt(part.Number, part.Lane, State.Lane(part.Lane).Cut!.Parts[part.Part].After.Lsn.Value);
            response.Receipt.WindowBytes = credit;
            Step(new SenderInput.Responded(response));
        }

        public void Answer(ConnectRequest request, Lane lane, long lsn) => Step(new SenderInput.Responded(Receipt(request.Number, lane, lsn)));
    }
}
