using System.Collections.Immutable;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Hub.Catalogue;

/// <summary>A version of the catalogue as somebody put it in force: who, with which of his packages, and from which day on.</summary>
public sealed record CatalogueEdition(TypeCatalogue Catalogue, StatDay From, NodeId Issuer, DivisionCode IssuerDivision, long Number);

/// <summary>
/// Every version of the catalogue that is known at a place. What was filed under a version is looked up in that version for ever; what is new is filed
/// under the one in force on its day (R4). Immutable; safe for many threads.
/// </summary>
public sealed class CatalogueShelf
{
    private readonly TypeCatalogue _first;
    private readonly ImmutableSortedDictionary<CatalogueVersion, TypeCatalogue> _versions;
    private readonly ImmutableArray<CatalogueEdition> _editions;

    private CatalogueShelf(TypeCatalogue first, ImmutableSortedDictionary<CatalogueVersion, TypeCatalogue> versions, ImmutableArray<CatalogueEdition> editions) =>
        (_first, _versions, _editions) = (first, versions, editions);

    /// <summary>The built-in version alone, in force from the beginning of time.</summary>
    public static CatalogueShelf BuiltIn { get; } = Of(TypeCatalogue.BuiltIn);

    /// <summary>A version that is in force wherever no package says otherwise.</summary>
    public static CatalogueShelf Of(TypeCatalogue first) =>
        new(first, ImmutableSortedDictionary<CatalogueVersion, TypeCatalogue>.Empty.Add(first.Version, first), []);

    /// <summary>In order of name.</summary>
    public IEnumerable<TypeCatalogue> Versions => _versions.Values;

    public IReadOnlyList<CatalogueEdition> Editions => _editions;

    /// <summary>The version of this name, or null.</summary>
    public TypeCatalogue? Find(CatalogueVersion version) => _versions.GetValueOrDefault(version);

    /// <summary>The type in the version that its key names, or null.</summary>
    public CatalogueType? Find(TypeKey key) => Find(key.Version)?.Find(key);

    /// <summary>True where any version has the code, as a standard or a local one.</summary>
    public bool Knows(TypeCode code) => _versions.Values.Any(version => version.Find(code) is not null);

    /// <summary>This shelf and a version put in force. Of a name that stands here already the types that stand here stay.</summary>
    public CatalogueShelf With(CatalogueEdition edition) => new(
        _first, _versions.ContainsKey(edition.Catalogue.Version) ? _versions : _versions.Add(edition.Catalogue.Version, edition.Catalogue), _editions.Add(edition));

    /// <summary>This shelf with a local type below <c>other</c> of every version: its code is made of its name alone, and means the same in all.</summary>
    public CatalogueShelf WithLocal(TypeCode code, string name) => _versions.Values.All(version => version.Find(code) is not null)
        ? this
        : new(_first.WithLocal(code, name), _versions.ToImmutableSortedDictionary(v => v.Key, v => v.Value.WithLocal(code, name)), _editions);

    /// <summary>
    /// The version in force at <paramref name="place"/> on a day: of those that it and the places above it by the register of the day have put in force, the
    /// one with the latest first day; of several, that of the nearest issuer; of one issuer's, the one published last.
    /// </summary>
    public TypeCatalogue At(StatDay day, DivisionCode place, DivisionRegister register) => InForce(day, place, register, skip: 0);

    /// <summary>The version in force on a day by what the places above <paramref name="place"/> say alone.</summary>
    public TypeCatalogue Above(StatDay day, DivisionCode place, DivisionRegister register) => InForce(day, place, register, skip: 1);

    private TypeCatalogue InForce(StatDay day, DivisionCode place, DivisionRegister register, int skip)
    {
        if (_editions.IsEmpty)
        {
            return _versions[_first.Version];
        }

        var nearness = register.At(day).UpFrom(place).Select((division, steps) => (division.Code, steps)).Skip(skip).ToDictionary(step => step.Code, step => step.steps);
        var edition = _editions.Where(edition => edition.From <= day && nearness.ContainsKey(edition.IssuerDivision))
            .OrderByDescending(edition => edition.From).ThenBy(edition => nearness[edition.IssuerDivision]).ThenByDescending(edition => edition.Number)
            .FirstOrDefault();
        return _versions[edition?.Catalogue.Version ?? _first.Version];
    }
}
