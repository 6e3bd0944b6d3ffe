using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>
/// How many bytes of parts may be under way at once (L14), so that what cannot wait never stands behind more than half a second of what can. The
/// line says how fast it is by how long answers take: the window doubles while they come quickly and it is what holds the sender back, and shrinks in
/// proportion where one took too long. (The delay as the signal, as in TCP Vegas, Brakmo and Peterson 1994: loss would come too late, for the
/// queue in front of a slow line is seconds deep before anything is lost.)
/// </summary>
/// <param name="Window">Bytes that may be under way. One part may always be.</param>
/// <param name="Since">What was sent before this was sent under another window and says nothing about this one.</param>
public readonly record struct Pace(long Window, Instant Since)
{
    /// <summary>A second of a line of 256 kbit/s: what the first answers show to be too much is gone within that second.</summary>
    public const long First = 32 << 10;

    /// <summary>Half a second of 128 kbit/s. Below it a part would be mostly frame.</summary>
    public const long Least = 8 << 10;

    /// <summary>100 Mbit/s with 60 ms of delay hold 750 kB.</summary>
    public const long Most = 1 << 20;

    /// <summary>How long a part may take from its sending to its answer.</summary>
    public static readonly Duration Patience = Duration.FromMilliseconds(500);

    public static readonly Pace Start = new(First, Instant.MinValue);

    /// <summary>The size to cut parts to: four fill the window, so that one is answered while the next are on their way.</summary>
    public int PartBytes => (int)Math.Clamp(Window / 4, Least / 4, Most / 8);

    /// <summary>Whether a part of so many bytes may go while others are under way.</summary>
    public bool Allows(long underWay, long bytes, long credit) => underWay == 0 || underWay + bytes <= Math.Min(Window, credit);

    /// <summary>The pace after an answer.</summary>
    /// <param name="sentAt">When the part was sent.</param>
    /// <param name="now">When its answer came.</param>
    /// <param name="bytes">The bytes of the parts that it answers.</param>
    /// <param name="wasFull">The window was what held the sender back.</param>
    public Pace After(Instant sentAt, Instant now, long bytes, bool wasFull)
    {
        var took = Duration.Max(now - sentAt, Duration.Zero);
        if (took > Patience && sentAt >= Since)
        {
            var shrunk = Math.Max(Window * (long)Patience.TotalMilliseconds / (long)took.TotalMilliseconds, Window / 2);
            return new Pace(Math.Max(shrunk, Least), now);
        }

        return wasFull && took + took <= Patience ? this with { Window = Math.Min(Window + bytes, Most) } : this;
    }

    /// <summary>A new connection may run over another line: it begins no faster than the first did.</summary>
    public Pace Reconnected() => new(Math.Min(Window, First), Instant.MinValue);
}
