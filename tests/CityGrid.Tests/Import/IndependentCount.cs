using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace CityGrid.Tests.Import;

/// <summary>A case as the independent count sees it. Times are seconds since 1970 in UTC; the month is that of the text, as it is written.</summary>
internal sealed record CountedCase(string Id, string Month, long Opened, long? Closed, bool IsVoid, string Type, string District, bool ClosesBeforeOpens)
{
    /// <summary>The month of the text of the closing; empty where there is none.</summary>
    public string ClosedMonth { get; init; } = string.Empty;
}

/// <summary>
/// Reads a file of cases anew: an own CSV parser, own dates, own summer time, own codes. It shares no code with the import, so that where both agree,
/// both are right or wrong in the same way by two different minds.
/// </summary>
internal static class IndependentCount
{
    public static IEnumerable<CountedCase> Read(SourceFile source)
    {
        var rows = source.IsJson ? JsonRows(source) : CsvRows(source);
        foreach (var row in rows)
        {
            var (opened, month) = Time(row[source.Opened], source.WinterOffset);
            var status = source.Status is null ? string.Empty : row[source.Status];
            var closed = Value(row[source.Closed], source) is { } text && (source.ClosedWord is null || status == source.ClosedWord)
                ? Time(text, source.WinterOffset)
                : ((long Seconds, string Month)?)null;
            var isDirty = closed?.Seconds < opened;
            var isVoid = source.VoidWord == status && !isDirty;
            yield return new CountedCase(
                row[source.Id], month, opened, isDirty ? null : closed?.Seconds, isVoid, TypeCode(row[source.Type].Trim(), source), District(row[source.District], source), isDirty)
            {
                ClosedMonth = isDirty ? string.Empty : closed?.Month ?? string.Empty,
            };
        }
    }

    /// <summary>The instant at which a day begins there, in seconds since 1970.</summary>
    public static long BeginningOf(string day, SourceFile source) => Time(day + "T00:00:00", source.WinterOffset).Seconds;

    private static string? Value(string text, SourceFile source) => text.Length == 0 || text == source.MissingWord ? null : text;

    private static IEnumerable<Dictionary<string, string>> CsvRows(SourceFile source)
    {
        var text = Text(source);
        var records = Records(text);
        var header = records[0];
        foreach (var record in records.Skip(1))
        {
            var row = new Dictionary<string, string>();
            for (var i = 0; i < header.Count; i++)
            {
                row[header[i]] = record[i];
            }

            yield return row;
        }
    }

