using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Bundles;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Bundles;

/// <summary>Clause B2, INV-29: a bundle that was changed, made by another, or made for another is not read; the right one is.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_bundle_opens_for_its_reader_alone : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 11, 29, 8, 0, 0, TimeSpan.Zero);
    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");
    private static readonly NodeId Hubei = NodeId.Parse("hubei");

    private readonly SeededEntropy _entropy = new(1);
    private readonly DevelopmentAuthority _authority;
    private readonly X509Certificate2Collection _roots;
    private readonly X509Certificate2 _maker;
    private readonly X509Certificate2 _reader;
    private readonly byte[] _file;

    public A_bundle_opens_for_its_reader_alone()
    {
        _authority = DevelopmentAuthority.Create("test", Now, _entropy);
        _roots = [X509Certificate2.CreateFromPem(_authority.RootPem)];
        _maker = Issued(_authority, Wuhan);
        _reader = Issued(_authority, Hubei);
        _file = Make(_maker, Wuhan);
    }

    public void Dispose()
    {
        _authority.Dispose();
        _maker.Dispose();
        _reader.Dispose();
    }

    [Test]
    public void The_right_one_says_what_was_put_in_and_who_did()
    {
        var opened = Open(_file, out var refusal);
        Assert.That(refusal, Is.Null);
        Assert.That(opened!.Maker.Node, Is.EqualTo(Wuhan));
        Assert.That(opened.Content, Is.EqualTo(Content));
    }

    [Test]
    public void Its_content_is_not_in_the_file_in_clear() =>
        Assert.That(_file.AsSpan().IndexOf("a division of its own"u8), Is.Negative);

    [Test]
    public void One_flipped_bit_anywhere_and_it_is_not_read()
    {
        for (var i = 0; i < _file.Length; i++)
        {
            var altered = _file.ToArray();
            altered[i] ^= (byte)(1 << (i % 8));
            Assert.That(Open(altered, out var refusal), Is.Null, $"byte {i}");
            Assert.That(refusal, Is.Not.Null);
        }
    }

    [Test]
    public void A_part_of_it_is_not_read()
    {
        for (var length = 0; length < _file.Length; length += 7)
        {
            Assert.That(Open(_file[..length], out _), Is.Null);
        }
    }

    [Test]
    public void One_for_another_node_is_refused()
    {
        Assert.That(BundleFile.Open(_file, _reader, NodeId.Parse("hunan"), Trust, Now, out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo(BundleFile.ForAnother));
    }

    [Test]
    public void One_that_was_sealed_for_another_certificate_is_refused()
    {
        using var renewed = Issued(_authority, Hubei);
        Assert.That(BundleFile.Open(_file, renewed, Hubei, Trust, Now, out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo(BundleFile.ReaderKey));
    }

    [Test]
    public void One_of_a_maker_whose_certificate_is_anothers_is_refused()
    {
        Assert.That(Open(Make(_maker, NodeId.Parse("xiantao")), out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo(BundleFile.Forged));
    }

    [Test]
    public void One_of_another_network_or_of_an_expired_certificate_is_refused()
    {
        using var other = DevelopmentAuthority.Create("other", Now, _entropy);
        using var stranger = Issued(other, Wuhan);
        Assert.That(Open(Make(stranger, Wuhan), out var refusal), Is.Null);
        Assert.That(refusal!.Code, Is.EqualTo("CERTIFICATE_UNTRUSTED"));
        Assert.That(BundleFile.Open(_file, _reader, Hubei, Trust, Now + TimeSpan.FromDays(1000), out refusal), Is.Null);
        Assert.That(refusal!.Code, Does.StartWith("CERTIFICATE_"));
    }

    private static BundleContent Content { get; } = new() { ReachesHead = true, Requests = { new ConnectRequest { Number = 1, Hello = new Hello { Node = "wuhan", Division = "a division of its own" } } } };

    [Test]
    public void With_the_authorities_between_its_maker_and_the_root_in_it()
    {
        var division = DivisionCode.Parse("42");
        var (rootPem, rootKey) = CertificateAuthority.NewRoot(NodeId.Parse("ministry"), [DivisionCode.Parse("CN")], Now, _entropy);
        using var root = CertificateAuthority.Open(rootPem, rootKey, rootPem);
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var between = root.Issue(CertificateKind.Authority, Hubei, [division], new(key), Now, TimeSpan.FromDays(90), CertificateAuthority.SerialFrom(_entropy));
        using var province = CertificateAuthority.Open(Children.Network.PemOf(between, root), key.ExportPkcs8PrivateKeyPem(), rootPem);
        using var makersKey = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var issued = province.Issue(CertificateKind.Link, Wuhan, [DivisionCode.Parse("4201")], new(makersKey), Now, TimeSpan.FromDays(90), CertificateAuthority.SerialFrom(_entropy));
        using var bare = X509CertificateLoader.LoadCertificate(issued.Der.Span);
        using var maker = bare.CopyWithPrivateKey(makersKey);
        using var above = X509CertificateLoader.LoadCertificate(between.Der.Span);
        var trust = new NetworkTrust([X509Certificate2.CreateFromPem(rootPem)], Reception.Registers.Tempting);

        var whole = BundleFile.Make(Content, maker, Wuhan, [above], _reader, Hubei, Now, _entropy);
        var alone = BundleFile.Make(Content, maker, Wuhan, [], _reader, Hubei, Now, _entropy);

        Assert.That(BundleFile.Open(whole, _reader, Hubei, trust, Now, out _)?.Maker.Node, Is.EqualTo(Wuhan));
        Assert.That(BundleFile.Open(alone, _reader, Hubei, trust, Now, out var refusal), Is.Null);
        Assert.That(refusal?.Code, Is.EqualTo("CERTIFICATE_UNTRUSTED"));
    }

    private NetworkTrust Trust => new(_roots, null);

    private OpenedBundle? Open(byte[] file, out Refusal? refusal) => BundleFile.Open(file, _reader, Hubei, Trust, Now, out refusal);

    private byte[] Make(X509Certificate2 maker, NodeId node) => BundleFile.Make(Content, maker, node, [], _reader, Hubei, Now, _entropy);

    private static X509Certificate2 Issued(DevelopmentAuthority authority, NodeId node)
    {
        var (certificate, key) = authority.Issue(node, [DivisionCode.Parse("420100")]);
        return X509Certificate2.CreateFromPem(certificate, key);
    }
}
