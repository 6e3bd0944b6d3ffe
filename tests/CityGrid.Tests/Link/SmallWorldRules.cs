using System.Collections.Immutable;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Tests.Link;

/// <summary>
/// How a small world moves: the real <see cref="LinkSender"/> and <see cref="LinkReceiver"/> with real frames, in a world where a step is one
/// frame delivered, one thing that happens at a child, or one fault. Time is abstract: an alarm may ring whenever it is set.
/// </summary>
internal sealed class SmallWorldRules : IRecordJudge
{
    public static readonly Instant Now = Instant.FromUtc(2026, 11, 24, 0, 0);
    private static readonly Instant Later = Now + Duration.FromHours(1);
    public static readonly NodeId[] Nodes = [NodeId.Parse("a"), NodeId.Parse("b")];
    private static readonly DivisionCode[] Places = [DivisionCode.Parse("A"), DivisionCode.Parse("B")];
    private static readonly IPeerIdentity[] Peers = [new NamedPeer(Nodes[0], [Places[0]]), new NamedPeer(Nodes[1], [Places[1]])];

    private static readonly ReceiverSettings Receiver = new(NodeId.Parse("p"), DivisionCode.Parse("P"), DivisionRegister.Of(
    [
        new Division(DivisionCode.Parse("P"), null, "P", "P", DivisionKind.Province, null, null),
        new Division(Places[0], DivisionCode.Parse("P"), "A", "A", DivisionKind.City, null, null),
        new Division(Places[1], DivisionCode.Parse("P"), "B", "B", DivisionKind.City, null, null),
    ]));

    private readonly Planted _planted;
    private readonly SmallWorldEffects _effects;
    private readonly (char Kind, int Name, int Value)[][] _scripts;

    public SmallWorldRules(Planted planted, params (char Kind, int Name, int Value)[][] scripts)
    {
        _planted = planted;
        _effects = new SmallWorldEffects(planted);
        _scripts = scripts;
    }

    /// <summary>How many cells a cut has at most, where no more of them changed at one position.</summary>
    public int CellsACut { get; init; } = int.MaxValue;

    public SmallWorld Start(Faults faults)
    {
        var world = new SmallWorld([], new ParentSide(), [], [], faults);
        for (var c = 0; c < _scripts.Length; c++)
        {
            world = world with { Children = world.Children.Add(Born(c, [], c, 0)) };
        }

        for (var c = 0; c < _scripts.Length; c++)
        {
            world = Feed(world, c, new SenderInput.Woken());
        }

        return world;
    }

    public Judgement Judge(LinkSession session, ChildRow seat, IPeerIdentity peer, CellsPart part) => new(part.Cells.Count, 0, []);

    public Judgement Judge(LinkSession session, ChildRow seat, IPeerIdentity peer, EscalationsPart part) => new(part.Escalations.Count, 0, []);

    /// <summary>Every world that may come next, with what happened.</summary>
    public IEnumerable<(string What, SmallWorld World)> Next(SmallWorld world)
    {
        for (var c = 0; c < world.Children.Length; c++)
        {
            if (Happen(world, c) is { } happened)
            {
                yield return ($"{Nodes[c]} goes on", happened);
            }

            if (Ring(world, c) is { } rung)
            {
                yield return ($"{Nodes[c]}'s alarm rings", rung);
            }
        }

        for (var i = 0; i < world.Up.Length; i++)
        {
            var frame = world.Up[i];
            if (Come(world.Left, frame, world.Up.Take(i)) is { } left)
            {
                yield return ($"up {frame.Child}#{frame.Request.Number} arrives", Arrive(world with { Left = left }, frame, world.Up.RemoveAt(i)));
            }
        }

        for (var i = 0; i < world.Down.Length; i++)
        {
            var frame = world.Down[i];
            if (Come(world.Left, frame, world.Down.Take(i)) is { } left)
            {
                yield return ($"down {frame.Child}#{frame.Response.Number} arrives", Answer(world with { Left = left, Down = world.Down.RemoveAt(i) }, frame));
            }
        }

        if (!world.Parent.Unsynced.IsEmpty)
        {
            yield return ("the parent syncs", world with { Parent = _effects.Sync(world.Parent) });
        }

        foreach (var next in Misfortunes(world))
        {
            yield return next;
        }
    }

