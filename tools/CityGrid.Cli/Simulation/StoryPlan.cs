using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;

namespace CityGrid.Cli.Simulation;

/// <summary>How large and how long stories may be.</summary>
/// <param name="NodesMax">From 1.</param>
/// <param name="LevelsMax">From 1 to 5.</param>
/// <param name="HoursMin">Virtual hours of bad weather, about.</param>
public sealed record StoryBounds(int NodesMax, int LevelsMax, int HoursMin)
{
    /// <summary>What runs with every change.</summary>
    public static readonly StoryBounds Short = new(7, 4, 6);

    /// <summary>Half as long, where there are many.</summary>
    public static readonly StoryBounds Brief = new(7, 4, 3);

    /// <summary>A day and more, with absences of a month.</summary>
    public static readonly StoryBounds Nightly = new(40, 5, 24);
}

/// <summary>What people of a story do beside working cases. A story that was kept from before it has none of it, and is the one that it was.</summary>
public enum StoryWork
{
    /// <summary>Orders go down, are cancelled, signed for, answered, rejected.</summary>
    Orders,

    /// <summary>Versions of the catalogue are published.</summary>
    Packages,
}

/// <summary>
/// Everything that makes a story what it is, drawn from a seed. It is kept as one line (<see cref="ToString"/>, <see cref="TryParse"/>), so that a story that
/// broke can be told again, and made smaller: each thing in it is drawn from a stream of its own, so that one left out changes none of the others.
/// </summary>
public sealed record StoryPlan(ulong Seed, int Nodes, int Levels, int Steps)
{
    /// <summary>The most virtual minutes a step takes.</summary>
    public const int StepMinutesMax = 40;

    /// <summary>One story in so many has a child that lies.</summary>
    private const int HostileOneIn = 4;

    /// <summary>One story in so many has nodes that are taken back to the program of before.</summary>
    private const int OldProgramOneIn = 5;

    private const string Seven = "1+2+4";

    public ImmutableSortedSet<FaultKind> Faults { get; init; } = [];

    /// <summary>The tree is a ministry, two provinces, and two cities in each; otherwise it is drawn.</summary>
    public bool IsOfSeven { get; init; }

    public ImmutableSortedSet<StoryWork> Also { get; init; } = [];

    /// <summary>Disturbances that do not happen, by number.</summary>
    public ImmutableSortedSet<int> LeftOut { get; init; } = [];

    public static StoryPlan Drawn(ulong seed, StoryBounds bounds)
    {
        var random = Stream(seed, "plan");
        var nodes = bounds.NodesMax <= 7 || !random.OneIn(4) ? 1 + random.Below(Math.Min(7, bounds.NodesMax)) : 1 + random.Below(bounds.NodesMax);
        var levels = Math.Min(nodes, Math.Min(bounds.LevelsMax, nodes == 1 ? 1 : 2 + random.Below(Math.Max(1, bounds.LevelsMax - 1))));
        var least = bounds.HoursMin * 60 * 2 / StepMinutesMax;
        var kinds = ImmutableSortedSet.CreateBuilder<FaultKind>();
        if (!random.OneIn(20))
        {
            var allowed = 1 + random.Below(3);
            foreach (var kind in Enum.GetValues<FaultKind>().Where(kind => kind is not (FaultKind.HostileChild or FaultKind.OldProgram)))
            {
                var rare = kind is FaultKind.ClockDaysOff && !random.OneIn(3);
                if (random.Below(4) < allowed && !rare && (kind != FaultKind.Absence || (bounds.HoursMin >= 24 && random.OneIn(10))))
                {
                    kinds.Add(kind);
                }
            }
        }

        // From a stream of its own: the stories without it are those that they were before it was thought of.
        if (nodes > 1 && Stream(seed, "hostile").OneIn(HostileOneIn))
        {
            kinds.Add(FaultKind.HostileChild);
        }

        if (nodes > 1 && Stream(seed, "old program").OneIn(OldProgramOneIn))
        {
            kinds.Add(FaultKind.OldProgram);
        }

        return new StoryPlan(seed, nodes, levels, least + random.Below(least + 1)) { Faults = kinds.ToImmutable(), Also = [StoryWork.Orders, StoryWork.Packages] };
    }

    /// <summary>A story of one ministry, two provinces and four cities.</summary>
    public static StoryPlan OfSeven(ulong seed, StoryBounds bounds) => Drawn(seed, bounds) with { Nodes = 7, Levels = 3, IsOfSeven = true };

    /// <summary>A story with a child that lies, whatever else is in it.</summary>
    public static StoryPlan WithHostile(ulong seed, StoryBounds bounds)
    {
        var plan = Drawn(seed, bounds) is { Nodes: > 1 } drawn ? drawn : OfSeven(seed, bounds);
        return plan with { Faults = plan.Faults.Add(FaultKind.HostileChild) };
    }

