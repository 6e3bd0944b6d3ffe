using CityGrid.Hub.Cells;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Node.Uplink;

/// <summary>A share of a repair: the cells of a stretch.</summary>
public readonly record struct RepairShare(RangeStretch Stretch, ArraySegment<CellRow> Cells);

/// <summary>What a cut that reaches the head carries of ranges: repairs, then statements of what is held with it.</summary>
public sealed record RangeReading(IReadOnlyList<RepairShare> Repairs, IReadOnlyList<RangeStatement> Statements, RangeWords Words);

/// <summary>
/// Reads what a cut shall say of ranges (clause L16). While the folds hold still, at the position where the cut ends. Of origins that <paramref name="isOurs"/>
/// says have left this subtree it says nothing (H2), and to a parent that is told of some matters alone it says what it would if there were no others (L17).
/// </summary>
public sealed class RangeReader(NodeId node, CellFold cells, ReceptionFold reception, Func<DivisionCode, bool> isOurs, Func<Matters> toldOf)
{
    /// <summary>Roots in one part: 45 kB. The origins of a province are some dozens.</summary>
    public const int RootsAPart = 1000;

    /// <summary>Months in one part; a scope is never divided, so that the receiver sees a month that only it has.</summary>
    public const int MonthsAPart = 2000;

    /// <param name="wish">What is wanted.</param>
    /// <param name="grains">Those that the parent asks for.</param>
    /// <param name="keepsCells">This node makes statements of itself.</param>
    /// <param name="split">Cuts cells into shares of a part each.</param>
    /// <param name="sharesMax">How many parts of repairs the cut may have.</param>
    public RangeReading Read(RangeWish wish, IReadOnlyCollection<Grain> grains, bool keepsCells, Func<IReadOnlyList<CellRow>, IReadOnlyList<ArraySegment<CellRow>>> split, int sharesMax)
    {
        var (shares, whole, repairedTo) = Repairs(wish, split, sharesMax);
        var statements = new List<RangeStatement>();
        var (roots, unfit) = (new List<RangeScope>(), new List<RangeScope>());
        RangeScope? last = null;
        if (wish.Roots)
        {
            var left = Scopes(grains, keepsCells).Where(scope => wish.After is not { } after || scope.CompareTo(after) > 0).ToArray();
            foreach (var scope in left.Take(RootsAPart))
            {
                (IsFit(scope) ? roots : unfit).Add(scope);
            }

            statements.AddRange(roots.Select(scope => new RangeStatement(scope, cells.GrainDigestOf(scope.Origin, scope.Grain, toldOf()), [])));
            last = left.Length > RootsAPart ? left[RootsAPart - 1] : null;
        }

        var (months, stated) = (0, new List<RangeScope>());
        foreach (var scope in wish.Months.Where(scope => !wish.Repairs.Skip(whole).Any(r => r.Scope == scope) && !roots.Contains(scope)))
        {
            if (!IsFit(scope))
            {
                unfit.Add(scope);
                stated.Add(scope);
                continue;
            }

            var digests = cells.MonthDigestsOf(scope.Origin, scope.Grain, toldOf());
            if (months > 0 && months + digests.Count > MonthsAPart)
            {
                break;
            }

            months += digests.Count;
            stated.Add(scope);
            statements.Add(new RangeStatement(scope, cells.GrainDigestOf(scope.Origin, scope.Grain, toldOf()), digests));
        }

        return new RangeReading(shares, statements, new RangeWords(roots, unfit, last, stated, whole, repairedTo));
    }

    private (List<RepairShare> Shares, int Whole, CellKey? RepairedTo) Repairs(RangeWish wish, Func<IReadOnlyList<CellRow>, IReadOnlyList<ArraySegment<CellRow>>> split, int sharesMax)
    {
        var shares = new List<RepairShare>();
        var (whole, from) = (0, wish.RepairedTo);
        foreach (var range in wish.Repairs)
        {
            if (!IsFit(range.Scope))
            {
                (whole, from) = (whole + 1, null);
                continue;
            }

            // A share begins with the last cell of the one before, so that nothing lies between two stretches.
            var rows = cells.RangeOf(range.Origin, range.Grain, range.Month).Where(row => toldOf().Includes(row.Key.Type.Code) && (from is not { } key || row.Key.CompareTo(key) >= 0)).ToArray();
            var pieces = split(rows);
            for (var i = 0; i < pieces.Count; i++)
            {
                if (shares.Count == sharesMax)
                {
                    return (shares, whole, from);
                }

                var piece = i == 0 ? pieces[i] : new ArraySegment<CellRow>(pieces[i].Array!, pieces[i].Offset - 1, pieces[i].Count + 1);
                var toEnd = i == pieces.Count - 1;
                if (i == 0 && from is not null && !toEnd && piece.Count == 1)
                {
                    // Where the cut before ended with this very cell, this one would end there too, and the next, for ever.
                    piece = new ArraySegment<CellRow>(piece.Array!, piece.Offset, 2);
                }

                shares.Add(new RepairShare(new RangeStretch(range, i == 0 && from is null, toEnd), piece));
                from = toEnd ? null : piece[^1].Key;
            }

            whole++;
        }

        return (shares, whole, null);
    }

    private IEnumerable<RangeScope> Scopes(IReadOnlyCollection<Grain> grains, bool keepsCells)
    {
        var own = keepsCells ? grains.Select(grain => new RangeScope(node, grain)) : [];
        var relayed = reception.Origins.Where(o => toldOf().IsAll && o.Watermark.Origin != node && isOurs(o.Watermark.Division)).Select(o => new RangeScope(o.Watermark.Origin, Grain.National));
        return own.Concat(grains.Contains(Grain.National) ? relayed : []).Order();
    }

    /// <summary>
    /// A relay says nothing of an origin while its copy is not what the origin says of itself: cells of a later cut are in, or the copy is wrong and
    /// must be repaired from below first.
    /// </summary>
    private bool IsFit(RangeScope scope) =>
        scope.Origin == node || (toldOf().IsAll && reception.Origin(scope.Origin) is { } row && isOurs(row.Watermark.Division) && cells.DigestOf(scope.Origin, Grain.National) == row.Watermark.Digest);
}
