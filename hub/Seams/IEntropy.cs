using System.Security.Cryptography;

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

/// <summary>
/// The operating system's random numbers, drawn a page at a time by each thread: a case takes three small draws, and each alone would be a call into
/// the system. What was given out is overwritten at once.
/// </summary>
public sealed class SystemEntropy : IEntropy
{
    private const int PageBytes = 4096;

    [ThreadStatic]
    private static byte[]? _page;

    [ThreadStatic]
    private static int _left;

    public void Fill(Span<byte> target)
    {
        if (target.Length > PageBytes / 16)
        {
            RandomNumberGenerator.Fill(target);
            return;
        }

        _page ??= new byte[PageBytes];
        if (_left < target.Length)
        {
            RandomNumberGenerator.Fill(_page);
            _left = PageBytes;
        }

        var drawn = _page.AsSpan(_left - target.Length, target.Length);
        drawn.CopyTo(target);
        drawn.Clear();
        _left -= target.Length;
    }
}
