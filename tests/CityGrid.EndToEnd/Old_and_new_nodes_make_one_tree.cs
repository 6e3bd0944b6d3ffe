using System.Globalization;
using CityGrid.Cli;
using CityGrid.Cli.Network;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Checks;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;
using NodeProcess = CityGrid.Cli.Network.NodeProcess;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// INV-27 with real processes of two builds, today's and the last that spoke protocol 1 alone: ministry, province and city change from one to the other, one at a time, each in place in its
/// own data directory, and pass through all eight mixes. In every mix cases are worked, one is escalated, a node is killed, and at rest every edge is equal and nothing that was
/// answered is missing or doubled. For a night CITYGRID_MIX_SECONDS=120 lets each mix live that long, and three trees that begin as the old build are upgraded, in an order each.
/// </summary>
[Requires(Need.PullRequest)]
[Requires(Need.OldBuild)]
public sealed class Old_and_new_nodes_make_one_tree
{
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("CITYGRID_MIX_SECONDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : 0);

    /// <summary>Which program all nodes begin with, and who then changes to the other one.</summary>
    private static readonly string[] Journeys =
    [
        "new: ministry province ministry city ministry province ministry city",
        .. Life > TimeSpan.Zero ? ["old: city province ministry", "old: ministry city province", "old: province ministry city"] : Array.Empty<string>(),
    ];

    private OldBuild _old = null!;

    [OneTimeSetUp]
    public async Task BuildAsync() => _old = await OldBuild.MakeAsync();

    [OneTimeTearDown]
    public void Remove() => _old?.Dispose();

    /// <summary>
    /// The files of the old build have the formats of today's, so it takes a directory that a newer one has written, passes over the events that it does
    /// not know, and keeps a snapshot without them. Today's program must not believe that snapshot.
    /// </summary>
    [TestCaseSource(nameof(Journeys))]
    public async Task In_every_mix_and_through_every_change(string journey)
    {
        var (beginsOld, changes) = (journey.StartsWith("old", StringComparison.Ordinal), journey.Split(' ')[1..]);
        await using var mixed = new MixedTree(_old);
        await mixed.StartAsync(beginsOld);
        if (!beginsOld)
        {
            await mixed.OrderAsync();
            await mixed.RequireOrderAsync();
        }

        await mixed.LiveAsync(isLast: false);
        foreach (var (number, tier) in changes.Index())
        {
            await mixed.ChangeAsync(tier);
            await mixed.LiveAsync(isLast: number == changes.Length - 1);
        }

        if (!beginsOld)
        {
            await mixed.RequireOrderAsync();
            Assert.That(mixed.Mixes, Has.Count.EqualTo(8));
        }

        await mixed.EndAsync();
    }

    /// <summary>What is really newer is refused by the old build too, and stays as it is.</summary>
    [Test]
    public async Task And_the_old_program_leaves_newer_files_alone()
    {
        using var city = new LoneCity();
        using (var node = NodeProcess.Start(city.Node.Configuration))
        {
            await node.ReadyAsync(TimeSpan.FromMinutes(1));
            Assert.That(await node.StopAsync(TimeSpan.FromSeconds(20)), Is.Zero, node.LastOutput);
        }

        Folders.MakeNewer(Directory.GetFiles(Path.Combine(city.Data, "journal"), "*.seg").Single());
        File.WriteAllText(city.Node.Configuration, OldBuild.ConfigurationOf(File.ReadAllText(city.Node.Configuration)));
        var before = Folders.Contents(city.Data);
        using var old = NodeProcess.StartProgram(_old.Program, city.Node.Configuration);
        Assert.That(await old.EndedAsync(TimeSpan.FromMinutes(1)), Is.EqualTo(ExitCodes.NewerFormat), old.LastOutput);
        Assert.That(Folders.Contents(city.Data).Where(entry => entry.Key != "lock"), Is.EqualTo(before.Where(entry => entry.Key != "lock")));
    }

    /// <summary>Ministry, province and city, each of one build or the other.</summary>
    private sealed class MixedTree : IAsyncDisposable
    {
        private readonly OldBuild _old;
        private readonly RunningTree _running;
        private readonly Dictionary<string, string> _configurations;
        private readonly CaseLedger _ledger;
        private int _lives;
        private int _kills;

        public MixedTree(OldBuild old)
        {
            _old = old;
            var folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
            var plan = TreePlans.Generated(new TreeShape(1, 1), 1) with { PushSeconds = 1 };
            _running = new RunningTree(TreeWriter.Write(folder, plan, TimeProvider.System.GetUtcNow(), new SystemEntropy()));
            _configurations = Tree.Nodes.ToDictionary(node => node.Node, node => File.ReadAllText(node.Configuration));
            _ledger = new CaseLedger("mix", City, 4);
        }

        private WrittenTree Tree => _running.Tree;

        private TreeNode City => Tree.Cities.Single();

        private string Mix => string.Join(' ', Tree.Nodes.Select(node => $"{node.Tier} {(_running.Programs.ContainsKey(node.Node) ? "old" : "new")}"));

        /// <summary>The mixes in which cases were worked.</summary>
        public HashSet<string> Mixes { get; } = [];

        public async Task StartAsync(bool isOld)
        {
            foreach (var node in Tree.Nodes)
            {
                Choose(node, isOld);
            }

            await _running.StartAsync();
        }

        /// <summary>An order for the city: the old program has never heard of such.</summary>
        public async Task OrderAsync()
        {
            var token = Path.Combine(Path.GetDirectoryName(Tree.Root.Configuration)!, "desk-token");
            File.WriteAllText(token, Tree.Root.Tokens["desk"]);
            var issued = await Programs.CityGridAsync(
                "order", "issue", "--lang", "en", "--node", Tree.Root.GrpcUrl, "--token-file", token, "--to", City.Division, "--kind", "supervise", "--text", "How is it done?", "--key", "k-1");
            Assert.That(issued.Code, Is.Zero, issued.Error);
        }

        /// <summary>Each node has the order, and knows that the city has it.</summary>
        public async Task RequireOrderAsync()
        {
            foreach (var node in Tree.Nodes)
            {
                using var client = new NodeClient(node.GrpcUrl, node.Tokens["desk"]);
                var orders = await client.Orders.ListOrdersAsync(new ListOrdersRequest(), client.Options);
                for (var tries = 0; tries < 300 && orders.Orders.All(order => order.State != OrderState.Delivered); tries++)
                {
                    await Task.Delay(100);
                    orders = await client.Orders.ListOrdersAsync(new ListOrdersRequest(), client.Options);
                }

                Assert.That(orders.Orders.Select(order => order.State), Is.EqualTo(new[] { OrderState.Delivered }), $"{Mix}: {node.Tier}");
            }
        }

        /// <summary>The other program goes on in the node's own data directory.</summary>
        public async Task ChangeAsync(string tier)
        {
            var node = Tree.Nodes.Single(node => node.Tier == tier);
            Assert.That(await _running.StopAsync(node.Node), Is.Zero, _running[node.Node].LastOutput);
            Choose(node, isOld: !_running.Programs.ContainsKey(node.Node));
            await _running.StartAsync(node);
        }

        /// <summary>Cases and an escalation, while a node dies and comes back (over a night one after the other); then the figures at rest.</summary>
        public async Task LiveAsync(bool isLast)
        {
            Mixes.Add(Mix);
            var start = TimeProvider.System.GetTimestamp();
            await EscalateAsync();
            do
            {
                using var stop = new CancellationTokenSource();
                var working = _ledger.WorkAsync(stop.Token);
                await Task.Delay(300);
                var victim = Tree.Nodes[_kills++ % Tree.Nodes.Count];
                _running.Kill(victim.Node);
                await Task.Delay(200);
                await _running.StartAsync(victim);
                await stop.CancelAsync();
                await working;
            }
            while (TimeProvider.System.GetElapsedTime(start) < Life);

            await _ledger.CompareAsync(isLast, beside: ++_lives);

            // The old program reads its own digest and those of its children one after the other, and what comes in between makes it seem to have passed on what it has not. By a second look
            // everything had come to it before it was asked.
            if (!await _running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None) || !await _running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None))
            {
                Assert.Fail($"{Mix}: {string.Join(Environment.NewLine, Tree.Nodes.Select(node => $"{node.Node}: {_running[node.Node].LastOutput}"))}");
            }

            // A burst of reports of one type goes to the province, a serious case on to the ministry.
            var (figures, escalations) = (await FiguresAsync(City), await EscalationsAsync(City));
            var serious = escalations.Where(line => line.EndsWith(nameof(EmergencyGrade.Serious), StringComparison.Ordinal)).ToList();
            Assert.That(serious, Has.Count.EqualTo(_lives), Mix);
            foreach (var node in Tree.Nodes)
            {
                Assert.That(await FiguresAsync(node), Is.EqualTo(figures), $"{Mix}: {node.Tier} has the city's figures");
                var known = node.Tier == "ministry" ? serious : escalations;
                for (var tries = 0; tries < 100 && !known.SequenceEqual(await EscalationsAsync(node)); tries++)
                {
                    await Task.Delay(100);
                }

                Assert.That(await EscalationsAsync(node), Is.EqualTo(known), $"{Mix}: {node.Tier} knows each escalation once");
            }
        }

