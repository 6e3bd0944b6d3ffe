using CityGrid.Hub.Backup.V1;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using Google.Protobuf;

namespace CityGrid.Hub.Backup;

/// <summary>What a backup is doing.</summary>
public enum BackupPhase
{
    Copying,
    CopyingKeys,
    Verifying,
    Restoring,
}

/// <summary>How far it has come, in bytes.</summary>
public readonly record struct BackupProgress(BackupPhase Phase, long Done, long All);

/// <summary>Whose directory it is, and the files beside it that say how the node is run; none of them a secret.</summary>
public sealed record BackupSubject(NodeId Node, bool IsRoot, string Program)
{
    /// <summary>Names in <c>configuration/</c> and what stands in them.</summary>
    public IReadOnlyList<(string Name, byte[] Bytes)> Configuration { get; init; } = [];

    /// <summary>Plaintext of a chunk; another one is for tests.</summary>
    internal int ChunkBytes { get; init; } = 1 << 20;
}

/// <summary>The two files of a backup, by their names in the target folder, and what is in the first.</summary>
public sealed record BackupTaken(string File, string KeysFile, BackupContent Content);

/// <summary>
/// Takes a backup of a data directory, of a running node as well: it reads files and asks nobody. Segments are only appended to, and what packing replaces
/// has the same records under another name; so the copy is a prefix of the journal up to a position that is durable (README.md beside this file).
/// </summary>
public sealed class BackupTaking(IDisk source, IDisk target, BackupKey key, IEntropy entropy, TimeProvider clock)
{
    public const string Suffix = ".backup";
    public const string KeysSuffix = ".keys";

    internal const string ConfigurationFolder = "configuration";

    private const int NoEntry = 2;

    public Action<BackupProgress>? Progress { get; init; }

    public static string NameOf(NodeId node, Lsn lsn) => FormattableString.Invariant($"{node}-{lsn.Value:D20}{Suffix}");

    /// <summary>One file of keys a life of the directory: whatever backup of it is restored, these are the keys for it.</summary>
    public static string KeysNameOf(NodeId node, Incarnation incarnation) => $"{node}-{incarnation.ToString()[..8]}{KeysSuffix}";

    /// <summary>
    /// Writes both files, reads them back and checks them whole, and only then gives them their names: the keys first, for newer keys fit an older journal.
    /// Whatever fails leaves no file that was not there. One backup at a time into one folder. Throws what reading a journal throws, and
    /// <see cref="DiskFailedException"/>.
    /// </summary>
    public BackupTaken Take(BackupSubject subject)
    {
        var data = $"{subject.Node}{Suffix}{JournalFiles.TemporarySuffix}";
        var keys = $"{subject.Node}{KeysSuffix}{JournalFiles.TemporarySuffix}";
        try
        {
            Failpoint.Hit("backup.before");
            var manifest = Write(data, BackupKind.Node, subject, writer => CopyNode(writer, subject));
            Failpoint.Hit("backup.node.written");
            Write(keys, BackupKind.Keys, subject, writer => CopyKeys(writer, manifest));
            Failpoint.Hit("backup.keys.written");
            var content = Check(data, subject.Node);
            Check(keys, subject.Node);
            var taken = new BackupTaken(NameOf(subject.Node, content.Head.Lsn), KeysNameOf(subject.Node, content.Incarnation), content);
            Failpoint.Hit("backup.checked");
            target.Rename(keys, taken.KeysFile);
            Failpoint.Hit("backup.keys.renamed");
            target.SyncFolder(string.Empty);
            Failpoint.Hit("backup.keys.durable");
            target.Rename(data, taken.File);
            Failpoint.Hit("backup.node.renamed");
            target.SyncFolder(string.Empty);
            Failpoint.Hit("backup.after");
            return taken;
        }
        catch
        {
            DeleteIfThere(data);
            DeleteIfThere(keys);
            throw;
        }
    }

    private BackupManifest Write(string path, BackupKind kind, BackupSubject subject, Func<BackupWriter, BackupManifest> fill)
    {
        DeleteIfThere(path);
        using var file = target.Open(path, DiskAccess.CreateNew);
        using var writer = new BackupWriter(file, kind, key, entropy, subject.ChunkBytes);
        var manifest = fill(writer);
        (manifest.Node, manifest.Program, manifest.Root) = (subject.Node.ToString(), subject.Program, subject.IsRoot);
        writer.Finish(manifest);
        return manifest;
    }

    private BackupContent Check(string path, NodeId node)
    {
        using var reader = BackupReader.Open(target, path, key);
        reader.Verify((done, all) => Progress?.Invoke(new(BackupPhase.Verifying, done, all)));
        return reader.Content.Node == node ? reader.Content : throw new JournalOfAnotherNodeException(reader.Content.Node, node);
    }

    private BackupManifest CopyNode(BackupWriter writer, BackupSubject subject)
    {
        foreach (var (name, bytes) in subject.Configuration)
        {
            writer.Add($"{ConfigurationFolder}/{name}", bytes);
        }

        // Before the journal: what the journal then has reaches at least as far.
        CopySnapshot(writer);
        var taken = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var (head, incarnation) = CopyJournal(writer);
        return new BackupManifest
        {
            Incarnation = ByteString.CopyFrom((DirectoryLife.Read(source) ?? incarnation).ToBytes()),
            Lsn = head.Lsn.Value,
            ChainHash = ByteString.CopyFrom(head.ChainHash.ToBytes()),
            TakenAt = taken,
        };
    }

