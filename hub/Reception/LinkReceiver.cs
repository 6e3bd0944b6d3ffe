using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>
/// The receiver's side of the link as pure decisions (protocol/README.md, clauses L1 to L14): given what is durable about a child, who is at
/// the other end, and one frame, what to make durable and what to answer. The shell appends the change with the cursor in one event and sends
/// the answer only then.
/// </summary>
public static class LinkReceiver
{
    /// <summary>
    /// Decides one frame. <paramref name="nonce"/> is a random number drawn for a grant; <paramref name="parentEpoch"/> is this node's own;
    /// <paramref name="found"/> is what the frame's signatures are worth, null where nobody looked.
    /// </summary>
    public static LinkDecision Decide(
        ReceiverSettings settings, ChildRow? row, LinkSession? session, IPeerIdentity peer, ConnectRequest request, Epoch parentEpoch, ulong nonce, IRecordJudge judge,
        Attestation? found = null) =>
        request.FrameCase switch
        {
            ConnectRequest.FrameOneofCase.Hello when session is not null => Answers.Refuse(
                request.Number, LinkRefusalCode.NoSession, "A hello was welcomed on this connection already; it comes once. Dial again."),
            ConnectRequest.FrameOneofCase.Hello => Greeting.Decide(settings, row, peer, request, parentEpoch, nonce, found),
            ConnectRequest.FrameOneofCase.Cells => Unseated(row, session, request) ?? Departed(settings, session!, request) ?? TakeCells(settings, Seat(row, session), session!, peer, request, judge, found),
            ConnectRequest.FrameOneofCase.Escalations => Unseated(row, session, request) ?? Departed(settings, session!, request) ?? TakeEscalations(settings, Seat(row, session), session!, peer, request, judge, found),
            ConnectRequest.FrameOneofCase.ReachAnswer when session is null => Answers.Refuse(request.Number, LinkRefusalCode.NoSession, "No hello was welcomed on this connection. Send hello first."),
            _ => Answers.Refuse(request.Number, LinkRefusalCode.Malformed, "The request has no frame that this protocol knows. Send hello, cells or escalations."),
        };

    private static ChildRow Seat(ChildRow? row, LinkSession? session) => row!.Seat(session!.Incarnation, session.Epoch)!;

