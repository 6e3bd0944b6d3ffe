namespace CityGrid.Cli.Simulation;

/// <summary>
/// Makes a broken story smaller for as long as it still breaks: fewer steps, fewer nodes and levels, whole kinds of faults and of work away, then disturbances one by
/// one. How it breaks may change on the way; that it breaks does not.
/// </summary>
public static class Shrinking
{
    /// <param name="broken">A story that broke.</param>
    /// <param name="most">Stories told at most.</param>
    /// <param name="tell">Tells a story: once, or twice where two tellings differed.</param>
    public static StoryOutcome Smallest(StoryOutcome broken, int most, Func<StoryPlan, StoryOutcome> tell)
    {
        for (var before = (StoryPlan?)null; before != broken.Plan && most > 0;)
        {
            before = broken.Plan;
            foreach (var smaller in Smaller(broken))
            {
                if (most-- <= 0)
                {
                    break;
                }

                if (tell(smaller) is { Broken: not null } still)
                {
                    broken = still;
                    break;
                }
            }
        }

        return broken;
    }

    /// <summary>Plans that are smaller than the one that broke, the boldest first.</summary>
    private static IEnumerable<StoryPlan> Smaller(StoryOutcome broken)
    {
        var plan = broken.Plan;
        foreach (var steps in new[] { plan.Steps / 4, plan.Steps / 2, plan.Steps * 3 / 4, plan.Steps - 1 }.Where(s => s >= 0 && s < plan.Steps).Distinct())
        {
            yield return plan with { Steps = steps };
        }

        if (plan.Levels > 1)
        {
            yield return plan with { IsOfSeven = false, Levels = plan.Levels - 1, Nodes = plan.Levels == 2 ? 1 : plan.Nodes };
        }

        foreach (var nodes in new[] { plan.Levels, plan.Nodes / 2, plan.Nodes - 1 }.Where(n => n >= plan.Levels && n < plan.Nodes).Distinct())
        {
            yield return plan with { IsOfSeven = false, Nodes = nodes };
        }

        foreach (var kind in plan.Faults)
        {
            yield return plan with { Faults = plan.Faults.Remove(kind) };
        }

        foreach (var work in plan.Also)
        {
            yield return plan with { Also = plan.Also.Remove(work) };
        }

        foreach (var number in broken.Happened)
        {
            yield return plan with { LeftOut = plan.LeftOut.Add(number) };
        }
    }
}
