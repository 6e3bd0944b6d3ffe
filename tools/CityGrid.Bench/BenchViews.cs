using System.Net;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace CityGrid.Bench;

/// <summary>A ministry with the cells of the whole nation in memory, whose view is asked over gRPC on loopback.</summary>
internal sealed class BenchViews : IDisposable
{
    private readonly BenchNode _node;
    private readonly WebApplication _app;
    private readonly GrpcChannel _channel;
    private readonly ViewsService.ViewsServiceClient _client;

    private BenchViews(BenchNode node, WebApplication app)
    {
        (_node, _app) = (node, app);
        _channel = GrpcChannel.ForAddress(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        _client = new ViewsService.ViewsServiceClient(_channel);
    }

    public static BenchViews Start(string folder)
    {
        var node = new BenchNode(folder, (NodeId.Parse("ministry"), DivisionCode.Parse("CN")));
        node.Core.Sequencer.Read(() => CellMeasures.MergeNation(node.Core.Cells));
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(node);
        var app = builder.Build();
        app.UseRouting();
        app.MapGrpcService<NationService>();
        app.StartAsync().GetAwaiter().GetResult();
        return new BenchViews(node, app);
    }

    /// <summary>Seconds from the question to the whole answer, the mean of so many: reported, filed, closed and closed in time of each type over 90 days.</summary>
    public double NationByTypeSeconds()
    {
        var query = new QueryRequest { From = CellMeasures.FirstDay.ToString(), To = CellMeasures.FirstDay.Plus(CellMeasures.Days).ToString() };
        query.By.Add("type");
        query.Measures.Add(["reported", "filed", "closed", "handled_in_time"]);
        return Figures.SecondsAsync(async () =>
        {
            for (var question = 0; question < Figures.Questions; question++)
            {
                var answer = await _client.QueryAsync(query);
                if (answer.Rows.Count < CellMeasures.Types)
                {
                    throw new InvalidOperationException($"The nation has {answer.Rows.Count} types: the measure is wrong.");
                }
            }
        }).GetAwaiter().GetResult() / Figures.Questions;
    }

    public void Dispose()
    {
        _channel.Dispose();
        _app.StopAsync().GetAwaiter().GetResult();
        _node.Dispose();
    }

    private sealed class NationService(BenchNode node) : ViewsService.ViewsServiceBase
    {
        public override Task<QueryResponse> Query(QueryRequest request, ServerCallContext context) =>
            Task.FromResult(node.Core.Views.Answer(request, out var refusal) ?? throw new RpcException(new Status(StatusCode.InvalidArgument, refusal!.ToString())));
    }
}
