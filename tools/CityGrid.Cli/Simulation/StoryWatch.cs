using CityGrid.Hub.Reception;
using CityGrid.Node;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// What must hold at every moment of a story (INV-7, 8, 9, 11, 21): looked at after each step, and never by asking the code that is on trial for more than what
/// it holds.
/// </summary>
internal sealed class StoryWatch(SimulatedTree tree)
{
    private readonly Dictionary<NodeId, Seen> _seen = [];
    private readonly Dictionary<(int Directory, NodeId Child, Incarnation Incarnation, Epoch Epoch, Lane Lane, long Lsn), Hash256> _applied = [];
    private readonly Dictionary<(NodeId Parent, NodeId Child), (int Directory, Epoch Epoch, Incarnation Incarnation)> _office = [];
    private readonly Dictionary<NodeId, long> _epochs = [];
    private readonly Dictionary<NodeId, long> _doubtful = [];
    private readonly Dictionary<(NodeId Child, Lane Lane), ((NodeId Node, int Directory) Parent, Incarnation Incarnation, Epoch Epoch, StreamMark Mark)> _marks = [];

    /// <summary>The greatest epoch number that a node was ever granted.</summary>
    public long GreatestEpochOf(NodeId node) => _epochs.GetValueOrDefault(node);

    /// <summary>
    /// From now on two histories of a node may speak in its epoch. What came of a cut in several parts that one of them had begun is told by nobody until a new
    /// epoch makes its whole state anew (L12).
    /// </summary>
    public void Doubt(SimulatedNode node) => _doubtful[node.Place.Node] = GreatestEpochOf(node.Place.Node);

    public void Look()
    {
        foreach (var node in tree.Nodes.Values.Where(n => n.Core is not null))
        {
            Look(node, node.Core!);
        }

        foreach (var (child, parent) in tree.Edges.Where(e => e.Parent.Core is not null))
        {
            if (parent.Core!.Reception.Child(child.Place.Node) is { } row)
            {
                Look(child, parent, row);
            }
        }
    }

    private void Look(SimulatedNode node, NodeCore core)
    {
        var name = node.Place.Node;
        if (!_seen.TryGetValue(name, out var seen) || seen.Directory != node.Directories)
        {
            _seen[name] = seen = new Seen(node.Directories);
        }

        // After a start everything is looked at, for what a recovery lost has changed nothing since.
        var from = seen.Life == node.Life ? seen.To : Lsn.Zero;
        foreach (var row in core.Cells.ChangedSince(from, core.Sequencer.Applied))
        {
            // What a person's word let go of is as if it had never come (L13).
            StoryBrokenException.Unless(
                !seen.Cells.TryGetValue(row.Key, out var before) || row.Revision.CompareTo(before) >= 0 || tree.Names.WasGiven(node, row.Key.Origin), () => $"INV-9: {row.Key} at {name} went from {before} back to {row.Revision}");
            seen.Cells[row.Key] = row.Revision;
            if (from != Lsn.Zero && CellCodec.IsZero(row.Value.Span))
            {
                tree.Sometimes.Reached("a cell fell to zero");
            }
        }

        StoryBrokenException.Unless(core.Cells.Count >= seen.Count, () => $"INV-9: {name} had {seen.Count} cells and has {core.Cells.Count}");
        foreach (var record in core.Escalations.ChangedSince(from, core.Sequencer.Applied))
        {
            var newest = core.Escalations.Find(record.Id)!.Content.Version;
            StoryBrokenException.Unless(newest >= seen.Versions.GetValueOrDefault(record.Id), () => $"INV-9: the version of an escalation fell at {name}");
            seen.Versions[record.Id] = newest;
        }

        foreach (var origin in core.Reception.Origins)
        {
            var stated = (origin.Watermark.Epoch.Number, origin.Watermark.Lsn.Value);
            var place = (origin.Watermark.Origin, origin.Watermark.Division);
            StoryBrokenException.Unless(
                stated.CompareTo(seen.Statements.GetValueOrDefault(place)) >= 0, () => $"INV-9: the statement of {origin.Watermark.Origin} at {name} went back to {stated}");
            seen.Statements[place] = stated;
        }

        StoryBrokenException.Unless(seen.Life == node.Life || seen.To <= core.Sequencer.Applied, () => $"INV-1: {name} stood at {seen.To} and recovered to {core.Sequencer.Applied}");
        (seen.Life, seen.To, seen.Count) = (node.Life, core.Sequencer.Applied, core.Cells.Count);
        tree.Hash.AddHead(core.Journal.Head.Lsn, core.Journal.Head.ChainHash);
    }

