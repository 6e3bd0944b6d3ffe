using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Views;

/// <summary>How a division reads in each of the dimensions of place.</summary>
internal readonly record struct PlaceLabel(string Province, string City, string Own);

/// <summary>The labels of divisions, worked out once each.</summary>
internal sealed class PlaceLabels(DivisionRegister register)
{
    private readonly Dictionary<DivisionCode, PlaceLabel> _known = [];

    /// <summary>The province and the city above a division, by the register. What has none above it, and what the register does not know, stands for itself.</summary>
    public PlaceLabel Of(DivisionCode code)
    {
        if (!_known.TryGetValue(code, out var label))
        {
            var up = register.UpFrom(code).ToArray();
            var own = code.ToString();
            label = new PlaceLabel(
                up.FirstOrDefault(d => d.Kind is DivisionKind.Province or DivisionKind.Municipality)?.Code.ToString() ?? own,
                up.FirstOrDefault(d => d.IsOrigin)?.Code.ToString() ?? own,
                own);
            _known.Add(code, label);
        }

        return label;
    }
}

/// <summary>Where a row stands, but for time; null in what the query does not tell apart.</summary>
internal readonly record struct RowPlace(string? Province, string? City, string? Own, string? Type, string? Class, string? Source)
{
    /// <summary>The large class of what fits nowhere (其他, 99000), below which every local type hangs.</summary>
    public const string OtherClass = "99";

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
                Dimension.Class => place with { Class = ClassOf(type) },
                Dimension.Source => place with { Source = source.ToString() },
                _ => place,
            };
        }

        return place;
    }

    /// <summary>The large class (大类) of a type: the first two of five digits, as GB/T 47678.5 builds its codes; that of 99000 for a local type.</summary>
    public static string ClassOf(TypeKey type)
    {
        var code = type.Code.ToString();
        return code.Length == 5 && code.All(char.IsAsciiDigit) ? code[..2] : OtherClass;
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
