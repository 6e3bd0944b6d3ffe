using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Checks;

/// <summary>
/// <c>citygrid view verify DIR</c>: are the views of a node that does not run the fold of its journal (INV-5)? A shelf that is missing or behind is
/// no damage: the node makes it anew when it starts.
/// </summary>
public static class ViewCheck
{
    public static CheckVerdict Verify(string dataFolder)
    {
        if (!Directory.Exists(dataFolder))
        {
            return CheckVerdict.CannotDecide($"there is no folder {dataFolder}.");
        }

        try
        {
            using var owner = OwnerOf(dataFolder);
            var judged = JournalVerifier.Verify(PosixDisk.At(dataFolder));
            return judged is JournalVerdict.Sound sound
                ? Verify(dataFolder, sound.Node)
                : CheckVerdict.CannotDecide($"the journal is not sound, and views are judged by it ({CheckVerdict.Of(judged)}).");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or DiskFailedException)
        {
            return CheckVerdict.CannotDecide(failure.Message);
        }
    }

    private static CheckVerdict Verify(string dataFolder, NodeId node)
    {
        using var copy = new DataCopy(dataFolder, "journal", "views");
        using var journal = copy.Journal(node);
        string? aside = null;
        var options = new LiteViewOptions { FreeBytesMin = 0, PutAside = (shelf, _, why) => aside ??= $"views/{shelf}.db: {why.Message}" };
        using var store = new LiteViewStore(copy.Disk, journal.Incarnation, options);
        var documents = 0L;
        var shelves = store.Shelves;
        foreach (var shelf in shelves)
        {
            try
            {
                var verdict = ViewVerifier.Verify(store, shelf, Expected(journal, store, shelf));
                documents += verdict.Documents;
                if (!verdict.Matches)
                {
                    return CheckVerdict.Damaged($"views/{shelf}.db", $"{verdict.FirstDifference}, as folded up to {verdict.Applied}. Delete the file; the node makes it anew.");
                }
            }
            catch (ShelfDamagedException damage)
            {
                return CheckVerdict.Damaged($"views/{shelf}.db", $"{damage.Message}");
            }
        }

        return aside is null
            ? CheckVerdict.Sound($"{documents} documents in {shelves.Count} shelves of {node} are what the journal says")
            : CheckVerdict.Damaged("views", $"{aside} The node makes it anew when it starts.");
    }

    /// <summary>The documents of a shelf as the journal has them at its position; newer ones that it has already, at theirs.</summary>
    private static IEnumerable<ViewDocument> Expected(FileJournal journal, LiteViewStore store, string shelf)
    {
        var applied = store.AppliedLsn(shelf);
        var newer = ViewVerifier.All(store, shelf).Where(document => document.Lsn > applied).ToDictionary(document => document.Id, document => document.Lsn);
        var last = new SortedDictionary<CaseId, Lsn>();
        foreach (var journalEvent in journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events))
        {
            if (CaseEventCodec.Decode(journalEvent)?.Event.Case is { } id && CaseDesk.ShelfOf(id) == shelf
                && (journalEvent.Lsn <= applied || (newer.TryGetValue(id.Value, out var upTo) && journalEvent.Lsn <= upTo)))
            {
                last[id] = journalEvent.Lsn;
            }
        }

        return last.Values.Select(found => CaseDocuments.After(History(journal, found))).OfType<ViewDocument>();
    }

    private static List<CaseEntry> History(FileJournal journal, Lsn last)
    {
        var entries = new List<CaseEntry>();
        for (var at = last; at > Lsn.Zero;)
        {
            var record = journal.ReadAt(at)!;
            var entry = CaseEventCodec.Decode(record.Events[checked((int)(at.Value - record.First.Value))])!;
            entries.Add(entry);
            at = entry.PreviousLsn;
        }

        entries.Reverse();
        return entries;
    }

    /// <summary>No node may run in the folder meanwhile: LiteDB's two files are one only at rest.</summary>
    private static FileStream? OwnerOf(string dataFolder)
    {
        var path = Path.Combine(dataFolder, "lock");
        try
        {
            return File.Exists(path) ? new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None) : null;
        }
        catch (IOException)
        {
            throw new IOException($"a node runs in {dataFolder}. Stop it, and check again.");
        }
    }
}
