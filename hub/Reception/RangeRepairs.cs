using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Reception;

/// <summary>How many cells a repair added or renewed, gave another content under the revision that both have, set to zero, and left as they are because they are newer here.</summary>
public readonly record struct RepairCounts(long Added, long Replaced, long Zeroed, long Newer)
{
    /// <summary>The cells that are others now.</summary>
    public long Changed => Added + Replaced + Zeroed;

    public static RepairCounts operator +(RepairCounts a, RepairCounts b) => new(a.Added + b.Added, a.Replaced + b.Replaced, a.Zeroed + b.Zeroed, a.Newer + b.Newer);
}

/// <summary>What is to become of one cell of a repaired stretch.</summary>
public enum RepairKind
{
    /// <summary>Not held, or held in an older revision.</summary>
    Add,

    /// <summary>Held in the same revision with another content.</summary>
    Replace,

    /// <summary>Held, and the sender has no such cell.</summary>
    Zero,

    /// <summary>Held in a newer revision: it stays, for no reader may see a revision fall (INV-9).</summary>
    Newer,
}

/// <summary>
/// What a repair does to the cells held (clause L16): the judge counts it, the fold does it. A function of the part, of what was judged of its cells and of
/// the cells held, so that both come to the same. A second time it changes nothing.
/// </summary>
internal static class RangeRepairs
{
    /// <param name="cells">The cells held.</param>
    /// <param name="part">A repair of sound shape.</param>
    /// <param name="isLeftOut">True for a cell, by index, that was refused or kept aside, or is of an earlier life: what is held of it stays.</param>
    /// <param name="bound">The newest revision that the sender can speak for: what is held above it came by another way.</param>
    public static IEnumerable<(RepairKind Kind, CellRow Row)> Plan(CellFold cells, CellsPart part, Func<ReceivedCell, bool> isLeftOut, Revision bound)
    {
        var stretch = RangeStatements.StretchOf(part)!.Value;
        var received = PartRecords.CellsOf(part).Cells;
        var named = new HashSet<CellKey>();
        foreach (var cell in received)
        {
            var row = cell.Row;
            named.Add(row.Key);
            if (isLeftOut(cell))
            {
                continue;
            }

            switch (cells.Compare(row.Key, row.Revision, row.Value.Span))
            {
                case MergeOutcome.Accepted:
                    yield return (RepairKind.Add, row);
                    break;
                case MergeOutcome.Conflict:
                    yield return (RepairKind.Replace, row);
                    break;
                case MergeOutcome.Stale:
                    yield return (RepairKind.Newer, row);
                    break;
                default:
                    break;
            }
        }

        foreach (var held in cells.RangeOf(stretch.Range.Origin, stretch.Range.Grain, stretch.Range.Month))
        {
            var inStretch = (stretch.FromStart || received[0].Row.Key.CompareTo(held.Key) <= 0) && (stretch.ToEnd || held.Key.CompareTo(received[^1].Row.Key) <= 0);
            if (inStretch && !CellCodec.IsZero(held.Value.Span) && !named.Contains(held.Key))
            {
                yield return (held.Revision > bound ? RepairKind.Newer : RepairKind.Zero, held);
            }
        }
    }

    public static RepairCounts Count(IEnumerable<(RepairKind Kind, CellRow Row)> plan)
    {
        var counts = default(RepairCounts);
        foreach (var (kind, _) in plan)
        {
            counts += kind switch
            {
                RepairKind.Add => new RepairCounts(1, 0, 0, 0),
                RepairKind.Replace => new RepairCounts(0, 1, 0, 0),
                RepairKind.Zero => new RepairCounts(0, 0, 1, 0),
                _ => new RepairCounts(0, 0, 0, 1),
            };
        }

        return counts;
    }

    public static void Apply(CellFold cells, IReadOnlyList<(RepairKind Kind, CellRow Row)> plan, Lsn lsn)
    {
        foreach (var (kind, row) in plan)
        {
            switch (kind)
            {
                case RepairKind.Add:
                    cells.Merge(row.Key, row.Revision, row.Value.Span, lsn);
                    break;
                case RepairKind.Replace:
                    cells.Correct(row.Key, row.Value.Span, lsn);
                    break;
                case RepairKind.Zero:
                    cells.Correct(row.Key, CellCodec.Zero, lsn);
                    break;
                default:
                    break;
            }
        }
    }
}
