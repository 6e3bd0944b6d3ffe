using CityGrid.Cli.Mappings;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

/// <summary>
/// The real rows go the whole way, from the file through the mapping, the intake, the journal and the cells to what the node answers, and are counted
/// again from the file by code that shares nothing with that way.
/// </summary>
[Requires(Need.SharedData)]
public sealed class The_view_of_the_real_files_equals_an_independent_count
{
    private const long Hours72 = 72 * 3600;
    private const long Days400 = 400L * 86_400;

    private static IEnumerable<string> Cities => The_real_files_equal_an_independent_count.Files.Where(f => !f.Source.IsJson).Select(f => f.Source.City).Distinct();

    [TestCaseSource(nameof(Cities))]
    public async Task Of_every_city(string name)
    {
        var files = The_real_files_equal_an_independent_count.Files.Where(f => f.Source.City == name && !f.Source.IsJson).ToList();
        var shipped = ShippedMapping.ForFile(files[0].Source.Path)!;
        var source = files[0].Source with { TypeCodes = The_real_files_equal_an_independent_count.TypeCodes(shipped) };
        using var city = new ImportingCity(shipped.Read());
        var counted = new List<CountedCase>();
        foreach (var file in files)
        {
            var answer = await city.TakeAsync(Path.Combine(Machine.SharedData, file.Source.Path), shipped.Read(), shipped.Name);
            Assert.That((answer.Created, answer.Unchanged, answer.Corrected, answer.Faults.Count), Is.EqualTo((file.Rows, 0, 0, 0)), file.Source.Path);
            counted.AddRange(IndependentCount.Read(source with { Path = file.Source.Path }));
        }

        Counts(city, counted);
        Within(city, counted);
        OpenAt(city, counted, source);
        Percentiles(city, counted);
        Assert.That(city.Failure, Is.Null);

        // The same file again changes nothing, at no figure.
        var digest = city.Core.OwnDigest();
        var again = await city.TakeAsync(Path.Combine(Machine.SharedData, files[0].Source.Path), shipped.Read(), shipped.Name);
        Assert.That((again.Created, again.Unchanged, city.Core.OwnDigest()), Is.EqualTo((0, files[0].Rows, digest)));
    }

    private static void Counts(ImportingCity city, List<CountedCase> counted)
    {
        var rows = city.View(Ask("district,month,type", "reported,closed,cohort_closed,voided"));
        Same(rows, "reported", counted, c => $"{c.District} {c.Month} {c.Type}");
        Same(rows, "cohort_closed", counted.Where(IsClosed), c => $"{c.District} {c.Month} {c.Type}");
        Same(rows, "closed", counted.Where(IsClosed), c => $"{c.District} {c.ClosedMonth} {c.Type}");
        Same(rows, "voided", counted.Where(c => c.IsVoid), c => $"{c.District} {c.ClosedMonth} {c.Type}");

        // The sums of the nation, which no district knows of.
        var national = city.View(Ask("month,type", "reported,closed"));
        Same(national, "reported", counted, c => $"{c.Month} {c.Type}");
        Same(national, "closed", counted.Where(IsClosed), c => $"{c.ClosedMonth} {c.Type}");
    }

    private static void Within(ImportingCity city, List<CountedCase> counted)
    {
        var rows = city.View(Ask("district,month,type", "closed_within_72h,cohort_closed_within_72h"));
        var quick = counted.Where(c => IsClosed(c) && c.Closed - c.Opened <= Hours72).ToList();
        Same(rows, "closed_within_72h", quick, c => $"{c.District} {c.ClosedMonth} {c.Type}");
        Same(rows, "cohort_closed_within_72h", quick, c => $"{c.District} {c.Month} {c.Type}");
    }

