namespace CityGrid.Node;

/// <summary>What the core of a node tells: event ids 1 to 99. Positions, counts and codes only, never a case's content.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Recovered up to {Lsn}: {Replayed} events replayed, {Cells} cells, {Open} open cases.")]
    public static partial void Recovered(ILogger log, long lsn, long replayed, long cells, int open);

    [LoggerMessage(2, LogLevel.Error, "The fold {Fold} failed at {Lsn} (kind {Kind}); the event is kept, the fold is doubted.")]
    public static partial void FoldFailed(ILogger log, string fold, long lsn, ushort kind, Exception exception);

    [LoggerMessage(3, LogLevel.Warning, "The snapshot at {Lsn} was passed over: {What} The folds are made from the journal alone; the next snapshot takes its place.")]
    public static partial void SnapshotPassedOver(ILogger log, long lsn, string what);

    [LoggerMessage(7, LogLevel.Warning, "Journal: {What}")]
    public static partial void JournalNoticed(ILogger log, string what);

    [LoggerMessage(8, LogLevel.Error, "A file of the case lists is damaged and was put aside as {What} It is made anew from the journal; should it happen again, look after the disk.")]
    public static partial void ViewPutAside(ILogger log, string what);

    [LoggerMessage(30, LogLevel.Warning, "Certificates: {Code}: {What}")]
    public static partial void CertificatesReported(ILogger log, string code, string what);

    [LoggerMessage(31, LogLevel.Information, "Certificates: {Code}: {What}")]
    public static partial void CertificatesTold(ILogger log, string code, string what);

    [LoggerMessage(4, LogLevel.Warning, "Uplink: {Code}: {What}")]
    public static partial void UplinkReported(ILogger log, string code, string what);

    [LoggerMessage(5, LogLevel.Error, "Link: what {Node} sent was refused for its signature: {What}")]
    public static partial void SignatureRefused(ILogger log, string node, string what);

    [LoggerMessage(9, LogLevel.Error, "Link: {Node} has reached a bound of what one child may lay upon this node, and waits: {What}")]
    public static partial void QuotaReached(ILogger log, string node, string what);

    [LoggerMessage(6, LogLevel.Error, "A query from above could not be answered.")]
    public static partial void QueryFailed(ILogger log, Exception exception);

    [LoggerMessage(21, LogLevel.Warning, "Range {Range} of child {Child} is {State} (position {Lsn}).")]
    public static partial void RangeCompared(ILogger log, string child, string range, string state, long lsn);

    [LoggerMessage(22, LogLevel.Warning, "A repair of range {Range} by child {Child} added {Added} cells, replaced {Replaced}, set {Zeroed} to zero and left {Newer} (position {Lsn}).")]
    public static partial void RangeRepaired(ILogger log, string child, string range, long added, long replaced, long zeroed, long newer, long lsn);

    [LoggerMessage(23, LogLevel.Error, "Range {Range} of child {Child} still differs after its repair (position {Lsn}); look at what is kept aside or refused of it.")]
    public static partial void RangePersists(ILogger log, string child, string range, long lsn);
}
