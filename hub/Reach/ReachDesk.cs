using System.Collections.Concurrent;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Reach;

/// <summary>What somebody asks of places below.</summary>
/// <param name="Actor">By the token of the call.</param>
/// <param name="Target">The place asked.</param>
/// <param name="AllBelow">Each place at or below it that keeps cases.</param>
/// <param name="Kind">What is asked for.</param>
/// <param name="Request">In the words of the kind.</param>
/// <param name="Wait">How long the answer is waited for, up to <see cref="ReachShape.WaitMost"/>.</param>
public sealed record ReachWish(string Actor, DivisionCode Target, bool AllBelow, ReachKind Kind, ByteString Request, Duration Wait);

/// <summary>What a node knows of itself where queries are answered.</summary>
/// <param name="Node">Itself.</param>
/// <param name="Division">Its place.</param>
/// <param name="Ground">As it stands now; reads the folds.</param>
/// <param name="Register">The register as it stands today.</param>
public sealed record ReachPlace(NodeId Node, DivisionCode Division, Func<ReachGround> Ground, Func<DivisionRegister> Register)
{
    /// <summary>The position up to which an origin is known here, this node among them; null for one never heard of.</summary>
    public required Func<NodeId, (long Epoch, long Lsn)?> Stands { get; init; }

    /// <summary>What is known here of the origins at or below a division.</summary>
    public required Func<DivisionCode, IEnumerable<ReachHeld>> Held { get; init; }
}

/// <summary>
/// Does what the pure gathering wants and tells it what came of it: queries go to children by their connections, answers to the parent by this node's
/// own. It writes nothing to the journal. For many threads; inputs are taken one at a time, in order, by whoever brought one while nobody else was at it.
/// </summary>
public sealed class ReachDesk : IDisposable
{
    private readonly ReachPlace _place;
    private readonly IReadOnlyDictionary<ReachKind, IAnswerer> _answerers;
    private readonly IEntropy _entropy;
    private readonly TimeProvider _clock;
    private readonly long _began;
    private readonly ITimer _alarm;
    private readonly ConcurrentQueue<GatheringInput> _inputs = new();
    private readonly ConcurrentDictionary<long, Action<ReachGathered?, Refusal?>> _callers = [];
    private volatile GatheringState _state;
    private long _lastCaller;
    private int _taking;
    private volatile bool _stopped;

