using System.Buffers.Binary;
using System.Collections.Immutable;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Tests.Link;

/// <summary>
/// How a small world moves: the real <see cref="LinkSender"/> and <see cref="LinkReceiver"/> with real frames, in a world where a step is one
/// frame delivered, one thing that happens at a child, or one fault. Time is abstract: an alarm may ring whenever it is set.
/// </summary>
internal sealed class SmallWorldRules : IRecordJudge
{
    private static readonly Instant Now = Instant.FromUtc(2026, 11, 24, 0, 0);
    private static readonly Instant Later = Now + Duration.FromHours(1);
    private static readonly NodeId[] Nodes = [NodeId.Parse("a"), NodeId.Parse("b")];
    private static readonly DivisionCode[] Places = [DivisionCode.Parse("A"), DivisionCode.Parse("B")];
    private static readonly IPeerIdentity[] Peers = [new NamedPeer(Nodes[0], [Places[0]]), new NamedPeer(Nodes[1], [Places[1]])];

    private static readonly ReceiverSettings Receiver = new(NodeId.Parse("p"), DivisionCode.Parse("P"), DivisionRegister.Of(
    [
        new Division(DivisionCode.Parse("P"), null, "P", "P", DivisionKind.Province, null, null),
        new Division(Places[0], DivisionCode.Parse("P"), "A", "A", DivisionKind.City, null, null),
        new Division(Places[1], DivisionCode.Parse("P"), "B", "B", DivisionKind.City, null, null),
    ]));

    private readonly Planted _planted;
    private readonly (char Kind, int Name, int Value)[][] _scripts;

