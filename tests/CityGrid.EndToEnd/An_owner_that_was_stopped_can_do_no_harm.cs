using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Hub.Seams;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;
using NodeProcess = CityGrid.Cli.Network.NodeProcess;

namespace CityGrid.Tests.EndToEnd;

/// <summary>INV-24 with real processes: SIGSTOP the old one, another takes over, SIGCONT the old one.</summary>
public sealed class An_owner_that_was_stopped_can_do_no_harm
{
    private static readonly TimeSpan AMinute = TimeSpan.FromMinutes(1);

    private string _shelf = null!;

    [SetUp]
    public void MakeShelf() => _shelf = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(_shelf, recursive: true);

    [Test]
    public async Task While_it_lives_stopped_or_not_nobody_else_gets_its_directory()
    {
        using var city = new LoneCity();
        using var old = NodeProcess.Start(city.Node.Configuration);
        await old.ReadyAsync(AMinute);
        old.Pause();
        var second = await Programs.NodeAsync("--config", Elsewhere(city.Node).Configuration);
        Assert.That(second.Code, Is.EqualTo(ExitCodes.Storage), second.Error);
        Assert.That(second.Error, Does.Contain("another process has this data directory"));
        old.Resume();
        await ReportAsync(city.Node, "a");
        Assert.That(await old.StopAsync(TimeSpan.FromSeconds(12)), Is.Zero);
    }

    [Test]
    public async Task Nor_where_its_lock_was_deleted_and_another_goes_on_in_its_directory()
    {
        using var city = new LoneCity();
        using var old = NodeProcess.Start(city.Node.Configuration);
        await old.ReadyAsync(AMinute);
        await ReportAsync(city.Node, "before");
        old.Pause();
        File.Delete(Path.Combine(city.Data, "lock"));

        var elsewhere = Elsewhere(city.Node);
        using var second = NodeProcess.Start(elsewhere.Configuration);
        await second.ReadyAsync(AMinute);
        for (var i = 0; i < 5; i++)
        {
            await ReportAsync(elsewhere, $"second-{i}");
        }

        old.Resume();
        Assert.That(async () => await ReportAsync(city.Node, "late"), Throws.InstanceOf<Exception>(), "the old one told somebody that it keeps what it does not");
        Assert.That(await old.EndedAsync(AMinute), Is.EqualTo(ExitCodes.Storage), old.LastOutput);
        Assert.That(old.LastOutput, Does.Contain("taken over"));

        await ReportAsync(elsewhere, "after");
        Assert.That(await second.StopAsync(TimeSpan.FromSeconds(12)), Is.Zero, second.LastOutput);
        var verified = await Programs.CityGridAsync("journal", "verify", city.Data, "--lang", "en");
        Assert.That(verified.Code, Is.Zero, verified.Output + verified.Error);
        using var third = NodeProcess.Start(city.Node.Configuration);
        await third.ReadyAsync(AMinute);
        Assert.That(await CountAsync(city.Node), Is.EqualTo(7), "everything that the two acknowledged");
    }

    [Test]
    public async Task Nor_where_its_directory_was_moved_away()
    {
        using var city = new LoneCity();
        using var old = NodeProcess.Start(city.Node.Configuration);
        await old.ReadyAsync(AMinute);
        await ReportAsync(city.Node, "before");
        old.Pause();
        Directory.Move(city.Data, city.Data + "-moved");
        foreach (var folder in Directory.GetDirectories(city.Data + "-moved"))
        {
            Folders.Copy(folder, Path.Combine(city.Data, Path.GetFileName(folder)));
        }

        var before = Folders.Contents(Path.Combine(city.Data, "journal"));
        old.Resume();
        Assert.That(async () => await ReportAsync(city.Node, "late"), Throws.InstanceOf<Exception>());
        Assert.That(await old.EndedAsync(AMinute), Is.EqualTo(ExitCodes.Storage), old.LastOutput);
        Assert.That(Folders.Contents(Path.Combine(city.Data, "journal")), Is.EqualTo(before));
    }

    [Test]
    public async Task And_a_parent_whose_place_another_has_taken_is_told_nothing_any_more()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var (root, city) = (trees.Tree.Root, trees.Tree.Cities.Single());
        var province = trees.Tree.Nodes.Single(node => node.Node == city.Parent);
        await ReportAsync(city, "before");
        Assert.That(await trees.Running.WaitUntilEqualAsync(AMinute, CancellationToken.None), Is.True);

