using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;

namespace CityGrid.Tests.Link;

/// <summary>What a search found: how many distinct states it saw, whether that were all, and the first fault with the way to it.</summary>
internal sealed record SearchResult(int States, bool Exhausted, string? Fault, IReadOnlyList<string> Way);

/// <summary>
/// Breadth-first over every world that can come of the starts, and where there are too many of those, along seeded walks from the edge of what was seen for the
/// second half of them: what takes a long way to go wrong is not found near the start. In each state it holds INV-7, INV-8, INV-9
/// and INV-11 against the children's own journals, and that the world converges once nothing goes wrong any more (INV-10).
/// </summary>
internal sealed class SmallWorldSearch(SmallWorldRules rules, params SmallWorld[] starts)
{
    private const int Seed = 20_261_201;
    private const int WalkMost = 300;

    private readonly HashSet<UInt128> _converging = [];

    /// <summary>Each state that was seen, and from which one it was first come to.</summary>
    private readonly Dictionary<UInt128, UInt128> _seen = [];

    private string? _fault;
    private IReadOnlyList<string> _way = [];

    public SearchResult Run(int statesMax)
    {
        var edge = GoEverywhere(statesMax / 2);
        if (edge.Length > 0 && _fault is null)
        {
            Walk(edge, statesMax);
        }

        return new SearchResult(_seen.Count, edge.Length == 0 && _fault is null, _fault, _way);
    }

    /// <summary>Goes on from each state that was seen, the nearest first; those are left from which it has not gone on yet.</summary>
    private (SmallWorld World, UInt128 Key)[] GoEverywhere(int statesMax)
    {
        var queue = new Queue<(SmallWorld World, UInt128 Key)>();
        foreach (var start in starts)
        {
            if (_seen.TryAdd(SmallWorldPrint.Of(start), default))
            {
                queue.Enqueue((start, SmallWorldPrint.Of(start)));
            }
        }

        while (_seen.Count < statesMax && _fault is null && queue.TryDequeue(out var at))
        {
            foreach (var next in GoOn(at))
            {
                if (next.IsNew)
                {
                    queue.Enqueue((next.World, next.Key));
                }
            }
        }

        return [.. queue];
    }

    /// <summary>From any of these to where nothing moves any more, again and again.</summary>
    private void Walk((SmallWorld World, UInt128 Key)[] edge, int statesMax)
    {
        var chance = new SeededEntropy(Seed);
        for (var walks = 0; _seen.Count < statesMax && walks < statesMax; walks++)
        {
            var at = edge[chance.Below(edge.Length)];
            for (var steps = 0; steps < WalkMost && _seen.Count < statesMax; steps++)
            {
                var ways = GoOn(at);
                if (_fault is not null)
                {
                    return;
                }

                if (ways.Count == 0)
                {
                    break;
                }

                (at.World, at.Key, _) = ways[chance.Below(ways.Count)];
            }
        }
    }

    /// <summary>The states that may come next, each of which is looked at when it is first seen. There are none past a fault.</summary>
    private List<(SmallWorld World, UInt128 Key, bool IsNew)> GoOn((SmallWorld World, UInt128 Key) at)
    {
        var all = new List<(SmallWorld World, UInt128 Key, bool IsNew)>();
        if (Diverges(at.World) is { } stuck)
        {
            (_fault, _way) = (stuck, Way(at.Key));
            return all;
        }

        foreach (var (what, next) in rules.Next(at.World))
        {
            var key = SmallWorldPrint.Of(next);
            var isNew = _seen.TryAdd(key, at.Key);
            all.Add((next, key, isNew));
            if ((Between(at.World, next) ?? (isNew ? Within(next) : null)) is { } fault)
            {
                (_fault, _way) = (fault, [.. Way(at.Key), what]);
                return all;
            }
        }

        return all;
    }

