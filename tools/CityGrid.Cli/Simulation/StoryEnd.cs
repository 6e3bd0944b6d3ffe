using CityGrid.Hub.Cells;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;

namespace CityGrid.Cli.Simulation;

/// <summary>Something that must hold after every story did not.</summary>
public sealed class StoryBrokenException(string what) : Exception(what)
{
    public static void Unless(bool holds, Func<string> what)
    {
        if (!holds)
        {
            throw new StoryBrokenException(what());
        }
    }
}

/// <summary>What must hold at the end of a story (INV-1, 7, 8, 10, 12, 16, 19).</summary>
internal sealed class StoryEnd(SimulatedTree tree, IReadOnlyList<(SimulatedNode Node, CaseId Id, int Version)> acknowledged)
{
    public void Check()
    {
        CheckAcknowledged();
        CheckEdges();
        CheckRecount();
        CheckEscalations();
    }

    private void CheckAcknowledged()
    {
        foreach (var (node, id, version) in acknowledged)
        {
            StoryBrokenException.Unless(node.Core!.Desk.Find(id)?.Version >= version, () => $"case {id} of {node.Place.Node} was acknowledged at version {version} and is not there");
        }
    }

    private void CheckEdges()
    {
        foreach (var child in tree.Nodes.Values.Where(n => n.Place.Parent is not null))
        {
            var parent = tree[child.Place.Parent!.Node];
            StoryBrokenException.Unless(parent.Core!.DigestOfChild(child.Place.Node) == child.Core!.OwnDigest().Digest, () => $"edge {parent.Place.Node} → {child.Place.Node}: {Difference(parent, child)}");
        }

        // The ministry is the sum of the cities, cell for cell.
        var ministry = tree[NodeId.Parse("ministry")].Core!.Cells;
        foreach (var city in tree.Cities)
        {
            StoryBrokenException.Unless(ministry.DigestOf(city.Place.Node, Grain.National) == city.Core!.Cells.DigestOf(city.Place.Node, Grain.National), () => $"the ministry has other cells of {city.Place.Node}");
        }
    }

    /// <summary>How an edge stands and the first cells that differ, for whoever reads a failing seed.</summary>
    private static string Difference(SimulatedNode parent, SimulatedNode child)
    {
        var (above, below) = (parent.Core!, child.Core!);
        var differing = below.Cells.ChangedSince(Lsn.Zero, below.Sequencer.Applied)
            .Where(row => above.Cells.Find(row.Key) is not { } copy || copy.Revision != row.Revision || !copy.Value.Span.SequenceEqual(row.Value.Span))
            .Take(3).Select(row => $"{row.Key} {row.Revision} above {above.Cells.Find(row.Key)?.Revision}");
        var state = below.Uplink!.Standing.State;
        return $"phase {state.Phase}, cells {state.Cells.Phase} from {state.Cells.From.Lsn} acked {state.Cells.Acked.Lsn} of {below.Sequencer.Applied}, "
            + $"epoch {below.OwnEpoch}, row {above.Reception.Child(child.Place.Node)}, aside {string.Join("; ", above.Reception.Parked.Take(3))}, {string.Join("; ", differing)}";
    }

    private void CheckRecount()
    {
        foreach (var city in tree.Cities)
        {
            var core = city.Core!;
            var recount = Recount.OfJournal(() => core.Journal.ReadFrom(Lsn.Zero), core.Sequencer.Applied, city.Place.Node, city.Place.Division);
            var anew = new CellFold();
            foreach (var change in recount.Cells())
            {
                anew.Add(change, new Revision(1, 1), new Lsn(1));
            }

            foreach (var row in core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied))
            {
                var held = anew.Find(row.Key)?.Value ?? CellCodec.Zero.ToArray();
                StoryBrokenException.Unless(row.Value.Span.SequenceEqual(held.Span), () => $"{city.Place.Node} {row.Key} is {Convert.ToHexString(row.Value.Span)}, and counted again {Convert.ToHexString(held.Span)}");
            }

            StoryBrokenException.Unless(anew.Count <= core.Cells.Count, () => $"{city.Place.Node} lacks cells that a recount finds");
        }
    }

    private void CheckEscalations()
    {
        var ministry = tree[NodeId.Parse("ministry")].Core!;
        foreach (var city in tree.Cities)
        {
            var own = city.Core!.Escalations.Page(null, 10_000).Records.Where(r => r.Via is null).ToArray();
            foreach (var record in own.Where(r => r.Content.Grade is EmergencyGrade.Serious or EmergencyGrade.EspeciallySerious))
            {
                var above = ministry.Escalations.Find(record.Id);
                StoryBrokenException.Unless(above?.Content.Version == record.Content.Version, () => $"a serious escalation of {city.Place.Node} is not at the ministry in its newest version");
                StoryBrokenException.Unless(above!.Bytes.Span.SequenceEqual(record.Bytes.Span), () => $"the bytes of an escalation of {city.Place.Node} were changed on the way");
                StoryBrokenException.Unless(above.Hops.Length == 2, () => $"an escalation of {city.Place.Node} has {above.Hops.Length} hops, not 2");
            }
        }
    }
}
