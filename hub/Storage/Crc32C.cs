using System.Buffers.Binary;
using System.Numerics;

namespace CityGrid.Hub.Storage;

/// <summary>CRC-32C (Castagnoli) with the processor's own instruction: it finds what a disk or a cable did by accident, not what a person did.</summary>
internal static class Crc32C
{
    public static uint Of(ReadOnlySpan<byte> bytes, uint start = 0)
    {
        var crc = ~start;
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
