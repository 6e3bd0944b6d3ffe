using CityGrid.Protocol.Names;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Hub.Catalogue;

/// <summary>
/// One way of filing a type (a filing condition with its limit), numbered from 1 in the order of the catalogue. <see cref="IsDefault"/> marks
/// the limit that a type gets which the catalogue gives none.
/// </summary>
public sealed record CatalogueRow(int Number, Limit Limit, bool IsDefault);

/// <summary>A type of the catalogue (类别). Local types hang below <c>other</c> and carry it as <see cref="Parent"/>.</summary>
public sealed record CatalogueType(TypeKey Key, string NameZh, string NameEn, IReadOnlyList<CatalogueRow> Rows, TypeCode? Parent = null)
{
    /// <summary>The large class (大类): the first two digits; that of the parent for a local type.</summary>
    public string LargeClass => (Parent ?? Key.Code).ToString()[..2];

    /// <summary>The row with this number, or null; 0 asks for the first one, which is the default.</summary>
    public CatalogueRow? Row(int number) =>
        number == 0 ? Rows[0] : number > 0 && number <= Rows.Count ? Rows[number - 1] : null;
}
