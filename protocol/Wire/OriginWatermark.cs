using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// What an origin says of itself, relayed unchanged (clause C9): up to where its cells are in, by its own clock and in its own zone, and the
/// digest of what it has at the grains that reach the receiver. As-of is in whole seconds; everything up to and including the complete-through day
/// is in; the zone is an IANA name.
/// </summary>
public sealed record OriginWatermark(
    NodeId Origin, Incarnation Incarnation, Epoch Epoch, Lsn Lsn, Instant AsOf, StatDay CompleteThrough, DivisionCode Division, Hash256 Digest, string Zone);
