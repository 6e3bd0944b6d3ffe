using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Hub.Reception;

/// <summary>Judges what whoever connects has shown, its certificate and the authorities sent with it; null with the refusal for one that may not.</summary>
public delegate IPeerIdentity? PeerJudge(X509Certificate2? certificate, X509Certificate2Collection between, out Refusal? refusal);

/// <summary>On a connection: the authorities that the peer sent with its certificate, which the server keeps nowhere else.</summary>
public sealed record ShownBetween(X509Certificate2Collection Certificates);

/// <summary>A call is judged as its connection was: a certificate may have been revoked since.</summary>
internal static class PeerJudging
{
    public static async Task<IPeerIdentity> OfAsync(this PeerJudge judge, ServerCallContext context)
    {
        var http = context.GetHttpContext();
        var certificate = await http.Connection.GetClientCertificateAsync(context.CancellationToken);
        return judge(certificate, http.Features.Get<ShownBetween>()?.Certificates ?? [], out var refusal)
            ?? throw new RpcException(new Status(StatusCode.Unauthenticated, refusal!.ToString()));
    }
}

/// <summary>
/// The link's gRPC service at the parent: one stream a child, frames taken one after the other, each answered when its effect is durable. It holds
/// no state but who is connected.
/// </summary>
[BindServiceMethod(typeof(LinkGrpcService), nameof(Bind))]
public sealed class LinkGrpcService(LinkDoor door, LinkPresence presence, PeerJudge judge, IHostApplicationLifetime lifetime) : LinkService.LinkServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => LinkService.Descriptor;

    public static void Bind(ServiceBinderBase binder, LinkService.LinkServiceBase service) => LinkService.BindService(new BoundedCalls(binder, Descriptor), service);

    /// <summary>A full queue is half a second of work.</summary>
    private static readonly TimeSpan BusyPause = TimeSpan.FromSeconds(1);

    /// <summary>Frames that wait to be written: a child has at most eight parts under way, one part of orders, one chunk of a package, and each query once.</summary>
    private const int OutgoingMax = 16 + Reach.Gathering.UnderWayMax;

    public override async Task Connect(IAsyncStreamReader<ConnectRequest> requestStream, IServerStreamWriter<ConnectResponse> responseStream, ServerCallContext context)
    {
        var peer = await judge.OfAsync(context);

        // The child must not take itself for connected before it is let in.
        await context.WriteResponseHeadersAsync([]);
        using var seat = presence.Sit(peer.Node);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping, seat.Superseded);
        try
        {
            await ConverseAsync(peer, requestStream, responseStream, stop.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "The node is stopping. Connect again in a while."));
        }
        catch (OperationCanceledException) when (seat.Superseded.IsCancellationRequested)
        {
            throw new RpcException(seat.IsDropped
                ? new Status(StatusCode.Unauthenticated, $"The certificate of {peer.Node} is not taken any more.")
                : new Status(StatusCode.Aborted, $"Another connection of {peer.Node} has taken the place of this one."));
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException && context.CancellationToken.IsCancellationRequested)
        {
            // The child is gone; what it had sent and was not yet answered it will send again.
        }
        catch (InvalidProtocolBufferException failure)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"MALFORMED: The message is no ConnectRequest: {failure.Message}"));
        }
        catch (NodeStoppedException failure)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, failure.Message));
        }
    }

    /// <summary>
    /// Frame by frame: the next is read when the answer to the one before is on its way, which is all the flow control there is to it. Orders wait for
    /// their turn among the answers, for a stream is written by one at a time; one that finds no room is sent again (clause O3).
    /// </summary>
    private async Task ConverseAsync(IPeerIdentity peer, IAsyncStreamReader<ConnectRequest> requests, IServerStreamWriter<ConnectResponse> responses, CancellationToken stop)
    {
        var outgoing = Channel.CreateBounded<ConnectResponse>(new BoundedChannelOptions(OutgoingMax) { SingleReader = true });
        var connection = new LinkConnection(peer, frame => outgoing.Writer.TryWrite(frame));
        var orders = WriteAsync(outgoing.Reader, responses, stop);
        try
        {
            while (!connection.IsOver && await requests.MoveNext(stop))
            {
                ConnectResponse? response;
                try
                {
                    response = await door.TakeAsync(connection, requests.Current);
                }
                catch (NodeBusyException busy)
                {
                    response = Answers.Busy(requests.Current, busy.Message, BusyPause);
                    if (connection.Session is null || response.Refusal.Lane == Lane.Unspecified)
                    {
                        await outgoing.Writer.WriteAsync(response, stop);
                        return;
                    }
                }

                if (response is not null)
                {
                    await outgoing.Writer.WriteAsync(response, stop);
                    door.Answered(connection);
                }
            }
        }
        finally
        {
            door.Close(connection);
            outgoing.Writer.Complete();
            await orders;
        }
    }

    private static async Task WriteAsync(ChannelReader<ConnectResponse> outgoing, IServerStreamWriter<ConnectResponse> responses, CancellationToken stop)
    {
        await foreach (var frame in outgoing.ReadAllAsync(stop))
        {
            Failpoint.Hit("answer.send.before");
            await responses.WriteAsync(frame, stop);
            Failpoint.Hit("answer.send.after");
        }
    }
}

/// <summary>Who is connected now. A child has one connection; a newer one takes the place of the one before, which may be dead without anyone knowing.</summary>
public sealed class LinkPresence
{
    private readonly Dictionary<NodeId, Seat> _seats = [];
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

    internal Seat Sit(NodeId child)
    {
        var seat = new Seat(this, child);
        Seat? before;
        lock (_lock)
        {
            before = _seats.GetValueOrDefault(child);
            _seats[child] = seat;
        }

        before?.Supersede();
        return seat;
    }

    /// <summary>Ends a child's connection: what let it in holds no more.</summary>
    public void Drop(NodeId child)
    {
        Seat? seat;
        lock (_lock)
        {
            seat = _seats.GetValueOrDefault(child);
        }

        seat?.Drop();
    }

    private void Leave(NodeId child, Seat seat)
    {
        lock (_lock)
        {
            if (ReferenceEquals(_seats.GetValueOrDefault(child), seat))
            {
                _seats.Remove(child);
            }
        }
    }

    /// <summary>A child's place for the length of its connection.</summary>
    internal sealed class Seat(LinkPresence presence, NodeId child) : IDisposable
    {
        private readonly CancellationTokenSource _superseded = new();

        /// <summary>Cancelled when a newer connection of the same child has come, or it was dropped.</summary>
        public CancellationToken Superseded => _superseded.Token;

        public bool IsDropped { get; private set; }

        public void Dispose() => presence.Leave(child, this);

        // Not disposed: it has no timer and no handle, and a newer connection may come at the very moment this one ends.
        public void Supersede() => _superseded.Cancel();

        public void Drop()
        {
            IsDropped = true;
            _superseded.Cancel();
        }
    }
}