    public SmallWorldRules(Planted planted, params (char Kind, int Name, int Value)[][] scripts)
    {
        _planted = planted;
        _scripts = scripts;
    }

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
            yield return ($"up {world.Up[i].Child}#{world.Up[i].Request.Number} arrives", Arrive(world, world.Up[i], world.Up.RemoveAt(i)));
        }

        for (var i = 0; i < world.Down.Length; i++)
        {
            yield return ($"down {world.Down[i].Child}#{world.Down[i].Response.Number} arrives", Answer(world with { Down = world.Down.RemoveAt(i) }, world.Down[i]));
        }

        if (!world.Parent.Unsynced.IsEmpty)
        {
            yield return ("the parent syncs", world with { Parent = Sync(world.Parent) });
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
            return world with { Parent = Sync(world.Parent) };
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

    public UInt128 Key(SmallWorld world)
    {
        var print = new Fingerprint();
        var left = world.Left;
        print.Add((ulong)((((((((left.Crashes * 8) + left.Losses) * 8) + left.Duplicates) * 8) + left.Breaks) * 8) + left.Restores));
        foreach (var child in world.Children)
        {
            AddChild(print, child);
        }

        foreach (var row in world.Parent.Rows)
        {
            AddRow(print, row);
        }

        foreach (var cell in world.Parent.Cells)
        {
            print.Add((ulong)((cell.Origin << 8) + cell.Name));
            print.Add((ulong)((cell.Revision.Epoch << 32) + cell.Revision.Lsn));
            print.Add((ulong)cell.Value);
        }

        foreach (var applied in world.Parent.Escalations)
        {
            print.Add((ulong)((applied.Origin << 24) + (applied.Name << 16) + (applied.Version << 8) + applied.Times));
        }

        print.Add((ulong)world.Parent.Grants);
        print.Add((ulong)world.Parent.Unsynced.Length);
        AddFrames(print, world);
        return print.Whole;
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

        for (var i = 0; i < world.Up.Length && left.Duplicates > 0; i++)
        {
            yield return ($"up {world.Up[i].Child}#{world.Up[i].Request.Number} arrives and will again", Arrive(world with { Left = left with { Duplicates = left.Duplicates - 1 } }, world.Up[i], world.Up));
        }

        for (var i = 0; i < world.Down.Length && left.Duplicates > 0; i++)
        {
            yield return ($"down {world.Down[i].Child}#{world.Down[i].Response.Number} arrives and will again", Answer(world with { Left = left with { Duplicates = left.Duplicates - 1 } }, world.Down[i]));
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
        var fresh = SenderState.Start(child.Sender.Settings, child.Incarnation, child.Epoch, child.LastEpoch, child.AckedEscalations, child.AckedCells);
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
            IsMurky = world.Parent.Rows[c]?.Cells.Cut is not null || world.Up.Any(f => f.Child == c && f.Request.Cells?.Parts > 1),
        };
        return Crash(world with { Children = world.Children.SetItem(c, old) }, c);
    }

    private static ChildSide Born(int c, ImmutableArray<Entry> journal, int incarnation, int happened)
    {
        var identity = new Incarnation((UInt128)(ulong)(incarnation + 1 + (c * 1_000_000)));
        var lastEpoch = journal.LastOrDefault(e => e.Kind == 'e')?.Value ?? 0;
        var settings = new SenderSettings(Nodes[c], Places[c]);
        return new ChildSide(c, journal, identity, Epoch.NotGranted, lastEpoch)
        {
            Happened = happened,
            Sender = SenderState.Start(settings, identity, Epoch.NotGranted, lastEpoch, StreamMark.Start, StreamMark.Start),
        };
    }

    private SmallWorld Arrive(SmallWorld world, UpFrame frame, ImmutableArray<UpFrame> left)
    {
        var parent = world.Parent;
        var row = parent.Rows[frame.Child];
        var seat = parent.Seats.FirstOrDefault(s => s.Child == frame.Child && s.Session == frame.Session);
        var (request, session, standing) = Twisted(frame, row, seat?.Link);
        var decision = LinkReceiver.Decide(Receiver, standing, session, Peers[frame.Child], request, Epoch.NotGranted, (ulong)parent.Grants + 7, this);
        if (_planted == Planted.EpochChosenByChild && decision.Change is EpochGrant grant)
        {
            decision = Chosen(decision, grant, request.Hello);
        }

        parent = _planted == Planted.ReceiptBeforeDurable && decision.Change is not (null or EpochGrant)
            ? Sync(parent) with { Unsynced = [decision.Change] }
            : Apply(Sync(parent), decision.Change);
        var seats = parent.Seats.RemoveAll(s => s.Child == frame.Child && s.Session == frame.Session);
        parent = parent with { Seats = decision.Session is null ? seats : seats.Add(new Seat(frame.Child, frame.Session, decision.Session)) };
        world = world with { Parent = parent, Up = decision.HangUp ? left.RemoveAll(f => f.Child == frame.Child && f.Session == frame.Session) : left };
        return world.Children[frame.Child].Session == frame.Session
            ? world with { Down = world.Down.Add(new DownFrame(frame.Child, frame.Session, decision.Response, Print(decision.Response))) }
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

    private ParentSide Sync(ParentSide parent)
    {
        var unsynced = parent.Unsynced;
        parent = parent with { Unsynced = [] };
        foreach (var change in unsynced)
        {
            parent = Apply(parent, change, effectOnly: _planted == Planted.CursorBeforeTheEffect);
        }

        return parent;
    }

    private ParentSide Apply(ParentSide parent, ReceptionChange? change, bool effectOnly = false)
    {
        if (change is null)
        {
            return parent;
        }

        var c = Array.IndexOf(Nodes, change.Child);
        if (!effectOnly)
        {
            parent = parent with { Rows = parent.Rows.SetItem(c, ChildRow.After(parent.Rows[c], change, Now)), Grants = parent.Grants + (change is EpochGrant ? 1 : 0) };
            if (_planted == Planted.CursorBeforeTheEffect && (change is CellsTaken or EscalationsTaken))
            {
                return parent with { Unsynced = [change] };
            }
        }

        return change switch
        {
            CellsTaken taken => parent with { Cells = Merged(parent.Cells, c, taken) },
            EscalationsTaken taken => parent with { Escalations = Counted(parent.Escalations, c, taken.Part) },
            _ => parent,
        };
    }

    private ImmutableArray<ModelCell> Merged(ImmutableArray<ModelCell> held, int c, CellsTaken taken)
    {
        var cells = held.ToBuilder();
        foreach (var cell in taken.Part.Cells)
        {
            var value = BinaryPrimitives.ReadInt32LittleEndian(cell.Value.Span);
            var at = IndexOf(cells, c, cell.Code);
            var revision = new Revision(cell.Epoch, cell.Lsn);
            if (at < 0)
            {
                cells.Add(new ModelCell(c, cell.Code, revision, value));
                cells.Sort((x, y) => (x.Origin, x.Name).CompareTo((y.Origin, y.Name)));
            }
            else if (_planted == Planted.DeltaForAbsolute)
            {
                cells[at] = cells[at] with { Revision = revision > cells[at].Revision ? revision : cells[at].Revision, Value = cells[at].Value + value };
            }
            else if (revision > cells[at].Revision)
            {
                cells[at] = cells[at] with { Revision = revision, Value = value };
            }
        }

        for (var i = 0; i < cells.Count && !taken.Part.CompleteOrigins.IsEmpty(); i++)
        {
            if (cells[i].Origin == c && cells[i].Revision.Epoch < taken.Epoch.Number)
            {
                cells[i] = cells[i] with { Revision = new Revision(taken.Epoch.Number, 0), Value = 0 };
            }
        }

        return cells.ToImmutable();
    }

    private ImmutableArray<Applied> Counted(ImmutableArray<Applied> held, int c, EscalationsPart part)
    {
        foreach (var envelope in part.Escalations)
        {
            var content = Escalation.Parser.ParseFrom(envelope.Escalation);
            var name = content.Id[0];
            var at = -1;
            for (var i = 0; i < held.Length; i++)
            {
                at = held[i].Origin == c && held[i].Name == name && held[i].Version == content.Version ? i : at;
            }

            held = at < 0 ? held.Add(new Applied(c, name, content.Version, 1))
                : _planted == Planted.NoDedupe ? held.SetItem(at, held[at] with { Times = held[at].Times + 1 })
                : held;
        }

        return held.Sort((x, y) => (x.Origin, x.Name, x.Version).CompareTo((y.Origin, y.Name, y.Version)));
    }

    private static int IndexOf(IReadOnlyList<ModelCell> cells, int origin, int name)
    {
        for (var i = 0; i < cells.Count; i++)
        {
            if (cells[i].Origin == origin && cells[i].Name == name)
            {
                return i;
            }
        }

        return -1;
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

        if (_planted == Planted.LastPartAlone && request.FrameCase == ConnectRequest.FrameOneofCase.Cells && request.Cells.Part > 1)
        {
            StreamMark.TryRead(request.Cells.CutTo, request.Cells.CutChainHash, out var to);
            row = seat with { Cells = seat.Cells with { Cut = new CutProgress(to, request.Cells.Parts, request.Cells.Part - 1) } };
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
                        world = world with { Up = world.Up.Add(new UpFrame(c, child.Session, send.Request, Print(send.Request))) };
                        break;
                    case SenderEffect.ReadCut read:
                        inputs.Enqueue(new SenderInput.CutReady(ReadCut(child, read)));
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

    /// <summary>Time is abstract: an alarm is set or not, a pause is over or not.</summary>
    private static SenderState Timeless(SenderState state) => state with
    {
        AnswerBy = state.AnswerBy is null ? null : Now + Duration.FromSeconds(30),
        NotBefore = state.NotBefore > Now ? Now + Duration.FromSeconds(30) : Instant.MinValue,
        Alarm = state.Alarm is null ? null : Now + Duration.FromSeconds(30),
        Failures = 0,
    };

    private Cut ReadCut(ChildSide child, SenderEffect.ReadCut read)
    {
        var from = child.MarkAt(Math.Min(read.From.Value, child.Journal.Length));
        var parts = read.Lane == Lane.Cells ? CellParts(child, from, read.EvenIfEmpty) : EscalationParts(child, from);
        return new Cut(read.Lane, from, child.Head, true, parts);
    }

    /// <summary>One cell a part, so that three cells are a cut of three.</summary>
    private List<CutPart> CellParts(ChildSide child, StreamMark from, bool evenIfEmpty)
    {
        var cells = child.Cells().Where(c => c.Local > from.Lsn.Value && (_planted != Planted.DroppedTombstone || c.Cell.Value != 0)).OrderBy(c => c.Local).ToList();
        var count = cells.Count == 0 && evenIfEmpty ? 1 : cells.Count;
        var parts = new List<CutPart>();
        for (var i = 0; i < count; i++)
        {
            var part = new CellsPart
            {
                CutFrom = from.Lsn.Value,
                CutFromChainHash = from.HashBytes(),
                CutTo = child.Head.Lsn.Value,
                CutChainHash = child.Head.HashBytes(),
                Part = i + 1,
                Parts = count,
            };
            if (i < cells.Count)
            {
                var value = new byte[4];
                BinaryPrimitives.WriteInt32LittleEndian(value, cells[i].Cell.Value);
                part.Cells.Add(new Cell { Code = cells[i].Cell.Name, Epoch = cells[i].Cell.Revision.Epoch, Lsn = cells[i].Cell.Revision.Lsn, Value = ByteString.CopyFrom(value) });
            }

            if (i == count - 1)
            {
                part.CompleteOrigins.Add(0);
            }

            parts.Add(new CutPart(i == count - 1 ? child.Head : from, part, null));
        }

        return parts;
    }

    private static List<CutPart> EscalationParts(ChildSide child, StreamMark from)
    {
        var parts = new List<CutPart>();
        var at = from;
        for (var lsn = from.Lsn.Value + 1; lsn <= child.Journal.Length; lsn++)
        {
            var entry = child.Journal[(int)lsn - 1];
            if (entry.Kind != 'x')
            {
                continue;
            }

            var id = new byte[16];
            id[0] = (byte)entry.Name;
            var part = new EscalationsPart { From = at.Lsn.Value, FromChainHash = at.HashBytes(), To = lsn, ChainHash = child.MarkAt(lsn).HashBytes() };
            part.Escalations.Add(new EscalationEnvelope { Lsn = lsn, Escalation = new Escalation { Id = ByteString.CopyFrom(id), Version = entry.Value }.ToByteString() });
            at = child.MarkAt(lsn);
            parts.Add(new CutPart(at, null, part));
        }

        return parts;
    }

    private static ulong Print(IMessage message)
    {
        var print = new Fingerprint();
        print.Add(message);
        return print.Value;
    }

    private static void AddChild(Fingerprint print, ChildSide child)
    {
        print.Add(child.Head);
        print.Add((ulong)child.Incarnation.Value);
        print.Add((ulong)child.Epoch.Number + (child.Epoch.Nonce << 8));
        print.Add((ulong)child.LastEpoch);
        print.Add(child.AckedCells);
        print.Add(child.AckedEscalations);
        print.Add((ulong)child.Happened);
        print.Add(child.IsOldCopy);
        print.Add(child.IsMurky);
        var sender = child.Sender;
        print.Add((ulong)sender.Phase);
        print.Add((ulong)sender.Number);
        print.Add((ulong)sender.Head.Value);
        print.Add(sender.AnswerBy is null);
        print.Add(sender.Alarm is null);
        print.Add(sender.NotBefore > Now);
        foreach (var outstanding in sender.UnderWay)
        {
            print.Add((ulong)((outstanding.Number << 16) + ((int)outstanding.Lane << 8) + outstanding.Part));
        }

        foreach (var lane in new[] { sender.Escalations, sender.Cells })
        {
            print.Add(lane.From);
            print.Add((ulong)((lane.Sent << 8) + (lane.Gaps << 4) + ((int)lane.Phase << 2) + (lane.Due ? 1 : 0) + (lane.EvenIfEmpty ? 2 : 0)));
            print.Add(lane.Cut is null ? 0 : (ulong)lane.Cut.Parts.Count + 1);
            print.Add(lane.Cut?.To ?? StreamMark.Start);
        }
    }

    private static void AddRow(Fingerprint print, ChildRow? row)
    {
        if (row is null)
        {
            print.Add(1UL);
            return;
        }

        print.Add((ulong)row.Incarnation.Value);
        print.Add((ulong)row.Epoch.Number + (row.Epoch.Nonce << 8));
        print.Add(row.Cells.Mark);
        print.Add(row.Escalations.Mark);
        print.Add(row.Cells.Cut?.To ?? StreamMark.Start);
        print.Add((ulong)(row.Cells.Cut?.Applied ?? 0));
        print.Add((ulong)(row.Offer?.Incarnation.Value ?? 0));
        print.Add((ulong)(row.Offer?.Epoch.Number ?? 0) + ((row.Offer?.Epoch.Nonce ?? 0) << 8));
        print.Add(row.Quarantine is null);
        print.Add((ulong)row.Retired.Length);
    }

    private static void AddFrames(Fingerprint print, SmallWorld world)
    {
        foreach (var frame in world.Up)
        {
            var seat = world.Parent.Seats.FirstOrDefault(s => s.Child == frame.Child && s.Session == frame.Session);
            print.Add(frame.Print);
            print.Add((ulong)((frame.Child << 1) + (frame.Session == world.Children[frame.Child].Session ? 1 : 0)));
            print.Add((ulong)(seat?.Link.Epoch.Number ?? 0));
        }

        foreach (var frame in world.Down)
        {
            print.Add(frame.Print);
            print.Add((ulong)frame.Child);
        }

        foreach (var child in world.Children)
        {
            print.Add(world.Parent.Seats.FirstOrDefault(s => s.Child == child.Index && s.Session == child.Session) is { } seat ? (ulong)seat.Link.Epoch.Number + 1 : 0);
        }
    }
}

internal static class Emptiness
{
    public static bool IsEmpty<T>(this Google.Protobuf.Collections.RepeatedField<T> field) => field.Count == 0;
}
