using System.Globalization;
using CityGrid.Hub.Catalogue;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Journey;

/// <summary>A cell's key as people write it: <c>origin:grain:catalogue/kind/code:division:day:source</c>.</summary>
public static class CellNaming
{
    public const string Form = "origin:grain:catalogue/kind/code:division:day:source, such as suzhou:2:gb47678-2026/2/01001:320500:2026-11-28:all";

    /// <summary>Versions that a refusal names.</summary>
    private const int NamedMax = 10;

    public static string TextOf(in CellKey key) => string.Create(
        CultureInfo.InvariantCulture,
        $"{key.Origin}:{key.Grain.Number}:{key.Type.Version}/{(int)key.Type.Kind}/{key.Type.Code}:{key.Division}:{key.Day}:{key.Source}");

    /// <summary>
    /// The cell that is asked for; null with the refusal. <paramref name="placeOf"/> knows the division of an origin, <paramref name="versions"/> the versions of the catalogue in which
    /// a code stands: a figure is of one of them.
    /// </summary>
    public static CellKey? Read(WhyCellRequest request, Func<NodeId, DivisionCode?> placeOf, CatalogueShelf versions, out Refusal? refusal)
    {
        var (origin, grain, type, division, day, source) = (request.Origin, request.Grain, request.Type, request.Division, request.Day, request.Source);
        if (request.Cell.Length > 0)
        {
            if (request.Cell.Split(':') is not { Length: 6 } fields)
            {
                return No("cell", $"A cell is named as {Form}.", out refusal);
            }

            (origin, grain, type, division, day, source) = (fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]);
        }

        if (!NodeId.TryParse(origin, out var node))
        {
            return No("origin", $"Name the node that counted, with type and day, or the whole cell: {Form}.", out refusal);
        }

        if (GrainOf(grain) is not { } fineness)
        {
            return No("grain", "A grain is detail, national, or a number from 1 to 255.", out refusal);
        }

        if (TypeCode.TryParse(type, out var alone) && versions.VersionsOf(alone) is { Count: > 1 } several)
        {
            return No("type", $"{alone} stands in several versions of the catalogue, and each has a figure of its own: name one of {string.Join(", ", several.Take(NamedMax).Select(version => $"{version}/matter/{alone}"))}.", out refusal);
        }

        if (TypeOf(type) is not { } key)
        {
            return No("type", "A type is a code, or catalogue/kind/code.", out refusal);
        }

        if (!StatDay.TryParse(day, out var date))
        {
            return No("day", "A day is written as 2026-11-28.", out refusal);
        }

        if (!SourceCode.TryParse(source.Length == 0 ? "all" : source, out var from))
        {
            return No("source", "A source is a code such as hotline, or all.", out refusal);
        }

        if (!DivisionCode.TryParse(division, out var place) && (division.Length > 0 || placeOf(node) is not { } home || (place = home).IsNone))
        {
            return No("division", division.Length > 0 ? "A division is a code of the register." : $"Nothing is known here of {node}; name the division too.", out refusal);
        }

        refusal = null;
        return new CellKey(node, fineness, key, place, date, from);
    }

    private static Grain? GrainOf(string text) => text switch
    {
        "" or "national" => Grain.National,
        "detail" => Grain.Detail,
        _ => byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? new Grain(number) : null,
    };

    private static TypeKey? TypeOf(string text) => text.Split('/') switch
    {
        [var code] when TypeCode.TryParse(code, out var known) => TypeCatalogue.BuiltIn.KeyOf(known),
        [var version, "1" or "component", var code] when CatalogueVersion.TryParse(version, out var catalogue) && TypeCode.TryParse(code, out var known) => new TypeKey(catalogue, TypeKind.Component, known),
        [var version, "2" or "matter", var code] when CatalogueVersion.TryParse(version, out var catalogue) && TypeCode.TryParse(code, out var known) => new TypeKey(catalogue, TypeKind.Matter, known),
        _ => null,
    };

    private static CellKey? No(string where, string message, out Refusal? refusal)
    {
        refusal = new Refusal("CELL_NAME", message, where);
        return null;
    }
}
