using System.Text.Json;
using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// Clauses E1 to E7 with the real programs: a ministry founds a network, takes a province in with two approvals, the province takes a city in, the city reports, takes a second place at
/// a sector's node beside, and is revoked at each while it is connected.
/// </summary>
public sealed class A_city_is_taken_in
{
    private readonly List<NodeProcess> _running = [];
    private string _folder = null!;

    [SetUp]
    public void Folder() => _folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;

    [TearDown]
    public async Task Stop()
    {
        foreach (var node in Enumerable.Reverse(_running))
        {
            await node.StopAsync(TimeSpan.FromSeconds(15));
            node.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public async Task And_reports_through_its_province_to_the_ministry_until_it_is_revoked()
    {
        // The ministry knows the sector beside the provinces; the sector knows the city below itself.
        const string columns = "code,parent,name_zh,name_en,kind,valid_from,valid_to\nCN,,中国,China,nation,,\nGAS,CN,燃气,Gas,province,,\n";
        await File.WriteAllTextAsync(Path.Combine(_folder, "nation.csv"), columns + "330000,CN,浙江,Zhejiang,province,,\n330100,330000,杭州,Hangzhou,city,,\n");
        await File.WriteAllTextAsync(Path.Combine(_folder, "sector.csv"), columns + "330100,GAS,杭州,Hangzhou,city,,\n");
        var ministry = Write("ministry", "CN", "ministry", "two", null, "../nation.csv");
        await SaysAsync("root", "--config", ministry);
        Assert.That((await Programs.CityGridAsync("root", "--config", ministry, "--lang", "en")).Error, Does.StartWith("ROOT_EXISTS"), "a network is founded once");
        var top = await StartAsync(ministry);

        await SaysAsync("children", "open", "zhejiang", "--division", "330000", "--authority", "--node", top.Grpc, "--token-file", TokenFile("ministry", "li"));
        var alone = await Programs.CityGridAsync("children", "approve", "zhejiang", "--node", top.Grpc, "--token-file", TokenFile("ministry", "li"), "--lang", "en");
        Assert.That(alone.Error, Does.StartWith("APPROVER_IS_ASKER"));
        var code = (await SaysAsync("children", "approve", "zhejiang", "--node", top.Grpc, "--token-file", TokenFile("ministry", "wang"))).Trim();

        var zhejiang = Write("zhejiang", "330000", "province", "one", ("ministry", "CN", top.Link));
        await SaysAsync("enrol", "--parent", $"https://{top.Enrolment}", "--code", code, "--config", zhejiang);
        var middle = await StartAsync(zhejiang);

        code = (await SaysAsync("children", "open", "hangzhou", "--division", "330100", "--node", middle.Grpc, "--token-file", TokenFile("zhejiang", "li"))).Trim();
        var hangzhou = Write("hangzhou", "330100", "city", null, ("zhejiang", "330000", middle.Link));
        var wrong = await Programs.CityGridAsync("enrol", "--parent", $"https://{middle.Enrolment}", "--code", code.Replace(":zhejiang:", ":anhui:", StringComparison.Ordinal), "--config", hangzhou, "--lang", "en");
        Assert.That(wrong.Error, Does.StartWith("PARENT_IS_ANOTHER"));
        await SaysAsync("enrol", "--parent", $"https://{middle.Enrolment}", "--code", code, "--config", hangzhou);
        await SaysAsync("enrol", "--parent", $"https://{middle.Enrolment}", "--code", code, "--config", hangzhou);
        var city = await StartAsync(hangzhou);

        await ReportAsync(city, "r-1");
        Assert.That(await ReportedAsync(top, "ministry", 1), Is.EqualTo(1), "three certificates, two hops, one figure");
        Assert.That(await SaysAsync("children", "list", "--node", middle.Grpc, "--token-file", TokenFile("zhejiang", "li")), Does.Contain("hangzhou").And.Contain("enrolled").And.Contain("yes"));

        city = await BesideASectorAsync(top, hangzhou);

        await SaysAsync("children", "revoke", "hangzhou", "--reason", "key lost", "--node", middle.Grpc, "--token-file", TokenFile("zhejiang", "li"));
        Assert.That(await UplinkErrorAsync(city), Is.Not.Empty);
        await ReportAsync(city, "r-4");
        Assert.That(await SaysAsync("children", "list", "--node", middle.Grpc, "--token-file", TokenFile("zhejiang", "li")), Does.Contain("revoked"));
        Assert.That(await ReportedAsync(top, "ministry", 3), Is.EqualTo(3));
    }

    /// <summary>The city takes a place at the sector's node, which has a register of children as the province has, and loses it again.</summary>
    private async Task<NodePorts> BesideASectorAsync(NodePorts top, string hangzhou)
    {
        await SaysAsync("children", "open", "gas", "--division", "GAS", "--authority", "--node", top.Grpc, "--token-file", TokenFile("ministry", "li"));
        var code = (await SaysAsync("children", "approve", "gas", "--node", top.Grpc, "--token-file", TokenFile("ministry", "wang"))).Trim();
        var gas = Write("gas", "GAS", "province", "one", ("ministry", "CN", top.Link), "../sector.csv");
        await SaysAsync("enrol", "--parent", $"https://{top.Enrolment}", "--code", code, "--config", gas);
        var sector = await StartAsync(gas);

        await _running[^2].StopAsync(TimeSpan.FromSeconds(15));
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(hangzhou))!;
        configuration["sectorParent"] = new JsonObject
        {
            ["url"] = $"https://{sector.Link}",
            ["node"] = "gas",
            ["division"] = "GAS",
            ["certificate"] = "sector.pem",
            ["key"] = "sector.key",
            ["register"] = "../sector.csv",
            ["schedule"] = "0/1 * * * * ?",
            ["jitter"] = "0s",
        };
        await File.WriteAllTextAsync(hangzhou, configuration.ToJsonString());
        code = (await SaysAsync("children", "open", "hangzhou", "--division", "330100", "--node", sector.Grpc, "--token-file", TokenFile("gas", "li"))).Trim();
        await SaysAsync("enrol", "--sector", "--parent", $"https://{sector.Enrolment}", "--code", code, "--config", hangzhou);
        var city = await StartAsync(hangzhou);

        await ReportAsync(city, "r-2");
        Assert.That(await ReportedAsync(sector, "gas", 2), Is.EqualTo(2), "the sector has what the city has");
        Assert.That(await ReportedAsync(top, "ministry", 2), Is.EqualTo(2), "and the ministry has it once, by the province");

        await SaysAsync("children", "revoke", "hangzhou", "--reason", "left the sector", "--node", sector.Grpc, "--token-file", TokenFile("gas", "li"));
        using var client = new NodeClient(city.Grpc, "hangzhou-desk-0123456789abcdef0123456789");
        await Asking.UntilAsync(async () => (await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options)).SectorUplink is { Connected: false, LastError.Length: > 0 }, "the sector has let go of the city");
        await ReportAsync(city, "r-3");
        Assert.That(await ReportedAsync(top, "ministry", 3), Is.EqualTo(3), "the province has not");
        Assert.That(await ReportedAsync(sector, "gas", 2), Is.EqualTo(2));
        return city;
    }

