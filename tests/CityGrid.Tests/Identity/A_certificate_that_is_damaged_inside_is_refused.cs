using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Identity;

/// <summary>What reads well and is not sound inside ends no handshake, no call and no command with a fault of this program: it is refused as what is wrong with it.</summary>
public sealed class A_certificate_that_is_damaged_inside_is_refused
{
    /// <summary>The object identifier of P-256 as DER has it.</summary>
    private static readonly byte[] P256 = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

    /// <summary>The head of a time as DER has it.</summary>
    private static readonly byte[] Time = [0x17, 0x0D];

    private DevelopmentAuthority _authority = null!;
    private X509Certificate2Collection _roots = null!;

    [OneTimeSetUp]
    public void Make()
    {
        _authority = DevelopmentAuthority.Create("damaged", Parent.Noon.ToDateTimeOffset(), new SeededEntropy(1));
        _roots = [X509Certificate2.CreateFromPem(_authority.RootPem)];
    }

    [OneTimeTearDown]
    public void Release() => _authority.Dispose();

    [Test]
    public void Whose_time_is_none([Values] bool shownWhole)
    {
        using var network = new Issuers(Parent.Noon);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var der = Issued(network, new PublicKey(key));
        (der[der.AsSpan().IndexOf(Time) + 8], der[der.AsSpan().IndexOf(Time) + 9]) = (0, 1);

        Assert.That(Judged(network, der, shownWhole)?.Code, Is.EqualTo("CERTIFICATE_UNTRUSTED"));
    }

    [Test]
    public void Whose_key_is_of_a_curve_that_nobody_knows()
    {
        var signer = ByteString.CopyFrom(OfUnknownCurve(Der(_authority.IssueSigner(NodeId.Parse("wuhan"), [DivisionCode.Parse("4201")]).Certificate)));
        Assert.That(SignerCertificate.Read([signer], null, Parent.Noon, out var refusal), Is.Null, "as audit verify reads it without an authority");
        Assert.That(refusal!.Code, Is.EqualTo("SIGNER_MALFORMED"));
    }

    [Test]
    public void Whose_authority_made_it_for_such_a_key()
    {
        using var network = new Issuers(Parent.Noon);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var unknown = PublicKey.CreateFromSubjectPublicKeyInfo(OfUnknownCurve(key.ExportSubjectPublicKeyInfo()), out _);

        Assert.That(Judged(network, Issued(network, unknown)), Is.Not.Null);
    }

    [Test]
    public void Whose_request_or_key_file_is_of_such_a_curve()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.That(CertificateAuthority.KeyOf(OfUnknownCurve(CertificateAuthority.AskFor(NodeId.Parse("wuhan"), key))), Is.Null);
        var another = CertificateAuthority.AskFor(NodeId.Parse("wuhan"), key);
        another[another.AsSpan().IndexOf(P256) - 1] = 0x63;
        Assert.That(CertificateAuthority.KeyOf(another), Is.Null, "of no algorithm that is known");

        var (certificate, _) = _authority.IssueSigner(NodeId.Parse("wuhan"), [DivisionCode.Parse("4201")]);
        var pem = PemEncoding.WriteString("PRIVATE KEY", OfUnknownCurve(key.ExportPkcs8PrivateKey()));
        Assert.That(() => LinkCredential.Read(certificate, pem), Throws.InstanceOf<CryptographicException>());
        Assert.That(() => CertificateAuthority.Open(certificate, pem, _authority.RootPem), Throws.InstanceOf<CryptographicException>());
        Assert.That(CertificateSignatures.Read(certificate, pem, NodeId.Parse("wuhan"), _roots, Parent.Noon, out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo("SIGNER_MALFORMED"));
    }

    private static byte[] Issued(Issuers network, PublicKey key) => network.Hubei.Issue(
        CertificateKind.Link, NodeId.Parse("wuhan"), [DivisionCode.Parse("4201")], key, Parent.Noon.ToDateTimeOffset(), TimeSpan.FromDays(9), CertificateAuthority.SerialFrom(new SeededEntropy(2))).Der.ToArray();

    private static Refusal? Judged(Issuers network, byte[] der, bool shownWhole = true)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(der);
        X509Certificate2Collection between = [.. network.Hubei.Between.Where(_ => shownWhole).Select(above => X509CertificateLoader.LoadCertificate(above.Span))];
        PeerCertificate.Read(certificate, between, new NetworkTrust(network.Roots, Registers.Tempting), PeerUse.Client, Parent.Noon.ToDateTimeOffset(), out var refusal);
        return refusal;
    }

    private static byte[] Der(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem);
        return certificate.RawData;
    }

    private static byte[] OfUnknownCurve(byte[] der)
    {
        der[der.AsSpan().IndexOf(P256) + P256.Length - 1] = 0x63;
        return der;
    }
}