    private static IEnumerable<Dictionary<string, string>> JsonRows(SourceFile source)
    {
        foreach (var line in Text(source).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using var json = JsonDocument.Parse(line);
            var row = json.RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.ToString());
            var comma = row["address"].LastIndexOf(',');
            row["district"] = comma < 0 ? string.Empty : row["address"][(comma + 1)..].Trim();
            yield return row;
        }
    }

    private static string Text(SourceFile source)
    {
        using var file = File.OpenRead(Path.Combine(Machine.SharedData, source.Path));
        using var reader = new StreamReader(new GZipStream(file, CompressionMode.Decompress), Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static List<List<string>> Records(string text)
    {
        var records = new List<List<string>>();
        var record = new List<string>();
        var field = new StringBuilder();
        var inQuotes = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (inQuotes)
            {
                if (c != '"')
                {
                    field.Append(c);
                }
                else if (i + 1 < text.Length && text[i + 1] == '"')
                {
                    field.Append('"');
                    i++;
                }
                else
                {
                    inQuotes = false;
                }
            }
            else if (c == '"')
            {
                inQuotes = true;
            }
            else if (c is ',' or '\n')
            {
                record.Add(field.ToString().TrimEnd('\r'));
                field.Clear();
                if (c == '\n')
                {
                    records.Add(record);
                    record = [];
                }
            }
            else
            {
                field.Append(c);
            }
        }

        return records;
    }

    /// <summary>Takes <c>MM/DD/YYYY hh:mm:ss AM</c>, <c>YYYY-MM-DDThh:mm:ss…</c>, and the latter with an offset.</summary>
    private static (long Seconds, string Month) Time(string text, int winterOffset)
    {
        int Number(int from, int length) => int.Parse(text.AsSpan(from, length), NumberStyles.None, CultureInfo.InvariantCulture);
        int year, month, day, hour;
        if (text[2] == '/')
        {
            (month, day, year) = (Number(0, 2), Number(3, 2), Number(6, 4));
            hour = (Number(11, 2) % 12) + (text.EndsWith("PM", StringComparison.Ordinal) ? 12 : 0);
        }
        else
        {
            (year, month, day, hour) = (Number(0, 4), Number(5, 2), Number(8, 2), Number(11, 2));
        }

        var (minute, second) = (Number(14, 2), Number(17, 2));
        var local = (Days(year, month, day) * 86400) + (hour * 3600) + (minute * 60) + second;
        var hasOffset = text[2] != '/' && text.Length > 19 && text[19] is '-' or '+';
        var offset = hasOffset
            ? (Number(20, 2) * 3600) + (Number(23, 2) * 60)
            : (winterOffset - (IsSummer(year, month, day, hour) ? 1 : 0)) * 3600;
        return (local + offset, $"{year:0000}-{month:00}");
    }

    // From the second Sunday of March to the first of November, as in all of the United States since 2007. The hour that is skipped is taken in
    // winter time, which moves it forward; the hour that comes twice in summer time, which is the earlier.
    private static bool IsSummer(int year, int month, int day, int hour)
    {
        var begins = (Days(year, 3, FirstSunday(year, 3) + 7) * 24) + 3;
        var ends = (Days(year, 11, FirstSunday(year, 11)) * 24) + 2;
        var at = (Days(year, month, day) * 24) + hour;
        return at >= begins && at < ends;
    }

    private static int FirstSunday(int year, int month)
    {
        // 1970-01-04 was a Sunday.
        var first = Days(year, month, 1);
        return (int)((3 - first % 7 + 7) % 7) + 1;
    }

    /// <summary>Days since 1970-01-01, counted by hand.</summary>
    private static long Days(int year, int month, int day)
    {
        int[] before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        var leapDays = (year - 1969) / 4;
        var isLeap = year % 4 == 0;
        return ((year - 1970) * 365L) + leapDays + before[month - 1] + (isLeap && month > 2 ? 1 : 0) + day - 1;
    }

    private static string TypeCode(string name, SourceFile source) =>
        source.TypeCodes.TryGetValue(name, out var code) ? code : "x" + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..8].ToLowerInvariant();

    private static string District(string value, SourceFile source)
    {
        if (Value(value.Trim(), source) is not { } name || (source.KnownDistricts is { } known && !known.Contains(name)))
        {
            return source.City + "-NONE";
        }

        name = source.DistrictName + name;
        var slug = Regex.Replace(name.ToUpperInvariant().Replace("'", string.Empty, StringComparison.Ordinal), "[^A-Z0-9]+", "-").Trim('-');
        var room = 31 - source.City.Length;
        if (slug.Length > room)
        {
            slug = slug[..(room - 7)].Trim('-') + "-" + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..6];
        }

        return $"{source.City}-{slug}";
    }
}

/// <summary>A real file, described for the independent count.</summary>
internal sealed record SourceFile(string Path, string City, int WinterOffset, string Id, string Opened, string Closed, string Type, string District)
{
    public string? Status { get; init; }

    public string? VoidWord { get; init; }

    public string? ClosedWord { get; init; }

    public string? MissingWord { get; init; }

    public string DistrictName { get; init; } = string.Empty;

    public bool IsJson { get; init; }

    /// <summary>Null where every value is a district.</summary>
    public HashSet<string>? KnownDistricts { get; init; }

    public IReadOnlyDictionary<string, string> TypeCodes { get; init; } = new Dictionary<string, string>();

    public override string ToString() => System.IO.Path.GetFileName(Path);
}
