using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>Where a node stands among those that publish catalogues.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Division">Its division.</param>
/// <param name="Register">Says who is above it on which day.</param>
/// <param name="Zone">The zone of its days.</param>
/// <param name="IsRoot">Nobody is above it: it may publish codes that no version had before.</param>
public sealed record CataloguePlace(NodeId Node, DivisionCode Division, DivisionRegister Register, DateTimeZone Zone, bool IsRoot)
{
    public StatDay DayOf(Instant now) => StatDay.Of(now, Zone);

    /// <summary>True for a division that stands above this one on the day.</summary>
    public bool IsBelow(DivisionCode issuer, StatDay day) =>
        issuer != Division && Register.At(day) is var register && register.IsAtOrBelow(Division, issuer);
}
