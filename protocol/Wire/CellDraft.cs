using CityGrid.Protocol.Names;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// A cell value that is being added up. It takes canonical bytes in, deltas, and gives canonical bytes out; entries that come to zero vanish.
/// Made to be kept and used again: <see cref="Clear"/> leaves its memory in place.
/// </summary>
public sealed class CellDraft
{
    /// <summary>As many counters, and as many buckets, as a cell has that a few cases fell into: a replay takes thousands of cells apart at once.</summary>
    private const int EntriesAtFirst = 8;

    private ushort[] _counterIds = new ushort[EntriesAtFirst];
    private long[] _counterValues = new long[EntriesAtFirst];
    private int _counters;

    // Histogram id in the upper 16 bits, bucket in the lower: the order of the canonical form.
    private uint[] _bucketKeys = new uint[EntriesAtFirst];
    private long[] _bucketCounts = new long[EntriesAtFirst];
    private int _buckets;

    /// <summary>How many counters and buckets are not zero.</summary>
    public int Entries => _counters + _buckets;

    /// <summary>No more than this many bytes are needed by <see cref="WriteTo"/>.</summary>
    public int BytesBound => (2 + Entries + _buckets) * (Varint.BytesMax + 3);

    public void Clear()
    {
        _counters = 0;
        _buckets = 0;
    }

    public long this[Counter counter]
    {
        get
        {
            var at = _counterIds.AsSpan(0, _counters).BinarySearch(counter.Id);
            return at >= 0 ? _counterValues[at] : 0;
        }
    }

    /// <summary>
    /// Adds to a counter. Sums wrap at 64 bits instead of throwing: a fold may not stop a node, subtracting brings the true value back, and a
    /// value past 10^15 is never accepted by a parent.
    /// </summary>
    public void Add(ushort counter, long delta)
    {
        if (counter == 0)
        {
            throw new ArgumentOutOfRangeException(nameof(counter), counter, "Counter ids start at 1.");
        }

        var at = _counters == 0 || _counterIds[_counters - 1] < counter ? ~_counters : _counterIds.AsSpan(0, _counters).BinarySearch(counter);
        AddAt(ref _counterIds, ref _counterValues, ref _counters, at, counter, delta);
    }

    /// <summary>Adds to a bucket of a histogram, by the bucket's index in <see cref="DurationEdges"/>.</summary>
    public void AddBucket(ushort histogram, ushort bucket, long delta)
    {
        if (histogram == 0)
        {
            throw new ArgumentOutOfRangeException(nameof(histogram), histogram, "Histogram ids start at 1.");
        }

        var key = ((uint)histogram << 16) | bucket;
        var at = _buckets == 0 || _bucketKeys[_buckets - 1] < key ? ~_buckets : _bucketKeys.AsSpan(0, _buckets).BinarySearch(key);
        AddAt(ref _bucketKeys, ref _bucketCounts, ref _buckets, at, key, delta);
    }

    /// <summary>Adds to the bucket that holds a duration of this many seconds. The histogram's counters are the caller's to add to.</summary>
    public void AddDuration(ushort histogram, long seconds, long delta) => AddBucket(histogram, (ushort)DurationEdges.BucketOf(seconds), delta);

    /// <summary>Adds a whole value; false for bytes that are not canonical, of which a part may then have been added.</summary>
    public bool Add(ReadOnlySpan<byte> value)
    {
        var reader = new CellReader(value);
        while (reader.NextCounter(out var id, out var count))
        {
            Add((ushort)id, count);
        }

        while (reader.NextHistogram(out var id))
        {
            while (reader.NextBucket(out var bucket, out var count))
            {
                AddBucket((ushort)id, (ushort)bucket, count);
            }
        }

        return reader.IsAtEnd;
    }

    public byte[] ToBytes()
    {
        var buffer = new byte[BytesBound];
        return buffer.AsSpan(0, WriteTo(buffer)).ToArray();
    }

    /// <summary>Writes the canonical form and answers its length; <paramref name="target"/> must hold <see cref="BytesBound"/> bytes.</summary>
    public int WriteTo(Span<byte> target)
    {
        var at = Varint.Write(target, (ulong)_counters);
        var previous = 0;
        for (var i = 0; i < _counters; i++)
        {
            at += Varint.Write(target[at..], (ulong)(_counterIds[i] - previous));
            at += Varint.Write(target[at..], Varint.ZigZag(_counterValues[i]));
            previous = _counterIds[i];
        }

        at += Varint.Write(target[at..], (ulong)HistogramCount());
        uint previousHistogram = 0;
        for (var i = 0; i < _buckets;)
        {
            var histogram = _bucketKeys[i] >> 16;
            at += Varint.Write(target[at..], histogram - previousHistogram);
            at += WriteBuckets(target[at..], histogram, ref i);
            previousHistogram = histogram;
        }

        return at;
    }

    private int WriteBuckets(Span<byte> target, uint histogram, ref int next)
    {
        var end = next;
        while (end < _buckets && _bucketKeys[end] >> 16 == histogram)
        {
            end++;
        }

        var at = Varint.Write(target, (ulong)(end - next));
        uint previous = 0;
        for (; next < end; next++)
        {
            var bucket = _bucketKeys[next] & 0xFFFF;
            at += Varint.Write(target[at..], bucket - previous);
            at += Varint.Write(target[at..], Varint.ZigZag(_bucketCounts[next]));
            previous = bucket;
        }

        return at;
    }

    private int HistogramCount()
    {
        var count = 0;
        for (var i = 0; i < _buckets; i++)
        {
            if (i == 0 || _bucketKeys[i] >> 16 != _bucketKeys[i - 1] >> 16)
            {
                count++;
            }
        }

        return count;
    }

    private static void AddAt<T>(ref T[] keys, ref long[] values, ref int count, int at, T key, long delta)
    {
        if (delta == 0)
        {
            return;
        }

        if (at >= 0)
        {
            values[at] = unchecked(values[at] + delta);
            if (values[at] == 0)
            {
                count--;
                keys.AsSpan(at + 1, count - at).CopyTo(keys.AsSpan(at));
                values.AsSpan(at + 1, count - at).CopyTo(values.AsSpan(at));
            }

            return;
        }

        at = ~at;
        if (count == keys.Length)
        {
            Array.Resize(ref keys, count * 2);
            Array.Resize(ref values, count * 2);
        }

        keys.AsSpan(at, count - at).CopyTo(keys.AsSpan(at + 1));
        values.AsSpan(at, count - at).CopyTo(values.AsSpan(at + 1));
        keys[at] = key;
        values[at] = delta;
        count++;
    }
}
