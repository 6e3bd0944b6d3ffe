using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>
/// What a child may speak of (INV-29): divisions that this node's register puts at or below one that the child's certificate names, and at or below
/// the division of the origin spoken of. Decided by the register's parent column at every hop, never by a code's prefix, as it stands on this day: who left
/// is spoken of by another child from then on, for all days (H2). What an origin once kept it may speak of for ever, for its cases stay with it. Where an origin is at home its place among
/// the children says, or a person; for want of both whoever spoke of it first, and who has another home for it has its records kept aside until a person has said whose the name is.
/// Answers are kept for the length of a part, for its cells name the same few.
/// </summary>
internal sealed class Authority(ReceiverSettings settings, ReceptionFold reception, CellFold cells, LinkSession session, ChildRow seat, IPeerIdentity peer)
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

        if (CertainHome(origin) is { } home)
        {
            return Misfit(home, division) switch
            {
                null => null,
                Fit.OfAnother => (RecordOutcome.Refused, RecordJudge.PermissionDenied, $"{origin} is of {home}, which is not at or below what the certificate of {peer.Node} names."),
                _ => (RecordOutcome.Refused, RecordJudge.PermissionDenied, $"{division} is not at or below {home}, the division of {origin}."),
            };
        }

        if (reception.Origin(origin) is { } row)
        {
            return Misfit(row.Watermark.Division, division) is null ? null : Taken(origin, division, row.Watermark.Division, $"as {row.Via} brought it");
        }

        // An origin that has not stated itself may have cells of several districts: all that they tell is whether they came by a child that stands where this one does.
        foreach (var first in cells.FirstDivisionsOf(origin, ReceptionFold.AllGrains))
        {
            if (!Covers(first))
            {
                return Taken(origin, division, first, "by the cells that came first");
            }
        }

        return null;
    }

    private (RecordOutcome Outcome, string Code, string Message) Taken(NodeId origin, DivisionCode division, DivisionCode held, string how) => (
        RecordOutcome.Parked,
        RecordJudge.NameTaken,
        $"{origin} is held for {held}, {how}; {peer.Node} has it at {division}. One name has two places, or one of them speaks in the other's name. Find out whose it is and say so: "
        + $"citygrid link name {origin} DIVISION. The other needs a name of its own.");

    /// <summary>
    /// Where a node is at home without doubt: the child itself, or whose name a person gave, or another child of this node. Of a name that is a child's a person's word stands only where that child
    /// was gone, and no longer than it is (<see cref="ReceptionDesk.IsRetired"/>).
    /// </summary>
    private DivisionCode? CertainHome(NodeId origin) =>
        origin == session.Child ? seat.Division : reception.GivenTo(origin) ?? reception.Child(origin)?.Division;

    private enum Fit
    {
        OfAnother,
        NotBelow,
    }

    /// <summary>Null where the child may speak of a division of an origin that is at home there.</summary>
    private Fit? Misfit(DivisionCode home, DivisionCode division) =>
        !Covers(home) ? Fit.OfAnother : settings.Register.HasBeenAtOrBelow(division, home) ? null : Fit.NotBelow;

    /// <summary>Whether a division lies below what the child is for, today or on any day before: what was said of it then may have come by this child.</summary>
    public bool MayEverSpeakOf(DivisionCode division) => Covers(division) || peer.Divisions.Any(covered => settings.Register.HasBeenAtOrBelow(division, covered));

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
