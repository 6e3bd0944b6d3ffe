using System.Net.Http.Json;
using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>INV-18, clauses P1 to P7: real processes at three tiers; the ministry asks the cities on the connections that they dialled, and one that was killed is named.</summary>
public sealed class Places_below_are_asked_live
{
    [Test, Requires(Need.PullRequest)]
    public async Task By_the_tool_from_the_ministry_with_one_city_killed()
    {
        await using var trees = await Trees.StartAsync(2, 2);
        var (ministry, cities) = (trees.Tree.Root, trees.Tree.Cities.ToArray());
        var id = string.Empty;
        foreach (var city in cities)
        {
            id = await ReportAsync(city);
        }

        await UntilWholeAsync(ministry, cities.Length);
        Assert.That(await WritesNothingAsync(trees.Tree, ministry), Is.True, "A query writes nothing anywhere.");
        var whole = await CityGridAsync(ministry, "view", "--by", "district", "--measures", "reported", "--live");
        Assert.That(whole.Code, Is.Zero, whole.Output + whole.Error);
        Assert.That(whole.Output, Does.Contain("Whole: 4 answered"));

        var told = await CityGridAsync(ministry, "pull", "case", id, "--at", cities[^1].Division);
        Assert.That(told.Code, Is.Zero, told.Output + told.Error);
        Assert.That(told.Output, Does.Contain(id).And.Contain("stage: reported").And.Contain("Reported").And.Not.Contain("Zhang Wei").And.Not.Contain("desk"));

        var escalation = await EscalationAsync(ministry);
        told = await CityGridAsync(ministry, "pull", "escalation", escalation);
        Assert.That(told.Code, Is.Zero, told.Output + told.Error);
        Assert.That(told.Output, Does.Contain("stage: reported"));
        told = await CityGridAsync(ministry, "pull", "escalation", new string('7', 32));
        Assert.That((told.Code, told.Error.Contains("ESCALATION_UNKNOWN", StringComparison.Ordinal)), Is.EqualTo((1, true)), told.Error);
        told = await CityGridAsync(ministry, "pull", "case", id, "--at", cities[0].Division);
        Assert.That((told.Code, told.Output.Contains("CASE_UNKNOWN", StringComparison.Ordinal)), Is.EqualTo((3, true)), told.Output);

        // One that stands still keeps its connection, and everybody else's answer comes in time all the same.
        trees.Running[cities[2].Node].Pause();
        var still = await CityGridAsync(ministry, "view", "--by", "district", "--measures", "reported", "--live", "--wait", "3");
        trees.Running[cities[2].Node].Resume();
        Assert.That(still.Code, Is.EqualTo(3), still.Output + still.Error);
        Assert.That(still.Output, Does.Contain("Partial: 3 answered, 1 did not.").And.Contain($"missing: {cities[2].Division} (node {cities[2].Node}, ").And.Contain("TOO_LATE"));
        await UntilWholeAsync(ministry, cities.Length);

        var gone = cities[1];
        trees.Running.Kill(gone.Node);
        var partial = await PartialAsync(ministry, gone);
        Assert.That(partial["partial"]!.GetValue<bool>(), Is.True);
        Assert.That(partial["places"]!.AsArray().Select(place => place!["place"]!["division"]!.GetValue<string>()), Is.EquivalentTo(cities.Except([gone]).Select(city => city.Division)));
        var missing = partial["missing"]!.AsArray().Single()!;
        Assert.That(missing["node"]!.GetValue<string>(), Is.EqualTo(gone.Node));
        Assert.That(missing["code"]!.GetValue<string>(), Is.EqualTo("NOT_CONNECTED"));
        Assert.That(missing["lastHeard"]!.GetValue<string>(), Is.Not.Empty);

        var tool = await CityGridAsync(ministry, "view", "--by", "district", "--measures", "reported", "--live");
        Assert.That(tool.Code, Is.EqualTo(3), "Something is missing.");
        Assert.That(tool.Output, Does.Contain("Partial: 3 answered, 1 did not.").And.Contain($"missing: {gone.Division} (node {gone.Node}, last heard "));
        var chinese = await Programs.CityGridAsync(["view", "--lang", "zh", "--node", ministry.GrpcUrl, "--token-file", TokenOf(ministry), "--by", "district", "--measures", "reported", "--live"]);
        Assert.That(chinese.Code, Is.EqualTo(3));
        Assert.That(chinese.Output, Does.Contain("答复不全：已答复 3 家，未答复 1 家。").And.Contain("该下级节点没有连接"));

        var nowhere = await CityGridAsync(ministry, "view", "--live", "--at", "no-such-place");
        Assert.That((nowhere.Code, nowhere.Error.Contains("DIVISION_UNKNOWN", StringComparison.Ordinal)), Is.EqualTo((1, true)), nowhere.Error);
        var misplaced = await CityGridAsync(ministry, "view", "--at", gone.Division);
        Assert.That(misplaced.Code, Is.EqualTo(2), misplaced.Error);
    }

