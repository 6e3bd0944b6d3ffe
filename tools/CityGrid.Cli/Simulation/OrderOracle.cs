using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// What must hold of orders and of what became of them (INV-1, 7, 8, 13): at each step what is known at the nodes is held against what others know, at the end every
/// journal is read by itself. <paramref name="forked"/> are the nodes of which two histories took decisions at some time, as clones or as an old copy under its old name: of two decisions
/// of such a place the one that was heard above first stands, and it learns that only with its next life.
/// </summary>
internal sealed class OrderOracle(SimulatedTree tree, IReadOnlySet<NodeId> forked)
{
    private readonly Dictionary<NodeId, Seen> _seen = [];

    /// <summary>By child, at which cursor in which life of the two it was looked at last.</summary>
    private readonly Dictionary<NodeId, (int Parent, int Child, Lsn To)> _cursors = [];

    /// <summary>At any moment.</summary>
    public void Look()
    {
        foreach (var node in tree.Nodes.Values.Where(n => n.Core is not null))
        {
            LookAt(node, node.Core!.Orders);
        }

        foreach (var (child, parent) in tree.Edges.Where(e => e.Parent.Core is not null && e.Child.Core is not null))
        {
            LookAtReceipts(child, parent);
            LookAtCursor(child, parent);
        }

        LookAtEnds();
    }

    /// <summary>Once all is healed and has come to rest.</summary>
    public void Check()
    {
        foreach (var node in tree.Nodes.Values)
        {
            CheckAcknowledged(node);
            var twice = node.Core!.Reception.Refused.FirstOrDefault(aside => aside.Lane == Lane.Alarms && aside.Verdict.Code == RecordJudge.DecidedTwice);
            StoryBrokenException.Unless(twice is null || forked.Count > 0 || tree.Hostile is not null, () => $"INV-13: nobody had two histories, and {node.Place.Node} was told by {twice!.Child}: {twice.Verdict.Message}");
        }

        foreach (var (id, order) in All())
        {
            CheckWay(id, order);
        }
    }

    /// <summary>Once everybody has answered what was open: each order has its one end wherever it is known, and the journals say the same.</summary>
    public void CheckEnds()
    {
        foreach (var node in tree.Nodes.Values)
        {
            CheckJournal(node);
            var open = node.Core!.Orders.Orders.FirstOrDefault(order => !node.Core.Orders.Find(order.Id)!.HasEnded);
            StoryBrokenException.Unless(open is null, () => $"INV-13: {Told(open!.Id)} has no end at {node.Place.Node}");
        }
    }

    /// <summary>INV-1, INV-7: who asks again has the same answer, and nothing changes.</summary>
    public void CheckRequests()
    {
        foreach (var node in tree.Nodes.Values)
        {
            foreach (var (id, wish) in node.Acknowledged.Orders.OrderBy(a => a.Key).TakeLast(5))
            {
                var before = node.Core!.Sequencer.Applied;
                OrderAnswer? again = null;
                node.Do(core => core.Sequencer.Submit(core.OrderDesk.Issue(wish, "head"), answer => again = answer));
                StoryBrokenException.Unless(
                    again is { Refusal: null, Repeated: true } && again.Id == id && node.Core!.Sequencer.Applied == before, () => $"INV-7: {node.Place.Node} was asked again for {OrderId.Shown(id)} and answered {again}");
            }
        }
    }

    private static string Told(UInt128 id) => $"order {OrderId.Shown(id)}";

    /// <summary>A fork at the place that decides, or above it where its receipts passed.</summary>
    private bool IsForked(OrderRecord order) => forked.Contains(TargetOf(order).Place.Node);

    private SimulatedNode TargetOf(OrderRecord order) => tree.Nodes.Values.Single(node => node.Place.Division == order.Target);

    private SortedDictionary<UInt128, OrderRecord> All()
    {
        var all = new SortedDictionary<UInt128, OrderRecord>();
        foreach (var order in tree.Nodes.Values.SelectMany(node => node.Core!.Orders.Orders))
        {
            all.TryAdd(order.Id, order);
        }

        return all;
    }