    private void Look(SimulatedNode child, SimulatedNode parent, ChildRow row)
    {
        var name = child.Place.Node;
        _epochs[name] = Math.Max(GreatestEpochOf(name), Math.Max(row.Epoch.Number, child.Core?.UplinkFold.RevisionEpoch ?? 0));
        foreach (var lane in LinkWords.Lanes)
        {
            // INV-8: of one stream one history is taken, whoever speaks in it; a parent that has lost its directory begins anew.
            var mark = row.Lane(lane).Mark;
            var key = (parent.Directories, name, row.Incarnation, row.Epoch, lane, mark.Lsn.Value);
            StoryBrokenException.Unless(!_applied.TryGetValue(key, out var chain) || chain == mark.ChainHash, () => $"INV-8: {parent.Place.Node} took two histories of {name} at {mark.Lsn}");
            _applied[key] = mark.ChainHash;
            LookAtHistory(child, parent, row, lane);
        }

        // RULE-8: another directory comes into office with a greater epoch only.
        if (_office.TryGetValue((parent.Place.Node, name), out var before) && before.Directory == parent.Directories)
        {
            StoryBrokenException.Unless(
                row.Epoch.Number > before.Epoch.Number || (row.Epoch == before.Epoch && row.Incarnation == before.Incarnation),
                () => $"RULE-8: {name} was in office at {parent.Place.Node} with {before.Epoch}, and is with {row.Epoch}");
        }

        _office[(parent.Place.Node, name)] = (parent.Directories, row.Epoch, row.Incarnation);
        LookAtReceipts(child, parent, row);
        LookAtPrefix(child, parent, row);
    }

    /// <summary>
    /// INV-8: while two histories of a node are live, whoever speaks now is the one who spoke before; to a parent that has lost its directory since, nobody has.
    /// </summary>
    private void LookAtHistory(SimulatedNode child, SimulatedNode parent, ChildRow row, Lane lane)
    {
        var (name, mark) = (child.Place.Node, row.Lane(lane).Mark);
        var before = _marks.GetValueOrDefault((name, lane));
        var heardBy = (parent.Place.Node, parent.Directories);
        _marks[(name, lane)] = (heardBy, row.Incarnation, row.Epoch, mark);
        if (before.Mark.IsStart || mark == before.Mark || (before.Parent, before.Incarnation, before.Epoch) != (heardBy, row.Incarnation, row.Epoch) || !_doubtful.ContainsKey(name))
        {
            return;
        }

        var (speaks, spoke) = (false, false);
        foreach (var twin in tree.Clones.Where(c => c.Place == child.Place).Append(child).ToArray())
        {
            twin.Hear(core =>
            {
                if (core.Journal.Incarnation == row.Incarnation)
                {
                    // Both are read before either counts: a disk that fails here ends the process, and nothing is known of its history.
                    var (now, then) = (core.Journal.ChainHashAt(mark.Lsn), core.Journal.ChainHashAt(before.Mark.Lsn));
                    speaks |= now == mark.ChainHash;
                    spoke |= now == mark.ChainHash && (then is null || then == before.Mark.ChainHash);
                }
            });
        }

        StoryBrokenException.Unless(!speaks || spoke, () => $"INV-8: {parent.Place.Node} took {name} at {before.Mark.Lsn} from one history and at {mark.Lsn} from another");
    }

    /// <summary>INV-7: who holds a receipt, holds it for what is durable at the parent. Where a person gave a name there, a child may have been asked for everything again.</summary>
    private void LookAtReceipts(SimulatedNode child, SimulatedNode parent, ChildRow row)
    {
        if (child.Core is not { Uplink: { } uplink } core || parent.Directories > 0 || core.OwnEpoch != row.Epoch || core.Journal.Incarnation != row.Incarnation)
        {
            return;
        }

        foreach (var lane in uplink.Standing.State.Lanes)
        {
            StoryBrokenException.Unless(
                lane.Acked.Lsn <= row.Lane(lane.Lane).Mark.Lsn || tree.Names.HasSpoken(parent),
                () => $"INV-7: {child.Place.Node} holds a receipt of {lane.Lane} to {lane.Acked.Lsn}, its parent stands at {row.Lane(lane.Lane).Mark.Lsn}");
        }
    }

    /// <summary>INV-11: where the parent stands at the end of a cut that carried the child's statement, its copy is what the child had there.</summary>
    private void LookAtPrefix(SimulatedNode child, SimulatedNode parent, ChildRow row)
    {
        var core = parent.Core!;
        var name = child.Place.Node;
        if (row.Epoch.Number > _doubtful.GetValueOrDefault(name) && row.Cells.Cut is null && core.Reception.Origin(name) is { } origin && origin.Watermark.Lsn == row.Cells.Mark.Lsn && origin.Watermark.Epoch == row.Epoch
            && core.Reception.Parked.Concat(core.Reception.Refused).All(a => a.Child != name))
        {
            StoryBrokenException.Unless(
                core.Cells.DigestOf(name, Grain.National) == origin.Watermark.Digest, () => $"INV-11: at {row.Cells.Mark.Lsn} {parent.Place.Node} does not hold what {name} had there: {StoryEnd.Difference(parent, child)}");
        }
    }

    private sealed class Seen(int directory)
    {
        public int Directory { get; } = directory;

        public int Life { get; set; } = -1;

        public Lsn To { get; set; }

        public long Count { get; set; }

        public Dictionary<CellKey, Revision> Cells { get; } = [];

        public Dictionary<UInt128, int> Versions { get; } = [];

        public Dictionary<(NodeId Origin, DivisionCode Division), (long Epoch, long Lsn)> Statements { get; } = [];
    }
}
