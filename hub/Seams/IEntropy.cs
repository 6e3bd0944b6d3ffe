namespace CityGrid.Hub.Seams;

/// <summary>Randomness, handed in: the operating system's in production, a seeded stream in simulation.</summary>
public interface IEntropy
{
    void Fill(Span<byte> target);
}

/// <summary>Draws made of an <see cref="IEntropy"/>.</summary>
public static class Draws
{
    public static ulong NextUInt64(this IEntropy entropy)
    {
        Span<byte> bytes = stackalloc byte[8];
        entropy.Fill(bytes);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public static UInt128 NextUInt128(this IEntropy entropy)
    {
        Span<byte> bytes = stackalloc byte[16];
        entropy.Fill(bytes);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(bytes);
    }

    /// <summary>A duration drawn evenly from zero to <paramref name="most"/> (full jitter).</summary>
    public static TimeSpan Jitter(this IEntropy entropy, TimeSpan most) =>
        most <= TimeSpan.Zero ? TimeSpan.Zero : TimeSpan.FromTicks((long)(entropy.NextUInt64() % (ulong)most.Ticks));
}

/// <summary>The operating system's random numbers.</summary>
public sealed class SystemEntropy : IEntropy
{
    public void Fill(Span<byte> target) => System.Security.Cryptography.RandomNumberGenerator.Fill(target);
}
