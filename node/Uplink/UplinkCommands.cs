using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>Makes the parent's receipt durable (the effect StoreReceipt). One that says nothing new changes nothing.</summary>
public sealed class KeepReceipt(UplinkFold uplink, Incarnation incarnation, Epoch epoch, Lane lane, StreamMark mark, IReadOnlyList<RecordReceipt> problems, Countersignature? said) : Command<StreamMark>
{
    public override IReadOnlyCollection<Touched> Touches => [Touched.By("uplink", lane.ToString())];

    public override Decision<StreamMark> Decide(Instant now) =>
        uplink.EpochOf(incarnation) != epoch || (uplink.ReceiptOf(lane, incarnation).Mark == mark && problems.Count == 0)
            ? Decision<StreamMark>.Nothing(mark)
            : Decision<StreamMark>.Of(new RecordDraft(Actor, [UplinkFold.ReceiptKeptEvent(lane, incarnation, epoch, mark, problems, said)]), _ => mark);
}

/// <summary>Makes it durable with what the parent signs from here on, so that what it said can be checked from this journal alone.</summary>
public sealed class KeepParentSigner(UplinkFold uplink, Signer signer) : Command<bool>
{
    public override IReadOnlyCollection<Touched> Touches => [.. LinkWords.Lanes.Select(lane => Touched.By("uplink", lane.ToString()))];

    public override Decision<bool> Decide(Instant now) =>
        uplink.Parent != signer.Node || uplink.ParentSigner == signer.Fingerprint
            ? Decision<bool>.Nothing(false)
            : Decision<bool>.Of(new RecordDraft(Actor, [ReceptionEvents.SignerShownEvent(signer.Node, signer.Algorithm, signer.Certificates)]), _ => true);
}

/// <summary>Makes a granted epoch durable (the effect TakeEpoch); this node's own cells carry it from that event on.</summary>
public sealed class TakeEpoch(UplinkFold uplink, Incarnation incarnation, Epoch epoch, NodeId parent, Epoch parentEpoch) : Command<Epoch>
{
    public override IReadOnlyCollection<Touched> Touches => [.. LinkWords.Lanes.Select(lane => Touched.By("uplink", lane.ToString()))];

    public override Decision<Epoch> Decide(Instant now) =>
        uplink.EpochOf(incarnation) == epoch
            ? HearParent()
            : Decision<Epoch>.Of(new RecordDraft(Actor, [UplinkFold.EpochTakenEvent(incarnation, epoch, parent, parentEpoch)]), _ => epoch);

    /// <summary>The same epoch of this node again, from a parent that is in a later one of its own.</summary>
    private Decision<Epoch> HearParent() => uplink.Parent == parent && uplink.ParentEpoch == parentEpoch
        ? Decision<Epoch>.Nothing(epoch)
        : Decision<Epoch>.Of(new RecordDraft(Actor, [UplinkFold.ParentEpochHeardEvent(parent, parentEpoch, forgotten: false)]), _ => epoch);
}

/// <summary>
/// A person has this node forget in which epoch it heard its parent: the parent and its own parent have both lost what they knew, so that it is granted
/// earlier numbers again (INV-24). Answers false where there was nothing to forget.
/// </summary>
public sealed class ForgetParentEpoch(UplinkFold uplink) : Command<bool>
{
    public override IReadOnlyCollection<Touched> Touches => [Touched.By("uplink", nameof(Lane.Cells)), Touched.By("uplink", nameof(Lane.Escalations))];

    public override Decision<bool> Decide(Instant now) => uplink is { Parent: { } parent, ParentEpoch.IsGranted: true }
        ? Decision<bool>.Of(new RecordDraft(Actor, [UplinkFold.ParentEpochHeardEvent(parent, Epoch.NotGranted, forgotten: true)]), _ => true)
        : Decision<bool>.Nothing(false);
}
