using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Clause L17 with real processes: a city below a province and a sector's network at once, each with a connection, cursors and figures of its own.</summary>
public sealed class A_city_reports_to_two_parents
{
    [Test, Requires(Need.PullRequest)]
    public async Task And_each_has_what_the_city_has_whoever_of_the_three_was_down_or_began_a_new_life()
    {
        await using var trees = await Trees.StartAsync(2, 1, SplitOffASector);
        var (ministry, city) = (trees.Tree.Root, trees.Tree.Cities.First());
        var (province, sector) = (trees.Tree.Nodes.First(node => node.Tier == "province"), trees.Tree.Nodes.Last(node => node.Tier == "province"));
        await ReportAsync(city, "a", 3);
        await UntilAllHaveAsync(3);

        // The line to one says nothing of the line to the other.
        trees.Running.Kill(sector.Node);
        await ReportAsync(city, "b", 2);
        await Asking.UntilAsync(async () => await Asking.ReportedAsync(ministry) == 5, "the territorial parent is told while the sector's is down");
        await Asking.UntilAsync(async () => (await LinksAsync(city)).Count(link => !link.Connected && link.LastError.Length > 0) == 1, "one link is down, and says why");
        Assert.That((await LinksAsync(city)).Single(link => link.Connected).Node, Is.EqualTo(city.Parent));
        await trees.Running.StartAsync(sector);
        await UntilAllHaveAsync(5);

        // A copy of before: what neither parent may keep is gone from both.
        await trees.Running.StopAsync(city.Node);
        Folders.Copy(Folders.DataOf(city), Folders.DataOf(city) + "-copy");
        await trees.Running.StartAsync(city);
        await ReportAsync(city, "c", 4);
        await UntilAllHaveAsync(9);
        await trees.Running.StopAsync(city.Node);
        Directory.Delete(Folders.DataOf(city), recursive: true);
        Directory.Move(Folders.DataOf(city) + "-copy", Folders.DataOf(city));
        await trees.Running.StartAsync(city, "--restored");
        await UntilAllHaveAsync(5);
        await ReportAsync(city, "d", 1);
        await UntilAllHaveAsync(6);
        Assert.That((await LinksAsync(city)).Select(link => link.Node), Is.EquivalentTo(new[] { city.Parent!, sector.Node }));

        async Task UntilAllHaveAsync(long cases)
        {
            foreach (var node in new[] { city, ministry, sector })
            {
                await Asking.UntilAsync(async () => await Asking.ReportedAsync(node) == cases, $"{node.Node} has {cases} cases");
            }

            // What a life that was lost had told stays known above, at one parent as at the other.
            var here = Versions(await Asking.EscalationsAsync(city));
            Assert.That(here, Is.Not.Empty);
            await Asking.UntilAsync(AllKnowAsync, "sector and province know the same escalations, and each that the city has");

            async Task<bool> AllKnowAsync()
            {
                var (there, above) = (Versions(await Asking.EscalationsAsync(sector)), Versions(await Asking.EscalationsAsync(province)));
                return !here.Except(there).Any() && there.SequenceEqual(above);
            }
        }
    }

