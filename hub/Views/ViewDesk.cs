using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Hub.Views;

/// <summary>The place that a view is of.</summary>
public sealed record ViewPlace(NodeId Node, DivisionCode Division, DateTimeZone Zone, DivisionRegister Register, Duration ClosingDelay);

/// <summary>Answers view requests: the figures, and never without their age, coverage, state and revision (features.md U12).</summary>
public sealed class ViewDesk(ViewPlace place, Sequencer sequencer, IJournal journal, CellFold cells, Func<IReadOnlyList<OriginWatermark>> watermarks, TimeProvider clock)
{
    private readonly ViewEngine _engine = new(cells, place.Register, place.Node);

    /// <summary>The answer, or why there is none.</summary>
    public QueryResponse? Answer(QueryRequest request, out Refusal? refusal)
    {
        var now = clock.Now();
        var query = ViewQuery.Read(request, place.Register, StatDay.Of(now, place.Zone), out refusal);
        if (query is null)
        {
            return null;
        }

        var (figures, heard, newest, applied) = sequencer.Read(() => (_engine.Answer(query), watermarks(), cells.NewestChangeOf(query.From, query.To), sequencer.Applied));
        refusal = figures.Refusal ?? (request.AtLeastLsn > applied.Value
            ? new Refusal("NOT_THERE_YET", $"The node stands at {applied}; {request.AtLeastLsn} was asked for.", "at_least_lsn")
            : null);
        if (refusal is not null)
        {
            return null;
        }

        var question = new CoverageQuestion(place.Register, place.Division, place.Zone, place.ClosingDelay, query.To, now, code => _engine.Concerns(query, code));
        var changedAt = newest == Lsn.Zero ? (Instant?)null : journal.ReadAt(newest)?.RecordedAt;
        return ResponseOf(figures, ViewCoverage.Of(question, heard, changedAt), applied);
    }

    private static QueryResponse ResponseOf(ViewFigures figures, ViewCoverage coverage, Lsn applied)
    {
        var response = new QueryResponse
        {
            AsOf = coverage.AsOf is { } asOf ? InstantPattern.General.Format(asOf) : string.Empty,
            State = coverage.State,
            Revision = applied.Value,
            Coverage = new Coverage { Heard = coverage.Expected.Count - coverage.Missing.Count, Expected = coverage.Expected.Count },
        };
        response.Coverage.Missing.AddRange(coverage.Missing.Select(code => code.ToString()));
        response.Coverage.Late.AddRange(coverage.Late.Select(code => code.ToString()));
        foreach (var line in figures.Lines)
        {
            var row = new ViewRow();
            foreach (var (dimension, label) in line.Dimensions)
            {
                row.Dimensions[dimension.ToString().ToLowerInvariant()] = label;
            }

            foreach (var (measure, figure) in line.Measures)
            {
                row.Measures[measure] = figure;
            }

            response.Rows.Add(row);
        }

        return response;
    }
}
