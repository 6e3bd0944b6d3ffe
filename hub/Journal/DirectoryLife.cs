using System.Buffers.Binary;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>
/// Which life a data directory leads. A directory that was restored from a copy holds the beginning of a history whose end others have heard, so it must
/// not go on under the incarnation of that history: <see cref="Renew"/> gives it one of its own, kept beside the segments, whose headers stay as they
/// were written. The parent then grants an epoch to the new life and takes back what only the old one had (clauses L7, L8 and L12).
/// </summary>
public static class DirectoryLife
{
    internal const string Path = JournalFiles.Folder + "/incarnation";

    /// <summary>Stands in a directory while a backup is written into it.</summary>
    internal const string Restoring = "restoring";

    private const int IncarnationAt = 8;
    private const int CrcAt = 24;
    private const int Bytes = 28;

    private static ReadOnlySpan<byte> Magic => "CITYLIFE"u8;

    /// <summary>
    /// Gives the directory a new incarnation, durable when this returns; a crash before that leaves the old one. No process may have the directory open.
    /// Throws what opening the journal throws, and <see cref="JournalDamagedException"/> where there is none; the incarnation is as it was then.
    /// </summary>
    public static Incarnation Renew(IDisk disk, IEntropy entropy, NodeId node)
    {
        CheckWhole(disk);
        if (!disk.Exists(JournalFiles.Folder) || SegmentListing.Read(disk).Firsts.Count == 0)
        {
            throw new JournalDamagedException(JournalFiles.Folder, 0, "there is no journal here that could be opened as a restored one; a new directory needs no --restored.");
        }

        FileJournal.Open(disk, entropy, node).Dispose();
        var incarnation = new Incarnation(entropy.NextUInt128());
        Begin(disk, incarnation);
        return incarnation;
    }

    /// <summary>From now on the directory leads this life; durable when it returns.</summary>
    internal static void Begin(IDisk disk, Incarnation incarnation)
    {
        var temporary = Path + JournalFiles.TemporarySuffix;
        if (disk.Exists(temporary))
        {
            disk.Delete(temporary);
        }

        Failpoint.Hit("life.before");
        using (var file = disk.Open(temporary, DiskAccess.CreateNew))
        {
            file.Write(0, ToBytes(incarnation));
            file.Sync();
        }

        Failpoint.Hit("life.synced");
        disk.Rename(temporary, Path);
        Failpoint.Hit("life.renamed");
        disk.SyncFolder(JournalFiles.Folder);
        Failpoint.Hit("life.after");
    }

    /// <summary>Marks a directory into which a backup is being written; durable before the first file of it.</summary>
    internal static void BeginRestoring(IDisk disk)
    {
        using (var mark = disk.Open(Restoring, DiskAccess.CreateNew))
        {
            mark.Write(0, "A backup is being restored into this directory. If nothing is at it any more, delete the directory and restore again.\n"u8);
            mark.Sync();
        }

        disk.SyncFolder(string.Empty);
    }

    internal static void EndRestoring(IDisk disk)
    {
        disk.Delete(Restoring);
        disk.SyncFolder(string.Empty);
    }

    /// <summary>Throws where a restore into the directory did not come to its end.</summary>
    internal static void CheckWhole(IDisk disk)
    {
        if (disk.Exists(Restoring))
        {
            throw new JournalDamagedException(Restoring, 0, "a backup was being restored into this directory and that never ended: delete the directory and restore again.");
        }
    }

    /// <summary>The incarnation that the directory was given; null where it leads the life it began with.</summary>
    internal static Incarnation? Read(IDisk disk)
    {
        if (!disk.Exists(Path))
        {
            return null;
        }

        var bytes = new byte[Bytes + 1];
        using var file = disk.Open(Path, DiskAccess.Read);
        var length = file.Read(0, bytes);
        var incarnation = Incarnation.FromBytes(bytes.AsSpan(IncarnationAt, CrcAt - IncarnationAt));
        return length == Bytes && bytes.AsSpan(0, Bytes).SequenceEqual(ToBytes(incarnation))
            ? incarnation
            : throw new JournalDamagedException(Path, 0, "the incarnation of the restored directory is damaged: delete this file and start the node once with --restored.");
    }

    private static byte[] ToBytes(Incarnation incarnation)
    {
        var bytes = new byte[Bytes];
        Magic.CopyTo(bytes);
        incarnation.ToBytes().CopyTo(bytes.AsSpan(IncarnationAt));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(CrcAt), Crc32C.Of(bytes.AsSpan(0, CrcAt)));
        return bytes;
    }
}
