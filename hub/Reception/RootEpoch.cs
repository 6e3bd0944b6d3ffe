using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>The epoch of a root: nobody above grants it, so whoever makes it another life takes the next number for it (INV-24).</summary>
public static class RootEpoch
{
    /// <summary>The event by which a root takes the epoch after every one that its journal knows.</summary>
    public static EventDraft Next(IJournal journal, Incarnation incarnation, NodeId node, IEntropy entropy)
    {
        var last = journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events)
            .Where(found => found.Kind == EventKinds.EpochTaken)
            .Select(found => EpochTaken.Parser.ParseFrom(found.Payload.Span).Epoch)
            .DefaultIfEmpty().Max();
        return UplinkFold.EpochTakenEvent(ParentKind.Territorial, incarnation, new Epoch(last + 1, entropy.NextUInt64()), node, Epoch.NotGranted);
    }
}

/// <summary>Makes the epoch of a root that is in a new life durable; one that it has already stays.</summary>
public sealed class TakeRootEpoch(UplinkFold uplink, IJournal journal, NodeId node, IEntropy entropy) : Command<Epoch>
{
    public override IReadOnlyCollection<Touched> Touches => [.. LinkWords.Lanes.Select(lane => Touched.By("uplink", lane.ToString()))];

    public override Decision<Epoch> Decide(Instant now) => uplink.EpochOf(journal.Incarnation) is { IsGranted: true } own
        ? Decision<Epoch>.Nothing(own)
        : Decision<Epoch>.Of(new RecordDraft(Actor, [RootEpoch.Next(journal, journal.Incarnation, node, entropy)]), _ => uplink.EpochOf(journal.Incarnation));
}
