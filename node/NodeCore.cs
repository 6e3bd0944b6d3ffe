using CityGrid.Hub.Bundles;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Children;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Hub.Views;
using CityGrid.Node.Cases;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime;

namespace CityGrid.Node;

/// <summary>
/// A node without its doors to the world: a journal, the folds of that journal, and feeds read from it. The same object runs on a server, behind gRPC
/// and threads, and in a simulation, pumped by hand.
/// </summary>
public sealed class NodeCore : IDisposable
{
    /// <summary>Used again by each count of what was reported. On the writer.</summary>
    private readonly CellSum _reported = new(withHistograms: false);

    private readonly NodeSettings _settings;
    private readonly Instant _startedAt;
    private readonly NodeSeams _seams;
    private readonly KeyPool _keys;
    private readonly Projector _projector;
    private readonly DocumentsAnew _documents;

    /// <summary>Recovers the node; where a snapshot cannot be read, from its journal alone, and says so in <see cref="UnreadSnapshot"/>. Nothing runs yet.</summary>
    public static NodeCore Open(NodeSettings settings, NodeSeams seams)
    {
        try
        {
            return new NodeCore(settings, seams);
        }
        catch (FoldImageException unreadable)
        {
            return new NodeCore(settings, seams with { ReplaysAll = true }) { UnreadSnapshot = unreadable };
        }
    }

