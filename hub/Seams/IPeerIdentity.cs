using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Seams;

/// <summary>Who is at the other end of a connection: taken from the certificate in production, given by the simulator in simulation.</summary>
public interface IPeerIdentity
{
    NodeId Node { get; }

    /// <summary>The divisions that the peer may speak for: these and all below them in the register.</summary>
    IReadOnlyList<DivisionCode> Divisions { get; }
}
