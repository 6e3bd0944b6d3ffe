using System.Collections.Immutable;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>
/// Since when each lane has had something to send without an answer that moved it on. An exchange proves progress of the lane that it was of, and of no other: one that the parent has no room for
/// stands still beside others that go on (O1).
/// </summary>
/// <param name="Since">Lanes that wait, and since when; by this node's own clock.</param>
public sealed record LaneWaits(ImmutableSortedDictionary<Lane, Instant> Since)
{
    public static readonly LaneWaits None = new(ImmutableSortedDictionary<Lane, Instant>.Empty);

    /// <summary>The lane that has waited longest; null where none does.</summary>
    public (Lane Lane, Instant Since)? Longest => Since.IsEmpty ? null : Since.Select(waits => (waits.Key, waits.Value)).MinBy(waits => waits.Value);

    /// <summary>The waits once the sender has gone from one state to the next.</summary>
    public LaneWaits After(SenderState before, SenderState after, Instant now)
    {
        var since = Since;
        foreach (var lane in after.Lanes)
        {
            var waits = (lane.Due || lane.Phase != LanePhase.Idle) && after.Carries(lane);
            var moved = before.Lane(lane.Lane).From != lane.From || HasPartAnswered(before, after, lane);
            since = !waits ? since.Remove(lane.Lane) : moved || !since.ContainsKey(lane.Lane) ? since.SetItem(lane.Lane, now) : since;
        }

        return ReferenceEquals(since, Since) ? this : new(since);
    }

    /// <summary>A cut of cells moves the lane on with its last part alone; on a narrow line the others are as good a proof. A cut that is given up is another afterwards, or none.</summary>
    private static bool HasPartAnswered(SenderState before, SenderState after, LaneState lane) =>
        lane.Cut is not null && ReferenceEquals(before.Lane(lane.Lane).Cut, lane.Cut) && PartsUnderWay(after, lane) < PartsUnderWay(before, lane);

    private static int PartsUnderWay(SenderState state, LaneState lane) => state.UnderWay.Count(part => part.Lane == lane.Lane);
}
