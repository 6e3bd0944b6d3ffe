using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Node.Configuration;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

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
}

/// <summary>On an endpoint: only connections that came in by this door reach it. Endpoints without it belong to both operator ports.</summary>
public sealed record OnDoor(Door Door);

/// <summary>The ports of a node, their limits, and their TLS.</summary>
internal static class Listeners
{
    /// <summary>One connection of a child carries one stream; one of a program carries its parallel calls.</summary>
    private const int StreamsPerConnection = 256;

    // Measured in the design papers: with the defaults of 128 kB and 96 kB two stalled streams stop the connection. Memory bound:
    // connections x 4 MB, so the number of connections is bounded too.
    private const int ConnectionWindow = 4 << 20;
    private const int StreamWindow = 1 << 20;

    public static void Configure(KestrelServerOptions kestrel, NodeConfiguration configuration, Action<HttpsConnectionAdapterOptions>? linkTls, ILogger log)
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
        var desks = new ConnectionLimit("operator", configuration.Limits.OperatorConnections, log);
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
            var children = new ConnectionLimit("link", configuration.Limits.LinkConnections, log);
            var secure = linkTls ?? throw new InvalidOperationException("A link port without mutual TLS would let anyone report.");
            kestrel.Listen(configuration.Link.Address, port, listen =>
            {
                Enter(listen, Door.Link, children, HttpProtocols.Http2);
                listen.UseHttps(secure);
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

/// <summary>At most so many connections at a time by one door; one more is closed at once, and the log says so.</summary>
internal sealed class ConnectionLimit(string name, int most, ILogger log)
{
    private int _open;

    public async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            if (Interlocked.Increment(ref _open) > most)
            {
                Log.TooManyConnections(log, name, most);
                connection.Abort(new ConnectionAbortedException("Too many connections."));
                return;
            }

            await next(connection);
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }
}

/// <summary>Where a node listens, once it does.</summary>
public sealed record NodeAddresses(string? Link, string Operator, string Grpc)
{
    /// <summary>Reads the addresses in the order in which they were asked for: operator, gRPC, link.</summary>
    internal static NodeAddresses Of(IReadOnlyList<string> bound)
    {
        var uris = bound.Select(address => new Uri(address)).ToList();
        return new NodeAddresses(uris.Count > 2 ? new IPEndPoint(IPAddress.Parse(uris[2].Host.Trim('[', ']')), uris[2].Port).ToString() : null, Root(uris[0]), Root(uris[1]));
    }

    private static string Root(Uri uri) => uri.GetLeftPart(UriPartial.Authority);
}
