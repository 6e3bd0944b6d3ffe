using System.Globalization;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary>Views as tables.</summary>
internal static class ViewTable
{
    private static readonly string[] Figures = ["reported", "filed", "closed", "cohort_closed_within_72h", "open_at", "overdue_at"];

    public static Table National(QueryResponse response, DivisionRegister register)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in new[] { "ColumnCode", "ColumnName" })
        {
            table.AddColumn(Texts.Get(column));
        }

        foreach (var column in new[] { "ColumnReported", "ColumnFiled", "ColumnClosed", "ColumnWithin72", "ColumnOpen", "ColumnOverdue", "ColumnP50", "ColumnP90" })
        {
            table.AddColumn(new TableColumn(Texts.Get(column)).RightAligned());
        }

        foreach (var row in response.Rows)
        {
            var code = row.Dimensions["city"];
            var division = DivisionCode.TryParse(code, out var parsed) ? register.Find(parsed) : null;
            var name = division is null ? code : Texts.IsChinese || division.NameEn.Length == 0 ? division.NameZh : division.NameEn;
            table.AddRow([code, Markup.Escape(name), .. Figures.Select(f => Number(row, f)), Span(row, "p50"), Span(row, "p90")]);
        }

        table.AddRow([string.Empty, Texts.Get("Total"), .. Figures.Select(f => response.Rows.Sum(r => r.Measures.TryGetValue(f, out var v) ? v : 0).ToString("N0", CultureInfo.InvariantCulture)), string.Empty, string.Empty]);
        return table;
    }

    /// <summary>How much the figures can be trusted: where some places tell of some matters alone, on a line of its own.</summary>
    public static string Coverage(QueryResponse response) => response.Coverage.ToldInPart.Count == 0
        ? CoverageOf(response)
        : $"{CoverageOf(response)}{Environment.NewLine}{Texts.Get("ViewToldInPart", string.Join("; ", response.Coverage.ToldInPart.Select(part => $"{part.Division} ({Matters(part.Matters)})")))}";

    /// <summary>Beginnings of type codes for people.</summary>
    public static string Matters(IEnumerable<string> beginnings) => string.Join(", ", beginnings.Select(text => text == Protocol.Names.Matters.Other ? Texts.Get("MattersOther") : $"{text}…"));

    private static string CoverageOf(QueryResponse response) => Texts.Get(
        "ViewCoverage",
        response.AsOf,
        response.Coverage.Heard,
        response.Coverage.Expected,
        response.Coverage.Missing.Count == 0 ? Texts.Get("ViewNone") : string.Join(", ", response.Coverage.Missing),
        Texts.Get(response.State switch
        {
            ViewState.Final => "StateFinal",
            ViewState.Restated => "StateRestated",
            _ => "StateProvisional",
        }),
        response.Revision);

    /// <summary>Any slice, as it came.</summary>
    public static Table Slice(QueryResponse response, IReadOnlyList<string> by, IReadOnlyList<string> measures)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var dimension in by)
        {
            table.AddColumn(dimension);
        }

        foreach (var measure in measures)
        {
            table.AddColumn(new TableColumn(measure).RightAligned());
        }

        foreach (var row in response.Rows)
        {
            table.AddRow([.. by.Select(d => Markup.Escape(row.Dimensions.TryGetValue(d, out var label) ? label : string.Empty)), .. measures.Select(m => Number(row, m))]);
        }

        return table;
    }

    private static string Number(ViewRow row, string measure) => row.Measures.TryGetValue(measure, out var value) ? value.ToString("N0", CultureInfo.InvariantCulture) : "–";

    private static string Span(ViewRow row, string measure)
    {
        if (!row.Measures.TryGetValue(measure, out var seconds))
        {
            return "–";
        }

        return seconds >= 172_800 ? Texts.Get("Days", Rounded(seconds / 86_400m))
            : seconds >= 7200 ? Texts.Get("Hours", Rounded(seconds / 3600m))
            : Texts.Get("Minutes", Rounded(seconds / 60m));
    }

    private static string Rounded(decimal value) => Math.Round(value, 1).ToString(CultureInfo.InvariantCulture);
}
