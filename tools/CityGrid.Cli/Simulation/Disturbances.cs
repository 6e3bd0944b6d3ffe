using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// The faults of a story, step by step. Each possible one has a number and a random stream of its own, so that any can be left out and the others stay as they
/// were. Many lie in wait for a state of the protocol.
/// </summary>
internal sealed class Disturbances(SimulatedTree tree, StoryPlan plan, StoryWatch watch)
{
    private const int KindsMost = 32;
    private const int InputOutput = 5;
    private const int CopiesMax = 4;
    private const int LiesMost = 6;

    private static readonly EdgeState[] Awaited = [.. Enum.GetValues<EdgeState>().Where(s => s != EdgeState.AtRest && s != EdgeState.Quarantined)];

    private readonly Dictionary<NodeId, List<DirectoryCopy>> _copies = [];
    private readonly Dictionary<NodeId, int> _renewals = [];
    private readonly List<(ModelDisk Disk, SimulatedNode Node, int Until)> _full = [];

    /// <summary>The earliest position to which each node went back.</summary>
    private readonly Dictionary<NodeId, Lsn> _wentBackTo = [];

    /// <summary>Nodes whose directory a person must still open as a restored one.</summary>
    private readonly HashSet<NodeId> _toRenew = [];

    /// <summary>The numbers of what happened, in order: what a shrunk story may leave out.</summary>
    public List<int> Happened { get; } = [];

    /// <summary>Nodes of which two histories were live at some time; only they may be quarantined.</summary>
    public HashSet<NodeId> Doubled { get; } = [];

    /// <summary>Is told of a node that has started in another directory, before it has heard of anybody.</summary>
    public Action<SimulatedNode, SeededEntropy>? Replaced { get; init; }

    /// <summary>Nodes of which two histories took decisions at some time: as clones, as an old copy that went on under its old name, or as a copy of a life that was given up for an older one before.</summary>
    public HashSet<NodeId> Forked { get; } = [];

    public void Disturb(int step)
    {
        TakeCopies(step);
        Recover(step);
        foreach (var kind in plan.Faults)
        {
            var number = (step * KindsMost) + (int)kind;
            var random = plan.Stream("fault", number);
            if (random.OneIn(OneStepIn(kind)) && !plan.LeftOut.Contains(number))
            {
                Happened.Add(number);
                Begin(kind, random, step);
            }
        }
    }

    /// <summary>Everything is whole again: the weather, the ways, the disks, the clocks; a person has looked at what needs one.</summary>
    public void Heal()
    {
        tree.SpringAll();
        tree.Network.Clear();
        foreach (var clone in tree.Clones.ToArray())
        {
            StopClone(clone);
        }

        foreach (var node in tree.Nodes.Values)
        {
            node.Disk.Mend();
            node.Clock.SetRight();
            node.ProtocolNewest = ReceiverSettings.ProtocolMax;
            if (_toRenew.Contains(node.Place.Node))
            {
                Renew(node);
            }

            if (node.Core is null)
            {
                StoryBrokenException.Unless(node.Start(), () => $"{node.Place.Node} does not start on a sound disk");
            }
        }

        _toRenew.Clear();
        tree.Run(TimeSpan.FromMinutes(1));
        EndDoubts();
        foreach (var node in tree.Nodes.Values)
        {
            // Whoever put it right also started it anew: no pause of an earlier refusal is left.
            node.Crash(powerCut: false);
            node.Start();
        }
    }

    private static int OneStepIn(FaultKind kind) => kind switch
    {
        FaultKind.Kill or FaultKind.PowerCut or FaultKind.Snapshot or FaultKind.LateReplay => 4,
        FaultKind.Partition or FaultKind.HalfPartition or FaultKind.Clog or FaultKind.CrashInRecovery or FaultKind.ClockOff or FaultKind.DiskError => 6,
        FaultKind.Absence => 40,
        FaultKind.HostileChild => 2,
        _ => 9,
    };

