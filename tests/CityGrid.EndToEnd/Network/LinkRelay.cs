using System.Net;
using CityGrid.Cli.Network;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>
/// One in the middle who has the keys of both ends: the child takes it for its parent, the parent for the child. It records every message, and passes them on as <see cref="Twist"/>s say. What it
/// does not have are the keys that sign.
/// </summary>
internal sealed class LinkRelay : IAsyncDisposable
{
    /// <summary>What was held back passes when nothing came for so long; less than a sender's patience for an answer.</summary>
    private static readonly TimeSpan Lull = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly SeededEntropy _random;
    private readonly GrpcChannel _parent;
    private readonly List<Session> _sessions = [];
    private WebApplication _app = null!;
    private Twist _up = Twist.None;
    private Twist _down = Twist.None;

    private LinkRelay(GrpcChannel parent, ulong seed) => (_parent, _random) = (parent, new SeededEntropy(seed));

    public int Port { get; private set; }

    /// <summary>The connections that the child made, in order, each with what it has said and what its parent has answered, before any of it was twisted.</summary>
    public IReadOnlyList<Session> Sessions
    {
        get
        {
            lock (_lock)
            {
                return [.. _sessions.Where(session => session.Up.Count > 0).Select(session => new Session([.. session.Up], [.. session.Down], session.Over))];
            }
        }
    }

