using System.Collections.Immutable;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Hub.Catalogue;

/// <summary>A version of the catalogue as somebody put it in force: who, with which of his packages, from which day on, and when it was published by the issuer's clock.</summary>
public sealed record CatalogueEdition(TypeCatalogue Catalogue, StatDay From, NodeId Issuer, DivisionCode IssuerDivision, long Number, Instant IssuedAt);

/// <summary>
/// Every version of the catalogue that is known at a place. What was filed under a version is looked up in that version for ever; what is new is filed
/// under the one in force on its day (R4). Immutable; safe for many threads.
/// </summary>
public sealed class CatalogueShelf
{
    private readonly TypeCatalogue _first;
    private readonly ImmutableSortedDictionary<CatalogueVersion, TypeCatalogue> _versions;
    private readonly ImmutableArray<CatalogueEdition> _editions;

    /// <summary>What was asked last: nearly all cases that come one after the other are of the same day.</summary>
    private Answer? _last;

    private CatalogueShelf(TypeCatalogue first, ImmutableSortedDictionary<CatalogueVersion, TypeCatalogue> versions, ImmutableArray<CatalogueEdition> editions) =>
        (_first, _versions, _editions, Versions) = (first, versions, editions, [.. versions.Values]);

    /// <summary>The built-in version alone, in force from the beginning of time.</summary>
    public static CatalogueShelf BuiltIn { get; } = Of(TypeCatalogue.BuiltIn);

    /// <summary>A version that is in force wherever no package says otherwise.</summary>
    public static CatalogueShelf Of(TypeCatalogue first) =>
        new(first, ImmutableSortedDictionary<CatalogueVersion, TypeCatalogue>.Empty.Add(first.Version, first), []);

    /// <summary>In order of name.</summary>
    public ImmutableArray<TypeCatalogue> Versions { get; }

    /// <summary>The version of this name, or null.</summary>
    public TypeCatalogue? Find(CatalogueVersion version) => _versions.GetValueOrDefault(version);

    /// <summary>The type in the version that its key names, or null.</summary>
    public CatalogueType? Find(TypeKey key) => Find(key.Version)?.Find(key);

    /// <summary>True where any version has the code, as a standard or a local one.</summary>
    public bool Knows(TypeCode code) => _versions.Values.Any(version => version.Find(code) is not null);

    /// <summary>The versions that have the code, in order of name.</summary>
    public IReadOnlyList<CatalogueVersion> VersionsOf(TypeCode code) => [.. _versions.Values.Where(version => version.Find(code) is not null).Select(version => version.Version)];

    /// <summary>This shelf and a version put in force. Of a name that stands here already the types that stand here stay.</summary>
    public CatalogueShelf With(CatalogueEdition edition) => new(
        _first, _versions.ContainsKey(edition.Catalogue.Version) ? _versions : _versions.Add(edition.Catalogue.Version, edition.Catalogue), _editions.Add(edition));

    /// <summary>This shelf with a local type below <c>other</c> of every version: its code is made of its name alone, and means the same in all.</summary>
    public CatalogueShelf WithLocal(TypeCode code, string name) => _versions.Values.All(version => version.Find(code) is not null)
        ? this
        : new(_first.WithLocal(code, name), _versions.ToImmutableSortedDictionary(v => v.Key, v => v.Value.WithLocal(code, name)), _editions);

    /// <summary>
    /// The version in force at <paramref name="place"/> on a day: of those that it and the places above it by the register of the day have put in force, the
    /// one with the latest first day; of several, that of the nearest place; of one issuer's, the one published last; where two nodes speak for that
    /// place, the one that was published last by their clocks. Nothing of it depends on the order in which they came.
    /// </summary>
    public TypeCatalogue At(StatDay day, DivisionCode place, DivisionRegister register)
    {
        if (Volatile.Read(ref _last) is { } last && last.Day == day && last.Place == place && last.Register == register)
        {
            return last.Version;
        }

        var version = InForce(day, place, register, skip: 0);
        Volatile.Write(ref _last, new Answer(day, place, register, version));
        return version;
    }

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
            .GroupBy(edition => (edition.From, Steps: nearness[edition.IssuerDivision]))
            .OrderByDescending(group => group.Key.From).ThenBy(group => group.Key.Steps)
            .FirstOrDefault()?
            .GroupBy(edition => edition.Issuer).Select(ofOne => ofOne.MaxBy(edition => edition.Number)!)
            .OrderByDescending(edition => edition.IssuedAt).ThenBy(edition => edition.Issuer)
            .First();
        return _versions[edition?.Catalogue.Version ?? _first.Version];
    }

    private sealed record Answer(StatDay Day, DivisionCode Place, DivisionRegister Register, TypeCatalogue Version);
}
