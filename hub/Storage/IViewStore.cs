using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>
/// The view store: documents that are folds of the journal, thrown away and rebuilt whenever they are behind, damaged or doubted. A document
/// is bytes under a name in a shelf; a shelf is a file with its own applied position (for cases, the month in which the id was minted).
/// LiteDB in production, memory in simulation; one conformance suite runs over both. A shelf found damaged is put aside: from then on its
/// position is zero and every call on it throws <see cref="ShelfDamagedException"/> until <see cref="Drop"/> says that the caller knows. So an
/// answer is right or refused, and nobody writes into a shelf that is whole no more. Safe for many threads.
/// </summary>
public interface IViewStore : IDisposable
{
    /// <summary>The shelves that exist, in ordinal order.</summary>
    IReadOnlyList<string> Shelves { get; }

    /// <summary>Applied up to, for one shelf; zero for one that does not exist or had to be thrown away.</summary>
    Lsn AppliedLsn(string shelf);

    /// <summary>
    /// Puts the documents (replacing by id) and the new applied position in one transaction. At most <see cref="ViewLimits.DocumentsMax"/>
    /// documents; throws <see cref="ViewStoreFullException"/>, having written nothing, where the disk has no room left.
    /// </summary>
    void Apply(string shelf, IReadOnlyList<ViewDocument> documents, Lsn appliedLsn);

    /// <summary>One document; null where there is none.</summary>
    ViewDocument? Get(string shelf, UInt128 id);

    /// <summary>At most <paramref name="most"/> documents with ids greater than <paramref name="after"/>, in order of id.</summary>
    IReadOnlyList<ViewDocument> Page(string shelf, UInt128 after, int most);

    /// <summary>Throws a shelf away, if there is one; it starts again at position zero.</summary>
    void Drop(string shelf);
}

/// <summary>A document of a view: the id it is kept under, the position of the last event in it, and its bytes.</summary>
public sealed record ViewDocument(UInt128 Id, Lsn Lsn, ReadOnlyMemory<byte> Bytes);

/// <summary>Limits of a view store with their arithmetic.</summary>
public static class ViewLimits
{
    /// <summary>1,000 documents of about 500 B are 70 pages of LiteDB: far below the 1,000 at which it writes a transaction out half done.</summary>
    public const int DocumentsMax = 1000;

    /// <summary>The body of one document. LiteDB refuses more than 16,683,050 bytes.</summary>
    public const int DocumentBytesMax = 8 << 20;

    /// <summary>Bodies of one transaction, unless a single document is larger.</summary>
    public const int TransactionBytesMax = 4 << 20;

    /// <summary>A shelf's name: 1 to 64 characters of a–z, 0–9 and '-', not starting with '-'; it becomes the name of a file.</summary>
    public static string CheckedShelf(string shelf) =>
        shelf.Length is > 0 and <= 64 && shelf[0] != '-' && shelf.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-')
            ? shelf
            : throw new ArgumentException($"'{shelf}' is no name of a shelf: 1 to 64 characters of a-z, 0-9 and '-' are expected.", nameof(shelf));

    /// <summary>Throws <see cref="ArgumentException"/> for a batch that no store takes: too many documents, one too large, or the id 0.</summary>
    public static void Check(string shelf, IReadOnlyList<ViewDocument> documents)
    {
        CheckedShelf(shelf);
        if (documents.Count > DocumentsMax)
        {
            throw new ArgumentException($"{documents.Count} documents for '{shelf}' in one transaction; at most {DocumentsMax} are taken.", nameof(documents));
        }

        foreach (var document in documents)
        {
            if (document.Bytes.Length > DocumentBytesMax || document.Id == UInt128.Zero)
            {
                throw new ArgumentException($"Document {document.Id:x32} for '{shelf}' has {document.Bytes.Length} bytes; ids are not 0 and bodies have at most {DocumentBytesMax}.", nameof(documents));
            }
        }
    }
}

/// <summary>
/// A shelf was found damaged and put aside; the store holds nothing of it until it is dropped and rebuilt from the journal. No data are lost:
/// the journal is the truth.
/// </summary>
public sealed class ShelfDamagedException(string shelf, string what, Exception? cause = null)
    : Exception($"View shelf '{shelf}' was put aside: {what} It is rebuilt from the journal.", cause)
{
    public string Shelf { get; } = shelf;
}

/// <summary>The disk has too little room for the views; the journal goes on and the views catch up once there is room again.</summary>
public sealed class ViewStoreFullException(long freeBytes, long freeBytesMin)
    : IOException($"The views stand still: {freeBytes} bytes are free, {freeBytesMin} are kept free for the journal. Make room on the disk; nothing is lost.");