    /// <summary>The next step of a world in which nothing goes wrong any more; null when it is at rest.</summary>
    public SmallWorld? Onward(SmallWorld world)
    {
        if (!world.Parent.Unsynced.IsEmpty)
        {
            return world with { Parent = _effects.Sync(world.Parent) };
        }

        for (var c = 0; c < world.Children.Length; c++)
        {
            if (world.Children[c].IsOldCopy)
            {
                return Restored(world, c, world.Children[c].Journal);
            }
        }

        if (!world.Up.IsEmpty)
        {
            return Arrive(world, world.Up[0], world.Up.RemoveAt(0));
        }

        if (!world.Down.IsEmpty)
        {
            return Answer(world with { Down = world.Down.RemoveAt(0) }, world.Down[0]);
        }

        for (var c = 0; c < world.Children.Length; c++)
        {
            // A quarantined child stays away until a person has looked; it would ask again for ever.
            var asks = world.Parent.Rows[c]?.Quarantine is null ? Ring(world, c) : null;
            if ((Happen(world, c) ?? asks) is { } moved)
            {
                return moved;
            }
        }

        return null;
    }

    /// <summary>What may still go wrong once a frame has come before those; null where it may not come yet.</summary>
    private static Faults? Come(Faults left, Frame frame, IEnumerable<Frame> before)
    {
        var overtakes = !frame.Again && before.Any(other => other.Child == frame.Child && other.Session == frame.Session && !other.Again);
        return !overtakes || left.Overtakings == Faults.Always ? left
            : left.Overtakings > 0 ? left with { Overtakings = left.Overtakings - 1 }
            : null;
    }

    private IEnumerable<(string What, SmallWorld World)> Misfortunes(SmallWorld world)
    {
        var left = world.Left;
        for (var i = 0; i < world.Up.Length && left.Losses > 0; i++)
        {
            yield return ($"up {world.Up[i].Child}#{world.Up[i].Request.Number} is lost", world with { Up = world.Up.RemoveAt(i), Left = left with { Losses = left.Losses - 1 } });
        }

        for (var i = 0; i < world.Down.Length && left.Losses > 0; i++)
        {
            yield return ($"down {world.Down[i].Child}#{world.Down[i].Response.Number} is lost", world with { Down = world.Down.RemoveAt(i), Left = left with { Losses = left.Losses - 1 } });
        }

        var repeated = left with { Duplicates = left.Duplicates - 1 };
        for (var i = 0; i < world.Up.Length && left.Duplicates > 0; i++)
        {
            var up = world.Up.SetItem(i, world.Up[i] with { Again = true });
            yield return ($"up {up[i].Child}#{up[i].Request.Number} arrives and will again", Arrive(world with { Left = repeated }, up[i], up));
        }

        for (var i = 0; i < world.Down.Length && left.Duplicates > 0; i++)
        {
            var down = world.Down.SetItem(i, world.Down[i] with { Again = true });
            yield return ($"down {down[i].Child}#{down[i].Response.Number} arrives and will again", Answer(world with { Left = repeated, Down = down }, down[i]));
        }

        foreach (var frame in world.Up.Where(frame => left.Fulls > 0 && frame.Request.FrameCase != ConnectRequest.FrameOneofCase.Hello))
        {
            yield return ($"up {frame.Child}#{frame.Request.Number} finds no room", TurnAway(world with { Left = left with { Fulls = left.Fulls - 1 }, Up = world.Up.Remove(frame) }, frame));
        }

        if (left.Crashes > 0)
        {
            yield return ("the parent crashes", ParentCrashes(world with { Left = left with { Crashes = left.Crashes - 1 } }));
        }

        for (var c = 0; c < world.Children.Length; c++)
        {
            var child = world.Children[c];
            if (left.Breaks > 0 && child.Session != 0)
            {
                yield return ($"the connection of {child.Index} breaks", Cut(world with { Left = left with { Breaks = left.Breaks - 1 } }, c));
            }

            if (left.Crashes > 0)
            {
                yield return ($"{Nodes[c]} crashes", Crash(world with { Left = left with { Crashes = left.Crashes - 1 } }, c));
            }

            if (left.Clones > 0)
            {
                var spent = world with { Left = left with { Clones = left.Clones - 1 } };
                yield return child.Other is null
                    ? ($"a copy of {Nodes[c]} is taken", spent with { Children = spent.Children.SetItem(c, child with { Other = child }) })
                    : ($"the other copy of {Nodes[c]} runs", Changed(spent, c, child.Other));
            }

            if (left.Restores > 0)
            {
                var spent = world with { Left = left with { Restores = left.Restores - 1 } };
                for (var kept = 0; kept < child.Journal.Length; kept++)
                {
                    yield return ($"{Nodes[c]} is restored as it was at {kept}", Restored(spent, c, child.Journal[..kept]));
                    yield return ($"{Nodes[c]} runs an old copy as it was at {kept}", OldCopy(spent, c, kept));
                }
            }
        }
    }

