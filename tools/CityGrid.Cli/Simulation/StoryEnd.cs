using System.Collections.Frozen;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Reception;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Node.Tally;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
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
internal sealed class StoryEnd(SimulatedTree tree)
{
    /// <summary>Nodes of which two histories took decisions at some time.</summary>
    public IReadOnlySet<NodeId> Forked { get; init; } = FrozenSet<NodeId>.Empty;

    public void Check()
    {
        CheckAcknowledged();
        CheckEdges();
        CheckRecount();
        CheckEscalations();
    }

    /// <summary>
    /// RULE-2, INV-4: what a node goes by is what stands in its journal, so a start changes nothing of it: where its lanes and those of its children stand, what it keeps aside, which
    /// escalations, orders, packages and open cases it has.
    /// </summary>
    public void CheckStarts()
    {
        foreach (var node in tree.Nodes.Values)
        {
            var before = StandingOf(node.Core!);
            node.Crash(powerCut: false);
            StoryBrokenException.Unless(node.Start(), () => $"{node.Place.Node} does not start on a sound disk");
            var after = StandingOf(node.Core!);
            StoryBrokenException.Unless(
                before.SequenceEqual(after), () => $"RULE-2: {node.Place.Node} went by {string.Join("; ", before.Except(after).Take(3))} before a start, and goes by {string.Join("; ", after.Except(before).Take(3))} after it");
        }
    }

    private static List<string> StandingOf(NodeCore core) =>
    [
        .. new[] { core.UplinkFold.Territorial, core.UplinkFold[ParentKind.Sector] }.SelectMany(parent => LinkWords.Lanes.Select(lane => $"{parent.Kind} {lane} {parent.ReceiptOf(lane, core.Journal.Incarnation).Mark} of {parent.Node} in {parent.Epoch}")),
        .. core.Reception.Children.SelectMany(row => LinkWords.Lanes.Select(lane => $"{row.Node} {lane} {row.Lane(lane).Mark} {row.Lane(lane).Cut} in {row.Epoch} of {row.Incarnation} {row.Quarantine} {row.Offer}")),
        .. core.Reception.Parked.Concat(core.Reception.Refused).Select(aside => $"aside {aside}"),
        $"{core.Cells.Count} cells with {core.OwnDigest().Digest}, {core.Escalations.Count} escalations, {core.Book.Open.Count} open cases",
        .. core.Orders.OrdersSince(Lsn.Zero, core.Sequencer.Applied).Select(order => $"order {order.Order?.Content.Id} at {order.Position} with {order.Receipts.Count} steps, {order.State}"),
        .. core.Packages.Packages.Select(package => $"package {package.Name} {package.Refusal?.Code}"),
    ];

    /// <summary>A row of another system comes for the case that its key names by now: whoever brings it looks before.</summary>
    private static CaseCommand AsBroughtAgain(NodeCore core, CaseCommand command) =>
        command is ImportCase row && core.Book.Keys.Find(row.Request!.KeyHash) is { } use ? row with { Case = use.Case, Seen = use } : command;

    /// <summary>INV-1, INV-7: a request that was answered ok is answered again as before, and changes nothing, whatever became of its node since.</summary>
    public void CheckRequests()
    {
        foreach (var node in tree.Cities)
        {
            foreach (var (command, version) in node.Acknowledged.Cases.OrderBy(a => a.Key).Select(a => a.Value).TakeLast(5))
            {
                var before = node.Core!.Sequencer.Applied;
                CaseAnswer? again = null;
                node.Do(core => core.Desk.Submit(AsBroughtAgain(core, command), answer => again = answer));
                StoryBrokenException.Unless(
                    again is { Refusal: null } && (again.Repeated || again.Unchanged) && (again.State is null || again.Version >= version) && node.Core!.Sequencer.Applied == before,
                    () => $"the request {command.Request?.Key} of {node.Place.Node} was answered with version {version}, and asked again {again}");
                tree.Sometimes.Reached("a request was answered again after a crash");
            }
        }
    }

