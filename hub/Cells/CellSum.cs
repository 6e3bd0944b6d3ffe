using System.Numerics;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>
/// Adds cells up for showing: counters and histograms that this version knows, in checked 64-bit arithmetic (a sum past it throws
/// <see cref="OverflowException"/> to whoever asked, and to nobody else). Rates, means and percentiles are worked out here, at the end, from whole sums.
/// </summary>
/// <param name="withHistograms">False skips the histograms, for questions that need none of them.</param>
public sealed class CellSum(bool withHistograms = true)
{
    private static readonly Counter[] Known = [.. Counter.All.OrderBy(c => c.Id)];
    private static readonly sbyte[] SlotById = MakeSlots();

    private readonly long[] _counters = new long[Known.Length];
    private readonly long[]?[] _histograms = new long[]?[Histogram.All.Count];

    internal static int Counters => Known.Length;

    internal bool WithHistograms => withHistograms;

    /// <summary>The counter's sum.</summary>
    public long this[Counter counter] => _counters[SlotOf(counter.Id)];

    /// <summary>True when every counter is 0.</summary>
    public bool IsZero => !_counters.AsSpan().ContainsAnyExcept(0L);

    public void Clear()
    {
        Array.Clear(_counters);
        foreach (var histogram in _histograms)
        {
            histogram?.AsSpan().Clear();
        }
    }

    /// <summary>Adds a cell's value, in the canonical bytes of clause C4.</summary>
    public void Add(ReadOnlySpan<byte> value)
    {
        var reader = new CellReader(value);
        while (reader.NextCounter(out var id, out var count))
        {
            var slot = SlotOf(id);
            if (slot >= 0)
            {
                _counters[slot] += count;
            }
        }

        while (withHistograms && reader.NextHistogram(out var id))
        {
            var dense = IndexOf(id) is var index and >= 0 ? Dense(index) : null;
            while (reader.NextBucket(out var bucket, out var count))
            {
                if (dense is not null && bucket < dense.Length)
                {
                    dense[bucket] += count;
                }
            }
        }
    }

    public void Add(CellSum other)
    {
        AddCounters(other._counters);
        for (var i = 0; withHistograms && i < _histograms.Length; i++)
        {
            if (other._histograms[i] is { } counts)
            {
                var dense = Dense(i);
                for (var bucket = 0; bucket < counts.Length; bucket++)
                {
                    dense[bucket] += counts[bucket];
                }
            }
        }
    }

    /// <summary>How many durations the histogram holds.</summary>
    public long Total(Histogram histogram) => CountUpTo(histogram, DurationEdges.Overflow);

    /// <summary>
    /// How many took at most this long; null where this is no edge of the table and so has no exact answer.
    /// </summary>
    public long? Within(Histogram histogram, long seconds) =>
        DurationEdges.IsEdge(seconds, out var bucket) ? CountUpTo(histogram, bucket) : null;

    /// <summary>
    /// The duration, within 1 % from a minute to 400 days, that <paramref name="percent"/> (1 to 100) of 100 do not pass: of n durations in order the
    /// one at place ⌈n × percent / 100⌉. Null where there is none.
    /// </summary>
    public long? Percentile(Histogram histogram, int percent)
    {
        var total = Total(histogram);
        if (total <= 0)
        {
            return null;
        }

        // ⌈total × percent / 100⌉ without leaving 64 bits.
        var place = (total / 100 * percent) + (((total % 100 * percent) + 99) / 100);
        long seen = 0;
        for (var bucket = 0; bucket < DurationEdges.Buckets; bucket++)
        {
            seen += CountOf(histogram, bucket);
            if (seen >= place)
            {
                return DurationEdges.Representative(bucket);
            }
        }

        return DurationEdges.Representative(DurationEdges.Overflow);
    }

    /// <summary>The mean duration in whole seconds, rounded down, from the exact sum of seconds; null where there is none.</summary>
    public long? Mean(Histogram histogram) => this[histogram.Total] > 0 ? this[histogram.Seconds] / this[histogram.Total] : null;

    /// <summary>How many durations lie in this bucket of <see cref="DurationEdges"/>.</summary>
    public long CountOf(Histogram histogram, int bucket) => _histograms[IndexOf(histogram.Id)]?[bucket] ?? 0;

    internal static int SlotOf(int counter) => counter < SlotById.Length ? SlotById[counter] : -1;

    /// <summary>The place of a histogram among those that this version knows, or -1.</summary>
    internal static int IndexOf(int histogram) =>
        histogram is > 0 && histogram <= Histogram.All.Count && Histogram.All[histogram - 1].Id == histogram ? histogram - 1 : -1;

    internal void AddCounters(ReadOnlySpan<long> counters)
    {
        // Several at a time, for a view of the nation adds 13,500 rows; the sign of each sum tells whether it left 64 bits.
        var sums = _counters.AsSpan();
        var wrapped = Vector<long>.Zero;
        var at = 0;
        for (; at <= sums.Length - Vector<long>.Count; at += Vector<long>.Count)
        {
            Vector<long> before = new(sums[at..]), more = new(counters[at..]);
            var sum = before + more;
            wrapped |= (before ^ sum) & (more ^ sum);
            sum.CopyTo(sums[at..]);
        }

        for (; at < sums.Length; at++)
        {
            sums[at] += counters[at];
        }

        if (Vector.LessThanAny(wrapped, Vector<long>.Zero))
        {
            throw new OverflowException("A sum of counters is past 64 bits.");
        }
    }

    internal long[] Dense(int index) => _histograms[index] ??= new long[DurationEdges.Buckets];

    private long CountUpTo(Histogram histogram, int last)
    {
        long count = 0;
        for (var bucket = 0; bucket <= last; bucket++)
        {
            count += CountOf(histogram, bucket);
        }

        return count;
    }

    private static sbyte[] MakeSlots()
    {
        var slots = new sbyte[Known[^1].Id + 1];
        Array.Fill(slots, (sbyte)-1);
        for (var i = 0; i < Known.Length; i++)
        {
            slots[Known[i].Id] = (sbyte)i;
        }

        return slots;
    }
}