    /// <summary>Random numbers for one purpose, and one number of it: nothing that is drawn elsewhere changes them.</summary>
    public static SeededEntropy Stream(ulong seed, string purpose, int number = 0)
    {
        unchecked
        {
            var mixed = (seed * 0x9E3779B97F4A7C15) ^ ((ulong)number * 0xD6E8FEB86659FD93);
            foreach (var letter in purpose)
            {
                mixed = (mixed ^ letter) * 0x100000001B3;
            }

            return new SeededEntropy(new SeededEntropy(mixed).Next());
        }
    }

    public SeededEntropy Stream(string purpose, int number = 0) => Stream(Seed, purpose, number);

    /// <summary>What the network does all the time while the weather is bad.</summary>
    public SimulatedWeather Weather()
    {
        var random = Stream("weather");
        var lost = 1 + random.Below(300);
        var twice = 1 + random.Below(500);
        var delay = TimeSpan.FromSeconds(random.OneIn(4) ? 20 + random.Below(300) : 1 + random.Below(20));
        return new SimulatedWeather(
            Has(FaultKind.Loss) ? lost : 0,
            Has(FaultKind.Replay) ? twice : 0,
            Has(FaultKind.Reorder) ? delay : SimulatedWeather.Fair.DelayMax,
            Has(FaultKind.Break) ? 20 : 0)
        {
            KeptOf1000 = Has(FaultKind.LateReplay) ? 50 : 0,
        };
    }

    /// <summary>In three of four stories parts are small, so that many are under way and cuts come in pieces.</summary>
    public CutSizes Cuts()
    {
        var random = Stream("cuts");
        if (random.OneIn(4))
        {
            return CutSizes.Default;
        }

        var (cells, parts) = (1 + random.Below(6), 1 + random.Below(8));
        return new CutSizes { CellsAPart = cells, PartsACut = parts, RecordPartsACut = parts, EscalationsAPart = 1 + random.Below(2) };
    }

    public bool Has(FaultKind kind) => Faults.Contains(kind);

    public override string ToString()
    {
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"seed={Seed} nodes={Nodes} levels={Levels} steps={Steps} faults={(Faults.IsEmpty ? "none" : string.Join(',', Faults.Select(f => f.ToString())))}");
        if (IsOfSeven)
        {
            line.Append(" tree=").Append(Seven);
        }

        if (!Also.IsEmpty)
        {
            line.Append(CultureInfo.InvariantCulture, $" also={string.Join(',', Also.Select(w => w.ToString()))}");
        }

        if (!LeftOut.IsEmpty)
        {
            line.Append(CultureInfo.InvariantCulture, $" out={string.Join(',', LeftOut)}");
        }

        return line.ToString();
    }

    public static bool TryParse(string line, out StoryPlan plan)
    {
        plan = new StoryPlan(0, 0, 0, 0);
        foreach (var word in line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = word.Split('=', 2) is [var before, var after] ? (before, after) : (word, string.Empty);
            if (name == "faults")
            {
                var kinds = value == "none" ? [] : value.Split(',');
                if (!kinds.All(kind => Enum.TryParse<FaultKind>(kind, out _)))
                {
                    return false;
                }

                plan = plan with { Faults = [.. kinds.Select(Enum.Parse<FaultKind>)] };
            }
            else if (name == "also" && value.Split(',') is var works && works.All(work => Enum.TryParse<StoryWork>(work, out _)))
            {
                plan = plan with { Also = [.. works.Select(Enum.Parse<StoryWork>)] };
            }
            else if (name == "tree" && value == Seven)
            {
                plan = plan with { IsOfSeven = true };
            }
            else if (name == "out" && value.Split(',') is var numbers && numbers.All(n => int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
            {
                plan = plan with { LeftOut = [.. numbers.Select(n => int.Parse(n, CultureInfo.InvariantCulture))] };
            }
            else if (name == "seed" && ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seed))
            {
                plan = plan with { Seed = seed };
            }
            else if (name is "nodes" or "levels" or "steps" && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                plan = name == "nodes" ? plan with { Nodes = number } : name == "levels" ? plan with { Levels = number } : plan with { Steps = number };
            }
            else if (name != "hash")
            {
                return false;
            }
        }

        return (plan is { IsOfSeven: false } or { Nodes: 7, Levels: 3 }) && plan is { Nodes: >= 1 and <= 200, Levels: >= 1 and <= TreeShape.LevelsMax } && plan.Levels <= plan.Nodes && (plan.Levels > 1 || plan.Nodes == 1) && plan.Steps is >= 0 and <= 100_000;
    }
}
