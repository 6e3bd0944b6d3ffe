using CityGrid.Protocol.Names;

namespace CityGrid.Protocol.Wire;

/// <summary>A cell as it moves: its key, how new it is, and its value in the canonical bytes of clause C4.</summary>
public readonly record struct CellRow(CellKey Key, Revision Revision, ReadOnlyMemory<byte> Value);
