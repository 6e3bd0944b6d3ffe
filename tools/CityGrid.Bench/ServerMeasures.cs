#pragma warning disable RS0030 // The callers of a benchmark are tasks of its own.
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using CityGrid.Cli;
using CityGrid.Cli.Network;
using CityGrid.Hub.Seams;
using CityGrid.Node.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace CityGrid.Bench;

/// <summary>A city as a process of its own, called over gRPC on loopback as its users call it.</summary>
internal sealed class BenchCity : IDisposable
{
    /// <summary>The runtime's settings of a node that has its machine to itself, and not those of a dozen nodes that share one.</summary>
    public static readonly Dictionary<string, string> AsDeployed = new() { ["DOTNET_gcServer"] = "1", ["DOTNET_TieredPGO"] = "1" };

    private readonly NodeProcess _process;
    private Callers? _callers;

    private BenchCity(TreeNode node, NodeProcess process, double readySeconds) => (Node, _process, ReadySeconds) = (node, process, readySeconds);

    public TreeNode Node { get; }

    /// <summary>From the start of the process to the line that says that it serves.</summary>
    public double ReadySeconds { get; }

    /// <summary>The resident memory of the process.</summary>
    public double Megabytes
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
            return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
        }
    }

    /// <summary>Writes a tree of one city and returns the city; nothing runs yet.</summary>
    public static TreeNode Write(string folder)
    {
        var city = TreeWriter.Write(folder, TreePlans.Generated(new TreeShape(1, 1), 5), TimeProvider.System.GetUtcNow(), new SystemEntropy()).Cities.Single();
        // One token calls here as often as it can; what a node allows one token is no figure of what it can do.
        var configuration = JsonNode.Parse(File.ReadAllText(city.Configuration))!;
        configuration["limits"] = new JsonObject { ["callsPerUser"] = 1_000_000, ["readsPerUser"] = 1_000_000 };
        File.WriteAllText(city.Configuration, configuration.ToJsonString());
        return city;
    }

    public static BenchCity Start(TreeNode node)
    {
        var start = TimeProvider.System.GetTimestamp();
        var process = NodeProcess.Start(node.Configuration, AsDeployed);
        process.ReadyAsync(TimeSpan.FromMinutes(5)).GetAwaiter().GetResult();
        return new BenchCity(node, process, TimeProvider.System.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Durable reports a second over gRPC; 64 callers on four connections, each waiting for its answer.</summary>
    public double ReportsPerSecond(int each) => (_callers ??= new Callers(Node.GrpcUrl, Node.Tokens["desk"])).CallsPerSecond(each);

    public void Dispose()
    {
        _callers?.Dispose();
        _process.StopAsync(TimeSpan.FromSeconds(60)).GetAwaiter().GetResult();
        _process.Dispose();
    }
}

/// <summary>The server that does nothing with the same call, or only waits for the disk; a process of its own.</summary>
internal sealed class NothingServer : IDisposable
{
    private readonly Process _process;
    private readonly Callers _callers;

    public NothingServer(params string[] arguments)
    {
        _process = ServerMeasures.StartSelf(arguments);
        _callers = new Callers(_process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The server of nothing did not start."), "none");
    }

    public double CallsPerSecond(int each) => _callers.CallsPerSecond(each);

    public void Dispose()
    {
        _callers.Dispose();
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}

/// <summary>
/// 64 callers of a server, a process of their own as in life: it has the collector that a program has by default, while this one has that of a node,
/// because nodes are measured in it.
/// </summary>
internal sealed class Callers : IDisposable
{
    private readonly Process _process;

    public Callers(string url, string token) => _process = ServerMeasures.StartSelf("--call", url, token);

    public double CallsPerSecond(int each)
    {
        _process.StandardInput.WriteLine(each.ToString(CultureInfo.InvariantCulture));
        var rate = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The callers ended; what they said stands above.");
        return double.Parse(rate, CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}

internal static class ServerMeasures
{
    private const int Connections = 4;

    /// <summary>Calls of Report a second, of 64 callers.</summary>
    private static double CallsPerSecond(string url, string token, int each)
    {
        var channels = Enumerable.Range(0, Connections).Select(_ => GrpcChannel.ForAddress(url)).ToArray();
        var clients = channels.Select(c => new CasesService.CasesServiceClient(c)).ToArray();
        var options = NodeClient.OptionsFor(token);
        async Task CallAsync(int caller)
        {
            for (var i = 0; i < each; i++)
            {
                await clients[caller % Connections].ReportAsync(
                    new ReportRequest
                    {
                        RequestKey = Guid.NewGuid().ToString("N"),
                        Type = "01001",
                        Source = "hotline",
                        Personal = new Personal { FreeText = "The manhole cover at the crossing rocks under every wheel and wakes the street at night." },
                    },
                    options);
            }
        }

        var seconds = Figures.SecondsAsync(() => Task.WhenAll(Enumerable.Range(0, JournalMeasures.Callers).Select(caller => Task.Run(() => CallAsync(caller))))).GetAwaiter().GetResult();
        foreach (var channel in channels)
        {
            channel.Dispose();
        }

        return JournalMeasures.Callers * each / seconds;
    }

    /// <summary>Calls as often as each line of the input says, and answers how many calls a second that were, until it ends.</summary>
    public static void Call(string url, string token)
    {
        while (Console.ReadLine() is { } each)
        {
            Console.WriteLine(CallsPerSecond(url, token, int.Parse(each, CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Serves the same call, until its input ends, and does nothing, or waits for an append to a file in a folder. Prints where.</summary>
    public static async Task ServeNothingAsync(string? folder)
    {
        using var journal = folder is null ? null : new RawJournal(new PosixDisk(folder));
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(new Appending(journal));
        await using var app = builder.Build();
        app.UseRouting();
        app.MapGrpcService<NothingService>();
        await app.StartAsync();
        Console.WriteLine(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        await Console.In.ReadToEndAsync();
    }

    /// <summary>Starts this program again with other arguments, under the collector of a node unless it only calls one.</summary>
    public static Process StartSelf(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardInput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet")
        {
            start.ArgumentList.Add(typeof(ServerMeasures).Assembly.Location);
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["DOTNET_gcServer"] = arguments[0] == "--call" ? "0" : "1";
        return Process.Start(start)!;
    }

    private sealed record Appending(RawJournal? Journal);

    private sealed class NothingService(Appending appending) : CasesService.CasesServiceBase
    {
        private static readonly Task<ReportResponse> Answer = Task.FromResult(new ReportResponse());

        public override Task<ReportResponse> Report(ReportRequest request, ServerCallContext context) => appending.Journal is { } journal ? AppendAsync(journal) : Answer;

        private static async Task<ReportResponse> AppendAsync(RawJournal journal)
        {
            await journal.AppendAsync();
            return new ReportResponse();
        }
    }
}
