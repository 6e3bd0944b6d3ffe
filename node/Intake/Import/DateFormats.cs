using System.Globalization;
using NodaTime;

namespace CityGrid.Node.Intake.Import;

/// <summary>
/// How a file writes times. A format is a .NET custom one (<c>MM/dd/yyyy hh:mm:ss tt</c>) or a name: <c>iso</c>, <c>unix-seconds</c>,
/// <c>unix-milliseconds</c>. A time with an offset is taken as it is; one without is local time of the zone, where a time that the clocks
/// show twice is the earlier of the two and one that they skip is moved forward by what they skip.
/// </summary>
internal sealed class DateFormats
{
    public const string UnixSeconds = "unix-seconds";
    public const string UnixMilliseconds = "unix-milliseconds";
    public const string Iso = "iso";

    private static readonly string[] IsoFormats =
        ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd' 'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd' 'HH:mmK", "yyyy-MM-dd"];

    // What lies outside is a typing error or a placeholder (0001-01-01, 9999-12-31), not a time of a case.
    private static readonly Instant Earliest = Instant.FromUtc(1900, 1, 1, 0, 0);
    private static readonly Instant Latest = Instant.FromUtc(2200, 1, 1, 0, 0);

    private readonly string[] _formats;
    private readonly DateTimeZone _zone;

    public DateFormats(IEnumerable<string> formats, DateTimeZone zone)
    {
        _formats = [.. formats.SelectMany(f => f == Iso ? IsoFormats : [f])];
        _zone = zone;
    }

    /// <summary>Why a format cannot be used; null where it can.</summary>
    public static string? FaultOf(string format)
    {
        if (format is Iso or UnixSeconds or UnixMilliseconds)
        {
            return null;
        }

        // An afternoon time on a day whose day and month differ must survive being written and read.
        var sample = new DateTime(2001, 2, 23, 15, 4, 5, DateTimeKind.Utc);
        try
        {
            var written = sample.ToString(format, CultureInfo.InvariantCulture);
            if (!DateTime.TryParseExact(written, format, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var read) || read.Date != sample.Date)
            {
                return "it does not hold a whole date (yyyy, MM and dd)";
            }

            if (read.TimeOfDay != TimeSpan.Zero && read.Hour != sample.Hour)
            {
                return "it holds a twelve-hour clock (hh) without AM or PM (tt); use HH for 24 hours";
            }

            return format.Contains('Z') && read.Kind != DateTimeKind.Utc ? "its Z would be read as a mere letter; use K, or the name iso" : null;
        }
        catch (FormatException)
        {
            return "it is no .NET date format";
        }
    }

    public bool TryRead(string text, out Instant instant)
    {
        foreach (var format in _formats)
        {
            if (TryRead(text, format, out instant))
            {
                return instant >= Earliest && instant < Latest;
            }
        }

        instant = default;
        return false;
    }

    private bool TryRead(string text, string format, out Instant instant)
    {
        instant = default;
        if (format is UnixSeconds or UnixMilliseconds)
        {
            var most = (Latest - Instant.FromUnixTimeSeconds(0)).TotalSeconds * (format == UnixSeconds ? 1 : 1000);
            if (text.Contains('\0') || !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) || number >= most || number <= -most)
            {
                return false;
            }

            instant = format == UnixSeconds ? Instant.FromUnixTimeSeconds(number) : Instant.FromUnixTimeMilliseconds(number);
            return true;
        }

        if (!DateTime.TryParseExact(text, format, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var time)
            || time.Year is < 1899 or > 2200)
        {
            return false;
        }

        instant = time.Kind == DateTimeKind.Utc
            ? Instant.FromDateTimeUtc(time)
            : _zone.AtLeniently(LocalDateTime.FromDateTime(time)).ToInstant();
        return true;
    }
}
