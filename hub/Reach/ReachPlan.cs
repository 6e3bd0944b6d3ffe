using CityGrid.Hub.Divisions;
using CityGrid.Hub.Orders;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Reach;

/// <summary>Whether a query can go to a child now.</summary>
public enum ReachStanding
{
    Connected,
    Absent,

    /// <summary>Connected, in a protocol that knows no queries.</summary>
    OldProtocol,

    /// <summary>Connected beside its own tree: it answers its territorial parent alone (L17).</summary>
    TakesNone,
}

/// <summary>A child as queries see it.</summary>
public sealed record ReachChild(NodeId Node, DivisionCode Division, ReachStanding Standing, Instant? LastHeard);

/// <summary>What a node goes by when a query comes: who it is, the register of the day, its children, and why it takes no queries now, if it does not.</summary>
public sealed record ReachGround(NodeId Node, DivisionCode Division, DivisionRegister Register, IReadOnlyList<ReachChild> Children, Refusal? Shed = null);

/// <summary>The codes by which a place did not answer; the answering node's own refusals come beside them.</summary>
public static class ReachCodes
{
    public const string NotConnected = "NOT_CONNECTED";

    /// <summary>The register expects a place of which no node ever spoke here.</summary>
    public const string NeverHeard = "NEVER_HEARD";

    public const string ConnectionEnded = "CONNECTION_ENDED";
    public const string TooLate = "TOO_LATE";
    public const string ProtocolOld = "PROTOCOL_OLD";

    /// <summary>The child belongs to another tree, which is the one that may ask it.</summary>
    public const string TakesNoQueries = "TAKES_NO_QUERIES";
    public const string AnswerTooLarge = "ANSWER_TOO_LARGE";
    public const string LineBusy = "LINE_BUSY";
    public const string KindUnknown = "QUERY_KIND_UNKNOWN";
    public const string Malformed = "MALFORMED";
    public const string Denied = "PERMISSION_DENIED";

    /// <summary>What the node could not foresee.</summary>
    public const string Internal = "INTERNAL";
}

/// <summary>Whom a node asks for a query, and of whom it knows at once that they will not answer. Pure (clauses P2, P3).</summary>
/// <param name="AsksItself">The node answers from what it has.</param>
/// <param name="Asked">The children concerned, connected or not, each with the part of the target that is below it, and how many places the register expects to keep cases there.</param>
/// <param name="Missing">Places that the register expects and that no child speaks for.</param>
public sealed record ReachPlan(bool AsksItself, IReadOnlyList<ReachPlan.Share> Asked, IReadOnlyList<ReachMissing> Missing)
{
    /// <summary>What a child is asked about.</summary>
    public sealed record Share(ReachChild Child, DivisionCode Target, int Origins);

    /// <summary>Why a query from above is not followed here: null where the target lies here or below, and the asker above it.</summary>
    public static Refusal? Refused(ReachGround ground, ReachQuery query)
    {
        var (target, asker) = (DivisionCode.Parse(query.TargetDivision), DivisionCode.Parse(query.AskerDivision));
        return query.Asker == ground.Node.ToString() ? new Refusal(OrderJudge.Loop, $"The query was asked by {ground.Node} itself and has come back to it.")
            : !ground.Register.IsAtOrBelow(target, ground.Division) ? new Refusal(OrderJudge.NotBelow, $"{target} does not lie at or below {ground.Division} in the register of {ground.Node} today.")
            : asker == target || !ground.Register.IsAtOrBelow(target, asker) ? new Refusal(OrderJudge.NoAuthority, $"{asker}, which asks, does not lie above {target} in the register of {ground.Node} today.")
            : null;
    }

    /// <summary>The plan for a target that lies at or below the node.</summary>
    public static ReachPlan Of(ReachGround ground, DivisionCode target, bool allBelow)
    {
        if (target == ground.Division && !allBelow)
        {
            return Itself;
        }

        var keepsCases = ground.Register.Find(ground.Division) is { MayKeepCases: true };
        var children = Speakers(ground);
        return allBelow
            ? keepsCases && (target == ground.Division || Over(ground, children, target) is null) ? Itself : FanOut(ground, children, target)
            : Over(ground, children, target) is { } child ? new ReachPlan(false, [new Share(child, target, OriginsIn(ground.Register, target))], [])
            : keepsCases ? Itself
            : new ReachPlan(false, [], [Unheard(ground, target)]);
    }

    private static ReachPlan Itself { get; } = new(true, [], []);

    /// <summary>How many places the register expects to keep cases at or below a division.</summary>
    public static int OriginsIn(DivisionRegister register, DivisionCode division) => register.OriginsBelow(division).Count;

    private static ReachPlan FanOut(ReachGround ground, IReadOnlyList<ReachChild> children, DivisionCode target)
    {
        var register = ground.Register;
        var asked = children.Where(child => register.IsAtOrBelow(child.Division, target)).ToDictionary(child => child.Division);
        if (Over(ground, children, target) is { } over)
        {
            asked[target] = over;
        }

        // Each place that keeps cases is the nearest child's above it.
        var origins = asked.Keys.ToDictionary(division => division, _ => 0);
        var unheard = new List<ReachMissing>();
        foreach (var origin in register.OriginsBelow(target))
        {
            if (register.UpFrom(origin.Code).FirstOrDefault(division => asked.ContainsKey(division.Code)) is { } above)
            {
                origins[above.Code]++;
            }
            else
            {
                unheard.Add(Unheard(ground, origin.Code));
            }
        }

        return new ReachPlan(false, [.. asked.OrderBy(one => one.Key).Select(one => new Share(one.Value, one.Key, origins[one.Key]))], unheard);
    }

    /// <summary>
    /// One child for each division below this node today. Of two nodes of one division the one that is connected speaks for it, else the one heard of
    /// last: a node that was replaced speaks no more.
    /// </summary>
    private static IReadOnlyList<ReachChild> Speakers(ReachGround ground) =>
    [
        .. ground.Children
            .Where(child => child.Division != ground.Division && ground.Register.IsAtOrBelow(child.Division, ground.Division))
            .GroupBy(child => child.Division)
            .Select(same => same.OrderBy(child => child.Standing == ReachStanding.Absent).ThenByDescending(child => child.LastHeard ?? Instant.MinValue).ThenBy(child => child.Node).First())
            .OrderBy(child => child.Division),
    ];

    /// <summary>The child nearest above a division, or of it.</summary>
    private static ReachChild? Over(ReachGround ground, IReadOnlyList<ReachChild> children, DivisionCode target)
    {
        foreach (var division in ground.Register.UpFrom(target).TakeWhile(division => division.Code != ground.Division))
        {
            if (children.FirstOrDefault(child => child.Division == division.Code) is { } child)
            {
                return child;
            }
        }

        return null;
    }

    private static ReachMissing Unheard(ReachGround ground, DivisionCode division) => new()
    {
        Division = division.ToString(),
        Code = ReachCodes.NeverHeard,
        Message = $"The register expects {division}, and no node of it, or above it and below {ground.Division}, ever spoke to {ground.Node}.",
        Origins = OriginsIn(ground.Register, division),
    };
}
