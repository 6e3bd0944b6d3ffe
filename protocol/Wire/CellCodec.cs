using CityGrid.Protocol.Names;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// The canonical bytes of a cell value (protocol/README.md, clause C4). One value has exactly one form, so that equal content is equal bytes and
/// digests can be compared; any other form is refused. Counters and histograms that this version does not know are kept.
/// </summary>
public static class CellCodec
{
    /// <summary>Bytes that are no canonical cell value.</summary>
    public const string Malformed = "CELL_MALFORMED";

    /// <summary>
    /// The most bytes of one value: three histograms of 724 buckets with nine bytes each are 20 kB, and as many again for what a newer version
    /// may add.
    /// </summary>
    public const int BytesMax = 32 << 10;

    /// <summary>The value without any counter: a cell that fell to zero.</summary>
    public static ReadOnlySpan<byte> Zero => [0, 0];

    public static bool IsZero(ReadOnlySpan<byte> value) => value.Length == 2 && value[0] == 0 && value[1] == 0;

    /// <summary>Null when the bytes are the canonical form of a value, else the refusal.</summary>
    public static Refusal? Check(ReadOnlySpan<byte> bytes) =>
        bytes.Length > BytesMax
            ? new Refusal(Malformed, $"A cell value has at most {BytesMax} bytes, this one has {bytes.Length}. Send the canonical form of clause C4.")
            : IsCanonical(bytes)
                ? null
                : new Refusal(Malformed, $"The {bytes.Length} bytes of this cell value are not in the canonical form of clause C4.");

    /// <summary>Whether the bytes are the canonical form of a value.</summary>
    public static bool IsCanonical(ReadOnlySpan<byte> bytes)
    {
        var reader = new CellReader(bytes);
        while (reader.NextCounter(out _, out _))
        {
        }

        while (reader.NextHistogram(out _))
        {
            while (reader.NextBucket(out _, out _))
            {
            }
        }

        return reader.IsAtEnd && bytes.Length <= BytesMax;
    }

    /// <summary>The canonical bytes. A value that is out of order, names an entry twice or holds a zero throws <see cref="ArgumentException"/>.</summary>
    public static byte[] Encode(CellValue value)
    {
        var draft = new CellDraft();
        foreach (var (counter, count) in value.Counters)
        {
            draft.Add(counter, count);
        }

        foreach (var histogram in value.Histograms)
        {
            foreach (var (bucket, count) in histogram.Buckets)
            {
                draft.AddBucket(histogram.Histogram, bucket, count);
            }
        }

        return draft.Entries == value.Counters.Count + value.Histograms.Sum(h => h.Buckets.Count)
            ? draft.ToBytes()
            : throw new ArgumentException("A cell value names each counter and bucket once and holds no zero.", nameof(value));
    }

    /// <summary>The value, or null with the refusal.</summary>
    public static CellValue? Decode(ReadOnlySpan<byte> bytes, out Refusal? refusal)
    {
        refusal = Check(bytes);
        if (refusal is not null)
        {
            return null;
        }

        var reader = new CellReader(bytes);
        var counters = new List<CounterCount>();
        while (reader.NextCounter(out var id, out var value))
        {
            counters.Add(new((ushort)id, value));
        }

        var histograms = new List<HistogramCounts>();
        while (reader.NextHistogram(out var id))
        {
            var buckets = new List<BucketCount>();
            while (reader.NextBucket(out var bucket, out var count))
            {
                buckets.Add(new((ushort)bucket, count));
            }

            histograms.Add(new((ushort)id, buckets));
        }

        return new CellValue(counters, histograms);
    }
}