    /// <summary>Recovers the node from its journal. Nothing runs yet. Throws <see cref="FoldImageException"/> where a snapshot cannot be read.</summary>
    /// <param name="settings">Who the node is.</param>
    /// <param name="seams">Everything that varies.</param>
    /// <param name="pressure">Another measure of how near the node is to what it can bear than its own.</param>
    public NodeCore(NodeSettings settings, NodeSeams seams, PressureGauge? pressure = null)
    {
        (_settings, _seams) = (settings, seams);
        _startedAt = seams.Clock.Now();
        Cells = new CellFold();
        UplinkFold = new UplinkFold(
            (epoch, lsn) => Cells.Restamp(settings.Node, new Revision(epoch.Number, lsn.Value), lsn),
            (types, lsn) => Cells.Restamp(settings.Node, new Revision(UplinkFold!.RevisionEpoch, lsn.Value), lsn, types));
        Reception = new ReceptionFold(Cells);
        var finality = new FinalityFold(Reception);
        Escalations = new EscalationFold(settings.Node);
        Orders = new OrderFold(settings.Node);
        Packages = new PackageFold();
        Book = new CaseBook(Cells, settings.Node, settings.Division, () => UplinkFold.RevisionEpoch, seams.Journal.ReadAt);
        Sequencer = new Sequencer(seams.Journal, [Cells, UplinkFold, Reception, finality, Escalations, Orders, Packages, ChildrenFold, Book], seams.Clock);
        Sequencer.FoldFailed = (fold, journalEvent, failure) =>
        {
            FoldFailures++;
            FoldFailed?.Invoke(fold, journalEvent, failure);
        };
        Replayed = Sequencer.Recover(seams.ReplaysAll);

        _keys = KeyPool.Open(seams.Disk, seams.Entropy, Book.SlotsUsed);
        if (Book.SlotsUsed == 0)
        {
            // The first slot is the node's own: no case is given it.
            _keys.Take();
        }

        _documents = new DocumentsAnew(seams.Journal, Book);
        _projector = new Projector(seams.Views, _documents.At, new ProjectorOptions { LagMax = settings.ViewLagRecords });
        Desk = new CaseDesk(Sequencer, Book, _projector, new CaseSeals(_keys, new Sealer(_keys, seams.Seal, seams.Entropy)), seams.Clock, seams.Entropy, settings.Rules,
            new EscalationGround(settings.EscalationRules, settings.Node, ReportedBetween))
        {
            Editions = Packages.Editions,
        };
        Quota = new ChildQuota(settings.EachChild, seams.Clock);
        Room = new DiskRoom(() => seams.Disk.FreeBytes, settings.DiskReserve, seams.Clock);
        Desk.Held = now => Room.Short ?? AnchorOverdue(now);
        Desk.EraseKeys();
        Lists = new CaseLists(Desk, Sequencer, _projector);
        var place = new ViewPlace(settings.Node, settings.Division, settings.Zone, settings.Register, settings.ClosingDelay);
        Views = new ViewDesk(place, Sequencer, seams.Journal, Cells, AllWatermarks, seams.Clock, finality);
        EscalationList = new EscalationDesk(place, Sequencer, seams.Journal, Escalations, AllWatermarks, seams.Clock);
        var receiving = new ReceiverSettings(settings.Node, settings.Division, settings.Register) { Zone = settings.Zone, Parent = settings.Parent, ProtocolNewest = settings.ProtocolNewest, Signatures = settings.Signatures, Policy = settings.NewDirectories };
        Children = settings.Children is { } children ? new ChildrenDesk(children.Settings, ChildrenFold, children.Authority, seams.Entropy) : null;
        ReceptionDesk = new ReceptionDesk(receiving, Reception, Cells, Escalations, () => OwnEpoch)
        {
            Admission = Children?.Admission,
            IsRetired = (child, now) => ChildrenFold.Find(child)?.StateAt(now) == PlaceState.Retired,
            Orders = Orders,
            Quota = Quota,
        };
        Redriving = new Redriving(Sequencer, ReceptionDesk, Reception, seams.Journal.ReadAt);
        Pressure = pressure ?? new PressureGauge(Measure, seams.Clock);
        var orderPlace = new OrderPlace(settings.Node, settings.Division, settings.Register) { Zone = settings.Zone };
        var orderNotary = new OrderNotary(seams.Signatures, orderPlace, settings.Signatures, seams.Clock);
        OrderDesk = new OrderDesk(orderPlace, Orders, seams.Journal, orderNotary);
        OrderList = new OrderList(orderPlace, Orders, Sequencer, seams.Clock);
        PackageDesk = new PackageDesk(new CataloguePlace(settings.Node, settings.Division, settings.Register, settings.Zone, IsRoot: seams.Wire is null), Packages,
            new PackageNotary(seams.Signatures, settings.Register, settings.Signatures, seams.Clock))
        {
            Held = now => Desk.Held?.Invoke(now),
            IsChild = node => ChildrenNow.Any(child => child.Node == node) && (ChildrenFold.Find(node) is not { } known || known.StateAt(seams.Clock.Now()) == PlaceState.Enrolled),
        };
        PackageList = new PackageList(PackageDesk.Place, Packages, Sequencer, seams.Clock);
        var outgoing = new OrderReader(Orders, () => RegisterNow, seams.Journal, () => OwnEpoch, seams.Wire is null)
        {
            HearsOfNone = () => HearsOfNoOrders,
        };
        var notary = seams.Signatures is { } signatures ? new ChildNotary(signatures, settings.Node, seams.Journal.Incarnation, seams.Clock) { Orders = orderNotary, Revoked = ChildrenFold.RevokedOf } : null;
        Door = new LinkDoor(ReceptionDesk, Sequencer, seams.Entropy, Presence, outgoing, seams.Clock, notary)
        {
            Pressure = Pressure,
            Room = Room,
            Packages = (new PackageReader(Packages), PackageDesk),
        };
        BundleDoor = new BundleDoor(Door, outgoing, Sequencer);
        ReachDesk = new ReachDesk(
            new ReachPlace(settings.Node, settings.Division, ReachGroundNow, () => RegisterNow) { Stands = StandsOf, Held = HeldOf },
            new Dictionary<ReachKind, IAnswerer>
            {
                [ReachKind.View] = new ViewAnswerer(Views, settings.Division, () => RegisterNow),
                [ReachKind.Case] = new CaseAnswerer(Desk, settings.Division, () => RegisterNow),
            },
            seams.Entropy,
            seams.Clock)
        {
            AskChild = Door.Ask,
            Reply = (query, number, result, left) => Uplink?.Tell(query, number, result, left),
        };
        Door.ReachAnswered = ReachDesk.Hear;
        Door.ConnectionEnded = ReachDesk.Left;
        Reach = EscalationReach.Towards(settings.ParentDivision is { } above ? RegisterNow.Find(above)?.Kind : null, settings.EscalationRules.GoesToParent);
        Cuts = CutsFor(ParentKind.Territorial);
        if (seams.Wire is { } wire)
        {
            var (sending, ground) = (SendingTo(ParentKind.Territorial, settings.Parent), GroundOf(ParentKind.Territorial, Cuts));
            Uplink = PumpOf(sending, ground, wire);
            Bundles = new BundleUplink(sending, ground, seams.Clock);
        }

        if (seams.SectorWire is { } sector)
        {
            SectorUplink = PumpOf(SendingTo(ParentKind.Sector, settings.SectorParent), GroundOf(ParentKind.Sector, CutsFor(ParentKind.Sector)), sector);
        }

        Uplinks = [.. new[] { Uplink, SectorUplink }.OfType<UplinkPump>()];
        Book.Changed = state => _changed[state.Id] = state;
        Sequencer.Folded = Offer;
        Sequencer.AfterApply = AfterApply;
        foreach (var gap in _projector.Start(Sequencer.Applied, Book.Shelves.Last))
        {
            Fill(gap);
        }
    }

