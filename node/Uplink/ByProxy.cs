using System.Net;

namespace CityGrid.Node.Uplink;

/// <summary>
/// Calls of a parent through a forward proxy (HTTP CONNECT, so that it sees nothing but TLS). The library of the calls chooses among a parent's addresses itself where it finds the handler of
/// sockets, and then fails at a proxy's; behind a handler that it does not know it leaves connecting to the handler.
/// </summary>
internal sealed class ByProxy : HttpMessageHandler
{
    private readonly HttpMessageInvoker _inner;

    private ByProxy(SocketsHttpHandler inner) => _inner = new HttpMessageInvoker(inner);

    /// <summary>The handler as it goes by the proxy; by none where it is null, whatever the environment says of proxies.</summary>
    public static HttpMessageHandler Of(Uri? proxy, SocketsHttpHandler handler)
    {
        (handler.UseProxy, handler.Proxy) = (proxy is not null, proxy is null ? null : new WebProxy(proxy));
        return proxy is null ? handler : new ByProxy(handler);
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _inner.SendAsync(request, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        _inner.Dispose();
        base.Dispose(disposing);
    }
}
