using System.CommandLine;
using System.Globalization;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using Grpc.Core;
using Spectre.Console;

namespace CityGrid.Cli.Journey;

/// <summary><c>citygrid reconcile</c>: has the two ends of links compared and put right, and shows what was found. Ends with 1 where something still differs, or did not come to its end.</summary>
internal static class ReconcileCommand
{
    public static Command Create()
    {
        var nodes = new NodesGiven();
        var children = new Option<string[]>("--with") { Description = Texts.Get("OptionWith") };
        var seconds = new Option<int>("--seconds") { Description = Texts.Get("OptionSeconds"), DefaultValueFactory = _ => 120 };
        var command = new Command("reconcile", Texts.Get("CommandReconcile")) { children, seconds };
        nodes.AddTo(command);
        command.SetAction(async (parsed, stop) => await Commands.Guarded(async () =>
        {
            if (nodes.Open(parsed, out var tree, out var fault) is not { } clients)
            {
                return Commands.Fail(fault!, 2);
            }

            var asked = parsed.GetValue(children) ?? [];
            var most = TimeSpan.FromSeconds(Math.Clamp(parsed.GetValue(seconds), 0, 86_400));
            if (tree is not null && asked.FirstOrDefault(name => tree.Nodes.All(node => node.Node != name)) is { } unknown)
            {
                return Commands.Fail(Texts.Get("ReconcileUnknown", unknown, string.Join(", ", tree.Nodes.Select(node => node.Node))), 2);
            }

            var (edges, failures) = (new List<EdgeReconciliation>(), 0);
            for (var i = 0; i < clients.Count; i++)
            {
                using var client = clients[i];
                var request = new ReconcileRequest { Nodes = { asked } };
                if (tree is not null)
                {
                    // Each link once, by the end that can begin at once.
                    if (tree.Nodes[i].Parent is not { } parent || (asked.Length > 0 && !asked.Contains(parent) && !asked.Contains(tree.Nodes[i].Node)))
                    {
                        continue;
                    }

                    request = new ReconcileRequest { Nodes = { parent } };
                }

                try
                {
                    edges.AddRange(await RunAsync(client, request, most, stop));
                }
                catch (RpcException failure) when (clients.Count > 1 && failure.StatusCode != StatusCode.Cancelled)
                {
                    failures++;
                    Console.Error.WriteLine(Texts.Get("NodeFailed", client.Address, Commands.Said(failure)));
                }
            }

            AnsiConsole.Write(ReconcileTable.Of(edges));
            return Show(edges) && failures == 0 ? 0 : 1;
        }));
        return command;
    }

    /// <summary>A link that does not stand cannot come to its end, so nobody waits for it.</summary>
    private static async Task<IEnumerable<EdgeReconciliation>> RunAsync(NodeClient client, ReconcileRequest request, TimeSpan most, CancellationToken stop)
    {
        IReadOnlyList<EdgeReconciliation> edges = (await client.Reconciliation.ReconcileAsync(request, client.Options.WithCancellationToken(stop))).Edges;
        var begun = TimeProvider.System.GetTimestamp();
        while (edges.Any(e => e is { GoingOn: true, Connected: true }) && TimeProvider.System.GetElapsedTime(begun) < most)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), stop);
            var ask = new GetReconciliationRequest { Nodes = { request.Nodes } };
            edges = (await client.Reconciliation.GetReconciliationAsync(ask, client.Options.WithCancellationToken(stop))).Edges;
        }

        return edges;
    }

    /// <summary>True where all that was asked for came to its end and nothing differs.</summary>
    private static bool Show(IReadOnlyList<EdgeReconciliation> edges)
    {
        var ranges = edges.SelectMany(e => e.Ranges).Where(r => r.Month.Length > 0).ToArray();
        var differing = ranges.Count(r => r.State is RangeState.Differs or RangeState.Persists);
        AnsiConsole.WriteLine(Texts.Get("ReconcileDone", edges.Count, edges.Count(e => e.GoingOn), differing, ranges.Count(r => r.State == RangeState.Repaired), ranges.Sum(r => r.Cells)));
        return differing == 0 && edges.All(e => e is { GoingOn: false, ComparedAt.Length: > 0 }) && !ranges.Any(r => r.State == RangeState.NotCompared);
    }
}

/// <summary>What was found, as a table: one row for each origin and grain, and one for each month that differed.</summary>
internal static class ReconcileTable
{
    public static Table Of(IEnumerable<EdgeReconciliation> edges)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in new[] { "ColumnLink", "ColumnOrigin", "ColumnGrain", "ColumnMonth", "ColumnState" })
        {
            table.AddColumn(Texts.Get(column));
        }

        table.AddColumn(new TableColumn(Texts.Get("ColumnRepaired")).RightAligned());
        table.AddColumn(Texts.Get("ColumnSince"));
        foreach (var edge in edges)
        {
            var link = Markup.Escape($"{edge.Parent} ← {edge.Child}");
            if (edge.GoingOn || edge.Ranges.Count == 0)
            {
                table.AddRow(link, "–", "–", "–", Texts.Get(edge.GoingOn ? edge.Connected ? "RangeGoingOn" : "RangeWaits" : "RangeNever"), "–", edge.ComparedAt);
            }

            foreach (var row in edge.Ranges)
            {
                table.AddRow(link, Markup.Escape(row.Origin), Texts.Get(row.Grain == "detail" ? "GrainDetail" : "GrainNational"), row.Month.Length == 0 ? Texts.Get("AllMonths") : row.Month,
                    Texts.Get(WordOf(row.State)), row.Month.Length == 0 ? "–" : row.Cells.ToString("N0", CultureInfo.InvariantCulture), row.FoundAt.Length > 0 ? row.FoundAt : edge.ComparedAt);
            }
        }

        return table;
    }

    public static string WordOf(RangeState state) => state switch
    {
        RangeState.Equal => "RangeEqual",
        RangeState.Differs => "RangeDiffers",
        RangeState.Repaired => "RangeRepaired",
        RangeState.Persists => "RangePersists",
        _ => "RangeNotCompared",
    };
}
