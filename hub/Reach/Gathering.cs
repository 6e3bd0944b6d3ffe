using System.Collections.Immutable;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Load;
using CityGrid.Hub.Orders;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Reach;

/// <summary>
/// Queries on their way down and answers on their way up, as a pure function (clauses P1 to P7). Time is the monotonic clock's, since any beginning: a wall
/// clock that is put right ends no query and keeps none. Nothing of it is durable; a node that starts anew has no query under way.
/// </summary>
public static class Gathering
{
    /// <summary>Queries under way at a node, its own and those that pass. Each is at most one frame waiting on each connection.</summary>
    public const int UnderWayMax = 32;

    /// <summary>Bytes of answers that a node keeps for those who asked it, all queries together.</summary>
    public const long GatheredMax = 32 << 20;

    /// <summary>How much longer than its child a node waits, at most: so long after its time a child's answer may still be of use.</summary>
    public static readonly Duration MarginMost = Duration.FromSeconds(1);

    public static (GatheringState State, IReadOnlyList<GatheringEffect> Effects) Step(GatheringState state, GatheringInput input, Duration now)
    {
        var turn = new Turn(state, now);
        turn.Take(input);
        return (turn.State, turn.Effects);
    }

    /// <summary>
    /// What of the time that is left a child is given: an eighth stays for the way there and back, at least 20 milliseconds and at most a second. Zero where
    /// nothing would be left.
    /// </summary>
    public static Duration ForChild(Duration left)
    {
        var margin = Duration.Min(Duration.Max(left / 8, Duration.FromMilliseconds(20)), MarginMost);

        // It travels in whole milliseconds.
        return Duration.FromMilliseconds(Math.Max(0, (long)Math.Floor((left - margin).TotalMilliseconds) - 1));
    }

    private sealed class Turn(GatheringState state, Duration now)
    {
        public GatheringState State { get; private set; } = state;

        public List<GatheringEffect> Effects { get; } = [];

        public void Take(GatheringInput input)
        {
            switch (input)
            {
                case GatheringInput.Asked asked:
                    Ask(asked);
                    break;
                case GatheringInput.Heard heard:
                    Hear(heard);
                    break;
                case GatheringInput.ItselfAnswered itself when State.Runs.GetValueOrDefault(itself.Id) is { AwaitsItself: true } run:
                    Set(run with { AwaitsItself = false, Parts = run.Parts.Add(itself.Part), Bytes = run.Bytes + itself.Part.CalculateSize() });
                    break;
                case GatheringInput.Answered answered:
                    Hear(answered);
                    break;
                case GatheringInput.Left left:
                    Leave(left.Child);
                    break;
                case GatheringInput.ParentLeft:
                    State = State with { Runs = State.Runs.RemoveRange(State.Runs.Values.Where(run => !run.IsOwn).Select(run => run.Id)) };
                    break;
                case GatheringInput.Woken:
                    State = State with { Alarm = null };
                    break;
                default:
                    // Answered before, or of a query that has ended.
                    break;
            }

            Advance();
        }

        /// <summary>Ends what is over, passes on what has come, and sets the alarm for what still waits.</summary>
        private void Advance()
        {
            foreach (var run in State.Runs.Values)
            {
                var at = run.Until <= now ? Expired(run) : run;
                if (at.Waiting.IsEmpty && !at.AwaitsItself)
                {
                    End(at);
                }
                else if (!at.IsOwn && !at.Parts.IsEmpty)
                {
                    // What has come goes on at once, so that whoever answers late costs nobody else his answer.
                    foreach (var part in at.Parts)
                    {
                        at = at with { Results = at.Results + 1 };
                        Effects.Add(new GatheringEffect.Reply(at.Id, at.Results, new ReachResult { Parts = { part } }, at.Until + MarginMost));
                    }

                    Set(at with { Parts = [], Bytes = 0 });
                }
            }

            if (!State.Runs.IsEmpty && State.Runs.Values.Min(run => run.Until) is var next && !(State.Alarm <= next))
            {
                State = State with { Alarm = next };
                Effects.Add(new GatheringEffect.WakeAt(next));
            }
        }