    private void Begin(FaultKind kind, SeededEntropy random, int step)
    {
        var nodes = tree.Nodes.Values.ToArray();
        var node = nodes[random.Below(nodes.Length)];
        switch (kind)
        {
            case FaultKind.LateReplay:
                tree.Network.ReplayLate(random);
                break;
            case FaultKind.Partition or FaultKind.HalfPartition or FaultKind.Clog:
                Obstruct(kind, node, random);
                break;
            case FaultKind.Kill or FaultKind.PowerCut:
                Strike(kind, node, random, () => node.Crash(kind == FaultKind.PowerCut));
                break;
            case FaultKind.CrashInRecovery:
                CrashInRecovery(node, random);
                break;
            case FaultKind.Restore or FaultKind.OldCopy when node.Place.Parent is not null && !tree.ChildrenOf(node).Any():
                Strike(kind, node, random, () => GoBack(kind, node, random));
                break;
            case FaultKind.Clone when node.Place.Parent is not null && !tree.ChildrenOf(node).Any():
                Strike(kind, node, random, () => Double(node, random));
                break;
            case FaultKind.LostDirectory when node.Place.Parent is not null && !tree.ChildrenOf(node).Any():
                Strike(kind, node, random, () => Lose(node, random));
                break;
            case FaultKind.ParentRestored when tree.ChildrenOf(node).Any():
                StrikeAbove(kind, node, random, () => GoBack(kind, node, random));
                break;
            case FaultKind.ParentLost when tree.ChildrenOf(node).Any():
                StrikeAbove(kind, node, random, () => Lose(node, random));
                break;
            case FaultKind.FullDisk:
                var room = random.Below(30_000);
                Strike(kind, node, random, () =>
                {
                    node.Disk.SizeLimit = node.Disk.Files.Sum(file => (long)node.Disk.Bytes(file).Length) + room;
                    _full.Add((node.Disk, node, step + 1 + random.Below(4)));
                });
                break;
            case FaultKind.DiskError:
                var fault = random.Below(60);
                Strike(kind, node, random, () => node.Disk.Fail(new DiskFault(node.Disk.Operations + 1 + fault, InputOutput, TakesEffect: random.OneIn(3))));
                break;
            case FaultKind.ClockOff:
                node.Clock.Offset = TimeSpan.FromSeconds(random.Below(600) - 300);
                break;
            case FaultKind.ClockDaysOff:
                node.Clock.Offset = TimeSpan.FromMinutes(random.Below(2 * 3 * 1440) - (3 * 1440));
                break;
            case FaultKind.ClockDrift:
                node.Clock.RateOf1000 = 950 + random.Below(101);
                break;
            case FaultKind.Snapshot:
                node.Do(SaveSnapshot);
                break;
            case FaultKind.Absence when tree.ParentOf(node) is { } parent:
                tree.Network.Block(node.Place.Node, parent.Place.Node, TimeSpan.FromDays(30));
                tree.Network.Block(parent.Place.Node, node.Place.Node, TimeSpan.FromDays(30));
                tree.Sometimes.Reached("a node was cut off for 30 days");
                IsAway = true;
                break;
            case FaultKind.HostileChild:
                tree.Hostile?.Lie(random, LiesMost);
                break;
            case FaultKind.OldProgram when random.OneIn(3) || tree.ParentOf(node) is null:
                ChangeProgram(node);
                break;
            case FaultKind.OldProgram:
                tree.Wait(node, Awaited[random.Below(Awaited.Length)], () => ChangeProgram(node));
                break;
            default:
                break;
        }
    }

    /// <summary>Back to the program of before where the node has today's, and to today's where it has that.</summary>
    private void ChangeProgram(SimulatedNode node)
    {
        if (tree.Hostile?.Place.Parent?.Node == node.Place.Node)
        {
            // The protocol before has no signatures, and what a liar has to hear of them would not be said.
            return;
        }

        var isOld = node.ProtocolNewest < ReceiverSettings.ProtocolMax;
        if (isOld && tree.Nodes.Values.Any(other => other != node && other.ProtocolNewest < ReceiverSettings.ProtocolMax))
        {
            tree.Sometimes.Reached("a node was upgraded while others had the program of before");
        }

        node.Crash(powerCut: false);
        node.ProtocolNewest = isOld ? ReceiverSettings.ProtocolMax : ReceiverSettings.ProtocolMax - 1;
        node.Start();
        tree.Sometimes.Reached("a node was taken back to the program of before");
    }

