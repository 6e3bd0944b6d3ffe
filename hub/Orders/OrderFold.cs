using System.Collections.Immutable;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Orders;

/// <summary>
/// Every order known here (issued, passing through, or for this place) and every receipt, in the order in which they came; and how far this node has
/// applied its parent's orders. An order and a receipt count once, whichever paths they took (RULE-6).
/// </summary>
public sealed class OrderFold(NodeId node) : IFold
{
    private readonly Dictionary<UInt128, OrderStanding> _standings = [];
    private readonly List<OrderRecord> _orders = [];
    private readonly List<OrderStanding> _lane = [];
    private readonly List<OrderReceiptRecord> _receipts = [];
    private readonly HashSet<(string Issuer, string Division)> _signing = [];

    public string Name => "orders";

    /// <summary>4: what an earlier life decided otherwise than is known above is taken out. 3: with whether an order was believed, and what was rerouted. An image that an older program made has lost what stands of it in the journal.</summary>
    public int Version => 4;

    public bool Takes(ushort kind) => kind < EventKinds.NodeFirst;

    /// <summary>Orders known, in the order in which they came.</summary>
    public IReadOnlyList<OrderRecord> Orders => _orders;

    private Incarnation _parent;
    private Incarnation _own;
    private StreamMark _applied;
    private bool _caughtUp;

    /// <summary>
    /// What the data directory <paramref name="own"/> has applied of the parent's orders, and of which of the parent's journals that is. A restored one
    /// begins anew: what it decided after the copy was made comes back with the orders.
    /// </summary>
    public (Incarnation Journal, StreamMark Mark) AppliedBy(Incarnation own) => own == _own ? (_parent, _applied) : (Incarnation.None, StreamMark.Start);

    public OrderStanding? Find(UInt128 id) => _standings.GetValueOrDefault(id);

    /// <summary>An order is known here that this issuer signed for this division. A node's name alone says not who it is: an authority may make a signer of the same name for a place of its own.</summary>
    public bool HasSigned(string issuer, string division) => _signing.Contains((issuer, division));

    /// <summary>The orders that stand on the lane at positions in (<paramref name="from"/>, <paramref name="to"/>], in order: each once, where it came or was last rerouted.</summary>
    public IEnumerable<OrderStanding> OrdersSince(Lsn from, Lsn to) => Since(_lane, from, to, standing => standing.Position);

    /// <summary>The orders of which nothing has been heard yet, in the order in which they stand on the lane.</summary>
    public IEnumerable<OrderStanding> Unheard => _lane.Where(standing => standing is { Receipts.Count: 0, Order.IsBelieved: true });

    /// <summary>The receipts that came at positions in (<paramref name="from"/>, <paramref name="to"/>], in order.</summary>
    public IEnumerable<OrderReceiptRecord> ReceiptsSince(Lsn from, Lsn to) => Since(_receipts, from, to, receipt => receipt.Local);

    /// <summary>
    /// The data directory <paramref name="own"/> has heard all that its parent had to order, and with it what an earlier life had decided. Until then a
    /// restored one must not decide on orders that it received before: it may have, and the end is known above.
    /// </summary>
    public bool IsCaughtUp(Incarnation own) => own == _own && _caughtUp;

    public static EventDraft IssuedEvent(ByteString order) => new(EventKinds.OrderIssued, ReceptionEvents.Schema, order.ToByteArray());

    public static EventDraft SignedEvent(ByteString id, IssuerSignature signature) =>
        ReceptionEvents.Draft(EventKinds.OrderSigned, new OrderSigned { Order = id, Signature = signature.ToByteString() });

    public static EventDraft ReceiptedEvent(OrderReceipt receipt) => new(EventKinds.OrderReceipted, ReceptionEvents.Schema, receipt.ToByteArray());

    public static EventDraft ReroutedEvent(IEnumerable<UInt128> orders) =>
        ReceptionEvents.Draft(EventKinds.OrdersRerouted, new OrdersRerouted { Orders = { orders.Select(OrderId.ToBytes) } });