    /// <summary>INV-1, INV-13: as long as a directory lives, what it knows it goes on knowing, and what has ended there stays as it ended.</summary>
    private void LookAt(SimulatedNode node, OrderFold orders)
    {
        if (!_seen.TryGetValue(node.Place.Node, out var seen) || seen.Directory != node.Directories)
        {
            _seen[node.Place.Node] = seen = new Seen(node.Directories);
        }

        foreach (var (id, receipts) in seen.Known)
        {
            StoryBrokenException.Unless(orders.Find(id)?.Order is not null, () => $"INV-1: {Told(id)} was at {node.Place.Node} and is no more");
            if (receipts is not null)
            {
                var now = orders.Find(id)!;
                StoryBrokenException.Unless(IsForked(now.Order!) || Same(receipts, BytesOf(now)), () => $"INV-13: {Told(id)} had ended at {node.Place.Node}, and has changed to {now.State}");
            }
        }

        foreach (var order in orders.Orders)
        {
            var standing = orders.Find(order.Id)!;
            seen.Known[order.Id] = standing.HasEnded ? BytesOf(standing) : null;
        }
    }

    /// <summary>INV-8: what the child's cursor says that it has of its parent's orders, it has.</summary>
    private void LookAtCursor(SimulatedNode child, SimulatedNode parent)
    {
        Hash256? Chain(Lsn lsn)
        {
            Hash256? hash = null;
            parent.Hear(core => hash = core.Journal.ChainHashAt(lsn));
            return hash;
        }

        var (above, below) = (parent.Core!, child.Core!);
        var (journal, mark) = below.Orders.AppliedBy(below.Journal.Incarnation);
        var at = (parent.Life, child.Life, mark.Lsn);
        if (journal != above.Journal.Incarnation || mark.IsStart || _cursors.GetValueOrDefault(child.Place.Node) == at)
        {
            return;
        }

        _cursors[child.Place.Node] = at;

        if (Chain(mark.Lsn) != mark.ChainHash)
        {
            // A disk that fails here ends the process, and nothing is known of its history.
            StoryBrokenException.Unless(parent.Directories > 0 || parent.Core is null, () => $"INV-1: {child.Place.Node} took orders of {parent.Place.Node} to {mark.Lsn}, and there is another history now");
            return;
        }

        foreach (var standing in above.Orders.OrdersSince(Lsn.Zero, mark.Lsn).Where(s => above.RegisterNow.IsAtOrBelow(s.Order!.Target, child.Place.Division)))
        {
            StoryBrokenException.Unless(
                below.Orders.Find(standing.Order!.Id)?.Order is not null, () => $"INV-8: {child.Place.Node} took the orders of {parent.Place.Node} to {mark.Lsn}, and lacks {Told(standing.Order.Id)} of {standing.Position}");
        }
    }

    /// <summary>INV-7: what a parent has been told by its child is durable there, and what a child was ordered is durable above.</summary>
    private void LookAtReceipts(SimulatedNode child, SimulatedNode parent)
    {
        foreach (var order in parent.Core!.Orders.Orders.Where(_ => child.Directories == 0 && !forked.Contains(child.Place.Node)))
        {
            foreach (var receipt in parent.Core.Orders.Find(order.Id)!.Receipts.Where(r => r.Via == child.Place.Node))
            {
                StoryBrokenException.Unless(
                    child.Core!.Orders.Find(order.Id)?.Receipts.Any(r => r.Bytes.Span.SequenceEqual(receipt.Bytes.Span)) == true,
                    () => $"INV-7: {parent.Place.Node} heard of {child.Place.Node} that {Told(order.Id)} is {receipt.Content.State}, and that is not there");
            }
        }

        foreach (var order in child.Core!.Orders.Orders.Where(order => parent.Directories == 0 && !order.IsIssuedHere))
        {
            StoryBrokenException.Unless(parent.Core.Orders.Find(order.Id)?.Order is not null, () => $"INV-7: {child.Place.Node} has {Told(order.Id)}, which is not at {parent.Place.Node}");
        }
    }

