using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>
/// What a child may speak of (INV-29): divisions that this node's register puts at or below one that the child's certificate names, and at or below
/// the division of the origin spoken of. Decided by the register's parent column at every hop, never by a code's prefix, as it stands on this day: who left
/// is spoken of by another child from then on, for all days (H2). What an origin once kept it may speak of for ever, for its cases stay with it. Answers are
/// kept for the length of a part, for its cells name the same few.
/// </summary>
internal sealed class Authority(ReceiverSettings settings, ReceptionFold reception, LinkSession session, ChildRow seat, IPeerIdentity peer)
{
    private readonly Dictionary<(NodeId, DivisionCode), (RecordOutcome Outcome, string Code, string Message)?> _known = [];

    /// <summary>Null where the child may speak of this origin and division; else the verdict on record <paramref name="index"/>.</summary>
    public RecordReceipt? Over(NodeId origin, DivisionCode division, int index)
    {
        if (!_known.TryGetValue((origin, division), out var verdict))
        {
            verdict = Decide(origin, division);
            _known.Add((origin, division), verdict);
        }

        return verdict is { } named ? RecordJudge.Named(index, named.Outcome, named.Code, named.Message) : null;
    }

    private (RecordOutcome Outcome, string Code, string Message)? Decide(NodeId origin, DivisionCode division)
    {
        if (!settings.Tomorrow.Contains(division))
        {
            return (RecordOutcome.Parked, RecordJudge.UnknownDivision, $"{division} is not in the register of {settings.Node}. Load a register that has it.");
        }

        if (!Covers(division) && !HasLeft(division, origin))
        {
            return (RecordOutcome.Refused, RecordJudge.PermissionDenied, $"{division} is not at or below what the certificate of {peer.Node} names.");
        }

        if (origin == settings.Node || origin == settings.Parent)
        {
            return (RecordOutcome.Refused, RecordJudge.PermissionDenied, $"{origin} speaks for itself.");
        }

        if (HomeOf(origin) is not { } at)
        {
            return null;
        }

        return !Covers(at) ? (RecordOutcome.Refused, RecordJudge.PermissionDenied, $"{origin} is of {at}, which is not at or below what the certificate of {peer.Node} names.")
            : !settings.Register.HasBeenAtOrBelow(division, at) ? (RecordOutcome.Refused, RecordJudge.PermissionDenied, $"{division} is not at or below {at}, the division of {origin}.")
            : null;
    }

    private DivisionCode? HomeOf(NodeId origin) =>
        origin == session.Child ? seat.Division : reception.Child(origin)?.Division ?? reception.Origin(origin)?.Watermark.Division;

    /// <summary>A district that is another city's by now, spoken of by the city that kept its cases until then.</summary>
    private bool HasLeft(DivisionCode division, NodeId origin) =>
        origin == session.Child && Covers(seat.Division) && settings.Register.HasBeenAtOrBelow(division, seat.Division);

    /// <summary>
    /// By the register of today, or of tomorrow: where the child's clock or zone is ahead of this node's, what came below it at its midnight may be spoken of
    /// at once. The newest revision stays whichever way it comes (C3), so that does no harm; refused, it would never come again.
    /// </summary>
    private bool Covers(DivisionCode division) => Covers(settings.Register, division) || (settings.Tomorrow != settings.Register && Covers(settings.Tomorrow, division));

    private bool Covers(DivisionRegister register, DivisionCode division) =>
        register.IsAtOrBelow(division, settings.Division) && peer.Divisions.Any(covered => register.IsAtOrBelow(division, covered));
}