    /// <param name="part">As it came.</param>
    /// <param name="parent">Whom it came from.</param>
    /// <param name="node">This node.</param>
    /// <param name="own">Its data directory.</param>
    /// <param name="unbelieved">The orders that are not believed, by index; null where no signature was looked at.</param>
    public static EventDraft ReceivedEvent(OrdersPart part, NodeId parent, NodeId node, Incarnation own, IEnumerable<int>? unbelieved = null) => ReceptionEvents.Draft(EventKinds.OrdersReceived, new OrdersReceived
    {
        Part = part.ToByteString(),
        Parent = parent.ToString(),
        Node = node.ToString(),
        Incarnation = ByteString.CopyFrom(own.ToBytes()),
        Unbelieved = { unbelieved ?? [] },
        Judged = unbelieved is not null,
    });

    public void Apply(in JournalEvent journalEvent)
    {
        switch (journalEvent.Kind)
        {
            case EventKinds.OrderIssued:
                Put(journalEvent.Lsn, true, journalEvent.Payload, null, []);
                break;
            case EventKinds.OrderSigned:
                Sign(OrderSigned.Parser.ParseFrom(journalEvent.Payload.Span));
                break;
            case EventKinds.OrdersReceived:
                Receive(OrdersReceived.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent);
                break;
            case EventKinds.OrdersRerouted:
                Reroute(OrdersRerouted.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent);
                break;
            case EventKinds.OrderReceipted:
                Note(journalEvent.Lsn, null, journalEvent.Payload, []);
                break;
            case EventKinds.EscalationsReceived when ReceptionEvents.Read(journalEvent) is EscalationsTaken { Part.Receipts.Count: > 0 } taken:
                Hear(taken, journalEvent);
                break;
            case EventKinds.ParkedSettled when ParkedSettled.Parser.ParseFrom(journalEvent.Payload.Span) is { Escalations.IsEmpty: false } settled:
                Hear(new EscalationsTaken(NodeId.Parse(settled.Child), Incarnation.None, Epoch.NotGranted, EscalationsPart.Parser.ParseFrom(settled.Escalations), []), journalEvent);
                break;
            default:
                break;
        }
    }

    public void Save(Stream target)
    {
        var image = new OrdersImage { Incarnation = ByteString.CopyFrom(_parent.ToBytes()), OwnIncarnation = ByteString.CopyFrom(_own.ToBytes()), CaughtUp = _caughtUp, Mark = Images.Of(_applied) };
        image.Orders.AddRange(_orders.Select(o => new OrderImage
        {
            Lsn = o.Local.Value,
            IssuedHere = o.IsIssuedHere,
            Order = UnsafeByteOperations.UnsafeWrap(o.Bytes),
            Hops = { o.Hops.Select(ImageOf) },
            Signature = o.Signature?.ToByteString() ?? ByteString.Empty,
            Believed = o.IsBelieved,
            ReroutedLsn = _standings[o.Id] is { ReroutedAt: not null, Position: var position } ? position.Value : 0,
            ReroutedAt = _standings[o.Id].ReroutedAt?.ToUnixTimeMilliseconds() ?? 0,
        }));
        image.Receipts.AddRange(_receipts.Select(r => new OrderReceiptImage
        {
            Lsn = r.Local.Value,
            Via = r.Via?.ToString() ?? string.Empty,
            Receipt = UnsafeByteOperations.UnsafeWrap(r.Bytes),
            Hops = { r.Hops.Select(ImageOf) },
        }));
        image.WriteTo(target);
    }

