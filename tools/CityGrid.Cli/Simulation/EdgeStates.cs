using CityGrid.Node.Uplink;

namespace CityGrid.Cli.Simulation;

/// <summary>What may be going on between a child and its parent at the moment of a fault.</summary>
public enum EdgeState
{
    /// <summary>Nothing that is named here.</summary>
    AtRest,

    /// <summary>The hello is not answered.</summary>
    Greeting,

    /// <summary>An epoch is granted, and nobody has spoken in it.</summary>
    EpochOffered,

    /// <summary>The child was given an epoch and has not stored it.</summary>
    EpochUnstored,

    /// <summary>A cut of cells is being sent.</summary>
    CutUnderWay,

    /// <summary>The parent has applied some parts of a cut and not all.</summary>
    CutHalfApplied,

    /// <summary>Four parts or more are unanswered.</summary>
    ManyUnderWay,

    /// <summary>Escalations are being sent.</summary>
    EscalationUnderWay,

    /// <summary>The parent has a frame in its queue and nothing of it is durable.</summary>
    FrameUndecided,

    /// <summary>The child holds a receipt that is not stored.</summary>
    ReceiptUnstored,

    /// <summary>The child is quarantined.</summary>
    Quarantined,

    /// <summary>Records of the child are kept aside.</summary>
    RecordsAside,
}

/// <summary>Tells the states of an edge from the two ends, without a word of either in the product.</summary>
internal static class EdgeStates
{
    private static readonly EdgeState[] Named = [.. Enum.GetValues<EdgeState>().Where(s => s != EdgeState.AtRest)];

    public static IEnumerable<EdgeState> Of(SimulatedNode child, SimulatedNode parent)
    {
        var any = false;
        foreach (var state in Named)
        {
            if (Holds(state, child, parent))
            {
                any = true;
                yield return state;
            }
        }

        if (!any)
        {
            yield return EdgeState.AtRest;
        }
    }

    public static bool Holds(EdgeState state, SimulatedNode child, SimulatedNode parent)
    {
        var sender = child.Core?.Uplink?.Standing.State;
        var row = parent.Core?.Reception.Child(child.Place.Node);
        return state switch
        {
            EdgeState.Greeting => sender?.Phase == SenderPhase.Greeting,
            EdgeState.EpochOffered => row?.Offer is not null,
            EdgeState.EpochUnstored => sender?.Phase == SenderPhase.TakingEpoch,
            EdgeState.CutUnderWay => sender?.Cells.Phase == LanePhase.Sending,
            EdgeState.CutHalfApplied => row?.Cells.Cut is not null,
            EdgeState.ManyUnderWay => sender?.UnderWay.Count >= 4,
            EdgeState.EscalationUnderWay => sender?.Escalations.Phase == LanePhase.Sending || sender?.Alarms.Phase == LanePhase.Sending,
            EdgeState.FrameUndecided => parent.Core?.Sequencer.Waiting > 0,
            EdgeState.ReceiptUnstored => child.Core?.Sequencer.Waiting > 0 && sender?.Phase == SenderPhase.Open,
            EdgeState.Quarantined => row?.Quarantine is not null,
            EdgeState.RecordsAside => parent.Core?.Reception.Parked.Concat(parent.Core.Reception.Refused).Any(a => a.Child == child.Place.Node) == true,
            _ => false,
        };
    }
}
