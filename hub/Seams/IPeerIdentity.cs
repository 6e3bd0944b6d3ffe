using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Seams;

/// <summary>Who is at the other end of a connection: taken from the certificate in production, given by the simulator in simulation.</summary>
public interface IPeerIdentity
{
    NodeId Node { get; }

    /// <summary>The divisions that the peer may speak for: these and all below them in the register.</summary>
    IReadOnlyList<DivisionCode> Divisions { get; }

    /// <summary>Which certificate says so; null where none stands behind the identity (simulation).</summary>
    PeerMark? Mark => null;
}

/// <summary>A certificate as a register knows it.</summary>
/// <param name="Serial">Its serial number, lower-case hex.</param>
/// <param name="Issuer">The mark of the key that issued it.</param>
/// <param name="NotAfter">When it ends.</param>
public sealed record PeerMark(string Serial, string Issuer, DateTimeOffset NotAfter);
