using CityGrid.Hub.Seams;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>A time under a toxic.</summary>
/// <param name="Up">From the child to its parent.</param>
/// <param name="Down">From the parent to its child.</param>
internal sealed record Spell(Toxic Up, Toxic Down)
{
    public Spell(Toxic both)
        : this(both, both)
    {
    }

    /// <summary>What the link's error must say while it lasts (": " is anything that the wire says); empty for nothing; null where nothing need be told, for something may pass.</summary>
    public string? Told { get; init; }

    /// <summary>Nothing ends: words, or the answers to them, are only not heard.</summary>
    public bool IsSilent => !Up.Carries || !Down.Carries;

    public TimeSpan AtLeast { get; init; }

    /// <summary>Everything is at the parent before the next one comes.</summary>
    public bool Drains { get; init; }

    public override string ToString() => Up == Down ? $"{Up}" : $"{Up} up, {Down} down";
}

/// <summary>Which toxics come over which city, one after the other.</summary>
internal static class Spells
{
    /// <summary>In a storm one in so many is waited for until all is well again.</summary>
    private const int DrainsOneIn = 8;

    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(3);

    /// <summary>So many that are drawn, in turn over so many cities.</summary>
    public static IReadOnlyList<Spell>[] Drawn(ulong seed, int cities, int drawn)
    {
        var random = new SeededEntropy(seed);
        var all = Enumerable.Range(0, cities).Select(_ => new List<Spell>()).ToArray();
        for (var i = 0; i < drawn; i++)
        {
            all[i % cities].Add(Drawn(random));
        }

        return all;
    }

    /// <summary>Every kind once, for four cities: each row is about as long as the first, the 30 seconds after which an unanswered frame ends the connection.</summary>
    public static IReadOnlyList<Spell>[] Named() =>
    [
        [new Spell(new Toxic.Blackhole()) { Told = "did not answer within 30 s", Drains = true }],
        [
            new Spell(new Toxic.ResetPeer(0)) { Told = "reset by peer", Drains = true },
            new Spell(new Toxic.Refusal()) { Told = "refused", Drains = true },
            new Spell(new Toxic.HalfClose(0), Toxic.None) { Told = ": ", Drains = true },
            new Spell(Toxic.None, new Toxic.HalfClose(0)) { Told = ": ", Drains = true },
        ],
        [
            new Spell(new Toxic.FlippedBit(1), Toxic.None) { Told = ": ", Drains = true },
            new Spell(Toxic.None, new Toxic.FlippedBit(1)) { Told = ": ", Drains = true },
            new Spell(new Toxic.MissingBytes(1)) { Told = ": ", Drains = true },
            new Spell(new Toxic.LimitData(0)) { Told = ": ", Drains = true },
            new Spell(new Toxic.HalfOpen(8_000), Toxic.None) { AtLeast = Moment, Drains = true },
        ],
        [
            new Spell(Toxic.None, new Toxic.Blackhole()) { Told = string.Empty, Drains = true },
            new Spell(new Toxic.Blackhole(), Toxic.None) { Told = string.Empty, Drains = true },
            new Spell(new Toxic.Latency(TimeSpan.FromMilliseconds(300), TimeSpan.FromMilliseconds(400))) { AtLeast = Moment, Drains = true },
            new Spell(new Toxic.Rate(64_000)) { AtLeast = Moment, Drains = true },
            new Spell(new Toxic.SlowClose(TimeSpan.FromSeconds(2))) { AtLeast = Moment, Drains = true },
            new Spell(new Toxic.LimitData(20_000)) { AtLeast = Moment, Drains = true },
            new Spell(new Toxic.RepeatedBytes(3)) { AtLeast = Moment, Drains = true },
        ],
    ];

    private static Spell Drawn(SeededEntropy random)
    {
        var (up, down) = random.Below(3) switch
        {
            0 => (DrawnToxic(random), Toxic.None),
            1 => (Toxic.None, DrawnToxic(random)),
            _ => (DrawnToxic(random), DrawnToxic(random)),
        };
        return new Spell(up, down) { AtLeast = TimeSpan.FromMilliseconds(50 + random.Below(2_000)), Drains = random.OneIn(DrainsOneIn) };
    }

    private static Toxic DrawnToxic(SeededEntropy random) => random.Below(12) switch
    {
        0 => new Toxic.Latency(TimeSpan.FromMilliseconds(random.Below(500)), TimeSpan.FromMilliseconds(random.Below(500))),
        1 => new Toxic.Rate(16_000 << random.Below(6)),
        2 => new Toxic.ResetPeer(random.Below(40_000)),
        3 => new Toxic.HalfClose(random.Below(40_000)),
        4 => new Toxic.LimitData(random.Below(40_000)),
        5 => new Toxic.SlowClose(TimeSpan.FromMilliseconds(random.Below(3_000))),
        6 => new Toxic.Blackhole(),
        7 => new Toxic.Refusal(),
        8 => new Toxic.FlippedBit(1 + random.Below(20)),
        9 => new Toxic.HalfOpen(random.Below(20_000)),
        10 => new Toxic.MissingBytes(1 + random.Below(20)),
        _ => new Toxic.RepeatedBytes(1 + random.Below(20)),
    };
}
