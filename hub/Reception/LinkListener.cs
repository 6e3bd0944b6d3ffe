using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace CityGrid.Hub.Reception;

/// <summary>TLS of the ports that are open to other places. Each connection is shown the credential of the moment at which it begins.</summary>
public static class LinkListener
{
    /// <summary>What a handshake has where nobody says otherwise: certificates of some kB both ways take a tenth of it on the slowest line.</summary>
    public static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(5);

    /// <summary>The link's port: mutual TLS 1.3; who may come in is judged by our own rules alone. A handshake that takes longer than <paramref name="handshake"/> is given up.</summary>
    public static void UseMutualTls(this ListenOptions listen, Func<LinkCredential> credential, PeerJudge judge, TimeSpan? handshake = null) => listen.UseHttps(new TlsHandshakeCallbackOptions
    {
        HandshakeTimeout = handshake ?? HandshakeTime,
        OnConnection = connecting => ValueTask.FromResult(LinkTls.Server(credential(), (certificate, between) =>
        {
            X509Certificate2Collection shown = [.. between.Select(c => X509CertificateLoader.LoadCertificate(c.RawData))];
            connecting.Connection.Features.Set(new ShownBetween(shown));
            return judge(certificate, shown, out _) is not null;
        })),
    });

    /// <summary>The port of enrolment: TLS 1.3 by which this node proves itself; whoever calls has no certificate yet.</summary>
    public static void UseEnrolmentTls(this ListenOptions listen, Func<LinkCredential> credential, TimeSpan? handshake = null) => listen.UseHttps(new TlsHandshakeCallbackOptions
    {
        HandshakeTimeout = handshake ?? HandshakeTime,
        OnConnection = _ => ValueTask.FromResult(LinkTls.Server(credential(), null)),
    });
}
