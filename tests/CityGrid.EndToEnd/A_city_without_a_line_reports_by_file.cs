using System.Globalization;
using CityGrid.Cli.Network;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Clauses B1 to B4, T14: real processes; the province is never reached by the line, and has the city's figures all the same.</summary>
public sealed class A_city_without_a_line_reports_by_file
{
    [Test]
    public async Task And_the_edge_is_equal_bit_for_bit()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var (province, city) = (trees.Tree.Nodes[1], trees.Tree.Cities.Single());

        // The city looks for its parent where nobody is.
        await trees.Running.StopAsync(city.Node);
        var configuration = await File.ReadAllTextAsync(city.Configuration);
        Assert.That(configuration, Does.Contain($":{province.LinkPort}"));
        await File.WriteAllTextAsync(city.Configuration, configuration.Replace($":{province.LinkPort}", ":9", StringComparison.Ordinal));
        await trees.Running.StartAsync(city);
        using (var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]))
        {
            for (var i = 0; i < 3; i++)
            {
                await client.Cases.ReportAsync(new Node.V1.ReportRequest { RequestKey = $"k-{i}", Type = "01001", Source = "hotline" }, client.Options);
            }
        }

        Assert.That(await trees.Running.IsEqualAsync(), Is.False);
        const string Rows = "code\tname_zh\tname_en\tlimits\n01001\t供水井盖异常\tmanhole cover\t{0}\n99000\t其他\tother\t\n";
        await PublishAsync(city, "own", string.Format(CultureInfo.InvariantCulture, Rows, "2h"));
        await PublishAsync(province, "own", string.Format(CultureInfo.InvariantCulture, Rows, "3h"));
        await PublishAsync(province, "next", string.Format(CultureInfo.InvariantCulture, Rows, "4h"));
        var told = new List<string>();
        for (var round = 0; round < 2; round++)
        {
            var bundle = Path.Combine(trees.Tree.Folder, $"bundle-{round}");
            await ExpectAsync("part", "bundle", "make", "--for", Path.Combine(Path.GetDirectoryName(province.Configuration)!, "node.pem"), "--out", bundle, At(city));
            var altered = await File.ReadAllBytesAsync(bundle);
            altered[^1] ^= 1;
            await File.WriteAllBytesAsync(bundle + ".altered", altered);
            var forged = await RunAsync("bundle", "take", bundle + ".altered", At(province));
            Assert.That((forged.Code, forged.Error.Contains("BUNDLE_FORGED", StringComparison.Ordinal)), Is.EqualTo((1, true)), forged.Error);
            var elsewhere = await RunAsync("bundle", "take", bundle, At(city));
            Assert.That((elsewhere.Code, elsewhere.Error.Contains("BUNDLE_FOR_ANOTHER", StringComparison.Ordinal)), Is.EqualTo((1, true)), elsewhere.Error);
            await ExpectAsync("took effect", "bundle", "take", bundle, At(province));
            var answered = await RunAsync("bundle", "take", bundle + ".answer", At(city));
            Assert.That((answered.Code, answered.Output.Contains("was taken", StringComparison.Ordinal)), Is.EqualTo((0, true)), answered.Output + answered.Error);
            told.Add(string.Join(' ', answered.Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
        }

        // Packages come once the epoch of the city is in office: with the first answer where it was granted before the line was cut, else with the second.
        Assert.That(told.Count(said => said.Contains($"Catalogue packages taken: 1; refused: {province.Node}/1 CATALOGUE_VERSION_REUSED.", StringComparison.Ordinal)), Is.EqualTo(1), string.Join('\n', told));

        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True, "The province tells the ministry by the line.");
    }

    private static async Task PublishAsync(TreeNode node, string version, string rows)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["admin"]);
        await client.Catalogue.PublishPackageAsync(new PublishPackageRequest { RequestKey = version, Version = version, EffectiveFrom = "2099-01-01", Title = version, Rows = rows }, client.Options);
    }

    private static TreeNode At(TreeNode node) => node;

    private static async Task ExpectAsync(string output, params object[] arguments)
    {
        var ended = await RunAsync(arguments);
        Assert.That((ended.Code, ended.Output.Contains(output, StringComparison.Ordinal)), Is.EqualTo((0, true)), ended.Output + ended.Error);
    }

    /// <summary>A node among the arguments stands for its address and its administrator's token.</summary>
    private static Task<Ended> RunAsync(params object[] arguments) => Programs.CityGridAsync(
    [
        .. arguments.SelectMany(argument => argument is not TreeNode node ? [(string)argument] : new[] { "--node", node.GrpcUrl, "--token-file", TokenOf(node) }), "--lang", "en",
    ]);

    private static string TokenOf(TreeNode node)
    {
        var file = Path.Combine(Path.GetDirectoryName(node.Configuration)!, "admin-token");
        File.WriteAllText(file, node.Tokens["admin"]);
        return file;
    }
}
