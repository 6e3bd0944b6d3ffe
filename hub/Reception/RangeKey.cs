using System.Globalization;
using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Reception;

/// <summary>The cells of one origin at one grain: what the root of clause C10 is about.</summary>
public readonly record struct RangeScope(NodeId Origin, Grain Grain) : IComparable<RangeScope>
{
    /// <summary>Null where the two are no name and no grain.</summary>
    public static RangeScope? Of(string origin, int grain) =>
        NodeId.TryParse(origin, out var node) && grain is >= 1 and <= byte.MaxValue ? new RangeScope(node, new Grain((byte)grain)) : null;

    public int CompareTo(RangeScope other) =>
        Origin.CompareTo(other.Origin) is not 0 and var order ? order : Grain.Number.CompareTo(other.Grain.Number);

    public override string ToString() => $"{Origin} {Grain}";
}

/// <summary>A range (clause C10): the cells of one origin at one grain in one month, year × 12 + month - 1.</summary>
public readonly record struct RangeKey(RangeScope Scope, int Month) : IComparable<RangeKey>
{
    private static readonly int FirstMonth = CellDigests.MonthOf(CellsPartCodec.FirstDay.Number), LastMonth = CellDigests.MonthOf(CellsPartCodec.LastDay.Number);

    public NodeId Origin => Scope.Origin;

    public Grain Grain => Scope.Grain;

    public int CompareTo(RangeKey other) => Scope.CompareTo(other.Scope) is not 0 and var order ? order : Month.CompareTo(other.Month);

    /// <summary>The range that a cell lies in.</summary>
    public static RangeKey Of(in CellKey key) => new(new RangeScope(key.Origin, key.Grain), CellDigests.MonthOf(key.Day.Number));

    /// <summary>Whether a month has days of clause C1.</summary>
    public static bool IsMonth(int month) => month >= FirstMonth && month <= LastMonth;

    /// <summary>Year and month as in 2026-03.</summary>
    public static string TextOf(int month) => string.Create(CultureInfo.InvariantCulture, $"{month / 12:0000}-{(month % 12) + 1:00}");

    public override string ToString() => $"{Scope} {TextOf(Month)}";
}
