using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace CityGrid.Hub.Identity;

/// <summary>What a node shows at both ends of a connection: its certificate with the key, and the authorities between it and the root.</summary>
public sealed record LinkCredential(X509Certificate2 Certificate, X509Certificate2Collection Between)
{
    /// <summary>The certificate as it is sent: with the authorities behind it, which the other end cannot know; nothing is fetched for it.</summary>
    public SslStreamCertificateContext Context { get; } = SslStreamCertificateContext.Create(Certificate, Between, offline: true);

    /// <summary>Reads a credential from PEM.</summary>
    /// <param name="certificates">The node's own certificate, behind it the authorities between it and the root.</param>
    /// <param name="key">Its private key.</param>
    /// <exception cref="System.Security.Cryptography.CryptographicException">They do not fit together, or are none.</exception>
    public static LinkCredential Read(string certificates, string key)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPem(certificates);
        var own = WithKey(certificates, key);
        return new LinkCredential(OperatingSystem.IsWindows() ? InStoreForm(own) : own, [.. all.Skip(1)]);
    }

    /// <summary>TLS of Windows needs the key in the form of its store; a round trip through PKCS#12 gives it that, in memory. Elsewhere it would cost a start a twentieth of its time.</summary>
    private static X509Certificate2 InStoreForm(X509Certificate2 pem)
    {
        using (pem)
        {
            return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        }
    }

    private static X509Certificate2 WithKey(string certificates, string key)
    {
        try
        {
            return X509Certificate2.CreateFromPem(certificates, key);
        }
        catch (Exception other) when (other is ArgumentException or NotSupportedException)
        {
            // What the library calls an argument, or a fault of the platform, is a file that somebody gave.
            throw new System.Security.Cryptography.CryptographicException("The key is that of another certificate, or of a curve that is not known here.", other);
        }
    }
}

/// <summary>Judges what the other end of a connection shows: its certificate, and the authorities that it sent with it.</summary>
public delegate bool ShownCertificate(X509Certificate2? certificate, X509Certificate2Collection between);

/// <summary>TLS between nodes (clauses L1 and E2): version 1.3 alone, and no list of authorities but the network's own.</summary>
public static class LinkTls
{
    /// <summary>The parent's end. <paramref name="judge"/> is null where no client certificate is asked for: at the door of enrolment.</summary>
    public static SslServerAuthenticationOptions Server(LinkCredential credential, ShownCertificate? judge) => new()
    {
        EnabledSslProtocols = SslProtocols.Tls13,
        ServerCertificateContext = credential.Context,
        ApplicationProtocols = [SslApplicationProtocol.Http2],
        ClientCertificateRequired = judge is not null,
        // A resumed session would skip the judgement of a certificate that may have been revoked since.
        AllowTlsResume = false,
        AllowRenegotiation = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = OwnRootsOnly(),
        RemoteCertificateValidationCallback = (_, certificate, chain, _) => judge is null || Ask(judge, certificate, chain),
    };

    /// <summary>The child's end. <paramref name="credential"/> is null for a node that has none yet.</summary>
    public static SslClientAuthenticationOptions Client(LinkCredential? credential, ShownCertificate judge) => new()
    {
        EnabledSslProtocols = SslProtocols.Tls13,
        ClientCertificateContext = credential?.Context,
        AllowTlsResume = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = OwnRootsOnly(),
        RemoteCertificateValidationCallback = (_, certificate, chain, _) => Ask(judge, certificate, chain),
    };

    /// <summary>With no root at all the library's own judgement is always no; ours, made of what the peer sent, is the one that counts.</summary>
    private static X509ChainPolicy OwnRootsOnly() => new()
    {
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        RevocationMode = X509RevocationMode.NoCheck,
        DisableCertificateDownloads = true,
    };

    private static bool Ask(ShownCertificate judge, X509Certificate? certificate, X509Chain? chain)
    {
        if (certificate is null)
        {
            return judge(null, []);
        }

        // What TLS shows is one already; to read it a second time takes a tenth of a handshake.
        using var read = certificate is X509Certificate2 ? null : X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
        return judge(read ?? (X509Certificate2)certificate, chain?.ChainPolicy.ExtraStore ?? []);
    }
}
