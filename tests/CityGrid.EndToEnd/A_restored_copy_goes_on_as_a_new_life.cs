using System.Text;
using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>INV-21 with real processes and a real copy of a data directory: refused as it is, and with <c>--restored</c> right at every tier.</summary>
public sealed class A_restored_copy_goes_on_as_a_new_life
{
    [Test]
    public async Task And_the_ministry_shows_what_the_copy_has()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var city = trees.Tree.Cities.Single();
        var data = Folders.DataOf(city);
        await ReportAsync(city, 0, 3);

        // On a busy machine the city can be stopped before its parent has granted it an epoch; then the copy has none, and is another case.
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        await trees.Running.StopAsync(city.Node);
        var copy = data + "-copy";
        Folders.Copy(data, copy);

        await trees.Running.StartAsync(city);
        await ReportAsync(city, 3, 4);
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(7));

        await trees.Running.StopAsync(city.Node);
        Directory.Delete(data, recursive: true);
        Directory.Move(copy, data);
        await trees.Running.StartAsync(city);
        await ReportAsync(city, 7, 1);
        Assert.That(await Asking.UplinkErrorAsync(city), Does.Contain("EPOCH_REGRESSION").And.Contain("--restored"));
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(7));

        await trees.Running.StopAsync(city.Node);
        await trees.Running.StartAsync(city, "--restored");
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        Assert.That(await Asking.ReportedAsync(city), Is.EqualTo(4));
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(4));
    }

    [Test]
    public async Task One_command_tells_what_only_the_parent_knows_and_has_one_of_two_go_on()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var (city, province) = (trees.Tree.Cities.Single(), trees.Tree.Nodes.Single(node => node.Tier == "province"));
        var data = Folders.DataOf(city);
        await ReportAsync(city, 0, 3);
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        await trees.Running.StopAsync(city.Node);
        Folders.Copy(data, data + "-copy");
        await trees.Running.StartAsync(city);
        await ReportAsync(city, 3, 2);
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);

        // The copy writes a history of its own, past the end of the first one's: of the two the parent sets the node aside until somebody has chosen.
        await trees.Running.StopAsync(city.Node);
        Directory.Delete(data, recursive: true);
        Directory.Move(data + "-copy", data);
        await trees.Running.StartAsync(city);
        await ReportAsync(city, 10, 1);
        Assert.That(await Asking.UplinkErrorAsync(city), Does.Contain("EPOCH_REGRESSION"));
        await ReportAsync(city, 11, 9);
        await trees.Running.StopAsync(city.Node);
        await trees.Running.StartAsync(city);
        Assert.That(await Asking.UplinkErrorAsync(city), Does.Contain("FORK"));

        var token = Path.Combine(trees.Tree.Folder, "admin-token");
        await File.WriteAllTextAsync(token, province.Tokens["admin"]);
        string[] line = ["reinstate", "--lang", "en", "--config", city.Configuration, "--parent", province.OperatorUrl, "--parent-token-file", token];
        var running = await Programs.CityGridAsync(line);
        Assert.That(running.Code, Is.Not.Zero, "while its node runs");
        await trees.Running.StopAsync(city.Node);
        var told = await Programs.CityGridAsync(line);
        Assert.That(told.Code, Is.Zero, told.Error);
        Assert.That(told.Output, Does.Contain("two histories").And.Match("[1-9][0-9]* cells with later figures").And.Contain("Nothing is changed"));
        var done = await Programs.CityGridAsync([.. line, "--confirm"]);
        Assert.That((done.Code, done.Error), Is.EqualTo((0, string.Empty)));
        Assert.That(done.Output, Does.Contain("has released"));

        await trees.Running.StartAsync(city);
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        Assert.That((await Asking.ReportedAsync(city), await Asking.ReportedAsync(trees.Tree.Root)), Is.EqualTo((13, 13)));
    }

    [Test]
    public async Task Where_a_person_is_asked_it_waits_until_it_is_granted_its_epoch()
    {
        await using var trees = await Trees.StartAsync(1, 1, tree => Trees.Change(tree.Nodes.Single(node => node.Tier == "province"), configuration => configuration["link"]!["newDirectories"] = "asked"));
        var (city, province) = (trees.Tree.Cities.Single(), trees.Tree.Nodes.Single(node => node.Tier == "province"));
        await ReportAsync(city, 0, 3);
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        await trees.Running.StopAsync(city.Node);
        await trees.Running.StartAsync(city, "--restored");
        await ReportAsync(city, 3, 2);
        var refused = await Asking.UplinkErrorAsync(city);
        Assert.That(refused, Does.Contain("INCARNATION_UNKNOWN"));
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(3));

        var token = Path.Combine(trees.Tree.Folder, "admin-token");
        await File.WriteAllTextAsync(token, province.Tokens["admin"]);
        string[] at = ["--lang", "en", "--node", province.GrpcUrl, "--token-file", token];
        var words = refused[refused.IndexOf("citygrid link grant", StringComparison.Ordinal)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..5];
        var wrong = await Programs.CityGridAsync(["link", "grant", city.Node, "123", .. at]);
        Assert.That(wrong.Code, Is.Not.Zero);
        Assert.That(wrong.Error, Does.Contain("32 hexadecimal digits"));
        var done = await Programs.CityGridAsync([.. words, .. at]);
        Assert.That((done.Code, done.Error), Is.EqualTo((0, string.Empty)));
        Assert.That(done.Output, Does.Contain("is granted its epoch"));
        await File.WriteAllTextAsync(token, city.Tokens["admin"]);
        var pushed = await Programs.CityGridAsync("link", "push", "--lang", "en", "--node", city.GrpcUrl, "--token-file", token);
        Assert.That(pushed.Code, Is.Zero, pushed.Error);
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(5));
    }

    [Test]
    public async Task What_the_tool_prints_as_JSON_is_what_the_port_writes_and_a_push_does_not_wait_for_the_hour()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var city = trees.Tree.Cities.Single();
        await ReportAsync(city, 0, 2);
        var token = Path.Combine(trees.Tree.Folder, "token");
        await File.WriteAllTextAsync(token, city.Tokens["admin"]);
        var pushed = await Programs.CityGridAsync("link", "push", "--lang", "en", "--node", city.GrpcUrl, "--token-file", token);
        Assert.That((pushed.Code, pushed.Error), Is.EqualTo((0, string.Empty)));
        Assert.That(pushed.Output, Does.Contain(trees.Tree.Nodes.Single(node => node.Tier == "province").Node));

        var printed = await Programs.CityGridAsync("view", "--by", "type", "--measures", "reported,closed", "--json", "--node", city.GrpcUrl, "--token-file", token);
        using var http = new HttpClient { BaseAddress = new Uri(city.OperatorUrl) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", city.Tokens["admin"]);
        using var question = new StringContent("""{"by":["type"],"measures":["reported","closed"]}""", Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync(new Uri("/v1/view", UriKind.Relative), question);
        var written = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        var read = JsonNode.Parse(printed.Output)!;
        Assert.That(read["rows"]!.ToJsonString(), Is.EqualTo(written["rows"]!.ToJsonString()).And.Contain("\"reported\":2").And.Contain("\"closed\":0"));
        Assert.That(read.AsObject().Select(field => (field.Key, field.Value?.GetValueKind())), Is.EqualTo(written.AsObject().Select(field => (field.Key, field.Value?.GetValueKind()))));
    }

    private static async Task ReportAsync(TreeNode city, int from, int times)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        for (var i = from; i < from + times; i++)
        {
            await client.Cases.ReportAsync(new ReportRequest { RequestKey = $"r-{i}", Type = "06010", Source = "hotline" }, client.Options);
        }
    }
}
