using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>Clauses A3 and E7: a signer's certificate, and that of an authority over it, is void as soon as its issuer says so, whatever becomes of the certificate of the connection.</summary>
public sealed class A_revoked_signer_signs_no_more
{
    private Network _network = null!;

    [SetUp]
    public async Task Start() => _network = await Network.StartAsync();

    [TearDown]
    public async Task Stop() => await _network.DisposeAsync();

    [Test]
    public async Task Neither_on_the_connection_that_stands_nor_on_another_until_it_is_replaced()
    {
        var (peer, own) = await TakeInAsync();
        var child = new Child("wuhan", "4201");
        var connection = await JoinAsync(peer, own, child);
        Assert.That((await _network.Core.Door.TakeAsync(connection, Signed(child.Cut(0, 5, [child.Cell(3, 1)]), child, own)))!.Receipt?.Accepted, Is.EqualTo(1));

        var signer = _network.Core.ChildrenFold.Find(Network.Wuhan)!.Newest(CertificateKind.Signer)!.Serial;
        Assert.That((await _network.DoAsync(_network.Desk.Revoke(Network.Wuhan, signer, "The signing key was copied.", "keeper"))).Refusal, Is.Null);
        var head = _network.Core.Journal.Head;
        await RefusedAsync(connection, Signed(child.Cut(5, 6, [child.Cell(6, 2)]), child, own));
        Assert.That(connection.IsOver, Is.True);
        await RefusedAsync(new LinkConnection(peer, _ => { }), Hello(child, own));
        await RefusedAsync(new LinkConnection(peer, _ => { }), Hello(child, own, der => System.Text.Encoding.ASCII.GetBytes(Network.PemOf(der))));
        Assert.That(_network.Core.Journal.Head, Is.EqualTo(head));

        var (again, other) = await TakeInAsync();
        connection = await JoinAsync(again, other, child);
        Assert.That((await _network.Core.Door.TakeAsync(connection, Signed(child.Cut(5, 6, [child.Cell(6, 2)]), child, other)))!.Receipt?.Accepted, Is.EqualTo(1));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Nor_does_one_below_a_revoked_authority_after_a_start_by_journal_or_by_image(bool byImage)
    {
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", true, "4201"), _network.Enrollee("wuhan", "4201") with { Files = Node.Enrolment.CredentialFiles.In(_network.Folder("wuhan"), authority: true) });
        var authority = _network.Core.ChildrenFold.Find(Network.Wuhan)!.Newest(CertificateKind.Authority)!;
        var below = new Signer(NodeId.Parse("hanyang"), Hash256.Zero, SignatureAlgorithm.EcdsaP256Sha256, [], Instant.MaxValue)
        {
            Way = [new CertificateNames("its own", false, []) { KeyMark = "00" }, PeerCertificate.NamesOf(System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadCertificate(authority.Der.Span))],
        };
        Assert.That(_network.Core.ChildrenFold.RevokedOf(below), Is.Null);
        await _network.DoAsync(_network.Desk.Revoke(Network.Wuhan, authority.Serial, "Lost.", "keeper"));

        var fold = new Hub.Children.ChildrenFold();
        if (byImage)
        {
            using var image = new MemoryStream();
            _network.Core.ChildrenFold.Save(image);
            image.Position = 0;
            fold.Load(image);
        }
        else
        {
            foreach (var record in _network.Core.Journal.ReadFrom(Lsn.Zero))
            {
                foreach (var journalEvent in record.Events)
                {
                    fold.Apply(journalEvent);
                }
            }
        }

        Assert.That(fold.RevokedOf(below)?.Code, Is.EqualTo("SIGNER_REVOKED"));
        Assert.That(fold.RevokedOf(below)!.Message, Does.Contain(authority.Serial).And.Contain("hanyang").And.Contain("Lost."));
        Assert.That(fold.RevokedOf(below with { Way = [below.Way[0]] }), Is.Null);
    }

    private async Task<(IPeerIdentity Peer, OwnSigner Own)> TakeInAsync()
    {
        var enrollee = _network.Enrollee("wuhan", "4201");
        await _network.EnrolAsync(await _network.OpenAsync("wuhan", "4201"), enrollee);
        var credential = Network.CredentialOf(enrollee);
        var now = _network.Clock.GetUtcNow();
        var pair = enrollee.Files.Pairs.Single(p => p.Kind == CertificateKind.Signer);
        var own = CertificateSignatures.Read(
            await File.ReadAllTextAsync(pair.Certificate), await File.ReadAllTextAsync(pair.Key), Network.Wuhan, _network.Roots, Instant.FromDateTimeOffset(now), out var refusal);
        Assert.That(refusal, Is.Null);
        return (PeerCertificate.Read(credential.Certificate, credential.Between, _network.Trust, PeerUse.Client, now, out _)!, own!);
    }

    private async Task<LinkConnection> JoinAsync(IPeerIdentity peer, OwnSigner own, Child child)
    {
        var connection = new LinkConnection(peer, _ => { });
        var answer = await _network.Core.Door.TakeAsync(connection, Hello(child, own));
        var welcome = answer?.Welcome ?? throw new InvalidOperationException($"No welcome: {answer?.Refusal}");
        child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        return connection;
    }

    private async Task RefusedAsync(LinkConnection connection, ConnectRequest request)
    {
        var refusal = (await _network.Core.Door.TakeAsync(connection, request))!.Refusal;
        Assert.That(refusal?.Code, Is.EqualTo(LinkRefusalCode.Signature));
        Assert.That(refusal!.Message, Does.Contain("SIGNER_REVOKED").And.Contain("The signing key was copied."));
    }

    private static ConnectRequest Hello(Child child, OwnSigner own, Func<ReadOnlyMemory<byte>, byte[]>? written = null) => child.Hello(hello =>
    {
        hello.ProtocolMax = 2;
        hello.Signer.Add(own.Signer.Certificates.Select(der => written is null ? der : ByteString.CopyFrom(written(der.Memory))));
    });

    private ConnectRequest Signed(ConnectRequest request, Child child, OwnSigner own) => child.Signed(request, own, _network.Core.Now);
}
