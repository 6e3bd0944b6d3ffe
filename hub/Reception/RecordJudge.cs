using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>
/// Judges each record of a part by itself (L9, L10, L13): may this child speak of it, by register and certificate; is it sound; is it known. What may not be
/// spoken of is refused, what cannot be judged yet or is unsound is parked; the rest of the part goes on.
/// </summary>
public sealed class RecordJudge(ReceiverSettings settings, ReceptionFold reception, CellFold cells, EscalationFold escalations, Instant now) : IRecordJudge
{
    /// <summary>The orders known here; null where none are kept.</summary>
    public OrderFold? Orders { get; init; }

    /// <summary>What was found of each order that came with a receipt, by index: null where its signature is good. Empty where nobody looked.</summary>
    public IReadOnlyList<Refusal?> OrderFaults { get; init; } = [];

    /// <summary>This node signs the orders that it issues.</summary>
    public bool SignsOrders { get; init; }

    public const string PermissionDenied = "PERMISSION_DENIED";

    /// <summary>The division is not in the register of this node (yet).</summary>
    public const string UnknownDivision = "UNKNOWN_DIVISION";

    /// <summary>Another place bears the name of the origin, by somebody else's word; a person must say whose it is.</summary>
    public const string NameTaken = "NAME_TAKEN";

    /// <summary>One revision of a relayed cell, or one version of an escalation, has two contents; or one escalation has two origins.</summary>
    public const string Conflict = "CONFLICT";

    /// <summary>An order was decided on otherwise before: two data directories of one place decided.</summary>
    public const string DecidedTwice = "DECIDED_TWICE";

    /// <summary>A revision, or a statement, past what its origin can have reached.</summary>
    public const string Ahead = "AHEAD";

    public const string Malformed = "MALFORMED";

    /// <summary>The escalation has been here before.</summary>
    public const string Loop = "LOOP";

    /// <summary>A repair of a range that was not found to differ.</summary>
    public const string RangeNotAsked = "RANGE_NOT_ASKED";

    /// <summary>A hop is a tier; the deepest network has five.</summary>
    public const int HopsMax = 16;

    /// <summary>The easternmost zone: nowhere on Earth is it later by more than this.</summary>
    private static readonly DateTimeZone Easternmost = DateTimeZone.ForOffset(Offset.FromHours(14));

    public Judgement Judge(LinkSession session, ChildRow seat, IPeerIdentity peer, CellsPart part)
    {
        var authority = new Authority(settings, reception, cells, session, seat, peer);
        var named = new List<RecordReceipt>();
        var reading = PartRecords.CellsOf(part);
        var stretch = RangeStatements.StretchOf(part);
        foreach (var (index, refusal) in reading.Refused)
        {
            named.Add(Named(index, RecordOutcome.Refused, refusal));
        }

        var (accepted, unchanged) = (0, 0);
        foreach (var (index, row) in reading.Cells)
        {
            var verdict = Unasked(session, stretch, row, index) ?? authority.Over(row.Key.Origin, row.Key.Division, index)
                ?? Early(session, part, row, index)
                ?? (CellChecks.Judge(row.Key, row.Value.Span, Tomorrow(row.Key.Origin)) is { } refusal ? Named(index, RecordOutcome.Parked, refusal) : null);
            if (verdict is not null)
            {
                named.Add(verdict);
                continue;
            }

            if (stretch is not null)
            {
                // What a repair changes is told by its plan.
                unchanged++;
                continue;
            }

            switch (reception.IsOfAnEarlierLife(row) ? MergeOutcome.Stale : cells.Compare(row.Key, row.Revision, row.Value.Span))
            {
                case MergeOutcome.Accepted:
                    accepted++;
                    break;
                case MergeOutcome.Conflict when row.Key.Origin == session.Child:
                    return new Judgement(0, 0, []) { Fork = $"{session.Child} gives its cell {row.Key.Type} of {row.Key.Day} two contents at revision {row.Revision}." };
                case MergeOutcome.Conflict:
                    named.Add(Named(index, RecordOutcome.Refused, Conflict, $"Revision {row.Revision} of a cell of {row.Key.Origin} is held with another content."));
                    break;
                default:
                    unchanged++;
                    break;
            }
        }

        RepairCounts? repair = null;
        if (stretch is { } repaired && reception.Ranges.IsOpen(session.Child, repaired.Range))
        {
            var leftOut = named.Select(n => n.Index).ToHashSet();
            var bound = reception.RepairBound(repaired.Range.Origin, session.Child, session.Epoch, part);
            repair = RangeRepairs.Count(RangeRepairs.Plan(cells, part, cell => leftOut.Contains(cell.Index) || reception.IsOfAnEarlierLife(cell.Row), bound));
            accepted = (int)(repair.Value.Added + repair.Value.Replaced);
            unchanged -= accepted;
        }

        var stated = JudgeStatements(session, seat, authority, part, named);
        return new Judgement(accepted, unchanged, Sorted(named))
        {
            Repair = repair,
            Findings = part.Ranges.Count > 0 ? new RangeComparison(reception, cells).Compare(session.Child, part, stated) : [],
        };
    }