    private string Write(string node, string division, string tier, string? approval, (string Node, string Division, string Link)? parent, string? register = null)
    {
        var home = Directory.CreateDirectory(Path.Combine(_folder, node)).FullName;
        var people = new[] { ("li", "admin"), ("wang", "admin"), ("desk", "operator") };
        foreach (var (person, _) in people)
        {
            WriteSecret(TokenFile(node, person), $"{node}-{person}-0123456789abcdef0123456789");
        }

        WriteSecret(Path.Combine(home, "tokens"), string.Concat(people.Select(p => $"{p.Item1} {p.Item2} {node}-{p.Item1}-0123456789abcdef0123456789\n")));
        var link = new JsonObject { ["certificate"] = "node.pem", ["key"] = "node.key", ["authority"] = "authority.pem" };
        var configuration = new JsonObject
        {
            ["node"] = node,
            ["division"] = division,
            ["tier"] = tier,
            ["zone"] = "Asia/Shanghai",
            ["link"] = link,
            ["operator"] = new JsonObject { ["port"] = 0, ["grpcPort"] = 0 },
        };
        if (register is not null)
        {
            configuration["register"] = register;
        }

        if (approval is not null)
        {
            link["port"] = 0;
            configuration["children"] = new JsonObject { ["authority"] = "ca.pem", ["authorityKey"] = "ca.key", ["approval"] = approval, ["enrolmentPort"] = 0 };
        }

        if (parent is var (name, above, address))
        {
            configuration["parent"] = new JsonObject { ["url"] = $"https://{address}", ["node"] = name, ["division"] = above, ["schedule"] = "0/1 * * * * ?", ["jitter"] = "0s" };
        }

        var file = Path.Combine(home, "node.json");
        File.WriteAllText(file, configuration.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        return file;
    }

    private string TokenFile(string node, string person) => Path.Combine(_folder, node, $"token-{person}");

    private static void WriteSecret(string path, string text) => Hub.Identity.DevelopmentAuthority.WriteSecret(path, text);

    private async Task<NodePorts> StartAsync(string configuration)
    {
        var node = NodeProcess.Start(configuration);
        _running.Add(node);
        return await node.ReadyAsync(TimeSpan.FromSeconds(60));
    }

    private static async Task<string> SaysAsync(params string[] arguments)
    {
        var ended = await Programs.CityGridAsync([.. arguments, "--lang", "en"]);
        Assert.That(ended.Code, Is.Zero, ended.Error + ended.Output);
        return ended.Output;
    }

    private static async Task ReportAsync(NodePorts city, string key)
    {
        using var client = new NodeClient(city.Grpc, "hangzhou-desk-0123456789abcdef0123456789");
        await client.Cases.ReportAsync(new ReportRequest { RequestKey = key, Type = "06010", Source = "hotline" }, client.Options);
    }

    private static async Task<long> ReportedAsync(NodePorts node, string name, long wanted)
    {
        using var client = new NodeClient(node.Grpc, $"{name}-li-0123456789abcdef0123456789");
        for (var tries = 0; ; tries++)
        {
            var answer = await client.Views.QueryAsync(new QueryRequest { Measures = { "reported" } }, client.Options);
            var reported = answer.Rows.Count == 0 ? 0 : answer.Rows[0].Measures["reported"];
            if (reported == wanted || tries == 300)
            {
                return reported;
            }

            await Task.Delay(200);
        }
    }

    private static async Task<string> UplinkErrorAsync(NodePorts city)
    {
        using var client = new NodeClient(city.Grpc, "hangzhou-desk-0123456789abcdef0123456789");
        for (var tries = 0; ; tries++)
        {
            var uplink = (await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options)).Uplink;
            if ((!uplink.Connected && uplink.LastError.Length > 0) || tries == 300)
            {
                return uplink.LastError;
            }

            await Task.Delay(100);
        }
    }
}
