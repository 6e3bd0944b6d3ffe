using CityGrid.Hub.Cells;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Tally;

/// <summary>A node as the origin of its own cells: its name, and the division that it keeps cases for.</summary>
internal readonly record struct OwnPlace(NodeId Node, DivisionCode Division);

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
        return ChangesOf(before, happened, Counting.Of(before, happened, room), origin, place);
    }

    /// <summary>Adds to the cells what an event counts, as somebody has counted it already (<see cref="Counting.Of"/>).</summary>
    internal static void Add(CellFold cells, CaseState? before, CaseEvent happened, ReadOnlySpan<Contribution> counted, OwnPlace own, Revision revision, Lsn local)
    {
        if (before is { EarlierSpots.Count: > 0 } || happened is Moved or Corrected)
        {
            foreach (var change in ChangesOf(before, happened, counted, own.Node, own.Division))
            {
                cells.Add(change, revision, local);
            }
        }
        else
        {
            AddAt(cells, SpotAfter(before, happened, 0), SourceOf(before, happened), counted, own, revision, local);
        }
    }

    /// <summary>
    /// The same where all of it counts in one place, as nearly everything does: day by day, in the order in which the days come. Of several events at once, the last must
    /// count on each of these days, for its position is what the cells get.
    /// </summary>
    internal static void AddAt(CellFold cells, Spot spot, SourceCode source, ReadOnlySpan<Contribution> counted, OwnPlace own, Revision revision, Lsn local)
    {
        if (counted.IsEmpty)
        {
            return;
        }

        Span<CounterChange> counters = stackalloc CounterChange[counted.Length];
        Span<BucketChange> buckets = stackalloc BucketChange[counted.Length];
        Span<DayEnd> days = stackalloc DayEnd[counted.Length];
        days = days[..PartByDay(counted, counters, buckets, days)];
        Span<OwnSeries> grains =
        [
            cells.SeriesOf(new CellKey(own.Node, Grain.Detail, spot.Type, spot.Division, default, source)),
            cells.SeriesOf(new CellKey(own.Node, Grain.National, spot.Type, own.Division, default, AllSources)),
        ];
        foreach (var series in grains)
        {
            var (counter, bucket) = (0, 0);
            foreach (var (day, counterEnd, bucketEnd) in days)
            {
                cells.Add(series, day, counters[counter..counterEnd], buckets[bucket..bucketEnd], revision, local);
                (counter, bucket) = (counterEnd, bucketEnd);
            }
        }
    }

    /// <summary>Where the counters and the buckets of a day end.</summary>
    private readonly record struct DayEnd(StatDay Day, int Counters, int Buckets);

    /// <summary>Counters and buckets, those of one day together; answers how many days there are.</summary>
    private static int PartByDay(ReadOnlySpan<Contribution> counted, Span<CounterChange> counters, Span<BucketChange> buckets, Span<DayEnd> days)
    {
        var (count, counter, bucket) = (0, 0, 0);
        for (var first = 0; first < counted.Length; first++)
        {
            var day = counted[first].DayNumber;
            if (IsAmong(counted[..first], day))
            {
                continue;
            }

            foreach (ref readonly var one in counted[first..])
            {
                if (one.DayNumber != day)
                {
                    continue;
                }

                if (one.IsDuration)
                {
                    buckets[bucket++] = BucketChange.Of(one.Id, one.Value, one.Times);
                }
                else
                {
                    counters[counter++] = new CounterChange(one.Id, one.Value);
                }
            }

            days[count++] = new DayEnd(new StatDay(day), counter, bucket);
        }

        return count;
    }

    /// <summary>True where one of these counts on the day.</summary>
    internal static bool IsAmong(ReadOnlySpan<Contribution> counted, int day)
    {
        foreach (ref readonly var one in counted)
        {
            if (one.DayNumber == day)
            {
                return true;
            }
        }

        return false;
    }

    private static IReadOnlyList<CellChange> ChangesOf(CaseState? before, CaseEvent happened, ReadOnlySpan<Contribution> counted, NodeId origin, DivisionCode place)
    {
        if (counted.IsEmpty && happened is not Corrected)
        {
            return [];
        }

        var sheet = new ChangeSheet();
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