    /// <summary>A node was cut off for a month in this step: the month has to pass.</summary>
    public bool IsAway { get; set; }

    /// <summary>Nodes that are down come up again, and full disks have room, each after a while.</summary>
    private void Recover(int step)
    {
        foreach (var (disk, node, _) in _full.Where(f => f.Until <= step))
        {
            disk.SizeLimit = long.MaxValue;
            if (node.Disk == disk && (node.Core is not null || node.Start()))
            {
                tree.Sometimes.Reached("a node was up again after a full disk");
            }
        }

        _full.RemoveAll(f => f.Until <= step);
        foreach (var (index, node) in tree.Nodes.Values.Concat(tree.Clones).ToArray().Index())
        {
            if (tree.Nodes[node.Place.Node] != node && !tree.Clones.Contains(node))
            {
                // A clone that a person stopped a moment ago, with its twin.
                continue;
            }

            var random = plan.Stream("start", (step * 64) + index);
            if (node.Core is null && random.OneIn(2))
            {
                node.Start();
            }

            if (_toRenew.Contains(node.Place.Node) && random.OneIn(6) && !tree.Clones.Contains(node))
            {
                EndDoubt(node);
            }
        }
    }

    /// <summary>A person sees that a directory is an old copy, or one of two: one is stopped, the other goes on as a restored one, and the child is released.</summary>
    private void EndDoubt(SimulatedNode node)
    {
        foreach (var clone in tree.Clones.Where(c => c.Place == node.Place).ToArray())
        {
            StopClone(clone);
        }

        if (Renew(node))
        {
            _toRenew.Remove(node.Place.Node);
            if (tree.ParentOf(node) is { Core: not null } parent)
            {
                Release(parent, node);
            }
        }
    }

    private void StopClone(SimulatedNode clone)
    {
        if (clone.Core?.Journal.Head is { } head)
        {
            tree[clone.Place.Node].Hear(core =>
            {
                if (core.Journal.ChainHashAt(head.Lsn) != head.ChainHash)
                {
                    tree.Sometimes.Reached("a clone wrote what its twin did not");
                }
            });
        }

        clone.Crash(powerCut: false);
        tree.Clones.Remove(clone);
    }

    private bool Renew(SimulatedNode node)
    {
        node.Crash(powerCut: false);
        try
        {
            node.Renew();
        }
        catch (IOException)
        {
            // The disk failed it; the person tries again another time. Until then the copy may go on under the name that it had.
            Forked.Add(node.Place.Node);
            return false;
        }

        _renewals[node.Place.Node] = _renewals.GetValueOrDefault(node.Place.Node) + 1;
        if (_renewals[node.Place.Node] > 1)
        {
            tree.Sometimes.Reached("a node was renewed twice");
        }

        node.Start();
        return true;
    }

    /// <summary>
    /// What a clone had sent may take office after its twin was put right: the person who then sees a child fenced or quarantined opens it as a restored one once
    /// more. No child is quarantined that never had two histories; one may hear an old hello of its own refused, and asks again.
    /// </summary>
    private void EndDoubts()
    {
        foreach (var (child, parent) in tree.Edges)
        {
            var quarantine = parent.Core?.Reception.Child(child.Place.Node)?.Quarantine?.Reason;
            var error = child.Core?.Uplink?.Standing.LastError ?? string.Empty;
            StoryBrokenException.Unless(quarantine is null || Doubled.Contains(child.Place.Node), () => $"{child.Place.Node} was quarantined though it never had two histories: {quarantine}");
            var isRefused = error.Contains("FENCED", StringComparison.Ordinal) || error.Contains("EPOCH_REGRESSION", StringComparison.Ordinal);
            if (quarantine is not null || (isRefused && Doubled.Contains(child.Place.Node)))
            {
                Renew(child);
                Release(parent, child);
            }
        }
    }

    private void Release(SimulatedNode parent, SimulatedNode child) => parent.Do(core => core.Sequencer.Submit(core.ReceptionDesk.Release(child.Place.Node, "officer"), released =>
    {
        if (released)
        {
            tree.Sometimes.Reached("a person released a quarantined child");
        }
    }));

