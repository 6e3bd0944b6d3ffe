using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>One connection of a child, as the parent has it: who it is, and the stream it speaks for once its hello was welcomed.</summary>
public sealed class LinkConnection(IPeerIdentity peer)
{
    public IPeerIdentity Peer { get; } = peer;

    /// <summary>That of the last answer.</summary>
    public LinkSession? Session { get; internal set; }

    /// <summary>True once an answer ended the conversation.</summary>
    public bool IsOver { get; internal set; }
}

/// <summary>
/// Where children's frames come in, one after the other on each connection: the effect and the new cursor are one record, and the answer leaves only
/// when that is durable.
/// </summary>
public sealed class LinkDoor(ReceptionDesk desk, Sequencer sequencer, IEntropy entropy, LinkPresence presence)
{
    /// <summary>What all children together may have under way: of that many bytes of parts this node's memory is sure to have room.</summary>
    public const long UnderWayInAll = 64 << 20;

    /// <summary>What a child may always have under way, and all that it may while this node is busy: a few small parts, so that what cannot wait still comes.</summary>
    public const long CreditLeast = 16 << 10;

    /// <summary>How many bytes of parts a child may have under way now (L14).</summary>
    public long Credit => CreditOf(presence.Count, sequencer.Waiting);

    internal static long CreditOf(int connected, int waiting) =>
        waiting > Sequencer.QueueMax / 2 ? CreditLeast : Math.Max(UnderWayInAll / Math.Max(connected, 1), CreditLeast);

    public async Task<ConnectResponse> TakeAsync(LinkConnection connection, ConnectRequest request) =>
        Turn(connection, await sequencer.SubmitAsync(CommandOf(connection, request)));

    /// <summary>The same for a caller that pumps the sequencer by hand.</summary>
    public void Take(LinkConnection connection, ConnectRequest request, Action<ConnectResponse> answered) =>
        sequencer.Submit(CommandOf(connection, request), decision => answered(Turn(connection, decision)));

    private ConnectResponse Turn(LinkConnection connection, LinkDecision decision)
    {
        if (decision.Response.Receipt is { } receipt)
        {
            receipt.WindowBytes = Credit;
        }
        else if (decision.Response.Welcome is { } welcome)
        {
            welcome.WindowBytes = Credit;
        }

        connection.Session = decision.Session;
        connection.IsOver = decision.HangUp;
        return decision.Response;
    }

    private Command<LinkDecision> CommandOf(LinkConnection connection, ConnectRequest request) =>
        desk.Receive(connection.Peer, connection.Session, request, entropy.NextUInt64());
}