        // A backup of the province is promoted at another address while the old one stands still.
        var key = Path.Combine(_shelf, "key");
        await RunAsync("backup", "new-key", key);
        await RunAsync("backup", "--config", province.Configuration, "--to", _shelf, "--key-file", key);
        trees.Running[province.Node].Pause();
        var elsewhere = Elsewhere(province);
        var restored = Path.Combine(_shelf, "data");
        Set(elsewhere.Configuration, configuration => configuration["data"] = restored);
        await RunAsync("restore", Directory.GetFiles(_shelf, "*.backup").Single(), "--to", restored, "--key-file", key);
        using var promoted = NodeProcess.Start(elsewhere.Configuration);
        await promoted.ReadyAsync(AMinute);

        await trees.Running.StopAsync(city.Node);
        var written = JsonNode.Parse(await File.ReadAllTextAsync(city.Configuration))!["parent"]!["url"]!.GetValue<string>();
        Set(city.Configuration, configuration => configuration["parent"]!["url"] = $"https://127.0.0.1:{elsewhere.LinkPort}");
        await trees.Running.StartAsync(city);
        await ReportAsync(city, "after");
        await Asking.UntilAsync(async () => await Asking.ReportedAsync(root) == 2, "the promoted one passes on what its city has");

        // The old one wakes up where it was: its own parent has it out of office, and so has its child.
        trees.Running[province.Node].Resume();
        await Asking.UntilAsync(async () => (await StatusAsync(province)).Uplink.LastError.Contains("FENCED", StringComparison.Ordinal), "the ministry takes nothing from it");
        await trees.Running.StopAsync(city.Node);
        Set(city.Configuration, configuration => configuration["parent"]!["url"] = written);
        await trees.Running.StartAsync(city);
        await ReportAsync(city, "late");
        await Asking.UntilAsync(async () => (await StatusAsync(city)).Uplink.LastError.Contains("PARENT_FENCED", StringComparison.Ordinal), "its city takes nothing from it");
        Assert.That((await StatusAsync(province)).Children.Single().CellsLsn, Is.LessThan((await StatusAsync(elsewhere)).Children.Single().CellsLsn));
        Assert.That(await Asking.ReportedAsync(root), Is.EqualTo(2));

        // Back at the promoted one all is well.
        await trees.Running.StopAsync(city.Node);
        Set(city.Configuration, configuration => configuration["parent"]!["url"] = $"https://127.0.0.1:{elsewhere.LinkPort}");
        await trees.Running.StartAsync(city);
        await Asking.UntilAsync(async () => await Asking.ReportedAsync(root) == 3, "what came in meanwhile is there");
        await promoted.StopAsync(TimeSpan.FromSeconds(12));
    }

    /// <summary>The same node configured at other ports, in a file of its own beside the first.</summary>
    private static TreeNode Elsewhere(TreeNode node)
    {
        var file = Path.Combine(Path.GetDirectoryName(node.Configuration)!, "elsewhere.json");
        File.Copy(node.Configuration, file);
        var ports = TreeWriter.FreePorts(3, new SystemEntropy());
        Set(file, configuration =>
        {
            configuration["operator"] = new JsonObject { ["port"] = ports[0], ["grpcPort"] = ports[1] };
            configuration["log"]!["folder"] = "log-elsewhere";
            if (node.LinkPort != 0)
            {
                configuration["link"]!["port"] = ports[2];
            }
        });
        return node with { Configuration = file, OperatorPort = ports[0], GrpcPort = ports[1], LinkPort = ports[2] };
    }

    private static void Set(string file, Action<JsonNode> change)
    {
        var configuration = JsonNode.Parse(File.ReadAllText(file))!;
        change(configuration);
        File.WriteAllText(file, configuration.ToJsonString());
    }

    private static async Task RunAsync(params string[] arguments)
    {
        var ended = await Programs.CityGridAsync([.. arguments, "--lang", "en"]);
        Assert.That(ended.Code, Is.Zero, ended.Output + ended.Error);
    }

    private static async Task ReportAsync(TreeNode city, string key)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        await client.Cases.ReportAsync(new ReportRequest { RequestKey = key, Type = "06010", Source = "hotline" }, client.Options);
    }

    private static async Task<GetStatusResponse> StatusAsync(TreeNode node)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
        return await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options);
    }

    private static async Task<long> CountAsync(TreeNode node) => (await StatusAsync(node)).OpenCases;
}
