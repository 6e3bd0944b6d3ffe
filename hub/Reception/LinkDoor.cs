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
public sealed class LinkDoor(ReceptionDesk desk, Sequencer sequencer, IEntropy entropy)
{
    public async Task<ConnectResponse> TakeAsync(LinkConnection connection, ConnectRequest request) =>
        Turn(connection, await sequencer.SubmitAsync(CommandOf(connection, request)));

    /// <summary>The same for a caller that pumps the sequencer by hand.</summary>
    public void Take(LinkConnection connection, ConnectRequest request, Action<ConnectResponse> answered) =>
        sequencer.Submit(CommandOf(connection, request), decision => answered(Turn(connection, decision)));

    private static ConnectResponse Turn(LinkConnection connection, LinkDecision decision)
    {
        connection.Session = decision.Session;
        connection.IsOver = decision.HangUp;
        return decision.Response;
    }

    private Command<LinkDecision> CommandOf(LinkConnection connection, ConnectRequest request) =>
        desk.Receive(connection.Peer, connection.Session, request, entropy.NextUInt64());
}
