using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Node.Uplink;

/// <summary>How the uplink stands, for whoever looks.</summary>
public sealed record UplinkStanding(SenderState State, Instant? LastSuccess, string LastError)
{
    public LaneWaits Waits { get; init; } = LaneWaits.None;

    /// <summary>What keeps the link from being well: what ended the last attempt, or on a connection that stands the lanes that the parent has no room for (L14); empty for nothing.</summary>
    public string ErrorAt(Instant now) => LastError.Length > 0
        ? LastError
        : string.Join(' ', State.Lanes
            .Where(lane => lane.NotBefore is { } at && at > now && at - now <= State.Settings.RetryAfterMost)
            .Select(lane => $"The parent has no room for {lane.Lane} before {InstantPattern.General.Format(lane.NotBefore!.Value)} (BUSY); other lanes go on. {lane.Refused}".TrimEnd()));
}

/// <summary>
/// Does what the pure sender wants and tells it what came of it. Inputs come from anywhere; they are taken one at a time, in order, by whoever brought
/// one while nobody else was at it. It decides nothing.
/// </summary>
public sealed class UplinkPump : IWireEvents, IDisposable
{
    private readonly UplinkGround _ground;
    private readonly IWire _wire;
    private readonly TimeProvider _clock;
    private readonly IEntropy _entropy;
    private readonly InputQueue<SenderInput> _inputs;
    private readonly ITimer _alarm;
    private readonly ParentNotary? _notary;
    private readonly PackageAssembly _package = new();
    private long _judgesUntilTicks;
    private SenderState _state;
    private IWireLine? _line;
    private bool _hangUpWhenConnected;
    private volatile bool _isBegun;

    /// <summary>What the parent countersigned with the answer that is being heard.</summary>
    private Countersignature? _said;
    private Signer? _parentSigner;
    private volatile string? _hungUpFor;
    private volatile UplinkStanding _standing;
    private LaneWaits _waits = LaneWaits.None;

