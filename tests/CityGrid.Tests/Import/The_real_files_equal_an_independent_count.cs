using System.Text.Json;
using CityGrid.Cli.Mappings;
using CityGrid.Hub.Divisions;
using CityGrid.Node.Intake.Import;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

[Requires(Need.SharedData)]
public sealed class The_real_files_equal_an_independent_count
{
    private const long Hours72 = 72 * 3600;

    // What data/README.md says of each file, beside what the file itself gives.
    internal static readonly Expected[] Files =
    [
        new(new SourceFile("cases/boston_311_2015.csv.gz", "US-MA-BOSTON", 5, "CASE_ENQUIRY_ID", "OPEN_DT", "CLOSED_DT", "TYPE", "neighborhood"), 121_145, 197, 10_955, 0),
        new(LosAngeles("cases/la_311_2017_12.csv.gz"), 9_999, 12, 4, 246),
        new(LosAngeles("cases/la_311_2018_01.csv.gz"), 10_000, 13, 9, 280),
        new(
            new SourceFile("cases/sf_311_sample_2008_2016.csv.gz", "US-CA-SF", 8, "CaseID", "Opened", "Closed", "Category", "Neighborhood") { MissingWord = "NA" },
            10_000, 129, 320, 0),
        new(
            new SourceFile("cases/nyc_311_elevator_2024.csv.gz", "US-NY-NYC", 5, "unique_key", "created_date", "closed_date", "descriptor", "borough"), 22_504, 0, 0, 0),
        new(
            new SourceFile("cases/chicago_311_2021_01.csv.gz", "US-IL-CHI", 6, "sr_number", "created_date", "closed_date", "sr_type", "ward")
            {
                Status = "status",
                VoidWord = "Canceled",
                DistrictName = "Ward ",
            },
            5_000, 0, 5, 43),
        new(
            new SourceFile(
                "open311/boston_georeport_2015.ndjson.gz", "US-MA-BOSTON", 5, "service_request_id", "requested_datetime", "updated_datetime", "service_name", "district")
            {
                IsJson = true,
                Status = "status",
                ClosedWord = "closed",
                KnownDistricts =
                [
                    "Allston", "Boston", "Brighton", "Charlestown", "Chestnut Hill", "Dorchester", "East Boston", "Hyde Park", "Jamaica Plain", "Mattapan",
                    "Mission Hill", "Roslindale", "Roxbury", "South Boston", "West Roxbury",
                ],
            },
            40_021, 2, 1_454, 0),
    ];

    [TestCaseSource(nameof(Files))]
    public void Row_by_row_in_every_figure(object file)
    {
        var expected = (Expected)file;
        var shipped = ShippedMapping.ForFile(expected.Source.Path)!;
        var counted = IndependentCount.Read(expected.Source with { TypeCodes = TypeCodes(shipped) }).ToList();
        var mapping = shipped.Read();
        var items = Read(expected.Source.Path, mapping);
        var rows = items.OfType<ImportRow>().ToList();

        Assert.Multiple(() =>
        {
            Assert.That(items.OfType<ImportFault>(), Is.Empty, "no row is refused");
            Assert.That(rows, Has.Count.EqualTo(expected.Rows).And.Count.EqualTo(counted.Count));
            Assert.That(rows.Select(r => r.ExternalId), Is.EqualTo(counted.Select(c => c.Id)));
            Assert.That(Dirt(rows), Is.EqualTo(ExpectedDirt(expected, counted, rows)));
            Assert.That(rows.Count(r => r.Division == SourceNames.NoDistrict(mapping.City)), Is.EqualTo(expected.WithoutDistrict));
            Assert.That(rows.Count(r => r.VoidedAt is not null), Is.EqualTo(expected.Voided).And.EqualTo(counted.Count(c => c.IsVoid)));
        });

        Same(rows, counted, r => (District(r), Month(r.ReportedAt, mapping), r.Type.ToString()), c => (c.District, c.Month, c.Type), "rows by district, month and type");
        Same(
            rows.Where(r => r.ClosedAt is not null),
            counted.Where(c => c is { Closed: not null, IsVoid: false }),
            r => (District(r), Month(r.ReportedAt, mapping), r.Type.ToString()),
            c => (c.District, c.Month, c.Type),
            "closed");
        Same(
            rows.Where(r => Seconds(r) <= Hours72),
            counted.Where(c => !c.IsVoid && c.Closed - c.Opened <= Hours72),
            r => (District(r), Month(r.ReportedAt, mapping)),
            c => (c.District, c.Month),
            "closed within 72 h, by month of report");
        Same(
            rows.Where(r => Seconds(r) <= Hours72),
            counted.Where(c => !c.IsVoid && c.Closed - c.Opened <= Hours72),
            r => Day(r.ClosedAt!.Value),
            c => c.Closed!.Value / 86400,
            "closed within 72 h, by day of closing (UTC)");
        Durations(rows, counted);
        OpenAt(rows, counted);
    }

