using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Views;

/// <summary>The figures of a query, or why there are none.</summary>
/// <param name="Grain">The grain that they were read from.</param>
/// <param name="Lines">The rows.</param>
/// <param name="Refusal">Null for an answer.</param>
public sealed record ViewFigures(Grain Grain, IReadOnlyList<ViewLine> Lines, Refusal? Refusal);

/// <summary>
/// Answers slices from the cells held here. Grains are never mixed: districts and sources come from the detail grain, everything else from the
/// national one, whose sums over all origins make a view by type and time independent of how many cells there are. Pure but for the cells it reads;
/// call it under the sequencer's lock.
/// </summary>
/// <param name="cells">What is held here.</param>
/// <param name="register">The divisions.</param>
/// <param name="place">What the node answers for.</param>
public sealed class ViewEngine(CellFold cells, DivisionRegister register, DivisionCode place)
{
    /// <summary>More rows than a person or a page can take: 3,000 counties × 30 types. As JSON they are about 10 MB.</summary>
    public const int RowsMax = 100_000;

    private const int ListedMax = 5;

    /// <summary>The answer at once.</summary>
    public ViewFigures Answer(ViewQuery asked)
    {
        var reading = Begin(asked);
        while (reading.Step(int.MaxValue))
        {
        }

        return reading.Finish();
    }

    /// <summary>Begins an answer that is read in pieces.</summary>
    public ViewReading Begin(ViewQuery asked)
    {
        // What covers the whole place tells nothing apart.
        var query = asked.Divisions.Any(d => register.IsAtOrBelow(place, d)) ? asked with { Divisions = [] } : asked;
        var grain = GrainOf(query, out var refusal);
        var from = query.From < cells.FirstDay && cells.FirstDay < query.To ? cells.FirstDay : query.From;
        var periods = ViewPeriod.Cut(query.Periods, from, query.To, RowsMax);
        return refusal is not null || periods is null ? new ViewReading(grain, refusal ?? ViewReading.TooManyRows)
            : grain == Grain.National && query.Divisions.Count == 0 && !query.By.Any(IsPlace) ? new ViewReading(cells, query, periods)
            : new ViewReading(cells, register, query, grain, periods, origin => cells.PlaceOf(origin) is not { } at || Concerns(query, at));
    }

    /// <summary>The newest change to a value that the answer rests on; zero for none. Costs the days of the origins asked for.</summary>
    public Lsn NewestChange(ViewQuery query, Grain grain) =>
        cells.NewestChangeOf(grain, query.FirstDayRead, query.To, origin => cells.PlaceOf(origin) is not { } at || Concerns(query, at));

    /// <summary>True where an origin's cases may be among those asked for: it lies at or below one of the divisions, or holds one of them.</summary>
    public bool Concerns(ViewQuery query, DivisionCode origin) =>
        query.Divisions.Count == 0 || query.Divisions.Any(d => register.IsAtOrBelow(origin, d) || register.IsAtOrBelow(d, origin));

    private static bool IsPlace(Dimension dimension) => dimension is Dimension.Province or Dimension.City or Dimension.Division or Dimension.District;

    /// <summary>
    /// The one grain that the answer is read from. A query that needs districts or sources is refused where they are not held; by <c>division</c>
    /// shows the finest that is held of everything asked for.
    /// </summary>
    private Grain GrainOf(ViewQuery query, out Refusal? refusal)
    {
        refusal = null;
        var needsDetail = query.Sources.Count > 0 || query.By.Contains(Dimension.Source) || query.By.Contains(Dimension.District) || query.Divisions.Any(IsBelowOrigin);
        if (!needsDetail && !query.By.Contains(Dimension.Division))
        {
            return Grain.National;
        }

        var elsewhere = PlacesOfDetailElsewhere(query);
        if (elsewhere.Count > 0 && needsDetail)
        {
            refusal = NotHeld(elsewhere);
        }

        return elsewhere.Count > 0 ? Grain.National : Grain.Detail;
    }

    private bool IsBelowOrigin(DivisionCode code) => register.UpFrom(code).FirstOrDefault(d => d.IsOrigin) is { } origin && origin.Code != code;

    /// <summary>The origins among those asked for of which only totals are held here.</summary>
    private List<DivisionCode> PlacesOfDetailElsewhere(ViewQuery query) =>
        [.. cells.Origins.Where(origin => cells.CountOf(origin, Grain.Detail) == 0).Select(cells.PlaceOf).OfType<DivisionCode>().Where(p => Concerns(query, p)).Order()];

    private Refusal NotHeld(List<DivisionCode> places)
    {
        var listed = string.Join(", ", places.Take(ListedMax).Select(p => NodeAbove(p) is { } above ? $"{p} (or {above} above it)" : p.ToString()));
        var more = places.Count > ListedMax ? $" and {places.Count - ListedMax} more" : string.Empty;
        return new Refusal(
            "DETAIL_NOT_HELD", $"Districts and sources are not held here of everything asked for, only totals by place, type and day. Ask the node of {listed}{more}.", "by");
    }

    /// <summary>The place directly above an origin whose node holds its detail, too; null where that would be this node or one above it. A placeholder is never a node.</summary>
    private DivisionCode? NodeAbove(DivisionCode origin) =>
        register.UpFrom(origin).Skip(1).FirstOrDefault(d => d.Kind != DivisionKind.Placeholder) is { } above && above.Code != place && register.IsAtOrBelow(above.Code, place)
            ? above.Code
            : null;
}
