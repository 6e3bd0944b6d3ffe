using CityGrid.Hub.Cells;
using CityGrid.Hub.Children;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>What came of a person's grant.</summary>
public enum GrantOutcome
{
    Granted,

    /// <summary>The directory was in office or on offer already; nothing changed.</summary>
    HadIt,

    /// <summary>It was in office once and is no more: it must be restored as a new one.</summary>
    OutOfOffice,

    ChildUnknown,
}

/// <summary>What came of a person's giving a name to a division.</summary>
public enum NameOutcome
{
    Given,

    /// <summary>A person had given it to this division before; nothing changed.</summary>
    HadIt,

    /// <summary>The register does not have the division.</summary>
    DivisionUnknown,

    /// <summary>The division does not lie below this node's.</summary>
    DivisionOutside,

    /// <summary>It is the name of this node, of its parent or of a child that is somewhere else and not retired: their places say where they are.</summary>
    Borne,
}

/// <summary>
/// The door of reception: a frame from a child becomes a command for the sequencer, whose answer exists only when the effect and the cursor are durable
/// in one event (RULE-3). Frames of one connection are given one after the other, each with the session of the answer before.
/// </summary>
public sealed class ReceptionDesk(
    ReceiverSettings settings, ReceptionFold reception, CellFold cells, EscalationFold escalations, Func<Epoch> ownEpoch)
{
    public ReceiverSettings Settings => settings;

    /// <summary>Who is a child now, by the register of children; null where this node has none and takes every certificate of its network (development).</summary>
    public Admission? Admission { get; init; }

    /// <summary>Whether a child's place is retired and not being opened anew: it reports no more, and its name may be given to another division (L13).</summary>
    public Func<NodeId, Instant, bool> IsRetired { get; init; } = (_, _) => false;

    /// <summary>The orders known here; null where none are kept.</summary>
    public OrderFold? Orders { get; init; }

    /// <summary>What one child may lay upon this node; null where that is not bounded.</summary>
    public ChildQuota? Quota { get; init; }

    /// <summary>Which children are to state their ranges.</summary>
    public RangeAsks Asks { get; } = new(reception);

    /// <param name="peer">Who the certificate says is there.</param>
    /// <param name="session">The session of the last answer on this connection; null before the first.</param>
    /// <param name="request">The frame.</param>
    /// <param name="nonce">A fresh random number, for a grant.</param>
    /// <param name="found">What the frame's signatures are worth; null where nobody looked.</param>
    public Command<LinkDecision> Receive(IPeerIdentity peer, LinkSession? session, ConnectRequest request, ulong nonce, Attestation? found = null) =>
        new ReceiveFrame(this, peer, session, request, nonce, found) { Actor = $"node/{peer.Node}" };

    /// <summary>A person releases a quarantined child. Answers false where it was not quarantined.</summary>
    public Command<bool> Release(NodeId child, string actor) => new ReleaseChild(this, child) { Actor = actor };

    /// <summary>
    /// A person grants a new data directory of a child its epoch (<see cref="EpochPolicy.Asked"/>): it takes office with the first part that it sends, and what is in office then is so no more.
    /// </summary>
    /// <param name="child">A child that was heard of.</param>
    /// <param name="directory">The data directory, as its refusal named it.</param>
    /// <param name="nonce">A fresh random number.</param>
    /// <param name="actor">The person.</param>
    public Command<GrantOutcome> Grant(NodeId child, Incarnation directory, ulong nonce, string actor) => new GrantDirectory(this, child, directory, nonce) { Actor = actor };

    /// <summary>
    /// Judges again what is kept aside of a child: a division that the register knows by now, a day that has come. Answers how many records were
    /// settled, as many as one record of the journal may hold: where it is not 0, more may be left for the next time. <paramref name="readAt"/> reads this node's own journal.
    /// </summary>
    public Command<int> Redrive(NodeId child, Func<Lsn, JournalRecord?> readAt, string actor) => new RedriveParked(this, child, readAt) { Actor = actor };

    /// <summary>
    /// A person says at which division the node of a name is at home (L13, NAME_TAKEN). What is held of the name elsewhere is let go of. Of a child to which that division belongs
    /// everything is asked for again where something of it may be lost by now: more is parked than is listed, receipts may be with the orders that they brought, or the name was given elsewhere and records were refused for it.
    /// The name of a child whose place is retired is given like any other, and what that child reported is let go of where it lies elsewhere.
    /// What else is kept aside is judged again by <see cref="Redrive"/>.
    /// </summary>
    public Command<NameOutcome> GiveName(NodeId name, DivisionCode division, string actor) => new GiveNodeName(this, name, division) { Actor = actor };

    /// <summary>
    /// The first statement of an origin says where it is at home (L13): what came of its name before, and lies elsewhere, is let go of, for cells alone do not hold a name within the subtree of one child.
    /// Where a place or a person has said so, that holds.
    /// </summary>
    private IEnumerable<EventDraft> HomesStated(ReceiverSettings settings, CellsTaken taken)
    {
        var leftOut = taken.Verdicts.Select(verdict => verdict.Index).ToHashSet();
        var stated = taken.Part.Watermarks.Where((_, i) => !leftOut.Contains(PartRecords.IndexOfWatermark(taken.Part, i)))
            .Select(message => CellsPartCodec.Read(message, out var statement) is null ? statement : null).OfType<OriginWatermark>()
            .Where(statement => reception.Origin(statement.Origin) is null && reception.Child(statement.Origin) is null && reception.GivenTo(statement.Origin) is null)
            .ToArray();
        if (stated.Length == 0)
        {
            return [];
        }

        var beside = PartRecords.CellsOf(taken.Part).Cells.Where(cell => !leftOut.Contains(cell.Index)).ToLookup(cell => cell.Row.Key.Origin, cell => cell.Row.Key.Division);
        return stated.Select(statement => NameGivenEvent(settings, statement.Origin, statement.Division, byPlace: true, beside[statement.Origin])).OfType<EventDraft>();
    }

    /// <summary>The event that gives a name its home; null where nothing would change by it.</summary>
    /// <param name="settings">This node's as of the moment.</param>
    /// <param name="name">The name.</param>
    /// <param name="home">Where its node is at home from here on.</param>
    /// <param name="byPlace">Its own word says so, and not a person's.</param>
    /// <param name="beside">The divisions of cells of the name that are taken in the same record.</param>
    private EventDraft? NameGivenEvent(ReceiverSettings settings, NodeId name, DivisionCode home, bool byPlace, IEnumerable<DivisionCode>? beside = null)
    {
        // What comes below it at the next midnight may be here already.
        var ofCells = cells.DivisionsOf(name).Concat(beside ?? []).Distinct().ToArray();
        var elsewhere = ofCells.Concat(reception.Origin(name) is { } row ? [row.Watermark.Division] : []).Distinct().Where(division => !settings.Tomorrow.HasBeenAtOrBelow(division, home)).Order().ToArray();
        var changes = byPlace ? reception.GivenTo(name) is not null : reception.GivenTo(name) != home;
        return elsewhere.Length == 0 && !changes
            ? null
            : ReceptionEvents.Draft(EventKinds.NameGiven, new Hub.Reception.V1.NameGiven
            {
                Name = name.ToString(),
                Division = home.ToString(),
                LetGo = { elsewhere.Select(d => d.ToString()) },
                ByPlace = byPlace,
                BroughtBy = { reception.Children.Where(child => elsewhere.Intersect(ofCells).Any(division => CameBy(child, name, division, settings.Register))).Select(child => child.Node.ToString()) },
            });
    }

    /// <summary>Whether the stream of this connection is the one in office. Under the sequencer's lock.</summary>
    public bool IsInOffice(LinkSession session) => reception.Child(session.Child) is { } row && row.Incarnation == session.Incarnation && row.Epoch == session.Epoch;

    /// <summary>
    /// The child is to send everything again, where more of it is parked than is listed. Answers false for a child that is not known. Cells and escalations that are
    /// held already have no effect by coming again.
    /// </summary>
    public Command<bool> Rewind(NodeId child, string actor) => new RewindChild(this, child) { Actor = actor };

    /// <summary>Why what was decided is not made durable now; null where it is. A quarantine always is.</summary>
    private OverQuota? Over(NodeId child, ConnectRequest request, LinkDecision decision) => decision.Change switch
    {
        EscalationsTaken => Quota?.TakeEscalations(child, request.Escalations.Escalations.Count + request.Escalations.Receipts.Count),
        CellsTaken when decision.Response.Receipt is { Accepted: > 0 } receipt && reception.Child(child) is { } row => OverCells(row, receipt.Accepted),
        EpochGrant => Quota?.TakeHello(child),
        null when decision.NewSigner is not null => Quota?.TakeHello(child),
        _ => null,
    };

    /// <summary>By a child came what it stated or relays, and cells of names that nobody has stated, where they lie in its division.</summary>
    private bool CameBy(ChildRow child, NodeId origin, DivisionCode division, DivisionRegister register) =>
        reception.Origin(origin) is { } row ? row.Via == child.Node : register.IsAtOrBelow(division, child.Division);

    /// <summary>Whether a child may have so many cells more: beside what is held that came by it, what did and was let go of takes its room still.</summary>
    private OverQuota? OverCells(ChildRow child, int more)
    {
        if (Quota is not { } quota)
        {
            return null;
        }

        var letGo = reception.LetGoOf(child.Node);
        var (held, origins) = (more + letGo, 0);
        foreach (var (origin, division, count) in cells.Holdings)
        {
            if (origin == child.Node || CameBy(child, origin, division, settings.Register))
            {
                (held, origins) = (held + count, origins + 1);
            }
        }

        return quota.HoldCells(child.Node, held, origins, letGo);
    }

    private static readonly Touched AllEscalations = Touched.By("escalations", string.Empty);

    /// <summary>What is kept aside, whoever's: a redrive may settle a record of any name, and the first hello of a child changes whose its name is.</summary>
    private static readonly Touched AllParked = Touched.By("parked", string.Empty);

    private sealed class ReceiveFrame(ReceptionDesk desk, IPeerIdentity peer, LinkSession? session, ConnectRequest request, ulong nonce, Attestation? found) : Command<LinkDecision>
    {
        /// <summary>The child, and what two children might speak of at once: an origin that both relay, an escalation that came by two paths.</summary>
        public override IReadOnlyCollection<Touched> Touches
        {
            get
            {
                var touches = new HashSet<Touched> { Touched.By("child", peer.Node.ToString()) };
                if (request.FrameCase == ConnectRequest.FrameOneofCase.Hello)
                {
                    // Its name may be held for somebody else until then.
                    touches.Add(Touched.By("origin", peer.Node.ToString()));
                    touches.Add(AllParked);
                }
                else if (request.FrameCase == ConnectRequest.FrameOneofCase.Cells)
                {
                    var symbols = request.Cells.Symbols;
                    touches.UnionWith(request.Cells.Cells.Select(c => c.Origin).Distinct().Where(o => o >= 0 && o < symbols.Count).Select(o => Touched.By("origin", symbols[o])));
                    touches.UnionWith(request.Cells.Watermarks.Select(w => Touched.By("origin", w.Origin)));
                    if (RangeStatements.StretchOf(request.Cells) is { } stretch)
                    {
                        touches.Add(Touched.By("origin", stretch.Range.Origin.ToString()));
                    }
                }
                else if (request.FrameCase == ConnectRequest.FrameOneofCase.Escalations)
                {
                    touches.UnionWith(request.Escalations.Escalations.Count > 0 ? [AllEscalations] : []);

                    // Whether a receipt counts is for the order to say that it speaks of.
                    touches.UnionWith(request.Escalations.Receipts.Select(r => OrderRead.Receipt(r.Receipt)).OfType<OrderReceipt>()
                        .SelectMany(r => new[] { Touched.By("order", OrderId.Of(r.Order)), Touched.By("origin", r.Node) }));
                }

                return touches;
            }
        }

        public override Decision<LinkDecision> Decide(Instant now)
        {
            Refusal? denial = null;
            var admitted = desk.Admission is { } admission ? admission.Admit(peer, now, out denial) : peer;
            if (admitted is null)
            {
                return Decision<LinkDecision>.Nothing(Answers.Refuse(request.Number, LinkRefusalCode.PermissionDenied, denial!.ToString()));
            }

            var settings = desk.Settings.At(now);
            var judge = new RecordJudge(settings, desk.Fold, desk.Cells, desk.EscalationsKnown, now) { Orders = desk.Orders, OrderFaults = found?.Orders ?? [], SignsOrders = found?.SignsOrders ?? false };
            var row = desk.Fold.Child(peer.Node);

            // Its place was retired and its name given away; what was let go of is to come again.
            var comesBack = row is not null && desk.Fold.GivenTo(peer.Node) is not null && request.FrameCase == ConnectRequest.FrameOneofCase.Hello ? new ChildRewind(peer.Node) : null;
            var decision = LinkReceiver.Decide(settings, comesBack is null ? row : ChildRow.After(row, comesBack, now), session, admitted, request, desk.OwnEpoch(), nonce, judge, found);
            if (desk.Over(peer.Node, request, decision) is { } over)
            {
                return Decision<LinkDecision>.Nothing(new LinkDecision(null, Answers.Busy(request, over.Message, over.Wait), session));
            }

            if (decision.Response.Welcome is { } welcome)
            {
                welcome.ReceivedAt = now.ToUnixTimeMilliseconds();
                welcome.AskRanges = welcome.Protocol >= 2 && desk.Asks.IsCutShort(peer.Node);
                welcome.Parked = desk.Fold.ParkedOf(peer.Node);
                welcome.RedialWithinMs = welcome.Protocol >= 2 ? ReceiverSettings.RedialWithinMs(desk.Fold.Children.Count) : 0;
            }
            else if (decision.Response.Receipt is { } receipt)
            {
                receipt.ParkedInAll = desk.Fold.ParkedOf(peer.Node) + (decision.Change is null ? 0 : receipt.Parked);
            }

            var bears = decision.Response.Welcome is not null && (row is null || comesBack is not null);
            ReceptionChange?[] changes = [decision.Change, decision.NewSigner, bears ? comesBack : null];
            EventDraft?[] named = bears ? [desk.NameGivenEvent(settings, peer.Node, DivisionCode.Parse(request.Hello.Division), byPlace: true)]
                : decision.Change is CellsTaken taken ? [.. desk.HomesStated(settings, taken)]
                : [];
            var shown = request.FrameCase == ConnectRequest.FrameOneofCase.Hello ? desk.Admission?.Shows(peer, now) : null;
            EventDraft[] events =
            [
                .. changes.OfType<ReceptionChange>().SelectMany(change => RangeEvents.Beside(change).Prepend(ReceptionEvents.ToEvent(change, desk.Settings.Node))),
                .. named.Append(shown).OfType<EventDraft>(),
            ];
            var record = new RecordDraft(Actor, events);
            if (events.Length > 0 && JournalRules.Problem(record) is { } problem)
            {
                // Each record of a part may be named with its reason, so that a part of nearly the most bytes that a frame may have comes to more than one record of the journal may.
                return Decision<LinkDecision>.Nothing(Answers.Refuse(
                    request.Number, LinkRefusalCode.Malformed, $"The part and what is to be said of its records are too much for one record here: {problem}. Send smaller parts (L14)."));
            }

            Failpoint.Hit("epoch.grant.before", decision.Change is EpochGrant);
            Failpoint.Hit("cells.apply.before", decision.Change is CellsTaken);
            Failpoint.Hit("escalations.apply.before", decision.Change is EscalationsTaken);
            Failpoint.Hit("signer.note.before", decision.NewSigner is not null);
            return events.Length == 0
                ? Decision<LinkDecision>.Nothing(decision)
                : Decision<LinkDecision>.Of(record, range => Stands(decision, range));
        }

        private static LinkDecision Stands(LinkDecision decision, LsnRange range)
        {
            Failpoint.Hit("epoch.grant.after", decision.Change is EpochGrant);
            Failpoint.Hit("cells.apply.after", decision.Change is CellsTaken);
            Failpoint.Hit("escalations.apply.after", decision.Change is EscalationsTaken);
            Failpoint.Hit("signer.note.after", decision.NewSigner is not null);
            return decision with { Stands = new StreamMark(range.Last, range.ChainHash) };
        }
    }

    private sealed class GrantDirectory(ReceptionDesk desk, NodeId child, Incarnation directory, ulong nonce) : Command<GrantOutcome>
    {
        public override IReadOnlyCollection<Touched> Touches => [Touched.By("child", child.ToString())];

        public override Decision<GrantOutcome> Decide(Instant now)
        {
            if (desk.Fold.Child(child) is not { } row)
            {
                return Decision<GrantOutcome>.Nothing(GrantOutcome.ChildUnknown);
            }

            if (row.Retired.Contains(directory))
            {
                return Decision<GrantOutcome>.Nothing(GrantOutcome.OutOfOffice);
            }

            if (row.Incarnation == directory || row.Offer?.Incarnation == directory)
            {
                return Decision<GrantOutcome>.Nothing(GrantOutcome.HadIt);
            }

            var grant = new EpochGrant(child, row.Division, directory, new Epoch(Greeting.Known(row) + 1, nonce));
            return Decision<GrantOutcome>.Of(new RecordDraft(Actor, [ReceptionEvents.ToEvent(grant, desk.Settings.Node)]), _ => GrantOutcome.Granted);
        }
    }

    private sealed class GiveNodeName(ReceptionDesk desk, NodeId name, DivisionCode division) : Command<NameOutcome>
    {
        /// <summary>The name, whatever anybody is about to say of it, and each child, for it may be asked for everything again.</summary>
        public override IReadOnlyCollection<Touched> Touches =>
            [Touched.By("origin", name.ToString()), AllEscalations, .. desk.Fold.Children.Select(child => child.Node).Append(name).Distinct().Select(child => Touched.By("child", child.ToString()))];

        public override Decision<NameOutcome> Decide(Instant now)
        {
            var settings = desk.Settings.At(now);
            if (!settings.Tomorrow.Contains(division))
            {
                return Decision<NameOutcome>.Nothing(NameOutcome.DivisionUnknown);
            }

            if (division == settings.Division || !settings.Tomorrow.IsAtOrBelow(division, settings.Division))
            {
                return Decision<NameOutcome>.Nothing(NameOutcome.DivisionOutside);
            }

            var known = desk.Fold.Child(name);
            var child = known is not null && desk.IsRetired(name, now) ? null : known;
            if (name == settings.Node || name == settings.Parent || (child is not null && child.Division != division))
            {
                return Decision<NameOutcome>.Nothing(NameOutcome.Borne);
            }

            var before = desk.Fold.GivenTo(name);
            if (desk.NameGivenEvent(settings, name, division, byPlace: child is not null) is not { } given)
            {
                return Decision<NameOutcome>.Nothing(NameOutcome.HadIt);
            }

            // A child whose name was held for somebody else when it came was taken for one of an earlier life, by a program that did not free it then. Whoever spoke in the name of a child that was not gone
            // was refused, and nothing of that is kept aside.
            var again = child is not null
                ? [child]
                : desk.Fold.Children.Where(row => settings.Tomorrow.IsAtOrBelow(division, row.Division) && (desk.Fold.HasUnlisted(row.Node) || known is not null || (before is not null && before != division) || HasRecordsAside(row.Node)));
            return Decision<NameOutcome>.Of(
                new RecordDraft(Actor, [given, .. again.Select(row => ReceptionEvents.ToEvent(new ChildRewind(row.Node), desk.Settings.Node))]), _ => NameOutcome.Given);
        }

        /// <summary>A receipt of an order brings the order itself only as it comes, not when it is judged again; whoever issued that and was put back has it from nowhere else (O5).</summary>
        private bool HasRecordsAside(NodeId child) =>
            desk.Fold.Parked.Any(aside => aside.Child == child && aside.Lane != Lane.Cells && aside.Verdict.Code == RecordJudge.NameTaken);
    }

    private sealed class ReleaseChild(ReceptionDesk desk, NodeId child) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [Touched.By("child", child.ToString())];

        public override Decision<bool> Decide(Instant now) => desk.Fold.Child(child)?.Quarantine is null
            ? Decision<bool>.Nothing(false)
            : Decision<bool>.Of(new RecordDraft(Actor, [ReceptionEvents.ToEvent(new QuarantineChange(child, true, string.Empty, string.Empty), desk.Settings.Node)]), _ => true);
    }

    private sealed class RewindChild(ReceptionDesk desk, NodeId child) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [Touched.By("child", child.ToString()), AllEscalations];

        public override Decision<bool> Decide(Instant now) => desk.Fold.Child(child) is null
            ? Decision<bool>.Nothing(false)
            : Decision<bool>.Of(new RecordDraft(Actor, [ReceptionEvents.ToEvent(new ChildRewind(child), desk.Settings.Node)]), _ => Rewound());

        private static bool Rewound()
        {
            Failpoint.Hit("rewind.after");
            return true;
        }
    }

    private sealed class RedriveParked(ReceptionDesk desk, NodeId child, Func<Lsn, JournalRecord?> readAt) : Command<int>
    {
        public override IReadOnlyCollection<Touched> Touches => [Touched.By("child", child.ToString()), AllEscalations, AllParked];

        public override Decision<int> Decide(Instant now)
        {
            var judge = new RecordJudge(desk.Settings.At(now), desk.Fold, desk.Cells, desk.EscalationsKnown, now) { Orders = desk.Orders };
            var settled = desk.Fold.Child(child) is { } row ? ParkedRecords.Settle(row, desk.Fold.Parked, judge, readAt) : null;
            Failpoint.Hit("parked.settle.before", settled is not null);
            return settled is null
                ? Decision<int>.Nothing(0)
                : Decision<int>.Of(new RecordDraft(Actor, [ReceptionEvents.Draft(EventKinds.ParkedSettled, settled)]), _ => Settled(settled));
        }
    }

    private static int Settled(Hub.Reception.V1.ParkedSettled settled)
    {
        Failpoint.Hit("parked.settle.after");
        return settled.Settled.Count;
    }

    private ReceptionFold Fold => reception;

    private CellFold Cells => cells;

    private EscalationFold EscalationsKnown => escalations;

    private Epoch OwnEpoch() => ownEpoch();
}
