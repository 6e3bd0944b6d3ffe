using CityGrid.Hub.Cells;
using CityGrid.Node;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// What must hold where somebody lies (INV-29), beside all that holds without: at no node is there a cell, a statement or an escalation that its origin may not speak of or that came where
/// its origin does not stand, no cell is impossible or of a revision that has not been, nothing of an escalation is another's than its origin's, and nobody but the liar is set aside. What the liar says of its own division is its own affair.
/// </summary>
internal sealed class HostileOracle(SimulatedTree tree, HostileChild hostile)
{
    public void Check()
    {
        foreach (var node in tree.Nodes.Values)
        {
            CheckCells(node, node.Core!);
            CheckStatements(node, node.Core!);
            CheckEscalations(node, node.Core!);
            foreach (var child in node.Core!.Reception.Children.Where(child => child.Node != hostile.Place.Node))
            {
                StoryBrokenException.Unless(tree.Nodes.ContainsKey(child.Node) && child.Quarantine is null, () => $"INV-29: {child.Node} is set aside at {node.Place.Node}, or is nobody: {child.Quarantine?.Reason}");
            }
        }
    }

    private void CheckCells(SimulatedNode at, NodeCore core)
    {
        foreach (var row in core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied))
        {
            StoryBrokenException.Unless(MaySpeak(row.Key.Origin, row.Key.Division, at), () => $"INV-29: {at.Place.Node} holds a cell of {row.Key.Division} in the name of {row.Key.Origin}: {row.Key} {row.Revision}");
            if (row.Key.Origin == hostile.Place.Node)
            {
                StoryBrokenException.Unless(
                    row.Revision.Epoch <= hostile.LastEpoch && row.Revision.Lsn <= hostile.Furthest, () => $"{at.Place.Node} holds revision {row.Revision} of {row.Key.Origin}, which has come to {hostile.LastEpoch}.{hostile.Furthest}");
                // A clock that was days ahead let through what lies ahead by the clock that was set right since.
                var newest = core.Today.Plus(1) > hostile.NewestDay ? core.Today.Plus(1) : hostile.NewestDay;
                StoryBrokenException.Unless(
                    CellChecks.Judge(row.Key, row.Value.Span, newest) is null, () => $"{at.Place.Node} holds an impossible cell of {row.Key.Origin}: {CellChecks.Judge(row.Key, row.Value.Span, newest)}");
            }
        }
    }

    private void CheckStatements(SimulatedNode at, NodeCore core)
    {
        foreach (var origin in core.Reception.Origins.Select(row => row.Watermark))
        {
            StoryBrokenException.Unless(MaySpeak(origin.Origin, origin.Division, at), () => $"INV-29: {at.Place.Node} was told by somebody else that {origin.Origin} is {origin.Division}");
            StoryBrokenException.Unless(
                !tree.Stands(origin.Origin, at) || tree[origin.Origin] is var node && (origin.Division == node.Place.Division && origin.Epoch == node.Core!.OwnEpoch && origin.Lsn <= node.Core.Sequencer.Applied),
                () => $"INV-29: {at.Place.Node} has a statement of {origin.Origin} that it did not make: {origin}");
        }
    }

    private void CheckEscalations(SimulatedNode at, NodeCore core)
    {
        var origins = new Dictionary<UInt128, string>();
        foreach (var record in core.Escalations.ChangedSince(Lsn.Zero, core.Sequencer.Applied))
        {
            StoryBrokenException.Unless(
                MaySpeak(NodeId.Parse(record.Content.Origin), DivisionCode.Parse(record.Content.Division), at) || IsTheLiars(DivisionCode.Parse(record.Content.Division), at), () => $"INV-29: {at.Place.Node} was told of an escalation of {record.Content.Division} in the name of {record.Content.Origin}");
            StoryBrokenException.Unless(
                origins.TryAdd(record.Id, record.Content.Origin) || origins[record.Id] == record.Content.Origin, () => $"INV-29: an escalation of {origins[record.Id]} is {record.Content.Origin}'s at {at.Place.Node}");
        }
    }

    /// <summary>A node of the tree: of its own division and what lies below it, where it stands and above; anybody else, under whatever name: of what the liar may speak of.</summary>
    private bool MaySpeak(NodeId origin, DivisionCode division, SimulatedNode at) =>
        tree.Stands(origin, at) ? tree.Register.At(tree[origin].Core!.Today).IsAtOrBelow(division, tree[origin].Place.Division) : IsTheLiars(division, at);

    private bool IsTheLiars(DivisionCode division, SimulatedNode at) => hostile.Own.Contains(division) && tree.Stands(hostile.Place.Parent!.Node, at);
}