    /// <summary>INV-13: nobody shows another end than somebody else.</summary>
    private void LookAtEnds()
    {
        var ends = new Dictionary<UInt128, (NodeId Node, OrderReceiptRecord End)>();
        foreach (var node in tree.Nodes.Values.Where(n => n.Core is not null))
        {
            foreach (var order in node.Core!.Orders.Orders)
            {
                if (node.Core.Orders.Find(order.Id) is { HasEnded: true } standing && !IsForked(order))
                {
                    var end = standing.Receipts[^1];
                    if (!ends.TryAdd(order.Id, (node.Place.Node, end)))
                    {
                        var other = ends[order.Id];
                        StoryBrokenException.Unless(
                            other.End.Bytes.Span.SequenceEqual(end.Bytes.Span), () => $"INV-13: {Told(order.Id)} is {other.End.Content.State} at {other.Node} and {end.Content.State} at {node.Place.Node}");
                    }
                }
            }
        }
    }

    private void CheckAcknowledged(SimulatedNode node)
    {
        var orders = node.Core!.Orders;
        foreach (var id in node.Acknowledged.Orders.Keys)
        {
            StoryBrokenException.Unless(orders.Find(id)?.Order is { IsIssuedHere: true }, () => $"INV-1: {node.Place.Node} acknowledged {Told(id)}, and it is not there");
        }

        foreach (var ((id, state), text) in node.Acknowledged.Steps.Where(_ => !forked.Contains(node.Place.Node)))
        {
            StoryBrokenException.Unless(
                orders.Find(id)?.Receipts.Any(r => r.Content.State == state && r.Content.Text == text) == true, () => $"INV-1: a person at {node.Place.Node} was told that {Told(id)} is {state}, and it is not");
        }
    }

    /// <summary>From its issuer down to its place every node knows the order, bit for bit, and the same of what became of it; and nobody beside the way knows it.</summary>
    private void CheckWay(UInt128 id, OrderRecord order)
    {
        var (issuer, target) = (tree[NodeId.Parse(order.Content.Issuer)], TargetOf(order));
        var way = new List<SimulatedNode>();
        for (var at = target; at is not null; at = at == issuer ? null : tree.ParentOf(at))
        {
            way.Add(at);
        }

        var there = target.Core!.Orders.Find(id);
        foreach (var node in tree.Nodes.Values)
        {
            var known = node.Core!.Orders.Find(id);
            if (!way.Contains(node))
            {
                StoryBrokenException.Unless(known is null, () => $"INV-14: {Told(id)} for {target.Place.Node} came to {node.Place.Node}");
                continue;
            }

            StoryBrokenException.Unless(known?.Order is not null, () => $"INV-13: {Told(id)} of {issuer.Place.Node} for {target.Place.Node} is not at {node.Place.Node}");
            StoryBrokenException.Unless(known!.Order!.Bytes.Span.SequenceEqual(order.Bytes.Span) || IsIssuedAgain(issuer, known.Order, order), () => $"INV-13: the bytes of {Told(id)} are other ones at {node.Place.Node}");
            StoryBrokenException.Unless(known.Order.Signature is not null, () => $"INV-14: {Told(id)} has lost its signature at {node.Place.Node}");
            StoryBrokenException.Unless(
                known.Receipts.Count > 0 && Same(BytesOf(known), BytesOf(there!)), () => $"INV-13: {Told(id)} of {issuer.Place.Node} is {Steps(known)} at {node.Place.Node} and {Steps(there!)} at {target.Place.Node}");
        }

        var decided = there!.Receipts.Select(r => r.Content).ToArray();
        StoryBrokenException.Unless(decided.SkipLast(1).All(r => r.State < OrderState.Answered), () => $"INV-13: {Told(id)} went on after its end: {Steps(there)}");
        StoryBrokenException.Unless(decided.All(r => r.Code.Length == 0 || r.Code == OrderJudge.NothingToCancel), () => $"INV-14: {Told(id)} was refused {decided[^1].Code} by {decided[^1].Node}");
        StoryBrokenException.Unless(decided.All(r => r.Node == target.Place.Node.ToString()), () => $"INV-14: on {Told(id)} for {target.Place.Node} decided {decided[^1].Node}");
        if (order.Content.Kind == OrderKind.Cancel && there.State == OrderState.Answered && !IsForked(order))
        {
            var taken = target.Core.Orders.Find(OrderId.Of(order.Content.Subject));
            StoryBrokenException.Unless(taken?.State == OrderState.Cancelled, () => $"O4: {Told(id)} took back {Told(OrderId.Of(order.Content.Subject))}, which is {taken?.State}");
        }
    }

