using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace CityGrid.Node.Hosting;

/// <summary>
/// The process's meters in the Prometheus text format 0.0.4. It listens to <c>System.Diagnostics.Metrics</c>, so nothing else in the program knows
/// how figures leave it. Safe for many threads.
/// </summary>
public sealed class MetricsText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Meters that are listened to; all others cost nothing.</summary>
    private static readonly string[] Meters =
        [NodeMeter.MeterName, "CityGrid.Hub", "System.Runtime", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel"];

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<Instrument, MetricFamily> _families = new();

    public MetricsText()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (Meters.Contains(instrument.Meter.Name))
            {
                listener.EnableMeasurementEvents(instrument, _families.GetOrAdd(instrument, static i => MetricFamily.Of(i)));
            }
        };
        _listener.MeasurementsCompleted = (instrument, _) => _families.TryRemove(instrument, out MetricFamily? _);
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => Record(state, value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => Record(state, value, tags));
        _listener.Start();
    }

    /// <summary>All families in order of name, with the observed ones asked now.</summary>
    public string Render()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder();
        foreach (var group in _families.Values.GroupBy(family => family.Name).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            group.First().WriteHead(text);
            foreach (var family in group)
            {
                family.WriteSeries(text);
            }
        }

        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private static void Record(object? state, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) => ((MetricFamily)state!).Record(value, tags);
}

/// <summary>One instrument and its series, by tags.</summary>
internal sealed class MetricFamily
{
    /// <summary>A family with more series has a tag that it should not have; further ones are dropped. 50 routes x 8 statuses fit.</summary>
    private const int SeriesMax = 500;

    private static readonly double[] UsualBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly Dictionary<string, Series> _series = new(StringComparer.Ordinal);

    /// <summary>The tags met so far, as they were given, and whose they are: a call that is counted five times over makes no text of them again.</summary>
    private ImmutableArray<(KeyValuePair<string, object?>[] Tags, Series Series)> _met = [];
    private readonly string _help;
    private readonly string _type;
    private readonly bool _adds;
    private readonly double[] _bounds;

    private MetricFamily(string name, string help, string type, bool adds, double[] bounds)
    {
        Name = name;
        _help = help;
        _type = type;
        _adds = adds;
        _bounds = bounds;
    }

    public string Name { get; }

    public static MetricFamily Of(Instrument instrument)
    {
        var kind = instrument.GetType().Name;
        var type = kind.StartsWith("Histogram", StringComparison.Ordinal) ? "histogram"
            : kind.StartsWith("Counter", StringComparison.Ordinal) || kind.StartsWith("ObservableCounter", StringComparison.Ordinal) ? "counter"
            : "gauge";
        var unit = instrument.Unit switch { "s" => "_seconds", "By" => "_bytes", _ => string.Empty };
        var name = string.Concat(instrument.Name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        name = unit.Length == 0 || name.EndsWith(unit, StringComparison.Ordinal) ? name : name + unit;
        var bounds = (instrument as Histogram<double>)?.Advice?.HistogramBucketBoundaries?.ToArray() ?? UsualBounds;
        return new MetricFamily(
            type == "counter" && !name.EndsWith("_total", StringComparison.Ordinal) ? name + "_total" : name,
            instrument.Description ?? string.Empty,
            type,
            !instrument.IsObservable && kind.StartsWith("Gauge", StringComparison.Ordinal) is false,
            type == "histogram" ? bounds : []);
    }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var at = _type == "histogram" ? BucketOf(value) : -1;
        (Met(tags) ?? Meet(tags))?.Add(value, _adds, at);
    }

    public void WriteHead(StringBuilder text) => text
        .Append("# HELP ").Append(Name).Append(' ').Append(_help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n')
        .Append("# TYPE ").Append(Name).Append(' ').Append(_type).Append('\n');

    public void WriteSeries(StringBuilder text)
    {
        lock (_series)
        {
            foreach (var (labels, series) in _series)
            {
                var (sum, counts) = series.Now();
                if (_type != "histogram")
                {
                    WriteSample(text, string.Empty, labels, sum);
                    continue;
                }

                long below = 0;
                for (var i = 0; i < counts.Length; i++)
                {
                    below += counts[i];
                    var bound = $"le=\"{(i < _bounds.Length ? _bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf")}\"";
                    WriteSample(text, "_bucket", labels.Length == 0 ? bound : $"{labels},{bound}", below);
                }

                WriteSample(text, "_sum", labels, sum);
                WriteSample(text, "_count", labels, below);
            }
        }
    }

    private void WriteSample(StringBuilder text, string suffix, string labels, double value)
    {
        text.Append(Name).Append(suffix);
        if (labels.Length > 0)
        {
            text.Append('{').Append(labels).Append('}');
        }

        text.Append(' ').Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    private Series? Met(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach (var (known, series) in _met)
        {
            if (Same(tags, known))
            {
                return series;
            }
        }

        return null;
    }

    private static bool Same(ReadOnlySpan<KeyValuePair<string, object?>> tags, KeyValuePair<string, object?>[] known)
    {
        for (var i = 0; i < tags.Length && tags.Length == known.Length; i++)
        {
            if (tags[i].Key != known[i].Key || !Equals(tags[i].Value, known[i].Value))
            {
                return false;
            }
        }

        return tags.Length == known.Length;
    }

    /// <summary>The series of tags that were not met before in this order; null where there are too many.</summary>
    private Series? Meet(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = tags.IsEmpty ? string.Empty : Labels(tags);
        lock (_series)
        {
            if (!_series.TryGetValue(labels, out var series))
            {
                if (_series.Count == SeriesMax)
                {
                    return null;
                }

                _series.Add(labels, series = new Series(_type == "histogram" ? _bounds.Length + 1 : 0));
            }

            if (_met.Length < SeriesMax)
            {
                _met = _met.Add((tags.ToArray(), series));
            }

            return series;
        }
    }

    private int BucketOf(double value)
    {
        var at = Array.BinarySearch(_bounds, value);
        return at >= 0 ? at : ~at;
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new List<string>(tags.Length);
        foreach (var (key, value) in tags)
        {
            var name = string.Concat(key.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
            var shown = Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty;
            labels.Add($"{name}=\"{shown.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}\"");
        }

        labels.Sort(StringComparer.Ordinal);
        return string.Join(',', labels);
    }

    private sealed class Series(int buckets)
    {
        private readonly Lock _lock = new();
        private readonly long[] _counts = new long[buckets];
        private double _sum;

        public void Add(double value, bool adds, int bucket)
        {
            lock (_lock)
            {
                _sum = adds ? _sum + value : value;
                if (bucket >= 0)
                {
                    _counts[bucket]++;
                }
            }
        }

        public (double Sum, long[] Counts) Now()
        {
            lock (_lock)
            {
                return (_sum, [.. _counts]);
            }
        }
    }
}