    private SmallWorld? Happen(SmallWorld world, int c)
    {
        var child = world.Children[c];
        if (child.Happened == _scripts[c].Length)
        {
            return null;
        }

        var (kind, name, value) = _scripts[c][child.Happened];
        var grown = child with { Journal = child.Journal.Add(Entry.After(child.Journal, child.Incarnation, kind, name, value)), Happened = child.Happened + 1 };
        return Feed(world with { Children = world.Children.SetItem(c, grown) }, c, new SenderInput.Nudged(kind == 'x' ? Lane.Escalations : Lane.Cells));
    }

    private SmallWorld? Ring(SmallWorld world, int c)
    {
        var sender = world.Children[c].Sender;

        // An unanswered frame that is still on its way is given time; the search loses or delivers it in other branches.
        var underWay = world.Up.Any(f => f.Child == c && f.Session == world.Children[c].Session) || world.Down.Any(f => f.Child == c);
        return sender.Alarm is null || underWay ? null : Feed(world, c, new SenderInput.Woken(), Later);
    }

    private SmallWorld Crash(SmallWorld world, int c)
    {
        var child = world.Children[c];
        var fresh = SenderState.Start(child.Sender.Settings, child.Incarnation, child.Epoch, child.LastEpoch, child.AckedOf) with { Parent = child.Epoch.IsGranted ? Receiver.Node : null };
        world = world with
        {
            Children = world.Children.SetItem(c, child with { Sender = fresh, Session = 0 }),
            Down = world.Down.RemoveAll(f => f.Child == c),
        };
        return Feed(world, c, new SenderInput.Woken());
    }

    private SmallWorld ParentCrashes(SmallWorld world)
    {
        world = world with { Parent = world.Parent with { Seats = [], Unsynced = [] }, Up = [], Down = [] };
        for (var c = 0; c < world.Children.Length; c++)
        {
            world = Cut(world, c);
        }

        return world;
    }

    private SmallWorld Cut(SmallWorld world, int c)
    {
        world = world with { Children = world.Children.SetItem(c, world.Children[c] with { Session = 0 }), Down = world.Down.RemoveAll(f => f.Child == c) };
        return Feed(world, c, new SenderInput.Disconnected("broken", 0));
    }

    /// <summary>The directory as it was, opened as a restored one: a new incarnation without an epoch (L7).</summary>
    private SmallWorld Restored(SmallWorld world, int c, ImmutableArray<Entry> journal)
    {
        var child = world.Children[c];
        var born = Born(c, journal, (int)((ulong)child.Incarnation.Value % 1000) + 10, child.Happened);
        world = world with
        {
            Children = world.Children.SetItem(c, born with { Sessions = child.Sessions }),
            Down = world.Down.RemoveAll(f => f.Child == c),
        };
        return Feed(world, c, new SenderInput.Woken());
    }

