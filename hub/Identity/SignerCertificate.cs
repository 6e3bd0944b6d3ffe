using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Identity;

/// <summary>
/// The certificate of a signer (clause A3): ECDSA over P-256, for signatures and non-repudiation and for no connection, with one URI name of a node. It
/// is not the certificate of the node's connections.
/// </summary>
public static class SignerCertificate
{
    /// <summary>The URI name of a signer: <c>citygrid://signer/ID</c>.</summary>
    public const string NamePrefix = "citygrid://signer/";

    /// <summary>Its own certificate and those between it and the root: ministry, province, city, and one to spare.</summary>
    public const int CertificatesMax = 5;

    /// <summary>Of all of them: five of this network have some 4,000, and what was taken is kept.</summary>
    public const int BytesMax = 16 * 1024;

    private const string P256 = "1.2.840.10045.3.1.7";
    private const string ExtendedKeyUsage = "2.5.29.37";

    internal const X509KeyUsageFlags Uses = X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.NonRepudiation;

    /// <summary>Judges a signer's certificate.</summary>
    /// <param name="certificates">DER: its own first, then those between it and the authority.</param>
    /// <param name="authorities">The network's roots; null where whoever asks has none, and only wants to know what the certificate says of itself.</param>
    /// <param name="at">The time by which validity is judged: now, or when the certificate was shown.</param>
    /// <param name="refusal">Why it is not taken.</param>
    public static Signer? Read(IReadOnlyList<ByteString> certificates, X509Certificate2Collection? authorities, Instant at, out Refusal? refusal) =>
        Read(certificates, authorities, at, out refusal, out _);

    /// <summary>The same, with <paramref name="times"/> in which the whole chain holds where authorities were asked and it is taken.</summary>
    internal static Signer? Read(IReadOnlyList<ByteString> certificates, X509Certificate2Collection? authorities, Instant at, out Refusal? refusal, out ChainTimes times)
    {
        times = default;
        if (certificates.Sum(certificate => (long)certificate.Length) > BytesMax)
        {
            refusal = new Refusal("SIGNER_MALFORMED", $"A signer's certificates have at most {BytesMax} bytes together.");
            return null;
        }

        if (certificates.Count is 0 or > CertificatesMax)
        {
            refusal = new Refusal("SIGNER_MISSING", $"A signer has 1 to {CertificatesMax} certificates, {certificates.Count} were shown. Configure link.signingCertificate and link.signingKey.");
            return null;
        }

        var shown = new X509Certificate2Collection();
        try
        {
            foreach (var certificate in certificates)
            {
                shown.Add(X509CertificateLoader.LoadCertificate(certificate.Span));
            }

            IReadOnlyList<CertificateNames> way = [PeerCertificate.NamesOf(shown[0])];
            refusal = (authorities is null ? null : Untrusted(shown, authorities, at, out times, out way)) ?? WrongKey(shown[0]);
            return refusal is null ? Named(shown[0], certificates, way, out refusal) : null;
        }
        catch (CryptographicException)
        {
            refusal = new Refusal("SIGNER_MALFORMED", "What was shown as a signer's certificate is none.");
            return null;
        }
        finally
        {
            foreach (var certificate in shown)
            {
                certificate.Dispose();
            }
        }
    }

    /// <summary>The divisions that a signer's certificate (the first) names; none where there is no certificate. Nobody is asked whether it is of this network.</summary>
    public static IReadOnlyList<DivisionCode> DivisionsOf(IReadOnlyList<ByteString> certificates)
    {
        if (certificates.Count == 0)
        {
            return [];
        }

        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(certificates[0].Span);
            return PeerCertificate.DivisionsOf(certificate);
        }
        catch (CryptographicException)
        {
            return [];
        }
    }

    /// <summary>True where the certificate's key made the signature over exactly this statement.</summary>
    public static bool Verify(Signer signer, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature)
    {
        using var key = KeyOf(signer);
        return key is not null && Verify(key, statement, signature);
    }

    /// <summary>The public key of a signer's certificate; null where it has none by which signatures are judged here.</summary>
    internal static ECDsa? KeyOf(Signer signer)
    {
        if (signer.Algorithm != SignatureAlgorithm.EcdsaP256Sha256)
        {
            return null;
        }

        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(signer.Certificates[0].Span);
            return certificate.GetECDsaPublicKey();
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    internal static bool Verify(ECDsa key, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature)
    {
        try
        {
            return key.VerifyData(statement, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static Refusal? Untrusted(
        X509Certificate2Collection shown, X509Certificate2Collection authorities, Instant at, out ChainTimes times, out IReadOnlyList<CertificateNames> way)
    {
        times = default;
        way = [];
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.ExtraStore.AddRange(shown);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = at.ToDateTimeUtc();
        if (chain.Build(shown[0]))
        {
            times = ChainTimes.Of(chain);
            way = [.. chain.ChainElements.Select(element => PeerCertificate.NamesOf(element.Certificate))];
            return null;
        }

        var status = chain.ChainStatus.Select(s => s.Status).FirstOrDefault();
        return status == X509ChainStatusFlags.NotTimeValid
            ? new Refusal("SIGNER_OUT_OF_TIME", $"The signer's certificate holds from {shown[0].NotBefore.ToUniversalTime():O} to {shown[0].NotAfter.ToUniversalTime():O}. Renew it, and compare the clocks.")
            : new Refusal("SIGNER_UNTRUSTED", $"The signer's certificate is not of this network's authority ({status}).");
    }

    private static Refusal? WrongKey(X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPublicKey();
        var usage = certificate.Extensions.OfType<X509KeyUsageExtension>().FirstOrDefault()?.KeyUsages ?? X509KeyUsageFlags.None;
        return key?.ExportParameters(false).Curve.Oid.Value != P256
            ? new Refusal("SIGNER_WRONG_KEY", "The signer's key is not ECDSA over P-256.")
            : (usage & Uses) != Uses || certificate.Extensions[ExtendedKeyUsage] is not null
                ? new Refusal("SIGNER_WRONG_USE", "The signer's certificate must be for signatures and non-repudiation, and for no connection: give the node one beside that of its connections.")
                : null;
    }

    private static Signer? Named(X509Certificate2 certificate, IReadOnlyList<ByteString> certificates, IReadOnlyList<CertificateNames> way, out Refusal? refusal)
    {
        var nodes = new List<NodeId>();
        foreach (var uri in PeerCertificate.UriNames(certificate).Where(uri => uri.StartsWith(NamePrefix, StringComparison.Ordinal)))
        {
            if (NodeId.TryParse(uri[NamePrefix.Length..], out var node))
            {
                nodes.Add(node);
            }
        }

        refusal = nodes.Count == 1 ? null : new Refusal("SIGNER_WITHOUT_NAME", $"The signer's certificate names {nodes.Count} nodes among its URI names ({NamePrefix}…); exactly one is expected.");
        return refusal is null
            ? new Signer(nodes[0], Hash256.Of(certificates[0].Span), SignatureAlgorithm.EcdsaP256Sha256, certificates, Instant.FromDateTimeUtc(certificate.NotAfter.ToUniversalTime())) { Way = way }
            : null;
    }
}