    public Judgement Judge(LinkSession session, ChildRow seat, IPeerIdentity peer, EscalationsPart part)
    {
        var authority = new Authority(settings, reception, cells, session, seat, peer);
        var named = new List<RecordReceipt>();
        var here = new HashSet<(UInt128, int)>();
        var (accepted, unchanged) = (0, 0);
        for (var i = 0; i < part.Escalations.Count; i++)
        {
            var envelope = part.Escalations[i];
            if (ReadEscalation(envelope, out var content, out var id) is { } fault)
            {
                named.Add(Named(i, RecordOutcome.Refused, fault));
                continue;
            }

            if (authority.Over(NodeId.Parse(content!.Origin), DivisionCode.Parse(content.Division), i) is { } verdict)
            {
                named.Add(verdict);
                continue;
            }

            if (escalations.Find(id) is { } known && (known.Content.Origin != content.Origin || !authority.MayEverSpeakOf(DivisionCode.Parse(known.Content.Division))))
            {
                // Its versions are its origin's to make, whoever has learned its id, or has its name.
                named.Add(Named(i, RecordOutcome.Refused, Conflict, $"Escalation {id:x32} is {known.Content.Origin}'s, of {known.Content.Division}."));
                continue;
            }

            switch (escalations.StandingOf(id, content.Version, envelope.Escalation.Span))
            {
                case EscalationStanding.Conflict:
                    named.Add(Named(i, RecordOutcome.Refused, Conflict, $"Version {content.Version} of escalation {id:x32} is held with another content."));
                    break;
                case EscalationStanding.New when here.Add((id, content.Version)):
                    accepted++;
                    break;
                default:
                    unchanged++;
                    break;
            }
        }

        var unbelieved = new List<int>();
        for (var i = 0; i < part.Receipts.Count; i++)
        {
            var index = part.Escalations.Count + i;
            if (OrderJudge.Fault(part.Receipts[i]) is { } fault)
            {
                named.Add(Named(index, RecordOutcome.Refused, Malformed, $"The order receipt's {fault} is none."));
                continue;
            }

            var receipt = OrderReceipt.Parser.ParseFrom(part.Receipts[i].Receipt);
            if (authority.Over(NodeId.Parse(receipt.Node), DivisionCode.Parse(receipt.Division), index) is { } verdict)
            {
                named.Add(verdict);
            }
            else if (Orders?.Find(OrderId.Of(receipt.Order))?.Order is { } known && !MayDecide(receipt, known.Target))
            {
                named.Add(Named(index, RecordOutcome.Refused, PermissionDenied, $"The order is for {known.Target}, of which {receipt.Division} does not decide."));
            }
            else if (Orders?.Find(OrderId.Of(receipt.Order))?.Against(receipt, part.Receipts[i].Receipt) is { } other)
            {
                named.Add(Named(
                    index,
                    RecordOutcome.Refused,
                    DecidedTwice,
                    $"Order {OrderId.Shown(OrderId.Of(receipt.Order))} is {other.Content.State} by step {other.Content.Step} of {other.Content.Node}, heard before; this tells {receipt.State} by step {receipt.Step}. Two data directories decided on it; the first one heard stands. Open that of {session.Child} as a restored one (--restored){(receipt.Node == session.Child.ToString() ? string.Empty : $", then those below it down to {receipt.Node}")}: it takes over what stands here."));
            }
            else
            {
                accepted++;
                if (!part.Receipts[i].Order.IsEmpty && OrderRead.Order(part.Receipts[i].Order) is { } order && !MayTell(session, part.Receipts[i], receipt, order, OrderFaults.ElementAtOrDefault(i)))
                {
                    unbelieved.Add(i);
                }
            }
        }

        return new Judgement(accepted, unchanged, named) { OrdersUnbelieved = unbelieved, OrdersJudged = OrderFaults.Count > 0 };
    }

