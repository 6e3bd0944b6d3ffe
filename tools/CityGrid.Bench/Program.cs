using System.Globalization;
using System.Runtime.InteropServices;
using CityGrid.Bench;

const int Rounds = 7;
var rollUp = new Goal("PERF-9", "reading 1,000 changed cells: with 1 M stored cases ÷ with 10 k", Bound.Most(2.5), Bound.Most(1.6), "the cells changed, and memory that is cold with more cells");
var merge = new Goal("PERF-10", "first merge of 340 cities × 90 days × 150 types ÷ one PostgreSQL GROUP BY over the same cells", Bound.Most(6), Bound.Most(2), "one hash look-up and one insertion a cell");
var view = new Goal("PERF-8", "the nation by type over 90 days, in process ÷ PostgreSQL GROUP BY over 1 M raw cases", Bound.Most(1.0 / 200), Bound.Most(1.0 / 800), "one sum a day and type");

var outcomes = new List<Outcome>();
Console.WriteLine("PERF-9: two folds are filled …");
var large = CellMeasures.RollUpOfThousandChanged(1_000_000);
var small = CellMeasures.RollUpOfThousandChanged(10_000);
outcomes.Add(Figures.Interleave(rollUp, Rounds, "s", large, small));

if (PostgresPeer.Missing is { } reason)
{
    Console.WriteLine($"PostgreSQL rows are skipped: {reason}");
    outcomes.Add(new Outcome(merge, null, 0, 0, string.Empty, reason));
    outcomes.Add(new Outcome(view, null, 0, 0, string.Empty, reason));
}
else
{
    Console.WriteLine("PERF-8 and PERF-10: PostgreSQL is started and loaded …");
    using var peer = PostgresPeer.Start();
    var theirs = new PostgresMeasures(peer);
    theirs.CreateCases();
    theirs.LoadRawCases(1_000_000);
    theirs.LoadCells(CellMeasures.Cities, CellMeasures.Days, CellMeasures.Types);
    outcomes.Add(Figures.Interleave(merge, Rounds, "s", () => CellMeasures.MergeNation().Seconds, theirs.CellsByTypeSeconds));
    var (nation, _) = CellMeasures.MergeNation();
    outcomes.Add(Figures.Interleave(view, Rounds, "s", () => CellMeasures.NationByTypeSeconds(nation), theirs.RawByTypeSeconds));
}

var machine = string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} cores, {RuntimeInformation.OSArchitecture}, .NET {Environment.Version}");
var report = Report.Markdown(outcomes, machine, TimeProvider.System.GetUtcNow());
Console.WriteLine(report);
if (args is [var path])
{
    await File.WriteAllTextAsync(path, report);
}

return outcomes.Any(o => o.BelowGate) ? 1 : 0;
