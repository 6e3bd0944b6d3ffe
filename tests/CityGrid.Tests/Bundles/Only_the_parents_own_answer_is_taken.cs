using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Bundles;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Children;
using CityGrid.Tests.Hosting;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace CityGrid.Tests.Bundles;

/// <summary>
/// Clauses B4, E2 and L15, INV-29: a bundle is believed of whom the configuration names, by node and by division, as on the line. An authority below may put any node's name into
/// what it issues, but no division outside its own.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class Only_the_parents_own_answer_is_taken : IAsyncDisposable
{
    private static readonly NodeId Hangzhou = NodeId.Parse("hangzhou");
    private static readonly NodeId Zhejiang = NodeId.Parse("zhejiang");

    private readonly SystemEntropy _entropy = new();
    private readonly NodeFolder _folder = new("""
        {
          "node": "hangzhou", "division": "330100", "tier": "city", "zone": "Asia/Shanghai",
          "link": { "port": 0, "certificate": "node.pem", "key": "node.key", "authority": "authority.pem" },
          "operator": { "port": 0, "grpcPort": 0 },
          "children": { "authority": "ca.pem", "authorityKey": "ca.key", "approval": "one" },
          "parent": { "url": "https://127.0.0.1:9", "node": "zhejiang", "division": "330000" }
        }
        """);

    private readonly CertificateAuthority _root;
    private readonly CertificateAuthority _province;
    private readonly CertificateAuthority _own;
    private readonly LinkCredential _credential;
    private readonly MemoryJournal _journal;
    private readonly NodeCore _core;
    private readonly WebApplication _app;
    private readonly GrpcChannel _channel;

    public Only_the_parents_own_answer_is_taken()
    {
        var (root, rootKey) = CertificateAuthority.NewRoot(NodeId.Parse("ministry"), [DivisionCode.Parse("CN")], TimeProvider.System.GetUtcNow(), _entropy);
        _root = CertificateAuthority.Open(root, rootKey, root);
        (_province, _) = Below(_root, "zhejiang", "330000");
        (_own, var ownKey) = Below(_province, "hangzhou", "330100");
        var (certificate, key) = Issue(_province, "hangzhou", "330100");
        _folder.Write("node.pem", certificate);
        _folder.Write("node.key", key);
        _folder.Write("authority.pem", root);
        _folder.Write("ca.pem", string.Concat(_own.Between.Select(Network.PemOf)));
        _folder.Write("ca.key", ownKey);
        _credential = LinkCredential.Read(certificate, key);

        var configuration = ConfigurationFile.Load(_folder.ConfigurationFile);
        var settings = NodeServer.SettingsOf(configuration);
        var credentials = new NodeCredentials(configuration, settings.Register, TimeProvider.System);
        settings = settings with { Children = (new Hub.Children.ChildrenSettings(Hangzhou, configuration.Division, settings.Register), credentials.Authority) };
        _journal = new MemoryJournal(_entropy);
        _core = new NodeCore(settings, new NodeSeams(new ModelDisk(), _journal, new MemoryViewStore(), new AesGcmSeal(), new NoLine(), TimeProvider.System, _entropy));
        credentials.Admission = _core.Children!.Admission;
        _core.Sequencer.Start();
        var watch = new CertificateWatch(configuration, credentials, _core.ChildrenFold, TimeProvider.System, _entropy);
        _app = NodeServer.Build(configuration, _core, credentials, watch, TimeProvider.System, logging => logging.ClearProviders());
        _app.StartAsync().GetAwaiter().GetResult();
        _channel = GrpcChannel.ForAddress(NodeHost.Addresses(_app).Grpc);
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _core.Dispose();
        _journal.Dispose();
        _own.Dispose();
        _province.Dispose();
        _root.Dispose();
        _folder.Dispose();
    }

    [Test]
    public async Task One_by_an_authority_below_that_names_the_parent_is_refused_and_changes_nothing()
    {
        // Another city's authority, for its own county: nothing is wrong with the certificate but that it is not the parent's.
        var (sibling, _) = Below(_province, "ningbo", "330200");
        using var _1 = sibling;
        var before = _core.Journal.Head;

        var refused = await TakeAsync(Answer(Issue(sibling, "zhejiang", "330203"), parentEpoch: 77));

        Assert.That(refused, Does.StartWith("BUNDLE_NOT_OF_PARENT"));
        Assert.That(_core.Journal.Head, Is.EqualTo(before));
        Assert.That(await TakeAsync(Answer(Issue(_root, "zhejiang", "330000"), parentEpoch: 3)), Is.Null, "the true one is taken after it");
        Assert.That((_core.OwnEpoch.Number, _core.UplinkFold.Territorial.Epoch.Number), Is.EqualTo((5, 3)));
    }

    [Test]
    public async Task A_bundle_for_the_parent_is_sealed_for_no_other_certificate_that_has_its_name()
    {
        var (sibling, _) = Below(_province, "ningbo", "330200");
        using var _1 = sibling;
        Assert.That(await MakeAsync(Issue(sibling, "zhejiang", "330203").Certificate), Does.StartWith("BUNDLE_READER_KEY"));
        Assert.That(await MakeAsync(Issue(_root, "zhejiang", "330000").Certificate), Is.Null);
    }

    [TestCase(1_000_007, 3)]
    [TestCase(5, 1_000_007)]
    public async Task An_epoch_that_leaps_is_refused_and_changes_nothing(long childEpoch, long parentEpoch)
    {
        var before = _core.Journal.Head;
        Assert.That(await TakeAsync(Answer(Issue(_root, "zhejiang", "330000"), parentEpoch, childEpoch)), Does.StartWith("EPOCH_LEAPS"));
        Assert.That(_core.Journal.Head, Is.EqualTo(before));
    }

    [Test]
    public async Task A_childs_bundle_by_an_authority_beside_it_that_has_its_name_is_refused_and_changes_nothing()
    {
        var open = await _core.Sequencer.SubmitAsync(_core.Children!.Open(NodeId.Parse("shangcheng"), [DivisionCode.Parse("330102")], false, false, "keeper"));
        Assert.That(open.Refusal, Is.Null);
        var (beside, _) = Below(_own, "yuhang", "330110");
        using var _1 = beside;
        var before = _core.Journal.Head;
        var hello = new Hello
        {
            Node = "shangcheng",
            Division = "330110",
            Incarnation = ByteString.CopyFrom([.. new byte[15], 1]),
            ProtocolMin = 1,
            ProtocolMax = 2,
        };

        var taken = await TakeAsync(FileBy(Issue(beside, "shangcheng", "330110"), "shangcheng", new BundleContent { Requests = { new ConnectRequest { Number = 1, Hello = hello } } }));

        Assert.That(taken, Does.StartWith("PERMISSION_DENIED").And.Contain("CHILD_"));
        Assert.That(_core.Journal.Head, Is.EqualTo(before));
    }

    private ReadOnlyMemory<byte> Answer((string Certificate, string Key) maker, long parentEpoch, long childEpoch = 5)
    {
        var welcome = new Welcome { Node = "zhejiang", Protocol = 2, ParentEpoch = parentEpoch, ParentEpochNonce = 9, ChildEpoch = childEpoch, ChildEpochNonce = 8 };
        return FileBy(maker, "zhejiang", new BundleContent { ReachesHead = true, Responses = { new ConnectResponse { Number = 1, Welcome = welcome } } });
    }

    private byte[] FileBy((string Certificate, string Key) maker, string node, BundleContent content)
    {
        var credential = LinkCredential.Read(maker.Certificate, maker.Key);
        return BundleFile.Make(content, credential.Certificate, NodeId.Parse(node), [.. credential.Between], _credential.Certificate, Hangzhou, TimeProvider.System.GetUtcNow(), _entropy);
    }

    /// <summary>Null where it was taken, else the code and words of the refusal; those of the receiver where it is a child's.</summary>
    private async Task<string?> TakeAsync(ReadOnlyMemory<byte> file)
    {
        try
        {
            using var call = new BundlesService.BundlesServiceClient(_channel).TakeBundle(Headers);
            await call.RequestStream.WriteAsync(new TakeBundleRequest { Piece = UnsafeByteOperations.UnsafeWrap(file) });
            await call.RequestStream.CompleteAsync();
            var taken = await call.ResponseStream.ReadAllAsync().Select(response => response.Taken).FirstAsync(taken => taken is not null);
            return taken.RefusalCode.Length == 0 ? null : $"{taken.RefusalCode}: {taken.RefusalMessage}";
        }
        catch (RpcException refused)
        {
            return refused.Status.Detail;
        }
    }

    private async Task<string?> MakeAsync(string reader)
    {
        try
        {
            using var call = new BundlesService.BundlesServiceClient(_channel).MakeBundle(new MakeBundleRequest { ReaderCertificate = reader }, Headers);
            await call.ResponseStream.ReadAllAsync().CountAsync();
            return null;
        }
        catch (RpcException refused)
        {
            return refused.Status.Detail;
        }
    }

    private static Metadata Headers => new() { { "authorization", $"Bearer {NodeFolder.AdminToken}" } };

    private (CertificateAuthority Authority, string Key) Below(CertificateAuthority issuer, string node, string division)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = Issued(CertificateKind.Authority, issuer, node, division, key);
        var pem = key.ExportPkcs8PrivateKeyPem();
        return (CertificateAuthority.Open(Network.PemOf(issued, issuer), pem, Network.PemOf(issuer.Root)), pem);
    }

    private (string Certificate, string Key) Issue(CertificateAuthority issuer, string node, string division)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return (Network.PemOf(Issued(CertificateKind.Link, issuer, node, division, key), issuer), key.ExportPkcs8PrivateKeyPem());
    }

    private IssuedCertificate Issued(CertificateKind kind, CertificateAuthority issuer, string node, string division, ECDsa key) => issuer.Issue(
        kind, NodeId.Parse(node), [DivisionCode.Parse(division)], new PublicKey(key), TimeProvider.System.GetUtcNow(), TimeSpan.FromDays(90), CertificateAuthority.SerialFrom(_entropy));
}
