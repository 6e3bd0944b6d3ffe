using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Checks;

/// <summary>
/// <c>citygrid audit verify DIR [--anchors OTHERDIR]</c>: nobody has changed what a node recorded (INV-28). Its own chain finds an edit; the chain
/// heads that its parent recorded as it received its parts, signed where it signs, or that its child kept of what it countersigned, also find a
/// history that was rewritten, replaced or cut as a whole, up to the last one (A5).
/// </summary>
public static class AuditCheck
{
    /// <param name="dataFolder">The data directory that is judged.</param>
    /// <param name="anchorsFolder">That of its parent or of a child; null to judge by its own chain alone.</param>
    /// <param name="authorityFile">The network's authority (PEM), by which the signers in it are judged; null to take them as they were recorded.</param>
    public static CheckVerdict Verify(string dataFolder, string? anchorsFolder, string? authorityFile = null)
    {
        try
        {
            var own = JournalVerifier.Verify(PosixDisk.At(dataFolder));
            if (anchorsFolder is null || own is not JournalVerdict.Sound sound)
            {
                return CheckVerdict.Of(own);
            }

            if (JournalVerifier.Verify(PosixDisk.At(anchorsFolder)) is not JournalVerdict.Sound other)
            {
                return CheckVerdict.CannotDecide($"the journal in {anchorsFolder} is not sound, so it anchors nothing.");
            }

            var book = AnchorBook.Read(anchorsFolder, other.Node, sound.Node, Authorities(authorityFile));
            using var copy = new DataCopy(dataFolder, "journal");
            using var journal = copy.Journal(sound.Node);
            return Compare(journal, sound, book);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or DiskFailedException or CryptographicException)
        {
            return CheckVerdict.CannotDecide(failure.Message);
        }
    }

    internal static X509Certificate2Collection? Authorities(string? file)
    {
        if (file is null)
        {
            return null;
        }

        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(file);
        return authorities;
    }

    /// <summary>Holds a journal whose own chain is sound against what another directory has recorded of it.</summary>
    internal static CheckVerdict Compare(IJournal journal, JournalVerdict.Sound own, AnchorBook book)
    {
        var holder = book.Holder;
        if (book.Fault is { } fault)
        {
            return CheckVerdict.CannotDecide($"{fault.Why} (index {fault.At} of {holder}), so what {holder} recorded anchors nothing.");
        }

        if (book.Anchors.Count == 0)
        {
            return CheckVerdict.CannotDecide($"{holder} has recorded nothing of {own.Node}.");
        }

        // A directory that was not restored has had one life, whatever else its records say.
        var lives = journal.Incarnation == own.Began ? [own.Began] : Lives(journal, own.Began);
        var heard = book.Anchors[^1].Life;
        if (!lives.Contains(heard))
        {
            return CheckVerdict.Damaged("index 1", $"this is another data directory of {own.Node} than the one that {holder} last heard of.");
        }

        var agreed = Lsn.Zero;
        var present = Of(book, journal.Incarnation);
        foreach (var anchor in present)
        {
            if (Differs(journal, anchor))
            {
                return CheckVerdict.Damaged($"index {agreed.Next}", anchor.Mark.Lsn > journal.Head.Lsn
                    ? $"the journal ends at {journal.Head.Lsn}, and {holder} has recorded its chain up to {present[^1].Mark.Lsn}."
                    : $"between {agreed} and {anchor.Mark.Lsn} the history is another one than {holder} has recorded.");
            }

            agreed = anchor.Mark.Lsn;
        }

        var earlier = Earlier(journal, book, lives);
        if (heard != journal.Incarnation && earlier.Lost is { } lost)
        {
            return CheckVerdict.CannotDecide(
                $"the directory says that it was restored from a copy, {holder} has not heard of it since, and from index {lost} on its history is another one than {holder} has recorded.");
        }

        agreed = agreed > earlier.Agreed ? agreed : earlier.Agreed;
        var signed = book.Anchors.Count(anchor => anchor.Signed is not null);
        return CheckVerdict.Sound(
            $"{own.Records} records of {own.Node} up to {own.Head.Lsn}, {present.Count + earlier.Count} chain heads kept by {holder} agree up to {agreed}, {signed} of {book.Anchors.Count} are signed"
            + (earlier.Lost is { } from ? $"; from index {from} on what an earlier life had told {holder} is not in this directory, which was restored from a copy" : string.Empty));
    }

    /// <summary>
    /// The chain heads of earlier lives: a restored directory has their history up to the copy, and not what came after it. Where they
    /// stop to agree is told and is no damage, for the heads of the present life cover all that is here.
    /// </summary>
    private static (int Count, Lsn Agreed, Lsn? Lost) Earlier(IJournal journal, AnchorBook book, HashSet<Incarnation> lives)
    {
        var (count, agreed) = (0, Lsn.Zero);
        Lsn? lost = null;
        foreach (var life in lives.Where(life => life != journal.Incarnation))
        {
            var at = Lsn.Zero;
            foreach (var anchor in Of(book, life))
            {
                if (Differs(journal, anchor))
                {
                    var from = at.Next;
                    lost = lost is { } known && known < from ? known : from;
                    break;
                }

                at = anchor.Mark.Lsn;
                count++;
            }

            agreed = at > agreed ? at : agreed;
        }

        return (count, agreed, lost);
    }

    private static List<Anchor> Of(AnchorBook book, Incarnation life) => [.. book.Anchors.Where(anchor => anchor.Life == life).OrderBy(anchor => anchor.Mark.Lsn)];

    private static bool Differs(IJournal journal, Anchor anchor) =>
        anchor.Mark.Lsn > journal.Head.Lsn || journal.ReadAt(anchor.Mark.Lsn)?.Hash != anchor.Mark.ChainHash;

    /// <summary>The incarnations that the directory has had: the one that it began with, those that were granted an epoch, and the present one.</summary>
    private static HashSet<Incarnation> Lives(IJournal journal, Incarnation began)
    {
        var lives = new HashSet<Incarnation> { began, journal.Incarnation };
        foreach (var journalEvent in journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events).Where(found => found.Kind == EventKinds.EpochTaken))
        {
            lives.Add(Incarnation.FromBytes(EpochTaken.Parser.ParseFrom(journalEvent.Payload.Span).Incarnation.Span));
        }

        return lives;
    }
}
