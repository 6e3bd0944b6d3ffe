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

/// <summary>The place that a view is of. The closing delay is how long after the end of a day its figures may be called final.</summary>
public sealed record ViewPlace(NodeId Node, DivisionCode Division, DateTimeZone Zone, DivisionRegister Register, Duration ClosingDelay);

/// <summary>
/// Answers view requests: the figures, and never without their age, coverage, state and revision (features.md U12). For many threads at once.
/// Without <paramref name="finality"/> the node takes what it has received for complete from the first.
/// </summary>
/// <remarks>
/// The writer waits while a view reads. That is in pieces of about half a millisecond (<see cref="CellsAtOnce"/>), between which the writer goes on. If a value that the
/// view rests on changed meanwhile, it begins again, and at the third time (<see cref="TriesMax"/>) reads all in one piece. A view by type and time reads kept sums: about
/// 25 ns for each type and day asked for, and 50 µs for a row with percentiles; but the first percentile of a day adds up the day's cells, once. Any
/// other costs 0.1 µs for each cell of the days and places asked for. So every answer is of one position.
/// </remarks>
public sealed class ViewDesk(
    ViewPlace place, Sequencer sequencer, IJournal journal, CellFold cells, Func<IReadOnlyList<OriginWatermark>> watermarks, TimeProvider clock, FinalityFold? finality = null)
{
    private const int RecordedTimesMax = 1_000;
    private const int TriesMax = 3;

    private readonly ViewEngine _engine = new(cells, place.Register, place.Division);
    private readonly Lock _lock = new();
    private readonly Dictionary<Lsn, Instant> _recordedAt = [];

    /// <summary>What was read together, at one position.</summary>
    private readonly record struct Reading(ViewReading Figures, ViewCoverage Coverage, Lsn LastChange, Lsn Applied);

    /// <summary>How many cells are read while the writer waits.</summary>
    public int CellsAtOnce { get; init; } = 4_096;

    /// <summary>Called between two pieces, without the lock: where a test lets the writer go on.</summary>
    internal Action? BetweenPieces { get; set; }

    /// <summary>True where the question is sound and this node cannot answer it as it stands; false where the question is at fault.</summary>
    public static bool IsOfTheNode(Refusal refusal) => refusal.Code is "DETAIL_NOT_HELD" or "DIVISION_OUTSIDE" or "NOT_THERE_YET" or "TOO_MANY_ROWS" or "FIGURE_TOO_LARGE";

    /// <summary>What is wrong with a request, whoever answers it; null for nothing.</summary>
    public Refusal? Fault(QueryRequest request) =>
        ViewQuery.Read(request, place.Register, place.Division, StatDay.Of(clock.Now(), place.Zone), out var refusal) is null ? refusal : null;

    /// <summary>The answer, or why there is none.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="refusal">Why there is no answer.</param>
    /// <param name="amongOthers">As in <see cref="ViewQuery.Read"/>.</param>
    public QueryResponse? Answer(QueryRequest request, out Refusal? refusal, bool amongOthers = false)
    {
        var now = clock.Now();
        var query = ViewQuery.Read(request, place.Register, place.Division, StatDay.Of(now, place.Zone), out refusal, amongOthers);
        if (query is null)
        {
            return null;
        }

        var closesAt = query.To.StartsAt(place.Zone) + place.ClosingDelay;
        var reading = Read(query, request.AtLeastLsn, now >= closesAt);
        var figures = reading.Figures.Finish();
        refusal = figures.Refusal;
        if (refusal is not null)
        {
            return null;
        }

        var change = reading.LastChange == Lsn.Zero ? ((Lsn, Instant)?)null : (reading.LastChange, RecordedAt(reading.LastChange));
        return ResponseOf(query, figures, reading, reading.Coverage.StateAt(now, closesAt, change));
    }

    private Reading Read(ViewQuery query, long atLeast, bool isClosed)
    {
        for (var tries = 1; ; tries++)
        {
            var cellsAtOnce = tries < TriesMax ? CellsAtOnce : int.MaxValue;
            ViewReading? figures = null;
            var begun = Lsn.Zero;
            var (more, isWhole) = (true, false);
            var reading = default(Reading);
            while (more)
            {
                (more, isWhole, reading) = sequencer.Read(() =>
                {
                    if (figures is null)
                    {
                        begun = sequencer.Applied;
                        figures = atLeast > begun.Value ? new ViewReading(default, NotYet(begun, atLeast)) : _engine.Begin(query);
                    }

                    return figures.Step(cellsAtOnce) ? (true, false, default)
                        : sequencer.Applied > begun && _engine.NewestChange(query, figures.Grain) > begun ? (false, false, default)
                        : (false, true, Conclude(query, figures, isClosed));
                });
                if (more)
                {
                    BetweenPieces?.Invoke();
                }
            }

            if (isWhole)
            {
                return reading;
            }
        }
    }

    /// <summary>What goes with the figures, at the same position; under the sequencer's lock.</summary>
    private Reading Conclude(ViewQuery query, ViewReading figures, bool isClosed)
    {
        var lastDay = query.To.Plus(-1);
        var concerned = _engine.Concerned(query);
        var expected = _engine.Expected(query);
        var heard = watermarks().Where(w => concerned(w.Division)).ToArray();
        var coverage = ViewCoverage.Of(expected, heard, lastDay, query.Types, (origin, day) => finality?.CompleteSince(origin, day));
        return new Reading(figures, coverage, isClosed && coverage.CompleteSince is { } since ? LastChange(query, figures.Grain, since) : Lsn.Zero, sequencer.Applied);
    }

    /// <summary>The newest change to what the query shows, if it came after everything was complete. Stocks rest on all days before, too.</summary>
    private Lsn LastChange(ViewQuery query, Grain grain, Lsn since) =>
        // Of all places together first: most periods did not change after they were complete, and that is known from a few numbers.
        cells.NewestChangeOf(query.FirstDayRead, query.To) <= since ? Lsn.Zero : _engine.NewestChange(query, grain);

    private static Refusal NotYet(Lsn applied, long atLeast) =>
        new("NOT_THERE_YET", $"The node stands at position {applied}, and {atLeast} was asked for; ask again in a moment.", "at_least_lsn");

    private Instant RecordedAt(Lsn lsn)
    {
        lock (_lock)
        {
            if (_recordedAt.TryGetValue(lsn, out var known))
            {
                return known;
            }
        }

        // A position that is read no more lies behind a snapshot, long before anything that can still change.
        var recordedAt = journal.ReadAt(lsn)?.RecordedAt ?? Instant.MinValue;
        lock (_lock)
        {
            if (_recordedAt.Count >= RecordedTimesMax)
            {
                _recordedAt.Clear();
            }

            _recordedAt[lsn] = recordedAt;
        }

        return recordedAt;
    }

    private static QueryResponse ResponseOf(ViewQuery query, ViewFigures figures, in Reading reading, ViewState state)
    {
        var coverage = reading.Coverage;
        var response = new QueryResponse
        {
            AsOf = coverage.AsOf is { } asOf ? InstantPattern.General.Format(asOf) : string.Empty,
            State = state,
            Revision = reading.Applied.Value,
            Coverage = new Coverage { Heard = coverage.Heard, Expected = coverage.Expected },
        };
        response.Coverage.Missing.AddRange(coverage.Missing.Select(code => code.ToString()));
        response.Coverage.Late.AddRange(coverage.Late.Select(code => code.ToString()));
        response.Coverage.ToldInPart.AddRange(coverage.ToldInPart.Select(part => new ToldInPart { Division = part.Division.ToString(), Matters = { part.Matters.Beginnings } }));
        response.Rows.Capacity = figures.Lines.Count;
        var dimensions = query.By.Select(ViewQuery.NameOf).ToArray();
        foreach (var line in figures.Lines)
        {
            var row = new ViewRow();
            for (var i = 0; i < dimensions.Length; i++)
            {
                row.Dimensions[dimensions[i]] = line.Labels[i];
            }

            for (var i = 0; i < query.Measures.Count; i++)
            {
                if (line.Figures[i] is { } figure)
                {
                    row.Measures[query.Measures[i].Name] = figure;
                }
            }

            response.Rows.Add(row);
        }

        return response;
    }
}
