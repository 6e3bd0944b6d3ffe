using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Identity;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>SEC-01, INV-29, clause E2: over real mutual TLS, of fifteen certificates fourteen do not get in, the fifteenth does.</summary>
public sealed class Of_fifteen_handshakes_one_is_taken
{
    private Network _network = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        _network = await Network.StartAsync();
        await _network.TakeInAsync("wuhan", "4201");
    }

    [OneTimeTearDown]
    public async Task Stop() => await _network.DisposeAsync();

    private static readonly string[] Nearly =
    [
        "no certificate", "self-signed", "of a chain that the system would trust", "of another network", "expired", "not yet valid", "for servers alone", "revoked",
        "two nodes", "the division in the common name alone", "of a division that is no child's", "of another province's authority", "a weak key", "signed with SHA-1",
    ];

    [TestCase("no certificate", "CERTIFICATE_MISSING")]
    [TestCase("self-signed", "CERTIFICATE_UNTRUSTED")]
    [TestCase("of a chain that the system would trust", "CERTIFICATE_UNTRUSTED")]
    [TestCase("of another network", "CERTIFICATE_UNTRUSTED")]
    [TestCase("expired", "CERTIFICATE_OUT_OF_TIME")]
    [TestCase("not yet valid", "CERTIFICATE_OUT_OF_TIME")]
    [TestCase("for servers alone", "CERTIFICATE_WRONG_USE")]
    [TestCase("revoked", "CERTIFICATE_REVOKED")]
    [TestCase("two nodes", "CERTIFICATE_WITHOUT_NAMES")]
    [TestCase("the division in the common name alone", "CERTIFICATE_WITHOUT_NAMES")]
    [TestCase("of a division that is no child's", "CHILD_UNKNOWN")]
    [TestCase("of another province's authority", "CERTIFICATE_OUTSIDE")]
    [TestCase("a weak key", "CERTIFICATE_WEAK")]
    [TestCase("signed with SHA-1", "CERTIFICATE_WEAK")]
    public async Task That_is_nearly_right(string what, string code)
    {
        var credential = await MadeAsync(what);
        _network.Refused.Clear();

        Assert.That(await IsLetInAsync(credential), Is.False, what);

        // Where the TLS library is stricter than we are, it has not asked us.
        PeerCertificate.Read(credential?.Certificate, credential?.Between ?? [], _network.Trust, PeerUse.Client, _network.Clock.GetUtcNow(), out var refusal);
        Assert.That(_network.Refused.DefaultIfEmpty(refusal?.Code), Does.Contain(code), $"{what}: for its own reason");
    }

    [Test]
    public async Task The_right_one_with_the_authority_between()
    {
        var credential = await _network.TakeInAsync("xiantao", "429004");
        Assert.That(credential.Between, Has.Count.EqualTo(1), "the province stands between the city and the root");

        var heard = _network.Dial(credential);

        Assert.That(await heard.IsWelcomeAsync(new Child("xiantao", "429004")), Is.True);
        (await heard.LineAsync()).HangUp();
    }

    [Test]
    public void There_are_fourteen() => Assert.That(Nearly, Has.Length.EqualTo(14));

    /// <summary>True where the stream was opened: TLS, the judgement of the certificate and the register of children let it in.</summary>
    private async Task<bool> IsLetInAsync(LinkCredential? credential)
    {
        using var channel = Grpc.Net.Client.GrpcChannel.ForAddress(_network.Link, new Grpc.Net.Client.GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { SslOptions = LinkTls.Client(credential, (_, _) => true) },
            DisposeHttpClient = true,
        });
        using var call = new Protocol.V1.LinkService.LinkServiceClient(channel).Connect();
        try
        {
            await call.ResponseHeadersAsync.WaitAsync(Network.Patience);
            return true;
        }
        catch (Grpc.Core.RpcException)
        {
            return false;
        }
    }

    private async Task<LinkCredential?> MadeAsync(string what)
    {
        var now = _network.Clock.GetUtcNow();
        switch (what)
        {
            case "no certificate":
                return null;
            case "self-signed":
                return Own(null, [.. Names("wuhan", "4201")], now, now.AddDays(30));
            case "of a chain that the system would trust":
                // Whether the system trusts the root is nothing that anybody asks here: it shows the whole chain, root and all, as a public one would.
                using (var other = AnotherNetwork("public root"))
                {
                    var credential = _network.Issue(other, "wuhan", "4201");
                    return credential with { Between = [.. credential.Between, X509CertificateLoader.LoadCertificate(other.Root.Span)] };
                }

            case "of another network":
                using (var other = AnotherNetwork("ministry"))
                {
                    return _network.Issue(other, "wuhan", "4201");
                }

            case "expired":
                return Own(_network.Province, [.. Names("wuhan", "4201")], now.AddDays(-2), now.AddDays(-1));
            case "not yet valid":
                return Own(_network.Province, [.. Names("wuhan", "4201")], now.AddDays(1), now.AddDays(2));
            case "for servers alone":
                return Own(_network.Province, [.. Names("wuhan", "4201")], now, now.AddDays(30), use: "1.3.6.1.5.5.7.3.1");
            case "revoked":
                var revoked = await _network.TakeInAsync("qianjiang", "429004");
                var answer = await _network.DoAsync(_network.Desk.Revoke(NodeId.Parse("qianjiang"), null, "lost", "keeper"));
                Assert.That(answer.Refusal, Is.Null);
                return revoked;
            case "two nodes":
                return Own(_network.Province, [.. Names("wuhan", "4201"), "citygrid://node/beijing"], now, now.AddDays(30));
            case "the division in the common name alone":
                return Own(_network.Province, ["citygrid://node/wuhan"], now, now.AddDays(30), subject: "CN=wuhan, OU=4201");
            case "of a division that is no child's":
                return _network.Issue(_network.Ministry, "changsha", "4301");
            case "of another province's authority":
                using (var hunan = _network.Below(_network.Ministry, "hunan", "43"))
                {
                    return _network.Issue(hunan, "wuhan", "4201");
                }

            case "a weak key":
                return Weak(now);
            case "signed with SHA-1":
                return Old(now);
            default:
                throw new ArgumentOutOfRangeException(nameof(what), what, "no such certificate");
        }
    }

    private CertificateAuthority AnotherNetwork(string node)
    {
        var (root, key) = CertificateAuthority.NewRoot(NodeId.Parse(node.Replace(' ', '-')), [DivisionCode.Parse("CN")], _network.Clock.GetUtcNow(), _network.Entropy);
        return CertificateAuthority.Open(root, key, root);
    }

    private static IEnumerable<string> Names(string node, string division) => [$"citygrid://node/{node}", $"citygrid://division/{division}"];

    /// <summary>A certificate that the authority itself would never issue.</summary>
    private LinkCredential Own(
        CertificateAuthority? issuer, string[] uris, DateTimeOffset from, DateTimeOffset to, string use = "1.3.6.1.5.5.7.3.2", string subject = "CN=wuhan")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        return Signed(request, issuer, uris, from, to, use, key);
    }

    private LinkCredential Weak(DateTimeOffset now)
    {
        using var key = RSA.Create(1024);
        var request = new CertificateRequest("CN=wuhan", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return Signed(request, _network.Province, [.. Names("wuhan", "4201")], now, now.AddDays(30), "1.3.6.1.5.5.7.3.2", key);
    }

    /// <summary>By an authority of Hubei like any other, but with the hash that nobody signs with any more.</summary>
    private LinkCredential Old(DateTimeOffset now)
    {
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = _network.Ministry.Issue(
            CertificateKind.Authority, Network.Hubei, [DivisionCode.Parse("42")], new(authorityKey), now, TimeSpan.FromDays(100), CertificateAuthority.SerialFrom(_network.Entropy));
        using var issuer = X509CertificateLoader.LoadCertificate(authority.Der.Span);
        var request = new CertificateRequest("CN=wuhan", key, HashAlgorithmName.SHA256);
        Name(request, [.. Names("wuhan", "4201")], "1.3.6.1.5.5.7.3.2");
        using var signed = request.Create(issuer.SubjectName, new Sha1Signatures(authorityKey), now, now.AddDays(30), CertificateAuthority.SerialFrom(_network.Entropy));
        return LinkCredential.Read(signed.ExportCertificatePem() + "\n" + Network.PemOf(authority.Der), key.ExportPkcs8PrivateKeyPem());
    }

    private static void Name(CertificateRequest request, string[] uris, string use)
    {
        var names = new SubjectAlternativeNameBuilder();
        foreach (var uri in uris)
        {
            names.AddUri(new Uri(uri));
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], false));
    }

    private LinkCredential Signed(CertificateRequest request, CertificateAuthority? issuer, string[] uris, DateTimeOffset from, DateTimeOffset to, string use, AsymmetricAlgorithm key)
    {
        Name(request, uris, use);
        if (issuer is null)
        {
            using var alone = request.CreateSelfSigned(from, to);
            return LinkCredential.Read(alone.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
        }

        using var signed = issuer.Sign(request, from, to, CertificateAuthority.SerialFrom(_network.Entropy));
        return LinkCredential.Read(signed.ExportCertificatePem() + "\n" + string.Concat(issuer.Between.Select(Network.PemOf)), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>ecdsa-with-SHA1, which the library makes no more by itself.</summary>
    private sealed class Sha1Signatures(ECDsa key) : X509SignatureGenerator
    {
        public override byte[] GetSignatureAlgorithmIdentifier(HashAlgorithmName hashAlgorithm) => [0x30, 0x09, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01];

#pragma warning disable CA5350 // That it is weak is what the test is about.
        public override byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm) => key.SignData(data, HashAlgorithmName.SHA1, DSASignatureFormat.Rfc3279DerSequence);
#pragma warning restore CA5350

        protected override PublicKey BuildPublicKey() => new(key);
    }
}