    private readonly Dictionary<CaseId, CaseState> _changed = [];

    public IJournal Journal => _seams.Journal;

    /// <summary>Why the newest snapshot was passed over; null where it was not.</summary>
    public FoldImageException? UnreadSnapshot { get; private init; }

    public CellFold Cells { get; }

    public UplinkFold UplinkFold { get; }

    public ReceptionFold Reception { get; }

    public EscalationFold Escalations { get; }

    public OrderFold Orders { get; }

    public OrderDesk OrderDesk { get; }

    public OrderList OrderList { get; }

    public PackageFold Packages { get; }

    public PackageDesk PackageDesk { get; }

    public PackageList PackageList { get; }

    /// <summary>The register of children; empty where the node keeps none.</summary>
    public ChildrenFold ChildrenFold { get; } = new();

    /// <summary>Where children are taken in; null where the node keeps no register of them.</summary>
    public ChildrenDesk? Children { get; }

    public CaseBook Book { get; }

    public Sequencer Sequencer { get; }

    public CaseDesk Desk { get; }

    public CaseLists Lists { get; }

    public ViewDesk Views { get; }

    public EscalationDesk EscalationList { get; }

    /// <summary>Where views and lists are read for callers.</summary>
    public ReaderLane Readers { get; } = ReaderLane.BesideTheWriter();

    public LinkDoor Door { get; }

    /// <summary>How near the node is to what it can bear, and what it lets go of because of it.</summary>
    public PressureGauge Pressure { get; }

    /// <summary>What each child has used of its bounds.</summary>
    public ChildQuota Quota { get; }

    /// <summary>Whether there is room for what is new.</summary>
    public DiskRoom Room { get; }

    /// <summary>Which children are connected now.</summary>
    public LinkPresence Presence { get; } = new();

    public ReceptionDesk ReceptionDesk { get; }

    /// <summary>What is kept aside of the children, judged again.</summary>
    public Redriving Redriving { get; }

    public EscalationReach Reach { get; }

    /// <summary>Where places below are asked, and where this one answers.</summary>
    public ReachDesk ReachDesk { get; }

    public CutReader Cuts { get; }

    /// <summary>To the territorial parent; null for the root of a tree.</summary>
    public UplinkPump? Uplink { get; }

    /// <summary>To a sector's parent beside it; null where there is none.</summary>
    public UplinkPump? SectorUplink { get; }

