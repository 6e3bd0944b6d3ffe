using CityGrid.Hub.Catalogue;
using System.Globalization;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Node.Uplink;
/// <summary>How the two ends meet (clauses L3, L7, L15, L17): who this node says it is, what it believes of the welcome, and the epochs of both.</summary>
public static partial class LinkSender
{
    /// <summary>The code under which a parent's earlier epoch is told.</summary>
    public const string ParentFenced = "PARENT_FENCED";

    /// <summary>The code under which it is told that a parent would take some matters for the whole.</summary>
    public const string MattersNotRead = "MATTERS_NOT_READ";

    /// <summary>Why what a parent says in an epoch of its own is not believed (L15); null where it is.</summary>
    internal static string? OutOfOffice(NodeId parent, Epoch epoch, NodeId? heard, Epoch heardIn) =>
        parent == heard && (epoch.Number < heardIn.Number || (epoch.Number == heardIn.Number && epoch != heardIn))
            ? $"{parent} speaks in its epoch {epoch}, and was heard in {heardIn} before: this is an old directory of it, or one that has no new epoch yet."
            : null;

    /// <summary>The code under which an epoch that leaps is refused.</summary>
    public const string EpochLeaps = "EPOCH_LEAPS";

    /// <summary>
    /// Why a parent's epochs are not believed for how far they leap, or for being none: one that was taken is kept for ever, and every true one after it would be out of office, here or
    /// at the parent. Null where they are sound.
    /// </summary>
    internal static string? Leaps(NodeId parent, Epoch granted, long known, Epoch parentEpoch, Epoch heardIn) =>
        granted.Number < 0 || parentEpoch.Number < 0 ? $"{parent} grants epoch {granted.Number} in its epoch {parentEpoch.Number}, and there is none below 0."
        : granted.Number - known > ReceiverSettings.EpochLeapMax ? $"{parent} grants epoch {granted.Number}, and {known} is the newest known here."
        : parentEpoch.Number - heardIn.Number > ReceiverSettings.EpochLeapMax ? $"{parent} speaks in its epoch {parentEpoch.Number}, and was heard in {heardIn.Number} before."
        : null;

    /// <summary>The hello of a node that stands at <paramref name="head"/> and has applied <paramref name="orders"/> of its parent's orders; <paramref name="packages"/> are null where it takes none.</summary>
    public static Hello HelloOf(SenderState state, StreamMark head, StreamPosition? orders, Instant now, PackagesSaid? packages = null)
    {
        var hello = new Hello
        {
            Node = state.Settings.Node.ToString(),
            Division = state.Settings.Division.ToString(),
            Incarnation = ByteString.CopyFrom(state.Incarnation.ToBytes()),
            Epoch = state.Epoch.Number,
            EpochNonce = state.Epoch.Nonce,
            HeadLsn = head.Lsn.Value,
            HeadChainHash = head.HashBytes(),
            ProtocolMin = SenderSettings.ProtocolMin,
            ProtocolMax = state.Settings.ProtocolNewest,
            SentAt = now.ToUnixTimeMilliseconds(),
            LastEpoch = state.LastEpoch,
            KeepsEpoch = state.Epoch.IsGranted && (state.Settings.Kind == ParentKind.Sector || (state.Parent is not null && state.Parent == state.Settings.Parent)),
            TakesNoOrders = state.Settings.Kind == ParentKind.Sector,
            ProvesHeard = true,
        };
        hello.Positions.AddRange(state.Lanes.Select(lane => lane.Acked.ToPosition(lane.Lane, state.Incarnation, state.Epoch)));
        if (orders is { Lsn: > 0 })
        {
            hello.Positions.Add(orders);
        }

        // A program of protocol 1 does not know of packages, and a sector's network publishes nothing to this one (L17).
        if (packages is not null && state.Settings is { ProtocolNewest: >= 2, Kind: ParentKind.Territorial })
        {
            hello.TakesPackages = true;
            hello.Packages.AddRange(packages.Heads);
            hello.RefusedPackages.AddRange(packages.Refused);
        }

        return hello;
    }

    private sealed partial class Turn
    {
        /// <summary>A clock that is further off than this is told of (SEC-32).</summary>
        private static readonly Duration SkewMost = Duration.FromSeconds(60);

