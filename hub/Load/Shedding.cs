using System.Globalization;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Load;

/// <summary>What a caller wants of a node, in the order in which it is let go of: the first goes first, and what stands behind <see cref="IndicatorPush"/> never.</summary>
public enum CallKind
{
    /// <summary>Figures and lists for whoever looks.</summary>
    View,

    /// <summary>A figure opened down to what it is made of.</summary>
    DrillThrough,

    /// <summary>Many rows of another system at once.</summary>
    BulkImport,

    /// <summary>Cells of a child.</summary>
    IndicatorPush,

    /// <summary>A new case, a step of a case, an alarm or an escalation, what concerns the node itself: never let go of.</summary>
    Essential,
}

/// <summary>How near a node is to what it can bear, each as a share of its bound: 0 at rest, 1 at the bound.</summary>
/// <param name="Queue">Commands that wait for the writer.</param>
/// <param name="Memory">The program's own memory.</param>
/// <param name="ViewLag">Records by which the case lists lag behind the journal.</param>
public readonly record struct Pressure(double Queue, double Memory, double ViewLag)
{
    public double Highest => Math.Max(Queue, Math.Max(Memory, ViewLag));

    /// <summary>Which of them is the highest, in words.</summary>
    public string What => Highest == Memory ? "memory" : Highest == Queue ? "waiting commands" : "lag of the case lists";

    /// <summary>The highest in whole percent of its bound.</summary>
    public int Percent => (int)Math.Round(Math.Clamp(Highest, 0, 10) * 100);
}

/// <summary>
/// Which calls a node lets go of under pressure: views, then drill-through, then bulk imports, then indicator pushes; intake, alarms, escalations and
/// commands never. Pure.
/// </summary>
public static class Shedding
{
    /// <summary>The code of a call that was let go of; it may be repeated later.</summary>
    public const string Busy = "NODE_BUSY";

    /// <summary>A pressure that has fallen by this much below a threshold is really gone.</summary>
    private const double Slack = 0.05;

    /// <summary>Where each kind begins to be let go of; above one for what never is.</summary>
    public static double ThresholdOf(CallKind kind) => kind switch
    {
        CallKind.View => 0.75,
        CallKind.DrillThrough => 0.80,
        CallKind.BulkImport => 0.85,
        CallKind.IndicatorPush => 0.90,
        _ => double.PositiveInfinity,
    };

    /// <summary>How long to stay away: the later a kind is let go of, the sooner it is wanted back.</summary>
    public static TimeSpan PauseOf(CallKind kind) => kind switch
    {
        CallKind.View or CallKind.DrillThrough => TimeSpan.FromSeconds(10),
        CallKind.BulkImport => TimeSpan.FromSeconds(5),
        _ => TimeSpan.FromSeconds(2),
    };

    /// <summary>The kinds that are let go of at a pressure, where <paramref name="before"/> were until now.</summary>
    public static int Level(Pressure pressure, int before)
    {
        var level = 0;
        for (var kind = CallKind.View; kind < CallKind.Essential; kind++)
        {
            var threshold = ThresholdOf(kind) - ((int)kind < before ? Slack : 0);
            level += pressure.Highest >= threshold ? 1 : 0;
        }

        return level;
    }

    /// <summary>What is let go of at a level, in words.</summary>
    public static IEnumerable<string> Words(int level) => new[] { "views", "drill-through", "bulk imports", "indicator pushes" }.Take(level);

    /// <summary>Why a call is not taken now; null where it is.</summary>
    /// <param name="level">How many kinds are let go of (<see cref="Level"/>).</param>
    /// <param name="pressure">For the words.</param>
    /// <param name="kind">What the call is.</param>
    public static Refusal? Decide(int level, Pressure pressure, CallKind kind) => (int)kind >= level ? null : new Refusal(
        Busy,
        string.Create(CultureInfo.InvariantCulture, $"The node is at {pressure.Percent} % of its bound ({pressure.What}) and puts cases and alarms first; call again in {PauseOf(kind).TotalSeconds:0} seconds."));
}