    /// <summary>
    /// Whether an order is learned from below: the one that the receipt speaks of, for a place below the child, with a signature that is believed. Else a child could have this node
    /// send down what nobody ordered. One that says it was issued here is of this node's own division, and signed where this node signs: others may bear its name for a place of theirs.
    /// </summary>
    private bool MayTell(LinkSession session, OrderReceiptEnvelope envelope, OrderReceipt receipt, Order order, Refusal? found) =>
        order.Id == receipt.Order && order.Issuer == receipt.Issuer && settings.Register.IsAtOrBelow(DivisionCode.Parse(order.TargetDivision), session.Division)
        && MayDecide(receipt, DivisionCode.Parse(order.TargetDivision))
        && (order.Issuer != settings.Node.ToString() || (order.IssuerDivision == settings.Division.ToString() && !(SignsOrders && found is { Code: IssuerWord.Unsigned })))
        && (Orders is null || OrderJudge.Disbelieved(settings.Signatures, Orders, order, envelope.Order, found) is null);

    /// <summary>On an order decides the place that it is for, or one that it passes on its way there.</summary>
    private bool MayDecide(OrderReceipt receipt, DivisionCode target) => settings.Tomorrow.HasBeenAtOrBelow(target, DivisionCode.Parse(receipt.Division));

    /// <summary>A child's own cell cannot be newer than its stream: neither of an epoch not granted nor past the end of the cut.</summary>
    private static RecordReceipt? Early(LinkSession session, CellsPart part, CellRow row, int index) =>
        row.Key.Origin == session.Child && (row.Revision.Epoch > session.Epoch.Number || row.Revision.Lsn > part.CutTo)
            ? Named(index, RecordOutcome.Refused, Ahead, $"Revision {row.Revision} lies past epoch {session.Epoch.Number} and the cut's end {part.CutTo}.")
            : null;

    /// <summary>
    /// A repair is taken of what was found to differ, and of nothing else: content under a revision that is held changes in no other way (L16). One whose answer
    /// was lost comes again, and is all held by then.
    /// </summary>
    private RecordReceipt? Unasked(LinkSession session, RangeStretch? stretch, in CellRow row, int index) =>
        stretch is { } repaired && !reception.Ranges.IsOpen(session.Child, repaired.Range) && cells.Compare(row.Key, row.Revision, row.Value.Span) is MergeOutcome.Accepted or MergeOutcome.Conflict
            ? Named(index, RecordOutcome.Refused, RangeNotAsked, $"Range {repaired.Range} of {session.Child} was not found to differ here.")
            : null;

