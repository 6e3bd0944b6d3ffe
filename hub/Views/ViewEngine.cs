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

    public ViewFigures Answer(ViewQuery asked)
    {
        // What covers the whole place tells nothing apart.
        var query = asked.Divisions.Any(d => register.IsAtOrBelow(place, d)) ? asked with { Divisions = [] } : asked;
        var grain = GrainOf(query, out var refusal);
        var from = query.From < cells.FirstDay && cells.FirstDay < query.To ? cells.FirstDay : query.From;
        var periods = ViewPeriod.Cut(query.Periods, from, query.To, RowsMax);
        if (refusal is not null || periods is null)
        {
            return new ViewFigures(grain, [], refusal ?? TooManyRows);
        }

        try
        {
            var rows = new Rows(query, periods, RowsMax);
            var fits = grain == Grain.National && query.Divisions.Count == 0 && !query.By.Any(IsPlace)
                ? SumTypes(query, periods, rows)
                : SumCells(query, grain, periods, rows);
            return new ViewFigures(grain, fits ? rows.Lines() : [], fits ? null : TooManyRows);
        }
        catch (OverflowException)
        {
            return new ViewFigures(grain, [], new Refusal("FIGURE_TOO_LARGE", "A figure of this answer is past 64 bits: some cell counts what cannot be. Ask by division to find it.", "measures"));
        }
    }

    /// <summary>True where an origin's cases may be among those asked for: it lies at or below one of the divisions, or holds one of them.</summary>
    public bool Concerns(ViewQuery query, DivisionCode origin) =>
        query.Divisions.Count == 0 || query.Divisions.Any(d => register.IsAtOrBelow(origin, d) || register.IsAtOrBelow(d, origin));

    private static Refusal TooManyRows { get; } =
        new("TOO_MANY_ROWS", $"The answer has more than {RowsMax} rows; ask for fewer dimensions, fewer divisions or a shorter period.", "by");

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
        var listed = string.Join(", ", places.Take(ListedMax).Select(p => register.UpFrom(p).Skip(1).FirstOrDefault() is { } above ? $"{p} (or {above.Code} above it)" : p.ToString()));
        var more = places.Count > ListedMax ? $" and {places.Count - ListedMax} more" : string.Empty;
        return new Refusal(
            "DETAIL_NOT_HELD", $"Districts and sources are not held here of everything asked for, only totals by place, type and day. Ask the node of {listed}{more}.", "by");
    }

    /// <summary>The whole place by type and time: the sums that are kept, and no cell.</summary>
    private bool SumTypes(ViewQuery query, IReadOnlyList<ViewPeriod> periods, Rows rows)
    {
        var groups = new Dictionary<RowPlace, NationGroup>();
        if (query.By.Count == 0)
        {
            groups.Add(default, new NationGroup(cells, periods));
        }

        foreach (var type in cells.NationTypes.Where(query.Includes))
        {
            var at = RowPlace.Of(query, type, default, default);
            if (!groups.TryGetValue(at, out var group))
            {
                groups.Add(at, group = new NationGroup(cells, periods));
            }

            group.Types.Add(type);
        }

        return groups.All(g => rows.Add(g.Key, g.Value));
    }

    private bool SumCells(ViewQuery query, Grain grain, IReadOnlyList<ViewPeriod> periods, Rows rows)
    {
        var labels = new PlaceLabels(register);
        var groups = new List<(RowPlace Place, CellGroup Group)>();
        var known = new Dictionary<RowPlace, int>();
        var sums = 0;

        int GroupOf(RowPlace at)
        {
            if (!known.TryGetValue(at, out var number))
            {
                known.Add(at, number = groups.Count);
                groups.Add((at, new CellGroup(query.Histograms)));
            }

            return number;
        }

        if (query.By.Count == 0)
        {
            GroupOf(default);
        }

        // A row has at most one sum before its periods, so twice the rows is a bound that no answer within the limit passes.
        var finder = new PeriodFinder(periods);
        cells.Visit(
            grain,
            query.NeedsStocks ? ViewQuery.Beginning : periods[0].From,
            query.To,
            (type, division, source) => Includes(query, type, division, source) ? GroupOf(RowPlace.Of(query, type, labels.Of(division), source)) : -1,
            (number, day, value) => sums += groups[number].Group.Add(finder.Of(day), value) ? 1 : 0,
            () => sums <= 2 * RowsMax);
        return sums <= 2 * RowsMax && groups.All(g => rows.Add(g.Place, g.Group));
    }

    private bool Includes(ViewQuery query, TypeKey type, DivisionCode division, SourceCode source) =>
        query.Includes(type)
        && (query.Sources.Count == 0 || query.Sources.Contains(source))
        && (query.Divisions.Count == 0 || query.Divisions.Any(d => register.IsAtOrBelow(division, d)));
}
