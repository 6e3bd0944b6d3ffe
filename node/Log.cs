namespace CityGrid.Node;

/// <summary>What the core of a node tells: event ids 1 to 99. Positions, counts and codes only, never a case's content.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Recovered up to {Lsn}: {Replayed} events replayed, {Cells} cells, {Open} open cases.")]
    public static partial void Recovered(ILogger log, long lsn, long replayed, long cells, int open);

    [LoggerMessage(2, LogLevel.Error, "The fold {Fold} failed at {Lsn} (kind {Kind}); the event is kept, the fold is doubted.")]
    public static partial void FoldFailed(ILogger log, string fold, long lsn, ushort kind, Exception exception);

    [LoggerMessage(30, LogLevel.Warning, "Certificates: {Code}: {What}")]
    public static partial void CertificatesReported(ILogger log, string code, string what);

    [LoggerMessage(31, LogLevel.Information, "Certificates: {Code}: {What}")]
    public static partial void CertificatesTold(ILogger log, string code, string what);

    [LoggerMessage(4, LogLevel.Warning, "Uplink: {Code}: {What}")]
    public static partial void UplinkReported(ILogger log, string code, string what);

    [LoggerMessage(5, LogLevel.Error, "Link: what {Node} sent was refused for its signature: {What}")]
    public static partial void SignatureRefused(ILogger log, string node, string what);
}