    /// <summary>Those that there are, the territorial one first.</summary>
    public IReadOnlyList<UplinkPump> Uplinks { get; }

    /// <summary>Who they are and how each is spoken to, the territorial one first.</summary>
    public IEnumerable<(NodeId Node, ParentKind Kind, UplinkPump Pump)> Parents
    {
        get
        {
            if (Uplink is { } territorial && _settings.Parent is { } parent)
            {
                yield return (parent, ParentKind.Territorial, territorial);
            }

            if (SectorUplink is { } sector && _settings.SectorParent is { } beside)
            {
                yield return (beside, ParentKind.Sector, sector);
            }
        }
    }

    /// <summary>The link by files; null for the root of a tree.</summary>
    public BundleUplink? Bundles { get; }

    public BundleDoor BundleDoor { get; }

    public NodeId Node => _settings.Node;

    public DivisionCode Division => _settings.Division;

    /// <summary>The place of an origin's node, this one among them, as it was last heard; null for one never heard of.</summary>
    public DivisionCode? HomeOf(NodeId origin) =>
        origin == _settings.Node ? _settings.Division : Sequencer.Read(() => Reception.Origin(origin)?.Watermark.Division);

    public Projector Projector => _projector;

    /// <summary>View files that were found damaged since the start; each was put aside and is made anew.</summary>
    public DamagedShelves Damaged => _seams.Damaged;

    /// <summary>Events replayed at the start.</summary>
    public long Replayed { get; }

    public Epoch OwnEpoch => UplinkFold.EpochOf(_seams.Journal.Incarnation);

    public Instant Now => _seams.Clock.Now();

    public long FreeBytes => _seams.Disk.FreeBytes;

    /// <summary>Events that a fold could not take since the start.</summary>
    public int FoldFailures { get; private set; }

    /// <summary>Is told of an event that a fold could not take.</summary>
    public Action<IFold, JournalEvent, Exception>? FoldFailed { get; set; }

    /// <summary>Why writes are refused by the policy about anchors; null where they are taken. Under the sequencer's lock, or on the writer.</summary>
    public Refusal? AnchorOverdue(Instant now) => AnchorDuty.Overdue(_settings.AnchorRequired, UplinkFold.Territorial.AnchoredAt ?? _startedAt, now);

    /// <summary>The register as it stands today.</summary>
    public DivisionRegister RegisterNow => _settings.Register.At(Today);

    /// <summary>True for a division that lies at or below this node's today: what has left is its new parent's to report (H2).</summary>
    private bool IsOurs(DivisionCode division) => RegisterNow.IsAtOrBelow(division, _settings.Division);

    /// <summary>The children that lie below this node today. Under the sequencer's lock.</summary>
    public IEnumerable<ChildRow> ChildrenNow => Reception.Children.Where(child => IsOurs(child.Division));

    /// <summary>What is known of their ranges: those of a child that has left are its new parent's to compare. Under the sequencer's lock.</summary>
    public IEnumerable<ChildRanges> RangesNow => ChildrenNow.Select(child => Reception.Ranges.Of(child.Node));

    /// <summary>Is told what came of comparing a child's ranges, and at which position here.</summary>
    public Action<NodeId, Lsn, IReadOnlyList<Finding>>? RangesCompared { get; set; }

    /// <summary>Is told what a child's repair did.</summary>
    public Action<NodeId, Lsn, RangeStretch, RepairCounts>? RangeRepaired { get; set; }

    public StatDay Today => StatDay.Of(_seams.Clock.Now(), _settings.Zone);

    /// <summary>Lets time do what is due: deadlines, suspensions. Returns how many cases it touched.</summary>
    public int PassTime() => Desk.PassTime(1000);

    /// <summary>Sends orders once more whose way down is another one since a day that has come (O7).</summary>
    public void RerouteOrders() => Sequencer.Submit(OrderDesk.Reroute("clock"), _ => { });

