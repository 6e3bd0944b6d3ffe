using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Load;

/// <summary>
/// Whether the data disk has room for what is new (INV-25). Its last bytes are kept for what is under way: a write that finds none ends a node, so what may be refused is refused
/// before that, while readers are answered, deadlines run, orders are answered, and the link up empties what waits. It goes on by itself once there is room. For many threads.
/// </summary>
/// <param name="free">Reads how many bytes are free; asked ten times a second at most.</param>
/// <param name="reserve">Bytes that are kept; 0 keeps none.</param>
/// <param name="clock">Says when to measure again.</param>
public sealed class DiskRoom(Func<long> free, long reserve, TimeProvider clock)
{
    public const string Full = "DISK_FULL";

    private static readonly TimeSpan MeasureEvery = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private long? _measured;
    private Refusal? _short;

    /// <summary>Why nothing new is taken; null where it is. Once short, there must be a quarter more room than is kept.</summary>
    public Refusal? Short
    {
        get
        {
            if (reserve == 0)
            {
                return null;
            }

            lock (_lock)
            {
                if (_measured is not { } at || clock.GetElapsedTime(at) >= MeasureEvery)
                {
                    _measured = clock.GetTimestamp();
                    _short = ShortOf(free(), reserve, _short is not null);
                }

                return _short;
            }
        }
    }

    private static Refusal? ShortOf(long free, long reserve, bool wasShort) =>
        free >= (wasShort ? reserve + (reserve / 4) : reserve)
            ? null
            : new Refusal(Full, $"{free >> 20} MiB are free on the data disk, and {reserve >> 20} are kept for what is under way (limits.diskReserveMegabytes): nothing new is taken. Make room; it goes on by itself.");
}
