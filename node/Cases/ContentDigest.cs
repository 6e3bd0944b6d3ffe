using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CityGrid.Node.Cases;

/// <summary>
/// A digest of a request's content, keyed with the node's own key: a plain hash of personal data would give them away. Computed over the fields
/// themselves in order of their numbers, not over the bytes of a message, which no version promises to keep.
/// </summary>
public sealed class ContentDigest(ReadOnlyMemory<byte> key)
{
    /// <summary>The fields of each message in order of their numbers, with the number as text: looked up once for millions of requests.</summary>
    private static readonly ConcurrentDictionary<MessageDescriptor, Field[]> Forms = new();

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _content;

    private readonly ConcurrentBag<IncrementalHash> _idle = [];

    /// <summary>The digest of all fields that are set, but for those named.</summary>
    public ulong Of(IMessage message, params ReadOnlySpan<string> but)
    {
        var content = _content ??= new ArrayBufferWriter<byte>(1024);
        try
        {
            Add(content, message, but);
            return Of(content.WrittenSpan);
        }
        finally
        {
            // What is personal does not stay behind.
            content.Clear();
        }
    }

    /// <summary>What the digest of an imported row is of: what is not personal, hashed already, and its person. The caller overwrites it after use.</summary>
    internal static byte[] RowBytes(Hash256 content, IMessage person)
    {
        var row = _content ??= new ArrayBufferWriter<byte>(1024);
        try
        {
            row.Write("citygrid row 1\0"u8);
            content.WriteTo(row.GetSpan(Hash256.Size));
            row.Advance(Hash256.Size);
            Add(row, person, []);
            return row.WrittenSpan.ToArray();
        }
        finally
        {
            row.Clear();
        }
    }

    /// <summary>The digest of these bytes: content that somebody has hashed already.</summary>
    public ulong Of(ReadOnlySpan<byte> content)
    {
        Span<byte> digest = stackalloc byte[HMACSHA256.HashSizeInBytes];
        var hash = _idle.TryTake(out var idle) ? idle : IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key.Span);
        hash.AppendData(content);
        hash.GetHashAndReset(digest);
        _idle.Add(hash);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }

    private static void Add(ArrayBufferWriter<byte> content, IMessage message, ReadOnlySpan<string> but)
    {
        foreach (var field in Forms.GetOrAdd(message.Descriptor, FieldsOf))
        {
            if (field.Accessor.GetValue(message) is not { } value || IsUnset(field, message, value) || but.Contains(field.Name))
            {
                continue;
            }

            Add(content, field.Number);
            if (value is IMessage inner)
            {
                Add(content, inner, []);
            }
            else
            {
                Add(content, value as string ?? (value is ByteString bytes ? Convert.ToHexString(bytes.Span) : Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty));
            }
        }

        Add(content, "end");
    }

    private static Field[] FieldsOf(MessageDescriptor message) =>
        [.. message.Fields.InFieldNumberOrder().Select(f => new Field(f.Name, f.FieldNumber.ToString(CultureInfo.InvariantCulture), f.Accessor, f.HasPresence))];

    private static bool IsUnset(Field field, IMessage message, object value) =>
        field.HasPresence ? !field.Accessor.HasValue(message)
        : value switch
        {
            string text => text.Length == 0,
            ByteString bytes => bytes.IsEmpty,
            bool yes => !yes,
            Enum number => Convert.ToInt32(number, CultureInfo.InvariantCulture) == 0,
            int number => number == 0,
            long number => number == 0,
            _ => false,
        };

    private static void Add(ArrayBufferWriter<byte> content, string text)
    {
        var bytes = Encoding.UTF8.GetByteCount(text);
        BinaryPrimitives.WriteInt32BigEndian(content.GetSpan(4), bytes);
        content.Advance(4);
        content.Advance(Encoding.UTF8.GetBytes(text, content.GetSpan(bytes)));
    }

    private sealed record Field(string Name, string Number, IFieldAccessor Accessor, bool HasPresence);
}
