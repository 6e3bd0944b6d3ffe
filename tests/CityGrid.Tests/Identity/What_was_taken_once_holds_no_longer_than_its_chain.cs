using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Identity;

/// <summary>SEC-01, A3, INV-29: a certificate that was taken is not judged anew while everything that spoke for it stands, and is judged anew as soon as anything of it does not.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class What_was_taken_once_holds_no_longer_than_its_chain : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 11, 24, 8, 0, 0, TimeSpan.Zero);
    private static readonly Instant Today = Instant.FromDateTimeOffset(Now);
    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");

    private readonly DevelopmentAuthority _authority = DevelopmentAuthority.Create("test", Now, new SeededEntropy(1));
    private readonly DevelopmentAuthority _other = DevelopmentAuthority.Create("test", Now, new SeededEntropy(2));
    private readonly Signers _signers = new(Today);
    private readonly JudgedPeers _peers;
    private readonly X509Certificate2 _certificate;

    public What_was_taken_once_holds_no_longer_than_its_chain()
    {
        _peers = new JudgedPeers(new NetworkTrust([X509Certificate2.CreateFromPem(_authority.RootPem)], null), PeerUse.Client);
        _certificate = Issued(_authority);
    }

    public void Dispose()
    {
        _certificate.Dispose();
        _authority.Dispose();
        _other.Dispose();
        _signers.Dispose();
    }

    [Test]
    public void A_peer_that_comes_back_is_whom_it_was_and_no_chain_is_built()
    {
        var first = Taken(_certificate, [], Now);
        Assert.That(Taken(_certificate, [], Now.AddDays(30)), Is.EqualTo(first));
        Assert.That(_peers.Built, Is.EqualTo(1));
    }

    [TestCase(500)]
    [TestCase(-1)]
    public void A_peer_out_of_its_time_is_refused_though_it_was_taken(int days)
    {
        Taken(_certificate, [], Now);
        Refused(_certificate, [], Now.AddDays(days), "CERTIFICATE_OUT_OF_TIME");
    }

    [Test]
    public void What_is_shown_with_it_belongs_to_the_verdict()
    {
        using var other = X509Certificate2.CreateFromPem(_other.RootPem);
        Taken(_certificate, [], Now);
        Taken(_certificate, [other], Now);
        Assert.That(_peers.Built, Is.EqualTo(2));
    }

    [Test]
    public void What_was_refused_is_judged_anew()
    {
        using var stranger = Issued(_other);
        Refused(stranger, [], Now, "CERTIFICATE_UNTRUSTED");
        Refused(stranger, [], Now, "CERTIFICATE_UNTRUSTED");
        Assert.That(_peers.Built, Is.EqualTo(2));
        Refused(null, [], Now, "CERTIFICATE_MISSING");
    }

    [Test]
    public void A_signer_out_of_its_time_is_refused_though_it_was_taken()
    {
        var shown = _signers.Of("wuhan").Own!.Signer.Certificates;
        var judge = new CertificateSignatures(() => _signers.Roots);
        Assert.That(judge.Judge(shown, Today, out _), Is.Not.Null);
        Assert.That(judge.Judge(shown, Today + Duration.FromDays(1), out _)?.Node, Is.EqualTo(Wuhan));
        Assert.That(judge.Judge(shown, Today + Duration.FromDays(500), out var refusal), Is.Null);
        Assert.That(refusal?.Code, Is.EqualTo("SIGNER_OUT_OF_TIME"));
    }

    [Test]
    public void A_signer_is_refused_once_its_authority_is_not_trusted_any_more()
    {
        var roots = _signers.Roots;
        var shown = _signers.Of("wuhan").Own!.Signer.Certificates;
        var judge = new CertificateSignatures(() => roots);
        Assert.That(judge.Judge(shown, Today, out _), Is.Not.Null);
        roots = [X509Certificate2.CreateFromPem(_other.RootPem)];
        Assert.That(judge.Judge(shown, Today, out var refusal), Is.Null);
        Assert.That(refusal?.Code, Is.EqualTo("SIGNER_UNTRUSTED"));
    }

    [Test]
    public void A_key_is_that_of_the_certificate_and_of_nothing_that_is_said_of_it()
    {
        ISignatures first = _signers.Of("wuhan"), second = _signers.Of("wuhan");
        var judge = new CertificateSignatures(() => _signers.Roots);
        Assert.That(judge.Verify(first.Own!.Signer, "told"u8, first.Own!.Sign("told"u8)), Is.True);
        var claims = second.Own!.Signer with { Fingerprint = first.Own!.Signer.Fingerprint };
        Assert.Multiple(() =>
        {
            Assert.That(judge.Verify(claims, "told"u8, first.Own!.Sign("told"u8)), Is.False);
            Assert.That(judge.Verify(claims, "told"u8, second.Own!.Sign("told"u8)), Is.True);
            Assert.That(judge.Verify(first.Own!.Signer with { Algorithm = default }, "told"u8, first.Own!.Sign("told"u8)), Is.False);
        });
    }

    private static X509Certificate2 Issued(DevelopmentAuthority authority) => X509Certificate2.CreateFromPem(authority.Issue(Wuhan, [DivisionCode.Parse("420100")]).Certificate);

    private PeerCertificate Taken(X509Certificate2 certificate, X509Certificate2Collection between, DateTimeOffset now)
    {
        var peer = _peers.Read(certificate, between, now, out var refusal);
        Assert.That(refusal, Is.Null);
        return peer!;
    }

    private void Refused(X509Certificate2? certificate, X509Certificate2Collection between, DateTimeOffset now, string code)
    {
        Assert.That(_peers.Read(certificate, between, now, out var refusal), Is.Null);
        Assert.That(refusal?.Code, Is.EqualTo(code));
    }
}
