using System.Security.Cryptography.X509Certificates;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Identity;

/// <summary>The certificates of peers as <see cref="PeerCertificate"/> judges them under one trust; one that was taken is not built anew while it holds. For many threads.</summary>
public sealed class JudgedPeers(NetworkTrust trust, PeerUse use)
{
    private readonly KeptVerdicts<PeerCertificate> _kept = new();

    /// <summary>How often a chain was built.</summary>
    public int Built => Volatile.Read(ref _built);

    private int _built;

    /// <inheritdoc cref="PeerCertificate.Read(X509Certificate2?, X509Certificate2Collection, NetworkTrust, PeerUse, DateTimeOffset, out Refusal?)"/>
    public PeerCertificate? Read(X509Certificate2? certificate, X509Certificate2Collection between, DateTimeOffset now, out Refusal? refusal)
    {
        refusal = null;
        if (certificate is null)
        {
            return PeerCertificate.Read(null, between, trust, use, now, out refusal);
        }

        var shown = KeptVerdicts<PeerCertificate>.MarkOf(between.Select(c => c.RawDataMemory).Prepend(certificate.RawDataMemory));
        if (_kept.Find(shown, now) is { } kept)
        {
            return kept;
        }

        Interlocked.Increment(ref _built);
        var peer = PeerCertificate.Read(certificate, between, trust, use, now, out refusal, out var times);
        if (peer is not null)
        {
            _kept.Keep(shown, peer, times);
        }

        return peer;
    }
}
