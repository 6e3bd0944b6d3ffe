using System.Globalization;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>
/// The child's side of the link as a pure function (protocol/README.md, clauses L1 to L17). It believes the parent about the parent's own
/// position, and only in a welcome; every other answer must be the one that was due, or the connection ends.
/// </summary>
public static partial class LinkSender
{
    public static (SenderState State, IReadOnlyList<SenderEffect> Effects) Step(SenderState state, SenderInput input, Instant now)
    {
        var turn = new Turn(state, now);
        turn.Take(input);
        return (turn.State, turn.Effects);
    }

    private sealed partial class Turn(SenderState state, Instant now)
    {
        public SenderState State { get; private set; } = state;

        public List<SenderEffect> Effects { get; } = [];

        public void Take(SenderInput input)
        {
            switch (input)
            {
                case SenderInput.Woken:
                    State = State with { Alarm = null };
                    break;
                case SenderInput.PushDue due:
                    Set(State.Lane(due.Lane) with { Due = true, EvenIfEmpty = true });
                    State = State with { Ranges = State.Ranges.Pushed() };
                    if (due.IsAsked)
                    {
                        TryAtOnce(keepsPause: false);
                    }

                    break;
                case SenderInput.RangesDue:
                    CompareRanges();
                    break;
                case SenderInput.Nudged nudged:
                    Set(State.Lane(nudged.Lane) with { Due = true });
                    Hurry();
                    if (nudged.IsAlarm)
                    {
                        TryAtOnce(keepsPause: true);
                    }

                    break;
                case SenderInput.Connected connected:
                    SayHello(connected);
                    break;
                case SenderInput.Disconnected disconnected:
                    Rest(disconnected);
                    break;
                case SenderInput.Responded responded:
                    Hear(responded.Response);
                    break;
                case SenderInput.CutReady ready:
                    TakeCut(ready.Cut);
                    break;
                case SenderInput.ReceiptStored stored:
                    Set(State.Lane(stored.Lane) with { Acked = stored.Mark });
                    break;
                case SenderInput.OrdersTaken taken:
                    TellOfOrders(taken);
                    break;
                case SenderInput.PackageAnswered answered:
                    TellOfPackage(answered.Receipt);
                    break;
                case SenderInput.ResultReady ready:
                    TakeResult(ready);
                    break;
                case SenderInput.EpochStored stored:
                    EpochIsDurable(stored.Epoch);
                    break;
                case SenderInput.EpochHeld held:
                    HoldEpoch(held.Epoch);
                    HoldParent(held.Parent, held.ParentEpoch);
                    break;
                case SenderInput.ParentForgotten:
                    State = State with { ParentEpoch = Epoch.NotGranted, NotBefore = State.Phase == SenderPhase.Resting ? now : State.NotBefore };
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(input), input, "An unknown input.");
            }

            Advance();
        }

        /// <summary>Does whatever the state allows: dial, read, send, or set the alarm for later.</summary>
        private void Advance()
        {
            if (State.Phase == SenderPhase.Resting)
            {
                // A pause longer than any that is ever taken means that the wall clock was set back since: it is over (RULE-11).
                if (State.NotBefore > now && State.NotBefore - now <= State.Settings.PauseMost)
                {
                    Arm(State.NotBefore);
                    return;
                }

                Effects.Add(new SenderEffect.Dial());
                State = State with { Phase = SenderPhase.Dialling, DialledAt = now, AnswerBy = now + State.Settings.AnswerWait };
            }

            if (State.AnswerBy is { } set && set - now > State.Settings.AnswerWait)
            {
                State = State with { AnswerBy = now + State.Settings.AnswerWait, Alarm = null };
            }

            if (State.AnswerBy is { } by && by <= now && State.Phase is SenderPhase.Dialling or SenderPhase.Greeting or SenderPhase.TakingEpoch or SenderPhase.Open)
            {
                var wait = State.Settings.AnswerWait.TotalSeconds.ToString(CultureInfo.InvariantCulture);
                HangUp(State.Phase == SenderPhase.TakingEpoch ? $"This node did not make its epoch durable within {wait} s; it greets its parent anew." : $"The parent did not answer within {wait} s.");
            }

            if (State.Phase == SenderPhase.Open)
            {
                foreach (var lane in State.Lanes)
                {
                    ReadCuts(lane);
                }

                SendParts();
            }

            if (State.AnswerBy is { } waiting && State.Phase != SenderPhase.Closing)
            {
                Arm(waiting);
            }
        }

