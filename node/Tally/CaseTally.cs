using CityGrid.Hub.Cells;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Tally;

/// <summary>
/// From a case event to the cells of this origin, at both grains: <i>detail</i> by division as filed and source, <i>national</i> by the
/// origin's own division with source <c>all</c>. The national cell of a type and day is always the sum of the detail cells of that type and day.
/// </summary>
public static class CaseTally
{
    private static readonly SourceCode AllSources = SourceCode.Parse("all");

    /// <param name="before">The case before the event; null for the event that begins it.</param>
    /// <param name="happened">The event.</param>
    /// <param name="origin">This node.</param>
    /// <param name="place">The division that this node keeps cases for.</param>
    /// <returns>What to add to which cells; a key may come more than once. Empty for an event that counts nowhere.</returns>
    public static IReadOnlyList<CellChange> ChangesOf(CaseState? before, CaseEvent happened, NodeId origin, DivisionCode place)
    {
        Span<Contribution> room = stackalloc Contribution[Counting.ContributionsMax];
        return ChangesOf(before, happened, Counting.Of(before, happened, room), origin, place, new ChangeSheet());
    }

    /// <summary>
    /// The same where somebody has counted the event already (<see cref="Counting.Of"/>), on a sheet that is used again and again: what comes back is
    /// good until then.
    /// </summary>
    internal static IReadOnlyList<CellChange> ChangesOf(
        CaseState? before, CaseEvent happened, ReadOnlySpan<Contribution> counted, NodeId origin, DivisionCode place, ChangeSheet sheet)
    {
        sheet.Clear();
        if (counted.IsEmpty && happened is not Corrected)
        {
            return [];
        }

        if (before is not null && happened is Corrected corrected && (corrected.Type ?? (object?)corrected.Division) is not null)
        {
            foreach (ref readonly var one in before.Contributions.AsSpan())
            {
                sheet.Add(before.SpotOf(one.Segment), one, -1);
                sheet.Add(SpotAfter(before, happened, one.Segment), one, 1);
            }
        }

        foreach (ref readonly var one in counted)
        {
            sheet.Add(SpotAfter(before, happened, one.Segment), one, 1);
        }

        return sheet.ToChanges(origin, place, SourceOf(before, happened), AllSources);
    }

    /// <summary>Where a segment counts once the event has happened.</summary>
    private static Spot SpotAfter(CaseState? before, CaseEvent happened, int segment) => happened switch
    {
        Reported e => new Spot(e.Type, e.Division),
        Imported e => new Spot(e.Type, e.Division),
        Moved e when segment > before!.Segment => new Spot(e.Type, e.Division),
        Corrected e when before!.SpotOf(segment) is var spot => new Spot(e.Type ?? spot.Type, e.Division ?? spot.Division),
        _ => before!.SpotOf(segment),
    };

    private static SourceCode SourceOf(CaseState? before, CaseEvent happened) =>
        before?.Source ?? (happened is Reported reported ? reported.Source : ((Imported)happened).Source);
}
