namespace CityGrid.Hub.Cells;

/// <summary>The buckets of a histogram of sums that are in use, in order; 10 bytes each.</summary>
internal sealed class SparseCounts
{
    private ushort[] _buckets = new ushort[8];
    private long[] _counts = new long[8];
    private int _used;

    public long Bytes => 72 + (_buckets.Length * 10L);

    public void Add(ushort bucket, long count)
    {
        var at = _buckets.AsSpan(0, _used).BinarySearch(bucket);
        if (at >= 0)
        {
            _counts[at] = unchecked(_counts[at] + count);
            return;
        }

        at = ~at;
        if (_used == _buckets.Length)
        {
            Array.Resize(ref _buckets, _used + (_used >> 1));
            Array.Resize(ref _counts, _used + (_used >> 1));
        }

        _buckets.AsSpan(at, _used - at).CopyTo(_buckets.AsSpan(at + 1));
        _counts.AsSpan(at, _used - at).CopyTo(_counts.AsSpan(at + 1));
        _buckets[at] = bucket;
        _counts[at] = count;
        _used++;
    }

    public void AddTo(long[] dense)
    {
        for (var i = 0; i < _used; i++)
        {
            dense[_buckets[i]] += _counts[i];
        }
    }
}