    /// <summary>At the instants with which twelve days begin, spread over the file, by district.</summary>
    private static void OpenAt(ImportingCity city, List<CountedCase> counted, SourceFile source)
    {
        var (first, last) = (counted.Min(c => c.Opened), counted.Max(c => c.Closed ?? c.Opened));
        for (var i = 1; i <= 12; i++)
        {
            var day = DateTimeOffset.FromUnixTimeSeconds(first + ((last - first) * i / 12)).ToString("yyyy-MM-dd", null);
            var at = IndependentCount.BeginningOf(day, source);
            var ask = Ask("district", "open_at");
            ask.To = day;
            Same(city.View(ask), "open_at", counted.Where(c => c.Opened < at && !(c.Closed < at)), c => c.District);
        }
    }

    private static void Percentiles(ImportingCity city, List<CountedCase> counted)
    {
        foreach (var (by, cohort, flow) in new (string, Func<CountedCase, string>, Func<CountedCase, string>)[]
        {
            (string.Empty, _ => string.Empty, _ => string.Empty),
            ("district", c => c.District, c => c.District),
            ("month", c => c.Month, c => c.ClosedMonth),
            ("type", c => c.Type, c => c.Type),
        })
        {
            var rows = city.View(Ask(by, "p50,p95,flow_p50,flow_p95"));
            foreach (var percent in new[] { 50, 95 })
            {
                Near(rows, $"p{percent}", percent, counted.Where(IsClosed).GroupBy(cohort));
                Near(rows, $"flow_p{percent}", percent, counted.Where(IsClosed).GroupBy(flow));
            }
        }
    }

    /// <summary>Nearest rank, within the bound of the histogram: 1 % from a minute to 400 days; below, within the minute; above, 400 days are told.</summary>
    private static void Near(IReadOnlyList<ViewRow> rows, string measure, int percent, IEnumerable<IGrouping<string, CountedCase>> counted)
    {
        var told = rows.Where(r => r.Measures.ContainsKey(measure)).ToDictionary(LabelOf, r => r.Measures[measure]);
        var exact = counted.ToDictionary(g => g.Key, g =>
        {
            var durations = g.Select(c => c.Closed!.Value - c.Opened).Order().ToArray();
            return durations[(((durations.Length * percent) + 99) / 100) - 1];
        });
        Assert.That(told.Keys, Is.EquivalentTo(exact.Keys), measure);
        var far = exact.Where(e => !IsNear(told[e.Key], e.Value))
            .Select(e => $"{measure} of '{e.Key}' is told as {told[e.Key]} and is {e.Value}");
        Assert.That(far, Is.Empty);
    }

    private static bool IsNear(long told, long exact) =>
        exact > Days400 ? told == Days400 : exact < 60 ? told is >= 0 and <= 60 : Math.Abs(told - exact) * 100 <= exact;

    private static void Same(IReadOnlyList<ViewRow> rows, string measure, IEnumerable<CountedCase> counted, Func<CountedCase, string> key)
    {
        var told = rows.Where(r => r.Measures[measure] != 0).ToDictionary(LabelOf, r => r.Measures[measure]);
        var exact = counted.CountBy(key).ToDictionary(c => c.Key, c => (long)c.Value);
        var differing = told.Keys.Union(exact.Keys).Where(k => told.GetValueOrDefault(k) != exact.GetValueOrDefault(k))
            .Select(k => $"{measure} of '{k}' is told as {told.GetValueOrDefault(k)} and is {exact.GetValueOrDefault(k)}");
        Assert.That(differing, Is.Empty);
    }

    /// <summary>Label by label, in the order of the question: districts, then months, then types.</summary>
    private static string LabelOf(ViewRow row) =>
        string.Join(' ', new[] { "district", "month", "type" }.Where(row.Dimensions.ContainsKey).Select(d => row.Dimensions[d]));

    private static bool IsClosed(CountedCase c) => c is { Closed: not null, IsVoid: false };

    private static QueryRequest Ask(string by, string measures)
    {
        var request = new QueryRequest();
        request.By.AddRange(by.Split(',', StringSplitOptions.RemoveEmptyEntries));
        request.Measures.AddRange(measures.Split(','));
        return request;
    }
}
