using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Seams;

/// <summary>
/// The wire between a child and its parent, handed in: gRPC with mutual TLS in production, a lossy network that carries real protobuf bytes in
/// simulation. Messages are whole or do not come; order, loss and repetition are the link's own business.
/// </summary>
public interface IWire
{
    /// <summary>Begins to connect to the parent and returns at once; what comes of it is told to <paramref name="events"/>.</summary>
    void Dial(IWireEvents events);
}

/// <summary>A standing connection, as the child has it.</summary>
public interface IWireLine
{
    /// <summary>Sends a message, some time. Nothing is told of one that is lost.</summary>
    void Send(ConnectRequest request);

    /// <summary>Ends the connection; <see cref="IWireEvents.Ended"/> follows.</summary>
    void HangUp();
}

/// <summary>What a dialled wire tells the child: once connected or never, then answers, and once that it ended.</summary>
public interface IWireEvents
{
    void Connected(IWireLine line);

    void Received(ConnectResponse response);

    void Ended(string reason);
}