    /// <summary>Null where the connection speaks for the stream in office, or for the one on offer; else the refusal (L2, L7).</summary>
    private static LinkDecision? Unseated(ChildRow? row, LinkSession? session, ConnectRequest request)
    {
        if (session is null || row is null)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.NoSession, "No hello was welcomed on this connection. Send hello first.");
        }

        if (row.Quarantine is { } quarantine)
        {
            return Answers.Quarantined(request.Number, row.Node, quarantine);
        }

        return row.Seat(session.Incarnation, session.Epoch) is not null ? null
            : row.Epoch.Number >= session.Epoch.Number
                ? Answers.Refuse(request.Number, LinkRefusalCode.Fenced, $"Epoch {row.Epoch} of {row.Node} is in office; this connection speaks for {session.Epoch}.")
                : Answers.Refuse(request.Number, LinkRefusalCode.NoSession, $"The grant of {session.Epoch} to {row.Node} was withdrawn before it spoke. Send hello again.");
    }

    /// <summary>Null where the child still lies below this node; from the day on which it does not, nothing is taken from it, and it keeps what it has for its new parent (H2).</summary>
    private static LinkDecision? Departed(ReceiverSettings settings, LinkSession session, ConnectRequest request) =>
        session.Division.IsNone || settings.Register.IsAtOrBelow(session.Division, settings.Division) ? null
            : Answers.Refuse(
                request.Number,
                LinkRefusalCode.PermissionDenied,
                $"{session.Division} does not lie below {settings.Division} in the register of {settings.Node} any more. Configure {session.Child} for its new parent.");

    private static LinkDecision TakeCells(ReceiverSettings settings, ChildRow row, LinkSession session, IPeerIdentity peer, ConnectRequest request, IRecordJudge judge, Attestation? found)
    {
        var part = request.Cells;
        if (PartShape.Fault(part) is { } fault)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.Malformed, fault, Lane.Cells, Stand(row, Lane.Cells));
        }

        StreamMark.TryRead(part.CutTo, part.CutChainHash, out var to);
        if (SignedHeads.Fault(settings, session, Lane.Cells, to, request.SignedHead, found) is { } unsigned)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.Signature, unsigned, Lane.Cells, Stand(row, Lane.Cells));
        }

        if (Placed(row, session, request.Number, Lane.Cells, part.CutFrom, part.CutFromChainHash, part.Cells.Count) is { } early)
        {
            return early;
        }

        StreamMark.TryRead(part.HeardLsn, part.HeardChainHash, out var proven);
        StreamMark.TryRead(part.ReadLsn, part.ReadChainHash, out var read);
        foreach (var shown in (StreamMark[])[to, proven, read])
        {
            if (row.Cells.Against(shown) is { } sent)
            {
                return Fork(row, request.Number, Lane.Cells, $"The chain of {row.Node} at {sent.Lsn} is {shown.ChainHash}, but {sent.ChainHash} was sent before.");
            }
        }

        var cut = row.Cells.Cut is { } begun && begun.Has(part, to) ? begun : null;
        if (cut is null && session.ProvesHeard && row.Cells.Ahead is { } heard && heard != to && heard != proven && heard != read)
        {
            return Gap(row, session, request.Number, Lane.Cells, $"Something of the history up to {heard.Lsn} came before, and this part does not show that it is of the same one.");
        }

        if (part.Part > 1 && part.Part > (cut?.Applied ?? 0) + 1)
        {
            return Gap(row, session, request.Number, Lane.Cells, $"Part {part.Part} of the cut to {part.CutTo} came, {(cut?.Applied ?? 0) + 1} was due.");
        }

        if (part.Part <= (cut?.Applied ?? 0))
        {
            return Known(row, session, request.Number, Lane.Cells, part.Cells.Count);
        }

        var judgement = judge.Judge(session, row, peer, part);
        if (judgement.Fork is { } conflict)
        {
            return Fork(row, request.Number, Lane.Cells, conflict);
        }

        var mark = part.Part == part.Parts ? to : row.Cells.Mark;
        return new LinkDecision(
            new CellsTaken(session.Child, session.Incarnation, session.Epoch, part, judgement.Named) { Head = SignedBy(session, request), Findings = judgement.Findings, Repair = judgement.Repair },
            Answers.Receipt(request.Number, mark.ToPosition(Lane.Cells, session.Incarnation, session.Epoch), judgement),
            session);
    }

    private static LinkDecision TakeEscalations(ReceiverSettings settings, ChildRow row, LinkSession session, IPeerIdentity peer, ConnectRequest request, IRecordJudge judge, Attestation? found)
    {
        var part = request.Escalations;
        var lane = part.LaneOf();
        if (PartShape.Fault(part) is { } fault)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.Malformed, fault, lane, Stand(row, lane));
        }

        StreamMark.TryRead(part.To, part.ChainHash, out var to);
        if (SignedHeads.Fault(settings, session, lane, to, request.SignedHead, found) is { } unsigned)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.Signature, unsigned, lane, Stand(row, lane));
        }

        if (Placed(row, session, request.Number, lane, part.From, part.FromChainHash, part.Escalations.Count + part.Receipts.Count) is { } early)
        {
            return early;
        }

        var judgement = judge.Judge(session, row, peer, part);
        return new LinkDecision(
            new EscalationsTaken(session.Child, session.Incarnation, session.Epoch, part, judgement.Named) { Head = SignedBy(session, request), OrdersUnbelieved = judgement.OrdersUnbelieved, OrdersJudged = judgement.OrdersJudged },
            Answers.Receipt(request.Number, to.ToPosition(lane, session.Incarnation, session.Epoch), judgement),
            session);
    }

    /// <summary>A head that nobody could check is not kept.</summary>
    private static SignedHead? SignedBy(LinkSession session, ConnectRequest request) => session.Signer is null ? null : request.SignedHead;

    /// <summary>Null where the part starts exactly at the cursor on the same chain; else the answer (L5, L8).</summary>
    private static LinkDecision? Placed(ChildRow row, LinkSession session, long number, Lane lane, long from, Google.Protobuf.ByteString fromHash, int records)
    {
        var mark = row.Lane(lane).Mark;
        if (from > mark.Lsn.Value)
        {
            return Gap(row, session, number, lane, $"The part starts after {from}; {mark.Lsn} is applied.");
        }

        if (from < mark.Lsn.Value)
        {
            return Known(row, session, number, lane, records);
        }

        StreamMark.TryRead(from, fromHash, out var claimed);
        return claimed == mark ? null : Fork(row, number, lane, $"The chain of {row.Node} at {mark.Lsn} is {claimed.ChainHash}, but {mark.ChainHash} was applied.");
    }

    private static LinkDecision Gap(ChildRow row, LinkSession session, long number, Lane lane, string message)
    {
        var gap = Answers.Refuse(number, LinkRefusalCode.Gap, message, lane, Stand(row, lane)) with { Session = session };
        if (lane == Lane.Cells && session.ProvesHeard && row.Cells.Ahead is { } heard)
        {
            gap.Response.Refusal.CellsHeard = heard.ToPosition(lane, row.Incarnation, row.Epoch);
        }

        return gap;
    }

    private static LinkDecision Known(ChildRow row, LinkSession session, long number, Lane lane, int records) =>
        new(null, Answers.Receipt(number, Stand(row, lane), new Judgement(0, records, [])), session);

    internal static LinkDecision Fork(ChildRow row, long number, Lane lane, string message) =>
        Answers.Refuse(number, LinkRefusalCode.Fork, message + " Two histories claim one name; the child is quarantined until a person has looked.", lane, Stand(row, lane)) with
        {
            Change = new QuarantineChange(row.Node, false, "FORK", message),
        };

    private static StreamPosition Stand(ChildRow row, Lane lane) => row.Lane(lane).Mark.ToPosition(lane, row.Incarnation, row.Epoch);
}

/// <summary>Looks at each record of a part: who may speak of what, what is sound, what is known already. It decides and changes nothing.</summary>
public interface IRecordJudge
{
    /// <param name="session">The stream that the part came on.</param>
    /// <param name="seat">The child's row as the stream finds it.</param>
    /// <param name="peer">What the certificate allows.</param>
    /// <param name="part">A part of sound shape that starts at the cursor.</param>
    Judgement Judge(LinkSession session, ChildRow seat, IPeerIdentity peer, CellsPart part);

    /// <inheritdoc cref="Judge(LinkSession, ChildRow, IPeerIdentity, CellsPart)"/>
    Judgement Judge(LinkSession session, ChildRow seat, IPeerIdentity peer, EscalationsPart part);
}
