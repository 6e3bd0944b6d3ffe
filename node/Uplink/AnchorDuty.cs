using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>
/// The policy that nothing is recorded for long which nobody else could vouch for (INV-28, after X-Road): where it is set, writes of people are refused once the
/// parent has not confirmed this node's head for so long. Without it a node that is cut off goes on (INV-19).
/// </summary>
public static class AnchorDuty
{
    /// <param name="most">How long it may last; null for no such policy.</param>
    /// <param name="anchoredAt">When the parent last confirmed it; of a node that it never did, when the node started.</param>
    /// <param name="now">By this node's clock, which also says when that was.</param>
    public static Refusal? Overdue(Duration? most, Instant anchoredAt, Instant now) => most is { } limit && now - anchoredAt > limit
        ? new Refusal(CaseRefusals.AnchorOverdue, $"The parent has not confirmed this node's record since {anchoredAt}, and audit.anchorRequired allows {limit.TotalMinutes:0} minutes. Mend the uplink (its last error is in the status), or lift the policy.")
        : null;
}
