using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Reception;

/// <summary>
/// Compares what a child states of ranges with what is held (clause L16). The part that states them has no cells and is the last of its cut, so what is
/// held now is what the child held at the end of the cut, or it differs. It decides and changes nothing.
/// </summary>
internal sealed class RangeComparison(ReceptionFold reception, CellFold cells)
{
    /// <param name="child">Who states it.</param>
    /// <param name="part">A part of sound shape.</param>
    /// <param name="stated">What the origins say of themselves in the same part, by name, as far as it was accepted.</param>
    public IReadOnlyList<Finding> Compare(NodeId child, CellsPart part, IReadOnlyDictionary<string, OriginWatermark> stated)
    {
        var findings = new List<Finding>();
        foreach (var statement in RangeStatements.Read(part))
        {
            if (stated.TryGetValue(statement.Scope.Origin.ToString(), out var word) && CanBeCompared(child, part, statement, word))
            {
                Compare(child, statement, findings);
            }
            else
            {
                findings.Add(new Finding(statement.Scope, null, RangeState.NotCompared));
            }
        }

        return findings;
    }

    /// <summary>
    /// A relay speaks of an origin only as the origin spoke of itself: its root is that of the origin's own newest statement, or it has no say. So what a
    /// relay holds wrong goes no further up. Nor has it where cells newer than that statement are held: they came by the relay before it was restored, or by
    /// another way, and are on their way to it again.
    /// </summary>
    private bool CanBeCompared(NodeId child, CellsPart part, RangeStatement statement, OriginWatermark word)
    {
        var (origin, grain) = (statement.Scope.Origin, statement.Scope.Grain);
        var row = reception.Origin(origin);
        var isNewLife = word.Epoch.Number > (row?.CompleteEpoch ?? 0) && Enumerable.Range(0, part.CompleteOrigins.Count).Any(i => PartRecords.CompleteName(part, i) == origin.ToString());
        var fits = grain == Grain.National ? cells.OriginDigestOver(origin, grain, statement.Root) == word.Digest : origin == child;
        var isNewest = row is null
            || ((row.Watermark.Epoch.Number, row.Watermark.Lsn.Value).CompareTo((word.Epoch.Number, word.Lsn.Value)) <= 0 && row.After(word, row.Message, child, row.Local).Via == child);
        var isWhole = statement.Months.Count == 0 || cells.GrainDigestOver(origin, grain, statement.Months.ToArray()) == statement.Root;

        // What is held of types that went out of the origin's choice becomes zero with this very part (L17).
        var isNewChoice = row is not null && !row.TellsAs(word);
        return !isNewLife && !isNewChoice && fits && isNewest && isWhole
            && (origin == child || IsEqual(statement) || !cells.HoldsAbove(origin, grain, new Revision(word.Epoch.Number, word.Lsn.Value)));
    }

    private bool IsEqual(RangeStatement statement) => cells.GrainDigestOf(statement.Scope.Origin, statement.Scope.Grain) == statement.Root;

    private void Compare(NodeId child, RangeStatement statement, List<Finding> findings)
    {
        var scope = statement.Scope;
        var isEqual = IsEqual(statement);
        findings.Add(new Finding(scope, null, isEqual ? RangeState.Equal : RangeState.Differs));
        var open = reception.Ranges.Of(child).Open;
        var held = isEqual ? [] : cells.MonthDigestsOf(scope.Origin, scope.Grain).ToDictionary(m => m.Month, m => m.Digest);
        var said = statement.Months.ToDictionary(m => m.Month, m => m.Digest);
        var isByMonth = isEqual || statement.Months.Count > 0 || statement.Root is null;
        var months = held.Keys.Concat(said.Keys).Concat(open.Keys.Where(k => k.Scope == scope).Select(k => k.Month)).Distinct().Order();
        foreach (var month in isByMonth ? months.ToArray() : [])
        {
            var before = open.GetValueOrDefault(new RangeKey(scope, month));
            var same = isEqual || (held.TryGetValue(month, out var ours) ? said.TryGetValue(month, out var theirs) && ours == theirs : !said.ContainsKey(month));
            if (!same)
            {
                var again = before is { IsSent: true } or { State: RangeState.Persists };
                findings.Add(new Finding(scope, month, again ? RangeState.Persists : RangeState.Differs, before?.Repair.Changed ?? 0));
            }
            else if (before is not null)
            {
                findings.Add(new Finding(scope, month, before.Repair.Changed > 0 ? RangeState.Repaired : RangeState.Equal, before.Repair.Changed));
            }
        }
    }

    /// <summary>What is told to the child: all that is not simply equal.</summary>
    public static IEnumerable<RangeAnswer> Answers(IEnumerable<Finding> findings)
    {
        foreach (var finding in findings.Where(f => f.Month is not null || f.State != RangeState.Equal))
        {
            var answer = new RangeAnswer { Origin = finding.Scope.Origin.ToString(), Grain = finding.Scope.Grain.Number, State = finding.State, Cells = finding.Cells };
            if (finding.Month is { } month)
            {
                answer.Month = month;
            }

            yield return answer;
        }
    }
}
