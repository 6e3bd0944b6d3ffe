using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Cells;

/// <summary>A change to one counter of a cell.</summary>
public readonly record struct CounterChange(ushort Counter, long Delta);

/// <summary>A change to one histogram of a cell: a whole number of seconds counted in (+1) or withdrawn (-1).</summary>
public readonly record struct DurationChange(ushort Histogram, long Seconds, long Delta);

/// <summary>What one event changes in one of the origin's own cells.</summary>
public sealed record CellChange(CellKey Key, IReadOnlyList<CounterChange> Counters, IReadOnlyList<DurationChange> Durations);