    /// <summary>A copy from the past runs under the name and epoch it had, as if nothing had happened since.</summary>
    private SmallWorld OldCopy(SmallWorld world, int c, int kept)
    {
        var child = world.Children[c];
        var journal = child.Journal[..kept];
        var taken = journal.LastOrDefault(e => e.Kind == 'e');
        var old = child with
        {
            Journal = journal,
            Epoch = taken is null ? Epoch.NotGranted : new Epoch(taken.Value, (ulong)taken.Name),
            LastEpoch = taken?.Value ?? 0,
            AckedCells = child.AckedCells.Lsn.Value <= kept ? child.AckedCells : StreamMark.Start,
            AckedEscalations = child.AckedEscalations.Lsn.Value <= kept ? child.AckedEscalations : StreamMark.Start,
            IsOldCopy = true,
            Original = child.Journal,
            Other = null,
        };
        return Crash(world with { Children = world.Children.SetItem(c, old) }, c);
    }

    /// <summary>One directory stands still, and the other that has its name goes on from where it stood.</summary>
    private SmallWorld Changed(SmallWorld world, int c, ChildSide other)
    {
        var child = world.Children[c];
        var running = other with { Happened = child.Happened, Sessions = child.Sessions, IsOldCopy = true, Original = child.Journal, Other = child with { Other = null } };
        return Crash(world with { Children = world.Children.SetItem(c, running) }, c);
    }

    private static ChildSide Born(int c, ImmutableArray<Entry> journal, int incarnation, int happened)
    {
        var identity = new Incarnation((UInt128)(ulong)(incarnation + 1 + (c * 1_000_000)));
        var lastEpoch = journal.LastOrDefault(e => e.Kind == 'e')?.Value ?? 0;
        var settings = new SenderSettings(Nodes[c], Places[c]) { Parent = Receiver.Node };
        return new ChildSide(c, journal, identity, Epoch.NotGranted, lastEpoch)
        {
            Happened = happened,
            Sender = SenderState.Start(settings, identity, Epoch.NotGranted, lastEpoch, _ => StreamMark.Start),
        };
    }

    private SmallWorld Arrive(SmallWorld world, UpFrame frame, ImmutableArray<UpFrame> left)
    {
        var parent = world.Parent;
        var row = parent.Rows[frame.Child];
        var seat = parent.Seats.FirstOrDefault(s => s.Child == frame.Child && s.Session == frame.Session);
        var (request, session, standing) = Twisted(frame, row, seat?.Link);
        var decision = LinkReceiver.Decide(Receiver, standing, session, Peers[frame.Child], request, Epoch.NotGranted, (ulong)parent.Grants[frame.Child] + 7, this);
        if (_planted == Planted.EpochChosenByChild && decision.Change is EpochGrant grant)
        {
            decision = Chosen(decision, grant, request.Hello);
        }

        if (decision.Response.Refusal is { } refusal)
        {
            // What a person reads decides nothing.
            refusal.Message = string.Empty;
        }

        parent = _planted == Planted.ReceiptBeforeDurable && decision.Change is not (null or EpochGrant)
            ? _effects.Sync(parent) with { Unsynced = [decision.Change] }
            : _effects.Apply(_effects.Sync(parent), decision.Change);
        var seats = parent.Seats.RemoveAll(s => s.Child == frame.Child && s.Session == frame.Session);
        parent = parent with { Seats = decision.Session is null ? seats : seats.Add(new Seat(frame.Child, frame.Session, decision.Session)) };
        world = world with { Parent = parent, Up = decision.HangUp ? left.RemoveAll(f => f.Child == frame.Child && f.Session == frame.Session) : left };
        return world.Children[frame.Child].Session == frame.Session
            ? world with { Down = world.Down.Add(new DownFrame(frame.Child, frame.Session, decision.Response, SmallWorldPrint.Of(decision.Response))) }
            : world;
    }