    /// <summary>The scheduled push to a parent; an empty one too proves that this node lives.</summary>
    public void PushDue(ParentKind kind = ParentKind.Territorial, bool isAsked = false) => (kind == ParentKind.Sector ? SectorUplink : Uplink)?.PushDue(isAsked);

    /// <summary>
    /// Begins to speak to the parents, to a sector's once it is durable of which matters it is told. What it holds is compared where that is another choice than before: it
    /// finds out what only a comparison can.
    /// </summary>
    public void StartUplinks()
    {
        Uplink?.Start();
        if (SectorUplink is { } sector)
        {
            Sequencer.Submit(new ChooseMatters(UplinkFold[ParentKind.Sector], Escalations, _settings.SectorMatters) { Actor = "configuration" }, changed =>
            {
                if (changed)
                {
                    sector.CompareRanges();
                }

                sector.Start();
            });
        }
    }

    /// <summary>Compares what a parent holds with what is here (L16).</summary>
    public void CompareRanges(ParentKind kind = ParentKind.Territorial) => (kind == ParentKind.Sector ? SectorUplink : Uplink)?.CompareRanges();

    /// <summary>Wants the ranges of these children compared; each is asked with the next answer that it gets (L16).</summary>
    public void AskRanges(IEnumerable<NodeId> children)
    {
        foreach (var child in children)
        {
            ReceptionDesk.Asks.Ask(child, Sequencer.Applied);
        }
    }

    public Lsn SaveSnapshot() => Sequencer.SaveSnapshot();

    /// <summary>What a parent compares with its own copy of this node, at the position it holds for.</summary>
    public (Lsn Lsn, Hash256 Digest) OwnDigest() => Sequencer.Read(() => (Sequencer.Applied, EdgeDigest.Of(Cells, _settings.Node, Cells.Origins.Where(o => o == _settings.Node || Reception.Origin(o) is not { } row || IsOurs(row.Watermark.Division)))));

    /// <summary>A person grants a new data directory of a child its epoch.</summary>
    public Task<GrantOutcome> GrantAsync(NodeId child, Incarnation directory, string actor) =>
        Sequencer.SubmitAsync(ReceptionDesk.Grant(child, directory, _seams.Entropy.NextUInt64(), actor));

    /// <summary>This node's copy of a child.</summary>
    public Hash256 DigestOfChild(NodeId child) => Sequencer.Read(() => EdgeDigest.Of(Cells, child, Cells.Origins.Where(o => Reception.Origin(o)?.Via == child || o == child)));

    /// <summary>The newest statement of every origin known here, this node among them where it keeps cases. Under the sequencer's lock.</summary>
    public IReadOnlyList<OriginWatermark> AllWatermarks()
    {
        var all = new List<OriginWatermark>(Reception.Watermarks);
        if (KeepsCases)
        {
            all.Add(OwnWatermark());
        }

        return all;
    }

    public void Dispose()
    {
        ReachDesk.Dispose();
        foreach (var uplink in Uplinks)
        {
            uplink.Dispose();
        }

        Sequencer.Dispose();
        Readers.Dispose();
        _keys.Dispose();
    }

    /// <summary>What a query finds here now. Under pressure none is taken: whoever looks can look again.</summary>
    private ReachGround ReachGroundNow()
    {
        var rows = Sequencer.Read(() => Reception.Children.Select(row => (row.Node, row.Division, row.LastHeard)).ToArray());
        return new ReachGround(
            _settings.Node, _settings.Division, RegisterNow, [.. rows.Select(row => new ReachChild(row.Node, row.Division, Door.StandingOf(row.Node), row.LastHeard))], Pressure.Shed(CallKind.DrillThrough));
    }

    private (long Epoch, long Lsn)? StandsOf(NodeId origin) => Sequencer.Read(() => origin == _settings.Node
        ? (OwnEpoch.Number, Sequencer.Applied.Value)
        : Reception.Origin(origin)?.Watermark is { } stated ? (stated.Epoch.Number, stated.Lsn.Value) : ((long, long)?)null);

