using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CsCheck;
using NodaTime;
using NUnit.Framework;
using static CityGrid.Tests.Link.SenderStory;

namespace CityGrid.Tests.Link;

/// <summary>Clauses L5, L6, L7 and L14; T1, T3, T8.</summary>
public sealed class A_sender_paces_itself_and_believes_little
{
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
    public void An_epoch_below_zero_is_none_and_is_not_believed([Values(-1, long.MinValue)] long number)
    {
        var story = new Sender(HeardParent(new Epoch(2, 5)));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed(9, 8, 8, twist: welcome => welcome.ParentEpoch = number)));
        Assert.That(story.Last.OfType<SenderEffect.Report>().Single().Message, Does.Contain("below 0"));
        Assert.That((story.State.Phase, story.State.ParentEpoch), Is.EqualTo((SenderPhase.Closing, new Epoch(2, 5))));
    }

    [Test]
    public void A_grain_that_is_asked_for_a_thousand_times_is_asked_for_once()
    {
        var story = new Sender(SenderState.Start(Settings, Life, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed(twist: welcome => welcome.Grains.AddRange(Enumerable.Repeat(2, 1_000)))));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single(read => read.Lane == Lane.Cells).Grains, Is.EqualTo(new[] { Grain.Detail, Grain.National }), "each cell is compared with each of them");
    }

    [Test]
    public void At_most_eight_parts_are_under_way_and_escalations_overtake()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 20, 12)));
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
        var story = new Sender(SenderState.Start(Settings, Life, Granted, 1, _ => default));
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
        var story = new Sender(SenderState.Start(Settings, Life, Granted, 1, _ => default));
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
        story.Step(new SenderInput.CutReady(CellsCut(0, 10, 2)));
        story.Step(new SenderInput.Nudged(Lane.Cells));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>(), Is.Empty);
        story.Answer(story.Sent[0], Lane.Cells, 0);
        Assert.That(story.Last.OfType<SenderEffect.StoreReceipt>(), Is.Empty, "The cursor moves with the last part.");
        story.Answer(story.Sent[1], Lane.Cells, 10);
        Assert.That(story.Last.OfType<SenderEffect.StoreReceipt>().Single().Mark, Is.EqualTo(Mark(10)));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single().From.Value, Is.EqualTo(10));
    }

    /// <summary>INV-21: two clones share a cursor and not what one of them sent past it.</summary>
    [Test]
    public void Where_the_parent_heard_more_than_it_applied_the_next_cut_shows_the_chain_there()
    {
        var story = new Sender(SenderState.Start(Settings, Life, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        Assert.That(story.Sent[^1].Hello.ProvesHeard, Is.True);
        story.Step(new SenderInput.Responded(Welcomed(twist: w => w.CellsHeard = Mark(15).ToPosition(Lane.Cells, Life, Granted))));
        Assert.That(Proven(story), Is.EqualTo(15));

        story.Step(new SenderInput.CutReady(CellsCut(0, 20, 2)));
        var gap = new LinkRefusal { Code = LinkRefusalCode.Gap, Lane = Lane.Cells, Position = Mark(0).ToPosition(Lane.Cells, Life, Granted), CellsHeard = Mark(17).ToPosition(Lane.Cells, Life, Granted) };
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = story.Outstanding.Number, Refusal = gap }));
        Assert.That(Proven(story), Is.EqualTo(17), "another one sent something meanwhile");
    }

    [Test]
    public void What_was_sent_of_a_cut_that_is_read_again_the_parent_may_have_heard()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 20, 2)));
        var busy = new LinkRefusal { Code = LinkRefusalCode.Busy, Lane = Lane.Cells };
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = story.Outstanding.Number, Refusal = busy }));
        Assert.That(Proven(story), Is.EqualTo(20));
    }

    /// <summary>A first cut with nothing in it says that nothing of an earlier life holds any more (L12), and the schedule's that the node is there.</summary>
    [TestCase(LinkRefusalCode.Busy)]
    [TestCase(LinkRefusalCode.Gap)]
    public void A_cut_that_was_turned_away_goes_again_even_if_it_is_empty(LinkRefusalCode code)
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 20, 1)));
        var refusal = new LinkRefusal { Code = code, Lane = Lane.Cells, Position = Mark(0).ToPosition(Lane.Cells, Life, Granted) };
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = story.Outstanding.Number, Refusal = refusal }));
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single(read => read.Lane == Lane.Cells).EvenIfEmpty, Is.True);
    }

    /// <summary>What had changed by then was left out of it, so that the parent holds it for a cut of the history up to there.</summary>
    [Test]
    public void After_a_cut_that_stopped_short_the_next_shows_the_chain_where_that_was_read()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1) with { ReachesHead = false, ReadAt = new Lsn(20) }));
        story.Answer(story.Sent[0], Lane.Cells, 10);
        Assert.That(Proven(story), Is.EqualTo(20));
    }

    [Test]
    public void A_gap_says_what_the_parent_has_heard_and_nothing_where_that_is_nothing()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 20, 2)));
        var gap = new LinkRefusal { Code = LinkRefusalCode.Gap, Lane = Lane.Cells, Position = Mark(0).ToPosition(Lane.Cells, Life, Granted) };
        story.Step(new SenderInput.Responded(new ConnectResponse { Number = story.Outstanding.Number, Refusal = gap }));
        Assert.That(Proven(story), Is.Zero);
    }

    [TestCase(21, 1, TestName = "What_a_parent_says_that_it_heard_past_this_journal_is_not_believed")]
    [TestCase(15, 2, TestName = "What_a_parent_says_that_it_heard_of_another_stream_is_not_believed")]
    public void What_a_parent_cannot_have_heard_is_not_believed(long lsn, long epoch)
    {
        var story = new Sender(SenderState.Start(Settings, Life, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed(twist: w => w.CellsHeard = Mark(lsn).ToPosition(Lane.Cells, Life, new Epoch(epoch, 7)))));
        Assert.That(story.Last.OfType<SenderEffect.Report>().Select(r => r.Code), Is.EqualTo(new[] { "WRONG_ANSWER" }));
        Assert.That(story.Last.OfType<SenderEffect.HangUp>(), Is.Not.Empty);
    }

    private static long Proven(Sender story) => story.Last.OfType<SenderEffect.ReadCut>().Single(read => read.Lane == Lane.Cells).Proves.Value;

    [Test]
    public void A_cut_that_stopped_short_is_followed_by_the_next_at_once()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1) with { ReachesHead = false }));
        story.Answer(story.Sent[0], Lane.Cells, 10);
        Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Single().From.Value, Is.EqualTo(10));
    }

    [Test]
    public void The_schedule_sends_an_empty_cut_and_a_nudge_does_not()
    {
        var story = Opened();
        story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1)));
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
        var story = new Sender(SenderState.Start(Settings, Life, Granted, 1, lane => lane == Lane.Cells ? Mark(9) : Mark(8)));
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
        var story = new Sender(SenderState.Start(Settings, Life, new Epoch(2, 6), 2, _ => default));
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
        story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1)));
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
            story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1)));
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
        story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1)));
        var response = Receipt(story.Sent[0].Number, Lane.Cells, 10);
        response.Receipt.Records.Add(new RecordReceipt { Index = 0, Outcome = RecordOutcome.Parked, Code = "CELL_NEGATIVE" });
        story.Step(new SenderInput.Responded(response));
        Assert.That(story.Last.OfType<SenderEffect.ReportRecords>().Single().Records.Single().Code, Is.EqualTo("CELL_NEGATIVE"));
    }

    [Test]
    public void Each_refusal_has_its_word()
    {
        var words = Enum.GetValues<LinkRefusalCode>().Except([LinkRefusalCode.Unspecified]).Select(LinkWords.NameOf).ToArray();
        Assert.That(words, Is.EqualTo(Enum.GetValues<LinkRefusalCode>().Except([LinkRefusalCode.Unspecified]).Select(code => string.Concat(code.ToString().Select((letter, at) => at > 0 && char.IsUpper(letter) ? $"_{letter}" : $"{letter}")).ToUpperInvariant())));
    }

    [Test]
    public void A_gap_is_read_again_three_times_and_then_the_next_welcome_decides()
    {
        var story = Opened();
        for (var i = 0; i < 4; i++)
        {
            story.Step(new SenderInput.CutReady(CellsCut(0, 10, 1)));
            var gap = new LinkRefusal { Code = LinkRefusalCode.Gap, Lane = Lane.Cells, Position = default(StreamMark).ToPosition(Lane.Cells, Life, Granted) };
            story.Step(new SenderInput.Responded(new ConnectResponse { Number = story.Sent[^1].Number, Refusal = gap }));
            Assert.That(story.Last.OfType<SenderEffect.ReadCut>().Count(), Is.EqualTo(i < 3 ? 1 : 0));
            Assert.That(story.Last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(i < 3 ? 0 : 1));
        }
    }
}
