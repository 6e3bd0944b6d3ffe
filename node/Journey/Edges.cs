using CityGrid.Hub.Reception;
using CityGrid.Node.Intake;
using CityGrid.Node.Uplink;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Node.Journey;

/// <summary>How the ranges of this node's links stand, in the words of reconcile.proto.</summary>
public sealed class Edges(NodeCore core)
{
    /// <summary>Has the ranges of these links compared; of all where none is named. Null with the refusal for a name that is no neighbour's.</summary>
    public IReadOnlyList<EdgeReconciliation>? Reconcile(IReadOnlyCollection<string> names, out Refusal? refusal)
    {
        if (Neighbours(names, out refusal) is not { } asked)
        {
            return null;
        }

        foreach (var parent in core.Parents.Where(p => asked.Contains(p.Node)))
        {
            parent.Pump.CompareRanges();
        }

        core.AskRanges(asked.Where(IsChild));
        return Standing(asked);
    }

    public IReadOnlyList<EdgeReconciliation>? Standing(IReadOnlyCollection<string> names, out Refusal? refusal) =>
        Neighbours(names, out refusal) is { } asked ? Standing(asked) : null;

    /// <summary>The links to the parents as this end knows them, only what is said of one range where that is given.</summary>
    public IEnumerable<EdgeReconciliation> Up(RangeKey? only = null) => core.Parents.Select(parent => Up(parent.Node, parent.Pump, only));

    private EdgeReconciliation Up(NodeId above, UplinkPump uplink, RangeKey? only)
    {
        var state = uplink.Standing.State;
        var talk = state.Ranges;
        var edge = new EdgeReconciliation
        {
            Parent = above.ToString(),
            Child = core.Node.ToString(),
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
            Parent = core.Node.ToString(),
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

    private List<EdgeReconciliation> Standing(IReadOnlyCollection<NodeId> asked) =>
    [
        .. core.Parents.Where(p => asked.Contains(p.Node)).Select(p => Up(p.Node, p.Pump, null)),
        .. asked.Where(IsChild).Select(child => Down(child)),
    ];

    private bool IsChild(NodeId neighbour) => core.Parents.All(p => p.Node != neighbour);

    private IReadOnlyCollection<NodeId>? Neighbours(IReadOnlyCollection<string> names, out Refusal? refusal)
    {
        refusal = null;
        IReadOnlyList<NodeId> all = [.. core.Parents.Select(p => p.Node), .. core.Sequencer.Read(() => core.ChildrenNow.Select(c => c.Node).ToArray())];
        if (names.Count == 0)
        {
            return all;
        }

        var asked = all.Where(n => names.Contains(n.ToString())).ToArray();
        if (names.FirstOrDefault(n => asked.All(a => a.ToString() != n)) is { } unknown)
        {
            refusal = new Refusal("NO_NEIGHBOUR", $"{(NodeId.TryParse(unknown, out var named) ? named.ToString() : "The name")} is neither parent nor child of {core.Node}. Its neighbours: {string.Join(", ", all)}.", "nodes");
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