    private ReachHeld[] HeldOf(DivisionCode division)
    {
        var register = RegisterNow;
        return Sequencer.Read(() => Reception.Watermarks.Where(stated => register.IsAtOrBelow(stated.Division, division))
            .Select(stated => new ReachHeld { Origin = stated.Origin.ToString(), Division = stated.Division.ToString(), Epoch = stated.Epoch.Number, Lsn = stated.Lsn.Value }).ToArray());
    }

    /// <summary>An import may leave the lists behind on purpose and says so itself: its lag is no pressure.</summary>
    private Pressure Measure()
    {
        var views = _projector.Status;
        return new Pressure(
            (double)Sequencer.Waiting / Sequencer.QueueMax,
            (double)_settings.MemoryNow() / _settings.MemoryMax,
            views.Building ? 0 : (double)views.Lag / (10L * _settings.ViewLagRecords));
    }

    private CutReader CutsFor(ParentKind kind) =>
        new(_settings.Node, Cells, Reception, Escalations, Reach, Orders, IsOurs, _settings.Cuts, _seams.Entropy.NextUInt64(), () => UplinkFold[kind].Matters)
        {
            TellsOfOrders = kind == ParentKind.Territorial,
            TellsAgain = kind == ParentKind.Sector,
        };

    private UplinkGround GroundOf(ParentKind kind, CutReader cuts) =>
        new(kind, Sequencer, UplinkFold, cuts, _seams.Journal, OrderDesk, KeepsCases ? () => WatermarkFor(kind) : null)
        {
            Signatures = _seams.Signatures,
            Reach = kind == ParentKind.Territorial ? ReachDesk : null,
            Packages = kind == ParentKind.Territorial ? PackageDesk : null,
        };

    private SenderSettings SendingTo(ParentKind kind, NodeId? parent)
    {
        var sending = new SenderSettings(_settings.Node, _settings.Division) { ProtocolNewest = _settings.ProtocolNewest, Parent = parent, Kind = kind, Matters = kind == ParentKind.Sector ? _settings.SectorMatters : Matters.All };
        var longest = (long)sending.BackoffMost.TotalMilliseconds;
        Failpoint.Shorten("backoff-ms", ref longest);
        return sending with { BackoffMost = Duration.FromMilliseconds(longest) };
    }

    private UplinkPump PumpOf(SenderSettings sending, UplinkGround ground, IWire wire) =>
        new(SenderState.Start(sending, _seams.Journal.Incarnation, UplinkFold), ground, wire, _seams.Clock, _seams.Entropy);

    private OriginWatermark OwnWatermark() => new(
        _settings.Node,
        _seams.Journal.Incarnation,
        OwnEpoch,
        Sequencer.Applied,
        Instant.FromUnixTimeSeconds(_seams.Clock.Now().ToUnixTimeSeconds()),
        Today.Plus(-1),
        _settings.Division,
        Cells.DigestOf(_settings.Node, Grain.National),
        _settings.Zone.Id);

    /// <summary>What this node says of itself to a parent: where that is told of some matters alone, as if there were no others, and that it is so.</summary>
    private OriginWatermark WatermarkFor(ParentKind kind) => UplinkFold[kind] is { Matters: { IsAll: false } matters } parent
        ? OwnWatermark() with { Digest = Cells.DigestOf(_settings.Node, Grain.National, matters), Matters = matters, MattersSince = parent.MattersSince }
        : OwnWatermark();

    /// <summary>The parent speaks a protocol without orders: nothing is to be waited for.</summary>
    private bool HearsOfNoOrders => Uplink?.Standing.State is { Phase: SenderPhase.Open, Speaks: < LinkDoor.ProtocolOfOrders };

    /// <summary>A place of this kind keeps cases, or it has some. Such a node states itself even while it has none: only so does what an earlier life counted end (L12).</summary>
    private bool KeepsCases => RegisterNow.Find(_settings.Division) is { MayKeepCases: true } || Book.Count > 0;

