using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Load;

/// <summary>
/// The pressure that a node is under, measured ten times a second at most, and what it lets go of because of it. For many threads.
/// </summary>
/// <param name="measure">Reads the pressure; quick, and throws nothing.</param>
/// <param name="clock">Says when to measure again.</param>
public sealed class PressureGauge(Func<Pressure> measure, TimeProvider clock)
{
    private static readonly TimeSpan MeasureEvery = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly long[] _shed = new long[(int)CallKind.Essential];
    private Pressure _pressure;
    private int _level;
    private long? _measured;

    /// <summary>A node that nothing presses.</summary>
    public static PressureGauge Calm { get; } = new(() => default, TimeProvider.System);

    /// <summary>Is told of each change of what is let go of: how many kinds are now, and the pressure.</summary>
    public Action<int, Pressure>? Changed { get; set; }

    /// <summary>The pressure and how many kinds of calls are let go of.</summary>
    public (Pressure Pressure, int Level) Now
    {
        get
        {
            lock (_lock)
            {
                if (_measured is { } at && clock.GetElapsedTime(at) < MeasureEvery)
                {
                    return (_pressure, _level);
                }

                _measured = clock.GetTimestamp();
                _pressure = measure();
                var before = _level;
                _level = Shedding.Level(_pressure, before);
                if (_level != before)
                {
                    Changed?.Invoke(_level, _pressure);
                }

                return (_pressure, _level);
            }
        }
    }

    /// <summary>Why a call is not taken now, which is counted; null where it is.</summary>
    public Refusal? Shed(CallKind kind)
    {
        if (kind == CallKind.Essential)
        {
            return null;
        }

        var (pressure, level) = Now;
        var refusal = Shedding.Decide(level, pressure, kind);
        if (refusal is not null)
        {
            Interlocked.Increment(ref _shed[(int)kind]);
        }

        return refusal;
    }

    /// <summary>Calls of a kind that were let go of since the start.</summary>
    public long CountOf(CallKind kind) => Interlocked.Read(ref _shed[(int)kind]);
}
