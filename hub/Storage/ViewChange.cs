using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>A document as it stands after a change, and the shelf it belongs to. A document never changes its shelf.</summary>
public sealed record ViewChange(string Shelf, ViewDocument Document);

/// <summary>
/// A shelf of which the store does not hold all: only what changed after <see cref="From"/> is missing, or everything where that is zero.
/// Its documents are read from the journal until <see cref="Projector.Fill"/> has closed the gap.
/// </summary>
public sealed record ShelfGap(string Shelf, Lsn From);

/// <summary>
/// How far the views are: every change up to <see cref="Applied"/> is in them, the journal ends at <see cref="Head"/>. While
/// <see cref="Building"/>, a list may lack documents and says so ("lsn x of y"); reading one by its id is exact all the same.
/// </summary>
public readonly record struct ViewStatus(Lsn Applied, Lsn Head, bool Building)
{
    /// <summary>Positions that the views are behind.</summary>
    public long Lag => Head.Value - Applied.Value;

    public override string ToString() => $"{(Building ? "building, " : string.Empty)}lsn {Applied} of {Head}";
}

/// <summary>Part of a list, and how far the views were when it was read.</summary>
public sealed record ViewPage(IReadOnlyList<ViewDocument> Documents, ViewStatus Status);

/// <summary>Limits of a projector with their arithmetic.</summary>
public sealed record ProjectorOptions
{
    /// <summary>Intake slows while the views are further behind than this, except in bulk. The default is 10,000 positions: a quarter of a second of projection.</summary>
    public long LagMax { get; init; } = 10_000;

    /// <summary>
    /// Bodies kept for documents that wait; beyond that only id and position are kept (about 150 B each) and the body is made again from the
    /// journal when it is needed. In bulk, half of it comes together before anything goes to the store: the cores are the import's. The default is 64 MB:
    /// 130,000 documents of 500 B.
    /// </summary>
    public long PendingBytesMax { get; init; } = 64L << 20;
}