    /// <summary>Cases of a type reported in a division on these days, both in, whatever their source. On the writer.</summary>
    private long ReportedBetween(TypeKey type, DivisionCode division, StatDay from, StatDay to)
    {
        _reported.Clear();
        Cells.SumOf(_settings.Node, type, division, from, to, _reported);
        return _reported[Counter.Reported];
    }

    /// <summary>On the writer, with the folds: a case that is open no more is found among those that wait for the view store.</summary>
    private void Offer(Lsn head)
    {
        _projector.Offer([.. _changed.Values.Select(state => new ViewChange(CaseDesk.ShelfOf(state.Id), CaseDocuments.Of(state)))], head);
        _changed.Clear();
    }

    /// <summary>On the writer, once a batch is durable and visible: keys are erased, children that may connect no more are dropped, the parent and the others hear.</summary>
    private void AfterApply(IReadOnlyList<JournalEvent> events)
    {
        Desk.EraseKeys();
        foreach (var child in ChildrenFold.Dropped(events))
        {
            Failpoint.Hit("child.drop.before");
            Presence.Drop(child);
            Failpoint.Hit("child.drop.after");
        }

        if (events.Any(e => e.Kind is EventKinds.OrderIssued or EventKinds.OrdersReceived or EventKinds.OrdersRerouted || (e.Kind == EventKinds.ReceiptKept && HearsOfNoOrders)))
        {
            Door.SendOrders();
        }

        if (events.Any(e => e.Kind is EventKinds.PackagePublished or EventKinds.PackageReceived))
        {
            Door.SendPackages();
        }

        var hasRecords = events.Any(e => e.Kind is EventKinds.EscalationRaised or EventKinds.EscalationsReceived or EventKinds.ParkedSettled or EventKinds.OrderReceipted);
        var hasAlarm = hasRecords && Escalations.ChangedSince(new Lsn(events[0].Lsn.Value - 1), events[^1].Lsn).Any(EscalationReach.IsAlarm);
        var hasEpoch = Uplinks.Count > 1 && events.Any(e => e.Kind == EventKinds.EpochTaken);
        foreach (var uplink in Uplinks)
        {
            if (hasRecords)
            {
                uplink.Nudge(Lane.Alarms, hasAlarm);
                uplink.Nudge(Lane.Escalations);
            }

            if (hasEpoch)
            {
                uplink.EpochMayHaveChanged();
            }
        }

        if (events.Any(e => e.Kind is EventKinds.RangesCompared or EventKinds.RangeRepaired))
        {
            TellRanges(events);
        }
    }

    /// <summary>What was repaired from below under a revision that went up before is compared with the parent at once, or it would stay there till night.</summary>
    private void TellRanges(IReadOnlyList<JournalEvent> events)
    {
        var isRepaired = false;
        foreach (var journalEvent in events)
        {
            if (journalEvent.Kind == EventKinds.RangesCompared)
            {
                var (child, findings) = RangeEvents.ReadCompared(journalEvent);
                isRepaired |= findings.Any(f => f.State == RangeState.Repaired);
                RangesCompared?.Invoke(child, journalEvent.Lsn, findings);
            }
            else if (journalEvent.Kind == EventKinds.RangeRepaired)
            {
                var (child, stretch, counts) = RangeEvents.ReadRepaired(journalEvent);
                RangeRepaired?.Invoke(child, journalEvent.Lsn, stretch, counts);
            }
        }

        if (isRepaired)
        {
            foreach (var uplink in Uplinks)
            {
                uplink.CompareRanges();
            }
        }
    }

    /// <summary>Tries again what a full disk kept from being filled.</summary>
    public void FillGaps()
    {
        foreach (var gap in _projector.Gaps)
        {
            Fill(gap);
        }
    }

    /// <inheritdoc cref="DocumentsAnew.Fill"/>
    public void Fill(ShelfGap gap) => _documents.Fill(_projector, gap, () => Sequencer.Applied);
}
