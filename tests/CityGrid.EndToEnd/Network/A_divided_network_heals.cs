using System.Text.Json.Nodes;
using CityGrid.Cli;
using CityGrid.Cli.Network;
using CityGrid.Hub.Seams;
using CityGrid.Node.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>INV-16, 20 and 31 on packets: each city in a network of its own, and between it and its province a line that the kernel narrows, draws, or deafens one way.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Requires(Need.PullRequest)]
public sealed class A_divided_network_heals
{
    private const int Deaf = 0;
    private const int Mute = 1;
    private const int Narrow = 2;

    /// <summary>It has nothing to say for years.</summary>
    private const int Quiet = 3;

    private readonly List<NodeProcess> _processes = [];
    private readonly List<ToxicProxy> _doors = [];
    private string? _folder;
    private DividedNetwork? _network;
    private WrittenTree _tree = null!;
    private RunningTree? _running;

    private TreeNode Province => _tree.Nodes[1];

    private DividedNetwork Network => _network!;

    private async Task StartAsync(int cities)
    {
        _folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        _network = new DividedNetwork(cities);
        var written = TreeWriter.Write(_folder, TreePlans.Generated(new TreeShape(1, cities), 1), TimeProvider.System.GetUtcNow(), new SystemEntropy());
        var nodes = new List<TreeNode>();
        foreach (var (i, node) in written.Nodes.Index())
        {
            var name = i < 2 ? Network.Parent : Network.Child(i - 2);
            Rewrite(node, written.Nodes[1], i - 2);
            var process = NodeProcess.StartBy(DividedNetwork.Within(name), node.Configuration);
            _processes.Add(process);
            await process.ReadyAsync(TimeSpan.FromMinutes(1));
            nodes.Add(node with { OperatorPort = DoorTo(name, node.OperatorPort), GrpcPort = DoorTo(name, node.GrpcPort) });
        }

        _tree = new WrittenTree(_folder, nodes);
        _running = new RunningTree(_tree);
    }

    [TearDown]
    public async Task StopAsync()
    {
        try
        {
            await Task.WhenAll(_processes.AsEnumerable().Reverse().Select(process => process.StopAsync(TimeSpan.FromSeconds(12))));
            _processes.ForEach(process => process.Dispose());
            foreach (var door in _doors)
            {
                await door.DisposeAsync();
            }

            if (_running is not null)
            {
                await _running.DisposeAsync();
            }
        }
        finally
        {
            _network?.Dispose();
            if (_folder is not null)
            {
                Directory.Delete(_folder, recursive: true);
            }
        }
    }

    [Test, Requires(Need.NetworkNamespaces)]
    public async Task Narrow_drawn_or_deaf_one_way()
    {
        await StartAsync(4);
        using var parent = new NodeClient(Province.GrpcUrl, Province.Tokens["viewer"]);
        await AtWorkAsync(parent, workers => Task.WhenAll(
            OneWayAsync(workers[Deaf], parent, Deaf, up: false), OneWayAsync(workers[Mute], parent, Mute, up: true), NarrowAsync(workers[Narrow], parent), QuietAsync()));
    }

    [Test, Requires(Need.LossyNetworkNamespaces)]
    public async Task One_packet_in_eight_lost_each_way()
    {
        await StartAsync(1);
        using var parent = new NodeClient(Province.GrpcUrl, Province.Tokens["viewer"]);
        await AtWorkAsync(parent, async workers =>
        {
            Network.Lose(0, 12);
            await Asking.UntilAsync(
                async () =>
                {
                    await workers[0].ImportAsync(500);
                    await workers[0].CaughtUpAsync(parent, "one packet in eight is lost");
                    return Network.Lost(0) > 20;
                },
                () => $"{Network.Lost(0)} packets are lost");
        });
    }

    /// <summary>All cities work through what comes over them; in the end all is there once.</summary>
    private async Task AtWorkAsync(NodeClient parent, Func<CityAtWork[], Task> story)
    {
        var workers = _tree.Nodes.Skip(2).Take(Quiet).Select(city => new CityAtWork(city, city.GrpcUrl, TimeSpan.FromMilliseconds(250))).ToArray();
        try
        {
            await Task.WhenAll(workers.Select(worker => worker.CaughtUpAsync(parent, "the start")));
            await story(workers);
        }
        finally
        {
            await Task.WhenAll(workers.Select(worker => worker.DisposeAsync().AsTask()));
        }

        Assert.That(await _running!.WaitUntilEqualAsync(TimeSpan.FromMinutes(2), CancellationToken.None), Is.True, "every edge is equal in the end");
        using var top = new NodeClient(_tree.Root.GrpcUrl, _tree.Root.Tokens["viewer"]);
        Assert.That(await top.ReportedAsync(), Is.EqualTo(workers.Sum(worker => worker.Kept)), "each case is counted once");
        await top.RequireAlarmsOnceAsync(workers);
    }