    public static async Task<LinkRelay> StartAsync(WrittenTree tree, TreeNode child, ulong seed)
    {
        var parent = tree.Nodes.Single(node => node.Node == child.Parent);
        var (asChild, asParent) = (CredentialOf(child), CredentialOf(parent));
        var handler = new SocketsHttpHandler { SslOptions = LinkTls.Client(asChild, (_, _) => true), UseProxy = false, EnableMultipleHttp2Connections = true };
        var relay = new LinkRelay(GrpcChannel.ForAddress($"https://127.0.0.1:{parent.LinkPort}", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true }), seed);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(LinkTls.Server(asParent, (_, _) => true)) });
        }));
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = 8 << 20);
        builder.Services.AddSingleton(relay);
        relay._app = builder.Build();
        relay._app.MapGrpcService<Door>();
        await relay._app.StartAsync();
        relay.Port = new Uri(relay._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
        return relay;
    }

    public void Set(Twist up, Twist down)
    {
        lock (_lock)
        {
            (_up, _down) = (up, down);
        }
    }

    /// <summary>Ends the child's connection, if one stands.</summary>
    public void Cut()
    {
        CancellationTokenSource? last;
        lock (_lock)
        {
            last = _sessions.LastOrDefault()?.Over;
        }

        last?.Cancel();
    }

    /// <summary>Says these messages to the parent on a connection of their own, as the child. What it answered, up to the end of the connection or to as many answers as messages.</summary>
    public async Task<IReadOnlyList<ConnectResponse>> PlayAsync(params IReadOnlyList<ConnectRequest> messages)
    {
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        using var call = new LinkService.LinkServiceClient(_parent).Connect(cancellationToken: patience.Token);
        await call.ResponseHeadersAsync;
        var answers = new List<ConnectResponse>();
        var expected = messages.Count(message => message.FrameCase != ConnectRequest.FrameOneofCase.OrdersReceipt);
        var saying = SayAsync(call.RequestStream, messages, patience.Token);
        while (answers.Count < expected && await call.ResponseStream.MoveNext(patience.Token))
        {
            // Orders answer nothing.
            if (call.ResponseStream.Current.Orders is null)
            {
                answers.Add(call.ResponseStream.Current);
            }
        }

        await patience.CancelAsync();
        await saying;
        return answers;
    }

    public async ValueTask DisposeAsync()
    {
        Cut();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _parent.Dispose();
    }

    private static LinkCredential CredentialOf(TreeNode node)
    {
        var home = Path.GetDirectoryName(node.Configuration)!;
        return LinkCredential.Read(File.ReadAllText(Path.Combine(home, "node.pem")), File.ReadAllText(Path.Combine(home, "node.key")));
    }

    private static async Task SayAsync(IClientStreamWriter<ConnectRequest> parent, IReadOnlyList<ConnectRequest> messages, CancellationToken stop)
    {
        try
        {
            foreach (var message in messages)
            {
                await parent.WriteAsync(message, stop);
            }
        }
        catch (Exception ended) when (ended is RpcException or OperationCanceledException or InvalidOperationException)
        {
            // The parent has refused and ended it; what it answered says so.
        }
    }

    private async Task CarryAsync(IAsyncStreamReader<ConnectRequest> child, IServerStreamWriter<ConnectResponse> toChild, CancellationToken gone)
    {
        var session = new Session([], [], new CancellationTokenSource());
        lock (_lock)
        {
            _sessions.Add(session);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(gone, session.Over.Token);
        using var call = new LinkService.LinkServiceClient(_parent).Connect(cancellationToken: stop.Token);
        try
        {
            await call.ResponseHeadersAsync;
            var up = PumpAsync(child, call.RequestStream.WriteAsync, session.Up, () => _up, s => s.Up, message => message.FrameCase != ConnectRequest.FrameOneofCase.Hello, stop.Token);
            var down = PumpAsync(call.ResponseStream, toChild.WriteAsync, session.Down, () => _down, s => s.Down, IsHarmless, stop.Token);
            await await Task.WhenAny(up, down);
            await stop.CancelAsync();
            await Task.WhenAll(up, down);
        }
        catch (Exception ended) when (ended is RpcException or OperationCanceledException or InvalidOperationException or IOException)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "The relay has ended it."));
        }
    }

    /// <summary>A refusal that has the child wait for a person says nothing about a replay that it would not have said the first time.</summary>
    private static bool IsHarmless(ConnectResponse response) => response.Refusal is null or { Code: LinkRefusalCode.Gap };

    private async Task PumpAsync<T>(
        IAsyncStreamReader<T> from, Func<T, CancellationToken, Task> to, List<T> record, Func<Twist> twist, Func<Session, List<T>> recordOf, Func<T, bool> mayComeAgain, CancellationToken stop)
        where T : class
    {
        var held = new List<T>();
        var next = from.MoveNext(stop);
        while (true)
        {
            if (held.Count > 0 && await Task.WhenAny(next, Task.Delay(Lull, stop)) != next)
            {
                await PassAsync(held, to, stop);
                held.Clear();
            }

            if (!await next)
            {
                return;
            }

            T[] pass;
            TimeSpan wait;
            lock (_lock)
            {
                var isFirst = record.Count == 0;
                var recorded = _sessions.SelectMany(recordOf).Where(mayComeAgain).ToArray();
                record.Add(from.Current);

                // The greeting is in its place: without it there is no connection to be tried.
                var by = isFirst && twist() is not Twist.OldWelcome ? Twist.None : twist();
                pass = [.. by.Of(from.Current, held, recorded, _random)];
                wait = by.Wait(_random);
            }

            await Task.Delay(wait, stop);
            await PassAsync(pass, to, stop);
            next = from.MoveNext(stop);
        }
    }

    private static async Task PassAsync<T>(IEnumerable<T> messages, Func<T, CancellationToken, Task> to, CancellationToken stop)
    {
        foreach (var message in messages)
        {
            await to(message, stop);
        }
    }

    /// <summary>One connection of the child, as it was recorded.</summary>
    internal sealed record Session(List<ConnectRequest> Up, List<ConnectResponse> Down, CancellationTokenSource Over)
    {
        public ConnectRequest Hello => Up[0];

        public IEnumerable<ConnectRequest> Parts => Up.Where(message => message.FrameCase is ConnectRequest.FrameOneofCase.Cells or ConnectRequest.FrameOneofCase.Escalations);
    }

    internal sealed class Door(LinkRelay relay) : LinkService.LinkServiceBase
    {
        public override async Task Connect(IAsyncStreamReader<ConnectRequest> requestStream, IServerStreamWriter<ConnectResponse> responseStream, ServerCallContext context)
        {
            await context.WriteResponseHeadersAsync([]);
            await relay.CarryAsync(requestStream, responseStream, context.CancellationToken);
        }
    }
}
