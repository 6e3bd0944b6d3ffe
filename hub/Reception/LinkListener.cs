using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace CityGrid.Hub.Reception;

/// <summary>TLS of the ports that are open to other places. Each connection is shown the credential of the moment at which it begins.</summary>
public static class LinkListener
{
    /// <summary>The link's port: mutual TLS 1.3; who may come in is judged by our own rules alone.</summary>
    public static void UseMutualTls(this ListenOptions listen, Func<LinkCredential> credential, PeerJudge judge) => listen.UseHttps(new TlsHandshakeCallbackOptions
    {
        OnConnection = connecting => ValueTask.FromResult(LinkTls.Server(credential(), (certificate, between) =>
        {
            X509Certificate2Collection shown = [.. between.Select(c => X509CertificateLoader.LoadCertificate(c.RawData))];
            connecting.Connection.Features.Set(new ShownBetween(shown));
            return judge(certificate, shown, out _) is not null;
        })),
    });

    /// <summary>The port of enrolment: TLS 1.3 by which this node proves itself; whoever calls has no certificate yet.</summary>
    public static void UseEnrolmentTls(this ListenOptions listen, Func<LinkCredential> credential) => listen.UseHttps(new TlsHandshakeCallbackOptions
    {
        OnConnection = _ => ValueTask.FromResult(LinkTls.Server(credential(), null)),
    });
}
