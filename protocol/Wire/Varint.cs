using System.Numerics;
using System.Runtime.CompilerServices;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// Whole numbers as protobuf writes them: seven bits a byte, least first. Read strictly: one number has one form (clause C4), so the shortest
/// is the only one taken.
/// </summary>
public static class Varint
{
    /// <summary>The most bytes that a 64-bit number takes.</summary>
    public const int BytesMax = 10;

    /// <summary>Writes the number and answers how many bytes it took; <paramref name="target"/> must hold them.</summary>
    public static int Write(Span<byte> target, ulong value)
    {
        var at = 0;
        while (value >= 0x80)
        {
            target[at++] = unchecked((byte)(value | 0x80));
            value >>= 7;
        }

        target[at++] = (byte)value;
        return at;
    }

    /// <summary>Reads a number at <paramref name="at"/> and moves past it; false for a cut, overlong or padded one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRead(ReadOnlySpan<byte> source, ref int at, out ulong value)
    {
        if ((uint)at < (uint)source.Length && source[at] < 0x80)
        {
            value = source[at++];
            return true;
        }

        return TryReadLong(source, ref at, out value);
    }

    /// <summary>How many bytes the number takes.</summary>
    public static int Length(ulong value) => ((BitOperations.Log2(value | 1) * 9) + 73) >> 6;

    /// <summary>Small negative numbers become small ones: 0, -1, 1, -2 are 0, 1, 2, 3.</summary>
    public static ulong ZigZag(long value) => unchecked((ulong)((value << 1) ^ (value >> 63)));

    public static long UnZigZag(ulong value) => unchecked((long)(value >> 1) ^ -(long)(value & 1));

    private static bool TryReadLong(ReadOnlySpan<byte> source, ref int at, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 70 && (uint)at < (uint)source.Length; shift += 7)
        {
            var b = source[at++];
            if (shift == 63 && b > 1)
            {
                return false;
            }

            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return b != 0 || shift == 0;
            }
        }

        return false;
    }
}
