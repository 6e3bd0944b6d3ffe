namespace CityGrid.Protocol.Names;

/// <summary>The key of a cell: who counted, how finely, what, where, on which day, from which source (protocol/README.md, clause C1).</summary>
public readonly record struct CellKey(NodeId Origin, Grain Grain, TypeKey Type, DivisionCode Division, StatDay Day, SourceCode Source)
    : IComparable<CellKey>
{
    /// <summary>The canonical order of clause C8: origin, grain, day, catalogue, kind, code, division, source; text by its bytes.</summary>
    public int CompareTo(CellKey other)
    {
        var order = Origin.CompareTo(other.Origin);
        order = order != 0 ? order : Grain.Number.CompareTo(other.Grain.Number);
        order = order != 0 ? order : Day.CompareTo(other.Day);
        order = order != 0 ? order : Type.CompareTo(other.Type);
        order = order != 0 ? order : Division.CompareTo(other.Division);
        return order != 0 ? order : Source.CompareTo(other.Source);
    }
}
