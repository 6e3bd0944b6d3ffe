using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Grpc.Core;
using Grpc.Net.Client;

namespace CityGrid.Node.Uplink;

/// <summary>What a child shows and expects at the other end.</summary>
public sealed record GrpcWireSettings(Uri Parent, NodeId ParentNode, DivisionCode ParentDivision, Func<LinkCredential> Credential, Func<NetworkTrust> Trust)
{
    /// <summary>The forward proxy by which the parent is reached (HTTP CONNECT, so that it sees nothing but TLS); null for none. What the environment says of proxies is never asked.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>A part of 1,000 cells is about 100 kB.</summary>
    public int MessageBytesMax { get; init; } = 8 << 20;
}

/// <summary>
/// The wire as one gRPC stream over mutual TLS 1.3, dialled by the child. The parent must prove that it is the node and the division expected; the
/// operating system's list of authorities is never asked.
/// </summary>
public sealed class GrpcWire(GrpcWireSettings settings, ISpawner spawner, TimeProvider clock) : IWire
{
    public void Dial(IWireEvents events) => spawner.Spawn("uplink", stop => RunAsync(events, stop));

    /// <summary>Name, address, TLS and the parent's first word together; less than the sender waits for an answer.</summary>
    private static readonly TimeSpan ConnectWait = TimeSpan.FromSeconds(20);

    private async Task RunAsync(IWireEvents events, CancellationToken stop)
    {
        var reason = "The parent ended the connection.";
        Refusal? parentRefused = null;
        using var hangUp = CancellationTokenSource.CreateLinkedTokenSource(stop);
        try
        {
            var credential = settings.Credential();
            using var handler = Handler(credential, refusal => parentRefused = refusal);
            using var channel = GrpcChannel.ForAddress(settings.Parent, new GrpcChannelOptions
            {
                HttpHandler = ByProxy.Of(settings.Proxy, handler),
                DisposeHttpClient = true,
                MaxReceiveMessageSize = settings.MessageBytesMax,
                MaxSendMessageSize = settings.MessageBytesMax,
                MaxRetryAttempts = 1,
            });
            // The call itself connects, and fails at once where nobody answers. (ConnectAsync would try again by itself, with pauses of up to two
            // minutes that the sender's own back-off knows nothing of.)
            using var call = new LinkService.LinkServiceClient(new BoundedAnswers(channel.CreateCallInvoker(), LinkService.Descriptor)).Connect(cancellationToken: hangUp.Token);

            // The parent sends headers when it has let this node in.
            await call.ResponseHeadersAsync.WaitAsync(ConnectWait, clock, stop);
            await CarryAsync(events, call, hangUp, () => !ReferenceEquals(credential, settings.Credential()));
        }
        catch (Exception failure) when (failure is RpcException or OperationCanceledException && hangUp.IsCancellationRequested)
        {
            reason = stop.IsCancellationRequested ? "The node is stopping." : "Hung up.";
        }
        catch (RpcException failure)
        {
            reason = parentRefused?.ToString() ?? $"{failure.StatusCode}: {Cause(failure)}";
        }
        catch (TimeoutException)
        {
            reason = $"{settings.Parent} did not answer within {ConnectWait.TotalSeconds} s.";
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or AuthenticationException or CryptographicException or OperationCanceledException)
        {
            reason = failure.InnerException?.Message ?? failure.Message;
        }

        events.Ended(reason);
    }

    /// <summary>
    /// Carries frames both ways until the parent ends, or one of the two hangs up. Once this node's certificate was renewed it hangs up too, when every frame is answered:
    /// the next dialling shows the new one.
    /// </summary>
    internal static async Task CarryAsync(IWireEvents events, AsyncDuplexStreamingCall<ConnectRequest, ConnectResponse> call, CancellationTokenSource hangUp, Func<bool>? renewed = null)
    {
        var line = new Line(hangUp);
        events.Connected(line);

        // Nobody waits for the writing: a write that the parent's end of the stream overtakes may never come back, and the end must be told.
        _ = WriteAsync(line, call.RequestStream, hangUp.Token);
        await foreach (var response in call.ResponseStream.ReadAllAsync(hangUp.Token))
        {
            events.Received(response);
            if (renewed?.Invoke() == true && response.Number == line.LastNumber)
            {
                line.HangUp();
            }
        }

        await hangUp.CancelAsync();
    }

    /// <summary>What the system said at the bottom of it, such as "Connection refused"; else what the parent said.</summary>
    private static string Cause(RpcException failure)
    {
        var cause = failure.Status.DebugException;
        while (cause?.InnerException is { } inner)
        {
            cause = inner;
        }

        return cause is null ? failure.Status.Detail : cause.Message;
    }

    private static async Task WriteAsync(Line line, IClientStreamWriter<ConnectRequest> stream, CancellationToken stop)
    {
        try
        {
            await foreach (var request in line.Outgoing.ReadAllAsync(stop))
            {
                Failpoint.Hit("wire.write.before");
                await stream.WriteAsync(request, stop);
                Failpoint.Hit("wire.write.after");
            }
        }
        catch (Exception failure) when (failure is RpcException or OperationCanceledException or InvalidOperationException)
        {
            // The reading side hears of the same end and tells it.
        }
    }

    private SocketsHttpHandler Handler(LinkCredential credential, Action<Refusal> refused) => new()
    {
        EnableMultipleHttp2Connections = true,
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        KeepAlivePingDelay = TimeSpan.FromSeconds(30),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(20),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        AllowAutoRedirect = false,
        SslOptions = LinkTls.Client(credential, (certificate, between) => IsParent(certificate, between, refused)),
    };

    private bool IsParent(X509Certificate2? certificate, X509Certificate2Collection between, Action<Refusal> refused)
    {
        var peer = PeerCertificate.Read(certificate, between, settings.Trust(), PeerUse.Server, clock.GetUtcNow(), out var refusal);
        if (peer is not null && (peer.Node != settings.ParentNode || !peer.Divisions.Contains(settings.ParentDivision)))
        {
            refusal = new Refusal("PARENT_IS_ANOTHER", $"{peer.Node} of {string.Join(", ", peer.Divisions)} answers at {settings.Parent}; {settings.ParentNode} of {settings.ParentDivision} is configured.");
        }

        if (refusal is not null)
        {
            refused(refusal);
        }

        return refusal is null;
    }

    private sealed class Line(CancellationTokenSource hangUp) : IWireLine
    {
        // The sender has at most eight frames under way, so this never fills.
        private readonly Channel<ConnectRequest> _outgoing = Channel.CreateUnbounded<ConnectRequest>(new UnboundedChannelOptions { SingleReader = true });

        public ChannelReader<ConnectRequest> Outgoing => _outgoing.Reader;

        /// <summary>The number of the newest frame; one answer comes to each, in order.</summary>
        public long LastNumber { get; private set; }

        public void Send(ConnectRequest request)
        {
            LastNumber = request.Number;
            _outgoing.Writer.TryWrite(request);
        }

        public void HangUp()
        {
            try
            {
                hangUp.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It has ended already.
            }
        }
    }
}