        private void Ask(GatheringInput.Asked asked)
        {
            var (query, ground) = (asked.Query, asked.Ground);
            var question = QuestionOf(query);
            if (State.Runs.Values.FirstOrDefault(run => run.IsOwn && run.Question == question) is { } same)
            {
                Set(same with { Callers = same.Callers.Add(asked.Caller) });
            }
            else if (Busy(ground) is { } busy)
            {
                Effects.Add(new GatheringEffect.Refuse(asked.Caller, busy));
            }
            else
            {
                Begin(new ReachRun(OrderId.Of(query.Id), query, question, now + Duration.FromMilliseconds(query.RemainingMs)) { IsOwn = true, Callers = [asked.Caller] }, ground);
            }
        }

        private void Hear(GatheringInput.Heard heard)
        {
            var (query, ground) = (heard.Query, heard.Ground);
            var id = OrderId.Of(query.Id);
            if (id == UInt128.Zero || State.Runs.ContainsKey(id))
            {
                return;
            }

            var run = new ReachRun(id, query, QuestionOf(query), now + Duration.FromMilliseconds(Math.Clamp(query.RemainingMs, 0, (long)ReachShape.WaitMost.TotalMilliseconds)));
            if (ReachShape.Fault(query) is { } fault)
            {
                Decline(run, ground, new Refusal(ReachCodes.Malformed, $"The query's {fault} is none that {ground.Node} takes."));
                return;
            }

            // The same asker asks the same again: it has started anew and waits for the first one no more.
            State = State with { Runs = State.Runs.RemoveRange(State.Runs.Values.Where(other => !other.IsOwn && other.Question == run.Question).Select(other => other.Id)) };
            if ((ReachPlan.Refused(ground, query) ?? Busy(ground)) is { } refusal)
            {
                Decline(run, ground, refusal);
            }
            else
            {
                Begin(run, ground);
            }
        }

        private Refusal? Busy(ReachGround ground) => ground.Shed ?? (State.Runs.Count < UnderWayMax ? null : new Refusal(
            Shedding.Busy, $"{UnderWayMax} queries are under way at {ground.Node}, and it takes no more at once; ask again in a few seconds."));

        /// <summary>The node says why it does not follow a query, and nothing below it is asked.</summary>
        private void Decline(ReachRun run, ReachGround ground, Refusal refusal)
        {
            var division = run.Target.IsNone ? ground.Division : run.Target;
            var declined = new ReachMissing
            {
                Division = division.ToString(),
                Node = ground.Node.ToString(),
                Code = refusal.Code,
                Message = refusal.Message,
                Origins = ReachPlan.OriginsIn(ground.Register, division),
            };
            End(run with { Missing = [declined] });
        }

        private void Begin(ReachRun run, ReachGround ground)
        {
            var plan = ReachPlan.Of(ground, run.Target, run.Query.AllBelow);
            var waiting = ImmutableSortedDictionary.CreateBuilder<NodeId, ReachWaiting>();
            var missing = run.Missing.AddRange(plan.Missing).ToBuilder();
            var left = ForChild(run.Until - now);
            foreach (var (child, target, origins) in plan.Asked)
            {
                var one = new ReachWaiting(child, target, origins, ReachPieces.None);
                if (Unreachable(child, left, run.Until - now) is { } why)
                {
                    missing.Add(one.Missing(why));
                    continue;
                }

                var query = run.Query.Clone();
                query.TargetDivision = target.ToString();
                query.RemainingMs = (long)left.TotalMilliseconds;
                query.Held.Clear();
                query.Held.AddRange(run.Query.Held.Where(held => DivisionCode.TryParse(held.Division, out var at) && ground.Register.IsAtOrBelow(at, target)));
                waiting.Add(child.Node, one);
                Effects.Add(new GatheringEffect.AskChild(child.Node, query));
            }

            Set(run with { Waiting = waiting.ToImmutable(), Missing = missing.ToImmutable(), AwaitsItself = plan.AsksItself });
            if (plan.AsksItself)
            {
                Effects.Add(new GatheringEffect.AnswerItself(run.Id, run.Query, run.Target));
            }
        }

        private static Refusal? Unreachable(ReachChild child, Duration forChild, Duration left) => child.Standing switch
        {
            ReachStanding.Absent => new Refusal(ReachCodes.NotConnected, child.LastHeard is { } heard
                ? $"{child.Node} is not connected; it was last heard of at {NodaTime.Text.InstantPattern.General.Format(heard)}."
                : $"{child.Node} is not connected and was never heard of."),
            ReachStanding.OldProtocol => new Refusal(ReachCodes.ProtocolOld, $"{child.Node} is connected in a protocol that knows no queries. Upgrade it."),
            ReachStanding.TakesNone => new Refusal(ReachCodes.TakesNoQueries, $"{child.Node} reports here beside its own tree, and only that may ask it."),
            _ => forChild > Duration.Zero ? null : new Refusal(ReachCodes.TooLate, $"{child.Node} was not asked: {(long)left.TotalMilliseconds} ms were left."),
        };

