using System.Runtime.InteropServices;

namespace CityGrid.Protocol.Names;

/// <summary>A SHA-256 value, compared and printed whole.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct Hash256(UInt128 High, UInt128 Low)
{
    public static readonly Hash256 Zero;

    public const int Size = 32;

    public static Hash256 FromBytes(ReadOnlySpan<byte> bytes) =>
        bytes.Length == Size
            ? new(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes), System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes[16..]))
            : throw new FormatException($"A SHA-256 value has {Size} bytes, these are {bytes.Length}.");

    public static Hash256 Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[Size];
        System.Security.Cryptography.SHA256.HashData(content, hash);
        return FromBytes(hash);
    }

    public void WriteTo(Span<byte> target)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(target, High);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(target[16..], Low);
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
