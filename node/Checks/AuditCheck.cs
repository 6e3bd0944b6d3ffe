using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Node.Checks;

/// <summary>
/// <c>citygrid audit verify DIR [--anchors PARENTDIR]</c>: nobody has changed what a node recorded. Its own chain finds an edit; the chain heads
/// that its parent recorded as it received its cells also find a history that was replaced or cut as a whole, up to the last one.
/// </summary>
public static class AuditCheck
{
    public static CheckVerdict Verify(string dataFolder, string? anchorsFolder)
    {
        try
        {
            var own = JournalVerifier.Verify(PosixDisk.At(dataFolder));
            if (anchorsFolder is null || own is not JournalVerdict.Sound sound)
            {
                return CheckVerdict.Of(own);
            }

            return JournalVerifier.Verify(PosixDisk.At(anchorsFolder)) is JournalVerdict.Sound above
                ? Compare(dataFolder, sound, anchorsFolder, above.Node)
                : CheckVerdict.CannotDecide($"the journal in {anchorsFolder} is not sound, so it anchors nothing.");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or DiskFailedException)
        {
            return CheckVerdict.CannotDecide(failure.Message);
        }
    }

    private static CheckVerdict Compare(string dataFolder, JournalVerdict.Sound own, string anchorsFolder, NodeId parent)
    {
        var anchors = Anchors(anchorsFolder, parent, own.Node);
        if (anchors.Count == 0)
        {
            return CheckVerdict.CannotDecide($"{parent} has recorded nothing of {own.Node}.");
        }

        using var copy = new DataCopy(dataFolder, "journal");
        using var journal = copy.Journal(own.Node);
        if (anchors[^1].Life != journal.Incarnation)
        {
            return CheckVerdict.Damaged("index 1", $"this is another data directory of {own.Node} than the one that {parent} last heard of.");
        }

        var ours = anchors.Where(anchor => anchor.Life == journal.Incarnation).OrderBy(anchor => anchor.Lsn).ToList();
        var agreed = Lsn.Zero;
        foreach (var anchor in ours)
        {
            if (anchor.Lsn > journal.Head.Lsn)
            {
                return CheckVerdict.Damaged($"index {journal.Head.Lsn.Value + 1}", $"the journal ends there, and {parent} has recorded its chain up to {anchor.Lsn}.");
            }

            if (journal.ReadAt(anchor.Lsn) is not { } record || record.Last != anchor.Lsn || record.Hash != anchor.Chain)
            {
                return CheckVerdict.Damaged($"index {agreed.Value + 1}", $"between {agreed} and {anchor.Lsn} the history is another one than {parent} has recorded.");
            }

            agreed = anchor.Lsn;
        }

        return CheckVerdict.Sound($"{own.Records} records of {own.Node} up to {own.Head.Lsn}, {ours.Count} chain heads kept by {parent} agree up to {agreed}");
    }

    /// <summary>The chain heads of a child in the order in which its parent recorded them.</summary>
    private static List<(Incarnation Life, Lsn Lsn, Hash256 Chain)> Anchors(string folder, NodeId parent, NodeId child)
    {
        using var copy = new DataCopy(folder, "journal");
        using var journal = copy.Journal(parent);
        var anchors = new List<(Incarnation, Lsn, Hash256)>();
        foreach (var journalEvent in journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events).Where(found => found.Kind == EventKinds.CellsReceived))
        {
            var received = CellsReceived.Parser.ParseFrom(journalEvent.Payload.Span);
            if (received.Child != child.ToString())
            {
                continue;
            }

            var part = CellsPart.Parser.ParseFrom(received.Part);
            if (part.CutTo > 0)
            {
                anchors.Add((Incarnation.FromBytes(received.Incarnation.Span), new Lsn(part.CutTo), Hash256.FromBytes(part.CutChainHash.Span)));
            }
        }

        return anchors;
    }
}