        private void Hear(GatheringInput.Answered answered)
        {
            var id = OrderId.Of(answered.Piece.Id);
            if (State.Runs.GetValueOrDefault(id) is not { } run || !run.Waiting.TryGetValue(answered.Child, out var child))
            {
                return;
            }

            var pieces = child.Pieces.With(answered.Piece, out var result);
            if (pieces is null || result is { Parts.Count: > 1 })
            {
                Set(run.Without(child, new Refusal(ReachCodes.Malformed, $"What {child.Child.Node} sent as its answer is none.")));
                return;
            }

            if (result is not null)
            {
                if (Outside(result, child.Target, answered.Register) is { } stranger)
                {
                    // That alone is left out: its register, or this one, may be of another day, and the others' answers are sound.
                    run = run with
                    {
                        Missing = run.Missing.Add(child.Missing(new Refusal(
                            ReachCodes.Denied, $"{child.Child.Node} spoke of {Short(stranger)}, which does not lie at or below {child.Target} in the register of {State.Node}; that was left out. Compare their registers."))),
                    };
                }

                run = With(run, Within(result, child.Target, answered.Register));
            }

            child = child with { Pieces = pieces, NamesPlaces = child.NamesPlaces || result is { Parts.Count: > 0 } or { Missing.Count: > 0 } };
            Set(!pieces.IsComplete ? run with { Waiting = run.Waiting.SetItem(answered.Child, child) }
                : child.NamesPlaces || child.Origins == 0 ? run with { Waiting = run.Waiting.Remove(answered.Child) }
                : run.Without(child, new Refusal(ReachCodes.Malformed, $"The answer of {child.Child.Node} is whole and names no place.")));
        }

        /// <summary>Of what a child says, what lies outside the place that it was asked about: it speaks for nobody else.</summary>
        private static string? Outside(ReachResult result, DivisionCode target, DivisionRegister register) =>
            result.Parts.Select(part => part.Division).Concat(result.Missing.Select(missing => missing.Division)).FirstOrDefault(code => !IsWithin(code, target, register));

        private static ReachResult Within(ReachResult result, DivisionCode target, DivisionRegister register) => new()
        {
            Parts = { result.Parts.Where(part => IsWithin(part.Division, target, register)) },
            Missing = { result.Missing.Where(missing => IsWithin(missing.Division, target, register)) },
        };

        private static bool IsWithin(string code, DivisionCode target, DivisionRegister register) =>
            DivisionCode.TryParse(code, out var division) && register.IsAtOrBelow(division, target);

        private static string Short(string text) => text.Length <= DivisionCode.LengthMax ? text : text[..DivisionCode.LengthMax] + "…";

        private ReachRun With(ReachRun run, ReachResult result)
        {
            var gathered = State.Runs.Values.Where(one => one.IsOwn).Sum(one => one.Bytes);
            foreach (var part in result.Parts.Select(ReachShape.Bounded))
            {
                if (run.IsOwn && run.Parts.Any(known => known.Division == part.Division && known.Node == part.Node))
                {
                    // A place answers once.
                    continue;
                }

                var bytes = part.CalculateSize();
                if (run.IsOwn && gathered + bytes > GatheredMax)
                {
                    run = run with
                    {
                        Missing = run.Missing.Add(new ReachMissing
                        {
                            Division = part.Division,
                            Node = part.Node,
                            Code = ReachCodes.AnswerTooLarge,
                            Message = $"More than {GatheredMax} bytes of answers have come to this node, and this one found no room. Ask fewer places at once, or for less of each.",
                            Origins = 1,
                        }),
                    };
                    continue;
                }

                gathered += bytes;
                run = run with { Parts = run.Parts.Add(part), Bytes = run.Bytes + bytes };
            }

            return run with { Missing = run.Missing.AddRange(result.Missing.Select(ReachShape.Bounded).Take(Math.Max(0, (2 * ReachShape.MissingMax) - run.Missing.Count))) };
        }

        private void Leave(NodeId child)
        {
            foreach (var run in State.Runs.Values)
            {
                if (run.Waiting.TryGetValue(child, out var waiting))
                {
                    Set(run.Without(waiting, new Refusal(ReachCodes.ConnectionEnded, $"The connection of {child} ended before {waiting.HowMuch()} had come.")));
                }
            }
        }