    private static async Task<string> ReportAsync(TreeNode city)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        var request = new ReportRequest { RequestKey = "k-1", Type = "06010", Source = "hotline", Grade = EmergencyGrade.Serious, Summary = "A large leak", Personal = new Personal { ReporterName = "Zhang Wei", Contact = "13912345678" } };
        return (await client.Cases.ReportAsync(request, client.Options)).Step.CaseId;
    }

    /// <summary>The id of an escalation that the ministry knows of, as its list over HTTP shows it.</summary>
    private static async Task<string> EscalationAsync(TreeNode ministry)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", ministry.Tokens["viewer"]);
        for (var i = 0; i < 100; i++)
        {
            var list = await http.GetFromJsonAsync<JsonNode>($"{ministry.OperatorUrl}/v1/escalations");
            if (list?["escalations"]?.AsArray() is [{ } first, ..])
            {
                return first["escalation"]!["id"]!.GetValue<string>();
            }

            await Task.Delay(100);
        }

        throw new TimeoutException("No escalation came up.");
    }

    /// <summary>Until every city is connected and answers, and what they push at the start has come.</summary>
    private static async Task UntilWholeAsync(TreeNode ministry, int cities)
    {
        using var client = new NodeClient(ministry.GrpcUrl, ministry.Tokens["viewer"]);
        for (var i = 0; i < 300; i++)
        {
            var figures = await client.Views.QueryAsync(new QueryRequest { Measures = { "reported" } }, client.Options);
            var live = await client.Reach.PullViewAsync(new PullViewRequest { Query = new QueryRequest { Measures = { "reported" } } }, client.Options);
            if (!live.Partial && live.Places.Count == cities && figures.Rows[0].Measures["reported"] == cities)
            {
                return;
            }

            await Task.Delay(200);
        }

        throw new TimeoutException("The cities never answered.");
    }

    /// <summary>The answer over HTTP once the province has heard that the city's connection is gone.</summary>
    private static async Task<JsonNode> PartialAsync(TreeNode ministry, TreeNode gone)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", ministry.Tokens["viewer"]);
        for (var i = 0; i < 50; i++)
        {
            using var response = await http.PostAsJsonAsync($"{ministry.OperatorUrl}/v1/live/view", new { query = new { by = new[] { "district" } }, waitMs = 5000 });
            Assert.That((int)response.StatusCode, Is.EqualTo(200));
            var answer = (await response.Content.ReadFromJsonAsync<JsonNode>())!;
            var missing = answer["missing"]?.AsArray();
            Assert.That(missing is [{ } one] && one["division"]!.GetValue<string>() == gone.Division || missing is null or [], Is.True, answer.ToJsonString());
            if (missing is [{ } named] && named["code"]!.GetValue<string>() == "NOT_CONNECTED")
            {
                return answer;
            }

            await Task.Delay(100);
        }

        throw new TimeoutException($"{gone.Node} was never told as gone.");
    }

    /// <summary>Between two scheduled pushes all journals stand still while the whole tree is asked.</summary>
    private static async Task<bool> WritesNothingAsync(WrittenTree tree, TreeNode ministry)
    {
        using var client = new NodeClient(ministry.GrpcUrl, ministry.Tokens["viewer"]);
        for (var i = 0; i < 50; i++)
        {
            var before = await HeadsAsync(tree);
            var told = await client.Reach.PullViewAsync(new PullViewRequest { Query = new QueryRequest { By = { "district" } } }, client.Options);
            Assert.That(told.Partial, Is.False, told.ToString());
            if ((await HeadsAsync(tree)).SequenceEqual(before))
            {
                return true;
            }
        }

        return false;
    }

    private static async Task<long[]> HeadsAsync(WrittenTree tree)
    {
        var heads = new List<long>();
        foreach (var node in tree.Nodes)
        {
            using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
            heads.Add((await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options)).Lsn);
        }

        return [.. heads];
    }

    private static string TokenOf(TreeNode node)
    {
        var token = Path.Combine(Path.GetDirectoryName(node.Configuration)!, "viewer-token");
        File.WriteAllText(token, node.Tokens["viewer"]);
        return token;
    }

    private static Task<Ended> CityGridAsync(TreeNode node, string verb, params string[] more)
    {
        var (head, rest) = verb == "pull" ? (new[] { verb, more[0], more[1] }, more[2..]) : ([verb], more);
        return Programs.CityGridAsync([.. head, "--lang", "en", "--node", node.GrpcUrl, "--token-file", TokenOf(node), .. rest]);
    }
}
