using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>The number of a series of this node's own cells.</summary>
public readonly record struct OwnSeries(int Number);

/// <summary>A change to one counter of a cell.</summary>
public readonly record struct CounterChange(ushort Counter, long Delta);

/// <summary>A change to one histogram of a cell: a whole number of seconds counted in (+1) or withdrawn (-1).</summary>
public readonly record struct DurationChange(ushort Histogram, long Seconds, long Delta);

/// <summary>The same by the bucket that the seconds fall into (<see cref="DurationEdges"/>).</summary>
public readonly record struct BucketChange(ushort Histogram, ushort Bucket, long Delta)
{
    public static BucketChange Of(ushort histogram, long seconds, long delta) => new(histogram, (ushort)DurationEdges.BucketOf(seconds), delta);
}

/// <summary>What one event changes in one of the origin's own cells.</summary>
public readonly record struct CellChange(CellKey Key, IReadOnlyList<CounterChange> Counters, IReadOnlyList<DurationChange> Durations);

/// <summary>The same without the cell's name.</summary>
internal readonly ref struct CellAddition(ReadOnlySpan<CounterChange> counters, ReadOnlySpan<BucketChange> buckets)
{
    private readonly ReadOnlySpan<CounterChange> _counters = counters;
    private readonly ReadOnlySpan<BucketChange> _buckets = buckets;

    /// <summary>False where all that is added is taken away again, in each counter and each bucket.</summary>
    public bool ChangesValue()
    {
        var (raises, lowers) = (false, false);
        foreach (ref readonly var one in _counters)
        {
            raises |= one.Delta > 0;
            lowers |= one.Delta < 0;
        }

        foreach (ref readonly var one in _buckets)
        {
            raises |= one.Delta > 0;
            lowers |= one.Delta < 0;
        }

        return raises != lowers || (raises && !CancelsOut());
    }

    /// <summary>Throws where an id is 0, which names nothing.</summary>
    public void Check()
    {
        foreach (ref readonly var one in _counters)
        {
            ArgumentOutOfRangeException.ThrowIfZero(one.Counter);
        }

        foreach (ref readonly var one in _buckets)
        {
            ArgumentOutOfRangeException.ThrowIfZero(one.Histogram);
        }
    }

    public void AddTo(CellDraft draft)
    {
        foreach (ref readonly var one in _counters)
        {
            draft.Add(one.Counter, one.Delta);
        }

        foreach (ref readonly var one in _buckets)
        {
            draft.AddBucket(one.Histogram, one.Bucket, one.Delta);
        }
    }

    private bool CancelsOut() =>
        _counters.ToArray().GroupBy(c => c.Counter).All(c => c.Aggregate(0L, (sum, one) => unchecked(sum + one.Delta)) == 0)
        && _buckets.ToArray().GroupBy(d => (d.Histogram, d.Bucket)).All(d => d.Aggregate(0L, (sum, one) => unchecked(sum + one.Delta)) == 0);
}
