using CityGrid.Hub.Seams;

namespace CityGrid.Tests.Fuzz;

/// <summary>Throws changed inputs at a target: the same seed throws the same ones. Stops at the first find, which it makes as small as it can; one that hangs (<see cref="FuzzWatch"/>) stays as it is.</summary>
internal static class FuzzRun
{
    /// <summary>Inputs that went a new way and are changed further; more of them would each be changed too seldom.</summary>
    private const int PoolMax = 600;

    private const long BytesAlways = 32 << 20;

    public static (Find? Found, int Ways) Throw(FuzzTarget target, IReadOnlyList<byte[]> kept, ulong seed, int runs, TimeSpan? patience = null)
    {
        var ways = new HashSet<string>(StringComparer.Ordinal);
        var watch = new FuzzWatch(target, $"seed {seed}", patience ?? FuzzWatch.Patience);
        return (watch.Run(() => Throw(watch, target, kept, seed, runs, ways)), ways.Count);
    }

    /// <summary>The first of these inputs that a target does not bear, as it is; null where it bears them all.</summary>
    public static Find? First(FuzzTarget target, IEnumerable<byte[]> inputs)
    {
        var watch = new FuzzWatch(target, "an input that is kept", FuzzWatch.Patience);
        return watch.Run(() => inputs.Select(input => watch.Tried(input) is { } failure ? new Find(target, input, failure) : null).FirstOrDefault(find => find is not null));
    }

    private static Find? Throw(FuzzWatch watch, FuzzTarget target, IReadOnlyList<byte[]> kept, ulong seed, int runs, HashSet<string> ways)
    {
        var mutations = new Mutations(new SeededEntropy(seed), target);
        var pool = target.Seeds().Concat(kept).ToList();
        foreach (var input in pool)
        {
            if (watch.Tried(input, ways) is { } failure)
            {
                return new Find(target, input, failure);
            }
        }

        for (var i = 0; i < runs; i++)
        {
            var input = mutations.Changed(pool);
            var before = ways.Count;
            if (watch.Tried(input, ways) is { } failure)
            {
                return Smaller(watch, target, input, failure);
            }

            if (ways.Count > before && pool.Count < PoolMax)
            {
                pool.Add(input);
            }
        }

        return null;
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
    private static Find Smaller(FuzzWatch watch, FuzzTarget target, byte[] input, Exception failure)
    {
        var kind = failure.GetType();
        for (var size = Math.Max(1, input.Length / 2); size > 0; size /= 2)
        {
            for (var at = 0; at + size <= input.Length;)
            {
                byte[] less = [.. input[..at], .. input[(at + size)..]];
                if (watch.Tried(less) is { } still && still.GetType() == kind)
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
