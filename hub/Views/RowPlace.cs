using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Views;

/// <summary>How a division reads in each of the dimensions of place.</summary>
internal readonly record struct PlaceLabel(string Province, string City, string Own);

/// <summary>
/// The trees by which a query's figures stand, and what stands where in each: one tree, or one for each era of the register that its days lie in (H4). Each
/// division is worked out once.
/// </summary>
internal sealed class PlaceTrees
{
    private readonly DivisionRegister[] _trees;
    private readonly DivisionCode _place;
    private readonly IReadOnlyList<DivisionCode> _asked;
    private readonly Dictionary<DivisionCode, IReadOnlyList<PlaceLabel?>> _known = [];

    public PlaceTrees(DivisionRegister register, DivisionCode place, ViewQuery query)
    {
        (_place, _asked) = (place, query.Divisions);
        _trees = query.Tree is { } day ? [register.At(day)]
            : register.Changes.Count == 0 ? [register]
            : [.. Enumerable.Range(register.EraOf(query.FirstDayRead.Date), register.EraOf(query.To.Plus(-1).Date) - register.EraOf(query.FirstDayRead.Date) + 1).Select(register.In)];
    }

    /// <summary>The tree of the last day.</summary>
    public DivisionRegister Last => _trees[^1];

    /// <summary>Whether the place itself is at or below one of the divisions, always.</summary>
    public bool CoversPlace => _trees.All(tree => _asked.Any(d => tree.IsAtOrBelow(_place, d)));

    /// <summary>Which of the trees is that of a day.</summary>
    public int EraOf(StatDay day) => _trees.Length == 1 ? 0 : Math.Clamp(_trees[0].EraOf(day.Date) - _trees[0].Era, 0, _trees.Length - 1);

    /// <summary>The first day of a tree but the first.</summary>
    public StatDay FirstDayOf(int era) => StatDay.Of(_trees[0].Changes[_trees[0].Era + era - 1]);

    /// <summary>Whether a division stands outside of what the node answers for in one of the trees: what had not yet come, and what has left.</summary>
    public bool IsEverOutside(DivisionCode code) => _trees.Any(tree => IsOutside(tree, code));

    /// <summary>Whether an origin's cases may be among those asked for: in one of the trees it lies at or below one of the divisions, or holds one of them.</summary>
    public bool Concerns(DivisionCode origin) => _trees.Any(tree => Concerns(tree, origin));

    /// <summary>The same by the tree of the last day.</summary>
    public bool ConcernsAtLast(DivisionCode origin) => Concerns(Last, origin);

    /// <summary>
    /// The province and the city above a division, by each tree; null where it is not asked for; a single one where that is so in all. What has none above
    /// it, and what the register does not know, stands for itself.
    /// </summary>
    public IReadOnlyList<PlaceLabel?> Of(DivisionCode code)
    {
        if (!_known.TryGetValue(code, out var labels))
        {
            labels = [.. _trees.Select(tree => LabelIn(tree, code))];
            labels = labels.Distinct().Count() == 1 ? [labels[0]] : labels;
            _known.Add(code, labels);
        }

        return labels;
    }

    private bool IsOutside(DivisionRegister tree, DivisionCode code) =>
        tree.Changes.Count > 0 && !tree.IsAtOrBelow(code, _place) && tree.UpFrom(code).Any();

    private bool Concerns(DivisionRegister tree, DivisionCode origin) =>
        !IsOutside(tree, origin) && (_asked.Count == 0 || _asked.Any(d => tree.IsAtOrBelow(origin, d) || tree.IsAtOrBelow(d, origin)));

    private PlaceLabel? LabelIn(DivisionRegister tree, DivisionCode code)
    {
        if (IsOutside(tree, code) || (_asked.Count > 0 && !_asked.Any(d => tree.IsAtOrBelow(code, d))))
        {
            return null;
        }

        var up = tree.UpFrom(code).ToArray();
        var own = up.Length > 0 ? up[0].Code.ToString() : code.ToString();
        return new PlaceLabel(
            up.FirstOrDefault(d => d.Kind is DivisionKind.Province or DivisionKind.Municipality)?.Code.ToString() ?? own,
            up.FirstOrDefault(d => d.IsOrigin)?.Code.ToString() ?? own,
            own);
    }
}

/// <summary>Where a row stands, but for time; null in what the query does not tell apart.</summary>
internal readonly record struct RowPlace(string? Province, string? City, string? Own, string? Type, string? Class, string? Source)
{
    public static RowPlace Of(ViewQuery query, TypeKey type, PlaceLabel label, SourceCode source)
    {
        var place = default(RowPlace);
        foreach (var dimension in query.By)
        {
            place = dimension switch
            {
                Dimension.Province => place with { Province = label.Province },
                Dimension.City => place with { City = label.City },
                Dimension.Division or Dimension.District => place with { Own = label.Own },
                Dimension.Type => place with { Type = type.Code.ToString() },
                Dimension.Class => place with { Class = type.Code.LargeClass },
                Dimension.Source => place with { Source = source.ToString() },
                _ => place,
            };
        }

        return place;
    }

    /// <summary>The label in a dimension of place or type; null in one of time.</summary>
    public string? In(Dimension dimension) => dimension switch
    {
        Dimension.Province => Province,
        Dimension.City => City,
        Dimension.Division or Dimension.District => Own,
        Dimension.Type => Type,
        Dimension.Class => Class,
        Dimension.Source => Source,
        _ => null,
    };
}
