namespace CityGrid.Node.Hosting;

/// <summary>What the surroundings of a node say of themselves: event ids 100 to 199.</summary>
internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Information, "Node {Node} serves: link {Link}, operator {Operator}, gRPC {Grpc}.")]
    public static partial void Serving(ILogger log, string node, string link, string @operator, string grpc);

    [LoggerMessage(101, LogLevel.Information, "Node {Node} ends as asked.")]
    public static partial void Ending(ILogger log, string node);

    [LoggerMessage(102, LogLevel.Critical, "The node must end: {What}")]
    public static partial void Fatal(ILogger log, string what, Exception exception);

    [LoggerMessage(110, LogLevel.Information, "The file of tokens has changed: {Count} are in force.")]
    public static partial void TokensRead(ILogger log, int count);

    [LoggerMessage(111, LogLevel.Warning, "The file of tokens has changed and cannot be used ({Fault}); those in force stay.")]
    public static partial void TokensUnusable(ILogger log, string fault);

    [LoggerMessage(120, LogLevel.Error, "{Method} {Route} failed; the caller was told the id {ErrorId}.")]
    public static partial void CallFailed(ILogger log, string method, string route, string errorId, Exception exception);

    [LoggerMessage(122, LogLevel.Warning, "New connections to the {Listener} port come faster from one address than limits.callsPerAddress allows; one was closed.")]
    public static partial void TooManyArrivals(ILogger log, string listener);

    [LoggerMessage(126, LogLevel.Warning, "The link port has too many connections whose handshake is not over (limits.linkHandshakes, limits.linkHandshakesPerAddress); the oldest was closed for a new one.")]
    public static partial void TooManyHandshakes(ILogger log);

    [LoggerMessage(123, LogLevel.Warning, "The child {Node} has {Count} connections open, the most allowed; its oldest was closed for a new one.")]
    public static partial void TooManyOfOnePeer(ILogger log, string node, int count);

    [LoggerMessage(124, LogLevel.Warning, "Under pressure ({What} at {Count} % of its bound): {Code} are let go of until it falls.")]
    public static partial void Sheds(ILogger log, string what, int count, string code);

    [LoggerMessage(125, LogLevel.Information, "The pressure has fallen ({What} at {Count} % of its bound): all calls are taken again.")]
    public static partial void ShedsNothing(ILogger log, string what, int count);

    [LoggerMessage(121, LogLevel.Warning, "The {Listener} port has {Count} connections, the most allowed; a new one was closed.")]
    public static partial void TooManyConnections(ILogger log, string listener, int count);
}