        /// <summary>All end; journals and views verify, and what each node would start from is what its journal says.</summary>
        public async Task EndAsync()
        {
            TestContext.Out.WriteLine($"{Mix}: {_ledger.Answers} answers, {_kills} kills");
            foreach (var node in Tree.Nodes)
            {
                Assert.That(await _running.StopAsync(node.Node), Is.Zero, _running[node.Node].LastOutput);
                var data = Folders.DataOf(node);
                Assert.That(JournalVerifier.Verify(new PosixDisk(data)), Is.InstanceOf<JournalVerdict.Sound>());
                var views = ViewCheck.Verify(data);
                Assert.That(views.ExitCode, Is.Zero, $"{views}");
                var rebuilt = await Programs.CityGridAsync("rebuild", "--config", node.Configuration, "--lang", "en");
                Assert.That(rebuilt.Code, Is.Zero, rebuilt.Output + rebuilt.Error);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _running.DisposeAsync();
            Directory.Delete(Tree.Folder, recursive: true);
        }

        private void Choose(TreeNode node, bool isOld)
        {
            var configuration = _configurations[node.Node];
            if (isOld)
            {
                _running.Programs[node.Node] = _old.Program;
                configuration = OldBuild.ConfigurationOf(configuration);
            }
            else
            {
                _running.Programs.Remove(node.Node);
            }

            File.WriteAllText(node.Configuration, configuration);
        }

        private async Task EscalateAsync()
        {
            using var client = new NodeClient(City.GrpcUrl, City.Tokens["desk"]);
            await client.Cases.ReportAsync(new ReportRequest { RequestKey = $"serious-{_lives}", Type = "01001", Source = "hotline", Grade = EmergencyGrade.Serious }, client.Options);
        }

        private static async Task<List<string>> FiguresAsync(TreeNode node)
        {
            using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
            var answer = await client.Views.QueryAsync(new QueryRequest { By = { "city", "type", "day" }, Measures = { "reported", "voided", "escalated", "open_end_of_day" } }, client.Options);
            return [.. answer.Rows.Select(row => $"{string.Join(' ', row.Dimensions.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => d.Value))}: {string.Join(' ', row.Measures.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"{m.Key}={m.Value}"))}").Order(StringComparer.Ordinal)];
        }

        private static async Task<List<string>> EscalationsAsync(TreeNode node)
        {
            using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
            var answer = await client.Views.ListEscalationsAsync(new ListEscalationsRequest { PageSize = 1000 }, client.Options);
            return [.. answer.Escalations.Select(row => $"{Convert.ToHexString(row.Escalation.Id.Span)} {row.Escalation.Version} {row.Escalation.Grade}").Order(StringComparer.Ordinal)];
        }
    }
}
