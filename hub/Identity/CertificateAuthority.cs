using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Identity;

/// <summary>A certificate as it was issued. <see cref="Serial"/> is in lower-case hex, <see cref="KeyMark"/> as <see cref="CertificateAuthority.MarkOf(PublicKey)"/> makes it.</summary>
public sealed record IssuedCertificate(CertificateKind Kind, string Serial, string KeyMark, ReadOnlyMemory<byte> Der, DateTimeOffset NotBefore, DateTimeOffset NotAfter);

/// <summary>
/// A node's authority over its children (clause E1): the root at the top of the tree, an intermediate below it, issued by the parent. It holds the key and decides nothing:
/// who gets a certificate, and for which divisions, is the register of children's business.
/// </summary>
public sealed class CertificateAuthority : IDisposable
{
    /// <summary>The URI name of an authority: <c>citygrid://authority/NODE</c>.</summary>
    public const string NamePrefix = "citygrid://authority/";

    /// <summary>Steps of authorities below the root: ministry, province, city, county, and one to spare.</summary>
    public const int DepthMax = 4;

    /// <summary>A root is changed by a ceremony at every node, so it lasts longer than the machines.</summary>
    public static readonly TimeSpan RootLife = TimeSpan.FromDays(20 * 365);

    /// <summary>An authority outlives the certificates it issues several times over.</summary>
    public static readonly TimeSpan AuthorityLife = TimeSpan.FromDays(5 * 365);

    public const int SerialBytes = 16;

    /// <summary>Clocks of two nodes differ by less.</summary>
    private static readonly TimeSpan Backdated = TimeSpan.FromMinutes(5);

    private const string P256 = "1.2.840.10045.3.1.7";

    private readonly X509Certificate2 _own;
    private readonly ECDsa _key;
    private readonly byte[][] _above;

    private CertificateAuthority(X509Certificate2 own, ECDsa key, byte[][] above, byte[] root)
    {
        (_own, _key, _above, Root) = (own, key, above, root);
        Mark = MarkOf(own.PublicKey);
    }

    /// <summary>The network's root certificate, DER.</summary>
    public ReadOnlyMemory<byte> Root { get; }

    /// <summary>The mark of the authority's key: certificates whose issuer has it are this authority's own.</summary>
    public string Mark { get; }

    /// <summary>What stands between a certificate issued here and the root, nearest first, DER; empty at the root.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Between => [.. _above.Select(der => (ReadOnlyMemory<byte>)der)];

    /// <summary>The authority's own certificate.</summary>
    public X509Certificate2 Certificate => _own;

    /// <summary>How many more steps of authorities may stand below this one; 0: it may issue to nodes alone.</summary>
    public int DepthLeft => _own.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault() is { HasPathLengthConstraint: true } constraint ? constraint.PathLengthConstraint : 0;

    public IReadOnlyList<DivisionCode> Divisions => PeerCertificate.DivisionsOf(_own);

    public DateTimeOffset NotAfter => new(_own.NotAfter);

    /// <summary>Makes the root of a network (PEM): certificate and key.</summary>
    public static (string Certificate, string Key) NewRoot(NodeId node, IReadOnlyList<DivisionCode> divisions, DateTimeOffset now, IEntropy entropy)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = RequestOf(CertificateKind.Authority, node, divisions, new PublicKey(key), DepthMax);
        var from = now - Backdated;
        using var certificate = request.Create(request.SubjectName, X509SignatureGenerator.CreateForECDsa(key), from, from + RootLife, SerialFrom(entropy));
        return (certificate.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    /// <summary>
    /// Opens an authority.
    /// </summary>
    /// <param name="certificates">PEM: its own certificate, behind it those between it and the root.</param>
    /// <param name="key">PEM of its private key.</param>
    /// <param name="root">PEM of the network's root; the authority's own certificate where it is the root.</param>
    /// <exception cref="CryptographicException">They do not fit together, or are none.</exception>
    public static CertificateAuthority Open(string certificates, string key, string root)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPem(certificates);
        var roots = new X509Certificate2Collection();
        roots.ImportFromPem(root);
        if (all.Count == 0 || roots.Count == 0)
        {
            throw new CryptographicException("The authority has no certificate, or the network no root.");
        }

        var ecdsa = KeyIn(key);
        if (MarkOf(new PublicKey(ecdsa)) != MarkOf(all[0].PublicKey))
        {
            ecdsa.Dispose();
            throw new CryptographicException("The authority's key does not fit its certificate.");
        }

        return new CertificateAuthority(all[0], ecdsa, [.. all.Select(c => c.RawData).Where(der => !roots.Any(r => r.RawData.AsSpan().SequenceEqual(der)))], roots[0].RawData);
    }

