using NodaTime;

namespace CityGrid.Hub.Seams;

/// <summary>The one place where a <see cref="TimeProvider"/> becomes a NodaTime instant.</summary>
public static class WallClock
{
    public static Instant Now(this TimeProvider clock) => Instant.FromDateTimeOffset(clock.GetUtcNow());
}
