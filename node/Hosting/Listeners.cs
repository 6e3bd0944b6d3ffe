using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Node.Configuration;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace CityGrid.Node.Hosting;

/// <summary>Which of the node's doors a connection came in by.</summary>
public enum Door
{
    /// <summary>The operator's HTTP port.</summary>
    Operator,

    /// <summary>The operator's gRPC port.</summary>
    OperatorGrpc,

    /// <summary>Where children connect.</summary>
    Link,

    /// <summary>Where nodes enrol that have no certificate yet.</summary>
    Enrolment,
}

/// <summary>TLS of the ports that are open to other places: each sets it on its listener.</summary>
/// <param name="Link">Mutual TLS of the link's port; may be null where the node has none.</param>
/// <param name="Enrolment">TLS of the port of enrolment; may be null where the node has none.</param>
public sealed record LinkDoors(Action<ListenOptions>? Link, Action<ListenOptions>? Enrolment = null);

/// <summary>On an endpoint: only connections that came in by this door reach it. Endpoints without it belong to both operator ports.</summary>
public sealed record OnDoor(Door Door);

/// <summary>The ports of a node, their limits, and their TLS.</summary>
internal static class Listeners
{
    /// <summary>One connection of a child carries one stream; one of a program carries its parallel calls. Those of one child are counted by <see cref="PeerPlaces"/>.</summary>
    private const int StreamsPerConnection = 256;

    /// <summary>A node enrols once; whoever comes in crowds keeps at most these busy.</summary>
    private const int EnrolmentConnections = 16;

    // Measured in the design papers: with the defaults of 128 kB and 96 kB two stalled streams stop the connection. Memory bound:
    // connections x 4 MB, so the number of connections is bounded too.
    private const int ConnectionWindow = 4 << 20;
    private const int StreamWindow = 1 << 20;

    public static void Configure(KestrelServerOptions kestrel, NodeConfiguration configuration, LinkDoors doors, PeerPlaces peers, TimeProvider clock, ILogger log)
    {
        kestrel.AddServerHeader = false;
        var limits = kestrel.Limits;
        limits.MaxRequestBodySize = configuration.Limits.RequestBytes;
        limits.MaxRequestHeaderCount = 100;
        limits.MaxRequestHeadersTotalSize = 32 << 10;
        limits.MaxRequestLineSize = 8 << 10;
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        limits.Http2.MaxStreamsPerConnection = StreamsPerConnection;
        limits.Http2.InitialConnectionWindowSize = ConnectionWindow;
        limits.Http2.InitialStreamWindowSize = StreamWindow;
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);

        var desk = configuration.Operator;
        var tls = desk.CertificateFile is { } file ? Certificate(file, desk.KeyFile!) : null;
        // One count for both operator ports: they serve the same people.
        var arrivals = new TokenBuckets(configuration.Limits.CallsPerAddress, clock);
        var desks = new ConnectionLimit("operator", configuration.Limits.OperatorConnections, arrivals, log);
        kestrel.Listen(desk.Address, desk.Port, listen =>
        {
            Enter(listen, Door.Operator, desks, tls is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2);
            Secure(listen, tls);
        });
        kestrel.Listen(desk.Address, desk.GrpcPort, listen =>
        {
            Enter(listen, Door.OperatorGrpc, desks, HttpProtocols.Http2);
            Secure(listen, tls);
        });
        if (configuration.Link.Port is { } port)
        {
            var strangers = new HandshakePlaces(configuration.Limits.LinkHandshakes, configuration.Limits.LinkHandshakesPerAddress, log);
            var children = new ConnectionLimit("link", configuration.Limits.LinkConnections, null, log);
            var secure = doors.Link ?? throw new InvalidOperationException("A link port without mutual TLS would let anyone report.");
            kestrel.Listen(configuration.Link.Address, port, listen =>
            {
                // Whoever has not proven who it is has no place among those who have.
                Enter(listen, Door.Link, new ConnectionLimit("link", int.MaxValue, arrivals, log), HttpProtocols.Http2);
                listen.Use(next => connection => strangers.RunAsync(connection, next));
                secure(listen);
                listen.Use(next => connection =>
                {
                    HandshakePlaces.Leave(connection);
                    return children.RunAsync(connection, next);
                });
                listen.Use(next => connection => peers.RunAsync(connection, next));
            });
        }

        if (configuration.Children?.EnrolmentPort is { } enrolment)
        {
            var newcomers = new ConnectionLimit("enrolment", EnrolmentConnections, arrivals, log);
            var secure = doors.Enrolment ?? throw new InvalidOperationException("A port of enrolment without TLS would give codes away.");
            kestrel.Listen(configuration.Link.Address, enrolment, listen =>
            {
                Enter(listen, Door.Enrolment, newcomers, HttpProtocols.Http2);
                secure(listen);
            });
        }
    }

    private static void Enter(ListenOptions listen, Door door, ConnectionLimit limit, HttpProtocols protocols)
    {
        listen.Protocols = protocols;
        var mark = new OnDoor(door);
        listen.Use(next => connection =>
        {
            connection.Features.Set(mark);
            return limit.RunAsync(connection, next);
        });
    }

    private static void Secure(ListenOptions listen, X509Certificate2? certificate)
    {
        if (certificate is not null)
        {
            listen.UseHttps(https =>
            {
                https.ServerCertificate = certificate;
                https.SslProtocols = SslProtocols.Tls13 | SslProtocols.Tls12;
            });
        }
    }

    private static X509Certificate2 Certificate(string file, string key)
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(file, key);
        }
        catch (System.Security.Cryptography.CryptographicException)
        {
            throw new ConfigurationException(file, [new ConfigurationFault("operator.certificate", $"\"{file}\"", $"a PEM certificate that fits the key {key} is needed")]);
        }
    }
}