        private void Rest(SenderInput.Disconnected disconnected)
        {
            var failures = Math.Min(State.Failures + 1, 30);
            var most = Backoff.Most(State.Settings, failures);
            var isSpread = State.RedialWithin > most;
            State = State with
            {
                Phase = SenderPhase.Resting,
                Failures = failures,
                NotBefore = now + State.Pause + Backoff.Drawn(Duration.Max(most, State.RedialWithin), disconnected.Draw),
                NotBeforeUrgent = isSpread ? now + State.Pause + Backoff.Drawn(most, disconnected.Draw) : null,
                PausedUntil = now + State.Pause,
                Pause = Duration.Zero,
                AnswerBy = null,
                UnderWay = [],
                Pace = State.Pace.Reconnected(),
                Answers = new AnswersState(),
            };
            foreach (var lane in State.Lanes)
            {
                Set(lane with { Phase = LanePhase.Idle, Cut = null, Sent = 0, Gaps = 0, Pass = 0, IsBehind = false, Due = lane.Due || lane.Phase != LanePhase.Idle });
            }

            Hurry();
        }

        /// <summary>What cannot wait does not wait until all children of the parent have had time to come back.</summary>
        private void Hurry()
        {
            if (State is { Phase: SenderPhase.Resting, IsUrgent: true, NotBeforeUrgent: { } urgent } && urgent < State.NotBefore)
            {
                State = State with { NotBefore = urgent, NotBeforeUrgent = null };
            }
        }

        /// <summary>
        /// The parent may be there again long before the back-off is over, and an alarm does not wait to find that out: each one is a try, of which there is one in a
        /// while. A pause that the parent asked for is kept, unless a person wants it tried.
        /// </summary>
        private void TryAtOnce(bool keepsPause)
        {
            if (State.Phase != SenderPhase.Resting)
            {
                return;
            }

            var next = State.DialledAt is { } dialled && dialled <= now ? Instant.Max(now, dialled + State.Settings.AlarmTriesApart) : now;
            var at = keepsPause && State.PausedUntil - now <= State.Settings.PauseMost ? Instant.Max(next, State.PausedUntil) : next;
            if (at < State.NotBefore)
            {
                State = State with { NotBefore = at };
            }
        }

        private void Hear(ConnectResponse response)
        {
            switch (response.FrameCase)
            {
                case ConnectResponse.FrameOneofCase.Welcome when State.Phase == SenderPhase.Greeting && response.Number == State.Number:
                    HearWelcome(response.Welcome);
                    break;
                case ConnectResponse.FrameOneofCase.Receipt when State.Phase == SenderPhase.Open:
                    HearReceipt(response.Number, response.Receipt);
                    break;
                case ConnectResponse.FrameOneofCase.Orders when State is { Phase: SenderPhase.Open or SenderPhase.TakingEpoch, Speaks: >= 2, Settings.Kind: ParentKind.Territorial }:
                    Effects.Add(new SenderEffect.TakeOrders(response.Orders, State.Parent!.Value));
                    break;
                case ConnectResponse.FrameOneofCase.Package when State is { Phase: SenderPhase.Open or SenderPhase.TakingEpoch, Speaks: >= 2, Settings.Kind: ParentKind.Territorial }:
                    Effects.Add(new SenderEffect.TakePackage(response.Package, State.Parent!.Value));
                    break;
                case ConnectResponse.FrameOneofCase.ReachQuery when State is { Phase: SenderPhase.Open or SenderPhase.TakingEpoch, Speaks: >= 2 }:
                    Effects.Add(new SenderEffect.TakeQuery(response.ReachQuery));
                    break;
                case ConnectResponse.FrameOneofCase.ReachTaken when State.Phase == SenderPhase.Open:
                    HearTaken(response.Number);
                    break;
                case ConnectResponse.FrameOneofCase.Refusal when State.Phase is SenderPhase.Greeting or SenderPhase.Open:
                    HearRefusal(response.Number, response.Refusal);
                    break;
                default:
                    // Answered before, or never asked.
                    break;
            }
        }

