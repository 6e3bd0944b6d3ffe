namespace CityGrid.Protocol.Names;

/// <summary>
/// How finely a cell tells things apart. Grains are catalogue data (number, what they keep, how far up they go); these are the two that
/// every catalogue has. An origin emits each of its cells at every grain asked for, so nothing is re-aggregated on the way.
/// </summary>
public readonly record struct Grain(byte Number)
{
    /// <summary>As filed: district, type, day and source. Goes to the origin's parent and no further.</summary>
    public static readonly Grain Detail = new(1);

    /// <summary>The origin's division, type and day; source <c>all</c>. Goes to every ancestor.</summary>
    public static readonly Grain National = new(2);

    public override string ToString() => Number switch { 1 => "detail", 2 => "national", _ => $"grain-{Number}" };
}