    /// <summary>
    /// L16: in the end all ranges are equal; and where no record was ever kept aside or refused, none was taken for another one in the midst of it
    /// all, for then it is no difference that a comparison saw but its own mistake.
    /// </summary>
    public void CheckRanges()
    {
        var isPlain = tree.Nodes.Values.All(n => n.Core!.Reception is { ParkedInAll: 0, RefusedInAll: 0 });
        foreach (var (child, parent) in tree.Edges)
        {
            var ranges = parent.Core!.Reception.Ranges.Of(child.Place.Node);
            StoryBrokenException.Unless(
                ranges.Open.Keys.All(range => IsOfAnybody(range.Origin, child)) && (ranges.Scopes.Count > 0 || child.Core!.Cells.Count == 0)
                    && ranges.Scopes.All(s => s.Value.State == Protocol.V1.RangeState.Equal || IsOfAnybody(s.Key.Origin, child)),
                () => $"ranges of {ranges.Child} are not all equal at {parent.Place.Node}: {string.Join("; ", ranges.Scopes)}, {string.Join("; ", ranges.Open.Values)}");
            var rightly = ranges.Closed.Concat(ranges.Open.Values).Count(differing => IsKnownAboveAlone(differing.Range.Origin, parent));
            StoryBrokenException.Unless(!isPlain || ranges.FoundInAll <= rightly, () => $"ranges of {ranges.Child} were taken for other ones at {parent.Place.Node}: {string.Join("; ", ranges.Closed)}");
            tree.Sometimes.Reached("ranges were compared and equal");
        }
    }

