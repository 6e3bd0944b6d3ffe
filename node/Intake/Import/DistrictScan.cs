using System.Text;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Node.Intake.Import;

/// <summary>The divisions that a file of cases speaks of: what <c>citygrid import --print-districts</c> prints and the register of a new place starts from.</summary>
public static class DistrictScan
{
    /// <summary>
    /// The city's districts in order of code, and the place <c>city-NONE</c> where it counts what has none. Names are the source's own. A file
    /// that cannot be read gives no divisions.
    /// </summary>
    public static IReadOnlyList<Division> Of(Stream file, ImportMapping mapping)
    {
        var found = new SortedDictionary<DivisionCode, Division>();
        var none = SourceNames.NoDistrict(mapping.City);
        found.Add(none, new Division(none, mapping.City, "不明", "Unknown", DivisionKind.Unknown, null, null));
        if (mapping.Columns.District is not { } column)
        {
            return [.. found.Values];
        }

        var names = new DistrictNames(mapping.City, mapping.Districts);
        var source = ByteSource.Open(file, mapping.Encoding);
        RecordStream records = mapping.Format == ImportFormat.Csv
            ? new CsvRecords(source, [column], mapping.Delimiter)
            : new NdjsonRecords(source, [column]);
        while (records.Next())
        {
            var value = records.Fault is null ? records.Values[0] : null;
            if (value is null || mapping.Missing.Contains(value) || names.PartOf(value) is not { } part || names.Find(part) is not { } code)
            {
                continue;
            }

            var name = mapping.Districts.NameOf(SourceNames.Canonical(part));
            found.TryAdd(code, new Division(code, mapping.City, name, name, DivisionKind.County, null, null));
        }

        return [.. found.Values];
    }

    /// <summary>Rows of a register: <c>code,parent,name_zh,name_en,kind,valid_from,valid_to</c>, with a header, ended by line feeds.</summary>
    public static string ToCsv(IEnumerable<Division> divisions)
    {
        var csv = new StringBuilder("code,parent,name_zh,name_en,kind,valid_from,valid_to\n");
        foreach (var d in divisions)
        {
            string[] cells =
            [
                d.Code.ToString(), d.Parent?.ToString() ?? string.Empty, d.NameZh, d.NameEn, d.Kind.ToString().ToLowerInvariant(), Day(d.ValidFrom), Day(d.ValidTo),
            ];
            csv.AppendJoin(',', cells.Select(c => c.AsSpan().IndexOfAny(",\"\r\n") < 0 ? c : $"\"{c.Replace("\"", "\"\"", StringComparison.Ordinal)}\"")).Append('\n');
        }

        return csv.ToString();
    }

    private static string Day(LocalDate? date) => date is { } day ? LocalDatePattern.Iso.Format(day) : string.Empty;
}
