using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Tests.Identity;

/// <summary>Signers of a network of their own, with real certificates in files of their own.</summary>
internal sealed class Signers : IDisposable
{
    private readonly DevelopmentAuthority _authority;
    private readonly string _folder = Directory.CreateTempSubdirectory("citygrid-signers-").FullName;

    public Signers(Instant now, ulong seed = 1)
    {
        Now = now;
        _authority = DevelopmentAuthority.Create("signers", now.ToDateTimeOffset(), new SeededEntropy(seed));
        AuthorityFile = Path.Combine(_folder, "authority.pem");
        File.WriteAllText(AuthorityFile, _authority.RootPem);
        Roots = [X509Certificate2.CreateFromPem(_authority.RootPem)];
    }

    public Instant Now { get; }

    public string AuthorityFile { get; }

    public X509Certificate2Collection Roots { get; }

    /// <summary>A new key and certificate for a node, as a running node has them.</summary>
    public ISignatures Of(string node)
    {
        var own = OwnOf(node);
        return new CertificateSignatures(() => Roots, () => own);
    }

    /// <summary>The signer alone.</summary>
    public OwnSigner OwnOf(string node)
    {
        var (certificate, key) = Issue(node);
        return Load(certificate, key, node, out var refusal) ?? throw new InvalidOperationException(refusal?.ToString());
    }

    public OwnSigner? Load(string certificate, string key, string node, out Refusal? refusal) =>
        CertificateSignatures.Read(certificate, key, NodeId.Parse(node), Roots, Now, out refusal);

    public (string Certificate, string Key) Issue(string node) => _authority.IssueSigner(NodeId.Parse(node), [DivisionCode.Parse("42")]);

    public (string Certificate, string Key) IssueForConnections(string node) => _authority.Issue(NodeId.Parse(node), [DivisionCode.Parse("42")]);

    public static ByteString[] Der(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem);
        return [ByteString.CopyFrom(certificate.RawData)];
    }

    /// <summary>A certificate with the right names that is its own authority.</summary>
    public static ByteString[] SelfSigned(string node, Instant now, ECCurve curve)
    {
        using var key = ECDsa.Create(curve);
        var request = new CertificateRequest("CN=signer", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri(SignerCertificate.NamePrefix + node));
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.NonRepudiation, true));
        using var certificate = request.CreateSelfSigned(now.ToDateTimeOffset().AddDays(-1), now.ToDateTimeOffset().AddDays(30));
        return [ByteString.CopyFrom(certificate.RawData)];
    }

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