    [Test]
    public void The_register_that_ships_holds_every_district_of_the_files()
    {
        var expected = new List<Division>();
        foreach (var city in Files.Where(f => !f.Source.IsJson).GroupBy(f => f.Source.City))
        {
            var divisions = new SortedDictionary<string, Division>(StringComparer.Ordinal);
            foreach (var file in city)
            {
                using var stream = File.OpenRead(Path.Combine(Machine.SharedData, file.Source.Path));
                foreach (var division in DistrictScan.Of(stream, ShippedMapping.ForFile(file.Source.Path)!.Read()))
                {
                    divisions.TryAdd(division.Code.ToString(), division);
                }
            }

            expected.AddRange(divisions.Values);
        }

        var lines = ShippedMapping.RegisterCsv.TrimEnd().Split('\n');
        Assert.That(lines.Skip(11), Is.EquivalentTo(DistrictScan.ToCsv(expected).TrimEnd().Split('\n').Skip(1)));
    }

    [Test]
    public void Every_division_of_the_georeport_is_one_of_the_city()
    {
        var codes = ShippedMapping.RegisterCsv.Split('\n').Select(line => line.Split(',')[0]).ToHashSet();
        var rows = Read("open311/boston_georeport_2015.ndjson.gz", ShippedMapping.Find("boston-georeport")!.Read()).OfType<ImportRow>();
        Assert.That(rows.Select(r => r.Division.ToString()).Distinct(), Is.SubsetOf(codes));
    }

    private static SourceFile LosAngeles(string path) => new(path, "US-CA-LA", 8, "SRNumber", "CreatedDate", "ClosedDate", "RequestType", "CD")
    {
        Status = "Status",
        VoidWord = "Cancelled",
        DistrictName = "Council District ",
    };

    private static List<ImportItem> Read(string path, ImportMapping mapping)
    {
        using var stream = File.OpenRead(Path.Combine(Machine.SharedData, path));
        return [.. ImportReader.Read(stream, mapping)];
    }

    internal static Dictionary<string, string> TypeCodes(ShippedMapping shipped)
    {
        using var json = JsonDocument.Parse(shipped.Json);
        return json.RootElement.TryGetProperty("types", out var types)
            ? types.GetProperty("codes").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!)
            : [];
    }

    private static Dictionary<string, int> Dirt(IEnumerable<ImportRow> rows) => rows.SelectMany(r => r.Dirt).CountBy(d => d.Code).ToDictionary();

    private static Dictionary<string, int> ExpectedDirt(Expected expected, List<CountedCase> counted, List<ImportRow> rows)
    {
        Assert.That(counted.Count(c => c.ClosesBeforeOpens), Is.EqualTo(expected.ClosesBeforeOpens));
        Assert.That(rows.Where(r => r.Dirt.Any(d => d.Code == "CLOSES_BEFORE_OPENS")).Select(r => r.ExternalId), Is.EqualTo(counted.Where(c => c.ClosesBeforeOpens).Select(c => c.Id)));
        var dirt = new Dictionary<string, int>();
        if (expected.ClosesBeforeOpens > 0)
        {
            dirt.Add("CLOSES_BEFORE_OPENS", expected.ClosesBeforeOpens);
        }

        if (expected.Source.IsJson)
        {
            // 688 addresses have no comma; what follows the comma of the others is no part of Boston.
            dirt.Add("DISTRICT_UNKNOWN", expected.WithoutDistrict - 688);
        }

        return dirt;
    }

    private static void Same<TKey>(
        IEnumerable<ImportRow> rows, IEnumerable<CountedCase> counted, Func<ImportRow, TKey> rowKey, Func<CountedCase, TKey> countedKey, string what)
        where TKey : notnull
    {
        var left = rows.CountBy(rowKey).ToDictionary();
        var right = counted.CountBy(countedKey).ToDictionary();
        Assert.That(left.Count > 0 && left.Count == right.Count && left.All(p => right.GetValueOrDefault(p.Key) == p.Value), what);
    }

    private static void Durations(List<ImportRow> rows, List<CountedCase> counted)
    {
        var left = rows.Select(Seconds).OfType<long>().Order().ToArray();
        var right = counted.Where(c => c is { Closed: not null, IsVoid: false }).Select(c => c.Closed!.Value - c.Opened).Order().ToArray();
        Assert.That(left, Is.EqualTo(right), "every duration");
        foreach (var percent in new[] { 50, 95 })
        {
            var rank = ((left.Length * percent) + 99) / 100;
            Assert.That(left[rank - 1], Is.EqualTo(right[rank - 1]), $"p{percent}");
        }
    }

    private static void OpenAt(List<ImportRow> rows, List<CountedCase> counted)
    {
        var (first, last) = (counted.Min(c => c.Opened), counted.Max(c => c.Opened));
        for (var i = 1; i <= 12; i++)
        {
            var at = first + ((last - first) * i / 12);
            var instant = Instant.FromUnixTimeSeconds(at);
            Assert.That(
                rows.Count(r => r.ReportedAt <= instant && (r.EndedAt is not { } end || end > instant)),
                Is.EqualTo(counted.Count(c => c.Opened <= at && !(c.Closed <= at))),
                $"open at {instant}");
        }
    }

    private static string District(ImportRow row) => row.Division.ToString();

    private static string Month(Instant instant, ImportMapping mapping) => instant.InZone(mapping.Zone).Date.ToString("uuuu-MM", null);

    private static long Day(Instant instant) => instant.ToUnixTimeSeconds() / 86400;

    private static long? Seconds(ImportRow row) => row.ClosedAt is { } closed ? (long)(closed - row.ReportedAt).TotalSeconds : null;

    internal sealed record Expected(SourceFile Source, int Rows, int ClosesBeforeOpens, int WithoutDistrict, int Voided)
    {
        public override string ToString() => Source.ToString();
    }
}
