using System.Collections.Immutable;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>The events of ranges as bytes and back, and what a snapshot keeps. Schema 1.</summary>
public static class RangeEvents
{
    /// <summary>What stands beside a part in its record; nothing for a part that neither states nor repairs ranges.</summary>
    public static IEnumerable<EventDraft> Beside(ReceptionChange change)
    {
        if (change is not CellsTaken taken)
        {
            yield break;
        }

        if (taken.Findings.Count > 0)
        {
            yield return ReceptionEvents.Draft(EventKinds.RangesCompared, new RangesCompared
            {
                Child = taken.Child.ToString(),
                CutTo = taken.Part.CutTo,
                Findings = { taken.Findings.Select(Written) },
            });
        }

        if (taken.Repair is { } counts && RangeStatements.StretchOf(taken.Part) is { } stretch)
        {
            yield return ReceptionEvents.Draft(EventKinds.RangeRepaired, new RangeRepaired
            {
                Child = taken.Child.ToString(),
                Origin = stretch.Range.Origin.ToString(),
                Grain = stretch.Range.Grain.Number,
                Month = stretch.Range.Month,
                Added = counts.Added,
                Replaced = counts.Replaced,
                Zeroed = counts.Zeroed,
                Newer = counts.Newer,
                FromStart = stretch.FromStart,
                ToEnd = stretch.ToEnd,
            });
        }
    }

    public static (NodeId Child, IReadOnlyList<Finding> Findings) ReadCompared(in JournalEvent journalEvent)
    {
        var compared = RangesCompared.Parser.ParseFrom(journalEvent.Payload.Span);
        return (NodeId.Parse(compared.Child), [.. compared.Findings.Select(f =>
            new Finding(ScopeOf(f.Origin, f.Grain), f.HasMonth ? f.Month : null, (RangeState)f.State, f.Cells))]);
    }

    public static (NodeId Child, RangeStretch Stretch, RepairCounts Counts) ReadRepaired(in JournalEvent journalEvent)
    {
        var repaired = RangeRepaired.Parser.ParseFrom(journalEvent.Payload.Span);
        return (
            NodeId.Parse(repaired.Child),
            new RangeStretch(new RangeKey(ScopeOf(repaired.Origin, repaired.Grain), repaired.Month), repaired.FromStart, repaired.ToEnd),
            new RepairCounts(repaired.Added, repaired.Replaced, repaired.Zeroed, repaired.Newer));
    }

    internal static ChildRangesImage ImageOf(ChildRanges row) => new()
    {
        Child = row.Child.ToString(),
        ComparedAt = Images.Of(row.ComparedAt),
        ComparedLsn = row.ComparedLsn.Value,
        FoundInAll = row.FoundInAll,
        CellsInAll = row.CellsInAll,
        Scopes = { row.Scopes.Select(s => new ScopeImage { Origin = s.Key.Origin.ToString(), Grain = s.Key.Grain.Number, State = (int)s.Value.State, ComparedAt = Images.Of(s.Value.ComparedAt) }) },
        Open = { row.Open.Values.Select(ImageOf) },
        Closed = { row.Closed.Select(ImageOf) },
    };

    internal static ChildRanges RowOf(ChildRangesImage image) => new(NodeId.Parse(image.Child))
    {
        ComparedAt = Images.InstantOf(image.ComparedAt),
        ComparedLsn = new Lsn(image.ComparedLsn),
        FoundInAll = image.FoundInAll,
        CellsInAll = image.CellsInAll,
        Scopes = image.Scopes.ToImmutableSortedDictionary(s => ScopeOf(s.Origin, s.Grain), s => new ScopeStanding((RangeState)s.State, Images.InstantOf(s.ComparedAt))),
        Open = image.Open.Select(RangeOf).ToImmutableSortedDictionary(r => r.Range, r => r),
        Closed = [.. image.Closed.Select(RangeOf)],
    };

    private static RangeImage ImageOf(DifferingRange range) => new()
    {
        Origin = range.Range.Origin.ToString(),
        Grain = range.Range.Grain.Number,
        Month = range.Range.Month,
        State = (int)range.State,
        FoundAt = Images.Of(range.FoundAt),
        FoundLsn = range.FoundLsn.Value,
        Added = range.Repair.Added,
        Replaced = range.Repair.Replaced,
        Zeroed = range.Repair.Zeroed,
        Newer = range.Repair.Newer,
        Sent = range.IsSent,
        ClosedAt = range.ClosedAt is { } at ? Images.Of(at) : 0,
    };

    private static DifferingRange RangeOf(RangeImage image) => new(
        new RangeKey(ScopeOf(image.Origin, image.Grain), image.Month),
        (RangeState)image.State,
        Images.InstantOf(image.FoundAt),
        new Lsn(image.FoundLsn),
        new RepairCounts(image.Added, image.Replaced, image.Zeroed, image.Newer),
        image.Sent,
        image.ClosedAt == 0 ? null : Images.InstantOf(image.ClosedAt));

    private static V1.RangeFinding Written(Finding finding)
    {
        var written = new V1.RangeFinding { Origin = finding.Scope.Origin.ToString(), Grain = finding.Scope.Grain.Number, State = (int)finding.State, Cells = finding.Cells };
        if (finding.Month is { } month)
        {
            written.Month = month;
        }

        return written;
    }

    private static RangeScope ScopeOf(string origin, int grain) => new(NodeId.Parse(origin), new Grain((byte)grain));
}