/// <summary>
/// The connections whose handshake is not over: so many in all, and so many of one address. One more ends the oldest, of its address or of all: a handshake that goes on takes a
/// fraction of a second, and what is older says nothing. For many threads.
/// </summary>
internal sealed class HandshakePlaces(int most, int mostOfAddress, ILogger log)
{
    /// <summary>Oldest first.</summary>
    private readonly LinkedList<(ConnectionContext Connection, string Address)> _open = [];
    private readonly Dictionary<string, int> _ofAddress = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    public int Open
    {
        get
        {
            lock (_lock)
            {
                return _open.Count;
            }
        }
    }

    /// <summary>Around the handshake of a connection.</summary>
    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var address = CallLimits.NameOf((connection.RemoteEndPoint as IPEndPoint)?.Address);
        var (entry, oldest) = Enter(connection, address);
        if (oldest is not null)
        {
            Log.TooManyHandshakes(log);
            oldest.Abort(new ConnectionAbortedException("Too many connections that have not proven who they are; this one was the oldest."));
        }

        using var place = new Place(() => Leave(entry), connection.ConnectionClosed);
        connection.Features.Set(place);
        await next(connection);
    }

    /// <summary>The handshake is over: the connection has its place among those that have proven who they are.</summary>
    public static void Leave(ConnectionContext connection) => connection.Features.Get<Place>()?.Dispose();

    private (LinkedListNode<(ConnectionContext Connection, string Address)> Entry, ConnectionContext? Oldest) Enter(ConnectionContext connection, string address)
    {
        lock (_lock)
        {
            var crowded = _ofAddress.GetValueOrDefault(address) >= mostOfAddress ? First(address) : _open.Count >= most ? _open.First : null;
            if (crowded is not null)
            {
                Remove(crowded);
            }

            _ofAddress[address] = _ofAddress.GetValueOrDefault(address) + 1;
            return (_open.AddLast((connection, address)), crowded?.Value.Connection);
        }
    }

    private LinkedListNode<(ConnectionContext Connection, string Address)>? First(string address)
    {
        var node = _open.First;
        while (node is not null && node.Value.Address != address)
        {
            node = node.Next;
        }

        return node;
    }

    /// <summary>One whose place was taken has none to give back.</summary>
    private void Leave(LinkedListNode<(ConnectionContext Connection, string Address)> entry)
    {
        lock (_lock)
        {
            if (entry.List is not null)
            {
                Remove(entry);
            }
        }
    }

    private void Remove(LinkedListNode<(ConnectionContext Connection, string Address)> entry)
    {
        _open.Remove(entry);
        if (--_ofAddress[entry.Value.Address] == 0)
        {
            _ofAddress.Remove(entry.Value.Address);
        }
    }
}

/// <summary>
/// At most so many connections at a time by one door, and so many new ones a second from one address; one more is closed at once, and the log says so.
/// A connection gives its place back as its transport closes: the server may never come to an end with one that was attacked (seen with HTTP/2 streams
/// opened faster than it writes), and its place would be lost for good.
/// </summary>
internal sealed class ConnectionLimit(string name, int most, TokenBuckets? arrivals, ILogger log)
{
    private int _open;

    public int Open => Volatile.Read(ref _open);

    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        Interlocked.Increment(ref _open);
        using var place = new Place(() => Interlocked.Decrement(ref _open), connection.ConnectionClosed);
        if (Open > most)
        {
            Log.TooManyConnections(log, name, most);
            connection.Abort(new ConnectionAbortedException("Too many connections."));
            return;
        }

        if (arrivals?.Take(CallLimits.NameOf((connection.RemoteEndPoint as IPEndPoint)?.Address)) is not null)
        {
            Log.TooManyArrivals(log, name);
            connection.Abort(new ConnectionAbortedException("Too many new connections from this address."));
            return;
        }

        await next(connection);
    }
}

/// <summary>Given back once: when it is disposed, or when what holds it is gone, whichever comes first.</summary>
internal sealed class Place : IDisposable
{
    private readonly CancellationTokenRegistration _gone;
    private Action? _giveBack;

    public Place(Action giveBack, CancellationToken gone)
    {
        _giveBack = giveBack;
        _gone = gone.UnsafeRegister(static place => ((Place)place!).GiveBack(), this);
    }

    public void Dispose()
    {
        _gone.Dispose();
        GiveBack();
    }

    private void GiveBack() => Interlocked.Exchange(ref _giveBack, null)?.Invoke();
}

/// <summary>Where a node listens, once it does.</summary>
public sealed record NodeAddresses(string? Link, string Operator, string Grpc)
{
    /// <summary>Where nodes enrol; null where none can.</summary>
    public string? Enrolment { get; init; }

    /// <summary>Reads the addresses in the order in which they were asked for: operator, gRPC, link, enrolment.</summary>
    internal static NodeAddresses Of(IReadOnlyList<string> bound)
    {
        var uris = bound.Select(address => new Uri(address)).ToList();
        return new NodeAddresses(uris.Count > 2 ? EndPoint(uris[2]) : null, Root(uris[0]), Root(uris[1])) { Enrolment = uris.Count > 3 ? EndPoint(uris[3]) : null };
    }

    private static string EndPoint(Uri uri) => new IPEndPoint(IPAddress.Parse(uri.Host.Trim('[', ']')), uri.Port).ToString();

    private static string Root(Uri uri) => uri.GetLeftPart(UriPartial.Authority);
}
