using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>What happens to a sender.</summary>
public abstract record SenderInput
{
    /// <summary>The node has started, or the wake-up that was asked for has come.</summary>
    public sealed record Woken : SenderInput;

    /// <summary>The schedule, or a person: send this lane now, an empty cut too. A person may know that what the parent refused is mended.</summary>
    public sealed record PushDue(Lane Lane, bool IsAsked = false) : SenderInput;

    /// <summary>Something of this lane has changed: send it soon; an alarm, as soon as anybody listens.</summary>
    public sealed record Nudged(Lane Lane, bool IsAlarm = false) : SenderInput;

    /// <summary>Somebody wants what the parent holds compared with what this node has (L16).</summary>
    public sealed record RangesDue : SenderInput;

    /// <summary>The dialled connection stands; <paramref name="Head"/> is the end of this node's journal, <paramref name="Orders"/> what it has applied of the parent's orders, <paramref name="Packages"/> which packages it has; null for a node that takes none.</summary>
    public sealed record Connected(StreamMark Head, StreamPosition? Orders = null, PackagesSaid? Packages = null) : SenderInput;

    /// <summary>The connection ended, or could not be made. <paramref name="Draw"/> is a random number for the pause.</summary>
    public sealed record Disconnected(string Reason, ulong Draw) : SenderInput;

    public sealed record Responded(ConnectResponse Response) : SenderInput;

    /// <summary>The cut that was asked for.</summary>
    public sealed record CutReady(Cut Cut) : SenderInput;

    /// <summary>The parent's receipt is durable here.</summary>
    public sealed record ReceiptStored(Lane Lane, StreamMark Mark) : SenderInput;

    /// <summary>The orders of part <paramref name="Number"/> are durable here, or were not taken; the parent is told so.</summary>
    public sealed record OrdersTaken(long Number, Hub.Orders.OrdersTaken Answer) : SenderInput;

    /// <summary>What became of a chunk of a package; the parent is told so.</summary>
    public sealed record PackageAnswered(PackageChunkReceipt Receipt) : SenderInput;

    /// <summary>A result of a query that the parent asked, of no use to it after <paramref name="Until"/>.</summary>
    public sealed record ResultReady(UInt128 Query, int Number, ReachResult Result, Instant Until) : SenderInput;

    /// <summary>The granted epoch is durable here, and this node's own cells carry it; so is the parent's own.</summary>
    public sealed record EpochStored(Epoch Epoch) : SenderInput;

    /// <summary>This node holds an epoch, and has heard its parent in one, that may not have come by this conversation; durable.</summary>
    public sealed record EpochHeld(Epoch Epoch, NodeId? Parent, Epoch ParentEpoch) : SenderInput;

    /// <summary>A person had this node forget, durably, in which epoch it had heard its parent.</summary>
    public sealed record ParentForgotten : SenderInput;
}
