using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Identity;

/// <summary>SEC-01: of all the certificates that are nearly right none is accepted; the right one is.</summary>
public sealed class Only_the_right_certificate_is_taken
{
    private static readonly DateTimeOffset Now = new(2026, 11, 24, 8, 0, 0, TimeSpan.Zero);
    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");
    private static readonly DivisionCode Division = DivisionCode.Parse("420100");

    private DevelopmentAuthority _authority = null!;
    private X509Certificate2Collection _roots = null!;

    [SetUp]
    public void Authority()
    {
        _authority = DevelopmentAuthority.Create("test", Now, new SeededEntropy(1));
        _roots = [X509Certificate2.CreateFromPem(_authority.RootPem)];
    }

    [TearDown]
    public void Release() => _authority.Dispose();

    [Test]
    public void The_right_one_names_its_node_and_divisions()
    {
        using var certificate = X509Certificate2.CreateFromPem(_authority.Issue(Wuhan, [Division]).Certificate);
        var peer = PeerCertificate.Read(certificate, _roots, PeerUse.Client, Now, out var refusal);
        Assert.Multiple(() =>
        {
            Assert.That(refusal, Is.Null);
            Assert.That(peer?.Node, Is.EqualTo(Wuhan));
            Assert.That(peer?.Divisions, Is.EqualTo(new[] { Division }));
        });
    }

    [Test]
    public void None_at_all() => Refused(null, Now, "CERTIFICATE_MISSING");

    [Test]
    public void Of_another_authority()
    {
        using var other = DevelopmentAuthority.Create("test", Now, new SeededEntropy(2));
        using var certificate = X509Certificate2.CreateFromPem(other.Issue(Wuhan, [Division]).Certificate);
        Refused(certificate, Now, "CERTIFICATE_UNTRUSTED");
    }

    [TestCase(-1, TestName = "Not_yet_valid")]
    [TestCase(500, TestName = "Expired")]
    public void Out_of_its_time(int days)
    {
        using var certificate = X509Certificate2.CreateFromPem(_authority.Issue(Wuhan, [Division]).Certificate);
        Refused(certificate, Now.AddDays(days), "CERTIFICATE_OUT_OF_TIME");
    }

    [Test]
    public void Self_signed_with_the_right_names()
    {
        using var certificate = Make(null, names => Names(names, "citygrid://node/wuhan", "citygrid://division/420100"), clientUse: true, 256);
        Refused(certificate, Now, "CERTIFICATE_UNTRUSTED");
    }

    [Test]
    public void Of_a_root_that_issues_for_another_use()
    {
        using var root = Root(out var roots);
        using var certificate = Make(root, names => Names(names, "citygrid://node/wuhan", "citygrid://division/420100"), clientUse: false, 256);
        Refused(certificate, Now, "CERTIFICATE_WRONG_USE", roots);
    }

    [TestCase("no names at all")]
    [TestCase("division only", "citygrid://division/420100")]
    [TestCase("node only", "citygrid://node/wuhan")]
    [TestCase("two nodes", "citygrid://node/wuhan", "citygrid://node/beijing", "citygrid://division/420100")]
    [TestCase("another scheme", "https://node/wuhan", "https://division/420100")]
    [TestCase("full-width digits", "citygrid://node/wuhan", "citygrid://division/%EF%BC%94")]
    public void Without_the_names(string what, params string[] uris)
    {
        using var root = Root(out var roots);
        using var certificate = Make(root, names => Names(names, uris), clientUse: true, 256);
        Refused(certificate, Now, "CERTIFICATE_WITHOUT_NAMES", roots, what);
    }

    private void Refused(X509Certificate2? certificate, DateTimeOffset now, string code, X509Certificate2Collection? roots = null, string? what = null)
    {
        var peer = PeerCertificate.Read(certificate, roots ?? _roots, PeerUse.Client, now, out var refusal);
        Assert.That(peer, Is.Null, what);
        Assert.That(refusal?.Code, Is.EqualTo(code), what);
    }

    private static void Names(SubjectAlternativeNameBuilder names, params string[] uris)
    {
        names.AddDnsName("420100");
        foreach (var uri in uris)
        {
            names.AddUri(new Uri(uri));
        }
    }

    private static X509Certificate2 Root(out X509Certificate2Collection roots)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=own root", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var root = request.CreateSelfSigned(Now.AddDays(-1), Now.AddDays(30));
        roots = [X509Certificate2.CreateFromPem(root.ExportCertificatePem())];
        return root;
    }

    private static X509Certificate2 Make(X509Certificate2? issuer, Action<SubjectAlternativeNameBuilder> name, bool clientUse, int keySize)
    {
        using var key = ECDsa.Create(keySize == 256 ? ECCurve.NamedCurves.nistP256 : ECCurve.NamedCurves.nistP521);
        var request = new CertificateRequest("CN=wuhan, OU=420100", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        name(names);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(clientUse ? "1.3.6.1.5.5.7.3.2" : "1.3.6.1.5.5.7.3.1")], false));
        return issuer is null
            ? request.CreateSelfSigned(Now.AddDays(-1), Now.AddDays(20))
            : request.Create(issuer, Now.AddDays(-1), Now.AddDays(20), [1, 2, 3, 4]);
    }
}
