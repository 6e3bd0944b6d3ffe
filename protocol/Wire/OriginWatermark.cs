using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// What an origin says of itself, relayed unchanged (clause C9): up to where its cells are in, by its own clock and in its own zone, and the
/// digest of what it has at the grains that reach the receiver. As-of is in whole seconds; everything up to and including the complete-through day
/// is in; the zone is an IANA name.
/// </summary>
public sealed record OriginWatermark(
    NodeId Origin, Incarnation Incarnation, Epoch Epoch, Lsn Lsn, Instant AsOf, StatDay CompleteThrough, DivisionCode Division, Hash256 Digest, string Zone)
{
    /// <summary>Of which matters the origin tells; the digest is over their cells.</summary>
    public Matters Matters { get; init; } = Matters.All;

    /// <summary>Its position since which that is so; zero where it tells of all.</summary>
    public Lsn MattersSince { get; init; }

    /// <summary>Whether a cell of the origin is over because it is not told of its type any more: what is held of it counts nothing (L17).</summary>
    public bool Ends(TypeKey type, Revision revision) => !Matters.IsAll && revision < new Revision(Epoch.Number, MattersSince.Value) && !Matters.Includes(type.Code);
}
