using System.Globalization;
using System.IO.Compression;
using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CsvHelper;
using NodaTime;
using NodaTime.Text;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

/// <summary>A city's real year: how much memory its cells take, at both grains, with everything about them.</summary>
[NonParallelizable]
public sealed class The_memory_of_cells
{
    private const long BytesACellMax = 100;
    private static readonly DateTimeZone Zone = DateTimeZoneProviders.Tzdb["America/New_York"];
    private static readonly LocalDateTimePattern Written = LocalDateTimePattern.CreateWithInvariantCulture("MM/dd/yyyy hh:mm:ss tt");

    [Test]
    [Requires(Need.SharedData)]
    public void Boston_takes_at_most_100_bytes_a_cell()
    {
        var changes = Rows().SelectMany(Changes).ToList();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var fold = new CellFold();
        var lsn = 0L;
        foreach (var change in changes)
        {
            fold.Add(change, new(1, ++lsn), new(lsn));
        }

        // The digests are part of what a node holds.
        fold.Whole(Grain.Detail, Grain.National);
        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        TestContext.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{fold.Count} cells: {fold.Bytes / (double)fold.Count:F1} B each by their own account, {grown / (double)fold.Count:F1} B by the collector's"));
        Assert.Multiple(() =>
        {
            Assert.That(fold.Count, Is.GreaterThan(100_000));
            Assert.That(fold.Bytes, Is.LessThanOrEqualTo(BytesACellMax * fold.Count));
            Assert.That(grown, Is.LessThanOrEqualTo(BytesACellMax * fold.Count));

            // The account is honest: within a tenth of what the collector sees.
            Assert.That(Math.Abs(fold.Bytes - grown), Is.LessThan(fold.Bytes / 10));
        });
        GC.KeepAlive(changes);
    }

    private sealed record Row(Instant Opened, Instant? Closed, Instant? Due, string Type, string District, string Source);

    private static IEnumerable<Row> Rows()
    {
        using var file = new GZipStream(File.OpenRead(Path.Combine(Machine.SharedData, "cases", "boston_311_2015.csv.gz")), CompressionMode.Decompress);
        using var csv = CsvReader.FromText(new StreamReader(file).ReadToEnd(), new CsvReaderOptions { Separator = ',' });
        while (csv.Read())
        {
            var opened = TimeOf(csv.GetString("OPEN_DT"))!.Value;
            var closed = TimeOf(csv.GetString("CLOSED_DT"));
            yield return new Row(
                opened, closed >= opened ? closed : null, TimeOf(csv.GetString("TARGET_DT")), Slug(csv.GetString("TYPE")), Slug(csv.GetString("neighborhood")), Slug(csv.GetString("Source")));
        }
    }

    private static Instant? TimeOf(string? text) =>
        text is { Length: > 0 } ? Written.Parse(text).Value.InZoneLeniently(Zone).ToInstant() : null;

    private static string Slug(string text)
    {
        var slug = new string([.. text.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-').Take(28)]);
        return slug.Length == 0 ? "none" : slug;
    }

    /// <summary>What importing a row counts: reported, and if it closed, closed on that day and for the day it was reported.</summary>
    private static IEnumerable<CellChange> Changes(Row row)
    {
        var reported = StatDay.Of(row.Opened, Zone);
        foreach (var key in Keys(row, reported))
        {
            yield return new(key, [new(Counter.Reported.Id, 1)], []);
            if (row.Closed is not { } closed)
            {
                continue;
            }

            var seconds = (long)(closed - row.Opened).TotalSeconds;
            bool? inTime = row.Due is { } due ? closed <= due : null;
            List<CounterChange> cohort = [new(Counter.CohortClosed.Id, 1), new(Counter.CohortClosedSeconds.Id, seconds)];
            List<CounterChange> flow = [new(Counter.Closed.Id, 1), new(Counter.ClosedSeconds.Id, seconds)];
            if (inTime is { } known)
            {
                flow.Add(new((known ? Counter.ClosedInTime : Counter.ClosedLate).Id, 1));
                cohort.AddRange(known ? [new(Counter.CohortClosedInTime.Id, 1)] : []);
            }

            yield return new(key, cohort, [new(Histogram.ReportToClose.Id, seconds, 1)]);
            yield return new(key with { Day = StatDay.Of(closed, Zone) }, flow, [new(Histogram.ReportToCloseFlow.Id, seconds, 1)]);
        }
    }

    private static IEnumerable<CellKey> Keys(Row row, StatDay day)
    {
        var origin = NodeId.Parse("boston");
        var type = new TypeKey(CellWorld.Catalogue, TypeKind.Matter, Protocol.Names.TypeCode.Parse(row.Type.Replace('_', '-')));
        yield return new(origin, Grain.Detail, type, DivisionCode.Parse(row.District.ToUpperInvariant()), day, SourceCode.Parse(row.Source));
        yield return new(origin, Grain.National, type, DivisionCode.Parse("US-MA-BOSTON"), day, SourceCode.Parse("all"));
    }
}
