using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace CityGrid.Protocol.Names;

/// <summary>A SHA-256 value, compared and printed whole.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct Hash256(UInt128 High, UInt128 Low)
{
    public static readonly Hash256 Zero;

    public const int Size = 32;

    public static Hash256 FromBytes(ReadOnlySpan<byte> bytes) =>
        bytes.Length == Size
            ? new(BinaryPrimitives.ReadUInt128BigEndian(bytes), BinaryPrimitives.ReadUInt128BigEndian(bytes[16..]))
            : throw new FormatException($"A SHA-256 value has {Size} bytes, these are {bytes.Length}.");

    /// <summary>Each thread's own: made anew for each hash, the library looks its algorithm up anew, which takes as long as hashing 400 bytes does.</summary>
    [ThreadStatic]
    private static IncrementalHash? _hashing;

    public static Hash256 Of(ReadOnlySpan<byte> content)
    {
        // Put back only once it is done: one that failed in the midst would count what it had taken into the next hash.
        var hashing = _hashing ?? IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        _hashing = null;
        Span<byte> hash = stackalloc byte[Size];
        hashing.AppendData(content);
        hashing.GetHashAndReset(hash);
        _hashing = hashing;
        return FromBytes(hash);
    }

    public void WriteTo(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt128BigEndian(target, High);
        BinaryPrimitives.WriteUInt128BigEndian(target[16..], Low);
    }

    public byte[] ToBytes()
    {
        var bytes = new byte[Size];
        WriteTo(bytes);
        return bytes;
    }

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(ToBytes());
}
