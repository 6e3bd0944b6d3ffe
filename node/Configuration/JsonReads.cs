using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Node.Configuration;

/// <summary>The kinds of values that a configuration file has.</summary>
internal static class JsonReads
{
    /// <summary>A method that reads a text; false where it is none.</summary>
    public delegate bool TryParse<T>(string? text, out T value);

    public static TryRead<T> Text<T>(TryParse<T> parse) => (JsonElement element, [MaybeNullWhen(false)] out T value) =>
    {
        value = default!;
        return element.ValueKind == JsonValueKind.String && parse(element.GetString(), out value);
    };

    public static TryRead<int> Whole(int least, int most) => (JsonElement element, out int value) =>
    {
        value = 0;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out value) && value >= least && value <= most;
    };

    /// <summary>A whole number with a unit: <c>30s</c>, <c>15m</c>, <c>26h</c>, <c>2d</c> (of 24 hours each).</summary>
    public static TryRead<Duration> Span(Duration least, Duration most) => (JsonElement element, out Duration value) =>
    {
        value = Duration.Zero;
        return element.ValueKind == JsonValueKind.String && TryParseSpan(element.GetString()!, out value) && value >= least && value <= most;
    };

    public static bool TryReadDate(JsonElement element, out LocalDate value)
    {
        value = default;
        return element.ValueKind == JsonValueKind.String && LocalDatePattern.Iso.Parse(element.GetString()!.Replace('\0', '?')).TryGetValue(default, out value);
    }

    /// <summary>A name of an enum's value, written with a small first letter; numbers are refused.</summary>
    public static bool TryReadName<T>(JsonElement element, out T value)
        where T : struct, Enum
    {
        value = default;
        if (element.ValueKind != JsonValueKind.String)
        {
            return false;
        }

        var text = element.GetString();
        foreach (var candidate in Enum.GetValues<T>())
        {
            if (Name(candidate) == text)
            {
                value = candidate;
                return true;
            }
        }

        return false;
    }

    public static string Name<T>(T value)
        where T : struct, Enum
        => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    public static string Names<T>(IEnumerable<T> values)
        where T : struct, Enum
        => string.Join(", ", values.Select(Name));

    /// <summary>Hours of a day: <c>08:00-12:00</c>; <c>24:00</c> is the end of the day.</summary>
    public static bool TryReadHours(JsonElement element, out WorkHours value)
    {
        value = default;
        if (element.ValueKind != JsonValueKind.String || element.GetString()!.Split('-') is not [var from, var to]
            || !TryParseMinute(from, out var first) || !TryParseMinute(to, out var last) || first >= last)
        {
            return false;
        }

        value = new WorkHours(first, last);
        return true;
    }

    public static string Shown(Duration span) => span switch
    {
        _ when span == Duration.Zero => "0s",
        _ when span == Duration.FromDays(span.Days) => $"{span.Days}d",
        _ when span == Duration.FromHours((long)span.TotalHours) => $"{(long)span.TotalHours}h",
        _ when span == Duration.FromMinutes((long)span.TotalMinutes) => $"{(long)span.TotalMinutes}m",
        _ => $"{(long)span.TotalSeconds}s",
    };

    private static bool TryParseSpan(string text, out Duration span)
    {
        span = Duration.Zero;
        if (text.Length is < 2 or > 8 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        var unit = text[^1] switch { 's' => 1L, 'm' => 60L, 'h' => 3_600L, 'd' => 86_400L, _ => 0L };
        span = Duration.FromSeconds(number * unit);
        return unit > 0;
    }

    private static bool TryParseMinute(string text, out int minute)
    {
        minute = 0;
        if (text.Length != 5 || text[2] != ':'
            || !int.TryParse(text.AsSpan(0, 2), NumberStyles.None, CultureInfo.InvariantCulture, out var hours)
            || !int.TryParse(text.AsSpan(3, 2), NumberStyles.None, CultureInfo.InvariantCulture, out var minutes))
        {
            return false;
        }

        minute = (hours * 60) + minutes;
        return minutes < 60 && minute <= 24 * 60;
    }
}
