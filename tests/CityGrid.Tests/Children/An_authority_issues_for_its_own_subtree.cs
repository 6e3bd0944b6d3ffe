using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Children;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>SEC-03, INV-29, clauses E2 and E5: at every hop, each division of the register under each authority, and each place against each certificate.</summary>
public sealed class An_authority_issues_for_its_own_subtree
{
    private static readonly DateTimeOffset Now = Parent.Noon.ToDateTimeOffset();
    private static readonly string[] Provinces = ["42", "43", "11"];

    private readonly SeededEntropy _entropy = new(41);
    private CertificateAuthority _root = null!;
    private X509Certificate2Collection _roots = null!;

    [OneTimeSetUp]
    public void Root()
    {
        var (root, key) = CertificateAuthority.NewRoot(NodeId.Parse("ministry"), [DivisionCode.Parse("CN")], Now, _entropy);
        _root = CertificateAuthority.Open(root, key, root);
        _roots = [X509Certificate2.CreateFromPem(root)];
    }

    [OneTimeTearDown]
    public void Release() => _root.Dispose();

    [Test]
    public void And_for_no_other_by_the_register_and_never_by_prefix() => Assert.Multiple(() =>
    {
        foreach (var province in Provinces)
        {
            using var authority = Below(_root, "province", province);
            foreach (var division in Registers.Tempting.All.Select(d => d.Code))
            {
                var expected = Below(division.ToString(), province) ? null : "CERTIFICATE_OUTSIDE";
                Assert.That(Judged(authority, [division]), Is.EqualTo(expected), $"{division} by the authority of {province}");
            }

            Assert.That(Judged(authority, [DivisionCode.Parse("99")]), Is.EqualTo("CERTIFICATE_OUTSIDE"), "what is in no register lies below nobody");
        }
    });

    [Test]
    public void One_division_outside_spoils_the_whole_certificate()
    {
        using var authority = Below(_root, "hubei", "42");
        Assert.That(Judged(authority, [DivisionCode.Parse("4201"), DivisionCode.Parse("4301")]), Is.EqualTo("CERTIFICATE_OUTSIDE"));
    }

    [Test]
    public void An_authority_below_an_authority_covers_no_more_than_that_one()
    {
        using var hubei = Below(_root, "hubei", "42");
        using var wuhan = Below(hubei, "wuhan", "4201");
        using var greedy = Below(hubei, "greedy", "43");
        Assert.Multiple(() =>
        {
            Assert.That(Judged(wuhan, [DivisionCode.Parse("420111")]), Is.Null, "three hops, each covered");
            Assert.That(Judged(wuhan, [DivisionCode.Parse("429004")]), Is.EqualTo("CERTIFICATE_OUTSIDE"));
            Assert.That(Judged(greedy, [DivisionCode.Parse("4301")]), Is.EqualTo("CERTIFICATE_OUTSIDE"), "the hop above did not cover it");
        });
    }

    [TestCase("no PEM")]
    [TestCase("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")]
    [TestCase("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----")]
    public void A_file_that_holds_no_key_makes_no_authority(string text)
    {
        var root = Network.PemOf(_root.Root);
        Assert.That(() => CertificateAuthority.Open(root, text, root), Throws.InstanceOf<CryptographicException>());
    }

    [Test]
    public void A_node_is_no_authority()
    {
        using var hubei = Below(_root, "hubei", "42");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var node = hubei.Issue(CertificateKind.Link, NodeId.Parse("wuhan"), [DivisionCode.Parse("4201")], new(key), Now, TimeSpan.FromDays(90), CertificateAuthority.SerialFrom(_entropy));
        using var pretended = CertificateAuthority.Open(Network.PemOf(node, hubei), key.ExportPkcs8PrivateKeyPem(), Network.PemOf(_root.Root));
        Assert.That(Judged(pretended, [DivisionCode.Parse("420111")]), Is.EqualTo("CERTIFICATE_UNTRUSTED"));
    }

    [Test]
    public void The_steps_of_authorities_are_counted_and_the_last_may_issue_none()
    {
        var chain = new List<CertificateAuthority> { _root };
        for (var i = 0; i < CertificateAuthority.DepthMax; i++)
        {
            chain.Add(Below(chain[^1], $"step{i}", "42"));
        }

        Assert.That(chain.Select(a => a.DepthLeft), Is.EqualTo(new[] { 4, 3, 2, 1, 0 }));
        Assert.That(Judged(chain[^1], [DivisionCode.Parse("4201")]), Is.Null);
        chain.Skip(1).ToList().ForEach(a => a.Dispose());
    }

    [Test]
    public void Without_a_register_no_authority_between_is_believed()
    {
        using var hubei = Below(_root, "hubei", "42");
        Assert.That(Judged(hubei, [DivisionCode.Parse("4201")], null), Is.EqualTo("CERTIFICATE_UNTRUSTED"));
    }

