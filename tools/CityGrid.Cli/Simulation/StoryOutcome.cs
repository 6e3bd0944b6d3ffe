namespace CityGrid.Cli.Simulation;

/// <summary>What came of a story: what broke (null for nothing), its event hash, and what it met on its way.</summary>
public sealed record StoryOutcome(StoryPlan Plan, string? Broken, string Hash, long Messages, SometimesTable Sometimes, IReadOnlyList<int> Happened)
{
    /// <summary>The line that a broken story is kept by: everything that is needed to tell it again.</summary>
    public string Line => $"{Plan} hash={Hash}";

    /// <summary>Tells a story to its end, or until it breaks.</summary>
    public static StoryOutcome Of(StoryPlan plan, StoryTwist? twist = null)
    {
        var story = new SimulatedStory(plan, twist);
        string? broken = null;
        try
        {
            story.Tell();
        }
#pragma warning disable CA1031 // Whatever escapes the product in a story is what the story was told for.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            broken = failure is StoryBrokenException ? failure.Message : failure.ToString();
        }

        return new StoryOutcome(plan, broken, story.Hash, story.Messages, story.Sometimes, story.Happened);
    }

    /// <summary>As <see cref="Of"/>, and told once more: two hashes are a fault of its own (INV-32).</summary>
    public static StoryOutcome Twice(StoryPlan plan)
    {
        var (first, second) = (Of(plan), Of(plan));
        return first.Hash == second.Hash ? first : first with { Broken = $"INV-32: told twice it was two stories, {first.Hash} and {second.Hash}" };
    }
}
