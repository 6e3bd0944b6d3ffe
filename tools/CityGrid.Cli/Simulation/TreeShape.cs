using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Cli.Simulation;

/// <summary>Where a simulated node stands in the tree.</summary>
public sealed record SimulatedPlace(NodeId Node, DivisionCode Division, SimulatedPlace? Parent)
{
    /// <summary>The second parent, of a tree of its own (T12).</summary>
    public SimulatedPlace? Sector { get; init; }

    /// <summary>Cities and what lies below them take cases.</summary>
    public bool TakesCases { get; init; }
}

/// <summary>The places of a tree, parents before children, and the register that all of them have.</summary>
public sealed record TreeShape(IReadOnlyList<SimulatedPlace> Places, DivisionRegister Register)
{
    public const int LevelsMax = 5;

    private static readonly (string Name, DivisionKind Kind)[] Tiers =
    [
        ("ministry", DivisionKind.Nation), ("province", DivisionKind.Province), ("city", DivisionKind.City), ("county", DivisionKind.County), ("township", DivisionKind.Township),
    ];

    /// <summary>A ministry, so many provinces, and so many cities in each.</summary>
    public static TreeShape Of(int provinces, int citiesEach)
    {
        var drawing = new Drawing();
        var ministry = drawing.Add("ministry", "CN", DivisionKind.Nation, null);
        for (var p = 1; p <= provinces; p++)
        {
            var province = drawing.Add($"province-{p}", $"{p}00000", DivisionKind.Province, ministry);
            for (var c = 1; c <= citiesEach; c++)
            {
                // The code of a city tells nothing of its province: the register does.
                drawing.Add($"city-{p}-{c}", $"9{c}{p}000", DivisionKind.City, province);
            }
        }

        return drawing.Done();
    }

    /// <summary>
    /// So many nodes on so many levels: one branch reaches down through all of them, and where the others hang is drawn. Two levels are a ministry and its
    /// cities, one is a city alone; with four and five, cities have children too.
    /// </summary>
    public static TreeShape Drawn(int nodes, int levels, SeededEntropy random)
    {
        var tiers = levels switch
        {
            1 => [2],
            2 => [0, 2],
            _ => Enumerable.Range(0, levels).ToArray(),
        };
        var drawing = new Drawing();
        var placed = new List<(SimulatedPlace Place, int Level)>();
        for (var i = 0; i < nodes; i++)
        {
            var above = placed.Where(p => p.Level < levels - 1).ToArray();
            var (parent, level) = i == 0 ? (null, 0) : i < levels ? (placed[i - 1].Place, i) : above[random.Below(above.Length)] is var (chosen, at) ? (chosen, at + 1) : default;
            var (name, kind) = Tiers[tiers[level]];
            placed.Add((drawing.Add(level == 0 && levels > 1 ? name : $"{name}-{i}", kind == DivisionKind.Nation ? "CN" : $"{900 - i}{level}00", kind, parent), level));
        }

        return drawing.Done();
    }

    /// <summary>The one district of a hostile child's place.</summary>
    public static DivisionCode DistrictOfHostile(DivisionCode division) => DivisionCode.Parse($"{division}-1");

    /// <summary>
    /// The same with a place for one more child of some node that has children, and which place it is; null where nobody has any. Another child's code begins with its code, and a district of
    /// that one comes below it years later: by prefix, or by the register of another day, it could speak of both.
    /// </summary>
    public (TreeShape Shape, SimulatedPlace Place)? WithHostile(SeededEntropy random)
    {
        var children = Places.Where(place => place.Parent is not null).ToArray();
        if (children.Length == 0)
        {
            return null;
        }

        var beside = children[random.Below(children.Length)];
        var place = new SimulatedPlace(NodeId.Parse("hostile"), DivisionCode.Parse(beside.Division.ToString()[..^2]), beside.Parent);
        var leaving = DivisionCode.Parse($"{beside.Division.ToString()[..^1]}9");
        Division Row(DivisionCode code, DivisionCode above, DivisionKind kind, LocalDate? from = null, LocalDate? to = null) => new(code, above, code.ToString(), code.ToString(), kind, from, to);
        return (this with
        {
            Register = DivisionRegister.Of(
            [
                .. Register.All, Row(place.Division, beside.Parent!.Division, Register.Find(beside.Division)!.Kind), Row(DistrictOfHostile(place.Division), place.Division, DivisionKind.County),
                Row(leaving, beside.Division, DivisionKind.County, to: Leaves.PlusDays(-1)), Row(leaving, place.Division, DivisionKind.County, from: Leaves),
            ]),
        },
            place);
    }

    /// <summary>No story goes on for so long.</summary>
    private static readonly LocalDate Leaves = new(2028, 1, 1);

    private sealed class Drawing
    {
        private readonly List<SimulatedPlace> _places = [];
        private readonly List<Division> _rows = [];

        public SimulatedPlace Add(string name, string code, DivisionKind kind, SimulatedPlace? parent)
        {
            var takesCases = kind is not (DivisionKind.Nation or DivisionKind.Province);
            var place = new SimulatedPlace(NodeId.Parse(name), DivisionCode.Parse(code), parent) { TakesCases = takesCases };
            _places.Add(place);
            _rows.Add(new Division(place.Division, parent?.Division, name, name, kind, null, null));
            if (takesCases)
            {
                for (var d = 1; d <= 3; d++)
                {
                    _rows.Add(new Division(DivisionCode.Parse($"{code[..^1]}{d}"), place.Division, $"区{d}", $"District {d}", DivisionKind.County, null, null));
                }

                _rows.Add(new Division(DivisionCode.Parse(code + DivisionRegister.UnknownSuffix), place.Division, "未知", "unknown", DivisionKind.Unknown, null, null));
            }

            return place;
        }

        public TreeShape Done() => new(_places, DivisionRegister.Of(_rows));
    }
}