    [Test]
    public void A_child_speaks_for_what_its_place_and_its_certificate_both_allow()
    {
        var (all, wrong) = (Registers.Tempting.All.Select(d => d.Code).ToArray(), new List<string>());
        foreach (var opened in all.Where(d => Below(d.ToString(), "42") && d.ToString() != "42"))
        {
            var admission = AdmissionTo(opened);
            foreach (var certified in all)
            {
                var peer = new CertifiedPeer(NodeId.Parse("wuhan"), [certified], new PeerMark("5a", _root.Mark, Now.AddDays(1)));
                var admitted = admission.Admit(peer, Parent.Noon, out var refusal);
                foreach (var code in all)
                {
                    var expected = Below(code.ToString(), opened.ToString()) && Below(code.ToString(), certified.ToString());
                    if ((admitted?.Divisions.Any(d => Registers.Tempting.IsAtOrBelow(code, d)) ?? false) != expected)
                    {
                        wrong.Add($"place {opened}, certificate {certified}, code {code}: {!expected}, {refusal?.Code}");
                    }
                }
            }
        }

        Assert.That(wrong, Is.Empty);
    }

    [TestCase(true, null)]
    [TestCase(false, "CERTIFICATE_NOT_OURS")]
    public void A_certificate_that_the_register_does_not_know_is_taken_from_this_authority_alone(bool own, string? code)
    {
        // A copy of this node that was restored has lost the newest certificates that it gave; one of another authority is an impostor's.
        var peer = new CertifiedPeer(NodeId.Parse("wuhan"), [DivisionCode.Parse("4201")], new PeerMark("5a", own ? _root.Mark : "another", Now.AddDays(1)));
        AdmissionTo(DivisionCode.Parse("4201")).Admit(peer, Parent.Noon, out var refusal);
        Assert.That(refusal?.Code, Is.EqualTo(code));
    }

    [Test]
    public void A_certificate_ends_on_connections_that_stand_too()
    {
        var peer = new CertifiedPeer(NodeId.Parse("wuhan"), [DivisionCode.Parse("4201")], new PeerMark("5a", _root.Mark, Now));
        AdmissionTo(DivisionCode.Parse("4201")).Admit(peer, Parent.Noon, out var refusal);
        Assert.That(refusal?.Code, Is.EqualTo("CERTIFICATE_OUT_OF_TIME"));
    }

    /// <summary>The register of children after Wuhan took a place for this division.</summary>
    private Admission AdmissionTo(DivisionCode division)
    {
        var fold = new ChildrenFold();
        var lsn = 0L;
        foreach (var draft in new[] { ChildrenEvents.Opened(NodeId.Parse("wuhan"), [division], false), ChildrenEvents.Enrolled(NodeId.Parse("wuhan"), []) })
        {
            var at = new Lsn(++lsn);
            fold.Apply(new Hub.Journal.JournalEvent(at, at, at, Parent.Noon, "li", draft.Kind, draft.Schema, draft.Payload));
        }

        return new Admission(fold, Registers.Tempting, () => _root.Mark);
    }

    private CertificateAuthority Below(CertificateAuthority issuer, string node, string division)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = issuer.Issue(CertificateKind.Authority, NodeId.Parse(node), [DivisionCode.Parse(division)], new(key), Now, TimeSpan.FromDays(90), CertificateAuthority.SerialFrom(_entropy));
        return CertificateAuthority.Open(Network.PemOf(issued, issuer), key.ExportPkcs8PrivateKeyPem(), Network.PemOf(issuer.Root));
    }

    /// <summary>The code with which a node's certificate of this authority is refused; null for one that is taken.</summary>
    private string? Judged(CertificateAuthority issuer, IReadOnlyList<DivisionCode> divisions) => Judged(issuer, divisions, Registers.Tempting);

    private string? Judged(CertificateAuthority issuer, IReadOnlyList<DivisionCode> divisions, Hub.Divisions.DivisionRegister? register)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = issuer.Issue(CertificateKind.Link, NodeId.Parse("wuhan"), divisions, new(key), Now, TimeSpan.FromDays(90), CertificateAuthority.SerialFrom(_entropy));
        using var certificate = X509CertificateLoader.LoadCertificate(issued.Der.Span);
        X509Certificate2Collection between = [.. issuer.Between.Select(der => X509CertificateLoader.LoadCertificate(der.Span))];
        PeerCertificate.Read(certificate, between, new NetworkTrust(_roots, register), PeerUse.Client, Now, out var refusal);
        return refusal?.Code;
    }

    /// <summary>The oracle: up the parent column, step by step.</summary>
    private static bool Below(string code, string ancestor)
    {
        string? at = code;
        while (at is not null && at != ancestor)
        {
            at = Registers.Tempting.All.FirstOrDefault(d => d.Code.ToString() == at)?.Parent?.ToString();
        }

        return at is not null;
    }
}
