using System.Collections.Immutable;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>What the next cut that reaches the head shall say of ranges beside its cells.</summary>
/// <param name="Roots">State the roots of the scopes behind <paramref name="After"/>, in order.</param>
/// <param name="After">Null to begin with the first.</param>
/// <param name="Months">Scopes to state with their months, once nothing of them is left to repair.</param>
/// <param name="Repairs">Ranges to send again, in order.</param>
/// <param name="RepairedTo">The first of them is sent up to this cell.</param>
public sealed record RangeWish(bool Roots, RangeScope? After, ImmutableList<RangeScope> Months, ImmutableList<RangeKey> Repairs, CellKey? RepairedTo);

/// <summary>What a cut says of ranges.</summary>
/// <param name="Roots">The scopes whose roots it states.</param>
/// <param name="Unfit">Scopes that it says nothing of: this node's copy is not, or not now, what the origin says of itself.</param>
/// <param name="LastRoot">How far it came; null where those were all.</param>
/// <param name="Months">The scopes that it states with their months.</param>
/// <param name="Repaired">How many of the wished repairs it has whole.</param>
/// <param name="RepairedTo">How far it has the next one.</param>
public sealed record RangeWords(
    IReadOnlyList<RangeScope> Roots, IReadOnlyList<RangeScope> Unfit, RangeScope? LastRoot, IReadOnlyList<RangeScope> Months, int Repaired, CellKey? RepairedTo);

/// <summary>
/// The child's side of comparing ranges with its parent (clause L16), as a pure record: roots of all scopes, then the months of those that differ, then
/// the cells of the months that differ, and their months once more. It moves on only with what the parent has answered, so over as many connections as it
/// takes. It is kept in memory: after a start of this node it begins again with the roots, when the parent asks.
/// </summary>
public sealed record RangeTalk
{
    /// <summary>How often scopes that could not be compared are tried again, each time with a scheduled cut.</summary>
    public const int TriesMax = 5;

    /// <summary>Cells of one range: a parent that names more names none.</summary>
    public const long CellsMax = 1_000_000_000;

    public static readonly RangeTalk Quiet = new();

    /// <summary>Nothing was stated yet since it was asked for.</summary>
    public bool IsDue { get; init; }

    public Instant? BegunAt { get; init; }

    /// <summary>When the last one was at its end; null where none was, or one is going on.</summary>
    public Instant? EndedAt { get; init; }

    public int Tries { get; init; }

    /// <summary>Scopes behind this one are not stated yet.</summary>
    public RangeScope? After { get; init; }

    public bool MoreRoots { get; init; }

    public ImmutableList<RangeScope> Months { get; init; } = [];

    public ImmutableList<RangeKey> Repairs { get; init; } = [];

    public CellKey? RepairedTo { get; init; }

    /// <summary>What was sent again in this talk: once each.</summary>
    public ImmutableHashSet<RangeKey> Sent { get; init; } = [];

    /// <summary>How each scope stands, and each range that differed.</summary>
    public ImmutableSortedDictionary<RangeScope, RangeState> Scopes { get; init; } = ImmutableSortedDictionary<RangeScope, RangeState>.Empty;

    public ImmutableSortedDictionary<RangeKey, (RangeState State, long Cells)> Ranges { get; init; } = ImmutableSortedDictionary<RangeKey, (RangeState, long)>.Empty;

    public bool IsGoingOn => IsDue || MoreRoots || Months.Count > 0 || Repairs.Count > 0;

    /// <summary>Null where nothing is to be said.</summary>
    public RangeWish? Wish => IsGoingOn ? new RangeWish(IsDue || MoreRoots, After, Months, Repairs, RepairedTo) : null;

    /// <summary>Ranges that the parent still finds differing after their repair.</summary>
    public int Persisting => Ranges.Values.Count(r => r.State == RangeState.Persists);

    /// <summary>Somebody wants the ranges compared; one that is going on serves him too.</summary>
    public RangeTalk Asked(Instant now) => IsGoingOn ? this : new RangeTalk { IsDue = true, BegunAt = now };

    /// <summary>Another parent, or another stream: what was under way begins again with the roots.</summary>
    public RangeTalk Anew() => IsGoingOn ? new RangeTalk { IsDue = true, BegunAt = BegunAt, Tries = Tries } : this;

    /// <summary>A scheduled cut goes: scopes that could not be compared have another chance.</summary>
    public RangeTalk Pushed() =>
        !IsGoingOn && Tries < TriesMax && Scopes.ContainsValue(RangeState.NotCompared) ? this with { IsDue = true, After = null, EndedAt = null, Sent = [], Tries = Tries + 1 } : this;

    /// <summary>The parent has applied a cut and answered what it said of ranges.</summary>
    public RangeTalk Heard(RangeWords said, IEnumerable<RangeAnswer> answers, Instant now)
    {
        var scopes = Scopes.ToBuilder();
        foreach (var scope in said.Roots.Concat(said.Months))
        {
            scopes[scope] = RangeState.Equal;
        }

        foreach (var scope in said.Unfit)
        {
            scopes[scope] = RangeState.NotCompared;
        }

        var ranges = Ranges.ToBuilder();
        var stated = said.Roots.Concat(said.Months).ToHashSet();
        var withMonths = said.Months.ToHashSet();
        var months = Months.RemoveAll(withMonths.Contains).ToBuilder();
        var repairs = Repairs.RemoveRange(0, said.Repaired).ToBuilder();
        var sent = Sent.Union(Repairs.Take(said.Repaired));
        foreach (var answer in answers)
        {
            if (RangeScope.Of(answer.Origin, answer.Grain) is not { } scope || !stated.Contains(scope) || (answer.HasMonth && !RangeKey.IsMonth(answer.Month)))
            {
                continue;
            }

            if (!answer.HasMonth)
            {
                scopes[scope] = answer.State;
                if (answer.State == RangeState.Differs && !withMonths.Contains(scope) && !months.Contains(scope))
                {
                    months.Add(scope);
                }

                continue;
            }

            var range = new RangeKey(scope, answer.Month);
            ranges[range] = (answer.State, Math.Clamp(answer.Cells, 0, CellsMax));
            if (answer.State is RangeState.Differs or RangeState.Persists && !sent.Contains(range) && !repairs.Contains(range))
            {
                repairs.Add(range);
                if (!months.Contains(scope))
                {
                    months.Add(scope);
                }
            }
        }

        var after = this with
        {
            IsDue = false,
            MoreRoots = said.LastRoot is not null,
            After = said.LastRoot,
            Months = months.ToImmutable(),
            Repairs = repairs.ToImmutable(),
            RepairedTo = said.RepairedTo,
            Sent = sent,
            Scopes = scopes.ToImmutable(),
            Ranges = ranges.ToImmutable(),
        };
        return after.IsGoingOn ? after : after with { EndedAt = now };
    }

    /// <summary>What the operator should hear when a talk has ended: nothing where all is equal.</summary>
    public (string Code, string Message)? Report()
    {
        var repaired = Ranges.Where(r => r.Value.State == RangeState.Repaired).ToArray();
        return Persisting > 0 ? ("RANGES_DIFFER", $"The parent still holds other cells in {Persisting} ranges after they were sent again, the first: {Ranges.First(r => r.Value.State == RangeState.Persists).Key}. Look at what it keeps aside or refused.")
            : repaired.Length > 0 ? ("RANGES_REPAIRED", $"The parent held other cells in {repaired.Length} ranges, {repaired.Sum(r => r.Value.Cells)} cells are repaired; the first: {repaired[0].Key}.")
            : null;
    }
}