    private static ECDsa KeyIn(string pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            return key;
        }
        catch (Exception none) when (none is ArgumentException or CryptographicException or NotSupportedException)
        {
            // What the library calls an argument is a file that somebody gave.
            key.Dispose();
            throw new CryptographicException("The authority's key is none, encrypted, or of a curve that is not known here.", none);
        }
    }

    /// <summary>A serial that no other certificate has.</summary>
    public static byte[] SerialFrom(IEntropy entropy)
    {
        var serial = new byte[SerialBytes];
        entropy.Fill(serial);
        // Positive, and with no zero in front that DER would drop.
        serial[0] = (byte)((serial[0] & 0x7F) | 0x40);
        return serial;
    }

    /// <summary>
    /// Issues a certificate; it never outlives the authority.
    /// </summary>
    public IssuedCertificate Issue(
        CertificateKind kind, NodeId node, IReadOnlyList<DivisionCode> divisions, PublicKey key, DateTimeOffset now, TimeSpan life, byte[] serial)
    {
        var request = RequestOf(kind, node, divisions, key, DepthLeft - 1);
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_own, true, false));
        var (from, to) = (now - Backdated, now + (kind == CertificateKind.Authority ? AuthorityLife : life));
        var (earliest, latest) = (new DateTimeOffset(_own.NotBefore), NotAfter);
        from = from < earliest ? earliest : from;
        to = to > latest ? latest : to;
        using var certificate = Sign(request, from, to, serial);
        return new IssuedCertificate(kind, Convert.ToHexStringLower(serial), MarkOf(key), certificate.RawData, new DateTimeOffset(certificate.NotBefore), new DateTimeOffset(certificate.NotAfter));
    }

    /// <summary>True for a certificate (DER) that names the key of this authority as its issuer's.</summary>
    public bool Issued(ReadOnlyMemory<byte> der)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(der.Span);
        return certificate.Extensions.OfType<X509AuthorityKeyIdentifierExtension>().FirstOrDefault()?.KeyIdentifier is { } issuer
            && _own.Extensions.OfType<X509SubjectKeyIdentifierExtension>().FirstOrDefault() is { } own && issuer.Span.SequenceEqual(own.SubjectKeyIdentifierBytes.Span);
    }

    /// <summary>Signs whatever it is given.</summary>
    internal X509Certificate2 Sign(CertificateRequest request, DateTimeOffset from, DateTimeOffset to, byte[] serial) =>
        request.Create(_own.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), from, to, serial);

    /// <summary>SHA-256 of a public key, hex: what stays when a certificate is renewed with the same key.</summary>
    public static string MarkOf(PublicKey key) => Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));

    /// <summary>The public key of a certificate request (PKCS #10, DER) that its own key signed; null for any other bytes, and for a key that is not ECDSA over P-256.</summary>
    public static PublicKey? KeyOf(ReadOnlySpan<byte> request)
    {
        try
        {
            var read = CertificateRequest.LoadSigningRequest(request.ToArray(), HashAlgorithmName.SHA256, out var used);
            using var key = read.PublicKey.GetECDsaPublicKey();
            return used == request.Length && key?.ExportParameters(false).Curve.Oid.Value == P256 ? read.PublicKey : null;
        }
        catch (Exception none) when (none is CryptographicException or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>A certificate request (PKCS #10, DER) for a key. Names are the issuer's to give.</summary>
    public static byte[] AskFor(NodeId node, ECDsa key) => new CertificateRequest($"CN={node}", key, HashAlgorithmName.SHA256).CreateSigningRequest();

    public void Dispose()
    {
        _own.Dispose();
        _key.Dispose();
    }

    private static CertificateRequest RequestOf(CertificateKind kind, NodeId node, IReadOnlyList<DivisionCode> divisions, PublicKey key, int depth)
    {
        var (common, prefix, usage) = kind switch
        {
            CertificateKind.Link => ($"CN={node}", PeerCertificate.NodePrefix, X509KeyUsageFlags.DigitalSignature),
            CertificateKind.Signer => ($"CN={node} signer", "citygrid://signer/", X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.NonRepudiation),
            CertificateKind.Authority => ($"CN={node} authority", NamePrefix, X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such certificate"),
        };
        var request = new CertificateRequest(new X500DistinguishedName(common), key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri(prefix + node));
        foreach (var division in divisions)
        {
            names.AddUri(new Uri(PeerCertificate.DivisionPrefix + division));
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(kind == CertificateKind.Authority ? new X509BasicConstraintsExtension(true, true, depth, true) : new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(usage, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(key, false));
        if (kind == CertificateKind.Link)
        {
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        }

        return request;
    }
}