    public ReachDesk(ReachPlace place, IReadOnlyDictionary<ReachKind, IAnswerer> answerers, IEntropy entropy, TimeProvider clock)
    {
        (_place, _answerers, _entropy, _clock) = (place, answerers, entropy, clock);
        _began = clock.GetTimestamp();
        _state = new GatheringState(place.Node);
        _alarm = clock.CreateTimer(_ => Feed(new GatheringInput.Woken()), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Sends a query on a child's connection; false where there is none that could carry it.</summary>
    public Func<NodeId, ReachQuery, bool> AskChild { get; set; } = (_, _) => false;

    /// <summary>Gives the parent a result of a query, which is of no use after the time that is left.</summary>
    public Action<UInt128, int, ReachResult, Duration> Reply { get; set; } = (_, _, _, _) => { };

    /// <summary>Where this node's own answers are worked out: here, unless it is handed elsewhere.</summary>
    public Action<Action> Work { get; set; } = work => work();

    /// <summary>Is told of what kept this node from answering; the asker is told only that it did.</summary>
    public Action<Exception>? Failed { get; set; }

    /// <summary>The queries under way.</summary>
    public int UnderWay => _state.Runs.Count;

    /// <summary>Asks; the answer comes once, at the latest when the time is over.</summary>
    public void Ask(ReachWish wish, Action<ReachGathered?, Refusal?> answered)
    {
        var ground = _place.Ground();
        if (Fault(wish, ground) is { } fault)
        {
            answered(null, fault);
            return;
        }

        var query = new ReachQuery
        {
            Id = OrderId.ToBytes(_entropy.NextUInt128()),
            Asker = _place.Node.ToString(),
            AskerDivision = _place.Division.ToString(),
            Actor = wish.Actor,
            TargetDivision = wish.Target.ToString(),
            AllBelow = wish.AllBelow,
            Kind = wish.Kind,
            Request = wish.Request,
            RemainingMs = (long)Duration.Min(wish.Wait, ReachShape.WaitMost).TotalMilliseconds,
        };
        query.Held.AddRange(_place.Held(wish.Target));
        var caller = Interlocked.Increment(ref _lastCaller);
        _callers[caller] = answered;
        Feed(new GatheringInput.Asked(caller, query, ground));
    }

    public Task<(ReachGathered? Gathered, Refusal? Refusal)> AskAsync(ReachWish wish)
    {
        var told = new TaskCompletionSource<(ReachGathered? Gathered, Refusal? Refusal)>(TaskCreationOptions.RunContinuationsAsynchronously);
        Ask(wish, (gathered, refusal) => told.SetResult((gathered, refusal)));
        return told.Task;
    }

    /// <summary>A query came from the parent.</summary>
    public void Hear(ReachQuery query) => Feed(new GatheringInput.Heard(query, _place.Ground()));

    /// <summary>A piece of an answer came from a child.</summary>
    public void Hear(NodeId child, ReachAnswer piece) => Feed(new GatheringInput.Answered(child, piece, _place.Register()));

    /// <summary>The connection of a child has ended.</summary>
    public void Left(NodeId child) => Feed(new GatheringInput.Left(child));

    /// <summary>The connection to the parent has ended.</summary>
    public void ParentLeft() => Feed(new GatheringInput.ParentLeft());

    public void Dispose()
    {
        _stopped = true;
        _alarm.Dispose();
    }

    private Refusal? Fault(ReachWish wish, ReachGround ground) =>
        !ground.Register.Contains(wish.Target) ? new Refusal("DIVISION_UNKNOWN", $"'{wish.Target}' does not stand in the register of {_place.Node}.", "target_division")
        : !ground.Register.IsAtOrBelow(wish.Target, _place.Division) ? new Refusal("DIVISION_OUTSIDE", $"{wish.Target} does not lie at or below {_place.Division}; a query goes down.", "target_division")
        : wish.Request.Length > ReachShape.RequestBytesMax ? new Refusal("TOO_LARGE", $"The question has {wish.Request.Length} bytes, and at most {ReachShape.RequestBytesMax} travel. Name fewer divisions, types or sources.", "query")
        : null;

    private void Feed(GatheringInput input)
    {
        _inputs.Enqueue(input);
        while (!_inputs.IsEmpty && Interlocked.CompareExchange(ref _taking, 1, 0) == 0)
        {
            try
            {
                while (!_stopped && _inputs.TryDequeue(out var next))
                {
                    (_state, var effects) = Gathering.Step(_state, next, Elapsed);
                    foreach (var effect in effects)
                    {
                        Do(effect);
                    }
                }

                if (_stopped)
                {
                    _inputs.Clear();
                }
            }
            finally
            {
                Volatile.Write(ref _taking, 0);
            }
        }
    }

    private Duration Elapsed => Duration.FromTimeSpan(_clock.GetElapsedTime(_began));

    private void Do(GatheringEffect effect)
    {
        switch (effect)
        {
            case GatheringEffect.AskChild ask:
                if (!AskChild(ask.Child, ask.Query))
                {
                    _inputs.Enqueue(new GatheringInput.Left(ask.Child));
                }

                break;
            case GatheringEffect.AnswerItself itself:
                Work(() =>
                {
                    // By its turn the time may be over: nobody waits for it, and others wait for the lane.
                    if (_state.Runs.ContainsKey(itself.Id))
                    {
                        Feed(new GatheringInput.ItselfAnswered(itself.Id, Answer(itself.Query, itself.Target)));
                    }
                });
                break;
            case GatheringEffect.Reply reply:
                Reply(reply.Id, reply.Number, reply.Result, Duration.Max(reply.Until - Elapsed, Duration.Zero));
                break;
            case GatheringEffect.Finish finish:
                foreach (var caller in finish.Callers)
                {
                    Tell(caller, finish.Gathered, null);
                }

                break;
            case GatheringEffect.Refuse refuse:
                Tell(refuse.Caller, null, refuse.Refusal);
                break;
            case GatheringEffect.WakeAt wake:
                var wait = wake.At - Elapsed;

                // A timer counts whole milliseconds, and one that comes too early would only have to come again.
                _alarm.Change(wait > Duration.Zero ? wait.ToTimeSpan() + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(effect), effect, "An unknown effect.");
        }
    }

    private void Tell(long caller, ReachGathered? gathered, Refusal? refusal)
    {
        if (_callers.TryRemove(caller, out var answered))
        {
            answered(gathered, refusal);
        }
    }

    private ReachPart Answer(ReachQuery query, DivisionCode target)
    {
        // Before anything is read: the answer may be of a later position, and never of an earlier one.
        var stands = _place.Stands(_place.Node) ?? default;
        var reply = ReplyTo(query, target);
        return ReachShape.Bounded(new ReachPart
        {
            Node = _place.Node.ToString(),
            Division = target.ToString(),
            At = _clock.Now().ToUnixTimeMilliseconds(),
            Epoch = stands.Epoch,
            Lsn = Math.Max(stands.Lsn, reply.At.Value),
            Answer = reply.Answer,
            Code = reply.Refusal?.Code ?? string.Empty,
            Message = reply.Refusal?.Message ?? string.Empty,
            Older = query.Held.Any(IsBehind),
        });
    }

    private ReachReply ReplyTo(ReachQuery query, DivisionCode target)
    {
        if (!_answerers.TryGetValue(query.Kind, out var answerer))
        {
            return ReachReply.No(new Refusal(ReachCodes.KindUnknown, $"{_place.Node} knows no query of kind {(int)query.Kind}. Upgrade it."));
        }

        try
        {
            return answerer.Answer(query.Request, target);
        }
#pragma warning disable CA1031 // Whatever it is, a question from above must not end the node.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            Failed?.Invoke(failure);
            return ReachReply.No(new Refusal(ReachCodes.Internal, $"{_place.Node} could not work out its answer; its log says why."));
        }
    }

    /// <summary>The asker has more of an origin than this node.</summary>
    private bool IsBehind(ReachHeld held) =>
        NodeId.TryParse(held.Origin, out var origin) && _place.Stands(origin) is var stands
        && (stands is not { } here ? origin == _place.Node : (here.Epoch, here.Lsn).CompareTo((held.Epoch, held.Lsn)) < 0);
}
