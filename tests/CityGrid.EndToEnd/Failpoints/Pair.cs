using System.Text.Json.Nodes;
using CityGrid.Cli;
using CityGrid.Cli.Network;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Checks;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using Grpc.Core;
using NodaTime;
using NodaTime.Text;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd.Failpoints;

/// <summary>A city and the province above it, the root of this tree, in a folder that goes with them; both of the build with failpoints.</summary>
internal sealed class Pair : IAsyncDisposable
{
    private readonly WrittenTree _tree;

    private Pair(WrittenTree tree, string programs)
    {
        _tree = tree;
        Edges = new RunningTree(tree);
        Province = new MortalNode(programs, tree.Nodes[0], Limits);
        City = new MortalNode(programs, tree.Nodes[1], Limits);
        Labour = new Labour(City.Node, Province.Node);
    }

    /// <summary>Segments of two dozen records, and a child that comes back at once.</summary>
    public const string Limits = "segment-bytes=16384;backoff-ms=200";

    public MortalNode City { get; }

    public MortalNode Province { get; }

    public Labour Labour { get; }

    /// <summary>Compares the two.</summary>
    public RunningTree Edges { get; }

    public string Folder => _tree.Folder;

    /// <summary>Two counties of the city that the province's register does not have.</summary>
    public IReadOnlyList<string> Strange { get; private init; } = [];

    private string ProvincesRegister => Path.Combine(Folder, "province-register.csv");

    public static async Task<Pair> MakeAsync()
    {
        var programs = await FailpointBuild.FolderAsync();
        var folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        var written = TreeWriter.Write(folder, TreePlans.Generated(new TreeShape(1, 1), 1), TimeProvider.System.GetUtcNow(), new SystemEntropy());
        var (province, city) = (written.Nodes[1] with { Parent = null }, written.Nodes[2]);
        Change(province, configuration => configuration.AsObject().Remove("parent"));
        Change(city, configuration =>
        {
            configuration["parent"]!["schedule"] = "0/1 * * * * ?";
            configuration["parent"]!["jitter"] = "0s";
        });
        foreach (var node in new[] { province, city })
        {
            Change(node, configuration => configuration["log"]!["level"] = "warning");
        }

        var register = File.ReadAllLines(Path.Combine(folder, "register.csv"));
        var strange = register.Select(line => line.Split(',')).Where(words => words[1] == city.Division).Select(words => words[0]).Take(2).ToArray();
        Change(province, configuration => configuration["register"] = "../province-register.csv");
        File.WriteAllLines(Path.Combine(folder, "province-register.csv"), register.Where(line => !strange.Contains(line.Split(',')[0])));
        return new Pair(new WrittenTree(folder, [province, city]), programs) { Strange = strange };
    }

    /// <summary>The province's register has the county from its next start on.</summary>
    public void Register(string division) =>
        File.AppendAllLines(ProvincesRegister, File.ReadAllLines(Path.Combine(Folder, "register.csv")).Where(line => line.StartsWith(division + ",", StringComparison.Ordinal)));

    /// <summary>
    /// By the province's clock, midnight was a quarter of an hour ago, and with the day before it a tier between the two ended: what it orders now goes down another way than an hour
    /// ago (O7). Before its first start.
    /// </summary>
    public void LeaveATierOut()
    {
        var now = Instant.FromDateTimeOffset(TimeProvider.System.GetUtcNow());
        var minutes = 15 - (int)now.InUtc().TimeOfDay.Minus(LocalTime.Midnight).ToDuration().TotalMinutes;
        var zone = DateTimeZone.ForOffset(Offset.FromSeconds(60 * (minutes < -12 * 60 ? minutes + (24 * 60) : minutes)));
        Change(Province.Node, configuration => configuration["zone"] = zone.Id);
        var today = now.InZone(zone).Date;
        var (day, before) = (LocalDatePattern.Iso.Format(today), LocalDatePattern.Iso.Format(today.PlusDays(-1)));
        var rows = File.ReadAllLines(ProvincesRegister).ToList();
        var at = rows.FindIndex(row => row.StartsWith(City.Node.Division + ",", StringComparison.Ordinal));
        var words = rows[at].Split(',');
        rows[at] = $"{string.Join(',', words[..5])},{day},";
        rows.Add($"{words[0]},TIER,{string.Join(',', words[2..5])},,{before}");
        rows.Add($"TIER,{words[1]},层级,Tier,city,,{before}");
        File.WriteAllLines(ProvincesRegister, rows);
    }

    /// <summary>The city is to send everything again.</summary>
    public async Task RewindAsync()
    {
        try
        {
            using var client = new NodeClient(Province.Node.GrpcUrl, Province.Node.Tokens["admin"]);
            await client.Links.RedriveAsync(new RedriveRequest { Child = City.Node.Node, SendAgain = true }, client.Soon());
        }
        catch (RpcException died) when (died.IsOfADeadNode())
        {
            // The province is where it was to be brought.
        }
    }

    /// <summary>The province keeps records aside that speak of both counties.</summary>
    public async Task UntilParkedAsync()
    {
        using var client = new NodeClient(Province.Node.GrpcUrl, Province.Node.Tokens["admin"]);
        await Asking.UntilAsync(
            async () => (await client.Links.ListParkedAsync(new ListParkedRequest(), client.Soon())).Parked.Count >= 2, "the province keeps aside what its register does not know");
    }

    public static void Change(TreeNode node, Action<JsonNode> change)
    {
        var configuration = JsonNode.Parse(File.ReadAllText(node.Configuration))!;
        change(configuration);
        File.WriteAllText(node.Configuration, configuration.ToJsonString());
    }

    /// <summary>Both run without arms until all is answered and told; then both end, and what they leave is judged.</summary>
    public async Task SettleAsync(bool byLine = true)
    {
        City.Kill();
        Province.Kill();
        await Province.ServeAsync();
        await City.ServeAsync();
        await Labour.SettleAsync(Edges);
        foreach (var node in new[] { City, Province })
        {
            Assert.That(await node.StopAsync(), Is.Zero);
            node.RequireSoundJournal("the end");
            var views = ViewCheck.Verify(Folders.DataOf(node.Node));
            Assert.That(views.ExitCode, Is.Zero, views.ToString());
        }

        var (below, above) = (Folders.DataOf(City.Node), Folders.DataOf(Province.Node));
        var authority = Path.Combine(Folder, "authority.pem");
        RequireEachPackageOnce();
        foreach (var audit in byLine ? [AuditCheck.Verify(below, above, authority), AuditCheck.Verify(above, below, authority)] : Array.Empty<CheckVerdict>())
        {
            Assert.That(audit.ExitCode, Is.Zero, audit.ToString());
        }
    }

    /// <summary>Each package of the province's was decided on once in the city, whatever died meanwhile.</summary>
    private void RequireEachPackageOnce()
    {
        using var journal = FileJournal.Open(PosixDisk.At(Folders.DataOf(City.Node)), new SystemEntropy(), NodeId.Parse(City.Node.Node));
        Assert.That(journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events).Count(found => found.Kind == EventKinds.PackageReceived), Is.EqualTo(Labour.Packages));
    }

    public async ValueTask DisposeAsync()
    {
        City.Kill();
        Province.Kill();
        City.Dispose();
        Province.Dispose();
        await Edges.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
