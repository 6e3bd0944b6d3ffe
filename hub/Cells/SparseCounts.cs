using System.Numerics;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Cells;

/// <summary>
/// The buckets of a histogram of sums: a sorted list while few are in use, a plain array from then on; 32 bits each until a count needs more.
/// </summary>
internal sealed class SparseCounts
{
    /// <summary>Past this a list of 6 bytes an entry is no smaller than 724 counts of 4, and slower.</summary>
    private const int ListMax = 256;

    private ushort[] _buckets = new ushort[8];
    private int[]? _counts = new int[8];
    private long[]? _wide;
    private int _used;

    public long Bytes => 48 + 24 + (_buckets.Length * 2L) + 24 + ((_counts?.Length ?? 0) * 4L) + ((_wide?.Length ?? 0) * 8L);

    private bool IsList => _buckets.Length > 0;

    public void Add(int bucket, long count)
    {
        if (_counts is not null && IsList)
        {
            AddToList((ushort)bucket, count);
        }
        else if (_counts is not null && FitsPlus(_counts[bucket], count))
        {
            _counts[bucket] += (int)count;
        }
        else
        {
            Widen();
            _wide![bucket] = unchecked(_wide[bucket] + count);
        }
    }

    public void AddTo(long[] dense)
    {
        if (_wide is not null)
        {
            for (var bucket = 0; bucket < _wide.Length; bucket++)
            {
                dense[bucket] += _wide[bucket];
            }
        }
        else if (IsList)
        {
            for (var i = 0; i < _used; i++)
            {
                dense[_buckets[i]] += _counts![i];
            }
        }
        else
        {
            AddTo(dense, _counts!);
        }
    }

    /// <summary>Eight at a time: a view of the nation passes ten million of them. 32-bit counts cannot carry a sum past 64 bits.</summary>
    private static void AddTo(Span<long> dense, ReadOnlySpan<int> counts)
    {
        var at = 0;
        for (; at <= counts.Length - Vector<int>.Count; at += Vector<int>.Count)
        {
            Vector.Widen(new Vector<int>(counts[at..]), out var low, out var high);
            (new Vector<long>(dense[at..]) + low).CopyTo(dense[at..]);
            (new Vector<long>(dense[(at + Vector<long>.Count)..]) + high).CopyTo(dense[(at + Vector<long>.Count)..]);
        }

        for (; at < counts.Length; at++)
        {
            dense[at] += counts[at];
        }
    }

    private void AddToList(ushort bucket, long count)
    {
        var at = _buckets.AsSpan(0, _used).BinarySearch(bucket);
        var before = at >= 0 ? _counts![at] : 0;
        if (!FitsPlus(before, count))
        {
            Widen();
            Add(bucket, count);
        }
        else if (at >= 0)
        {
            _counts![at] = before + (int)count;
        }
        else if (_used == ListMax)
        {
            _counts = [.. ToArray().Select(c => (int)c)];
            _buckets = [];
            Add(bucket, count);
        }
        else
        {
            Insert(~at, bucket, (int)count);
        }
    }

    private void Insert(int at, ushort bucket, int count)
    {
        if (_used == _buckets.Length)
        {
            Array.Resize(ref _buckets, _used + (_used >> 1));
            Array.Resize(ref _counts, _used + (_used >> 1));
        }

        _buckets.AsSpan(at, _used - at).CopyTo(_buckets.AsSpan(at + 1));
        _counts.AsSpan(at, _used - at).CopyTo(_counts.AsSpan(at + 1));
        _buckets[at] = bucket;
        _counts![at] = count;
        _used++;
    }

    private void Widen()
    {
        _wide ??= ToArray();
        _counts = null;
        _buckets = [];
    }

    private long[] ToArray()
    {
        var dense = new long[DurationEdges.Buckets];
        AddTo(dense);
        return dense;
    }

    private static bool FitsPlus(int before, long count) => count is >= int.MinValue and <= int.MaxValue && before + count is >= int.MinValue and <= int.MaxValue;
}