        private ReachRun Expired(ReachRun run)
        {
            foreach (var waiting in run.Waiting.Values)
            {
                run = run.Without(waiting, new Refusal(ReachCodes.TooLate, $"{waiting.Child.Node} did not answer in time: {waiting.HowMuch()} had not come when the time was over."));
            }

            return !run.AwaitsItself ? run : run with
            {
                AwaitsItself = false,
                Missing = run.Missing.Add(new ReachMissing
                {
                    Division = run.Target.ToString(),
                    Node = State.Node.ToString(),
                    Code = ReachCodes.TooLate,
                    Message = $"{State.Node} had not worked out its answer when the time was over.",
                    Origins = 1,
                }),
            };
        }

        private void End(ReachRun run)
        {
            State = State with { Runs = State.Runs.Remove(run.Id) };
            if (run.IsOwn)
            {
                // A place that answered by one way is not missing because another way has nothing of it.
                var answered = run.Parts.Select(part => part.Division).ToHashSet(StringComparer.Ordinal);
                var missing = run.Missing.Where(one => one.Code != ReachCodes.NeverHeard || !answered.Contains(one.Division)).OrderBy(one => one.Division, StringComparer.Ordinal);
                Effects.Add(new GatheringEffect.Finish(run.Callers, new ReachGathered(
                    run.Id,
                    [.. run.Parts.OrderBy(part => part.Division, StringComparer.Ordinal).ThenBy(part => part.Node, StringComparer.Ordinal)],
                    [.. ReachShape.Bounded([.. missing], run.Target)])));
                return;
            }

            var rest = new Queue<ReachPart>(run.Parts);
            while (rest.Count > 1)
            {
                run = run with { Results = run.Results + 1 };
                Effects.Add(new GatheringEffect.Reply(run.Id, run.Results, new ReachResult { Parts = { rest.Dequeue() } }, run.Until + MarginMost));
            }

            var last = new ReachResult { Results = run.Results + 1 };
            last.Parts.AddRange(rest);
            if (last.Parts.Count > 0 && run.Missing.Count > 0)
            {
                // Each result stays within what travels: an answer, or what is missing.
                Effects.Add(new GatheringEffect.Reply(run.Id, last.Results, new ReachResult { Parts = { rest } }, run.Until + MarginMost));
                last = new ReachResult { Results = last.Results + 1 };
            }

            last.Missing.AddRange(ReachShape.Bounded(run.Missing, run.Target));
            Effects.Add(new GatheringEffect.Reply(run.Id, last.Results, last, run.Until + MarginMost));
        }

        /// <summary>Who asks what of whom: the same asker has the same question under way once.</summary>
        private static string QuestionOf(ReachQuery query) =>
            $"{query.Asker}\n{query.Actor}\n{query.TargetDivision}\n{query.AllBelow}\n{(int)query.Kind}\n{Hash256.Of(query.Request.Span)}";

        private void Set(ReachRun run) => State = State with { Runs = State.Runs.SetItem(run.Id, run) };
    }
}

/// <summary>The queries under way at a node.</summary>
public sealed record GatheringState(NodeId Node)
{
    public ImmutableSortedDictionary<UInt128, ReachRun> Runs { get; init; } = ImmutableSortedDictionary<UInt128, ReachRun>.Empty;

    /// <summary>The wake-up that the shell was asked for and has not given yet.</summary>
    public Duration? Alarm { get; init; }
}

/// <summary>A query under way.</summary>
/// <param name="Id">As it was minted where it was asked.</param>
/// <param name="Query">As it came.</param>
/// <param name="Question">Equal for the same asker's same question.</param>
/// <param name="Until">Then it ends with what has come.</param>
public sealed record ReachRun(UInt128 Id, ReachQuery Query, string Question, Duration Until)
{
    /// <summary>Asked here; else by the parent.</summary>
    public bool IsOwn { get; init; }

    /// <summary>Who waits here.</summary>
    public ImmutableList<long> Callers { get; init; } = [];

    public ImmutableSortedDictionary<NodeId, ReachWaiting> Waiting { get; init; } = ImmutableSortedDictionary<NodeId, ReachWaiting>.Empty;

    /// <summary>This node's own answer is being worked out.</summary>
    public bool AwaitsItself { get; init; }

    /// <summary>What has come and has not gone on.</summary>
    public ImmutableList<ReachPart> Parts { get; init; } = [];

    public ImmutableList<ReachMissing> Missing { get; init; } = [];