    public void Load(Stream source)
    {
        _standings.Clear();
        _orders.Clear();
        _lane.Clear();
        _receipts.Clear();
        _signing.Clear();
        var image = OrdersImage.Parser.ParseFrom(source);
        _parent = Incarnation.FromBytes(image.Incarnation.Span);
        _own = Incarnation.FromBytes(image.OwnIncarnation.Span);
        _caughtUp = image.CaughtUp;
        _applied = Images.MarkOf(image.Mark);
        foreach (var order in image.Orders)
        {
            Put(new Lsn(order.Lsn), order.IssuedHere, order.Order.Memory, order.Signature.IsEmpty ? null : IssuerSignature.Parser.ParseFrom(order.Signature), [.. order.Hops.Select(HopOf)], order.Believed);
            if (order.ReroutedLsn > 0)
            {
                (_lane[^1].Position, _lane[^1].ReroutedAt) = (new Lsn(order.ReroutedLsn), Instant.FromUnixTimeMilliseconds(order.ReroutedAt));
            }
        }

        var lane = _lane.OrderBy(standing => standing.Position).ToArray();
        _lane.Clear();
        _lane.AddRange(lane);
        foreach (var receipt in image.Receipts)
        {
            Note(new Lsn(receipt.Lsn), receipt.Via.Length == 0 ? null : NodeId.Parse(receipt.Via), receipt.Receipt.Memory, [.. receipt.Hops.Select(HopOf)]);
        }
    }

    private void Receive(OrdersReceived received, in JournalEvent journalEvent)
    {
        var part = OrdersPart.Parser.ParseFrom(received.Part);
        if (part.To is null || !StreamMark.TryRead(part.To.Lsn, part.To.ChainHash, out var end))
        {
            throw new FormatException("A part of orders without a valid end passed the checks.");
        }

        var here = new OrderHop(NodeId.Parse(received.Node), journalEvent.RecordedAt);

        // Until it has heard all, what is known above of an earlier life stands, whatever a second history of it decided: that one end is everywhere (INV-13). From then on it is its sender's word alone.
        var own = Incarnation.FromBytes(received.Incarnation.Span);
        var hearsAgain = !IsCaughtUp(own);

        // The first program that judged did not say so; where it left an order out, it had.
        var judged = received.Judged || received.Unbelieved.Count > 0;
        for (var i = 0; i < part.Orders.Count; i++)
        {
            var envelope = part.Orders[i];
            if (OrderJudge.Fault(envelope) is not null)
            {
                continue;
            }

            if (!received.Unbelieved.Contains(i))
            {
                Put(journalEvent.Lsn, false, envelope.Order.Memory, judged ? envelope.Signature : null, [.. envelope.Hops.Select(OrderHop.Of), here]);
                Tell(envelope.Receipts, NodeId.Parse(received.Parent), hearsAgain, journalEvent);
            }
            else if (envelope.Receipts.Count == 0)
            {
                Put(journalEvent.Lsn, false, envelope.Order.Memory, null, [.. envelope.Hops.Select(OrderHop.Of), here], believed: false);
            }
        }

        _caughtUp = part.ReachesHead || (_caughtUp && own == _own);
        _own = own;
        _parent = OrderJudge.JournalOf(part.To);
        _applied = end;
    }

    private void Hear(EscalationsTaken taken, in JournalEvent journalEvent)
    {
        var leftOut = taken.Verdicts.Select(v => v.Index).ToHashSet();
        var here = new OrderHop(node, journalEvent.RecordedAt);
        for (var i = 0; i < taken.Part.Receipts.Count; i++)
        {
            if (!leftOut.Contains(taken.Part.Escalations.Count + i))
            {
                var envelope = taken.Part.Receipts[i];
                if (!envelope.Order.IsEmpty && !taken.OrdersUnbelieved.Contains(i))
                {
                    Put(journalEvent.Lsn, Order.Parser.ParseFrom(envelope.Order).Issuer == node.ToString(), envelope.Order.Memory, taken.OrdersJudged ? envelope.Signature : null, []);
                }

                Note(journalEvent.Lsn, taken.Child, envelope.Receipt.Memory, [.. envelope.Hops.Select(OrderHop.Of), here]);
            }
        }
    }

    private void Put(Lsn local, bool issuedHere, ReadOnlyMemory<byte> bytes, IssuerSignature? signature, ImmutableArray<OrderHop> hops, bool believed = true)
    {
        var record = new OrderRecord(local, issuedHere, Order.Parser.ParseFrom(bytes.Span), bytes, hops) { Signature = signature, IsBelieved = believed };
        var standing = Standing(record.Id);
        if (standing.Order is null)
        {
            (standing.Order, standing.Position) = (record, local);
            _orders.Add(record);
            _lane.Add(standing);
            if (signature is not null)
            {
                _signing.Add((record.Content.Issuer, record.Content.IssuerDivision));
            }
        }
    }

