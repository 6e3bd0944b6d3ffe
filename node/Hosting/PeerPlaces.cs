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
/// through however many certificates. For many threads.
/// </summary>
internal sealed class PeerPlaces(LimitsConfiguration limits, ILogger<PeerPlaces> log)
{
    private readonly Dictionary<string, (int Connections, int Streams)> _open = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Behind the handshake of a connection: it goes on where its child may have one more, or is closed and the log says so.</summary>
    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is not { } certificate || PeerCertificate.NamesIn(certificate) is not { } names)
        {
            await next(connection);
            return;
        }

        var peer = new LinkPeer(names.Node.ToString());
        if (!Enter(peer, connections: 1, streams: 0))
        {
            Log.TooManyOfOnePeer(log, peer.Name, limits.LinkConnectionsPerPeer);
            connection.Abort(new ConnectionAbortedException("Too many connections of one peer."));
            return;
        }

        connection.Features.Set(peer);
        using var place = new Place(() => Leave(peer, connections: 1, streams: 0), connection.ConnectionClosed);
        await next(connection);
    }

    /// <summary>False where the child has as many as it may.</summary>
    public bool Enter(LinkPeer peer, int connections, int streams)
    {
        lock (_lock)
        {
            var (open, running) = _open.GetValueOrDefault(peer.Name);
            var more = (Connections: open + connections, Streams: running + streams);
            if (more.Connections > limits.LinkConnectionsPerPeer || more.Streams > limits.LinkStreamsPerPeer)
            {
                return false;
            }

            _open[peer.Name] = more;
            return true;
        }
    }

    public void Leave(LinkPeer peer, int connections, int streams)
    {
        lock (_lock)
        {
            var (open, running) = _open[peer.Name];
            if (open == connections && running == streams)
            {
                _open.Remove(peer.Name);
            }
            else
            {
                _open[peer.Name] = (open - connections, running - streams);
            }
        }
    }

    public int StreamsMost => limits.LinkStreamsPerPeer;
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

        if (places.Enter(peer, connections: 0, streams: 1))
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
        using var place = new Place(() => places.Leave(peer, connections: 0, streams: 1), context.RequestAborted);
        await next(context);
    }
}