    /// <summary>INV-9: what is held never goes back. RULE-8: another data directory comes into office only with a greater epoch.</summary>
    private static string? Between(SmallWorld before, SmallWorld after)
    {
        if (ReferenceEquals(before.Parent, after.Parent))
        {
            return null;
        }

        foreach (var cell in before.Parent.Cells)
        {
            foreach (var later in after.Parent.Cells)
            {
                if (later.Origin == cell.Origin && later.Name == cell.Name && later.Revision < cell.Revision)
                {
                    return $"INV-9: cell {cell.Name} of {cell.Origin} went from {cell.Revision} back to {later.Revision}.";
                }
            }
        }

        for (var c = 0; c < before.Children.Length; c++)
        {
            if (before.Parent.Rows[c] is { } old && after.Parent.Rows[c] is { } row && row.Incarnation != old.Incarnation && row.Epoch.Number <= old.Epoch.Number)
            {
                return $"RULE-8: {row.Incarnation} came into office with epoch {row.Epoch.Number} after {old.Epoch.Number}.";
            }
        }

        return null;
    }

    private static string? Within(SmallWorld world)
    {
        foreach (var applied in world.Parent.Escalations)
        {
            if (applied.Times > 1)
            {
                return $"INV-7: escalation {applied.Name} of {applied.Origin} took effect {applied.Times} times.";
            }
        }

        foreach (var child in world.Children)
        {
            if (world.Parent.Rows[child.Index] is { } row && row.Incarnation == child.Incarnation && row.Epoch == child.Epoch && !child.IsOldCopy
                && row.Quarantine is null && Streams(world, child, row) is { } fault)
            {
                return fault;
            }

            if (child is { IsOldCopy: true } && world.Parent.Rows[child.Index] is { } held && Mixed(world, child, held) is { } mixed)
            {
                return mixed;
            }
        }

        return null;
    }

    /// <summary>INV-21: where the parent follows an old copy, it must not have followed another history before.</summary>
    private static string? Mixed(SmallWorld world, ChildSide child, ChildRow row) =>
        row.Epoch == child.Epoch && row.Incarnation == child.Incarnation && row.Cells.Mark.Lsn <= child.Head.Lsn && child.MarkAt(row.Cells.Mark.Lsn.Value) == row.Cells.Mark
            ? Values(world, child, row.Cells.Mark.Lsn.Value) ?? (child.IsAlone(row.Cells.Mark) ? Missing(world, child, row) : null)
            : null;

    private static string? Streams(SmallWorld world, ChildSide child, ChildRow row)
    {
        foreach (var lane in new[] { row.Cells, row.Escalations })
        {
            if (lane.Mark.Lsn > child.Head.Lsn || child.MarkAt(lane.Mark.Lsn.Value) != lane.Mark)
            {
                return $"INV-8: the parent stands at {lane.Mark.Lsn} of another history of {child.Index}.";
            }
        }

        if (child.AckedCells.Lsn > row.Cells.Mark.Lsn || child.AckedEscalations.Lsn > row.Escalations.Mark.Lsn)
        {
            return $"INV-7: {child.Index} holds a receipt for what is not durable at the parent.";
        }

        for (var lsn = 1; lsn <= row.Escalations.Mark.Lsn.Value; lsn++)
        {
            var entry = child.Journal[lsn - 1];
            if (entry.Kind == 'x' && !world.Parent.Escalations.Any(a => a.Origin == child.Index && a.Name == entry.Name && a.Version == entry.Value))
            {
                return $"INV-7: the parent is past {lsn} of {child.Index}, and escalation {entry.Name} is lost.";
            }
        }

        return Missing(world, child, row) ?? Values(world, child);
    }