    private Dictionary<string, OriginWatermark> JudgeStatements(LinkSession session, ChildRow seat, Authority authority, CellsPart part, List<RecordReceipt> named)
    {
        var spoken = new Dictionary<string, OriginWatermark>(StringComparer.Ordinal);
        var aside = new Dictionary<string, RecordReceipt>(StringComparer.Ordinal);
        for (var i = 0; i < part.Watermarks.Count; i++)
        {
            var index = PartRecords.IndexOfWatermark(part, i);
            var verdict = CellsPartCodec.Read(part.Watermarks[i], out var stated) is { } refusal
                ? Named(index, RecordOutcome.Refused, refusal)
                : authority.Over(stated!.Origin, stated.Division, index) ?? Unfit(session, seat, part, stated, index);
            if (verdict is not null)
            {
                named.Add(verdict);
                if (verdict.Outcome == RecordOutcome.Parked)
                {
                    aside[part.Watermarks[i].Origin] = verdict;
                }
            }
            else
            {
                spoken[part.Watermarks[i].Origin] = stated!;
            }
        }

        for (var i = 0; i < part.CompleteOrigins.Count; i++)
        {
            var name = PartRecords.CompleteName(part, i);
            if (name is not null && aside.TryGetValue(name, out var verdict))
            {
                // It goes with its statement, and comes again with the next.
                named.Add(Named(PartRecords.IndexOfComplete(part, i), verdict.Outcome, verdict.Code, verdict.Message));
            }
            else if (name is null || !spoken.ContainsKey(name))
            {
                named.Add(Named(PartRecords.IndexOfComplete(part, i), RecordOutcome.Refused, Malformed, "A complete origin states itself in the same part; this one does not."));
            }
        }

        return spoken;
    }

    private RecordReceipt? Unfit(LinkSession session, ChildRow seat, CellsPart part, OriginWatermark stated, int index)
    {
        if (stated.Origin == session.Child
            && (stated.Division != seat.Division || stated.Incarnation != session.Incarnation || stated.Epoch != session.Epoch || stated.Lsn.Value > part.CutTo))
        {
            return Named(index, RecordOutcome.Refused, PermissionDenied, $"{session.Child} states itself as another than it is: {stated.Division}, epoch {stated.Epoch}, position {stated.Lsn}.");
        }

        var zone = DateTimeZoneProviders.Tzdb[stated.Zone];
        return stated.CompleteThrough > StatDay.Of(now, zone).Plus(1)
            ? Named(index, RecordOutcome.Refused, Ahead, $"{stated.Origin} is complete through {stated.CompleteThrough}, a day that has not come. Check its clock.")
            : null;
    }

    private StatDay Tomorrow(NodeId origin) =>
        StatDay.Of(now, reception.Origin(origin) is { } row ? DateTimeZoneProviders.Tzdb[row.Watermark.Zone] : Easternmost).Plus(1);

    private Refusal? ReadEscalation(EscalationEnvelope envelope, out Escalation? content, out UInt128 id)
    {
        (content, id) = (null, UInt128.Zero);
        try
        {
            content = Escalation.Parser.ParseFrom(envelope.Escalation);
        }
        catch (InvalidProtocolBufferException)
        {
            return new Refusal(Malformed, "The bytes are no escalation.");
        }

        id = EscalationRecord.IdOf(content);
        var what = id == UInt128.Zero ? "id"
            : content.Version < 1 ? "version"
            : !NodeId.TryParse(content.Origin, out _) ? "origin"
            : !DivisionCode.TryParse(content.Division, out _) ? "division"
            : envelope.Hops.Count > HopsMax || envelope.Hops.Any(h => !NodeId.TryParse(h.Node, out _) || !IsTime(h.ReceivedAt)) ? "list of hops"
            : null;
        return what is not null ? new Refusal(Malformed, $"The escalation's {what} is none.")
            : envelope.Hops.Any(h => h.Node == settings.Node.ToString()) ? new Refusal(Loop, $"The escalation has been at {settings.Node} before.")
            : null;
    }

    internal static bool IsTime(long unixMilliseconds) =>
        unixMilliseconds >= Instant.MinValue.ToUnixTimeMilliseconds() && unixMilliseconds <= Instant.MaxValue.ToUnixTimeMilliseconds();

    private static List<RecordReceipt> Sorted(List<RecordReceipt> named)
    {
        named.Sort((a, b) => a.Index.CompareTo(b.Index));
        return named;
    }

    internal static RecordReceipt Named(int index, RecordOutcome outcome, Refusal refusal) =>
        Named(index, outcome, refusal.Code, refusal.Where is null ? refusal.Message : $"{refusal.Message} ({refusal.Where})");

    internal static RecordReceipt Named(int index, RecordOutcome outcome, string code, string message) => new() { Index = index, Outcome = outcome, Code = code, Message = message };
}
