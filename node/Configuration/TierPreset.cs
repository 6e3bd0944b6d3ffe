using NodaTime;

namespace CityGrid.Node.Configuration;

/// <summary>The surroundings that a node may be set up for.</summary>
public enum Tier
{
    /// <summary>街道、乡镇</summary>
    Street,

    /// <summary>区、县</summary>
    County,

    /// <summary>市</summary>
    City,

    /// <summary>省、自治区</summary>
    Province,

    /// <summary>住房和城乡建设部</summary>
    Ministry,
}

/// <summary>
/// The defaults that differ between surroundings, side by side. A file may set each of them otherwise; nothing else in the program asks for the
/// tier, so a tree may have as many levels as its parent links say.
/// </summary>
public sealed record TierPreset
{
    public required Tier Tier { get; init; }

    /// <summary>Where children connect; null: nobody connects.</summary>
    public required int? LinkPort { get; init; }

    /// <summary>When changed cells go up, where the node has a parent.</summary>
    public required string Schedule { get; init; }

    public required Duration Jitter { get; init; }

    /// <summary>Each tier waits for the one below: a late night's sending (5 min) on each hop, and hours in which a person can mend a link.</summary>
    public required Duration ClosingDelay { get; init; }

    public required Duration SnapshotEvery { get; init; }

    /// <summary>Children, and room for each to have one old connection that is not yet known to be dead, and as much again.</summary>
    public required int LinkConnections { get; init; }

    // 340 cities that send every 5 minutes are 1.1 batches a second in the nation; 36 children with a jitter of 30 s are about 1 a second at one
    // province. A province sends 2 minutes after its cities, when their batches are in.
    public static readonly TierPreset Street = new()
    {
        Tier = Tier.Street,
        LinkPort = null,
        Schedule = "0 0/5 * * * ?",
        Jitter = Duration.FromSeconds(30),
        ClosingDelay = Duration.FromHours(1),
        SnapshotEvery = Duration.FromMinutes(30),
        LinkConnections = 64,
    };

    public static readonly TierPreset County = Street with
    {
        Tier = Tier.County,
        ClosingDelay = Duration.FromHours(1),
        LinkConnections = 128,
    };

    public static readonly TierPreset City = Street with
    {
        Tier = Tier.City,
        ClosingDelay = Duration.FromHours(2),
        SnapshotEvery = Duration.FromMinutes(15),
        LinkConnections = 128,
    };

    public static readonly TierPreset Province = Street with
    {
        Tier = Tier.Province,
        LinkPort = 7443,
        Schedule = "0 2/5 * * * ?",
        Jitter = Duration.FromSeconds(60),
        ClosingDelay = Duration.FromHours(4),
        SnapshotEvery = Duration.FromMinutes(15),
        LinkConnections = 256,
    };

    public static readonly TierPreset Ministry = Province with
    {
        Tier = Tier.Ministry,
        ClosingDelay = Duration.FromHours(6),
        SnapshotEvery = Duration.FromMinutes(10),
        LinkConnections = 512,
    };

    public static TierPreset Of(Tier tier) => tier switch
    {
        Tier.Street => Street,
        Tier.County => County,
        Tier.City => City,
        Tier.Province => Province,
        Tier.Ministry => Ministry,
        _ => throw new ArgumentOutOfRangeException(nameof(tier), tier, "no such tier"),
    };
}
