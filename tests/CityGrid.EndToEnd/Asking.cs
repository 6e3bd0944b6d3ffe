using CityGrid.Cli.Network;
using CityGrid.Protocol.V1;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>What every test asks of nodes, and waits for.</summary>
internal static class Asking
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Options of a call that a node which stands still does not hold for ever.</summary>
    public static CallOptions Soon(this NodeClient client, int seconds = 10) => client.Options.WithDeadline(TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(seconds));

    /// <summary>
    /// True where nobody answered: the node is down, or died in the midst of it. What a node that lives says of a fault of its own is not that: only an error
    /// that this end of the connection made has an exception under it.
    /// </summary>
    public static bool IsOfADeadNode(this RpcException failed) =>
        failed.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Cancelled
        || (failed.StatusCode is StatusCode.Internal or StatusCode.Unknown && failed.Status.DebugException is not null);

    public static async Task<long> ReportedAsync(this NodeClient node) =>
        (await node.Views.QueryAsync(new QueryRequest { Measures = { "reported" } }, node.Soon(20))).Rows is [var row, ..] ? row.Measures["reported"] : 0;

    public static async Task<long> ReportedAsync(TreeNode node)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
        return await client.ReportedAsync();
    }

    /// <summary>Every escalation that a node knows, each once.</summary>
    public static async Task<List<EscalationRow>> EscalationsAsync(this NodeClient node)
    {
        var rows = new List<EscalationRow>();
        for (var page = string.Empty; ;)
        {
            var answer = await node.Views.ListEscalationsAsync(new ListEscalationsRequest { PageSize = 500, PageToken = page }, node.Soon(20));
            rows.AddRange(answer.Escalations);
            page = answer.NextPageToken;
            if (page.Length == 0)
            {
                return rows;
            }
        }
    }

    public static async Task<List<EscalationRow>> EscalationsAsync(TreeNode node)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
        return await client.EscalationsAsync();
    }

    /// <summary>Why the uplink of a node failed last, as soon as it says something; empty where it says nothing for half a minute.</summary>
    public static async Task<string> UplinkErrorAsync(TreeNode node)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
        for (var tries = 0; ; tries++)
        {
            var status = await client.Views.GetStatusAsync(new GetStatusRequest(), client.Soon(20));
            if (status.Uplink.LastError.Length > 0 || tries == 300)
            {
                return status.Uplink.LastError;
            }

            await Task.Delay(100);
        }
    }

    /// <summary>Waits for what must come about; says what it was where it does not.</summary>
    public static Task UntilAsync(Func<Task<bool>> holds, string what) => UntilAsync(holds, () => what);

    /// <summary>Waits for what must come about; says what it was where it does not.</summary>
    public static async Task UntilAsync(Func<Task<bool>> holds, Func<string> what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Patience)
            {
                throw new AssertionException($"Within {Patience.TotalMinutes} minutes it did not come about: {what()}");
            }

            await Task.Delay(100);
        }
    }
}
