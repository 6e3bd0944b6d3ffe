using System.Collections.Immutable;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>What a sender wants done. The shell does it and comes back with an input; it decides nothing.</summary>
public abstract record SenderEffect
{
    /// <summary>Open a connection to the parent; comes back as Connected or Disconnected.</summary>
    public sealed record Dial : SenderEffect;

    public sealed record Send(ConnectRequest Request) : SenderEffect;

    /// <summary>
    /// Read what the lane has after <paramref name="From"/>, in the grains asked for and in parts of about <paramref name="PartBytes"/>; comes back as
    /// CutReady. Where nothing has changed it has no parts, or one empty part if <paramref name="EvenIfEmpty"/>.
    /// </summary>
    public sealed record ReadCut(Lane Lane, Lsn From, ImmutableArray<Grain> Grains, bool EvenIfEmpty, int PartBytes) : SenderEffect
    {
        /// <summary>Alarms have a lane of their own; without it they go with the other escalations.</summary>
        public bool AlarmsApart { get; init; }

        /// <summary>Of cells: a position at which the first part shows this node's chain, where it lies behind <see cref="From"/>; else nothing is to be shown.</summary>
        public Lsn Proves { get; init; }

        /// <summary>What a cut of cells that reaches the head shall say of ranges (L16); null for nothing.</summary>
        public RangeWish? Ranges { get; init; }
    }

    /// <summary>Journal ReceiptKept; comes back as ReceiptStored.</summary>
    public sealed record StoreReceipt(Lane Lane, StreamMark Mark) : SenderEffect
    {
        /// <summary>What the parent kept aside or refused since the last receipt that was stored: it is kept beside the receipt (L10).</summary>
        public IReadOnlyList<RecordReceipt> Problems { get; init; } = [];
    }

    /// <summary>Journal EpochTaken; comes back as EpochStored.</summary>
    public sealed record TakeEpoch(Epoch Epoch, NodeId Parent, Epoch ParentEpoch) : SenderEffect;

    /// <summary>Journal what the parent orders; comes back as OrdersTaken.</summary>
    public sealed record TakeOrders(OrdersPart Part, NodeId Parent) : SenderEffect;

    /// <summary>Keep a chunk of a package, and once it is whole journal what becomes of it; comes back as PackageAnswered.</summary>
    public sealed record TakePackage(PackageChunk Chunk, NodeId Parent) : SenderEffect;

    /// <summary>Answer what the parent asks; comes back as ResultReady, once or more often.</summary>
    public sealed record TakeQuery(ReachQuery Query) : SenderEffect;

    /// <summary>Close the connection; comes back as Disconnected.</summary>
    public sealed record HangUp(string Reason) : SenderEffect;

    /// <summary>Come back with Woken at <paramref name="At"/>. A later one replaces an earlier one.</summary>
    public sealed record WakeAt(Instant At) : SenderEffect;

    /// <summary>Tell the operator.</summary>
    public sealed record Report(string Code, string Message) : SenderEffect;

    /// <summary>The parent keeps records of this lane aside or refused them; shown at this end too (L10).</summary>
    public sealed record ReportRecords(Lane Lane, StreamMark After, IReadOnlyList<RecordReceipt> Records) : SenderEffect;
}
