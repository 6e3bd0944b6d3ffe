using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>
/// The view store: documents that are folds of the journal, thrown away and rebuilt whenever they are behind, damaged or doubted. A document
/// is bytes under a name in a shelf; a shelf is a file with its own applied position (for cases, the month in which the id was minted).
/// LiteDB in production, memory in simulation; one conformance suite runs over both.
/// </summary>
public interface IViewStore : IDisposable
{
    /// <summary>The shelves that exist, in ordinal order.</summary>
    IReadOnlyList<string> Shelves { get; }

    /// <summary>Applied up to, for one shelf; zero for one that does not exist or had to be thrown away.</summary>
    Lsn AppliedLsn(string shelf);

    /// <summary>Puts the documents (replacing by id) and the new applied position in one transaction.</summary>
    void Apply(string shelf, IReadOnlyList<ViewDocument> documents, Lsn appliedLsn);

    /// <summary>One document; null where there is none.</summary>
    ViewDocument? Get(string shelf, UInt128 id);

    /// <summary>At most <paramref name="most"/> documents with ids greater than <paramref name="after"/>, in order of id.</summary>
    IReadOnlyList<ViewDocument> Page(string shelf, UInt128 after, int most);

    /// <summary>Throws a shelf away; it starts again at position zero.</summary>
    void Drop(string shelf);
}

/// <summary>A document of a view: the id it is kept under, the position of the last event in it, and its bytes.</summary>
public sealed record ViewDocument(UInt128 Id, Lsn Lsn, ReadOnlyMemory<byte> Bytes);
