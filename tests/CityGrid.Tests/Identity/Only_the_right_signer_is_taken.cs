using System.Security.Cryptography;
using CityGrid.Hub.Identity;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Identity;

/// <summary>Clause A3, INV-28: of the certificates that are nearly right none makes a signer; and a signature is of one key over one statement.</summary>
public sealed class Only_the_right_signer_is_taken
{
    private static readonly Instant Now = Instant.FromUtc(2026, 11, 24, 8, 0);

    private Signers _signers = null!;

    [SetUp]
    public void Network() => _signers = new Signers(Now);

    [TearDown]
    public void Release() => _signers.Dispose();

    [Test]
    public void The_right_one_names_its_node_and_signs()
    {
        var wuhan = _signers.Of("wuhan");
        var signer = new CertificateSignatures(() => _signers.Roots).Judge(wuhan.Own!.Signer.Certificates, Now, out var refusal);
        Assert.That(refusal, Is.Null);
        Assert.That(signer!.Node, Is.EqualTo(NodeId.Parse("wuhan")));
        Assert.That(signer.Fingerprint, Is.EqualTo(wuhan.Own.Signer.Fingerprint));
        var signature = wuhan.Own!.Sign("told"u8);
        Assert.Multiple(() =>
        {
            Assert.That(SignerCertificate.Verify(signer, "told"u8, signature), Is.True);
            Assert.That(SignerCertificate.Verify(signer, "tolD"u8, signature), Is.False);
            Assert.That(SignerCertificate.Verify(_signers.Of("wuhan").Own!.Signer, "told"u8, signature), Is.False, "another key of the same node");
            Assert.That(SignerCertificate.Verify(signer, "told"u8, []), Is.False);
            Assert.That(SignerCertificate.Verify(signer, "told"u8, signature.AsSpan(1)), Is.False);
            Assert.That(SignerCertificate.Verify(signer with { Algorithm = default }, "told"u8, signature), Is.False);
        });
    }

    [Test]
    public void None_and_too_many() => Assert.Multiple(() =>
    {
        Refused([], Now, "SIGNER_MISSING");
        Refused([.. Enumerable.Repeat(Signers.Der(_signers.Issue("wuhan").Certificate)[0], 6)], Now, "SIGNER_MISSING");
    });

    [Test]
    public void No_certificate_at_all() => Refused([ByteString.CopyFromUtf8("suzhou")], Now, "SIGNER_MALFORMED");

    [Test]
    public void Of_another_authority()
    {
        using var others = new Signers(Now, seed: 2);
        Refused(Signers.Der(others.Issue("wuhan").Certificate), Now, "SIGNER_UNTRUSTED");
    }

    [Test]
    public void Self_signed_with_the_right_names() => Refused(Signers.SelfSigned("wuhan", Now, ECCurve.NamedCurves.nistP256), Now, "SIGNER_UNTRUSTED");

    [TestCase(-1, TestName = "Not_yet_a_signer")]
    [TestCase(500, TestName = "No_signer_any_more")]
    public void Out_of_its_time(int days) => Refused(Signers.Der(_signers.Issue("wuhan").Certificate), Now + Duration.FromDays(days), "SIGNER_OUT_OF_TIME");

    [Test]
    public void The_certificate_of_its_connections() => Refused(Signers.Der(_signers.IssueForConnections("wuhan").Certificate), Now, "SIGNER_WRONG_USE");

    [Test]
    public void Another_curve()
    {
        Assert.That(SignerCertificate.Read(Signers.SelfSigned("wuhan", Now, ECCurve.NamedCurves.nistP384), null, Now, out var refusal), Is.Null);
        Assert.That(refusal?.Code, Is.EqualTo("SIGNER_WRONG_KEY"));
    }

    [Test]
    public void A_name_that_is_none()
    {
        Assert.That(SignerCertificate.Read(Signers.SelfSigned("NO%20NODE", Now, ECCurve.NamedCurves.nistP256), null, Now, out var refusal), Is.Null);
        Assert.That(refusal?.Code, Is.EqualTo("SIGNER_WITHOUT_NAME"));
    }

    [Test]
    public void A_node_does_not_start_with_a_key_that_is_not_its_own()
    {
        var (certificate, key) = _signers.Issue("wuhan");
        Assert.Multiple(() =>
        {
            Assert.That(Loaded(certificate, key, "beijing"), Is.EqualTo("SIGNER_OF_ANOTHER"));
            Assert.That(Loaded(certificate, _signers.Issue("wuhan").Key, "wuhan"), Is.EqualTo("SIGNER_WRONG_KEY"));
            Assert.That(Loaded(certificate, "no key", "wuhan"), Is.EqualTo("SIGNER_MALFORMED"));
            Assert.That(Loaded(certificate, key, "wuhan"), Is.Null);
        });
    }

    private string? Loaded(string certificate, string key, string node)
    {
        _signers.Load(certificate, key, node, out var refusal);
        return refusal?.Code;
    }

    private void Refused(IReadOnlyList<ByteString> certificates, Instant now, string code)
    {
        Assert.That(SignerCertificate.Read(certificates, _signers.Roots, now, out var refusal), Is.Null);
        Assert.That(refusal?.Code, Is.EqualTo(code));
    }
}
