using System.Collections.Concurrent;

namespace CityGrid.Node.Hosting;

/// <summary>
/// So many calls a second for each caller, twice that at once. It remembers at most <see cref="CallersMax"/> callers, those that called last; the others start
/// with a full bucket again, which is what they would have by then. For many threads.
/// </summary>
internal sealed class TokenBuckets(int perSecond, TimeProvider clock)
{
    /// <summary>80 bytes each, so a node that is called from everywhere keeps 1 MB of them.</summary>
    public const int CallersMax = 10_000;

    private readonly ConcurrentDictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);
    private readonly Lock _sweeping = new();

    private double Most => 2.0 * perSecond;

    /// <summary>Takes one call of this caller; null where it may, or how long it has to wait.</summary>
    public TimeSpan? Take(string caller)
    {
        var now = clock.GetTimestamp();
        if (!_buckets.TryGetValue(caller, out var bucket))
        {
            Sweep(now);
            bucket = _buckets.GetOrAdd(caller, static (_, start) => new Bucket(start.Most, start.now), (Most, now));
        }

        lock (bucket)
        {
            bucket.Left = Math.Min(Most, bucket.Left + (clock.GetElapsedTime(bucket.At, now).TotalSeconds * perSecond));
            bucket.At = now;
            if (bucket.Left >= 1)
            {
                bucket.Left--;
                return null;
            }

            return TimeSpan.FromSeconds((1 - bucket.Left) / perSecond);
        }
    }

    /// <summary>Callers remembered.</summary>
    public int Count => _buckets.Count;

    /// <summary>Makes room: whoever has not called for so long that the bucket is full again is forgotten, and where that is nobody, the half that called first.</summary>
    private void Sweep(long now)
    {
        if (_buckets.Count < CallersMax)
        {
            return;
        }

        lock (_sweeping)
        {
            if (_buckets.Count < CallersMax)
            {
                return;
            }

            var oldest = _buckets.Select(entry => (entry.Key, entry.Value.At)).OrderBy(entry => entry.At).ToList();
            var full = oldest.Count(entry => clock.GetElapsedTime(entry.At, now).TotalSeconds >= 2);
            foreach (var (caller, _) in oldest.Take(Math.Max(full, CallersMax / 2)))
            {
                _buckets.TryRemove(caller, out _);
            }
        }
    }

    private sealed class Bucket(double left, long at)
    {
        public double Left { get; set; } = left;

        public long At { get; set; } = at;
    }
}