    /// <summary>Strikes at once, or when the edge above the node is next in the state drawn.</summary>
    private void Strike(FaultKind kind, SimulatedNode node, SeededEntropy random, Action act)
    {
        if (tree.ParentOf(node) is not { } parent)
        {
            act();
            return;
        }

        void Now()
        {
            tree.Sometimes.Strikes(kind, node, parent);
            NoteLanes(kind, node);
            act();
        }

        if (random.OneIn(4))
        {
            Now();
        }
        else
        {
            tree.Wait(node, Awaited[random.Below(Awaited.Length)], Now);
        }
    }

    /// <summary>The same for a node and the edge to one of its children.</summary>
    private void StrikeAbove(FaultKind kind, SimulatedNode node, SeededEntropy random, Action act)
    {
        var children = tree.ChildrenOf(node).ToArray();
        var child = children[random.Below(children.Length)];
        void Now()
        {
            tree.Sometimes.Strikes(kind, child, node);
            NoteLanes(kind, node);
            act();
        }

        if (random.OneIn(4))
        {
            Now();
        }
        else
        {
            tree.Wait(child, Awaited[random.Below(Awaited.Length)], Now);
        }
    }

    /// <summary>What of orders, receipts and packages is at a node that dies now.</summary>
    private void NoteLanes(FaultKind kind, SimulatedNode node)
    {
        if (node.Core is not { Orders: var orders } core || kind is FaultKind.Clone or FaultKind.FullDisk or FaultKind.DiskError)
        {
            return;
        }

        if (orders.Orders.Any(order => !order.IsIssuedHere && order.Target != node.Place.Division && orders.Find(order.Id)!.Receipts.Count == 0))
        {
            tree.Sometimes.Reached("a node died while an order waited there to go further down");
        }

        if (tree.ParentOf(node)?.Core is { Orders: var above }
            && orders.ReceiptsSince(Lsn.Zero, core.Sequencer.Applied).Any(r => r.Content.Issuer != node.Place.Node.ToString() && above.Find(r.Order)?.Receipts.Any(told => told.Content.Step == r.Content.Step) != true))
        {
            tree.Sometimes.Reached("a node died while a receipt waited there to go further up");
        }

        if (node.Lines.Values.Any(line => line.HasHalfPackage))
        {
            tree.Sometimes.Reached("a node died with half a package");
        }
    }

    private void Obstruct(FaultKind kind, SimulatedNode node, SeededEntropy random)
    {
        if (tree.ParentOf(node) is not { } parent)
        {
            return;
        }

        var (from, to) = random.OneIn(2) ? (node.Place.Node, parent.Place.Node) : (parent.Place.Node, node.Place.Node);
        var span = TimeSpan.FromSeconds(5 + random.Below(random.OneIn(3) ? 20_000 : 600));
        if (kind == FaultKind.Clog)
        {
            tree.Network.Clog(from, to, span);
            return;
        }

        tree.Network.Block(from, to, span);
        if (kind == FaultKind.Partition)
        {
            tree.Network.Block(to, from, span);
        }
    }

    private void CrashInRecovery(SimulatedNode node, SeededEntropy random)
    {
        node.Crash(random.OneIn(2));
        for (var i = 1 + random.Below(3); i > 0; i--)
        {
            node.Disk.Fail(new DiskFault(node.Disk.Operations + 1 + random.Below(40), InputOutput, TakesEffect: random.OneIn(2)));
            if (node.Start())
            {
                return;
            }

            tree.Sometimes.Reached("a process died while it recovered");
            if (random.OneIn(2))
            {
                node.Disk.Cut(random);
            }
        }
    }

    private void SaveSnapshot(Node.NodeCore core)
    {
        try
        {
            core.SaveSnapshot();
        }
        catch (Hub.Journal.DiskFullException)
        {
            tree.Sometimes.Reached("a snapshot found no room");
        }
    }

    private void TakeCopies(int step)
    {
        foreach (var (index, node) in tree.Nodes.Values.Index())
        {
            var random = plan.Stream("copy", (step * 64) + index);
            if (random.OneIn(8) && node.Core is not null && !_toRenew.Contains(node.Place.Node))
            {
                var copies = _copies.TryGetValue(node.Place.Node, out var known) ? known : _copies[node.Place.Node] = [];
                copies.Add(node.TakeCopy(random));
                if (copies.Count > CopiesMax)
                {
                    copies.RemoveAt(0);
                }
            }
        }
    }