    [Test, Requires(Need.PullRequest)]
    public async Task And_the_sector_is_told_of_the_matters_that_were_chosen_and_says_so()
    {
        await using var trees = await Trees.StartAsync(2, 1, tree =>
        {
            SplitOffASector(tree);
            Choose(tree.Cities.First(), "01");
        });
        var (ministry, city) = (trees.Tree.Root, trees.Tree.Cities.First());
        var sector = trees.Tree.Nodes.Last(node => node.Tier == "province");
        await ReportAsync(city, "a", 2);
        await ReportAsync(city, "b", 3, "06010");
        await UntilAsync(2, "01001 2");

        Assert.That((await LinksAsync(city)).Select(link => (link.Sector, string.Join(' ', link.Matters))), Is.EquivalentTo(new[] { (false, ""), (true, "01") }));
        Assert.That((await LinksAsync(sector, up: false)).Single().Matters, Is.EqualTo(new[] { "01" }));
        using (var client = new NodeClient(sector.GrpcUrl, sector.Tokens["viewer"]))
        {
            var answer = await client.Views.QueryAsync(new QueryRequest(), client.Soon());
            Assert.That(answer.Coverage.ToldInPart, Is.EqualTo(new[] { new ToldInPart { Division = city.Division, Matters = { "01" } } }));
            Assert.That((await client.Views.GetStatusAsync(new GetStatusRequest(), client.Soon())).Children.Single().Matters, Is.EqualTo(new[] { "01" }));
            Assert.That((await client.Views.QueryAsync(new QueryRequest { Types_ = { "01" } }, client.Soon())).Coverage.ToldInPart, Is.Empty);
        }

        // Another choice, a wider one while the sector is down, and none.
        await ChooseAnewAsync("06");
        await UntilAsync(3, "06010 3");
        trees.Running.Kill(sector.Node);
        await ChooseAnewAsync("01", "06010");
        await ReportAsync(city, "c", 1);
        await trees.Running.StartAsync(sector);
        await UntilAsync(6, "01001 3", "06010 3");
        await ChooseAnewAsync("01001");
        await UntilAsync(3, "01001 3");
        await ChooseAnewAsync();
        await UntilAsync(6, "01001 3", "06010 3");
        await Asking.UntilAsync(async () => await Asking.ReportedAsync(ministry) == 6, "the ministry, two edges further on, has all six");

        async Task ChooseAnewAsync(params string[] beginnings)
        {
            await trees.Running.StopAsync(city.Node);
            Choose(city, beginnings);
            await trees.Running.StartAsync(city);
        }

        async Task UntilAsync(long cases, params string[] byType)
        {
            await Asking.UntilAsync(async () => await Asking.ReportedAsync(sector) == cases && (await ByTypeAsync()).SequenceEqual(byType), $"the sector has {string.Join(", ", byType)}");
            await Asking.UntilAsync(
                async () => !byType.Select(row => row[..5]).Except((await Asking.EscalationsAsync(sector)).Select(row => row.Escalation.TypeCode)).Any(), "the sector knows the escalations of what it is told");
        }

        async Task<string[]> ByTypeAsync()
        {
            using var client = new NodeClient(sector.GrpcUrl, sector.Tokens["viewer"]);
            var answer = await client.Views.QueryAsync(new QueryRequest { By = { "type" }, Measures = { "reported" } }, client.Soon());
            return [.. answer.Rows.Where(row => row.Measures["reported"] != 0).Select(row => $"{row.Dimensions["type"]} {row.Measures["reported"]}").Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>The list that a person writes; none for all.</summary>
    private static void Choose(TreeNode city, params string[] beginnings) => Trees.Change(city, configuration =>
    {
        var sector = configuration["sectorParent"]!.AsObject();
        sector.Remove("matters");
        if (beginnings.Length > 0)
        {
            sector["matters"] = new JsonArray([.. beginnings.Select(text => JsonValue.Create(text))]);
        }
    });

    private static string[] Versions(IEnumerable<EscalationRow> rows) =>
        [.. rows.Select(row => $"{Convert.ToHexString(row.Escalation.Id.Span)} {row.Escalation.Version}").Order(StringComparer.Ordinal)];

    /// <summary>The second province becomes the root of a sector's network, in whose register the first province's city lies, and is no child of the ministry any more.</summary>
    private static void SplitOffASector(WrittenTree tree)
    {
        var city = tree.Cities.First();
        var sector = tree.Nodes.Last(node => node.Tier == "province");
        var rows = File.ReadAllLines(Path.Combine(tree.Folder, "register.csv"));
        var own = rows.Single(row => row.StartsWith(sector.Division + ",", StringComparison.Ordinal)).Split(',');
        (own[1], own[4]) = (string.Empty, "nation");
        File.WriteAllLines(
            Path.Combine(tree.Folder, "sector.csv"),
            [
                rows[0], string.Join(',', own),
                .. rows.Select(row => row.Split(',')).Where(row => row[0] == city.Division || row[1] == city.Division)
                    .Select(row => string.Join(',', row[0] == city.Division ? [row[0], sector.Division, .. row[2..]] : row)),
            ]);
        Trees.Change(sector, configuration =>
        {
            configuration.AsObject().Remove("parent");
            (configuration["register"], configuration["tier"]) = ("../sector.csv", "ministry");
        });
        Trees.Change(city, configuration =>
        {
            var parent = configuration["parent"]!.DeepClone();
            (parent["url"], parent["node"], parent["division"]) = ($"https://127.0.0.1:{sector.LinkPort}", sector.Node, sector.Division);
            configuration["sectorParent"] = parent;
        });
    }

    private static async Task ReportAsync(TreeNode city, string name, int times, string type = "01001")
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        for (var i = 0; i < times; i++)
        {
            var request = new ReportRequest { RequestKey = $"{name}-{i}", Type = type, Source = "hotline", Grade = i == 0 ? EmergencyGrade.Serious : EmergencyGrade.Unspecified };
            await client.Cases.ReportAsync(request, client.Soon());
        }
    }

    private static async Task<IReadOnlyList<LinkView>> LinksAsync(TreeNode city, bool up = true)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["viewer"]);
        return [.. (await client.Links.ListLinksAsync(new ListLinksRequest(), client.Soon())).Links.Where(link => link.Up == up)];
    }
}
