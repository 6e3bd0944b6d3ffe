using CityGrid.Hub.Identity;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace CityGrid.Node.Hosting;

/// <summary>On a connection of the link: whose certificate it showed.</summary>
internal sealed record LinkPeer(string Name);

/// <summary>
/// How many connections and streams each child has on the link, so that one alone cannot take the places of all. A child is who its certificate names,
/// through however many certificates. One connection more than it may have ends its oldest: where a line died and only the child knows, what it left
/// behind looks alive until the keep-alive has missed an answer, and must not keep out the one in use. For many threads.
/// </summary>
internal sealed class PeerPlaces(LimitsConfiguration limits, ILogger<PeerPlaces> log)
{
    private readonly Dictionary<string, Held> _open = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Behind the handshake of a connection: it has a place, if need be that of its child's oldest, which is closed and the log says so.</summary>
    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is not { } certificate || PeerCertificate.NamesIn(certificate) is not { } names)
        {
            await next(connection);
            return;
        }

        var peer = new LinkPeer(names.Node.ToString());
        if (Enter(peer, connection) is { } oldest)
        {
            Log.TooManyOfOnePeer(log, peer.Name, limits.LinkConnectionsPerPeer);
            oldest.Abort(new ConnectionAbortedException("A newer connection of the same child has taken its place."));
        }

        connection.Features.Set(peer);
        using var place = new Place(() => Leave(peer, connection), connection.ConnectionClosed);
        await next(connection);
    }

    /// <summary>Takes a place for a stream; false where the child has as many as it may.</summary>
    public bool EnterStream(LinkPeer peer)
    {
        lock (_lock)
        {
            var held = HeldBy(peer);
            if (held.Streams >= limits.LinkStreamsPerPeer)
            {
                return false;
            }

            held.Streams++;
            return true;
        }
    }

    public void LeaveStream(LinkPeer peer)
    {
        lock (_lock)
        {
            var held = HeldBy(peer);
            held.Streams--;
            Forget(peer, held);
        }
    }

    /// <summary>The connection whose place it takes; null where there was one free.</summary>
    private ConnectionContext? Enter(LinkPeer peer, ConnectionContext connection)
    {
        lock (_lock)
        {
            var held = HeldBy(peer);
            held.Connections.Add(connection);
            if (held.Connections.Count <= limits.LinkConnectionsPerPeer)
            {
                return null;
            }

            var oldest = held.Connections[0];
            held.Connections.RemoveAt(0);
            return oldest;
        }
    }

    /// <summary>One whose place was taken has none to give back.</summary>
    private void Leave(LinkPeer peer, ConnectionContext connection)
    {
        lock (_lock)
        {
            var held = HeldBy(peer);
            held.Connections.Remove(connection);
            Forget(peer, held);
        }
    }

    private Held HeldBy(LinkPeer peer)
    {
        if (!_open.TryGetValue(peer.Name, out var held))
        {
            _open.Add(peer.Name, held = new Held());
        }

        return held;
    }

    private void Forget(LinkPeer peer, Held held)
    {
        if (held is { Connections.Count: 0, Streams: 0 })
        {
            _open.Remove(peer.Name);
        }
    }

    public int StreamsMost => limits.LinkStreamsPerPeer;

    private sealed class Held
    {
        /// <summary>Oldest first.</summary>
        public List<ConnectionContext> Connections { get; } = [];

        public int Streams { get; set; }
    }
}

/// <summary>Counts the streams of each child on the link; one more than it may have is refused.</summary>
internal sealed class PeerStreams(RequestDelegate next, PeerPlaces places)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<LinkPeer>() is not { } peer)
        {
            return next(context);
        }

        if (places.EnterStream(peer))
        {
            return CountedAsync(context, peer);
        }

        context.Refuse(
            StatusCodes.Status429TooManyRequests,
            new Refusal("TOO_MANY_CALLS", $"{peer.Name} has {places.StreamsMost} streams open, the most allowed (limits.linkStreamsPerPeer). One is enough."),
            TimeSpan.FromSeconds(1));
        return Task.CompletedTask;
    }

    private async Task CountedAsync(HttpContext context, LinkPeer peer)
    {
        using var place = new Place(() => places.LeaveStream(peer), context.RequestAborted);
        await next(context);
    }
}
