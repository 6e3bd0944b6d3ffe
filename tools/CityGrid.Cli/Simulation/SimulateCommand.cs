using System.CommandLine;
using System.Globalization;
using CityGrid.Hub.Seams;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// <c>citygrid simulate --seeds A..B</c>: the stories that the tests tell, as many as wanted, on all cores. Every hundredth is told twice and must be the
/// same. A story that broke is made smaller and printed as the line that tells it again. Ends with 1 where one broke, and in a night where a condition that
/// stories must meet was never met.
/// </summary>
internal static class SimulateCommand
{
    private const ulong TwiceEvery = 100;
    private const ulong SaidEvery = 50;
    private const int ShrunkBy = 120;

    public static Command Create()
    {
        var seeds = new Option<SeedRange>("--seeds")
        {
            Description = Texts.Get("OptionSeeds"),
            DefaultValueFactory = _ => new SeedRange(1, 100),
            CustomParser = result =>
            {
                if (SeedRange.TryParse(result.Tokens.Count == 1 ? result.Tokens[0].Value : string.Empty, out var range))
                {
                    return range;
                }

                result.AddError(Texts.Get("SeedsBad"));
                return default;
            },
        };
        var nodes = new Option<int?>("--nodes") { Description = Texts.Get("OptionNodes") };
        var levels = new Option<int?>("--levels") { Description = Texts.Get("OptionLevels") };
        var nightly = new Option<bool>("--nightly") { Description = Texts.Get("OptionNightly") };
        var story = new Option<string?>("--story") { Description = Texts.Get("OptionStory") };
        var command = new Command("simulate", Texts.Get("CommandSimulate")) { seeds, nodes, levels, nightly, story };
        command.Validators.Add(result =>
        {
            if (result.GetValue(nodes) is < 1 or > 200 || result.GetValue(levels) is < 1 or > TreeShape.LevelsMax)
            {
                result.AddError(Texts.Get("TreeBad", TreeShape.LevelsMax));
            }

            if (result.GetValue(story) is { } line && !StoryPlan.TryParse(line, out _))
            {
                result.AddError(Texts.Get("StoryBad"));
            }
        });
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(story) is { } line)
            {
                StoryPlan.TryParse(line, out var plan);
                return RunOne(plan, Console.Out);
            }

            var isNight = parsed.GetValue(nightly);
            var bounds = isNight ? StoryBounds.Nightly : StoryBounds.Short;
            bounds = bounds with { NodesMax = parsed.GetValue(nodes) ?? bounds.NodesMax, LevelsMax = parsed.GetValue(levels) ?? bounds.LevelsMax };
            return Run(parsed.GetValue(seeds), bounds, isNight, Console.Out);
        });
        return command;
    }

    public static int Run(SeedRange seeds, StoryBounds bounds, bool isNight, TextWriter output)
    {
        var tally = new StoryTally();
        using var done = new CountdownEvent(Environment.ProcessorCount);
        var (next, told) = (seeds.First, 0UL);
        var gate = new Lock();
        Exception? failed = null;
        var spawner = new PoolSpawner(CancellationToken.None, (_, failure) =>
        {
            failed = failure;
            done.Signal();
        });
        for (var core = 0; core < Environment.ProcessorCount; core++)
        {
            spawner.Spawn("tell stories", _ =>
            {
                while (Take() is { } seed)
                {
                    Func<StoryPlan, StoryOutcome> tell = seed % TwiceEvery == 0 ? StoryOutcome.Twice : plan => StoryOutcome.Of(plan);
                    var outcome = tell(StoryPlan.Drawn(seed, bounds));
                    var smallest = outcome.Broken is null ? null : Shrinking.Smallest(outcome, ShrunkBy, tell);
                    lock (gate)
                    {
                        tally.Add(outcome);
                        told++;
                        if (smallest is not null)
                        {
                            output.WriteLine(Texts.Get("SimulateBroken", seed, outcome.Broken!));
                            output.WriteLine(Texts.Get("SimulateShrunk", smallest.Line, smallest.Broken!));
                        }

                        if (told % SaidEvery == 0 || told == seeds.Count)
                        {
                            output.WriteLine(Texts.Get("SimulateTold", told, seeds.Count, tally.Broken));
                        }
                    }
                }

                done.Signal();
                return Task.CompletedTask;
            });
        }

        done.Wait();
        if (failed is not null)
        {
            throw new InvalidOperationException("Telling stories failed.", failed);
        }

        return tally.Print(output, isNight);

        ulong? Take()
        {
            lock (gate)
            {
                return next > seeds.Last ? null : next++;
            }
        }
    }

    private static int RunOne(StoryPlan plan, TextWriter output)
    {
        var outcome = StoryOutcome.Twice(plan);
        output.WriteLine(outcome.Line);
        output.WriteLine(outcome.Broken is { } broken ? Texts.Get("SimulateBroken", plan.Seed, broken) : Texts.Get("SimulateTold", 1, 1, 0));
        return outcome.Broken is null ? 0 : 1;
    }
}

/// <summary>What many stories came to.</summary>
internal sealed class StoryTally
{
    private readonly SometimesTable _sometimes = new();
    private long _messages;

    public int Broken { get; private set; }

    public void Add(StoryOutcome outcome)
    {
        Broken += outcome.Broken is null ? 0 : 1;
        _messages += outcome.Messages;
        _sometimes.Add(outcome.Sometimes);
    }

    /// <summary>The table of what was met; the exit code.</summary>
    public int Print(TextWriter output, bool isNight)
    {
        output.WriteLine(Texts.Get("SimulateMessages", _messages));
        foreach (var (condition, times) in _sometimes.Rows)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {times,9}  {condition}"));
        }

        var missing = _sometimes.Missing.Count();
        output.WriteLine(Texts.Get("SimulateMissing", missing));
        return Broken > 0 || (isNight && missing > 0) ? 1 : 0;
    }
}

/// <summary>Seeds from the first to the last, both in: <c>1..300</c>, or <c>17</c>.</summary>
internal readonly record struct SeedRange(ulong First, ulong Last)
{
    public ulong Count => Last - First + 1;

    public static bool TryParse(string text, out SeedRange range)
    {
        var parts = text.Split("..", 2);
        range = default;
        if (!ulong.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            || !ulong.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last) || first > last || last == ulong.MaxValue)
        {
            return false;
        }

        range = new SeedRange(first, last);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{First}..{Last}");
}
