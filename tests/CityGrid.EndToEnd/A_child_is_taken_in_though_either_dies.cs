using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.EndToEnd.Failpoints;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// TIER-4 for places and certificates (docs/failpoints.md, clauses E1 to E7): the founding of a network, a place opened and taken, certificates renewed and revoked, each cut
/// short at its places at either end, and begun again.
/// </summary>
[Parallelizable(ParallelScope.All), Category("Failpoints"), Requires(Need.PullRequest)]
public sealed class A_child_is_taken_in_though_either_dies
{
    private static readonly string[] OfAFounding = ["root.key.written", "root.made", "credential.file.before", "credential.file.synced", "credential.file.renamed", "credential.file.after"];

    private static readonly string[] OfAPlace = ["place.open.before", "place.open.after", "place.approve.before", "place.approve.after"];

    private static readonly string[] OfAPlaceTaken = ["place.take.before", "place.take.after"];

    private static readonly string[] OfAnEnrolment =
    [
        "enrol.keys.made", "enrol.noted", "enrol.ask.before", "enrol.ask.after", "credential.install.before", "credential.install.certificate", "credential.key.written", "credential.install.after",
    ];

    private static readonly string[] OfARenewalAbove = ["renewal.give.before", "renewal.give.after"];

    private static readonly string[] OfARenewalBelow = ["renew.ask.before", "renew.ask.after", "credential.reload.before", "credential.reload.after"];

    private static readonly string[] OfARevocation = ["revoke.before", "revoke.after", "child.drop.before", "child.drop.after"];

    /// <summary>Every place that this fixture goes through.</summary>
    internal static IEnumerable<string> Places => [.. OfAFounding, .. OfAPlace, .. OfAPlaceTaken, .. OfAnEnrolment, .. OfARenewalAbove, .. OfARenewalBelow, .. OfARevocation];

    private static IEnumerable<object[]> Cases => Nightly.Cases;

    [TestCaseSource(nameof(Cases))]
    public async Task At_every_named_place(Deed deed, int round)
    {
        TestContext.Out.WriteLine($"round {round}");
        using var network = new Network(await FailpointBuild.FolderAsync());
        var (ministry, province) = (network.Ministry, network.Province);
        foreach (var place in Nightly.Of(OfAFounding))
        {
            if (deed != Deed.Kill)
            {
                Network.Forget(ministry);
            }

            await MortalTool.PassAsync(place, deed, "root", "--config", ministry.Node.Configuration);
        }

        if (!File.Exists(network.CertificateOf(ministry)))
        {
            await MortalTool.SaysAsync("root", "--config", ministry.Node.Configuration);
        }

        foreach (var place in Nightly.Of(OfAPlace))
        {
            await ministry.PassAsync(new NamedPlace(place) { Work = network.TryOpenAsync }, deed, 1);
        }

        // After a kill it is asked again with the same code; what came to its end is begun anew with another.
        foreach (var place in OfAPlaceTaken)
        {
            network.IsAnew = deed != Deed.Kill;
            await ministry.PassAsync(new NamedPlace(place) { Work = network.TryEnrolAsync }, deed, 1);
        }

        await ministry.ServeAsync();
        foreach (var place in Nightly.Of(OfAnEnrolment))
        {
            network.IsAnew = deed != Deed.Kill || place == OfAnEnrolment[0];
            await MortalTool.PassAsync(place, deed, await network.EnrollingAsync());
        }

        await MortalTool.SaysAsync(await network.EnrollingAsync());
        await province.ServeAsync();
        await network.UntilConnectedAsync();

        foreach (var place in OfARenewalAbove)
        {
            await ministry.PassAsync(new NamedPlace(place) { Work = network.RenewAsync }, deed, 1);
        }

        await ministry.ServeAsync();
        if (deed != Deed.Kill)
        {
            // What came to its end has given so many certificates that the next would be refused.
            province.Kill();
            network.IsAnew = true;
            await MortalTool.SaysAsync(await network.EnrollingAsync());
        }

        foreach (var place in Nightly.Of(OfARenewalBelow))
        {
            await province.PassAsync(new NamedPlace(place) { Before = network.MakeRenewalDueAsync }, deed, 1);
        }

        await province.ServeAsync();
        await network.UntilConnectedAsync();

        var revoking = Nightly.Of(OfARevocation).ToArray();
        var revoked = (await network.CertificatesAsync()).Count(c => c.RevokedAt.Length > 0);
        foreach (var place in revoking)
        {
            await ministry.PassAsync(new NamedPlace(place) { Work = network.TryRevokeOneAsync }, deed, 1);
        }

        await ministry.ServeAsync();
        if (deed == Deed.Kill)
        {
            Assert.That((await network.CertificatesAsync()).Count(c => c.RevokedAt.Length > 0) - revoked, Is.EqualTo(revoking.Count(place => place != "revoke.before")), "what was durable before the kill is revoked, and nothing else");
        }

        foreach (var node in new[] { province, ministry })
        {
            Assert.That(await node.StopAsync(), Is.Zero);
            node.RequireSoundJournal("the end");
        }
    }

