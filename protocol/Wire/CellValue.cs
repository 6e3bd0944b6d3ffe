using CityGrid.Protocol.Names;

namespace CityGrid.Protocol.Wire;

/// <summary>A counter of a cell and its value, which is not zero.</summary>
public readonly record struct CounterCount(ushort Counter, long Value);

/// <summary>A bucket of a histogram (an index of <see cref="DurationEdges"/>) and its count, which is not zero.</summary>
public readonly record struct BucketCount(ushort Bucket, long Count);

/// <summary>A histogram of a cell: its buckets in rising order, at least one.</summary>
public sealed record HistogramCounts(ushort Histogram, IReadOnlyList<BucketCount> Buckets);

/// <summary>
/// What a cell holds, read out for looking at: counters and histograms in rising order of their ids, zeros left out. Two values are equal
/// exactly if their canonical bytes are; what moves and is kept is always the bytes.
/// </summary>
public sealed record CellValue(IReadOnlyList<CounterCount> Counters, IReadOnlyList<HistogramCounts> Histograms)
{
    public static readonly CellValue Zero = new([], []);

    /// <summary>The counter's value, 0 where the cell has none.</summary>
    public long this[Counter counter]
    {
        get
        {
            foreach (var entry in Counters)
            {
                if (entry.Counter == counter.Id)
                {
                    return entry.Value;
                }
            }

            return 0;
        }
    }

    /// <summary>The histogram's buckets, none where the cell has none.</summary>
    public IReadOnlyList<BucketCount> BucketsOf(Histogram histogram) =>
        Histograms.FirstOrDefault(h => h.Histogram == histogram.Id)?.Buckets ?? [];

    public bool Equals(CellValue? other) => other is not null && CellCodec.Encode(this).AsSpan().SequenceEqual(CellCodec.Encode(other));

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(CellCodec.Encode(this));
        return hash.ToHashCode();
    }
}
