using CityGrid.Hub.Backup.V1;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Backup;

/// <summary>A restore that cannot be done; nothing was changed.</summary>
public sealed class RestoreRefusedException(string message) : IOException(message);

/// <summary>What a restored directory is: the life it leads from now on, and the one whose journal it has.</summary>
public sealed record Restored(BackupContent Content, Incarnation Incarnation);

/// <summary>
/// Makes a data directory of a backup. A mark stands in the directory until everything in it is durable and was read back; a journal does not open beside
/// it, so half a restore is never started (<see cref="DirectoryLife.Restoring"/>).
/// </summary>
public sealed class BackupRestoring(IDisk target, IEntropy entropy, TimeProvider clock)
{
    /// <summary>The file by which a process owns the directory; it may be there.</summary>
    private const string LockFile = "lock";

    public Action<BackupProgress>? Progress { get; init; }

    /// <summary>
    /// Checks both backups whole, then writes the directory, which must be empty, under a new incarnation. Throws <see cref="RestoreRefusedException"/> and
    /// what reading a backup throws before anything is written; <see cref="DiskFailedException"/> afterwards, which leaves a directory that does not start.
    /// </summary>
    public Restored Restore(BackupReader node, BackupReader keys)
    {
        Judge(node, keys);
        node.Verify((done, all) => Progress?.Invoke(new(BackupPhase.Verifying, done, all)));
        keys.Verify();
        Failpoint.Hit("restore.before");
        DirectoryLife.BeginRestoring(target);
        Failpoint.Hit("restore.marked");
        foreach (var backup in new[] { keys, node })
        {
            foreach (var path in backup.Files)
            {
                Write(backup, path);
            }
        }

        foreach (var folder in node.Files.Concat(keys.Files).Select(path => path[..path.IndexOf('/', StringComparison.Ordinal)]).Distinct())
        {
            target.SyncFolder(folder);
        }

        Failpoint.Hit("restore.written");
        ReadBack(node.Content);
        Failpoint.Hit("restore.read");
        var incarnation = new Incarnation(entropy.NextUInt128());
        DirectoryLife.Begin(target, incarnation);
        Failpoint.Hit("restore.renewed");
        Record(node.Content, incarnation);
        Failpoint.Hit("restore.recorded");
        DirectoryLife.EndRestoring(target);
        Failpoint.Hit("restore.after");
        return new Restored(node.Content, incarnation);
    }

    private void Judge(BackupReader node, BackupReader keys)
    {
        if (node.Content.Kind != BackupKind.Node || keys.Content.Kind != BackupKind.Keys)
        {
            throw new RestoreRefusedException($"A restore takes a backup of a node (*{BackupTaking.Suffix}) and one of its keys (*{BackupTaking.KeysSuffix}), in this order. Nothing was changed.");
        }

        if (node.Content.Node != keys.Content.Node)
        {
            throw new RestoreRefusedException($"The backup is that of {node.Content.Node}, the keys are those of {keys.Content.Node}. Nothing was changed.");
        }

        if (node.Content.Incarnation != keys.Content.Incarnation || keys.Content.Head.Lsn < node.Content.Head.Lsn)
        {
            throw new RestoreRefusedException(
                $"The keys were copied at {keys.Content.Head.Lsn} of life {keys.Content.Incarnation}, and the backup ends at {node.Content.Head.Lsn} of {node.Content.Incarnation}: personal data could not be read. Take the keys that were written with it, or later ones. Nothing was changed.");
        }

        if (target.Exists(DirectoryLife.Restoring))
        {
            throw new RestoreRefusedException("The directory has a restore that was cut short. Delete it and everything in it, and restore again. Nothing was changed.");
        }

        if (target.List(string.Empty).FirstOrDefault(name => name != LockFile) is { } there)
        {
            throw new RestoreRefusedException($"The directory is not empty ('{there}' is in it). Restore into a new one. Nothing was changed.");
        }
    }

    private void Write(BackupReader backup, string path)
    {
        DurableFolder.Create(target, path[..path.IndexOf('/', StringComparison.Ordinal)]);
        using var file = target.Open(path, DiskAccess.CreateNew);
        backup.Copy(path, (at, bytes) => file.Write(at, bytes.Span), (done, all) => Progress?.Invoke(new(BackupPhase.Restoring, done, all)));
        file.Sync();
    }

    private void ReadBack(BackupContent content)
    {
        if (JournalVerifier.Verify(target) is not JournalVerdict.Sound sound || sound.Head != content.Head)
        {
            throw new DiskFailedException("read back", JournalFiles.Folder, 5, "the restored journal is not the one that was written; do not use this disk");
        }
    }

    /// <summary>
    /// The journal says from where on it is another life. The root of a tree is granted its epoch by nobody, so it takes the next one itself: children that
    /// have heard of it do not go back to the old directory (INV-24).
    /// </summary>
    private void Record(BackupContent content, Incarnation incarnation)
    {
        using var journal = FileJournal.Open(target, entropy, content.Node, new JournalOptions { WhileRestoring = true, ReadAhead = false });
        var restored = new DirectoryRestored
        {
            Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
            IncarnationBefore = ByteString.CopyFrom(content.Incarnation.ToBytes()),
            Lsn = content.Head.Lsn.Value,
            ChainHash = ByteString.CopyFrom(content.Head.ChainHash.ToBytes()),
            TakenAt = content.TakenAt.ToUnixTimeMilliseconds(),
        };
        var events = new List<EventDraft> { new(EventKinds.DirectoryRestored, 1, restored.ToByteArray()) };
        if (content.IsRoot)
        {
            events.Add(RootEpoch.Next(journal, incarnation, content.Node, entropy));
        }

        journal.Append([new RecordDraft("restore", events)], Instant.FromDateTimeOffset(clock.GetUtcNow()));
    }
}