    /// <summary>A ministry that founds a network, and a province that is to be taken in.</summary>
    private sealed class Network : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        private readonly int _enrolmentPort = TreeWriter.FreePorts(1, new SystemEntropy())[0];
        private string? _code;

        public Network(string programs)
        {
            Ministry = new MortalNode(programs, Write("ministry", "CN", "ministry", null), Pair.Limits);
            Province = new MortalNode(programs, Write("zhejiang", "330000", "province", Ministry.Node), Pair.Limits);
        }

        public MortalNode Ministry { get; }

        public MortalNode Province { get; }

        /// <summary>The next enrolment is of a new code and new keys.</summary>
        public bool IsAnew { get; set; }

        public string CertificateOf(MortalNode node) => Path.Combine(Path.GetDirectoryName(node.Node.Configuration)!, "node.pem");

        /// <summary>The node has no certificates and no keys any more.</summary>
        public static void Forget(MortalNode node)
        {
            foreach (var file in Directory.GetFiles(Path.GetDirectoryName(node.Node.Configuration)!).Where(file => file.Contains(".pem", StringComparison.Ordinal) || file.Contains(".key", StringComparison.Ordinal)))
            {
                File.Delete(file);
            }
        }

        public Task TryOpenAsync() => TryAsync(OpenAsync);

        /// <summary>Enrols with the ordinary tool, which may find the ministry dead.</summary>
        public Task TryEnrolAsync() => TryAsync(async () => await Programs.CityGridAsync(await EnrollingAsync()));

        /// <summary>What enrols the province.</summary>
        public async Task<string[]> EnrollingAsync()
        {
            if (IsAnew || _code is null)
            {
                Forget(Province);
                _code = await OpenAsync();
                IsAnew = false;
            }

            return ["enrol", "--parent", $"https://127.0.0.1:{_enrolmentPort}", "--code", _code, "--config", Province.Node.Configuration];
        }

        public async Task UntilConnectedAsync()
        {
            using var client = new NodeClient(Ministry.Node.GrpcUrl, Ministry.Node.Tokens["li"]);
            var start = TimeProvider.System.GetTimestamp();
            while (!(await client.Children.ListChildrenAsync(new ListChildrenRequest(), client.Options)).Children.Single().Connected)
            {
                Assert.That(TimeProvider.System.GetElapsedTime(start), Is.LessThan(TimeSpan.FromMinutes(2)), "the ministry takes the province's certificate");
                await Task.Delay(100);
            }
        }

        public async Task<IReadOnlyList<Certificate>> CertificatesAsync()
        {
            using var client = new NodeClient(Ministry.Node.GrpcUrl, Ministry.Node.Tokens["li"]);
            return (await client.Children.ListChildrenAsync(new ListChildrenRequest(), client.Options)).Children.Single().Certificates;
        }

        public Task TryRevokeOneAsync() => TryAsync(async () =>
        {
            var live = (await CertificatesAsync()).First(certificate => certificate.RevokedAt.Length == 0);
            using var client = new NodeClient(Ministry.Node.GrpcUrl, Ministry.Node.Tokens["li"]);
            await client.Children.RevokeChildAsync(new RevokeChildRequest { Node = "zhejiang", Serial = live.Serial, Reason = "a test" }, client.Soon());
        });

        /// <summary>The province comes back with a certificate that must be renewed.</summary>
        public async Task RenewAsync()
        {
            Province.Kill();
            await MakeRenewalDueAsync();
            await Province.ServeAsync();
            for (var i = 0; i < 100 && Ministry.IsUp; i++)
            {
                await Task.Delay(50);
            }
        }