        private void ReadCuts(LaneState lane)
        {
            // As with dialling, a pause longer than any that is ever taken is one of a clock that was set back since.
            if (lane is { Due: true, Phase: LanePhase.Idle, NotBefore: { } pause } && pause > now && pause - now <= State.Settings.RetryAfterMost)
            {
                Arm(pause);
            }
            else if (lane is { Due: true, Phase: LanePhase.Idle } && State.Carries(lane))
            {
                Effects.Add(new SenderEffect.ReadCut(lane.Lane, lane.From.Lsn, State.Grains, lane.EvenIfEmpty, State.Pace.PartBytes)
                {
                    AlarmsApart = State.Carries(State.Alarms),
                    Proves = lane.Heard,
                    Ranges = lane.Lane == Lane.Cells && State.Speaks >= 2 ? State.Ranges.Wish : null,
                });
                Set(lane with { Phase = LanePhase.Reading, Due = false, NotBefore = null, Refused = string.Empty });
            }
        }

        /// <summary>Whether the chain at the start is the one that the parent knows is for the parent to say: it is the one who must set this node aside (L8).</summary>
        private void TakeCut(Cut cut)
        {
            var lane = State.Lane(cut.Lane);
            if (State.Phase != SenderPhase.Open || lane.Phase != LanePhase.Reading || cut.From.Lsn != lane.From.Lsn)
            {
                return;
            }

            Set(cut.Parts.Count == 0
                ? lane with { Phase = LanePhase.Idle, Due = lane.Due || !cut.ReachesHead, IsBehind = false }
                : lane with { Phase = LanePhase.Sending, Cut = cut, Sent = 0, EvenIfEmpty = false, Pass = lane.IsBehind ? lane.Pass : Joined(lane) });
        }

        /// <summary>A lane that was quiet has saved nothing up, and owes nothing: it joins where the others are.</summary>
        private long Joined(LaneState lane) => PassesOfOthers().DefaultIfEmpty(lane.Pass).Min();

        /// <summary>Of the lanes that have something to send, or had and only wait for an answer before they go on.</summary>
        private IEnumerable<long> PassesOfOthers() =>
            State.Lanes.Where(other => other.Phase == LanePhase.Sending || other.IsBehind).Select(other => other.Pass).Concat(State.Answers.Results.IsEmpty ? [] : [State.Answers.Pass]);

        /// <summary>Part by part, of the lane whose turn it is; number and bytes of the parts under way are bounded over all lanes together (L14).</summary>
        private void SendParts()
        {
            if (State.Answers.Results.Exists(result => result.Until < now))
            {
                // Nobody waits for these any more; the line has better to carry.
                State = State with { Answers = State.Answers with { Results = State.Answers.Results.RemoveAll(result => result.Until < now) } };
            }

            while (State.UnderWay.Count < State.Settings.PartsUnderWayMax)
            {
                var next = NextLane();
                if (State.Answers.Results is [var result, ..] && !(next?.Pass <= State.Answers.Pass))
                {
                    if (!SendPiece(result))
                    {
                        return;
                    }

                    continue;
                }

                if (next is not { } lane)
                {
                    return;
                }

                var part = lane.Cut!.Parts[lane.Sent];
                if (!State.Pace.Allows(State.UnderWay.Sum(o => (long)o.Bytes), part.Bytes, State.Credit))
                {
                    return;
                }

                var request = new ConnectRequest { Number = NextNumber() };
                if (part.Cells is not null)
                {
                    request.Cells = part.Cells;
                }
                else
                {
                    request.Escalations = part.Escalations;
                }

                Effects.Add(new SenderEffect.Send(request));
                State = State with
                {
                    UnderWay = State.UnderWay.Add(new Outstanding(request.Number, lane.Lane, lane.Sent, part.Bytes, now)),
                    AnswerBy = State.AnswerBy ?? (now + State.Settings.AnswerWait),
                };
                Set(lane with { Sent = lane.Sent + 1, Pass = lane.Pass + (part.Bytes / lane.Weight) });
            }
        }

        /// <summary>The lane that has had the least of the line for its weight; of two that had the same, the one that goes first.</summary>
        private LaneState? NextLane() => State.Lanes.Where(HasUnsent).MinBy(lane => lane.Pass);

        /// <summary>A parent that names no credit speaks protocol 1 and sets none.</summary>
        private static long CreditOf(long named) => named <= 0 ? Pace.Most : named;

        private static bool HasUnsent(LaneState lane) => lane is { Phase: LanePhase.Sending, Cut: { } cut } && lane.Sent < cut.Parts.Count;