    /// <summary>
    /// The origin went on as an old copy of itself, and who would have seen that below here had lost everything: what it had told before stands here still and nowhere else, and no word
    /// of it shows that until ranges are compared.
    /// </summary>
    private bool IsKnownAboveAlone(NodeId origin, SimulatedNode here)
    {
        if (!Forked.Contains(origin) || !tree.Nodes.TryGetValue(origin, out var node))
        {
            return false;
        }

        for (var between = tree.ParentOf(node); between is not null && between != here; between = tree.ParentOf(between))
        {
            if (between.Directories > 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>An origin that is no node of the tree at or below this one: a hostile child, or what it says lies below it, under whatever name, and its word is all that there is of that.</summary>
    private bool IsOfAnybody(NodeId origin, SimulatedNode at) => !tree.Stands(origin, at);

    private void CheckAcknowledged()
    {
        foreach (var node in tree.Cities)
        {
            foreach (var (id, (_, version)) in node.Acknowledged.Cases)
            {
                StoryBrokenException.Unless(node.Core!.Desk.Find(id)?.Version >= version, () => $"case {id} of {node.Place.Node} was acknowledged at version {version} and is not there");
            }
        }
    }

    private void CheckEdges()
    {
        foreach (var (child, parent) in tree.Edges)
        {
            var state = child.Core!.Uplink!.Standing.State;
            StoryBrokenException.Unless(IsEqual(child, parent), () => $"edge {parent.Place.Node} → {child.Place.Node}: {Difference(parent, child)}");
            StoryBrokenException.Unless(state.Lanes.All(lane => lane.Phase == LanePhase.Idle), () => $"edge {parent.Place.Node} → {child.Place.Node}: something is still under way");
        }

        // Every tier above an origin holds what the origin has, cell for cell, and nothing that counts of an origin that it does not have.
        foreach (var node in tree.Nodes.Values)
        {
            var above = tree.ParentOf(node);
            for (; above is not null; above = tree.ParentOf(above))
            {
                var own = Counting(node, node.Place.Node);
                var held = Counting(above, node.Place.Node);
                StoryBrokenException.Unless(own.SequenceEqual(held), () => $"{above.Place.Node} holds of {node.Place.Node} {string.Join("; ", held.Except(own).Take(3))}, the origin has {string.Join("; ", own.Except(held).Take(3))}");
            }
        }
    }

    /// <summary>Bit for bit; where somebody lies, in all that is everybody else's, for a liar need not say which cells are its own.</summary>
    private bool IsEqual(SimulatedNode child, SimulatedNode parent)
    {
        var (name, below, above) = (child.Place.Node, child.Core!, parent.Core!);
        return tree.Hostile is null
            ? above.DigestOfChild(name) == below.OwnDigest().Digest
            : EdgeDigest.Of(above.Cells, name, above.Cells.Origins.Where(origin => !IsOfAnybody(origin, child) && (origin == name || above.Reception.Origin(origin)?.Via == name)))
                == EdgeDigest.Of(below.Cells, name, below.Cells.Origins.Where(origin => !IsOfAnybody(origin, child)));
    }

    private static List<string> Counting(SimulatedNode at, NodeId origin) =>
    [
        .. at.Core!.Cells.ChangedSince(Lsn.Zero, at.Core.Sequencer.Applied)
            .Where(cell => cell.Key.Origin == origin && cell.Key.Grain == Grain.National && !CellCodec.IsZero(cell.Value.Span))
            .Select(cell => $"{cell.Key} {cell.Revision} {Convert.ToHexString(cell.Value.Span)}").Order(StringComparer.Ordinal),
    ];

    /// <summary>How an edge stands and the first cells that differ, for whoever reads a failing seed.</summary>
    public static string Difference(SimulatedNode parent, SimulatedNode child)
    {
        var (above, below) = (parent.Core!, child.Core!);
        var differing = below.Cells.ChangedSince(Lsn.Zero, below.Sequencer.Applied, (origin, grain) => origin == child.Place.Node || grain == Grain.National)
            .Where(row => above.Cells.Find(row.Key) is not { } copy || copy.Revision != row.Revision || !copy.Value.Span.SequenceEqual(row.Value.Span))
            .Take(3).Select(row => $"{row.Key} {row.Revision} above {above.Cells.Find(row.Key)?.Revision}");
        var more = above.Cells.ChangedSince(Lsn.Zero, above.Sequencer.Applied, (origin, _) => above.Reception.Origin(origin)?.Via == child.Place.Node)
            .Where(row => !CellCodec.IsZero(row.Value.Span) && below.Cells.Find(row.Key) is null)
            .Take(3).Select(row => $"{row.Key} {row.Revision} above alone");
        var state = below.Uplink!.Standing.State;
        return $"{below.Uplink!.Standing.LastError} phase {state.Phase}, cells {state.Cells.Phase} from {state.Cells.From.Lsn} acked {state.Cells.Acked.Lsn} of {below.Sequencer.Applied}, "
            + $"epoch {below.OwnEpoch}, aside {string.Join("; ", above.Reception.Parked.Take(3))}, {string.Join("; ", differing.Concat(more))}";
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

            foreach (var row in core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied, (origin, _) => origin == city.Place.Node))
            {
                var held = anew.Find(row.Key)?.Value ?? CellCodec.Zero.ToArray();
                StoryBrokenException.Unless(row.Value.Span.SequenceEqual(held.Span), () => $"{city.Place.Node} {row.Key} is {Convert.ToHexString(row.Value.Span)}, and counted again {Convert.ToHexString(held.Span)}");
            }

            StoryBrokenException.Unless(anew.Count <= core.Cells.Count, () => $"{city.Place.Node} lacks cells that a recount finds");
        }
    }

    /// <summary>What cannot wait is at every tier that must know: each version that its origin has, once, with the origin's bytes and a hop a tier.</summary>
    private void CheckEscalations()
    {
        foreach (var node in tree.Cities)
        {
            foreach (var record in node.Core!.Escalations.ChangedSince(Lsn.Zero, node.Core.Sequencer.Applied).Where(r => r.Via is null))
            {
                var (at, hops) = (node, 0);
                for (var carried = record; at.Core!.Reach.GoesUp(carried) && tree.ParentOf(at) is { } above; at = above)
                {
                    hops++;
                    var found = above.Core!.Escalations.VersionsOf(record.Id).SingleOrDefault(v => v.Content.Version == record.Content.Version);
                    StoryBrokenException.Unless(found is not null, () => $"version {record.Content.Version} of an escalation of {node.Place.Node} is not at {above.Place.Node}");
                    StoryBrokenException.Unless(
                        found!.Bytes.Span.SequenceEqual(record.Bytes.Span) || IsOfAnotherLife(node), () => $"the bytes of an escalation of {node.Place.Node} were changed on the way to {above.Place.Node}");
                    StoryBrokenException.Unless(found.Hops.Length == hops, () => $"an escalation of {node.Place.Node} has {found.Hops.Length} hops at {above.Place.Node}, not {hops}");
                    carried = found;
                }
            }
        }
    }

    /// <summary>A directory that went back in time may give a version anew that its earlier life had given; the first stays above (L9).</summary>
    private static bool IsOfAnotherLife(SimulatedNode node) => node.Directories > 0;
}
