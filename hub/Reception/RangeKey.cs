using System.Globalization;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Reception;

/// <summary>The cells of one origin at one grain: what the root of clause C10 is about.</summary>
public readonly record struct RangeScope(NodeId Origin, Grain Grain) : IComparable<RangeScope>
{
    public int CompareTo(RangeScope other) =>
        Origin.CompareTo(other.Origin) is not 0 and var order ? order : Grain.Number.CompareTo(other.Grain.Number);

    public override string ToString() => $"{Origin} {Grain}";
}

/// <summary>A range (clause C10): the cells of one origin at one grain in one month, year × 12 + month - 1.</summary>
public readonly record struct RangeKey(RangeScope Scope, int Month) : IComparable<RangeKey>
{
    public NodeId Origin => Scope.Origin;

    public Grain Grain => Scope.Grain;

    public int CompareTo(RangeKey other) => Scope.CompareTo(other.Scope) is not 0 and var order ? order : Month.CompareTo(other.Month);

    /// <summary>Year and month as in 2026-03.</summary>
    public static string TextOf(int month)
    {
        var year = (int)Math.Floor(month / 12.0);
        return string.Create(CultureInfo.InvariantCulture, $"{year:0000}-{month - (year * 12) + 1:00}");
    }

    public override string ToString() => $"{Scope} {TextOf(Month)}";
}
