using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Identity;

/// <summary>
/// A certificate authority for development and demonstration: one root (ECDSA P-256), and certificates for nodes on this machine. A real network
/// issues its certificates by a ceremony of its own; what a node reads from them is the same.
/// </summary>
public sealed class DevelopmentAuthority : IDisposable
{
    /// <summary>A demonstration does not run longer, and a forgotten key is worth little.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromDays(397);

    private readonly ECDsa _key;
    private readonly X509Certificate2 _root;
    private readonly IEntropy _entropy;
    private readonly DateTimeOffset _from;

    private DevelopmentAuthority(ECDsa key, X509Certificate2 root, IEntropy entropy, DateTimeOffset from) => (_key, _root, _entropy, _from) = (key, root, entropy, from);

    /// <summary>The root's certificate, PEM.</summary>
    public string RootPem => _root.ExportCertificatePem() + "\n";

    public static DevelopmentAuthority Create(string name, DateTimeOffset now, IEntropy entropy)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 1, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var from = now.AddMinutes(-5);
        return new DevelopmentAuthority(key, request.CreateSelfSigned(from, from + Life), entropy, from);
    }

    /// <summary>A node's certificate and key (PEM): it names the node, the divisions that it may speak for, and loopback.</summary>
    public (string Certificate, string Key) Issue(NodeId node, IReadOnlyList<DivisionCode> divisions)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={node}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri(PeerCertificate.NodePrefix + node));
        foreach (var division in divisions)
        {
            names.AddUri(new Uri(PeerCertificate.DivisionPrefix + division));
        }

        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        return Signed(request, key);
    }

    /// <summary>
    /// A node's signing certificate and key (PEM), beside those for its connections: whoever takes the key of a running connection cannot sign with
    /// it, and the other way round.
    /// </summary>
    public (string Certificate, string Key) IssueSigner(NodeId node, IReadOnlyList<DivisionCode> divisions)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={node} signer", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri(SignerCertificate.NamePrefix + node));
        foreach (var division in divisions)
        {
            names.AddUri(new Uri(PeerCertificate.DivisionPrefix + division));
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(SignerCertificate.Uses, true));
        return Signed(request, key);
    }

    /// <summary>Writes a PEM file that only its owner may read.</summary>
    public static void WriteSecret(string path, string pem)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new FileStream(path, options);
        file.Write(Encoding.ASCII.GetBytes(pem));
    }

    public void Dispose()
    {
        _root.Dispose();
        _key.Dispose();
    }

    private (string Certificate, string Key) Signed(CertificateRequest request, ECDsa key)
    {
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_root, true, false));
        var serial = new byte[16];
        _entropy.Fill(serial);
        serial[0] &= 0x7F;
        using var certificate = request.Create(_root.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), _from, _from + Life - TimeSpan.FromDays(1), serial);
        return (certificate.ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}
