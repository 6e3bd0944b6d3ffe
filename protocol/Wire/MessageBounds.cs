using System.Collections.Concurrent;
using Google.Protobuf.Reflection;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// What a message from outside may hold, looked at in its bytes before anything is made of them: two bytes are an empty message inside another, so a
/// reader would make a hundred times the bytes that it was sent. The bytes themselves are bounded by who receives them (L4, limits.requestBytes).
/// </summary>
public static class MessageBounds
{
    /// <summary>Messages and groups inside one another, the outermost among them.</summary>
    public const int DepthMax = 64;

    /// <summary>Items of one repeated field of one message.</summary>
    public const int ItemsMax = 10_000;

    /// <summary>Items of all repeated fields of a message together with all inside it: a full part has 40,000.</summary>
    public const int ItemsInAllMax = 50_000;

    private static readonly ConcurrentDictionary<MessageDescriptor, Shape> Shapes = new();

    /// <summary>Why the bytes are not taken for a message of this type; null where they may be parsed, which may still find them malformed.</summary>
    public static string? Fault(ReadOnlySpan<byte> bytes, MessageDescriptor type)
    {
        var items = 0;
        return Message(bytes, ShapeOf(type), 1, ref items, out _, group: 0);
    }

    private static string? Message(ReadOnlySpan<byte> bytes, Shape? shape, int depth, ref int items, out int used, uint group)
    {
        used = 0;
        if (depth > DepthMax)
        {
            return $"The message nests deeper than {DepthMax} levels.";
        }

        Span<int> counts = stackalloc int[shape?.Lists ?? 0];
        var at = 0;
        while (at < bytes.Length)
        {
            if (!Varint(bytes, ref at, out var tag) || tag > uint.MaxValue || tag >> 3 == 0)
            {
                return Unreadable(at);
            }

            var field = shape?.Find((uint)(tag >> 3));
            var value = at;
            var fault = (tag & 7) switch
            {
                0 => Varint(bytes, ref at, out _) ? null : Unreadable(at),
                1 => Skip(bytes, ref at, 8),
                2 => Sized(bytes, ref at, field, depth, ref items),
                3 => Group(bytes, ref at, (uint)(tag >> 3), depth, ref items),
                4 when (uint)(tag >> 3) == group => null,
                5 => Skip(bytes, ref at, 4),
                _ => Unreadable(at),
            };
            if (fault is not null)
            {
                return fault;
            }

            if ((tag & 7) == 4)
            {
                used = at;
                return null;
            }

            if (field is { List: >= 0 } list && Count(bytes[value..at], (int)(tag & 7), list, ref counts[list.List], ref items) is { } many)
            {
                return many;
            }
        }

        return group == 0 ? null : Unreadable(at);
    }

    /// <summary>What stands behind its length: a message is looked into, all else is passed over.</summary>
    private static string? Sized(ReadOnlySpan<byte> bytes, ref int at, Field? field, int depth, ref int items)
    {
        if (!Varint(bytes, ref at, out var length) || length > (ulong)(bytes.Length - at))
        {
            return Unreadable(at);
        }

        var inside = bytes.Slice(at, (int)length);
        at += (int)length;
        return field?.Inside is { } shape ? Message(inside, shape, depth + 1, ref items, out _, group: 0) : null;
    }

    /// <summary>No message of this contract has groups; one that is sent is a field that is not known, however deep.</summary>
    private static string? Group(ReadOnlySpan<byte> bytes, ref int at, uint number, int depth, ref int items)
    {
        var fault = Message(bytes[at..], null, depth + 1, ref items, out var used, number);
        at += used;
        return fault;
    }

    private static string? Count(ReadOnlySpan<byte> value, int wireType, Field list, ref int count, ref int items)
    {
        var more = wireType == 2 && list.PackedSize is { } size ? Packed(value, size) : 1;
        count += more;
        items += more;
        return count > ItemsMax ? $"The field {list.Name} has more than {ItemsMax} items; send them in parts."
            : items > ItemsInAllMax ? $"The message has more than {ItemsInAllMax} items in all; send it in parts."
            : null;
    }

    /// <summary>Numbers in one run of bytes: of a fixed size, or varints (0), which each end with a byte below 128.</summary>
    private static int Packed(ReadOnlySpan<byte> value, int size)
    {
        var at = 0;
        Varint(value, ref at, out _);
        var run = value[at..];
        if (size > 0)
        {
            return run.Length / size;
        }

        var ends = 0;
        foreach (var one in run)
        {
            ends += one < 0x80 ? 1 : 0;
        }

        return ends;
    }

    private static string? Skip(ReadOnlySpan<byte> bytes, ref int at, int length)
    {
        at += length;
        return at <= bytes.Length ? null : Unreadable(at);
    }

    private static bool Varint(ReadOnlySpan<byte> bytes, ref int at, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 70 && at < bytes.Length; shift += 7)
        {
            var next = bytes[at++];
            value |= shift < 64 ? (ulong)(next & 0x7F) << shift : 0;
            if (next < 0x80)
            {
                return true;
            }
        }

        return false;
    }

    private static string Unreadable(int at) => $"The bytes are no message of this call's request type, from byte {at} on.";

    private static Shape ShapeOf(MessageDescriptor type)
    {
        if (Shapes.TryGetValue(type, out var known))
        {
            return known;
        }

        // A type may hold itself, so the shape is known before its fields are looked at.
        var made = new Dictionary<MessageDescriptor, Shape>();
        var shape = Make(type, made);
        return Shapes.GetOrAdd(type, shape);
    }

    private static Shape Make(MessageDescriptor type, Dictionary<MessageDescriptor, Shape> made)
    {
        if (made.TryGetValue(type, out var known))
        {
            return known;
        }

        var shape = new Shape();
        made.Add(type, shape);
        foreach (var field in type.Fields.InFieldNumberOrder())
        {
            var inside = field.FieldType == FieldType.Message ? Make(field.MessageType, made) : null;
            shape.Add(field.FieldNumber, new Field(field.Name, inside, field.IsRepeated ? shape.Lists : -1, field.IsRepeated ? SizeOf(field.FieldType) : null));
        }

        return shape;
    }

    private static int? SizeOf(FieldType type) => type switch
    {
        FieldType.String or FieldType.Bytes or FieldType.Message or FieldType.Group => null,
        FieldType.Double or FieldType.Fixed64 or FieldType.SFixed64 => 8,
        FieldType.Float or FieldType.Fixed32 or FieldType.SFixed32 => 4,
        _ => 0,
    };

    /// <param name="Name">As in the contract.</param>
    /// <param name="Inside">The message that it holds; null for anything else.</param>
    /// <param name="List">Which of its message's lists it is; -1 for none.</param>
    /// <param name="PackedSize">Bytes of one number where many may stand in a run, 0 for varints; null where none may.</param>
    private sealed record Field(string Name, Shape? Inside, int List, int? PackedSize);

    private sealed class Shape
    {
        private Field?[] _byNumber = [];

        public int Lists { get; private set; }

        public Field? Find(uint number) => number < (uint)_byNumber.Length ? _byNumber[number] : null;

        public void Add(int number, Field field)
        {
            if (number >= _byNumber.Length)
            {
                Array.Resize(ref _byNumber, number + 1);
            }

            _byNumber[number] = field;
            Lists += field.List >= 0 ? 1 : 0;
        }
    }
}
