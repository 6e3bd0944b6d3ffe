using System.Collections.Concurrent;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>
/// Which children are to state their ranges (L16): those that somebody asked about, and, on a new connection, those with a difference whose repair was cut
/// short. A wish goes with the next answer, once; it is forgotten with the process, or where the answer is lost, as whoever wished it notices.
/// </summary>
public sealed class RangeAsks(ReceptionFold reception)
{
    private const int ProtocolOfRanges = 2;

    private readonly ConcurrentDictionary<NodeId, Lsn> _asked = [];
    private readonly ConcurrentDictionary<NodeId, Lsn> _unsaid = [];

    /// <param name="child">Whom to ask.</param>
    /// <param name="now">This node's position: a comparison behind it answers the wish.</param>
    public void Ask(NodeId child, Lsn now)
    {
        _asked[child] = now;
        _unsaid[child] = now;
    }

    /// <summary>Asked, and not compared since, though there is something to compare. Under the sequencer's lock.</summary>
    public bool IsPending(NodeId child) =>
        _asked.TryGetValue(child, out var at) && reception.Ranges.Of(child).ComparedLsn <= at && reception.Origins.Any(o => o.Via == child);

    /// <summary>Whether a child that says hello has a difference whose repair did not come to its end. Under the sequencer's lock.</summary>
    public bool IsCutShort(NodeId child) => reception.Ranges.Of(child).Open.Values.Any(r => r.State == RangeState.Differs);

    /// <summary>Puts the wish on an answer that leaves now, where there is one.</summary>
    public void PutOn(ConnectResponse response, LinkSession? session)
    {
        if (session is not { Protocol: >= ProtocolOfRanges })
        {
            return;
        }

        if (response.Receipt is { } receipt && _unsaid.TryRemove(session.Child, out _))
        {
            receipt.AskRanges = true;
        }
        else if (response.Welcome is { } welcome && _unsaid.TryRemove(session.Child, out _))
        {
            welcome.AskRanges = true;
        }
    }
}
