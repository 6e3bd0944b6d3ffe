using System.Buffers.Binary;
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
    /// <summary>The digest of all fields that are set, but for those named.</summary>
    public ulong Of(IMessage message, params ReadOnlySpan<string> but)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key.Span);
        Add(hash, message, but);
        Span<byte> digest = stackalloc byte[32];
        hash.GetHashAndReset(digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }

    /// <summary>The digest of content that somebody has hashed already.</summary>
    public ulong Of(ReadOnlySpan<byte> contentHash)
    {
        Span<byte> digest = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key.Span, contentHash, digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest);
    }

    private static void Add(IncrementalHash hash, IMessage message, ReadOnlySpan<string> but)
    {
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (but.Contains(field.Name) || field.Accessor.GetValue(message) is not { } value || IsUnset(field, message, value))
            {
                continue;
            }

            Add(hash, field.FieldNumber.ToString(CultureInfo.InvariantCulture));
            if (value is IMessage inner)
            {
                Add(hash, inner, []);
            }
            else
            {
                Add(hash, value is ByteString bytes ? Convert.ToHexString(bytes.Span) : Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty);
            }
        }

        Add(hash, "end");
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

    private static void Add(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
