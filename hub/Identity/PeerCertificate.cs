using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Identity;

/// <summary>Who a certificate names: the node and the divisions that it may speak for, from its URI names alone (never from the common name).</summary>
public sealed record PeerCertificate(NodeId Node, IReadOnlyList<DivisionCode> Divisions) : IPeerIdentity
{
    /// <summary>The URI name of a node: <c>citygrid://node/ID</c>.</summary>
    public const string NodePrefix = "citygrid://node/";

    /// <summary>The URI name of a division: <c>citygrid://division/CODE</c>.</summary>
    public const string DivisionPrefix = "citygrid://division/";

    private const string SubjectAlternativeName = "2.5.29.17";
    private const string ExtendedKeyUsage = "2.5.29.37";

    /// <summary>
    /// Judges a peer's certificate: chained to this network's own authorities (the operating system's list is never asked), within its time, made
    /// for this use, with a strong key, and naming one node and at least one division.
    /// </summary>
    /// <param name="certificate">What the peer showed; null for nothing.</param>
    /// <param name="authorities">The network's roots.</param>
    /// <param name="use">What the peer does in this connection.</param>
    /// <param name="now">The time by which validity is judged.</param>
    /// <param name="refusal">Why it is not taken.</param>
    public static PeerCertificate? Read(X509Certificate2? certificate, X509Certificate2Collection authorities, PeerUse use, DateTimeOffset now, out Refusal? refusal)
    {
        refusal = null;
        if (certificate is null)
        {
            refusal = new Refusal("CERTIFICATE_MISSING", "The peer showed no certificate. Give it one of this network's authority.");
            return null;
        }

        refusal = Untrusted(certificate, authorities, use, now) ?? WeakKey(certificate);
        return refusal is null ? Named(certificate, out refusal) : null;
    }

    private static Refusal? Untrusted(X509Certificate2 certificate, X509Certificate2Collection authorities, PeerUse use, DateTimeOffset now)
    {
        // A certificate without the extension would pass for any purpose.
        if (certificate.Extensions[ExtendedKeyUsage] is null)
        {
            return new Refusal("CERTIFICATE_WRONG_USE", "The peer's certificate does not say what it is for.");
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(use == PeerUse.Client ? "1.3.6.1.5.5.7.3.2" : "1.3.6.1.5.5.7.3.1"));
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = now.UtcDateTime;
        try
        {
            if (chain.Build(certificate))
            {
                return null;
            }
        }
        catch (CryptographicException damage)
        {
            // One that reads well and is not sound inside, such as an extension cut short, ends the library's own checks this way.
            return new Refusal("CERTIFICATE_UNTRUSTED", $"The peer's certificate is damaged ({damage.Message}).");
        }

        var status = chain.ChainStatus.Select(s => s.Status).FirstOrDefault();
        return status switch
        {
            X509ChainStatusFlags.NotTimeValid => new Refusal("CERTIFICATE_OUT_OF_TIME", $"The peer's certificate holds from {certificate.NotBefore:O} to {certificate.NotAfter:O}. Renew it, and compare the clocks."),
            X509ChainStatusFlags.NotValidForUsage => new Refusal("CERTIFICATE_WRONG_USE", "The peer's certificate is not made for this end of a connection."),
            _ => new Refusal("CERTIFICATE_UNTRUSTED", $"The peer's certificate is not of this network's authority ({status})."),
        };
    }

    private static Refusal? WeakKey(X509Certificate2 certificate)
    {
        using var ecdsa = certificate.GetECDsaPublicKey();
        using var rsa = certificate.GetRSAPublicKey();
        var strong = ecdsa?.KeySize >= 256 || rsa?.KeySize >= 2048;
        var oldHash = certificate.SignatureAlgorithm.FriendlyName?.Contains("sha1", StringComparison.OrdinalIgnoreCase) == true;
        return strong && !oldHash ? null : new Refusal("CERTIFICATE_WEAK", "The peer's certificate has a weak key or a SHA-1 signature.");
    }

    private static PeerCertificate? Named(X509Certificate2 certificate, out Refusal? refusal)
    {
        var nodes = new List<NodeId>();
        var divisions = new List<DivisionCode>();
        foreach (var uri in UriNames(certificate))
        {
            if (uri.StartsWith(NodePrefix, StringComparison.Ordinal) && NodeId.TryParse(uri[NodePrefix.Length..], out var node))
            {
                nodes.Add(node);
            }
            else if (uri.StartsWith(DivisionPrefix, StringComparison.Ordinal) && DivisionCode.TryParse(uri[DivisionPrefix.Length..], out var division))
            {
                divisions.Add(division);
            }
        }

        refusal = nodes.Count == 1 && divisions.Count > 0
            ? null
            : new Refusal("CERTIFICATE_WITHOUT_NAMES", $"The peer's certificate names {nodes.Count} nodes and {divisions.Count} divisions; one node and at least one division are expected among its URI names.");
        return refusal is null ? new PeerCertificate(nodes[0], divisions) : null;
    }

    /// <summary>The URI entries (context tag 6) of the subject alternative name.</summary>
    private static List<string> UriNames(X509Certificate2 certificate)
    {
        var uris = new List<string>();
        if (certificate.Extensions[SubjectAlternativeName] is not { } extension)
        {
            return uris;
        }

        try
        {
            var reader = new System.Formats.Asn1.AsnReader(extension.RawData, System.Formats.Asn1.AsnEncodingRules.DER).ReadSequence();
            var uriTag = new System.Formats.Asn1.Asn1Tag(System.Formats.Asn1.TagClass.ContextSpecific, 6);
            while (reader.HasData)
            {
                if (reader.PeekTag().HasSameClassAndValue(uriTag))
                {
                    uris.Add(reader.ReadCharacterString(System.Formats.Asn1.UniversalTagNumber.IA5String, uriTag));
                }
                else
                {
                    reader.ReadEncodedValue();
                }
            }
        }
        catch (System.Formats.Asn1.AsnContentException)
        {
            return [];
        }

        return uris;
    }
}

/// <summary>Which end of a connection a peer is.</summary>
public enum PeerUse
{
    Client,
    Server,
}
