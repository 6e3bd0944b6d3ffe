using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>Full-jitter exponential back-off: children that lost one parent come back spread over the whole pause, the first of which is as long as the parent wished.</summary>
internal static class Backoff
{
    /// <summary>The longest pause after this many failures in a row: the first, doubled each time, up to the most.</summary>
    public static Duration Most(SenderSettings settings, int failures)
    {
        var most = settings.BackoffFirst;
        for (var i = 1; i < failures && most < settings.BackoffMost; i++)
        {
            most += most;
        }

        return Duration.Min(most, settings.BackoffMost);
    }

    /// <summary>A pause drawn evenly from zero to <paramref name="most"/>, in whole milliseconds.</summary>
    public static Duration Drawn(Duration most, ulong draw) => Duration.FromMilliseconds((long)(draw % ((ulong)most.TotalMilliseconds + 1)));
}