    public UplinkPump(SenderState start, UplinkGround ground, IWire wire, TimeProvider clock, IEntropy entropy)
    {
        (_state, _ground, _wire, _clock, _entropy) = (start, ground, wire, clock, entropy);
        _standing = new UplinkStanding(start, null, string.Empty);
        _notary = ground.Signatures is { } signatures ? new ParentNotary(signatures, clock) : null;
        _inputs = new InputQueue<SenderInput>(Take);
        _alarm = clock.CreateTimer(_ => _inputs.Bring(new SenderInput.Woken()), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public UplinkStanding Standing => _standing;

    /// <summary>Whether this parent is told of an origin's cells at a grain, whatever their type. Under the sequencer's lock, as is <see cref="Raised"/>.</summary>
    public bool Tells(NodeId origin, Grain grain) => _ground.Cuts.Tells(origin, grain);

    /// <summary>The escalations that stand in (from, to] of this parent's lanes, in order.</summary>
    public IEnumerable<(Lsn At, EscalationRecord Record)> Raised(Lsn from, Lsn to) => _ground.Cuts.Raised(from, to);

    /// <summary>What the operator should hear of: a code and a message.</summary>
    public Action<string, string>? Reported { get; set; }

    /// <summary>Begins to speak; what happened before is taken in order now.</summary>
    public void Start()
    {
        _isBegun = true;
        _inputs.Bring(new SenderInput.Woken());
    }

    /// <summary>The schedule: cells now, an empty cut too.</summary>
    public void PushDue(bool isAsked = false) => OnceBegun(new SenderInput.PushDue(Lane.Cells, isAsked));

    /// <summary>Something of a lane changed, an alarm or not.</summary>
    public void Nudge(Lane lane, bool isAlarm = false) => OnceBegun(new SenderInput.Nudged(lane, isAlarm));

    /// <summary>A bundle, or another parent, may have brought an epoch: what this end says from now on, it says in that.</summary>
    public void EpochMayHaveChanged() => OnceBegun(_ground.Sequencer.Read(() => new SenderInput.EpochHeld(_ground.Uplink.EpochOf(_ground.Journal.Incarnation), _ground.Parent.Node, _ground.Parent.Epoch)));

    /// <summary>What was heard of the parent's epoch is forgotten, durably.</summary>
    public void ParentForgotten() => OnceBegun(new SenderInput.ParentForgotten());

    /// <summary>Compares what the parent holds with what this node has, and sends again what differs (L16).</summary>
    public void CompareRanges() => OnceBegun(new SenderInput.RangesDue());

    /// <summary>A result of a query that the parent asked; of no use to it once <paramref name="left"/> is over.</summary>
    public void Tell(UInt128 query, int number, ReachResult result, Duration left) => _inputs.Bring(new SenderInput.ResultReady(query, number, result, _clock.Now() + left));

    public void Connected(IWireLine line)
    {
        _line = line;
        if (_hangUpWhenConnected)
        {
            // The sender gave up while the wire was still dialling, and waits to hear that it ended.
            line.HangUp();
            return;
        }

        _inputs.Bring(_ground.Sequencer.Read(() => new SenderInput.Connected(_ground.Head(), _ground.Orders.Stands(), _ground.Packages?.Said)));
    }

    public void Received(ConnectResponse response) => _inputs.Bring(new SenderInput.Responded(response));

    public void Ended(string reason)
    {
        _line = null;
        _hangUpWhenConnected = false;

        // Where this end hung up, what made it do so says more than the wire can.
        _standing = _standing with { LastError = _hungUpFor ?? reason };
        _hungUpFor = null;
        _ground.Reach?.ParentLeft();
        _inputs.Bring(new SenderInput.Disconnected(reason, _entropy.NextUInt64()));
    }

    public void Dispose()
    {
        _inputs.Stop();
        _alarm.Dispose();
        _line?.HangUp();
    }

    /// <summary>Nothing makes this end speak before it is to.</summary>
    private void OnceBegun(SenderInput input)
    {
        if (_isBegun)
        {
            _inputs.Bring(input);
            return;
        }

        _inputs.Add(input);
        if (_isBegun)
        {
            // It began between the two.
            _inputs.Bring(new SenderInput.Woken());
        }
    }

    private void Take(SenderInput input)
    {
        _said = input is SenderInput.Responded { Response: var response } ? Hear(response) : null;
        Failpoint.Hit("uplink.answer.heard", input is SenderInput.Responded);
        if (input is SenderInput.Disconnected)
        {
            _package.Clear();
            Interlocked.Exchange(ref _judgesUntilTicks, 0);
        }

        var (state, effects) = LinkSender.Step(_state, input, _clock.Now());
        _waits = _waits.After(_state, state, _clock.Now());
        _state = state;
        _standing = _standing with { State = state, Waits = _waits };
        foreach (var effect in effects)
        {
            Do(effect);
        }

        if (_notary is { IsReplaced: true } && _line is { } line && state is { Phase: SenderPhase.Open, UnderWay.IsEmpty: true })
        {
            // The parent takes a signer with a hello alone, so a new one has a new connection, once nothing waits for its answer on this.
            _hungUpFor = "This node has a new signer, which the next connection shows.";
            line.HangUp();
        }
    }

    /// <summary>What the parent signed is looked at before the sender hears the answer, which it believes or not whatever the signature is worth.</summary>
    private Countersignature? Hear(ConnectResponse response)
    {
        if (_notary is null)
        {
            return null;
        }

        Refusal? refusal;
        var said = default(Countersignature);
        if (response.Welcome is { } welcome && _state.Phase == SenderPhase.Greeting && response.Number == _state.Number)
        {
            _parentSigner = _notary.Meet(welcome, out refusal);
            NoteParentSigner();
        }
        else
        {
            said = _notary.Check(response, _state, out refusal);
        }

        if (refusal is { } told)
        {
            Reported?.Invoke(told.Code, told.Message);
        }

        return said;
    }

    /// <summary>Once per change; of a parent that is new it is kept behind the epoch that it grants.</summary>
    private void NoteParentSigner()
    {
        if (_parentSigner is { } signer)
        {
            _ground.Sequencer.Submit(new KeepParentSigner(_ground.Parent, signer) { Actor = "uplink" }, _ => { });
        }
    }

    private void Do(SenderEffect effect)
    {
        switch (effect)
        {
            case SenderEffect.Dial:
                Failpoint.Hit("uplink.dial.before");
                _wire.Dial(this);
                break;
            case SenderEffect.Send send:
                _notary?.Sign(send.Request, _state);
                Failpoint.Hit("uplink.send.before");
                Failpoint.Hit("orders.receipt.send.before", send.Request.OrdersReceipt is not null);
                Failpoint.Hit("package.receipt.send.before", send.Request.PackageReceipt is not null);
                _line?.Send(send.Request);
                Failpoint.Hit("uplink.send.after");
                Failpoint.Hit("orders.receipt.send.after", send.Request.OrdersReceipt is not null);
                Failpoint.Hit("package.receipt.send.after", send.Request.PackageReceipt is not null);
                break;
            case SenderEffect.HangUp hangUp:
                _hungUpFor = hangUp.Reason;
                if (_line is { } line)
                {
                    line.HangUp();
                }
                else
                {
                    _hangUpWhenConnected = true;
                }

                break;
            case SenderEffect.ReadCut read:
                Failpoint.Hit("uplink.cut.before");
                _inputs.Add(new SenderInput.CutReady(_ground.Sequencer.Read(() => _ground.Read(read))));
                Failpoint.Hit("uplink.cut.after");
                break;
            case SenderEffect.StoreReceipt store:
                Failpoint.Hit("receipt.keep.before");
                _ground.Sequencer.Submit(
                    new KeepReceipt(_ground.Uplink, _ground.Kind, _state.Incarnation, _state.Epoch, store.Lane, store.Mark, store.Problems, _said) { Actor = "uplink" },
                    mark =>
                    {
                        Failpoint.Hit("receipt.keep.after");
                        _inputs.Bring(new SenderInput.ReceiptStored(store.Lane, mark));
                        Failpoint.Hit("cursor.trim.after");
                    });
                _standing = _standing with { LastSuccess = _clock.Now(), LastError = string.Empty };
                break;
            case SenderEffect.TakeEpoch take:
                Failpoint.Hit("epoch.keep.before");
                _ground.Sequencer.Submit(
                    new TakeEpoch(_ground.Uplink, _ground.Kind, _state.Incarnation, take.Epoch, take.Parent, take.ParentEpoch) { Actor = "uplink" },
                    epoch =>
                    {
                        Failpoint.Hit("epoch.keep.after");
                        _inputs.Bring(new SenderInput.EpochStored(epoch));
                    });
                NoteParentSigner();
                break;
            case SenderEffect.TakeOrders take:
                Failpoint.Hit("orders.keep.before", take.Part.Orders.Count > 0);
                _ground.Sequencer.Submit(_ground.Orders.Receive(take.Part, take.Parent), answer =>
                {
                    Failpoint.Hit("orders.keep.after", take.Part.Orders.Count > 0);
                    _inputs.Bring(new SenderInput.OrdersTaken(take.Part.Number, answer));
                });
                break;
            case SenderEffect.TakePackage take:
                Failpoint.Hit("package.chunk.take.before");
                Take(take.Chunk, take.Parent);
                Failpoint.Hit("package.chunk.take.after");
                break;
            case SenderEffect.TakeQuery take:
                _ground.Reach?.Hear(take.Query);
                break;
            case SenderEffect.WakeAt wake:
                var wait = wake.At - _clock.Now();
                _alarm.Change(wait > Duration.Zero ? wait.ToTimeSpan() : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
                break;
            case SenderEffect.Report report:
                Reported?.Invoke(report.Code, report.Message);
                break;
            case SenderEffect.ReportRecords records:
                Reported?.Invoke("RECORDS_SET_ASIDE", $"The parent set {records.Records.Count} records of lane {records.Lane} aside; the first: {records.Records[0].Code}: {records.Records[0].Message}");
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(effect), effect, "An unknown effect.");
        }
    }

    /// <summary>
    /// A package that is known is answered at its first chunk; another is judged once it is whole. While one is being judged nothing more of any is taken: a parent that waits for no
    /// answer makes no queue of packages here.
    /// </summary>
    private void Take(PackageChunk chunk, NodeId parent)
    {
        var now = _clock.Now();
        if (now.ToUnixTimeTicks() < Interlocked.Read(ref _judgesUntilTicks))
        {
            return;
        }

        if (_ground.Packages is not { } packages || !PackageName.TryRead(chunk.Package, out var name))
        {
            Answer(chunk.Number, new PackageTaken(PackageOutcome.Gap, null, _ground.Sequencer.Read(() => _ground.Packages?.Said.Heads ?? [])));
        }
        else if (_ground.Sequencer.Read(() => packages.Known(name)) is { } known)
        {
            Answer(chunk.Number, known);
        }
        else if (_package.Add(name, chunk) is { } envelope)
        {
            // A command that finds no room in the queue is not answered; the parent sends again after this time.
            Interlocked.Exchange(ref _judgesUntilTicks, (now + PackageFeed.AnswerWait).ToUnixTimeTicks());
            _ground.Sequencer.Submit(packages.Receive(name, envelope, parent), taken =>
            {
                Interlocked.Exchange(ref _judgesUntilTicks, 0);
                Answer(chunk.Number, taken);
            });
        }
        else
        {
            _inputs.Bring(new SenderInput.PackageAnswered(new PackageChunkReceipt { Number = chunk.Number, Outcome = PackageOutcome.More, Have = _package.Have }));
        }
    }

    private void Answer(long number, PackageTaken taken) => _inputs.Bring(new SenderInput.PackageAnswered(new PackageChunkReceipt
    {
        Number = number,
        Outcome = taken.Outcome,
        Code = taken.Refusal?.Code ?? string.Empty,
        Message = taken.Refusal?.Message ?? string.Empty,
        Heads = { taken.Heads },
    }));
}

/// <summary>What the uplink reads and writes of its node.</summary>
/// <param name="Kind">Which parent it is.</param>
/// <param name="Sequencer">The writer, whose lock holds the folds still.</param>
/// <param name="Uplink">What was noted of the parent.</param>
/// <param name="Cuts">Reads what goes up.</param>
/// <param name="Journal">Knows the chain at every position.</param>
/// <param name="Orders">Takes the parent's orders.</param>
/// <param name="OwnStatement">This node's statement about itself; null for one that keeps no cells of its own.</param>
public sealed record UplinkGround(ParentKind Kind, Sequencer Sequencer, UplinkFold Uplink, CutReader Cuts, IJournal Journal, OrderDesk Orders, Func<OriginWatermark>? OwnStatement)
{
    /// <summary>What this node signs with, and by what it judges its parent's signer; null where nothing is signed.</summary>
    public ISignatures? Signatures { get; init; }

    /// <summary>Takes the parent's catalogue packages; null where none are taken.</summary>
    public PackageDesk? Packages { get; init; }

    /// <summary>Answers the parent's queries; null where a test has none.</summary>
    public ReachDesk? Reach { get; init; }

    /// <summary>What was noted of this parent.</summary>
    public ParentRecord Parent => Uplink[Kind];

    /// <summary>Where the folds stand. Under the sequencer's lock.</summary>
    public StreamMark Head() => MarkAt(Sequencer.Applied);

    /// <summary>The cut that the sender asked for. Under the sequencer's lock.</summary>
    public Cut Read(SenderEffect.ReadCut wanted) => wanted.Lane == Lane.Cells
        ? Cuts.Cells(MarkAt(wanted.From), Head(), MarkAt, wanted.Grains, wanted.EvenIfEmpty, wanted.PartBytes, OwnStatement, wish: wanted.Ranges, proves: wanted.Proves)
        : Cuts.Escalations(wanted.Lane, wanted.AlarmsApart, MarkAt(wanted.From), Head(), MarkAt, wanted.EvenIfEmpty, wanted.PartBytes);

    /// <summary>A lane between two positions, for a bundle: the alarms are apart, an empty cut moves the cursor too, and only the last may state anything. Under the sequencer's lock.</summary>
    public Cut Read(Lane lane, StreamMark from, StreamMark end, IReadOnlyCollection<Grain> grains, int partBytes, bool isLast) => lane == Lane.Cells
        ? Cuts.Cells(from, end, MarkAt, grains, evenIfEmpty: true, partBytes, isLast ? OwnStatement : null, states: isLast, readAt: Head())
        : Cuts.Escalations(lane, alarmsApart: true, from, end, MarkAt, evenIfEmpty: true, partBytes);

    public StreamMark MarkAt(Lsn lsn) =>
        lsn == Lsn.Zero ? StreamMark.Start
        : new StreamMark(lsn, Journal.ChainHashAt(lsn) ?? throw new InvalidOperationException($"The journal does not know its chain at {lsn} any more; the parent's cursor is older than what is kept."));
}
