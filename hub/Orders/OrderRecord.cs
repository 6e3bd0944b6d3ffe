using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Orders;

/// <summary>When a node on the way received it, by its own clock.</summary>
public readonly record struct OrderHop(NodeId Node, Instant ReceivedAt)
{
    public Hop ToHop() => new() { Node = Node.ToString(), ReceivedAt = ReceivedAt.ToUnixTimeMilliseconds() };

    public static OrderHop Of(Hop hop) => new(NodeId.Parse(hop.Node), Instant.FromUnixTimeMilliseconds(hop.ReceivedAt));
}

/// <summary>An order as known here: at which local position it came, whether it was issued here, the issuer's bytes untouched, and the hops they took.</summary>
public sealed record OrderRecord(Lsn Local, bool IsIssuedHere, Order Content, ReadOnlyMemory<byte> Bytes, ImmutableArray<OrderHop> Hops)
{
    public UInt128 Id { get; } = OrderId.Of(Content.Id);

    public DivisionCode Target { get; } = DivisionCode.Parse(Content.TargetDivision);

    /// <summary>The issuer's signature (A7); null for an order that its issuer did not sign, or whose signature was not believed here.</summary>
    public IssuerSignature? Signature { get; init; }

    /// <summary>It was not left to end here for its signature: its issuer's word was good, or none was wanted.</summary>
    public bool IsBelieved { get; init; } = true;
}

/// <summary>What became of an order, as known here: decided here (<paramref name="Via"/> is null) or told by a child.</summary>
public sealed record OrderReceiptRecord(Lsn Local, NodeId? Via, OrderReceipt Content, ReadOnlyMemory<byte> Bytes, ImmutableArray<OrderHop> Hops)
{
    public UInt128 Order { get; } = OrderId.Of(Content.Order);
}

/// <summary>The id of an order: 16 bytes, shown as 32 hexadecimal digits.</summary>
public static class OrderId
{
    public static UInt128 Of(ByteString bytes) =>
        bytes.Length == 16 ? System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes.Span) : UInt128.Zero;

    public static ByteString ToBytes(UInt128 id)
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, id);
        return ByteString.CopyFrom(bytes);
    }

    public static string Shown(UInt128 id) => id.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);

    public static bool TryParse(string text, out UInt128 id)
    {
        id = UInt128.Zero;
        return text.Length == 32 && UInt128.TryParse(text, System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture, out id)
            && id != UInt128.Zero;
    }
}

/// <summary>Reads what a peer sent, without believing it: null for bytes that are none.</summary>
internal static class OrderRead
{
    public static Order? Order(ByteString bytes) => Read(bytes, Protocol.V1.Order.Parser);

    public static OrderReceipt? Receipt(ByteString bytes) => Read(bytes, OrderReceipt.Parser);

    private static T? Read<T>(ByteString bytes, MessageParser<T> parser)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}

/// <summary>An order with everything that is known here of what became of it.</summary>
public sealed class OrderStanding
{
    private readonly List<OrderReceiptRecord> _receipts = [];

    /// <summary>Null where only its receipts are known: this node has lost what it issued or relayed (INV-22).</summary>
    public OrderRecord? Order { get; internal set; }

    /// <summary>Where it stands on the lane of orders: where it came, or was last rerouted.</summary>
    public Lsn Position { get; internal set; }

    /// <summary>When it was last rerouted; null where it never was.</summary>
    public Instant? ReroutedAt { get; internal set; }

    /// <summary>Since when the order has gone down from here by the same way: it was issued, came, or was last rerouted then. By this node's own clock, save for one that was learned from below.</summary>
    public Instant OnItsWaySince => ReroutedAt ?? (Order is not { } order ? Instant.MaxValue : order.Hops.IsEmpty ? IssuedAt(order.Content) : order.Hops[^1].ReceivedAt);

    /// <summary>What an issuer names may be no time at all.</summary>
    private static Instant IssuedAt(Order order) => Instant.FromUnixTimeSeconds(Math.Clamp(order.IssuedAt, 0, Instant.MaxValue.ToUnixTimeSeconds()));

    /// <summary>In the order in which they were decided.</summary>
    public IReadOnlyList<OrderReceiptRecord> Receipts => _receipts;

    /// <summary>Unspecified while it is on its way.</summary>
    public OrderState State => _receipts.Count == 0 ? OrderState.Unspecified : _receipts[^1].Content.State;

    /// <summary>It has one of its four ends, and there is no other after it.</summary>
    public bool HasEnded => IsEnd(State);

    private static bool IsEnd(OrderState state) => state >= OrderState.Answered;

    /// <summary>
    /// What of this stands against a receipt that a directory hears of its own earlier life: another content of the same step, and what followed where the other is an end. It was decided by a
    /// history that nobody above has heard, and is taken out here; <see cref="Add"/> puts the other in its place.
    /// </summary>
    internal IReadOnlyList<OrderReceiptRecord> TakeOutAgainst(OrderReceiptRecord told)
    {
        var against = _receipts.FindAll(known => known.Content.Step == told.Content.Step ? !known.Bytes.Span.SequenceEqual(told.Bytes.Span) : known.Content.Step > told.Content.Step && IsEnd(told.Content.State));
        _receipts.RemoveAll(against.Contains);
        return against;
    }

    /// <summary>What of this a receipt contradicts: another content of its step, an end before it, or a step after the end that it tells; null for nothing.</summary>
    public OrderReceiptRecord? Against(OrderReceipt told, ByteString bytes) =>
        _receipts.Find(known => known.Content.Step == told.Step) is { } same ? same.Bytes.Span.SequenceEqual(bytes.Span) ? null : same
        : _receipts.Count > 0 && _receipts[^1].Content.Step < told.Step ? (HasEnded ? _receipts[^1] : null)
        : IsEnd(told.State) ? _receipts.Find(known => known.Content.Step > told.Step)
        : null;

    /// <summary>False for a step that is known, and for one that would stand after an end: whoever tells it, an order has one end and nothing after it.</summary>
    internal bool Add(OrderReceiptRecord receipt)
    {
        var at = _receipts.FindIndex(known => known.Content.Step >= receipt.Content.Step);
        if (at < 0 ? HasEnded : _receipts[at].Content.Step == receipt.Content.Step || IsEnd(receipt.Content.State))
        {
            return false;
        }

        _receipts.Insert(at < 0 ? _receipts.Count : at, receipt);
        return true;
    }
}
