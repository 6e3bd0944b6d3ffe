using System.Globalization;
using CityGrid.Cli.Generate;
using CityGrid.Cli.Network;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using Spectre.Console;
using TreeNode = CityGrid.Cli.Network.TreeNode;

namespace CityGrid.Cli;

/// <summary>What the demo is asked to do.</summary>
public sealed record DemoOptions(TreeShape Shape, ulong Seed, string? Data, bool Once, string? Folder);

/// <summary>Ministries × provinces each × cities each, written 1x2x3; there is one ministry.</summary>
public readonly record struct TreeShape(int Provinces, int Cities)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"1x{Provinces}x{Cities}");

    public static bool TryParse(string text, out TreeShape shape)
    {
        shape = default;
        var parts = text.Split('x');
        if (parts is not ["1", var p, var c]
            || !int.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out var provinces)
            || !int.TryParse(c, NumberStyles.None, CultureInfo.InvariantCulture, out var cities)
            || provinces is < 1 or > 10 || cities is < 1 or > 20)
        {
            return false;
        }

        shape = new TreeShape(provinces, cities);
        return true;
    }
}

/// <summary>The whole network on one machine: written, started, loaded, waited for, shown.</summary>
public sealed class Demo(DemoOptions options, IAnsiConsole console)
{
    private const int GeneratedDays = 20;
    private const int GeneratedCasesPerDay = 12;

    public async Task<int> RunAsync(CancellationToken stop)
    {
        var folder = options.Folder ?? Directory.CreateTempSubdirectory("citygrid-demo-").FullName;
        console.WriteLine(options.Data is null ? Texts.Get("DemoGenerated", options.Seed) : Texts.Get("DemoReal", options.Data));
        var plan = options.Data is null ? TreePlans.Generated(options.Shape, options.Seed) : TreePlans.UnitedStates();
        console.WriteLine(Texts.Get("DemoWriting", plan.Places.Count, folder));
        var tree = TreeWriter.Write(folder, plan, TimeProvider.System.GetUtcNow(), new SystemEntropy());

        var running = new RunningTree(tree);
        var keeps = options.Folder is not null;
        try
        {
            await running.StartAsync(node => console.WriteLine(Texts.Get("DemoStarted", node.Node, node.OperatorUrl)), stop);
            console.WriteLine(Texts.Get("DemoLoading", tree.Cities.Count()));
            if (options.Data is null)
            {
                await Task.WhenAll(tree.Cities.Select(city => GenerateAsync(city, plan, stop)));
            }
            else
            {
                await ImportAsync(tree, options.Data, stop);
            }

            console.WriteLine(Texts.Get("DemoWaiting"));
            var start = TimeProvider.System.GetTimestamp();
            var limit = TimeSpan.FromMinutes(2);
            if (!await running.WaitUntilEqualAsync(limit, stop))
            {
                // The logs that it names are what tells why.
                keeps = true;
                console.WriteLine(Texts.Get("DemoNotEqual", (long)limit.TotalSeconds, folder));
                return 1;
            }

            console.WriteLine(Texts.Get("DemoEqual", Math.Round(TimeProvider.System.GetElapsedTime(start).TotalSeconds, 1)));
            await ShowAsync(tree, plan, stop);
            if (!options.Once)
            {
                console.WriteLine(Texts.Get("DemoRunning"));
                await Task.Delay(Timeout.Infinite, stop);
            }
        }
#pragma warning disable CA1031 // Ctrl-C is how the demo is meant to end; on a terminal it ends the nodes too, whatever they are asked just then.
        catch (Exception) when (stop.IsCancellationRequested)
#pragma warning restore CA1031
        {
        }
        finally
        {
            console.WriteLine(Texts.Get("DemoStopping", tree.Nodes.Count));
            await running.DisposeAsync();
            if (!keeps)
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        return 0;
    }

    private async Task GenerateAsync(TreeNode city, TreePlan plan, CancellationToken stop)
    {
        var zone = DateTimeZoneProviders.Tzdb[plan.Places.First(p => p.Node == city.Node).Zone];
        var now = TimeProvider.System.Now();
        var generator = new CaseGenerator(new GeneratorPlan
        {
            City = DivisionCode.Parse(city.Division),
            Register = plan.Register,
            Catalogue = TypeCatalogue.BuiltIn,
            Calendar = new WorkCalendar(zone),
            Seed = options.Seed,
            FirstDay = now.InZone(zone).Date.PlusDays(-GeneratedDays),
            Days = GeneratedDays,
            CasesPerDay = GeneratedCasesPerDay,
            Until = now - Duration.FromMinutes(1),
        });
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        var player = new ScriptPlayer(client, city.Tokens);
        await player.PlayAsync(generator, stop);
        console.WriteLine(Texts.Get("DemoLoaded", city.Name, player.Reported, player.Steps, player.Refused));
    }

    private async Task ImportAsync(WrittenTree tree, string data, CancellationToken stop)
    {
        foreach (var (file, mapping, division) in TreePlans.RealFiles(data))
        {
            var city = tree.Cities.Single(c => c.Division == division);
            using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
            var start = TimeProvider.System.GetTimestamp();
            var result = await new ImportRun(client, mapping.Read(), mapping.Name, TimeProvider.System).RunAsync(file, null, null, stop);
            var seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
            console.WriteLine(Texts.Get("DemoImported", Path.GetFileName(file), result.Rows, result.Created, result.Unchanged, result.Faults, result.Dirt, (long)(result.Rows / seconds)));
        }
    }

    private async Task ShowAsync(WrittenTree tree, TreePlan plan, CancellationToken stop)
    {
        var root = tree.Root;
        using var client = new NodeClient(root.GrpcUrl, root.Tokens["viewer"]);
        console.WriteLine();
        console.WriteLine(Texts.Get("DemoView"));
        var request = new QueryRequest { By = { "province", "city" }, Measures = { "reported", "filed", "closed", "cohort_closed_within_72h", "open_at", "overdue_at", "p50", "p90" } };
        var response = await client.Views.QueryAsync(request, client.Options.WithCancellationToken(stop));
        console.Write(ViewTable.National(response, plan.Register));
        console.WriteLine(ViewTable.Coverage(response));
        var escalations = await client.Views.ListEscalationsAsync(new ListEscalationsRequest { PageSize = 500 }, client.Options);
        console.WriteLine(Texts.Get("DemoEscalations", escalations.Escalations.Count));
        console.WriteLine();
        console.WriteLine(Texts.Get("DemoAddresses", tree.Folder));
        foreach (var node in tree.Nodes)
        {
            console.WriteLine($"  {node.Tier,-9} {node.Node,-20} {node.OperatorUrl}  gRPC {node.GrpcUrl}");
        }
    }
}
