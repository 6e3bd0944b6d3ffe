using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Clauses K1 to K6, R2: real processes; a version that the ministry publishes is in force in a city, which is killed in between, and the tool shows who has it.</summary>
public sealed class A_catalogue_is_published
{
    private const string Rows = "code\tname_zh\tname_en\tlimits\n01001\t供水井盖异常\twater-supply manhole cover anomaly\t3h\n99000\t其他\tother\t\n";

    [Test]
    public async Task By_the_tool_at_the_ministry_and_a_city_files_under_it()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var (ministry, province, city) = (trees.Tree.Nodes[0], trees.Tree.Nodes[1], trees.Tree.Cities.Single());
        var file = Path.Combine(trees.Tree.Folder, "rows.tsv");
        var today = TimeZoneInfo.ConvertTime(TimeProvider.System.GetUtcNow(), TimeZoneInfo.FindSystemTimeZoneById("Asia/Shanghai")).ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);

        await File.WriteAllTextAsync(file, Rows + "1\tx\ty\t2q\n");
        var bad = await CatalogueAsync(ministry, "publish", "--version", "next", "--from", today, "--file", file);
        Assert.That((bad.Code, bad.Error.Contains("line 4", StringComparison.Ordinal)), Is.EqualTo((1, true)), bad.Error);
        await File.WriteAllBytesAsync(file, [.. System.Text.Encoding.ASCII.GetBytes("code\tname_zh\tname_en\tlimits\n99000\t"), 0xC6, 0xE4, 0xCB, 0xFB, .. System.Text.Encoding.ASCII.GetBytes("\tother\t\n")]);
        var foreignLetters = await CatalogueAsync(ministry, "publish", "--version", "next", "--from", today, "--file", file);
        Assert.That((foreignLetters.Code, foreignLetters.Error.Contains("UTF-8", StringComparison.Ordinal)), Is.EqualTo((1, true)), foreignLetters.Error);
        await File.WriteAllTextAsync(file, Rows.Replace("99000", "98765\t新\tnew\t\n99000", StringComparison.Ordinal));
        var foreign = await CatalogueAsync(province, "publish", "--version", "of-province", "--from", today, "--file", file);
        Assert.That((foreign.Code, foreign.Error.Contains("CATALOGUE_CODE_NOT_ABOVE", StringComparison.Ordinal)), Is.EqualTo((1, true)), foreign.Error);
        var desk = await CatalogueAsAsync("desk", ministry, "publish", "--version", "next", "--from", today, "--file", file);
        Assert.That((desk.Code, desk.Error.Contains("admin", StringComparison.Ordinal)), Is.EqualTo((1, true)), desk.Error);

        trees.Running.Kill(city.Node);
        await File.WriteAllTextAsync(file, Rows);
        for (var times = 0; times < 2; times++)
        {
            var published = await CatalogueAsync(ministry, "publish", "--version", "next", "--from", today, "--file", file, "--title", "The next one", "--key", "k-1");
            Assert.That(published.Code, Is.Zero, published.Error);
        }

        await UntilAsync(province, list => list.Packages.Count == 2);
        var behind = await UntilAsync(province, list => list.Children.Any(child => child.Behind == 1));
        Assert.That(behind.Children.Single().Node, Is.EqualTo(city.Node));
        await trees.Running.StartAsync(city);
        await UntilAsync(city, list => list.InForce == "next");
        var told = await UntilAsync(province, list => list.Children.Single() is { Behind: 0, Heads.Count: 1 });
        Assert.That(told.Children.Single().Heads.Single().Version, Is.EqualTo("next"));

        using (var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]))
        {
            var reported = await client.Cases.ReportAsync(new ReportRequest { RequestKey = "r-1", Type = "01001", Source = "hotline" }, client.Options);
            var read = await client.Cases.GetAsync(new GetRequest { CaseId = reported.Step.CaseId }, client.Options);
            Assert.That(read.Case.Catalogue, Is.EqualTo("next"));
        }

        var shown = await CatalogueAsync(city, "show", "next");
        Assert.That((shown.Code, shown.Output), Is.EqualTo((0, Rows)), shown.Error);
        var list = await CatalogueAsync(province, "list");
        Assert.That(list.Output, Does.Contain("next").And.Contain("in force").And.Contain(city.Node));
        TestContext.Out.WriteLine(list.Output);
    }

    private static Task<Ended> CatalogueAsync(TreeNode node, string verb, params string[] more) => CatalogueAsAsync("admin", node, verb, more);

    private static Task<Ended> CatalogueAsAsync(string actor, TreeNode node, string verb, params string[] more)
    {
        var token = Path.Combine(Path.GetDirectoryName(node.Configuration)!, $"{actor}-token");
        File.WriteAllText(token, node.Tokens[actor]);
        return Programs.CityGridAsync(["catalogue", verb, "--lang", "en", "--node", node.GrpcUrl, "--token-file", token, .. more]);
    }

    private static async Task<ListPackagesResponse> UntilAsync(TreeNode node, Func<ListPackagesResponse, bool> holds)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["desk"]);
        var last = new ListPackagesResponse();
        for (var i = 0; i < 600; i++)
        {
            last = await client.Catalogue.ListPackagesAsync(new ListPackagesRequest(), client.Options);
            if (holds(last))
            {
                return last;
            }

            await Task.Delay(100);
        }

        throw new TimeoutException($"It did not come to that at {node.Node}: {last}");
    }
}
