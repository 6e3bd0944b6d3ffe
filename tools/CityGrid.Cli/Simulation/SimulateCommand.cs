using System.CommandLine;
using System.Globalization;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// <c>citygrid simulate --seeds A..B</c>: the stories that the tests tell, as many as wanted. Every hundredth is told twice and must be the same.
/// Ends with 1 where one broke, naming its seed.
/// </summary>
internal static class SimulateCommand
{
    private const ulong TwiceEvery = 100;
    private const ulong SaidEvery = 50;

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
        var command = new Command("simulate", Texts.Get("CommandSimulate")) { seeds };
        command.SetAction(parsed =>
        {
            var (first, last) = parsed.GetValue(seeds);
            return Run(first, last, Console.Out);
        });
        return command;
    }

    public static int Run(ulong first, ulong last, TextWriter output)
    {
        var broken = 0;
        for (var seed = first; seed <= last; seed++)
        {
            if (Told(seed) is { } what)
            {
                broken++;
                output.WriteLine(Texts.Get("SimulateBroken", seed, what));
            }

            if ((seed - first + 1) % SaidEvery == 0 || seed == last)
            {
                output.WriteLine(Texts.Get("SimulateTold", seed - first + 1, last - first + 1, broken));
            }
        }

        return broken == 0 ? 0 : 1;
    }

    /// <summary>What went wrong in a story; null where it ended well.</summary>
    private static string? Told(ulong seed)
    {
        try
        {
            var trace = Tell(seed);
            return seed % TwiceEvery != 0 || Tell(seed) == trace ? null : Texts.Get("SimulateTwo");
        }
        catch (Exception failure)
        {
            return failure is StoryBrokenException ? failure.Message : failure.ToString();
        }
    }

    private static string Tell(ulong seed)
    {
        var story = new SimulatedStory(seed);
        story.Play();
        story.Check();
        return story.Trace();
    }
}

/// <summary>Seeds from the first to the last, both in: <c>1..300</c>, or <c>17</c>.</summary>
internal readonly record struct SeedRange(ulong First, ulong Last)
{
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