        private void HearReceipt(long number, Receipt receipt)
        {
            if (State.UnderWay.Find(o => o.Number == number && o.Lane != Lane.Unspecified) is not { } asked)
            {
                return;
            }

            var lane = State.Lane(asked.Lane);
            var part = lane.Cut!.Parts[asked.Part];
            if (receipt.Lane != asked.Lane || receipt.Position?.Lane != asked.Lane || !receipt.Position.IsOf(State.Incarnation, State.Epoch)
                || !StreamMark.TryRead(receipt.Position.Lsn, receipt.Position.ChainHash, out var applied) || applied != part.After)
            {
                Disbelieve($"The parent's receipt was not believed: {part.After.Lsn} was due, it says {receipt.Position?.Lsn}.", Duration.Zero);
                return;
            }

            // A receiver applies the parts of a lane in order, so a receipt speaks for those before it too.
            var wasFull = State.Lanes.Any(HasUnsent) || !State.Answers.Results.IsEmpty;
            var left = State.UnderWay.RemoveAll(o => o.Lane == asked.Lane && o.Number <= number);
            var answered = State.UnderWay.Sum(o => (long)o.Bytes) - left.Sum(o => (long)o.Bytes);
            State = State with
            {
                UnderWay = left,
                AnswerBy = left.IsEmpty ? null : now + State.Settings.AnswerWait,
                Failures = 0,
                Pace = State.Pace.After(asked.SentAt, now, answered, wasFull),
                Credit = CreditOf(receipt.WindowBytes),
                ParkedAbove = receipt.ParkedInAll,
            };
            if (receipt.Records.Count > 0)
            {
                Effects.Add(new SenderEffect.ReportRecords(asked.Lane, applied, [.. receipt.Records]));
                lane = lane with { Problems = lane.Problems.AddRange(receipt.Records.Take(ParentRecord.ProblemsMax - lane.Problems.Count)) };
            }

            var done = asked.Part == lane.Cut!.Parts.Count - 1;
            if (applied != lane.From || done)
            {
                Effects.Add(new SenderEffect.StoreReceipt(asked.Lane, applied) { Problems = lane.Problems });
                lane = lane with { Problems = [] };
            }

            HearRanges(done ? lane.Cut!.Ranges : null, receipt);
            Set(done
                ? lane with { From = applied, Heard = HeardWith(lane), Gaps = 0, Phase = LanePhase.Idle, Cut = null, Sent = 0, Due = lane.Due || !lane.Cut!.ReachesHead, IsBehind = lane.Due || !lane.Cut!.ReachesHead }
                : lane with { From = applied, Gaps = 0 });
            if (asked.Lane == Lane.Cells && State.Speaks >= 2 && State.Ranges.IsGoingOn)
            {
                Set(State.Cells with { Due = true });
            }
        }

        private void CompareRanges()
        {
            State = State with { Ranges = State.Ranges.Asked(now) };
            Set(State.Cells with { Due = true });
        }

        private void HearRanges(RangeWords? said, Receipt receipt)
        {
            if (said is not null)
            {
                State = State with { Ranges = State.Ranges.Heard(said, receipt.Ranges, now) };
                if (!State.Ranges.IsGoingOn && State.Ranges.Report() is { } report)
                {
                    Effects.Add(new SenderEffect.Report(report.Code, report.Message));
                }
            }

            if (receipt.AskRanges)
            {
                CompareRanges();
            }
        }

        /// <summary>To a connection that has ended meanwhile nothing is told: the next hello says where this node stands.</summary>
        private void TellOfOrders(SenderInput.OrdersTaken taken)
        {
            if (taken.Answer.Refusal == LinkRefusalCode.Fork)
            {
                Effects.Add(new SenderEffect.Report("FORK", $"The parent's orders were not taken: {taken.Answer.Message} It may have been restored without --restored."));
            }

            if (State.Phase is SenderPhase.Open or SenderPhase.TakingEpoch)
            {
                Effects.Add(new SenderEffect.Send(new ConnectRequest
                {
                    OrdersReceipt = new OrdersReceipt { Number = taken.Number, Position = taken.Answer.Position, Refusal = taken.Answer.Refusal, Message = taken.Answer.Message },
                }));
            }
        }

        /// <summary>As with orders. One that is refused is the operator's to know of: a package of this tree was meant to be followed.</summary>
        private void TellOfPackage(PackageChunkReceipt receipt)
        {
            if (receipt.Outcome == PackageOutcome.Refused)
            {
                Effects.Add(new SenderEffect.Report(receipt.Code, receipt.Message));
            }

            if (State.Phase is SenderPhase.Open or SenderPhase.TakingEpoch)
            {
                Effects.Add(new SenderEffect.Send(new ConnectRequest { PackageReceipt = receipt }));
            }
        }

