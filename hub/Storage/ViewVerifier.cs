using System.Buffers.Binary;
using System.Security.Cryptography;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>
/// Compares a shelf with the fold it should be (INV-5). The canonical dump of a shelf is, for each document in order of id: id 16 B and lsn 8 B
/// big-endian, length 4 B, body; its SHA-256 is what two places compare.
/// </summary>
public static class ViewVerifier
{
    /// <summary>The hash of the dump of documents, which must come in ascending order of id, each id once.</summary>
    public static Hash256 Hash(IEnumerable<ViewDocument> documents)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var document in Ascending(documents))
        {
            Append(hash, document);
        }

        return Hash256.FromBytes(hash.GetHashAndReset());
    }

    /// <summary>Every document of a shelf in order of id, read page by page.</summary>
    public static IEnumerable<ViewDocument> All(IViewStore store, string shelf)
    {
        for (var page = store.Page(shelf, UInt128.Zero, ViewLimits.DocumentsMax); page.Count > 0; page = store.Page(shelf, page[^1].Id, ViewLimits.DocumentsMax))
        {
            foreach (var document in page)
            {
                yield return document;
            }
        }
    }

    /// <summary>
    /// Compares a shelf, which must not change meanwhile, with the documents of the fold at the shelf's position, ascending by id. A damaged
    /// shelf throws <see cref="ShelfDamagedException"/>.
    /// </summary>
    public static ViewVerdict Verify(IViewStore store, string shelf, IEnumerable<ViewDocument> expected)
    {
        using var storeHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var foldHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var stored = Ascending(All(store, shelf)).GetEnumerator();
        using var folded = Ascending(expected).GetEnumerator();
        var (hasStored, hasFolded) = (stored.MoveNext(), folded.MoveNext());
        long count = 0;
        string? difference = null;
        while (hasStored || hasFolded)
        {
            var (inStore, inFold) = (hasStored ? stored.Current : null, hasFolded ? folded.Current : null);
            var takesStored = inStore is not null && (inFold is null || inStore.Id <= inFold.Id);
            var takesFolded = inFold is not null && (inStore is null || inFold.Id <= inStore.Id);
            difference ??= Difference(takesStored ? inStore : null, takesFolded ? inFold : null);
            if (takesStored)
            {
                Append(storeHash, inStore!);
                count++;
                hasStored = stored.MoveNext();
            }

            if (takesFolded)
            {
                Append(foldHash, inFold!);
                hasFolded = folded.MoveNext();
            }
        }

        return new ViewVerdict(shelf, store.AppliedLsn(shelf), count, Hash256.FromBytes(storeHash.GetHashAndReset()), Hash256.FromBytes(foldHash.GetHashAndReset()), difference);
    }

    private static string? Difference(ViewDocument? stored, ViewDocument? folded) => (stored, folded) switch
    {
        (null, not null) => $"document {folded.Id:x32} (lsn {folded.Lsn}) is missing",
        (not null, null) => $"document {stored.Id:x32} (lsn {stored.Lsn}) should not be there",
        (not null, not null) when stored.Lsn != folded.Lsn => $"document {stored.Id:x32} is of lsn {stored.Lsn} instead of {folded.Lsn}",
        (not null, not null) when !stored.Bytes.Span.SequenceEqual(folded.Bytes.Span) => $"document {stored.Id:x32} (lsn {stored.Lsn}) has another content",
        _ => null,
    };

    private static IEnumerable<ViewDocument> Ascending(IEnumerable<ViewDocument> documents)
    {
        ViewDocument? last = null;
        foreach (var document in documents)
        {
            if (last is not null && document.Id <= last.Id)
            {
                throw new ArgumentException($"Document {document.Id:x32} comes after {last.Id:x32}: documents are compared in ascending order of id.", nameof(documents));
            }

            last = document;
            yield return document;
        }
    }

    private static void Append(IncrementalHash hash, ViewDocument document)
    {
        Span<byte> head = stackalloc byte[28];
        BinaryPrimitives.WriteUInt128BigEndian(head, document.Id);
        BinaryPrimitives.WriteInt64BigEndian(head[16..], document.Lsn.Value);
        BinaryPrimitives.WriteInt32BigEndian(head[24..], document.Bytes.Length);
        hash.AppendData(head);
        hash.AppendData(document.Bytes.Span);
    }
}

/// <summary>What came of comparing a shelf: its position, how many documents it has, both hashes, and the first difference, if any, without content.</summary>
public sealed record ViewVerdict(string Shelf, Lsn Applied, long Documents, Hash256 StoreHash, Hash256 FoldHash, string? FirstDifference)
{
    public bool Matches => StoreHash == FoldHash;
}