    private void GoBack(FaultKind kind, SimulatedNode node, SeededEntropy random)
    {
        if (!_copies.TryGetValue(node.Place.Node, out var copies) || _toRenew.Contains(node.Place.Node))
        {
            return;
        }

        var copy = copies[random.Below(copies.Count)];
        if (!MayForget(node, copy.LastEpoch, copy.ChildEpochs) || copy.Ends.Any(end => IsForgotten(node, end)))
        {
            return;
        }

        var wentBack = _wentBackTo.TryGetValue(node.Place.Node, out var earliest);
        if (wentBack && copy.At.Directories < node.Directories && copy.At.Head > earliest)
        {
            Forked.Add(node.Place.Node);
        }

        _wentBackTo[node.Place.Node] = wentBack && earliest < copy.At.Head ? earliest : copy.At.Head;
        node.Crash(powerCut: true);
        node.Replace(copy.Disk.Copy(), copy.Acknowledged);
        Doubled.Add(node.Place.Node);
        watch.Doubt(node);
        if (kind == FaultKind.OldCopy)
        {
            _toRenew.Add(node.Place.Node);
            Forked.Add(node.Place.Node);
            node.Start();
        }
        else if (Renew(node))
        {
            Replaced?.Invoke(node, random);
        }
    }

    /// <summary>
    /// Whether a place lost an end of its order with its directory, so that it may have decided again: a copy of somebody above that brings the first one back makes two of it, which no protocol
    /// mends (see INV-13 in docs/invariants.md).
    /// </summary>
    private bool IsForgotten(SimulatedNode above, OrderEnd end) =>
        tree.Nodes.Values.Single(node => node.Place.Division == end.Target) is var place && place != above && place.Directories > 0
        && !(place.Core?.Orders.Find(end.Order) is { HasEnded: true } known && known.Receipts[^1].Bytes.Span.SequenceEqual(end.Bytes.Span));

    private void Lose(SimulatedNode node, SeededEntropy random)
    {
        if (!_toRenew.Contains(node.Place.Node) && MayForget(node, 0, []))
        {
            node.Crash(powerCut: true);
            node.Replace(new ModelDisk());
            _wentBackTo[node.Place.Node] = Lsn.Zero;
            node.Start();
            Replaced?.Invoke(node, random);
        }
    }

    private void Double(SimulatedNode node, SeededEntropy random)
    {
        if (node.Core is { } core && !_toRenew.Contains(node.Place.Node) && core.OwnEpoch.IsGranted)
        {
            watch.Look();
            var clone = tree.AddClone(node, node.Disk.AfterCut(random));
            _toRenew.Add(node.Place.Node);
            Doubled.Add(node.Place.Node);
            Forked.Add(node.Place.Node);
            watch.Doubt(node);
            clone.Start();
        }
    }

    /// <summary>
    /// The greatest epoch number of a child must be known to the child or to its parent: where both lose it at once, the parent grants it again, and what the lost
    /// child had stays above (see INV-21 in docs/invariants.md).
    /// </summary>
    private bool MayForget(SimulatedNode node, long lastEpoch, Dictionary<NodeId, long> childEpochs)
    {
        watch.Look();
        if (tree.ParentOf(node) is { } parent)
        {
            if (parent.Core is null || KnownBy(parent, node) < watch.GreatestEpochOf(node.Place.Node))
            {
                return false;
            }
        }

        return tree.ChildrenOf(node).All(child =>
            child.Core is { } core && !_toRenew.Contains(child.Place.Node)
            && Math.Max(core.UplinkFold.RevisionEpoch, childEpochs.GetValueOrDefault(child.Place.Node)) >= watch.GreatestEpochOf(child.Place.Node));

        long KnownBy(SimulatedNode above, SimulatedNode below) =>
            Math.Max(lastEpoch, above.Core!.Reception.Child(below.Place.Node) is { } row ? SimulatedNode.KnownEpoch(row) : 0);
    }
}
