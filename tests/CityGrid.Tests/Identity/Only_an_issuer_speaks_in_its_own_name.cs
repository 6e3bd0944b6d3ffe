using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Identity;

/// <summary>Clause A7, ASVS 8.3.3: what a relay can say in the name of one above it, with real certificates in three tiers.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class Only_an_issuer_speaks_in_its_own_name : IDisposable
{
    private static readonly Instant Now = Parent.Noon;

    private readonly Issuers _network = new(Now);
    private readonly Issued _issued = Of("ministry", "CN");
    private readonly ISignatures _ministry;
    private readonly IssuerSignature _said;

    public Only_an_issuer_speaks_in_its_own_name()
    {
        _ministry = _network.Signer(_network.Ministry, "ministry", ["CN"]);
        _said = IssuerWord.Sign(_ministry, _issued, Now)!;
    }

    public void Dispose() => _network.Dispose();

    [Test]
    public void Its_own_word_is_believed_and_says_whose_it_is()
    {
        var signer = IssuerWord.Judge(_network.Judge, Registers.Tempting, _issued, _said, Now, out var refusal);
        Assert.That(refusal, Is.Null);
        Assert.That((signer!.Node, signer.Divisions.Single(), signer.Fingerprint), Is.EqualTo((NodeId.Parse("ministry"), DivisionCode.Parse("CN"), _ministry.Own!.Signer.Fingerprint)));
    }

    [Test]
    public void A_signer_two_authorities_down_speaks_for_what_each_of_them_covers()
    {
        var wuhan = _network.Signer(_network.Wuhan, "wuhan", ["4201"]);
        Assert.Multiple(() =>
        {
            Assert.That(Judged(Of("wuhan", "4201"), Signed(wuhan, Of("wuhan", "4201"))), Is.Null);
            Assert.That(Judged(Of("wuhan", "420111"), Signed(wuhan, Of("wuhan", "420111"))), Is.Null, "a division below the one that is named");
        });
    }

    [Test]
    public void A_node_without_a_key_says_nothing()
    {
        Assert.That(IssuerWord.Sign(_network.Judge, _issued, Now), Is.Null);
        Assert.That(IssuerWord.Sign(null, _issued, Now), Is.Null);
        Assert.That(Judged(_issued, null), Is.EqualTo(IssuerWord.Unsigned));
    }

    [Test]
    public void A_relay_changes_a_byte() => Assert.Multiple(() =>
    {
        for (var at = 0; at < _issued.Content.Length; at++)
        {
            var bytes = _issued.Content.ToByteArray();
            bytes[at] ^= 1;
            Assert.That(Judged(_issued with { Content = ByteString.CopyFrom(bytes) }, _said), Is.EqualTo(IssuerWord.Wrong));
        }

        Assert.That(Judged(_issued with { Kind = IssuerWord.Package }, _said), Is.EqualTo(IssuerWord.Wrong), "an order is no package");
        foreach (var (what, twist) in new (string, Action<IssuerSignature>)[]
        {
            ("a later time", said => said.SignedAt++), ("no time", said => said.SignedAt = long.MinValue), ("a time past all", said => said.SignedAt = long.MaxValue),
            ("another algorithm", said => said.Algorithm = 2), ("another signer", said => said.Signer = ByteString.CopyFrom(new byte[32])),
            ("no signature", said => said.Signature = ByteString.Empty), ("a signature cut short", said => said.Signature = ByteString.CopyFrom(said.Signature.Span[1..])),
        })
        {
            var twisted = _said.Clone();
            twist(twisted);
            Assert.That(Judged(_issued, twisted), Is.EqualTo(IssuerWord.Wrong), what);
        }
    });

    [Test]
    public void A_relay_signs_in_the_ministrys_name_with_its_own_signer()
    {
        var hubei = _network.Signer(_network.Hubei, "hubei", ["42"]);
        Assert.That(Judged(_issued, Signed(hubei, _issued)), Is.EqualTo(IssuerWord.OfAnother));
    }

    [TestCase("42", TestName = "a signer called ministry that names Hubei")]
    [TestCase("CN", TestName = "a signer called ministry that names the nation")]
    public void A_relay_makes_a_signer_of_the_ministrys_name_under_its_own_authority(string division)
    {
        var impostor = _network.Signer(_network.Hubei, "ministry", [division]);
        Assert.That(Judged(_issued, Signed(impostor, _issued)), Is.EqualTo(IssuerWord.Outside));
    }

    [Test]
    public void An_authority_that_it_made_for_the_ministry_helps_it_no_further()
    {
        // The lowest authority covers the nation by its own words, and the one above it does not cover the nation.
        var impostor = _network.Signer(_network.AuthorityBelow(_network.Hubei, "ministry", "CN"), "ministry", ["CN"]);
        Assert.That(Judged(_issued, Signed(impostor, _issued)), Is.EqualTo(IssuerWord.Outside));
    }

    [Test]
    public void One_division_outside_spoils_a_signer_that_names_its_own_too()
    {
        var greedy = _network.Signer(_network.Hubei, "hubei", ["42", "43"]);
        Assert.That(Judged(Of("hubei", "42"), Signed(greedy, Of("hubei", "42"))), Is.EqualTo(IssuerWord.Outside));
    }

    [TestCase("CN")]
    [TestCase("43")]
    [TestCase("99")]
    public void A_relay_speaks_for_a_division_that_its_signer_does_not_name(string division)
    {
        var hubei = _network.Signer(_network.Hubei, "hubei", ["42"]);
        Assert.That(Judged(Of("hubei", division), Signed(hubei, Of("hubei", division))), Is.EqualTo(IssuerWord.Outside));
    }

    [Test]
    public void Who_is_of_another_network_or_none() => Assert.Multiple(() =>
    {
        using var others = new Issuers(Now);
        Assert.That(Judged(_issued, Signed(others.Signer(others.Ministry, "ministry", ["CN"]), _issued)), Is.EqualTo(IssuerWord.Untrusted));
        Assert.That(Judged(_issued, With(said => said.Certificates.Clear())), Is.EqualTo(IssuerWord.Untrusted));
        Assert.That(Judged(_issued, With(said => said.Certificates[0] = ByteString.CopyFromUtf8("none"))), Is.EqualTo(IssuerWord.Untrusted));
        Assert.That(Judged(_issued, With(said => said.Certificates.Add(ByteString.CopyFrom(new byte[IssuerWord.BytesMax])))), Is.EqualTo(IssuerWord.Untrusted));
        Assert.That(Judged(_issued, With(said => said.Certificates.Add(Enumerable.Repeat(said.Certificates[0], SignerCertificate.CertificatesMax)))), Is.EqualTo(IssuerWord.Untrusted));
    });

    [Test]
    public void Who_acts_first_judges_by_its_own_clock_and_who_is_told_again_by_the_time_of_signing()
    {
        var brief = _network.Signer(_network.Ministry, "ministry", ["CN"], TimeSpan.FromDays(10));
        var inTime = IssuerWord.Sign(brief, _issued, Now + Duration.FromDays(9))!;
        var late = IssuerWord.Sign(brief, _issued, Now + Duration.FromDays(11))!;
        Assert.Multiple(() =>
        {
            Assert.That(Judged(_issued, inTime, Now + Duration.FromDays(9)), Is.Null);
            Assert.That(Judged(_issued, inTime, Now + Duration.FromDays(12)), Is.EqualTo(IssuerWord.OutOfTime), "a key whose time is over, whatever time it claims");
            Assert.That(IssuerWord.Judge(_network.Judge, Registers.Tempting, _issued, inTime, null, out _), Is.Not.Null, "passed on, or told again years later");
            Assert.That(IssuerWord.Judge(_network.Judge, Registers.Tempting, _issued, late, null, out var refusal), Is.Null);
            Assert.That(refusal?.Code, Is.EqualTo(IssuerWord.OutOfTime), "signed when its time was over");
            Assert.That(Judged(_issued, With(said => said.SignedAt = 0)), Is.EqualTo(IssuerWord.Wrong), "the time is part of what is signed");
        });
    }

    private string? Judged(Issued issued, IssuerSignature? said, Instant? now = null)
    {
        var signer = IssuerWord.Judge(_network.Judge, Registers.Tempting, issued, said, now ?? Now, out var refusal);
        Assert.That(signer is null, Is.EqualTo(refusal is not null));
        return refusal?.Code;
    }

    private IssuerSignature With(Action<IssuerSignature> twist)
    {
        var said = _said.Clone();
        twist(said);
        return said;
    }

    private static IssuerSignature Signed(ISignatures signatures, Issued issued) => IssuerWord.Sign(signatures, issued, Now)!;

    private static Issued Of(string issuer, string division) =>
        new(IssuerWord.Order, NodeId.Parse(issuer), DivisionCode.Parse(division), ByteString.CopyFromUtf8("close the wells of 4201"));
}
