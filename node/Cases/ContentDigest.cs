using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CityGrid.Node.Cases;

/// <summary>
/// A digest of a request's content, keyed with the node's own key: a plain hash of personal data would give them away. Computed over the fields
/// themselves in order of their numbers, not over the bytes of a message, which no version promises to keep.
/// </summary>
public sealed class ContentDigest(ReadOnlyMemory<byte> key)
{
    private static readonly string[] Numbers = [.. Enumerable.Range(0, 64).Select(number => number.ToString(CultureInfo.InvariantCulture))];

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
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (but.Contains(field.Name) || field.Accessor.GetValue(message) is not { } value || IsUnset(field, message, value))
            {
                continue;
            }

            Add(content, field.FieldNumber < Numbers.Length ? Numbers[field.FieldNumber] : field.FieldNumber.ToString(CultureInfo.InvariantCulture));
            if (value is IMessage inner)
            {
                Add(content, inner, []);
            }
            else
            {
                Add(content, value is ByteString bytes ? Convert.ToHexString(bytes.Span) : Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty);
            }
        }

        Add(content, "end");
    }

    private static bool IsUnset(FieldDescriptor field, IMessage message, object value) =>
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
}
