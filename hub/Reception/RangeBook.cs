using System.Collections.Immutable;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>What one comparison said of a range, or of a whole grain where there is no month.</summary>
public sealed record Finding(RangeScope Scope, int? Month, RangeState State, long Cells = 0);

/// <summary>A range that was found to differ, and what was done about it.</summary>
/// <param name="Range">Which one.</param>
/// <param name="State">Differs or Persists while it is open; Repaired, or Equal where it became so by itself, once it is not.</param>
/// <param name="FoundAt">When it was found.</param>
/// <param name="FoundLsn">The position here of the record that found it: its id.</param>
/// <param name="Repair">What repairs changed since.</param>
/// <param name="IsSent">All that the child has in it came since it was found.</param>
/// <param name="ClosedAt">When it was found to be equal again.</param>
public sealed record DifferingRange(RangeKey Range, RangeState State, Instant FoundAt, Lsn FoundLsn, RepairCounts Repair, bool IsSent, Instant? ClosedAt);

/// <summary>How an origin's cells at one grain stood when they were last compared with what the child said.</summary>
public readonly record struct ScopeStanding(RangeState State, Instant ComparedAt);

/// <summary>What is known of the ranges of one child.</summary>
public sealed record ChildRanges(NodeId Child)
{
    /// <summary>Ranges that differed once and are listed; all of them stay in the journal, and all are counted.</summary>
    public const int ClosedMax = 200;

    public Instant ComparedAt { get; init; } = Instant.MinValue;

    /// <summary>The position here of the last comparison.</summary>
    public Lsn ComparedLsn { get; init; }

    /// <summary>Ranges that were found to differ, in all.</summary>
    public long FoundInAll { get; init; }

    /// <summary>Cells that repairs changed, in all.</summary>
    public long CellsInAll { get; init; }

    public ImmutableSortedDictionary<RangeScope, ScopeStanding> Scopes { get; init; } = ImmutableSortedDictionary<RangeScope, ScopeStanding>.Empty;

    public ImmutableSortedDictionary<RangeKey, DifferingRange> Open { get; init; } = ImmutableSortedDictionary<RangeKey, DifferingRange>.Empty;

    /// <summary>The newest ranges that are equal again, oldest first.</summary>
    public ImmutableList<DifferingRange> Closed { get; init; } = [];

    /// <summary>Ranges that a repair did not make equal: a person must look.</summary>
    public int Persisting => Open.Values.Count(r => r.State == RangeState.Persists);

    internal ChildRanges After(Finding finding, Instant at, Lsn lsn)
    {
        if (finding.Month is not { } month)
        {
            return this with { Scopes = Scopes.SetItem(finding.Scope, new ScopeStanding(finding.State, at)) };
        }

        var key = new RangeKey(finding.Scope, month);
        var before = Open.GetValueOrDefault(key);
        if (finding.State is RangeState.Differs or RangeState.Persists)
        {
            return before is null
                ? this with { Open = Open.Add(key, new DifferingRange(key, finding.State, at, lsn, default, false, null)), FoundInAll = FoundInAll + 1 }
                : this with { Open = Open.SetItem(key, before with { State = finding.State, IsSent = false }) };
        }

        return before is null ? this : this with
        {
            Open = Open.Remove(key),
            Closed = [.. Closed.Add(before with { State = finding.State, ClosedAt = at }).TakeLast(ClosedMax)],
        };
    }

    internal ChildRanges Without(NodeId origin) => this with
    {
        Scopes = Scopes.RemoveRange(Scopes.Keys.Where(scope => scope.Origin == origin)),
        Open = Open.RemoveRange(Open.Keys.Where(range => range.Origin == origin)),
    };

    internal ChildRanges After(RangeKey key, RepairCounts counts, bool fromStart, bool toEnd) => Open.GetValueOrDefault(key) is not { } before ? this : this with
    {
        Open = Open.SetItem(key, before with { Repair = before.Repair + counts, IsSent = toEnd || (before.IsSent && !fromStart) }),
        CellsInAll = CellsInAll + counts.Changed,
    };
}

/// <summary>
/// Which ranges of the children differed from what they said, since when, and what repairs did (clause L16; INV-10). A function of events 55 and 56, and of
/// which child brings an origin; a part of <see cref="ReceptionFold"/>.
/// </summary>
public sealed class RangeBook
{
    private readonly SortedDictionary<NodeId, ChildRanges> _children = [];

    public IReadOnlyCollection<ChildRanges> Children => _children.Values;

    public ChildRanges Of(NodeId child) => _children.GetValueOrDefault(child) ?? new ChildRanges(child);

    /// <summary>Whether a repair of this range by this child is wanted.</summary>
    public bool IsOpen(NodeId child, RangeKey range) => _children.GetValueOrDefault(child)?.Open.ContainsKey(range) == true;

    /// <summary>False for an event that is not of ranges.</summary>
    internal bool Apply(in JournalEvent journalEvent)
    {
        switch (journalEvent.Kind)
        {
            case EventKinds.RangesCompared:
                var (child, findings) = RangeEvents.ReadCompared(journalEvent);
                var row = Of(child) with { ComparedAt = journalEvent.RecordedAt, ComparedLsn = journalEvent.Lsn };
                foreach (var finding in findings)
                {
                    row = row.After(finding, journalEvent.RecordedAt, journalEvent.Lsn);
                }

                _children[child] = row;
                return true;
            case EventKinds.RangeRepaired:
                var (by, stretch, counts) = RangeEvents.ReadRepaired(journalEvent);
                _children[by] = Of(by).After(stretch.Range, counts, stretch.FromStart, stretch.ToEnd);
                return true;
            default:
                return false;
        }
    }

    /// <summary>An origin comes by another child from here on: it alone is compared of it, and the one before may repair nothing of it any more.</summary>
    internal void GoesBy(NodeId origin, NodeId before)
    {
        if (_children.GetValueOrDefault(before) is { } row)
        {
            _children[before] = row.Without(origin);
        }
    }

    internal RangesImage ToImage() => new() { Children = { _children.Values.Select(RangeEvents.ImageOf) } };

    internal void Load(RangesImage? image)
    {
        _children.Clear();
        foreach (var row in (image?.Children ?? []).Select(RangeEvents.RowOf))
        {
            _children.Add(row.Child, row);
        }
    }
}
