using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace CityGrid.Node.Uplink;

/// <summary>What a child shows and expects at the other end.</summary>
public sealed record GrpcWireSettings(Uri Parent, NodeId ParentNode, DivisionCode ParentDivision, Func<X509Certificate2> Certificate, Func<X509Certificate2Collection> Authorities)
{
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

    private async Task RunAsync(IWireEvents events, CancellationToken stop)
    {
        var reason = "The parent ended the connection.";
        try
        {
            using var handler = Handler();
            using var channel = GrpcChannel.ForAddress(settings.Parent, new GrpcChannelOptions
            {
                HttpHandler = handler,
                MaxReceiveMessageSize = settings.MessageBytesMax,
                MaxSendMessageSize = settings.MessageBytesMax,
                MaxRetryAttempts = 1,
            });
            // The call itself connects, and fails at once where nobody answers. (ConnectAsync would try again by itself, with pauses of up to two
            // minutes that the sender's own back-off knows nothing of.)
            using var hangUp = CancellationTokenSource.CreateLinkedTokenSource(stop);
            using var call = new LinkService.LinkServiceClient(channel).Connect(cancellationToken: hangUp.Token);
            var line = new Line(hangUp);
            events.Connected(line);
            var writing = WriteAsync(line, call.RequestStream, hangUp.Token);
            await foreach (var response in call.ResponseStream.ReadAllAsync(hangUp.Token))
            {
                events.Received(response);
            }

            await hangUp.CancelAsync();
            await writing;
        }
        catch (RpcException failure)
        {
            reason = $"{failure.StatusCode}: {failure.Status.Detail}";
        }
        catch (OperationCanceledException)
        {
            reason = stop.IsCancellationRequested ? "The node is stopping." : "Hung up.";
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or AuthenticationException)
        {
            reason = failure.InnerException?.Message ?? failure.Message;
        }

        events.Ended(reason);
    }

    private static async Task WriteAsync(Line line, IClientStreamWriter<ConnectRequest> stream, CancellationToken stop)
    {
        try
        {
            await foreach (var request in line.Outgoing.ReadAllAsync(stop))
            {
                await stream.WriteAsync(request, stop);
            }
        }
        catch (Exception failure) when (failure is RpcException or OperationCanceledException or InvalidOperationException)
        {
            // The reading side hears of the same end and tells it.
        }
    }

    private SocketsHttpHandler Handler() => new()
    {
        EnableMultipleHttp2Connections = true,
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        KeepAlivePingDelay = TimeSpan.FromSeconds(30),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(20),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        AllowAutoRedirect = false,
        UseProxy = false,
        SslOptions =
        {
            EnabledSslProtocols = SslProtocols.Tls13,
            ClientCertificates = [settings.Certificate()],
            LocalCertificateSelectionCallback = (_, _, _, _, _) => settings.Certificate(),
            RemoteCertificateValidationCallback = (_, certificate, _, _) => IsParent(certificate),
        },
    };

    private bool IsParent(X509Certificate? certificate)
    {
        using var shown = certificate is null ? null : new X509Certificate2(certificate);
        return PeerCertificate.Read(shown, settings.Authorities(), PeerUse.Server, clock.GetUtcNow(), out _) is { } peer
            && peer.Node == settings.ParentNode
            && peer.Divisions.Contains(settings.ParentDivision);
    }

    private sealed class Line(CancellationTokenSource hangUp) : IWireLine
    {
        // The sender has at most eight frames under way, so this never fills.
        private readonly Channel<ConnectRequest> _outgoing = Channel.CreateUnbounded<ConnectRequest>(new UnboundedChannelOptions { SingleReader = true });

        public ChannelReader<ConnectRequest> Outgoing => _outgoing.Reader;

        public void Send(ConnectRequest request) => _outgoing.Writer.TryWrite(request);

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
