using System.Collections.Concurrent;
using CityGrid.Cli.Network;
using CityGrid.Hub.Seams;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using CityGrid.Tests.EndToEnd.Failpoints;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// 1 + 3 + 9 real nodes under load, killed with SIGKILL at random: afterwards every edge is equal and every write that was answered is there once
/// (INV-1, 7, 10). For half a minute, and as often longer as there are rounds of failpoints.
/// </summary>
public sealed class When_nodes_are_killed_at_random
{
    private static readonly TimeSpan Unrest = TimeSpan.FromSeconds(30 * Nightly.Rounds);

    [Test, Requires(Need.PullRequest)]
    public async Task Every_acknowledged_write_is_there_once_and_every_edge_is_equal()
    {
        await using var trees = await Trees.StartAsync(3, 3);
        using var stop = new CancellationTokenSource();
        var acknowledged = new ConcurrentDictionary<string, (TreeNode City, string Case)>();
        var workers = trees.Tree.Cities.Select(city => ReportAsync(city, acknowledged, stop.Token)).ToArray();

        var random = new SeededEntropy(13);
        var start = TimeProvider.System.GetTimestamp();
        var kills = 0;
        while (TimeProvider.System.GetElapsedTime(start) < Unrest)
        {
            var victim = trees.Tree.Nodes[random.Below(trees.Tree.Nodes.Count)];
            trees.Running.Kill(victim.Node);
            kills++;
            await trees.Running.StartAsync(victim);
        }

        await stop.CancelAsync();
        await Task.WhenAll(workers);

        var equal = await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(2), CancellationToken.None);
        Assert.That(equal, Is.True, equal ? string.Empty : await StandingAsync(trees.Tree));
        foreach (var (_, (city, id)) in acknowledged)
        {
            using var client = new NodeClient(city.GrpcUrl, city.Tokens["viewer"]);
            var found = await client.Cases.GetAsync(new GetRequest { CaseId = id }, client.Options);
            Assert.That(found.Case.CaseId, Is.EqualTo(id));
        }

        using var ministry = new NodeClient(trees.Tree.Root.GrpcUrl, trees.Tree.Root.Tokens["viewer"]);
        var view = await ministry.Views.QueryAsync(new QueryRequest { Measures = { "reported" } }, ministry.Options);
        Assert.That(view.Rows[0].Measures["reported"], Is.EqualTo(acknowledged.Count), "nothing is counted twice and nothing is missing");
        Assert.That(acknowledged.Values.Select(a => a.Case), Is.Unique);
        TestContext.Out.WriteLine($"{kills} kills, {acknowledged.Count} acknowledged writes");
    }

    /// <summary>How each node's links stand, for whoever reads a failure.</summary>
    private static async Task<string> StandingAsync(WrittenTree tree)
    {
        var lines = new List<string>();
        foreach (var node in tree.Nodes)
        {
            using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
            var status = await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options);
            lines.Add($"{node.Node} at {status.Lsn}: uplink {status.Uplink}; children {string.Join(", ", status.Children.Select(c => $"{c.Node} {c.CellsLsn} {c.Connected} {c.Quarantine} parked {c.Parked}"))}");
        }

        return string.Join(Environment.NewLine, lines);
    }

    /// <summary>Reports one case after the other; a request is repeated under its own key until it is answered, also past the end of the unrest.</summary>
    private static async Task ReportAsync(TreeNode city, ConcurrentDictionary<string, (TreeNode City, string Case)> acknowledged, CancellationToken stop)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var key = $"{city.Node}-{i}";
            var request = new ReportRequest { RequestKey = key, Type = "06010", Source = "hotline" };
            for (var tries = 0; ; tries++)
            {
                try
                {
                    var response = await client.Cases.ReportAsync(request, client.Soon());
                    acknowledged[key] = (city, response.Step.CaseId);
                    break;
                }
                catch (RpcException failed) when (failed.IsOfADeadNode() && tries < 600)
                {
                    await Task.Delay(200, CancellationToken.None);
                }
            }

            await Task.Delay(200, CancellationToken.None);
        }
    }
}