        private void SayHello(SenderInput.Connected connected)
        {
            if (State.Phase != SenderPhase.Dialling)
            {
                return;
            }

            var head = connected.Head;
            State = State with { Phase = SenderPhase.Greeting, Number = 0, Head = head.Lsn, HelloAt = now, AnswerBy = now + State.Settings.AnswerWait };
            Effects.Add(new SenderEffect.Send(new ConnectRequest { Number = NextNumber(), Hello = HelloOf(State, head, connected.Orders, now, connected.Packages) }));
        }

        private void HearWelcome(Welcome welcome)
        {
            var granted = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
            var stands = new Dictionary<Lane, StreamMark>();
            var heard = Lsn.Zero;
            var fault =
                !NodeId.TryParse(welcome.Node, out var parent) ? "it does not name itself"
                : welcome.Protocol < SenderSettings.ProtocolMin || welcome.Protocol > State.Settings.ProtocolNewest ? $"it chose protocol {welcome.Protocol}"
                : granted != State.Epoch && granted.Number <= State.LastEpoch ? $"it grants epoch {granted}, this node knows of {State.LastEpoch} and holds {State.Epoch}"
                : !granted.IsGranted ? "it grants no epoch"
                : !LinkWords.Lanes.All(lane => Stands(welcome, lane, granted, stands)) || !TryReadHeard(welcome.CellsHeard, granted, out heard) ? "it names a position of another stream"
                : stands.Values.Any(mark => mark.Lsn > State.Head) ? $"it has applied more than this journal's {State.Head}"
                : heard > State.Head ? $"it has heard up to {heard}, and this journal ends at {State.Head}"
                : null;
            if (fault is not null)
            {
                Disbelieve($"The parent's welcome was not believed: {fault}.", State.Settings.RefusedPause);
                return;
            }

            var parentEpoch = new Epoch(welcome.ParentEpoch, welcome.ParentEpochNonce);
            if (Leaps(parent, granted, State.LastEpoch, parentEpoch, parent == State.Parent ? State.ParentEpoch : Epoch.NotGranted) is { } leap)
            {
                Disbelieve($"{EpochLeaps}: {leap}", State.Settings.RefusedPause);
                return;
            }

            if (OutOfOffice(parent, parentEpoch, State.Parent, State.ParentEpoch) is { } fenced)
            {
                // A restored parent that its own parent has not granted its epoch yet comes by here too, so the next try is not far.
                Effects.Add(new SenderEffect.Report(ParentFenced, fenced));
                HangUp($"{ParentFenced}: {fenced} Nothing is sent to it. Stop the old one; if there is no other any more, POST /ops/parent/forget?parent={parent}.");
                return;
            }

            if (!State.Settings.Matters.IsAll && !welcome.ReadsMatters)
            {
                var unread = $"{parent} does not read of which matters it is told, and would show them as the whole.";
                Effects.Add(new SenderEffect.Report(MattersNotRead, unread));
                State = State with { Pause = State.Settings.RefusedPause };
                HangUp($"{MattersNotRead}: {unread} Nothing is sent to it. Upgrade it, or take sectorParent.matters out of the configuration.");
                return;
            }

            var parentIsNews = (State.Settings.Parent is not null && parent != State.Parent) || parentEpoch != State.ParentEpoch;
            foreach (var lane in State.Lanes)
            {
                var from = stands[lane.Lane];
                Set(lane with
                {
                    Acked = parent == State.Parent ? lane.Acked : StreamMark.Start,
                    From = from,
                    Heard = lane.Lane == Lane.Cells ? heard : Lsn.Zero,
                    Due = true,
                    EvenIfEmpty = lane.EvenIfEmpty || (lane.Lane == Lane.Cells && from.IsStart),
                });
            }

            State = State with
            {
                Phase = granted == State.Epoch && !parentIsNews ? SenderPhase.Open : SenderPhase.TakingEpoch,
                AnswerBy = granted == State.Epoch && !parentIsNews ? null : now + State.Settings.AnswerWait,
                Speaks = welcome.Protocol,
                Welcomed = granted,
                Parent = parent,
                ParkedAbove = welcome.Parked,
                ParentEpoch = parentEpoch,
                Credit = CreditOf(welcome.WindowBytes),
                RedialWithin = Duration.FromMilliseconds(Math.Clamp(welcome.RedialWithinMs, 0, (long)State.Settings.BackoffMost.TotalMilliseconds)),
                Skew = SkewOf(welcome.ReceivedAt),
                Grains = [.. welcome.Grains.Where(g => g is > 0 and <= byte.MaxValue).Distinct().Select(g => new Grain((byte)g))],
            };
            if (State.Skew is { } skew && Duration.FromTicks(Math.Abs(skew.TotalTicks)) > SkewMost)
            {
                Effects.Add(new SenderEffect.Report(
                    "CLOCK_SKEW", $"The parent's clock is {skew.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture)} s ahead of this node's. No figure depends on it, but days and deadlines are read off a clock: compare both with the time service."));
            }

            if (welcome.AskRanges)
            {
                CompareRanges();
            }

            if (State.Phase == SenderPhase.TakingEpoch)
            {
                State = State with { Ranges = State.Ranges.Anew() };
                Effects.Add(new SenderEffect.TakeEpoch(granted, parent, parentEpoch));
            }
        }

