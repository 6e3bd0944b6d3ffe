using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

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