    /// <summary>The order was issued in the event before.</summary>
    private void Sign(OrderSigned signed)
    {
        var standing = Standing(OrderId.Of(signed.Order));
        if (standing.Order is { } order && _orders[^1].Id == order.Id)
        {
            standing.Order = _orders[^1] = order with { Signature = IssuerSignature.Parser.ParseFrom(signed.Signature) };
            _signing.Add((order.Content.Issuer, order.Content.IssuerDivision));
        }
    }

    /// <summary>They go to the end of the lane. What else is known of them stays as it is.</summary>
    private void Reroute(OrdersRerouted rerouted, in JournalEvent journalEvent)
    {
        var orders = rerouted.Orders.Select(OrderId.Of).Select(Find).OfType<OrderStanding>().Where(standing => standing.Order is not null).Distinct().ToArray();
        PutLast(orders, journalEvent);
    }

    private void PutLast(IReadOnlyCollection<OrderStanding> orders, in JournalEvent journalEvent)
    {
        var moved = orders.ToHashSet();
        _lane.RemoveAll(moved.Contains);
        foreach (var standing in orders)
        {
            (standing.Position, standing.ReroutedAt) = (journalEvent.Lsn, Instant.FromUnixTimeMilliseconds(journalEvent.RecordedAt.ToUnixTimeMilliseconds()));
            _lane.Add(standing);
        }
    }

    /// <summary>What the parent knows of an order. What a directory that hears again learns by it, whoever below has the order already has not heard from here: it goes to the end of the lane.</summary>
    private void Tell(IEnumerable<ByteString> receipts, NodeId parent, bool hearsAgain, in JournalEvent journalEvent)
    {
        foreach (var receipt in receipts)
        {
            var told = new OrderReceiptRecord(journalEvent.Lsn, parent, OrderReceipt.Parser.ParseFrom(receipt), receipt.Memory, []);
            if (hearsAgain)
            {
                var against = Standing(told.Order).TakeOutAgainst(told);
                _receipts.RemoveAll(against.Contains);
            }

            if (Note(told) && hearsAgain && Find(told.Order) is { Order: not null } standing && standing.Position < journalEvent.Lsn)
            {
                PutLast([standing], journalEvent);
            }
        }
    }

    private void Note(Lsn local, NodeId? via, ReadOnlyMemory<byte> bytes, ImmutableArray<OrderHop> hops) =>
        Note(new OrderReceiptRecord(local, via, OrderReceipt.Parser.ParseFrom(bytes.Span), bytes, hops));

    /// <summary>False where it is known, or stands after an end.</summary>
    private bool Note(OrderReceiptRecord record)
    {
        if (!Standing(record.Order).Add(record))
        {
            return false;
        }

        _receipts.Add(record);
        return true;
    }

    private OrderStanding Standing(UInt128 id)
    {
        if (!_standings.TryGetValue(id, out var standing))
        {
            _standings.Add(id, standing = new OrderStanding());
        }

        return standing;
    }

    private static IEnumerable<T> Since<T>(List<T> records, Lsn from, Lsn to, Func<T, Lsn> at)
    {
        var (low, high) = (0, records.Count);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            (low, high) = at(records[middle]) <= from ? (middle + 1, high) : (low, middle);
        }

        for (; low < records.Count && at(records[low]) <= to; low++)
        {
            yield return records[low];
        }
    }

    private static HopImage ImageOf(OrderHop hop) => new() { Node = hop.Node.ToString(), ReceivedAt = hop.ReceivedAt.ToUnixTimeMilliseconds() };

    private static OrderHop HopOf(HopImage image) => new(NodeId.Parse(image.Node), Instant.FromUnixTimeMilliseconds(image.ReceivedAt));
}
