using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>
/// The snapshots of a journal's folds. A file is magic, format, incarnation, position, chain hash, the folds {name, version, length, bytes}, and the
/// SHA-256 of all that. In every later format the magic, the format number and the hash at the end stay where they are. It grows under a temporary name, is synced, and only then gets its own; so a file that is not whole was damaged later.
/// </summary>
internal sealed class SnapshotFiles(IDisk disk, Incarnation incarnation, JournalOptions options)
{
    private const int Format = 1;
    private const int HeaderBytes = 72;
    private const int FoldsMax = 1024;
    private const int NameBytesMax = 256;
    private const int WriteBytes = 1 << 20;

    private static ReadOnlySpan<byte> Magic => "CITYSNAP"u8;

    /// <summary>Positions of the snapshots that exist, the newest first.</summary>
    public IReadOnlyList<Lsn> All() => All(disk);

    public static IReadOnlyList<Lsn> All(IDisk disk)
    {
        var found = new List<Lsn>();
        foreach (var name in disk.List(JournalFiles.SnapshotFolder))
        {
            if (JournalFiles.IsSnapshot(name, out var lsn))
            {
                found.Add(lsn);
            }
        }

        found.Reverse();
        return found;
    }

    public void Save(Snapshot snapshot)
    {
        var path = JournalFiles.Snapshot(snapshot.Lsn);
        var temporary = path + JournalFiles.TemporarySuffix;
        if (disk.Exists(temporary))
        {
            disk.Delete(temporary);
        }

        Failpoint.Hit("snapshot.before");
        using (var file = disk.Open(temporary, DiskAccess.CreateNew))
        {
            Write(file, snapshot);
            Failpoint.Hit("snapshot.written");
            if (!options.Faults.SkipSnapshotSync)
            {
                file.Sync();
            }
        }

        Failpoint.Hit("snapshot.synced");
        disk.Rename(temporary, path);
        Failpoint.Hit("snapshot.renamed");
        disk.SyncFolder(JournalFiles.SnapshotFolder);
        Failpoint.Hit("snapshot.durable");
        foreach (var old in All().Where(lsn => lsn <= snapshot.Lsn).Skip(Math.Max(1, options.SnapshotsKept)))
        {
            disk.Delete(JournalFiles.Snapshot(old));
            Failpoint.Hit("snapshot.old.deleted");
        }
    }

    /// <summary>Reads a snapshot; throws <see cref="JournalDamagedException"/> where it is not whole or another journal's.</summary>
    public Snapshot Load(Lsn lsn)
    {
        var snapshot = Load(disk, lsn, out var owner);
        return owner == incarnation ? snapshot : throw new JournalDamagedException(JournalFiles.Snapshot(lsn), 0, "the snapshot is that of another data directory.");
    }

