using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Cli.Simulation;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Checks;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Children;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Checks;

/// <summary>
/// Clauses A3, A4, A7 and E6, INV-28: three tiers whose signers are renewed while they run. What is signed from then on is by the new ones, on new connections that no frame was
/// lost for, and it goes on when the old ones have ended.
/// </summary>
public sealed class A_signer_is_renewed_in_a_running_tree
{
    private static readonly TimeSpan Life = TimeSpan.FromHours(12);

    private readonly Dictionary<NodeId, OwnSigner> _signers = [];
    private readonly List<string> _told = [];
    private readonly SeededEntropy _entropy = new(8);
    private CertificateAuthority _root = null!;
    private X509Certificate2Collection _roots = null!;
    private SimulatedTree _tree = null!;
    private int _requests;

    [SetUp]
    public void Start()
    {
        _told.Clear();
        _tree = new SimulatedTree(seed: 91, provinces: 1, citiesEach: 1);
        var top = _tree.Nodes.Values.Single(node => node.Place.Parent is null);
        var (root, key) = CertificateAuthority.NewRoot(top.Place.Node, [top.Place.Division], Now.ToDateTimeOffset(), _entropy);
        _root = CertificateAuthority.Open(root, key, root);
        _roots = [X509Certificate2.CreateFromPem(root)];
        Renew();
        foreach (var node in _tree.Nodes.Values)
        {
            node.Signatures = new CertificateSignatures(() => _roots, () => _signers[node.Place.Node]);
            node.Start();
            foreach (var uplink in node.Core!.Uplinks)
            {
                uplink.Reported = (code, what) => _told.Add($"{node.Place.Node}: {code}: {what}");
            }

            node.Core.Door.SignatureRefused = (child, what) => _told.Add($"{node.Place.Node} refused {child}: {what}");
        }

        _tree.Run(TimeSpan.FromMinutes(2));
    }

    [TearDown]
    public void Release() => _root.Dispose();

    [Test]
    public void Parts_receipts_and_orders_are_the_new_ones_from_then_on_and_when_the_old_have_ended()
    {
        Work(3);
        var first = _signers.ToDictionary();
        _tree.Run(Life * 2 / 3);
        Renew();
        Work(3);
        _tree.Run(Life / 3);
        Assert.That(Now, Is.GreaterThan(first.Values.Max(signer => signer.Signer.HoldsTo)), "the first have ended");
        Work(2);
        var (city, province, top) = (_tree[SignedTree.CityName], _tree[SignedTree.ProvinceName], _tree.Nodes.Values.Single(node => node.Place.Parent is null));
        var order = Order(top, city.Place.Division);
        _tree.Run(TimeSpan.FromMinutes(10));

        Assert.That(_told, Is.Empty);
        var standing = city.Core!.Orders.Find(order)!;
        Assert.That((standing.State, city.Core.Orders.Orders.Single().Signature is not null, top.Core!.Orders.Find(order)!.State), Is.EqualTo((OrderState.Delivered, true, OrderState.Delivered)));
        foreach (var (holder, about) in new[] { (province, city), (city, province), (top, province), (province, top) })
        {
            var anchors = AnchorsOf(holder, about);
            var signers = anchors.Select(anchor => anchor.Fingerprint).ToArray();
            var renewed = Array.IndexOf(signers, _signers[about.Place.Node].Signer.Fingerprint);
            Assert.That(renewed, Is.GreaterThan(0), $"{holder.Place.Node} has heard the new signer of {about.Place.Node}");
            Assert.That(signers[..renewed], Is.All.EqualTo(first[about.Place.Node].Signer.Fingerprint), $"{about.Place.Node} at {holder.Place.Node}");
            Assert.That(signers[renewed..], Is.All.EqualTo(_signers[about.Place.Node].Signer.Fingerprint), "and then no other");
            Assert.That(anchors[^1].At, Is.GreaterThan(first[about.Place.Node].Signer.HoldsTo));
        }
    }

    private Instant Now => _tree.Nodes.Values.First().Clock.Now();

    /// <summary>By whom was signed what <paramref name="holder"/> keeps of <paramref name="about"/>, in order; each is proved.</summary>
    private List<(Hash256 Fingerprint, Instant At)> AnchorsOf(SimulatedNode holder, SimulatedNode about)
    {
        var book = AnchorBook.Read(holder.Core!.Journal, holder.Place.Node, about.Place.Node, _roots);
        Assert.That(book.Fault, Is.Null);
        return [.. book.Anchors.Select(anchor => (anchor.Signed!.Signer.Fingerprint, anchor.RecordedAt))];
    }

    private void Renew()
    {
        foreach (var place in _tree.Nodes.Values.Select(node => node.Place))
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var issued = _root.Issue(CertificateKind.Signer, place.Node, [place.Division], new PublicKey(key), Now.ToDateTimeOffset(), Life, CertificateAuthority.SerialFrom(_entropy));
            _signers[place.Node] = CertificateSignatures.Read(Network.PemOf(issued, _root), key.ExportPkcs8PrivateKeyPem(), place.Node, _roots, Now, out var refusal)
                ?? throw new InvalidOperationException(refusal!.ToString());
        }
    }

    private void Work(int rounds)
    {
        var city = _tree[SignedTree.CityName];
        var district = _tree.Register.ChildrenOf(city.Place.Division).First().Code;
        for (var i = 0; i < rounds; i++)
        {
            city.Do(core => core.Desk.Submit(
                new ReportCase(TypeCode.Parse("06010"), district, SourceCode.Parse("hotline"))
                {
                    Case = core.Desk.Mint(),
                    Actor = "desk",
                    Grade = EmergencyGrade.Serious,
                    Request = new RequestMark($"s-{++_requests}", (ulong)_requests),
                },
                answer => Assert.That(answer.Refusal, Is.Null)));
            _tree.Run(TimeSpan.FromMinutes(16));
        }
    }

    private static UInt128 Order(SimulatedNode issuer, DivisionCode target)
    {
        OrderAnswer? answer = null;
        issuer.Do(core => core.Sequencer.Submit(core.OrderDesk.Issue(new OrderWish("o-1", target, OrderKind.Assign, UInt128.Zero, "look", null, null), "head"), told => answer = told));
        Assert.That(answer!.Refusal, Is.Null);
        return answer.Id;
    }
}
