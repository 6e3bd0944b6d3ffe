using CityGrid.Hub.Seams;

namespace CityGrid.Tests.Fuzz;

/// <summary>Throws changed inputs at a target: the same seed throws the same ones. Stops at the first find, which it makes as small as it can.</summary>
internal static class FuzzRun
{
    /// <summary>Inputs that went a new way and are changed further; more of them would each be changed too seldom.</summary>
    private const int PoolMax = 600;

    private const long BytesAlways = 32 << 20;

    public static (Find? Found, int Ways) Throw(FuzzTarget target, IReadOnlyList<byte[]> kept, ulong seed, int runs)
    {
        var entropy = new SeededEntropy(seed);
        var mutations = new Mutations(entropy, target);
        var pool = target.Seeds().Concat(kept).ToList();
        var ways = new HashSet<string>(StringComparer.Ordinal);
        foreach (var input in pool)
        {
            if (Tried(target, input, ways) is { } failure)
            {
                return (new Find(target, input, failure), ways.Count);
            }
        }

        for (var i = 0; i < runs; i++)
        {
            var input = mutations.Changed(pool);
            var before = ways.Count;
            if (Tried(target, input, ways) is { } failure)
            {
                return (Smaller(target, input, failure), ways.Count);
            }

            if (ways.Count > before && pool.Count < PoolMax)
            {
                pool.Add(input);
            }
        }

        return (null, ways.Count);
    }

    /// <summary>What a target let through, or that it took more memory than it may; null where all is well.</summary>
    public static Exception? Tried(FuzzTarget target, byte[] input, HashSet<string>? ways = null)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            var way = target.Run(input);
            ways?.Add(way);
        }
#pragma warning disable CA1031 // Whatever is not declared is a find.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            return failure;
        }

        var taken = GC.GetAllocatedBytesForCurrentThread() - before;
        var most = BytesAlways + ((long)target.BytesPerByte * input.Length);
        return taken <= most ? null : new InvalidOperationException($"{input.Length} bytes of input took {taken} bytes of memory; {most} are allowed.");
    }

    /// <summary>Takes away what is not needed for the same failure.</summary>
    private static Find Smaller(FuzzTarget target, byte[] input, Exception failure)
    {
        var kind = failure.GetType();
        for (var size = Math.Max(1, input.Length / 2); size > 0; size /= 2)
        {
            for (var at = 0; at + size <= input.Length;)
            {
                byte[] less = [.. input[..at], .. input[(at + size)..]];
                if (Tried(target, less) is { } still && still.GetType() == kind)
                {
                    (input, failure) = (less, still);
                }
                else
                {
                    at += size;
                }
            }
        }

        return new Find(target, input, failure);
    }
}
