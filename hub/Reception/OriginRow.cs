using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Reception;

/// <summary>
/// What is known here of an origin at or below a child: its newest statement about itself (with the message, which goes up unchanged), the child
/// it came by, and in which epoch its complete set is in.
/// </summary>
public sealed record OriginRow(OriginWatermark Watermark, Watermark Message, NodeId Via, long CompleteEpoch, Lsn Local)
{
    /// <summary>Whether the origin tells of the same matters in another statement, by the same choice in the same epoch (L17).</summary>
    public bool TellsAs(OriginWatermark stated) =>
        Watermark.Matters.Equals(stated.Matters) && Watermark.MattersSince == stated.MattersSince && (Watermark.Matters.IsAll || Watermark.Epoch.Number == stated.Epoch.Number);

    /// <summary>
    /// The row after another statement of the same origin. The newest revision stays, whichever way and in whichever order it came; of one
    /// revision, the later as-of and complete-through, for time passes at an origin where nothing happens.
    /// </summary>
    public OriginRow After(OriginWatermark stated, Watermark message, NodeId via, Lsn local)
    {
        var order = (stated.Epoch.Number, stated.Lsn.Value, stated.AsOf, stated.CompleteThrough.Number)
            .CompareTo((Watermark.Epoch.Number, Watermark.Lsn.Value, Watermark.AsOf, Watermark.CompleteThrough.Number));
        return order <= 0 ? this : this with { Watermark = stated, Message = message, Via = via, Local = local };
    }
}

/// <summary>A record that was kept aside or refused: which child's, which lane's, in which journal event, and why.</summary>
public sealed record SetAside(NodeId Child, Lane Lane, Lsn Event, RecordReceipt Verdict);
