using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Cells;

/// <summary>Which cells a view looks at: one grain, the days from <paramref name="From"/> on and before <paramref name="To"/>, and what else is asked.</summary>
public sealed record CellFilter(Grain Grain, StatDay From, StatDay To)
{
    public Func<NodeId, bool>? Origins { get; init; }

    public Func<TypeKey, bool>? Types { get; init; }

    public Func<DivisionCode, bool>? Divisions { get; init; }

    public Func<SourceCode, bool>? Sources { get; init; }

    /// <summary>Whether the cells of a series, which differ by day only, are among them.</summary>
    internal bool Passes(CellNames names, in Series series) =>
        Types?.Invoke(names.Types[series.Type]) != false
        && Divisions?.Invoke(names.Divisions[series.Division]) != false
        && Sources?.Invoke(names.Sources[series.Source]) != false;
}

/// <summary>Is shown a cell; <paramref name="value"/> is gone when it returns.</summary>
public delegate void CellVisitor(in CellKey key, Lsn local, ReadOnlySpan<byte> value);