        private bool Stands(Welcome welcome, Lane lane, Epoch granted, Dictionary<Lane, StreamMark> stands)
        {
            var found = StreamMark.TryFind(welcome.Positions, lane, State.Incarnation, granted, out var mark);
            stands[lane] = mark;
            return found;
        }

        /// <summary>What the parent heard and has not applied: nothing where it names none; false where it speaks of another stream.</summary>
        private bool TryReadHeard(StreamPosition? position, Epoch granted, out Lsn heard)
        {
            heard = Lsn.Zero;
            if (position is null)
            {
                return true;
            }

            var reads = position.IsOf(State.Incarnation, granted) && StreamMark.TryRead(position.Lsn, position.ChainHash, out _);
            heard = reads ? new Lsn(position.Lsn) : Lsn.Zero;
            return reads;
        }

        /// <summary>The parent took the hello somewhere between its sending and now; in the middle is the best guess, and it is off by at most half of that.</summary>
        private Duration? SkewOf(long receivedAt) => receivedAt is > 0 and < 253_402_300_800_000
            ? Instant.FromUnixTimeMilliseconds(receivedAt) - (State.HelloAt + ((now - State.HelloAt) / 2))
            : null;

        /// <summary>What the parent granted, and its own epoch, are durable; or another epoch is, which came in between.</summary>
        private void EpochIsDurable(Epoch epoch)
        {
            HoldEpoch(epoch);
            if (State.Phase == SenderPhase.TakingEpoch)
            {
                OpenOrGreetAnew();
            }
        }

        /// <summary>Another parent, or a file, brought an epoch: what this connection's hello spoke of is a stream that is over.</summary>
        private void HoldEpoch(Epoch epoch)
        {
            if (epoch.Number <= State.Epoch.Number)
            {
                return;
            }

            Begin(epoch);
            if (State.Phase is SenderPhase.TakingEpoch or SenderPhase.Open)
            {
                OpenOrGreetAnew();
            }
            else if (State.Phase == SenderPhase.Greeting)
            {
                HangUp(InANewEpoch);
            }
        }

        /// <summary>A file brought a later epoch of the parent: whoever is on the line in an earlier one is out of office (L15).</summary>
        private void HoldParent(NodeId? parent, Epoch epoch)
        {
            if (parent is null || parent != State.Parent || epoch.Number <= State.ParentEpoch.Number)
            {
                return;
            }

            State = State with { ParentEpoch = epoch };
            if (State.Phase is SenderPhase.Greeting or SenderPhase.TakingEpoch or SenderPhase.Open)
            {
                HangUp($"{parent} was heard in its epoch {epoch}, and is greeted anew.");
            }
        }

        private void OpenOrGreetAnew()
        {
            if (State.Epoch == State.Welcomed)
            {
                State = State with { Phase = SenderPhase.Open, AnswerBy = State.Phase == SenderPhase.TakingEpoch ? null : State.AnswerBy };
            }
            else
            {
                HangUp(InANewEpoch);
            }
        }

        private string InANewEpoch => $"This node has taken epoch {State.Epoch} and greets its parent in it.";

        private void Begin(Epoch epoch)
        {
            State = State with { Epoch = epoch, LastEpoch = epoch.Number };
            foreach (var lane in State.Lanes)
            {
                // A new epoch is a new stream: all lanes start again at 0 (L7). The first cells cut is a complete set and goes even if it is
                // empty, for what an earlier life had sent must become zero (L12).
                Set(lane with { Acked = StreamMark.Start, From = StreamMark.Start, Heard = Lsn.Zero, Due = true, EvenIfEmpty = lane.EvenIfEmpty || lane.Lane == Lane.Cells });
            }
        }
    }
}