        /// <summary>The certificate that the province signs with is near its end.</summary>
        public async Task MakeRenewalDueAsync()
        {
            var (above, home) = (Path.GetDirectoryName(Ministry.Node.Configuration)!, Path.GetDirectoryName(Province.Node.Configuration)!);
            using var authority = CertificateAuthority.Open(await InAsync(above, "ca.pem"), await InAsync(above, "ca.key"), await InAsync(above, "authority.pem"));
            using var key = ECDsa.Create();
            key.ImportFromPem(await InAsync(home, "signer.key"));

            // It is dated back by five minutes and has two left.
            var issued = authority.Issue(
                CertificateKind.Signer, NodeId.Parse(Province.Node.Node), [DivisionCode.Parse(Province.Node.Division)], new PublicKey(key), TimeProvider.System.GetUtcNow(), TimeSpan.FromMinutes(2), CertificateAuthority.SerialFrom(new SystemEntropy()));
            using var old = X509CertificateLoader.LoadCertificate(issued.Der.Span);
            File.Delete(Path.Combine(home, "signer.pem"));
            await File.WriteAllTextAsync(Path.Combine(home, "signer.pem"), old.ExportCertificatePem());
        }

        private static Task<string> InAsync(string folder, string file) => File.ReadAllTextAsync(Path.Combine(folder, file));

        public void Dispose()
        {
            Province.Kill();
            Ministry.Kill();
            Province.Dispose();
            Ministry.Dispose();
            Directory.Delete(_folder, recursive: true);
        }

        /// <summary>One person opens the place, another approves it; the code.</summary>
        private async Task<string> OpenAsync()
        {
            using var asking = new NodeClient(Ministry.Node.GrpcUrl, Ministry.Node.Tokens["li"]);
            var isEnrolled = (await asking.Children.ListChildrenAsync(new ListChildrenRequest(), asking.Soon())).Children.SingleOrDefault()?.State == "enrolled";
            await asking.Children.OpenPlaceAsync(new OpenPlaceRequest { Node = "zhejiang", Divisions = { "330000" }, Replaces = isEnrolled }, asking.Soon());
            using var approving = new NodeClient(Ministry.Node.GrpcUrl, Ministry.Node.Tokens["wang"]);
            return (await approving.Children.ApprovePlaceAsync(new ApprovePlaceRequest { Node = "zhejiang" }, approving.Soon())).Code;
        }

        private static async Task TryAsync(Func<Task> step)
        {
            try
            {
                await step();
            }
            catch (RpcException died) when (died.IsOfADeadNode())
            {
                // The ministry is where it was to be brought.
            }
        }

        private TreeNode Write(string node, string division, string tier, TreeNode? parent)
        {
            var home = Directory.CreateDirectory(Path.Combine(_folder, node)).FullName;
            var tokens = new[] { "li", "wang" }.ToDictionary(person => person, person => $"{node}-{person}-0123456789abcdef0123456789");
            DevelopmentAuthority.WriteSecret(Path.Combine(home, "tokens"), string.Concat(tokens.Select(token => $"{token.Key} admin {token.Value}\n")));
            var ports = TreeWriter.FreePorts(3, new SystemEntropy());
            var link = new JsonObject { ["certificate"] = "node.pem", ["key"] = "node.key", ["authority"] = "authority.pem", ["port"] = ports[2] };
            var configuration = new JsonObject
            {
                ["node"] = node,
                ["division"] = division,
                ["tier"] = tier,
                ["zone"] = "Asia/Shanghai",
                ["link"] = link,
                ["operator"] = new JsonObject { ["port"] = ports[0], ["grpcPort"] = ports[1] },
                ["log"] = new JsonObject { ["level"] = "warning" },
            };
            if (parent is null)
            {
                configuration["children"] = new JsonObject { ["authority"] = "ca.pem", ["authorityKey"] = "ca.key", ["approval"] = "two", ["enrolmentPort"] = _enrolmentPort };
            }
            else
            {
                (link["signingCertificate"], link["signingKey"]) = ("signer.pem", "signer.key");
                configuration["parent"] = new JsonObject { ["url"] = $"https://127.0.0.1:{parent.LinkPort}", ["node"] = parent.Node, ["division"] = parent.Division, ["schedule"] = "0/1 * * * * ?", ["jitter"] = "0s" };
            }

            var file = Path.Combine(home, "node.json");
            File.WriteAllText(file, configuration.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
            return new TreeNode(node, division, node, tier, parent?.Node, file, ports[2], ports[0], ports[1], tokens);
        }
    }
}
