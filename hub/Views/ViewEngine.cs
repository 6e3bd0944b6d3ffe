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

    private readonly Dictionary<int, IReadOnlyList<Division>> _expected = [];

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
        var query = TreesOf(asked).CoversPlace ? asked with { Divisions = [] } : asked;
        var trees = TreesOf(query);
        var grain = GrainOf(query, trees, out var refusal);
        var from = query.From < cells.FirstDay && cells.FirstDay < query.To ? cells.FirstDay : query.From;
        var periods = ViewPeriod.Cut(query.Periods, from, query.To, RowsMax);
        return refusal is not null || periods is null ? new ViewReading(grain, refusal ?? ViewReading.TooManyRows)
            : grain == Grain.National && query.Divisions.Count == 0 && !query.By.Any(IsPlace) && IsAllInside(trees) ? new ViewReading(cells, query, periods)
            : new ViewReading(cells, trees, query, grain, periods, Read(trees, grain));
    }

    /// <summary>The newest change to a value that the answer rests on; zero for none. Costs the days of the origins asked for.</summary>
    public Lsn NewestChange(ViewQuery query, Grain grain)
    {
        var trees = TreesOf(query);
        return cells.NewestChangeOf(grain, query.FirstDayRead, query.To, Read(trees, grain));
    }

    /// <summary>
    /// The origins in force that the register expects on the last day among those asked for, in order of code; where it expects none at or below the
    /// place, the place itself.
    /// </summary>
    public IReadOnlyList<DivisionCode> Expected(ViewQuery query)
    {
        var trees = TreesOf(query);
        if (!_expected.TryGetValue(trees.Last.Era, out var origins))
        {
            origins = trees.Last.OriginsBelow(place) is { Count: > 0 } below ? below : trees.Last.Find(place) is { } itself ? [itself] : [];
            _expected.Add(trees.Last.Era, origins);
        }

        return [.. origins.Where(d => trees.ConcernsAtLast(d.Code)).Select(d => d.Code)];
    }

    /// <summary>True where an origin's cases may be among those asked for by the tree of the last day.</summary>
    public Func<DivisionCode, bool> Concerned(ViewQuery query) => TreesOf(query).ConcernsAtLast;

    /// <summary>Whose cells are looked at. Where districts go from city to city, those of one may be another's by the tree asked for.</summary>
    private Func<NodeId, bool> Read(PlaceTrees trees, Grain grain) =>
        grain == Grain.Detail && register.Changes.Count > 0 ? _ => true : origin => cells.PlaceOf(origin) is not { } at || trees.Concerns(at);

    private PlaceTrees TreesOf(ViewQuery query) => new(register, place, query);

    /// <summary>True where everything held belongs to the place on all days asked for, so that the sums kept of it are the answer.</summary>
    private bool IsAllInside(PlaceTrees trees) =>
        register.Changes.Count == 0 || cells.Origins.Select(cells.PlaceOf).OfType<DivisionCode>().All(at => !trees.IsEverOutside(at));

    private static bool IsPlace(Dimension dimension) => dimension is Dimension.Province or Dimension.City or Dimension.Division or Dimension.District;

    /// <summary>
    /// The one grain that the answer is read from. A query that needs districts or sources is refused where they are not held; by <c>division</c>
    /// shows the finest that is held of everything asked for.
    /// </summary>
    private Grain GrainOf(ViewQuery query, PlaceTrees trees, out Refusal? refusal)
    {
        refusal = null;
        var needsDetail = query.Sources.Count > 0 || query.By.Contains(Dimension.Source) || query.By.Contains(Dimension.District) || query.Divisions.Any(d => IsBelowOrigin(trees.Last, d));
        if (!needsDetail && !query.By.Contains(Dimension.Division))
        {
            return Grain.National;
        }

        var elsewhere = PlacesOfDetailElsewhere(trees);
        if (elsewhere.Count > 0 && needsDetail)
        {
            refusal = NotHeld(elsewhere);
        }

        return elsewhere.Count > 0 ? Grain.National : Grain.Detail;
    }

    private static bool IsBelowOrigin(DivisionRegister register, DivisionCode code) =>
        register.Find(code) is not { IsOrigin: true } && register.UpFrom(code).FirstOrDefault(d => d.IsOrigin) is { } origin && origin.Code != code;

    /// <summary>The origins among those asked for of which only totals are held here.</summary>
    private List<DivisionCode> PlacesOfDetailElsewhere(PlaceTrees trees) =>
        [.. cells.Origins.Where(origin => cells.PlaceOf(origin) is { } p && trees.Concerns(p) && IsDetailElsewhere(origin)).Select(cells.PlaceOf).OfType<DivisionCode>().Order()];

    /// <summary>No detail came, or none comes any more since there is a tier between: what it was is zero then, and the totals are not.</summary>
    private bool IsDetailElsewhere(NodeId origin) =>
        cells.CountOf(origin, Grain.Detail) == 0 || (!cells.Counts(origin, Grain.Detail) && cells.Counts(origin, Grain.National));

    private Refusal NotHeld(List<DivisionCode> places)
    {
        var listed = string.Join(", ", places.Take(ListedMax).Select(p => NodeAbove(p) is { } above ? $"{p} (or {above} above it)" : p.ToString()));
        var more = places.Count > ListedMax ? $" and {places.Count - ListedMax} more" : string.Empty;
        return new Refusal(
            "DETAIL_NOT_HELD", $"Districts and sources are not held here of everything asked for, only totals by place, type and day. A live view gets them from below (POST /v1/live/view, citygrid view --live). Ask the node of {listed}{more}.", "by");
    }

    /// <summary>The place directly above an origin whose node holds its detail, too; null where that would be this node or one above it. A placeholder is never a node.</summary>
    private DivisionCode? NodeAbove(DivisionCode origin) =>
        register.UpFrom(origin).Skip(1).FirstOrDefault(d => d.Kind != DivisionKind.Placeholder) is { } above && above.Code != place && register.IsAtOrBelow(above.Code, place)
            ? above.Code
            : null;
}
