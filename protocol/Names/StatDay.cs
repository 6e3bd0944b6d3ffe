using System.Globalization;
using NodaTime;

namespace CityGrid.Protocol.Names;

/// <summary>A statistical day (统计日): a calendar day in the place's own zone, kept as days since 1970-01-01.</summary>
public readonly record struct StatDay(int Number) : IComparable<StatDay>
{
    private static readonly LocalDate Origin = new(1970, 1, 1);

    /// <summary>The day that holds <paramref name="instant"/> in <paramref name="zone"/>.</summary>
    public static StatDay Of(Instant instant, DateTimeZone zone) => Of(instant.InZone(zone).Date);

    public static StatDay Of(LocalDate date) => new(Period.DaysBetween(Origin, date));

    public LocalDate Date => Origin.PlusDays(Number);

    /// <summary>The first instant of the day in <paramref name="zone"/>.</summary>
    public Instant StartsAt(DateTimeZone zone) => zone.AtStartOfDay(Date).ToInstant();

    public StatDay Plus(int days) => new(Number + days);

    /// <summary>Reads <c>yyyy-MM-dd</c>; false when the text is no day.</summary>
    public static bool TryParse(string? text, out StatDay day)
    {
        // The library takes a NUL for the end of the text, whatever stands behind it.
        var parsed = NodaTime.Text.LocalDatePattern.Iso.Parse(text ?? string.Empty);
        var good = parsed.Success && !text!.Contains('\0');
        day = good ? Of(parsed.Value) : default;
        return good;
    }

    public int CompareTo(StatDay other) => Number.CompareTo(other.Number);

    public static bool operator <(StatDay a, StatDay b) => a.Number < b.Number;

    public static bool operator >(StatDay a, StatDay b) => a.Number > b.Number;

    public static bool operator <=(StatDay a, StatDay b) => a.Number <= b.Number;

    public static bool operator >=(StatDay a, StatDay b) => a.Number >= b.Number;

    /// <summary>ISO 8601, <c>yyyy-MM-dd</c>.</summary>
    public override string ToString() => Date.ToString("uuuu-MM-dd", CultureInfo.InvariantCulture);
}
