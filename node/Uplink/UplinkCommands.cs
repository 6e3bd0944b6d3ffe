using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>Makes the parent's receipt durable (the effect StoreReceipt). One that says nothing new changes nothing.</summary>
public sealed class KeepReceipt(UplinkFold uplink, ParentKind kind, Incarnation incarnation, Epoch epoch, Lane lane, StreamMark mark, IReadOnlyList<RecordReceipt> problems, Countersignature? said) : Command<StreamMark>
{
    public override IReadOnlyCollection<Touched> Touches => [Touched.By("uplink", lane.ToString())];

    public override Decision<StreamMark> Decide(Instant now) =>
        uplink.EpochOf(incarnation) != epoch || (uplink[kind].ReceiptOf(lane, incarnation).Mark == mark && problems.Count == 0)
            ? Decision<StreamMark>.Nothing(mark)
            : Decision<StreamMark>.Of(new RecordDraft(Actor, [UplinkFold.ReceiptKeptEvent(kind, lane, incarnation, epoch, mark, problems, said)]), _ => mark);
}

/// <summary>Makes it durable with what the parent signs from here on, so that what it said can be checked from this journal alone.</summary>
public sealed class KeepParentSigner(ParentRecord parent, Signer signer) : Command<bool>
{
    public override IReadOnlyCollection<Touched> Touches => [.. LinkWords.Lanes.Select(lane => Touched.By("uplink", lane.ToString()))];

    public override Decision<bool> Decide(Instant now) =>
        parent.Node != signer.Node || parent.Signer == signer.Fingerprint
            ? Decision<bool>.Nothing(false)
            : Decision<bool>.Of(new RecordDraft(Actor, [ReceptionEvents.SignerShownEvent(signer.Node, signer.Algorithm, signer.Certificates)]), _ => Kept());

    private static bool Kept()
    {
        Failpoint.Hit("parent-signer.keep.after");
        return true;
    }
}

/// <summary>
/// Makes a granted epoch durable (the effect TakeEpoch); this node's own cells carry it from that event on. Answers the epoch that this node then holds: where
/// another parent granted one meanwhile, that one.
/// </summary>
public sealed class TakeEpoch(UplinkFold uplink, ParentKind kind, Incarnation incarnation, Epoch epoch, NodeId parent, Epoch parentEpoch) : Command<Epoch>
{
    public override IReadOnlyCollection<Touched> Touches => [.. LinkWords.Lanes.Select(lane => Touched.By("uplink", lane.ToString()))];

    public override Decision<Epoch> Decide(Instant now)
    {
        var held = uplink.EpochOf(incarnation);
        return held == epoch ? HearParent()
            : epoch.Number <= uplink.RevisionEpoch ? Decision<Epoch>.Nothing(held)
            : Decision<Epoch>.Of(new RecordDraft(Actor, [UplinkFold.EpochTakenEvent(kind, incarnation, epoch, parent, parentEpoch)]), _ => epoch);
    }

    /// <summary>The same epoch of this node again, from a parent that is in a later one of its own, or from another parent.</summary>
    private Decision<Epoch> HearParent() => uplink[kind].Node == parent && uplink[kind].Epoch == parentEpoch
        ? Decision<Epoch>.Nothing(epoch)
        : Decision<Epoch>.Of(new RecordDraft(Actor, [UplinkFold.ParentEpochHeardEvent(kind, parent, parentEpoch, forgotten: false)]), _ => Heard());

    private Epoch Heard()
    {
        Failpoint.Hit("parent-epoch.keep.after");
        return epoch;
    }
}

/// <summary>
/// From here on a parent is told of these matters alone (L17). Answers false where it was before. Escalations of matters that come in stand at the end of its lanes, as many at a
/// position as a part may have.
/// </summary>
public sealed class ChooseMatters(ParentRecord parent, EscalationFold escalations, Matters matters) : Command<bool>
{
    private const int EscalationsAnEvent = 200;

    public override IReadOnlyCollection<Touched> Touches => [.. LinkWords.Lanes.Select(lane => Touched.By("uplink", lane.ToString())), Touched.By("escalations", string.Empty)];

    public override Decision<bool> Decide(Instant now)
    {
        if (parent.Matters.Equals(matters))
        {
            return Decision<bool>.Nothing(false);
        }

        var added = escalations.Added(parent.Matters, matters).Chunk(EscalationsAnEvent).DefaultIfEmpty([]);
        return Decision<bool>.Of(new RecordDraft(Actor, [.. added.Select(ids => UplinkFold.MattersChosenEvent(parent.Kind, matters, ids))]), _ => true);
    }
}

/// <summary>
/// A person has this node forget in which epoch it heard one of its parents: that parent and its own parent have both lost what they knew, so that it is granted
/// earlier numbers again (INV-24). Answers false where there was nothing to forget.
/// </summary>
public sealed class ForgetParentEpoch(ParentRecord parent) : Command<bool>
{
    public override IReadOnlyCollection<Touched> Touches => [Touched.By("uplink", nameof(Lane.Cells)), Touched.By("uplink", nameof(Lane.Escalations))];

    public override Decision<bool> Decide(Instant now) => parent is { Node: { } node, Epoch.IsGranted: true }
        ? Decision<bool>.Of(new RecordDraft(Actor, [UplinkFold.ParentEpochHeardEvent(parent.Kind, node, Epoch.NotGranted, forgotten: true)]), _ => true)
        : Decision<bool>.Nothing(false);
}