    public static Snapshot Load(IDisk disk, Lsn lsn, out Incarnation owner)
    {
        var path = JournalFiles.Snapshot(lsn);
        using var file = disk.Open(path, DiskAccess.Read);
        using var reader = new Reader(file, path);
        var header = reader.Take(HeaderBytes, "header");
        var format = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(8));
        var folds = new FoldImage[Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(12)), 0, FoldsMax)];
        owner = Incarnation.FromBytes(header.AsSpan(16, 16));
        var snapshot = new Snapshot(
            new Lsn(BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(32))), Hash256.FromBytes(header.AsSpan(40, Hash256.Size)), folds);
        if (header.AsSpan().StartsWith(Magic) && format > Format && IsWhole(file))
        {
            throw new NewerFormatException(path, format, Format);
        }

        if (!header.AsSpan().StartsWith(Magic) || format != Format || snapshot.Lsn != lsn)
        {
            throw new JournalDamagedException(path, 0, $"there is no snapshot of format {Format} at position {lsn}.");
        }

        for (var i = 0; i < folds.Length; i++)
        {
            folds[i] = reader.TakeFold();
        }

        reader.CheckEnd();
        return snapshot;
    }

    /// <summary>Whether the hash at the end is that of everything before it: a newer snapshot is told from a damaged one.</summary>
    private static bool IsWhole(IDiskFile file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var piece = new byte[WriteBytes];
        var end = file.Length - Hash256.Size;
        for (long at = 0; at < end;)
        {
            var read = file.Read(at, piece.AsSpan(0, (int)Math.Min(piece.Length, end - at)));
            if (read == 0)
            {
                return false;
            }

            hash.AppendData(piece.AsSpan(0, read));
            at += read;
        }

        var stored = new byte[Hash256.Size];
        return file.Read(end, stored) == stored.Length && hash.GetHashAndReset().AsSpan().SequenceEqual(stored);
    }

    private void Write(IDiskFile file, Snapshot snapshot)
    {
        using var writer = new Writer(file);
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), Format);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), snapshot.Folds.Count);
        incarnation.ToBytes().CopyTo(header.AsSpan(16));
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), snapshot.Lsn.Value);
        snapshot.ChainHash.WriteTo(header.AsSpan(40));
        writer.Put(header);
        foreach (var fold in snapshot.Folds)
        {
            var name = Encoding.UTF8.GetBytes(fold.Name);
            if (name.Length > NameBytesMax || snapshot.Folds.Count > FoldsMax)
            {
                throw new ArgumentException($"A snapshot has at most {FoldsMax} folds with names of at most {NameBytesMax} bytes.", nameof(snapshot));
            }

            var head = new byte[16];
            BinaryPrimitives.WriteInt32LittleEndian(head, name.Length);
            BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(4), fold.Version);
            BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(8), fold.Bytes.Length);
            writer.Put(head);
            writer.Put(name);
            writer.Put(fold.Bytes.Span);
        }

        writer.PutHash();
    }

    private sealed class Writer(IDiskFile file) : IDisposable
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly byte[] _waiting = new byte[WriteBytes];
        private int _filled;
        private long _offset;

        public void Put(ReadOnlySpan<byte> bytes)
        {
            _hash.AppendData(bytes);
            Buffered(bytes);
        }

        public void PutHash()
        {
            Buffered(_hash.GetHashAndReset());
            Flush();
        }

        public void Dispose() => _hash.Dispose();

        private void Buffered(ReadOnlySpan<byte> bytes)
        {
            while (bytes.Length > 0)
            {
                var count = Math.Min(bytes.Length, _waiting.Length - _filled);
                bytes[..count].CopyTo(_waiting.AsSpan(_filled));
                bytes = bytes[count..];
                _filled += count;
                if (_filled == _waiting.Length)
                {
                    Flush();
                }
            }
        }

        private void Flush()
        {
            file.Write(_offset, _waiting.AsSpan(0, _filled));
            _offset += _filled;
            _filled = 0;
        }
    }

    private sealed class Reader(IDiskFile file, string path) : IDisposable
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly long _end = file.Length - Hash256.Size;
        private long _offset;

        public byte[] Take(long count, string what)
        {
            if (count < 0 || count > Array.MaxLength || count > _end - _offset)
            {
                throw new JournalDamagedException(path, _offset, $"the snapshot's {what} is not whole.");
            }

            var bytes = new byte[count];
            if (file.Read(_offset, bytes) < bytes.Length)
            {
                throw new JournalDamagedException(path, _offset, $"the snapshot's {what} is not whole.");
            }

            _hash.AppendData(bytes);
            _offset += count;
            return bytes;
        }

        public FoldImage TakeFold()
        {
            var head = Take(16, "fold");
            var nameLength = BinaryPrimitives.ReadInt32LittleEndian(head);
            var version = BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(4));
            var name = Encoding.UTF8.GetString(Take(Math.Min(nameLength, NameBytesMax), "fold"));
            return new FoldImage(name, version, Take(BinaryPrimitives.ReadInt64LittleEndian(head.AsSpan(8)), "fold"));
        }

        public void CheckEnd()
        {
            var stored = new byte[Hash256.Size];
            if (_offset != _end || file.Read(_end, stored) < stored.Length || !_hash.GetHashAndReset().AsSpan().SequenceEqual(stored))
            {
                throw new JournalDamagedException(path, _end, "the snapshot's hash is wrong.");
            }
        }

        public void Dispose() => _hash.Dispose();
    }
}
