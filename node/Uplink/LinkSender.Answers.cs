using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Node.Uplink;
/// <summary>Answers to the parent's queries, in pieces beside the lanes (clause P5).</summary>
public static partial class LinkSender
{
    private sealed partial class Turn
    {
        /// <summary>The next piece of a result, cut to what the line carries; false where the line is full.</summary>
        private bool SendPiece(UnsentResult result)
        {
            var length = Math.Min(State.Pace.PartBytes, result.Content.Length - result.Sent);
            var request = new ConnectRequest
            {
                Number = State.Number + 1,
                ReachAnswer = new ReachAnswer
                {
                    Id = result.Query,
                    Result = result.Number,
                    Offset = result.Sent,
                    Total = result.Content.Length,
                    Content = ByteString.CopyFrom(result.Content.Span.Slice(result.Sent, length)),
                },
            };
            var bytes = request.ReachAnswer.CalculateSize();
            if (!State.Pace.Allows(State.UnderWay.Sum(o => (long)o.Bytes), bytes, State.Credit))
            {
                return false;
            }

            NextNumber();
            Effects.Add(new SenderEffect.Send(request));
            var sent = result with { Sent = result.Sent + length };
            State = State with
            {
                UnderWay = State.UnderWay.Add(new Outstanding(request.Number, Lane.Unspecified, 0, bytes, now)),
                AnswerBy = State.AnswerBy ?? (now + State.Settings.AnswerWait),
                Answers = State.Answers with
                {
                    Results = sent.Sent == sent.Content.Length ? State.Answers.Results.RemoveAt(0) : State.Answers.Results.SetItem(0, sent),
                    Pass = State.Answers.Pass + (bytes / AnswersState.Weight),
                },
            };
            return true;
        }

        /// <summary>To a connection that has ended meanwhile nothing is told: whoever asked has given this node up.</summary>
        private void TakeResult(SenderInput.ResultReady ready)
        {
            if (State is not { Phase: SenderPhase.Open or SenderPhase.TakingEpoch, Speaks: >= 2 })
            {
                return;
            }

            var content = ready.Result.ToByteString();
            if (State.Answers.Bytes + content.Length > AnswersState.BytesMax)
            {
                content = WithoutAnswers(ready.Result).ToByteString();
            }

            var pass = State.Answers.Results.IsEmpty ? PassesOfOthers().DefaultIfEmpty(State.Answers.Pass).Min() : State.Answers.Pass;
            var query = Hub.Orders.OrderId.ToBytes(ready.Query);
            State = State with { Answers = new AnswersState { Results = State.Answers.Results.Add(new UnsentResult(query, ready.Number, content, 0, ready.Until)), Pass = pass } };
        }

        /// <summary>What is told where the line is so far behind that answers find no room to wait for it.</summary>
        private static ReachResult WithoutAnswers(ReachResult result)
        {
            var told = result.Clone();
            foreach (var part in told.Parts.Where(part => part.Code.Length == 0))
            {
                (part.Answer, part.Code) = (ByteString.Empty, Hub.Reach.ReachCodes.LineBusy);
                part.Message = $"{part.Node} has answered, and {AnswersState.BytesMax} bytes of other answers wait for the line above it. Ask again later, or for less.";
            }

            return told;
        }

        private void HearTaken(long number)
        {
            if (State.UnderWay.Find(o => o.Number == number && o.Lane == Lane.Unspecified) is not { } asked)
            {
                return;
            }

            // Pieces are taken in the order in which they came, as parts of a lane are.
            var wasFull = State.Lanes.Any(HasUnsent) || !State.Answers.Results.IsEmpty;
            var left = State.UnderWay.RemoveAll(o => o.Lane == Lane.Unspecified && o.Number <= number);
            var answered = State.UnderWay.Sum(o => (long)o.Bytes) - left.Sum(o => (long)o.Bytes);
            State = State with
            {
                UnderWay = left,
                AnswerBy = left.IsEmpty ? null : now + State.Settings.AnswerWait,
                Failures = 0,
                Pace = State.Pace.After(asked.SentAt, now, answered, wasFull),
            };
        }
    }
}