    /// <summary>The newest snapshot that is whole; none where there is none, for the journal alone is enough.</summary>
    private void CopySnapshot(BackupWriter writer)
    {
        foreach (var lsn in SnapshotFiles.All(source))
        {
            try
            {
                SnapshotFiles.Load(source, lsn, out _);
                using var file = source.Open(JournalFiles.Snapshot(lsn), DiskAccess.Read);
                Copy(writer, JournalFiles.Snapshot(lsn), file, file.Length);
                return;
            }
            catch (JournalDamagedException)
            {
                // A node passes over it too.
            }
            catch (DiskFailedException gone) when (gone.ErrorNumber == NoEntry)
            {
                // A newer one took its place while it was looked for.
            }
        }
    }

    private (JournalHead Head, Incarnation Incarnation) CopyJournal(BackupWriter writer)
    {
        Incarnation? incarnation = null;
        var next = new Lsn(1);
        while (true)
        {
            var listing = SegmentListing.Read(source);
            if (!listing.IsRaw(next) && !listing.IsPacked(next))
            {
                throw new JournalDamagedException(JournalFiles.Raw(next), 0, "there is no such segment, and there must be one.");
            }

            var following = listing.Firsts.FirstOrDefault(first => first > next);
            if (following == Lsn.Zero || !HasHeader(following))
            {
                if (CopyLast(writer, next) is not var (head, life))
                {
                    continue;
                }

                return (head, incarnation ?? life);
            }

            if (CopyWhole(writer, next) is { } header)
            {
                incarnation ??= header.Incarnation;
                next = following;
            }
        }
    }

    /// <summary>A segment that is just being made, or that a crash left without its header, holds nothing yet.</summary>
    private bool HasHeader(Lsn first) => !SegmentListing.Read(source).IsRaw(first) || IfThere(JournalFiles.Raw(first), file => SegmentHeader.Read(file, JournalFiles.Raw(first)) is not null);

    /// <summary>A sealed segment in the form in which it stands there; null where that went meanwhile.</summary>
    private SegmentHeader? CopyWhole(BackupWriter writer, Lsn first)
    {
        foreach (var path in new[] { JournalFiles.Packed(first), JournalFiles.Raw(first) })
        {
            var found = IfThere(path, file =>
            {
                var header = SegmentHeader.Read(file, path) ?? throw new JournalDamagedException(path, 0, "the segment has no header, and it had one.");
                Copy(writer, path, file, file.Length);
                return header;
            });
            if (found is not null)
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>The last segment up to its last whole frame, after a sync: whoever appends syncs the same bytes, so nothing is copied that a power cut takes away.</summary>
    private (JournalHead Head, Incarnation Incarnation)? CopyLast(BackupWriter writer, Lsn first)
    {
        var path = JournalFiles.Raw(first);
        return IfThere<(JournalHead, Incarnation)?>(path, file =>
        {
            var header = SegmentHeader.Read(file, path) ?? throw new JournalDamagedException(path, 0, "the segment has no header, and it is the only one.");
            var length = file.Length;
            file.Sync();
            var walk = new ChainWalk(new ActorNames(), JournalFaults.None);
            walk.BeginAt(header);
            var (end, _, damage) = SegmentTail.Walk(file, header.FrameSeed, SegmentHeader.Bytes, length, walk);
            if (damage is not null)
            {
                throw new JournalDamagedException(path, end, damage);
            }

            Copy(writer, path, file, end);
            return (walk.Head, header.Incarnation);
        });
    }

    /// <summary>
    /// The keys as they stand after the journal was copied: every box in it has its key here, and what was erased since is erased here. A key that is being
    /// erased may be read half gone, so a file is read until two readings agree.
    /// </summary>
    private BackupManifest CopyKeys(BackupWriter writer, BackupManifest of)
    {
        foreach (var path in KeyPool.FilesOf(source))
        {
            byte[] bytes;
            do
            {
                bytes = Whole(path);
            }
            while (!bytes.AsSpan().SequenceEqual(Whole(path)));

            writer.Add(path, bytes);
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(bytes);
            Progress?.Invoke(new(BackupPhase.CopyingKeys, writer.Written, 0));
        }

        return new BackupManifest { Incarnation = of.Incarnation, Lsn = of.Lsn, ChainHash = of.ChainHash, TakenAt = clock.GetUtcNow().ToUnixTimeMilliseconds() };
    }

    private byte[] Whole(string path)
    {
        using var file = source.Open(path, DiskAccess.Read);
        var bytes = new byte[file.Length];
        return file.Read(0, bytes) == bytes.Length ? bytes : throw new BackupDamagedException(path, 0, "the file became shorter while it was read.");
    }

    private void Copy(BackupWriter writer, string path, IDiskFile file, long length) =>
        writer.Add(path, file, length, () => Progress?.Invoke(new(BackupPhase.Copying, writer.Written, 0)));

    private T? IfThere<T>(string path, Func<IDiskFile, T> read)
    {
        IDiskFile file;
        try
        {
            file = source.Open(path, DiskAccess.Read);
        }
        catch (DiskFailedException gone) when (gone.ErrorNumber == NoEntry)
        {
            return default;
        }

        using (file)
        {
            return read(file);
        }
    }

    private void DeleteIfThere(string path)
    {
        if (target.Exists(path))
        {
            target.Delete(path);
        }
    }
}