    /// <summary>INV-11: what lies behind the cursor is held.</summary>
    private static string? Missing(SmallWorld world, ChildSide child, ChildRow row)
    {
        foreach (var (own, local) in child.Cells())
        {
            var held = world.Parent.Cells.FirstOrDefault(c => c.Origin == child.Index && c.Name == own.Name);
            if (local <= row.Cells.Mark.Lsn.Value && held.Revision < own.Revision)
            {
                return $"INV-11: the parent is past {local} of {child.Index}, and holds cell {own.Name} at {held.Revision}.";
            }
        }

        return null;
    }

    /// <summary>INV-11: each cell has the value that its origin gave it at that revision.</summary>
    private static string? Values(SmallWorld world, ChildSide child, long upTo = long.MaxValue)
    {
        foreach (var held in world.Parent.Cells)
        {
            if (held.Origin != child.Index || held.Revision.Epoch != child.Epoch.Number || held.Revision.Lsn > upTo)
            {
                continue;
            }

            var then = child.Cells((int)held.Revision.Lsn).FirstOrDefault(c => c.Cell.Name == held.Name);
            if (held.Revision.Lsn == 0 ? held.Value != 0 : then.Cell.Revision != held.Revision || then.Cell.Value != held.Value)
            {
                return $"INV-11: cell {held.Name} of {held.Origin} is {held.Value} at {held.Revision}, its origin says {then.Cell.Value} at {then.Cell.Revision}.";
            }
        }

        return null;
    }

    /// <summary>INV-10: with no more faults the world comes to rest, and then the parent holds what its children hold. Null where it does.</summary>
    private string? Diverges(SmallWorld world)
    {
        var way = new List<UInt128>();
        for (var steps = 0; steps < 400; steps++)
        {
            var key = SmallWorldPrint.Of(world);
            if (_converging.Contains(key))
            {
                break;
            }

            way.Add(key);
            if (rules.Onward(world) is not { } next)
            {
                if (Unequal(world) is { } fault)
                {
                    return fault;
                }

                break;
            }

            world = next;
            if (steps == 399)
            {
                return $"INV-31: the world does not come to rest: {string.Join("; ", world.Children.Select(c => $"{c.Incarnation} {c.Epoch} {c.Sender.Phase}, row {world.Parent.Rows[c.Index]}"))}.";
            }
        }

        _converging.UnionWith(way);
        return null;
    }

    private static string? Unequal(SmallWorld world)
    {
        foreach (var child in world.Children)
        {
            if (world.Parent.Rows[child.Index] is not { } row)
            {
                return $"INV-10: the parent does not know {child.Index}.";
            }

            if (row.Quarantine is not null)
            {
                continue;
            }

            var own = child.Cells().Where(c => c.Cell.Value != 0).Select(c => (c.Cell.Name, c.Cell.Value)).Order().ToList();
            var held = world.Parent.Cells.Where(c => c.Origin == child.Index && c.Value != 0).Select(c => (c.Name, c.Value)).Order().ToList();
            if (!own.SequenceEqual(held))
            {
                return $"INV-10: {child.Index} has cells {string.Join(' ', own)}, the parent holds {string.Join(' ', held)}.";
            }

            foreach (var entry in child.Journal)
            {
                if (entry.Kind == 'x' && !world.Parent.Escalations.Any(a => a.Origin == child.Index && a.Name == entry.Name && a.Version == entry.Value))
                {
                    return $"INV-7: escalation {entry.Name} of {child.Index} never came.";
                }
            }
        }

        return null;
    }

    /// <summary>What happened on the way to a state, found by going it once more: millions of states are kept as where they came from and no more.</summary>
    private List<string> Way(UInt128 key)
    {
        var keys = new Stack<UInt128>();
        var at = key;
        for (; _seen[at] != default; at = _seen[at])
        {
            keys.Push(at);
        }

        var (way, world) = (new List<string>(), starts.First(start => SmallWorldPrint.Of(start) == at));
        foreach (var next in keys)
        {
            (var what, world) = rules.Next(world).First(step => SmallWorldPrint.Of(step.World) == next);
            way.Add(what);
        }

        return way;
    }
}
