using System.Text;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

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

    /// <summary>The types, or null with the faults.</summary>
    public static TypeCatalogue? Read(CatalogueVersion version, string rows, out CatalogueFaults faults)
    {
        if (Encoding.UTF8.GetByteCount(rows) > BytesMax)
        {
            faults = new CatalogueFaults();
            faults.Add($"The rows have more than {BytesMax} bytes.");
            return null;
        }

        var catalogue = TypeCatalogue.TryRead(version, new StringReader(rows), out faults);
        if (catalogue is null)
        {
            return null;
        }

        if (catalogue.Count > TypesMax)
        {
            faults.Add($"{catalogue.Count} types are more than the {TypesMax} that a version may have.");
        }

        if (catalogue.Find(catalogue.Other) is null)
        {
            faults.Add($"{catalogue.Other.Code} is missing: what fits nowhere, and each place's local types, stand there.");
        }

        foreach (var type in catalogue.All.Where(type => type.NameZh.Length is 0 or > TextMax || type.NameEn.Length is 0 or > TextMax || type.Rows.Count > RowsOfTypeMax))
        {
            faults.Add($"{type.Key.Code} needs a Chinese and an English name of 1 to {TextMax} characters, and at most {RowsOfTypeMax} limits.");
        }

        return faults.Count == 0 ? catalogue : null;
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
            ? new CatalogueEdition(catalogue, new StatDay(content.EffectiveFrom), NodeId.Parse(content.Issuer), DivisionCode.Parse(content.IssuerDivision), content.Number, Instant.FromUnixTimeSeconds(content.IssuedAt))
            : null;
}