    /// <summary>The parent takes nothing of the part, and asks for it later.</summary>
    private static SmallWorld TurnAway(SmallWorld world, UpFrame frame)
    {
        var response = Answers.Busy(frame.Request, string.Empty, TimeSpan.FromSeconds(1));
        return world.Children[frame.Child].Session == frame.Session
            ? world with { Down = world.Down.Add(new DownFrame(frame.Child, frame.Session, response, SmallWorldPrint.Of(response))) }
            : world;
    }

    private SmallWorld Answer(SmallWorld world, DownFrame frame)
    {
        if (world.Children[frame.Child].Session != frame.Session)
        {
            return world;
        }

        var response = frame.Response;
        if (_planted == Planted.ReceiptBelievedUnchecked && response.FrameCase == ConnectResponse.FrameOneofCase.Refusal
            && world.Children[frame.Child].Sender.UnderWay.Find(o => o.Number == response.Number) is { } asked)
        {
            var sender = world.Children[frame.Child].Sender;
            var after = sender.Lane(asked.Lane).Cut!.Parts[asked.Part].After;
            response = new ConnectResponse { Number = response.Number, Receipt = new Receipt { Lane = asked.Lane, Position = after.ToPosition(asked.Lane, sender.Incarnation, sender.Epoch) } };
        }

        return Feed(world, frame.Child, new SenderInput.Responded(response));
    }

    /// <summary>The planted faults that sit in front of the receiver: they blind it.</summary>
    private (ConnectRequest Request, LinkSession? Session, ChildRow? Row) Twisted(UpFrame frame, ChildRow? row, LinkSession? session)
    {
        var request = frame.Request;
        if (row is null || request.FrameCase == ConnectRequest.FrameOneofCase.Hello)
        {
            return (request, session, row);
        }

        if (_planted == Planted.OldSessionNotFenced && row.Epoch.IsGranted)
        {
            session = new LinkSession(row.Node, row.Incarnation, row.Epoch);
        }

        var seat = session is null ? null : row.Seat(session.Incarnation, session.Epoch);
        if (seat is null)
        {
            return (request, session, row);
        }

        if (_planted is Planted.GapAccepted or Planted.ChainNotCompared)
        {
            request = request.Clone();
            var cells = request.FrameCase == ConnectRequest.FrameOneofCase.Cells;
            var mark = cells ? seat.Cells.Mark : seat.Escalations.Mark;
            var from = cells ? request.Cells.CutFrom : request.Escalations.From;
            var blinded = from == mark.Lsn.Value || (_planted == Planted.GapAccepted && from > mark.Lsn.Value);
            if (blinded && cells)
            {
                (request.Cells.CutFrom, request.Cells.CutFromChainHash) = (mark.Lsn.Value, mark.HashBytes());
            }
            else if (blinded)
            {
                (request.Escalations.From, request.Escalations.FromChainHash) = (mark.Lsn.Value, mark.HashBytes());
            }
        }

        if (_planted == Planted.HeardNotShown && request.FrameCase == ConnectRequest.FrameOneofCase.Cells)
        {
            session = session! with { ProvesHeard = false };
            request = request.Clone();
            (request.Cells.HeardLsn, request.Cells.HeardChainHash) = (0, Google.Protobuf.ByteString.Empty);
        }

        if (_planted == Planted.ReadNotShown && request.FrameCase == ConnectRequest.FrameOneofCase.Cells)
        {
            request = request.Clone();
            (request.Cells.ReadLsn, request.Cells.ReadChainHash) = (0, Google.Protobuf.ByteString.Empty);
        }

        if (_planted == Planted.LastPartAlone && request.FrameCase == ConnectRequest.FrameOneofCase.Cells && request.Cells.Part > 1)
        {
            StreamMark.TryRead(request.Cells.CutTo, request.Cells.CutChainHash, out var to);
            row = seat with { Cells = seat.Cells with { Cut = new CutProgress(to, request.Cells.Parts, request.Cells.Part - 1, request.Cells.Reading) } };
        }

        return (request, session, row);
    }

