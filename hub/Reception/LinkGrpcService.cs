using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Grpc.Core;
using Microsoft.Extensions.Hosting;

namespace CityGrid.Hub.Reception;

/// <summary>Judges the certificate of whoever connects; null with the refusal for one that may not.</summary>
public delegate IPeerIdentity? PeerJudge(System.Security.Cryptography.X509Certificates.X509Certificate2? certificate, out Refusal? refusal);

/// <summary>
/// The link's gRPC service at the parent: one stream a child, frames taken one after the other, each answered when its effect is durable. It holds
/// no state but who is connected.
/// </summary>
public sealed class LinkGrpcService(LinkDoor door, LinkPresence presence, PeerJudge judge, IHostApplicationLifetime lifetime) : LinkService.LinkServiceBase
{
    public override async Task Connect(IAsyncStreamReader<ConnectRequest> requestStream, IServerStreamWriter<ConnectResponse> responseStream, ServerCallContext context)
    {
        var certificate = await context.GetHttpContext().Connection.GetClientCertificateAsync(context.CancellationToken);
        if (judge(certificate, out var refusal) is not { } peer)
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, refusal!.ToString()));
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var connection = new LinkConnection(peer);
        using var seat = presence.Sit(peer.Node);
        try
        {
            while (!connection.IsOver && await requestStream.MoveNext(stop.Token))
            {
                var response = await door.TakeAsync(connection, requestStream.Current);
                await responseStream.WriteAsync(response, stop.Token);
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "The node is stopping. Connect again in a while."));
        }
        catch (OperationCanceledException)
        {
            // The child is gone; what it had sent and was not yet answered it will send again.
        }
        catch (Exception failure) when (failure is NodeBusyException or NodeStoppedException)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, failure.Message));
        }
    }
}

/// <summary>Who is connected now.</summary>
public sealed class LinkPresence
{
    private readonly Dictionary<NodeId, int> _seats = [];
    private readonly Lock _lock = new();

    public bool IsConnected(NodeId child)
    {
        lock (_lock)
        {
            return _seats.ContainsKey(child);
        }
    }

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _seats.Count;
            }
        }
    }

    internal IDisposable Sit(NodeId child)
    {
        lock (_lock)
        {
            _seats[child] = _seats.GetValueOrDefault(child) + 1;
        }

        return new Seat(this, child);
    }

    private void Leave(NodeId child)
    {
        lock (_lock)
        {
            if (--_seats[child] == 0)
            {
                _seats.Remove(child);
            }
        }
    }

    private sealed class Seat(LinkPresence presence, NodeId child) : IDisposable
    {
        public void Dispose() => presence.Leave(child);
    }
}
