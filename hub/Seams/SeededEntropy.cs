namespace CityGrid.Hub.Seams;

/// <summary>A stream of numbers that one seed determines on every machine (SplitMix64). For simulation and generated data only.</summary>
public sealed class SeededEntropy(ulong seed) : IEntropy
{
    private ulong _state = seed;

    public ulong Next()
    {
        unchecked
        {
            _state += 0x9E3779B97F4A7C15;
            var z = _state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }

    /// <summary>A number from 0 to <paramref name="below"/> − 1.</summary>
    public int Below(int below) => (int)(Next() % (ulong)below);

    /// <summary>True in one of <paramref name="times"/> draws.</summary>
    public bool OneIn(int times) => Below(times) == 0;

    /// <summary>True in <paramref name="of1000"/> of 1,000 draws.</summary>
    public bool Chance(int of1000) => Below(1000) < of1000;

    public void Fill(Span<byte> target)
    {
        for (var i = 0; i < target.Length; i += 8)
        {
            var word = Next();
            for (var k = i; k < Math.Min(i + 8, target.Length); k++)
            {
                target[k] = (byte)(word & 0xFF);
                word >>= 8;
            }
        }
    }
}
