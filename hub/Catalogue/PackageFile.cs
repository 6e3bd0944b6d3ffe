using System.Text;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Catalogue;

/// <summary>The rows of a package as people write them, and what is wrong with them.</summary>
public static class PackageFile
{
    /// <summary>Bytes of a package.</summary>
    public const int BytesMax = 1 << 20;

    /// <summary>Types of a version.</summary>
    public const int TypesMax = 10_000;

    /// <summary>Characters of a title, and of a name of a type.</summary>
    public const int TextMax = 200;

    private const int RowsOfTypeMax = 64;

    /// <summary>The types, or null with every fault.</summary>
    public static TypeCatalogue? Read(CatalogueVersion version, string rows, out IReadOnlyList<string> faults)
    {
        if (Encoding.UTF8.GetByteCount(rows) > BytesMax)
        {
            faults = [$"The rows have more than {BytesMax} bytes."];
            return null;
        }

        var catalogue = TypeCatalogue.TryRead(version, new StringReader(rows), out faults);
        if (catalogue is null)
        {
            return null;
        }

        var more = new List<string>();
        if (catalogue.Count > TypesMax)
        {
            more.Add($"{catalogue.Count} types are more than the {TypesMax} that a version may have.");
        }

        if (catalogue.Find(catalogue.Other) is null)
        {
            more.Add($"{catalogue.Other.Code} is missing: what fits nowhere, and each place's local types, stand there.");
        }

        more.AddRange(catalogue.All
            .Where(type => type.NameZh.Length is 0 or > TextMax || type.NameEn.Length is 0 or > TextMax || type.Rows.Count > RowsOfTypeMax)
            .Select(type => $"{type.Key.Code} needs a Chinese and an English name of 1 to {TextMax} characters, and at most {RowsOfTypeMax} limits."));
        faults = more;
        return more.Count == 0 ? catalogue : null;
    }

    /// <summary>Reads what a peer sent, without believing it: null for bytes that are none.</summary>
    public static CataloguePackage? Parse(ByteString bytes)
    {
        try
        {
            return CataloguePackage.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>The version that a package brings: null for another kind of package, and for rows that this program does not read.</summary>
    public static CatalogueEdition? EditionOf(CataloguePackage content) =>
        content.Kind == PackageKind.Catalogue && CatalogueVersion.TryParse(content.Version, out var version) && Read(version, content.Rows, out _) is { } catalogue
            ? new CatalogueEdition(catalogue, new StatDay(content.EffectiveFrom), NodeId.Parse(content.Issuer), DivisionCode.Parse(content.IssuerDivision), content.Number)
            : null;
}