        private void HearRefusal(long number, LinkRefusal refusal)
        {
            var greeting = State.Phase == SenderPhase.Greeting;
            var asked = State.UnderWay.Find(o => o.Number == number);
            if (greeting ? number != State.Number : asked is null)
            {
                return;
            }

            if (refusal.Code == LinkRefusalCode.Gap && asked is { Lane: not Lane.Unspecified })
            {
                HearGap(State.Lane(asked.Lane), refusal);
                return;
            }

            var busy = Duration.Min(Duration.FromMilliseconds(Math.Clamp(refusal.RetryAfterMs, 0, 86_400_000)), State.Settings.RetryAfterMost);
            if (refusal.Code == LinkRefusalCode.Busy && asked is { Lane: not Lane.Unspecified } && refusal.Lane == asked.Lane)
            {
                // The others go on: what cannot wait never stands behind what the parent has no room for now.
                SendAgain(State.Lane(asked.Lane) with { NotBefore = now + busy, Refused = refusal.Message });
                return;
            }

            var patience = refusal.Code switch
            {
                LinkRefusalCode.Busy => busy,
                LinkRefusalCode.NoSession => Duration.Zero,
                _ => State.Settings.RefusedPause,
            };
            State = State with { Pause = patience };
            if (refusal.Code is not (LinkRefusalCode.Busy or LinkRefusalCode.NoSession))
            {
                Effects.Add(new SenderEffect.Report(LinkWords.NameOf(refusal.Code), $"The parent refused: {refusal.Message}"));
            }

            HangUp($"The parent refused: {LinkWords.NameOf(refusal.Code)}. {refusal.Message}".TrimEnd());
        }

        /// <summary>A part was lost on the way: the lane is read again from where the parent stands, which within a connection is where we thought.</summary>
        private void HearGap(LaneState lane, LinkRefusal refusal)
        {
            var stands = refusal.Position.IsOf(State.Incarnation, State.Epoch)
                && StreamMark.TryRead(refusal.Position.Lsn, refusal.Position.ChainHash, out var mark) && mark == lane.From;
            if (!stands || lane.Gaps + 1 > State.Settings.GapsMax)
            {
                Disbelieve($"The parent asks for {refusal.Position?.Lsn}, this node is at {lane.From.Lsn}; the next welcome decides.", Duration.Zero);
                return;
            }

            SendAgain(lane with { Gaps = lane.Gaps + 1 });
            if (TryReadHeard(refusal.CellsHeard, State.Epoch, out var heard))
            {
                Set(State.Lane(lane.Lane) with { Heard = heard });
            }
        }

        /// <summary>
        /// Nothing of the lane is under way any more; it is read again from where the parent stands. Cells that were on their way go again even if there are none of
        /// them: a first cut without any says that nothing of an earlier life holds any more (L12).
        /// </summary>
        private void SendAgain(LaneState lane)
        {
            var left = State.UnderWay.RemoveAll(o => o.Lane == lane.Lane);
            State = State with { UnderWay = left, AnswerBy = left.IsEmpty ? null : State.AnswerBy };
            Set(lane with
            {
                Phase = LanePhase.Idle,
                Cut = null,
                Sent = 0,
                Due = true,
                EvenIfEmpty = lane.EvenIfEmpty || lane is { Lane: Lane.Cells, Sent: > 0 },
                Heard = lane.Sent > 0 ? HeardWith(lane) : lane.Heard,
            });
        }

        /// <summary>How far the parent may have heard the lane once its cut is there.</summary>
        private static Lsn HeardWith(LaneState lane) => lane.Cut is { } cut && cut.ReadAt > lane.Heard ? cut.ReadAt : lane.Heard;

        private void Disbelieve(string message, Duration pause)
        {
            Effects.Add(new SenderEffect.Report("WRONG_ANSWER", message));
            State = State with { Pause = pause };
            HangUp(message);
        }

        private void HangUp(string reason)
        {
            Effects.Add(new SenderEffect.HangUp(reason));
            State = State with { Phase = SenderPhase.Closing, AnswerBy = null };
        }

        private void Arm(Instant at)
        {
            if (State.Alarm is { } armed && armed <= at)
            {
                return;
            }

            Effects.Add(new SenderEffect.WakeAt(at));
            State = State with { Alarm = at };
        }

        private long NextNumber()
        {
            State = State with { Number = State.Number + 1 };
            return State.Number;
        }

        private void Set(LaneState lane) => State = State.With(lane);
    }
}