    /// <summary>Of the answers in <see cref="Parts"/>.</summary>
    public long Bytes { get; init; }

    /// <summary>Results sent up.</summary>
    public int Results { get; init; }

    public DivisionCode Target => DivisionCode.TryParse(Query.TargetDivision, out var target) ? target : default;

    /// <summary>A child is waited for no more.</summary>
    internal ReachRun Without(ReachWaiting child, Refusal why) => this with { Waiting = Waiting.Remove(child.Child.Node), Missing = Missing.Add(child.Missing(why)) };
}

/// <summary>A child that was asked, and what of its answer has come.</summary>
/// <param name="Child">The child.</param>
/// <param name="Target">What it was asked about.</param>
/// <param name="Origins">How many places that keep cases the register expects there.</param>
/// <param name="Pieces">What has come.</param>
public sealed record ReachWaiting(ReachChild Child, DivisionCode Target, int Origins, ReachPieces Pieces)
{
    /// <summary>A place answered in what has come, or was told to be missing.</summary>
    public bool NamesPlaces { get; init; }

    internal string HowMuch() => Pieces.HasAny ? "all of its answer" : "its answer";

    internal ReachMissing Missing(Refusal why) => new()
    {
        Division = Target.ToString(),
        Node = Child.Node.ToString(),
        Code = why.Code,
        Message = why.Message,
        LastHeard = Child.LastHeard?.ToUnixTimeMilliseconds() ?? 0,
        Origins = Origins,
    };
}

/// <summary>What came of a query: each place's answer, and each that did not answer with why. Both in order of division.</summary>
public sealed record ReachGathered(UInt128 Id, IReadOnlyList<ReachPart> Parts, IReadOnlyList<ReachMissing> Missing)
{
    /// <summary>Something asked for is not in it.</summary>
    public bool IsPartial => Missing.Count > 0 || Parts.Any(part => part.Code.Length > 0);
}

/// <summary>What happens to the queries of a node.</summary>
public abstract record GatheringInput
{
    /// <summary>Somebody asks here; <paramref name="Caller"/> names him in <see cref="GatheringEffect.Finish"/>. The query is of sound shape and its target at or below this node.</summary>
    public sealed record Asked(long Caller, ReachQuery Query, ReachGround Ground) : GatheringInput;

    /// <summary>The parent asks.</summary>
    public sealed record Heard(ReachQuery Query, ReachGround Ground) : GatheringInput;

    /// <summary>This node's own answer.</summary>
    public sealed record ItselfAnswered(UInt128 Id, ReachPart Part) : GatheringInput;

    /// <summary>A piece of a child's answer; what the child may speak of is judged by <paramref name="Register"/>.</summary>
    public sealed record Answered(NodeId Child, ReachAnswer Piece, DivisionRegister Register) : GatheringInput;

    /// <summary>The connection of a child has ended.</summary>
    public sealed record Left(NodeId Child) : GatheringInput;

    /// <summary>The connection to the parent has ended: nobody waits for what it asked.</summary>
    public sealed record ParentLeft : GatheringInput;

    /// <summary>The wake-up that was asked for.</summary>
    public sealed record Woken : GatheringInput;
}

/// <summary>What the queries of a node want done.</summary>
public abstract record GatheringEffect
{
    /// <summary>Send the query on the child's own connection; where that is gone, <see cref="GatheringInput.Left"/> comes back.</summary>
    public sealed record AskChild(NodeId Child, ReachQuery Query) : GatheringEffect;

    /// <summary>Work out this node's own answer about the target; comes back as <see cref="GatheringInput.ItselfAnswered"/>.</summary>
    public sealed record AnswerItself(UInt128 Id, ReachQuery Query, DivisionCode Target) : GatheringEffect;

    /// <summary>Tell the parent; it is of no use after <paramref name="Until"/>, when the parent waits no more.</summary>
    public sealed record Reply(UInt128 Id, int Number, ReachResult Result, Duration Until) : GatheringEffect;

    /// <summary>Tell those who asked here.</summary>
    public sealed record Finish(IReadOnlyList<long> Callers, ReachGathered Gathered) : GatheringEffect;

    /// <summary>Tell one who asked here that nothing was asked.</summary>
    public sealed record Refuse(long Caller, Refusal Refusal) : GatheringEffect;

    /// <summary>Come back with Woken at <paramref name="At"/>. A later one replaces an earlier one.</summary>
    public sealed record WakeAt(Duration At) : GatheringEffect;
}
