using CityGrid.Hub.Reception;
using CityGrid.Node.Intake;
using CityGrid.Node.Uplink;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Node.Journey;

/// <summary>How the ranges of this node's links stand, in the words of reconcile.proto.</summary>
public sealed class Edges(NodeCore core, NodeId node, NodeId? parent)
{
    /// <summary>Has the ranges of these links compared; of all where none is named. Null with the refusal for a name that is no neighbour's.</summary>
    public IReadOnlyList<EdgeReconciliation>? Reconcile(IReadOnlyCollection<string> names, out Refusal? refusal)
    {
        if (Neighbours(names, out refusal) is not { } asked)
        {
            return null;
        }

        if (parent is { } above && asked.Contains(above))
        {
            core.Uplink?.CompareRanges();
        }

        core.AskRanges(asked.Where(n => n != parent));
        return Standing(asked);
    }

    public IReadOnlyList<EdgeReconciliation>? Standing(IReadOnlyCollection<string> names, out Refusal? refusal) =>
        Neighbours(names, out refusal) is { } asked ? Standing(asked) : null;

    /// <summary>The link to the parent as this end knows it, only what is said of one range where that is given; null for a root.</summary>
    public EdgeReconciliation? Up(RangeKey? only = null)
    {
        if (core.Uplink is not { } uplink || parent is not { } above)
        {
            return null;
        }

        var state = uplink.Standing.State;
        var talk = state.Ranges;
        var edge = new EdgeReconciliation
        {
            Parent = above.ToString(),
            Child = node.ToString(),
            Connected = state.Phase == SenderPhase.Open,
            GoingOn = talk.IsGoingOn,
            ComparedAt = RequestReads.Iso(talk.EndedAt),
        };
        edge.Ranges.AddRange(talk.Scopes.Where(s => only is not { } one || s.Key == one.Scope).Select(s => RowOf(s.Key, s.Value)));
        edge.Ranges.AddRange(talk.Ranges.Where(r => only is not { } one || r.Key == one).Select(r =>
        {
            var row = RowOf(r.Key.Scope, r.Value.State, r.Key.Month);
            row.Cells = r.Value.Cells;
            return row;
        }));
        return edge;
    }

    /// <summary>The link of a child.</summary>
    public EdgeReconciliation Down(NodeId child, RangeKey? only = null) => core.Sequencer.Read(() =>
    {
        var ranges = core.Reception.Ranges.Of(child);
        var edge = new EdgeReconciliation
        {
            Parent = node.ToString(),
            Child = child.ToString(),
            Connected = core.Presence.IsConnected(child),
            GoingOn = core.ReceptionDesk.Asks.IsPending(child) || ranges.Open.Values.Any(r => r.State == RangeState.Differs),
            ComparedAt = ranges.ComparedLsn == Lsn.Zero ? string.Empty : RequestReads.Iso(ranges.ComparedAt),
            ComparedLsn = ranges.ComparedLsn.Value,
            FoundInAll = ranges.FoundInAll,
            CellsInAll = ranges.CellsInAll,
        };
        edge.Ranges.AddRange(ranges.Scopes.Where(s => only is not { } one || s.Key == one.Scope).Select(s => RowOf(s.Key, s.Value.State)));
        edge.Ranges.AddRange(ranges.Closed.Concat(ranges.Open.Values).Where(r => only is not { } one || r.Range == one).Select(r =>
        {
            var row = RowOf(r.Range.Scope, r.State, r.Range.Month);
            (row.Added, row.Replaced, row.Zeroed, row.Newer, row.Cells) = (r.Repair.Added, r.Repair.Replaced, r.Repair.Zeroed, r.Repair.Newer, r.Repair.Changed);
            (row.FoundAt, row.FoundLsn, row.ClosedAt) = (RequestReads.Iso(r.FoundAt), r.FoundLsn.Value, RequestReads.Iso(r.ClosedAt));
            return row;
        }));
        return edge;
    });

    private List<EdgeReconciliation> Standing(IReadOnlyCollection<NodeId> asked)
    {
        var edges = new List<EdgeReconciliation>();
        if (parent is { } above && asked.Contains(above) && Up() is { } up)
        {
            edges.Add(up);
        }

        edges.AddRange(asked.Where(n => n != parent).Select(child => Down(child)));
        return edges;
    }

    private IReadOnlyCollection<NodeId>? Neighbours(IReadOnlyCollection<string> names, out Refusal? refusal)
    {
        refusal = null;
        var all = core.Sequencer.Read(() => core.ChildrenNow.Select(c => c.Node).ToList());
        if (parent is { } above)
        {
            all.Insert(0, above);
        }

        if (names.Count == 0)
        {
            return all;
        }

        var asked = all.Where(n => names.Contains(n.ToString())).ToArray();
        if (names.FirstOrDefault(n => asked.All(a => a.ToString() != n)) is { } unknown)
        {
            refusal = new Refusal("NO_NEIGHBOUR", $"{(NodeId.TryParse(unknown, out var named) ? named.ToString() : "The name")} is neither parent nor child of {node}. Its neighbours: {string.Join(", ", all)}.", "nodes");
            return null;
        }

        return asked;
    }

    private static RangeStanding RowOf(RangeScope scope, RangeState state, int? month = null) => new()
    {
        Origin = scope.Origin.ToString(),
        Grain = scope.Grain.ToString(),
        Month = month is { } some ? RangeKey.TextOf(some) : string.Empty,
        State = state,
    };
}