    /// <summary>Where packets are lost one way only, TCP tells neither end anything; each finds it out by itself.</summary>
    private async Task OneWayAsync(CityAtWork city, NodeClient parent, int number, bool up)
    {
        var start = TimeProvider.System.GetTimestamp();
        Network.LoseOneWay(number, up);
        await Asking.UntilAsync(
            async () => await city.LinkAsync() is { Connected: false, LastError.Length: > 0, OldestUnsentSeconds: >= 3 }, () => $"{city.City.Node}, of which packets {(up ? "to" : "from")} its parent are lost, says so");
        var told = TimeProvider.System.GetElapsedTime(start);
        await Asking.UntilAsync(
            async () => await parent.ChildAsync(city.City) is { Connected: false }, () => $"{city.City.Node}, of which packets {(up ? "to" : "from")} its parent are lost, is not called connected there");
        var heard = TimeProvider.System.GetElapsedTime(start);
        start = TimeProvider.System.GetTimestamp();
        Network.Widen(number);
        await city.CaughtUpAsync(parent, up ? "packets to the parent were lost" : "packets from the parent were lost");
        await TestContext.Out.WriteLineAsync($"packets {(up ? "to" : "from")} the parent lost: told by the city after {told.TotalSeconds:F0} s, by its parent after {heard.TotalSeconds:F0} s; all there {TimeProvider.System.GetElapsedTime(start).TotalSeconds:F1} s after");
    }

    /// <summary>Where no frame waits for its answer, only the keep-alive of the connection finds out that nobody hears.</summary>
    private async Task QuietAsync()
    {
        var city = _tree.Nodes[2 + Quiet];
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["viewer"]);
        LinkView view = null!;
        async Task<bool> IsAsync(bool connected)
        {
            view = (await client.Links.ListLinksAsync(new ListLinksRequest(), client.Soon(20))).Links.Single();
            return view.Connected == connected && (connected || view.LastError.Length > 0);
        }

        await Asking.UntilAsync(() => IsAsync(connected: true), () => $"{city.Node} is connected: {view}");
        Network.LoseOneWay(Quiet, up: false);
        await Asking.UntilAsync(() => IsAsync(connected: false), () => $"{city.Node} finds out that nobody answers: {view}");
        Assert.That((view.PendingCells, view.PendingRecords), Is.EqualTo((0L, 0L)));
        Network.Widen(Quiet);
        await Asking.UntilAsync(() => IsAsync(connected: true), () => $"{city.Node} is connected again: {view}");
    }

    private async Task NarrowAsync(CityAtWork city, NodeClient parent)
    {
        // Some 750 kB: 24 seconds of this line. What cannot wait arrives while they are on their way.
        Network.Narrow(Narrow, 256);
        for (var i = 0; i < 6; i++)
        {
            await city.ImportAsync(1000);
        }

        var overtook = 0;
        for (var (waits, before) = (long.MaxValue, 0L); waits > 0; before = waits)
        {
            var raised = city.Alarms.Count;
            await Asking.UntilAsync(() => Task.FromResult(city.Alarms.Count > raised), () => "another alarm is raised");
            await Asking.UntilAsync(async () => await KnownAsync(parent, city) > raised, () => $"the {raised + 1} first alarms are at the parent");
            waits = (await city.LinkAsync()).PendingCells;
            overtook += before > 500 && waits > 500 ? 1 : 0;
        }

        await TestContext.Out.WriteLineAsync($"{overtook} alarms arrived while cells waited");
        Assert.That(overtook, Is.Positive, "alarms arrived while hundreds of cells waited");

        Network.Disconnect(Narrow);
        await Asking.UntilAsync(async () => (await city.LinkAsync()).OldestUnsentSeconds >= 5, () => "what waits is told");
        Network.Connect(Narrow);
        await city.CaughtUpAsync(parent, "the line was drawn");
        Network.Widen(Narrow);
    }

    private static async Task<int> KnownAsync(NodeClient parent, CityAtWork city) =>
        (await parent.EscalationsAsync()).Count(row => row.Escalation.Origin == city.City.Node && row.Escalation.Rule == "grade");

    /// <summary>The operators' ports are on the loopback of another network; to the test each is one of its own.</summary>
    private int DoorTo(string name, int port)
    {
        var door = new ToxicProxy(() => DividedNetwork.Dial(name, port), 1);
        _doors.Add(door);
        return door.Port;
    }

    private static void Rewrite(TreeNode node, TreeNode province, int city)
    {
        var configuration = JsonNode.Parse(File.ReadAllText(node.Configuration))!;
        if (node == province)
        {
            configuration["link"]!["address"] = "0.0.0.0";
        }
        else if (city >= 0)
        {
            configuration["parent"]!["url"] = $"https://{DividedNetwork.ParentAddress(city)}:{province.LinkPort}";
            if (city == Quiet)
            {
                configuration["parent"]!["schedule"] = "0 0 0 1 1 ? 2099";
            }
        }

        File.WriteAllText(node.Configuration, configuration.ToJsonString());
    }
}