    private static LinkDecision Chosen(LinkDecision decision, EpochGrant grant, Hello hello)
    {
        var epoch = new Epoch(hello.LastEpoch + 1, 1);
        var response = decision.Response.Clone();
        response.Welcome.ChildEpoch = epoch.Number;
        response.Welcome.ChildEpochNonce = epoch.Nonce;
        foreach (var position in response.Welcome.Positions)
        {
            position.Epoch = epoch.Number;
            position.EpochNonce = epoch.Nonce;
        }

        return new LinkDecision(grant with { Epoch = epoch }, response, decision.Session! with { Epoch = epoch });
    }

    /// <summary>Gives a sender an input and does what it asks for, until it asks for nothing more.</summary>
    private SmallWorld Feed(SmallWorld world, int c, SenderInput input, Instant? at = null)
    {
        var inputs = new Queue<SenderInput>([input]);
        while (inputs.TryDequeue(out var next))
        {
            var child = world.Children[c];
            var (state, effects) = LinkSender.Step(child.Sender, next, at ?? Now);
            at = null;
            child = child with { Sender = Timeless(state) };
            foreach (var effect in effects)
            {
                switch (effect)
                {
                    case SenderEffect.Dial:
                        child = child with { Session = child.Sessions + 1, Sessions = child.Sessions + 1 };
                        inputs.Enqueue(new SenderInput.Connected(child.Head));
                        break;
                    case SenderEffect.Send send:
                        world = world with { Up = world.Up.Add(new UpFrame(c, child.Session, send.Request, SmallWorldPrint.Of(send.Request))) };
                        break;
                    case SenderEffect.ReadCut read:
                        inputs.Enqueue(new SenderInput.CutReady(SmallWorldCuts.Read(child, read, _planted, CellsACut)));
                        break;
                    case SenderEffect.StoreReceipt store:
                        child = store.Lane == Lane.Cells ? child with { AckedCells = store.Mark } : child with { AckedEscalations = store.Mark };
                        inputs.Enqueue(new SenderInput.ReceiptStored(store.Lane, store.Mark));
                        break;
                    case SenderEffect.TakeEpoch take:
                        child = child with
                        {
                            Epoch = take.Epoch,
                            LastEpoch = take.Epoch.Number,
                            AckedCells = StreamMark.Start,
                            AckedEscalations = StreamMark.Start,
                            Journal = child.Journal.Add(Entry.After(child.Journal, child.Incarnation, 'e', (int)take.Epoch.Nonce, (int)take.Epoch.Number)),
                        };
                        inputs.Enqueue(new SenderInput.EpochStored(take.Epoch));
                        break;
                    case SenderEffect.HangUp:
                        child = child with { Session = 0 };
                        world = world with { Down = world.Down.RemoveAll(f => f.Child == c) };
                        inputs.Enqueue(new SenderInput.Disconnected("hung up", 0));
                        break;
                    default:
                        break;
                }
            }

            world = world with { Children = world.Children.SetItem(c, child) };
        }

        return world;
    }

    /// <summary>
    /// Time is abstract: an alarm is set or not, a pause is over or not. All that a lane has fits the line at once, so whose turn it is decides nothing either, and
    /// what a lane knew on a connection that has ended the next welcome says anew.
    /// </summary>
    private static SenderState Timeless(SenderState state) => state with
    {
        AnswerBy = state.AnswerBy is null ? null : Now + Duration.FromSeconds(30),
        NotBefore = state.NotBefore > Now ? Now + Duration.FromSeconds(30) : Instant.MinValue,
        Alarm = state.Alarm is null ? null : Now + Duration.FromSeconds(30),
        PausedUntil = Instant.MinValue,
        DialledAt = null,
        Failures = 0,
        Pace = Pace.Start,
        Lanes = [.. state.Lanes.Select(lane => state.Phase is SenderPhase.Open or SenderPhase.TakingEpoch
            ? lane with { Pass = 0, IsBehind = false }
            : lane with { Pass = 0, IsBehind = false, From = StreamMark.Start, Heard = Lsn.Zero, Due = false })],
    };
}