    /// <summary>An issuer that has forgotten it, and was asked again with the same key before it heard of it from below, made it anew: the same order, of another moment.</summary>
    private static bool IsIssuedAgain(SimulatedNode issuer, OrderRecord one, OrderRecord other)
    {
        var same = one.Content.Clone();
        same.IssuedAt = other.Content.IssuedAt;
        return issuer.Directories > 0 && same.Equals(other.Content);
    }

    /// <summary>RULE-6, INV-13: a journal, read by itself, takes each step of an order once and decides nothing after an end that it knows.</summary>
    private void CheckJournal(SimulatedNode node)
    {
        var steps = new HashSet<(UInt128, int)>();
        var ended = new HashSet<UInt128>();
        var issued = new HashSet<UInt128>();
        foreach (var one in node.Core!.Journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events))
        {
            switch (one.Kind)
            {
                case EventKinds.OrderIssued:
                    var order = Order.Parser.ParseFrom(one.Payload.Span);
                    StoryBrokenException.Unless(issued.Add(OrderId.Of(order.Id)), () => $"INV-7: {node.Place.Node} issued {Told(OrderId.Of(order.Id))} twice");
                    break;
                case EventKinds.OrdersReceived:
                    foreach (var told in OrdersPart.Parser.ParseFrom(OrdersReceived.Parser.ParseFrom(one.Payload.Span).Part).Orders.SelectMany(e => e.Receipts).Select(OrderReceipt.Parser.ParseFrom))
                    {
                        if (told.State >= OrderState.Answered)
                        {
                            ended.Add(OrderId.Of(told.Order));
                        }
                    }

                    break;
                case EventKinds.OrderReceipted:
                    var receipt = OrderReceipt.Parser.ParseFrom(one.Payload.Span);
                    var id = OrderId.Of(receipt.Order);
                    StoryBrokenException.Unless(receipt.Node == node.Place.Node.ToString(), () => $"INV-14: {node.Place.Node} wrote a receipt of {receipt.Node}");
                    StoryBrokenException.Unless(steps.Add((id, receipt.Step)), () => $"INV-7: {node.Place.Node} took step {receipt.Step} of {Told(id)} twice");
                    StoryBrokenException.Unless(!ended.Contains(id) || forked.Contains(node.Place.Node), () => $"INV-13: {node.Place.Node} decided {receipt.State} on {Told(id)} after its end");
                    if (receipt.State >= OrderState.Answered)
                    {
                        ended.Add(id);
                    }

                    break;
                default:
                    break;
            }
        }
    }

    private static ReadOnlyMemory<byte>[] BytesOf(OrderStanding standing) => [.. standing.Receipts.Select(receipt => receipt.Bytes)];

    private static bool Same(ReadOnlyMemory<byte>[] one, ReadOnlyMemory<byte>[] other) =>
        one.Length == other.Length && one.Zip(other).All(pair => pair.First.Span.SequenceEqual(pair.Second.Span));

    private static string Steps(OrderStanding standing) => $"[{string.Join(' ', standing.Receipts.Select(r => $"{r.Content.Step}:{r.Content.State}@{r.Content.At}"))}]";

    private sealed class Seen(int directory)
    {
        public int Directory { get; } = directory;

        /// <summary>By order: its receipts where it has ended.</summary>
        public Dictionary<UInt128, ReadOnlyMemory<byte>[]?> Known { get; } = [];
    }
}
