using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Children;
using NodaTime;

namespace CityGrid.Tests.Identity;

/// <summary>A network in three tiers with real certificates: the ministry's root, Hubei's authority below it, Wuhan's below that.</summary>
internal sealed class Issuers : IDisposable
{
    private readonly SeededEntropy _entropy = new(43);
    private readonly Instant _now;
    private readonly List<IDisposable> _made = [];

    public Issuers(Instant now)
    {
        _now = now;
        var (root, key) = CertificateAuthority.NewRoot(NodeId.Parse("ministry"), [DivisionCode.Parse("CN")], now.ToDateTimeOffset(), _entropy);
        Ministry = Kept(CertificateAuthority.Open(root, key, root));
        Roots = [X509Certificate2.CreateFromPem(root)];
        Hubei = AuthorityBelow(Ministry, "hubei", "42");
        Wuhan = AuthorityBelow(Hubei, "wuhan", "4201");
        Judge = new CertificateSignatures(() => Roots);
    }

    public CertificateAuthority Ministry { get; }

    public CertificateAuthority Hubei { get; }

    public CertificateAuthority Wuhan { get; }

    public X509Certificate2Collection Roots { get; }

    /// <summary>A node that signs nothing.</summary>
    public ISignatures Judge { get; }

    public CertificateAuthority AuthorityBelow(CertificateAuthority issuer, string node, params string[] divisions)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = Issue(CertificateKind.Authority, issuer, node, divisions, key, TimeSpan.FromDays(900));
        return Kept(CertificateAuthority.Open(Network.PemOf(issued, issuer), key.ExportPkcs8PrivateKeyPem(), Network.PemOf(issuer.Root)));
    }

    /// <summary>A new key of a node with a certificate of this authority.</summary>
    public ISignatures Signer(CertificateAuthority issuer, string node, string[] divisions, TimeSpan? life = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = Issue(CertificateKind.Signer, issuer, node, divisions, key, life ?? TimeSpan.FromDays(90));
        var own = CertificateSignatures.Read(Network.PemOf(issued, issuer), key.ExportPkcs8PrivateKeyPem(), NodeId.Parse(node), Roots, _now, out var refusal)
            ?? throw new InvalidOperationException(refusal?.ToString());
        return new CertificateSignatures(() => Roots, () => own);
    }

    public void Dispose() => _made.ForEach(made => made.Dispose());

    private IssuedCertificate Issue(CertificateKind kind, CertificateAuthority issuer, string node, string[] divisions, ECDsa key, TimeSpan life) =>
        issuer.Issue(kind, NodeId.Parse(node), [.. divisions.Select(DivisionCode.Parse)], new PublicKey(key), _now.ToDateTimeOffset(), life, CertificateAuthority.SerialFrom(_entropy));

    private T Kept<T>(T made)
        where T : IDisposable
    {
        _made.Add(made);
        return made;
    }
}
