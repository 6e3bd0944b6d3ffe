using System.Buffers.Binary;
using System.Security.Cryptography;
using CityGrid.Hub.Backup.V1;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Backup;

/// <summary>What a backup holds, as its manifest says.</summary>
public sealed record BackupContent(BackupKind Kind, NodeId Node, Incarnation Incarnation, JournalHead Head, Instant TakenAt, bool IsRoot, string Program, int Files, long Bytes);

/// <summary>
/// A backup opened for reading: nothing is believed that its tag does not vouch for. Throws <see cref="BackupDamagedException"/>,
/// <see cref="BackupKeyException"/> and <see cref="NewerFormatException"/>. Used by one thread.
/// </summary>
public sealed class BackupReader : IDisposable
{
    private const int ManifestBytesMax = 64 << 20;
    private const int ChunksKept = 4;

    private readonly IDiskFile _file;
    private readonly string _path;
    private readonly BackupHeader _header;
    private readonly BackupChunks _chunks;
    private readonly long _count;
    private readonly long _plainBytes;
    private readonly List<(long Number, byte[] Plain)> _opened = [];
    private readonly Dictionary<string, (BackupEntry Entry, long Offset)> _entries = new(StringComparer.Ordinal);

    private BackupReader(IDiskFile file, string path, BackupKey key)
    {
        (_file, _path) = (file, path);
        (_header, var bytes, var dataKey) = BackupHeader.Read(file, path, key);
        _chunks = new BackupChunks(_header, bytes, dataKey);
        var full = _header.ChunkBytes + BackupChunks.HeadBytes + BackupChunks.TagBytes;
        var body = file.Length - BackupHeader.Bytes;
        _count = (body + full - 1) / full;
        _plainBytes = body - (_count * (BackupChunks.HeadBytes + BackupChunks.TagBytes));
        if (_count < 1 || _plainBytes < 8)
        {
            throw new BackupDamagedException(path, BackupHeader.Bytes, "the file ends before its first chunk does.");
        }

        var manifest = ReadManifest();
        Content = Read(manifest);
    }

    public BackupContent Content { get; }

    /// <summary>Paths of the files in it, in the order in which they were written.</summary>
    public IReadOnlyList<string> Files => [.. _entries.Keys];

    /// <summary>The files as a disk that can only be read.</summary>
    internal IDisk Disk => new BackupDisk(this);

    public static BackupReader Open(IDisk disk, string path, BackupKey key)
    {
        var file = disk.Open(path, DiskAccess.Read);
        try
        {
            return new BackupReader(file, path, key);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Reads everything and checks it: every chunk by its tag, every file by its hash, and the journal record by record with its snapshot. Throws where
    /// anything is not what was written, or was not sound when it was.
    /// </summary>
    public void Verify(Action<long, long>? progress = null)
    {
        foreach (var path in Files)
        {
            Copy(path, null, progress);
        }

        if (Content.Kind == BackupKind.Keys)
        {
            return;
        }

        switch (JournalVerifier.Verify(Disk))
        {
            case JournalVerdict.Sound sound when sound.Head == Content.Head && sound.Node == Content.Node && sound.IncompleteBytes == 0:
                return;
            case JournalVerdict.Sound sound:
                throw new BackupDamagedException(_path, 0, $"its journal is that of {sound.Node} and ends at {sound.Head.Lsn}; the manifest says {Content.Node} and {Content.Head.Lsn}.");
            case JournalVerdict.Damaged damaged:
                throw new BackupDamagedException($"{_path}!{damaged.File}", damaged.Offset, damaged.What);
            case JournalVerdict.CannotDecide undecided:
                throw new BackupDamagedException(_path, 0, undecided.Reason);
            default:
                throw new InvalidOperationException("An unknown verdict.");
        }
    }

    /// <summary>Hands on a file piece by piece, and throws at its end where it was not the one that was written.</summary>
    internal void Copy(string path, Action<long, ReadOnlyMemory<byte>>? take, Action<long, long>? progress = null)
    {
        var (entry, offset) = _entries[path];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var piece = new byte[_header.ChunkBytes];
        for (long at = 0; at < entry.Length;)
        {
            var count = Read(path, at, piece.AsSpan(0, (int)Math.Min(piece.Length, entry.Length - at)));
            hash.AppendData(piece.AsSpan(0, count));
            take?.Invoke(at, piece.AsMemory(0, count));
            at += count;
            progress?.Invoke(offset + at, Content.Bytes);
        }

        if (!hash.GetHashAndReset().AsSpan().SequenceEqual(entry.Sha256.Span))
        {
            throw new BackupDamagedException(_path, 0, $"the hash of {path} is wrong.");
        }
    }

    public void Dispose()
    {
        _chunks.Dispose();
        _file.Dispose();
    }

    private int Read(string path, long at, Span<byte> target)
    {
        var (entry, offset) = _entries[path];
        var count = (int)Math.Clamp(entry.Length - at, 0, target.Length);
        ReadPlain(offset + at, target[..count]);
        return count;
    }

    private void ReadPlain(long at, Span<byte> target)
    {
        while (target.Length > 0)
        {
            var chunk = Chunk(at / _header.ChunkBytes);
            var piece = chunk.AsSpan((int)(at % _header.ChunkBytes));
            piece = piece[..Math.Min(piece.Length, target.Length)];
            piece.CopyTo(target);
            target = target[piece.Length..];
            at += piece.Length;
        }
    }

    private byte[] Chunk(long number)
    {
        if (_opened.Find(opened => opened.Number == number) is { Plain: { } kept })
        {
            return kept;
        }

        var offset = _chunks.OffsetOf(number);
        var isLast = number == _count - 1;
        var bytes = new byte[isLast ? _file.Length - offset : _header.ChunkBytes + BackupChunks.HeadBytes + BackupChunks.TagBytes];
        if (_file.Read(offset, bytes) < bytes.Length || _chunks.Open(number, bytes, isLast) is not { } plain)
        {
            throw new BackupDamagedException(_path, offset, $"chunk {number} of {_count} is not what was written here: it was altered, exchanged, or the file was cut.");
        }

        if (_opened.Count == ChunksKept)
        {
            _opened.RemoveAt(0);
        }

        _opened.Add((number, plain));
        return plain;
    }

    private BackupManifest ReadManifest()
    {
        var tail = new byte[8];
        ReadPlain(_plainBytes - 8, tail);
        var length = BinaryPrimitives.ReadInt64LittleEndian(tail);
        if (length < 0 || length > Math.Min(ManifestBytesMax, _plainBytes - 8))
        {
            throw new BackupDamagedException(_path, 0, "the manifest's length makes no sense.");
        }

        var bytes = new byte[length];
        ReadPlain(_plainBytes - 8 - length, bytes);
        try
        {
            return BackupManifest.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException wrong)
        {
            throw new BackupDamagedException(_path, 0, $"the manifest cannot be read: {wrong.Message}");
        }
    }

    /// <summary>The manifest was written by whoever holds the key; what it says is checked all the same, for a restore writes where it points.</summary>
    private BackupContent Read(BackupManifest manifest)
    {
        long offset = 0;
        foreach (var entry in manifest.Entries)
        {
            if (entry.Length < 0 || !IsPlain(entry.Path) || !_entries.TryAdd(entry.Path, (entry, offset)))
            {
                throw new BackupDamagedException(_path, 0, $"the manifest names a file '{entry.Path}' that a backup cannot have.");
            }

            offset = checked(offset + entry.Length);
        }

        if (offset + manifest.CalculateSize() + 8 != _plainBytes || !NodeId.TryParse(manifest.Node, out var node) || manifest.Lsn < 0 || manifest.ChainHash.Length != Hash256.Size)
        {
            throw new BackupDamagedException(_path, 0, "the manifest makes no sense.");
        }

        return new BackupContent(
            _header.Kind, node, Incarnation.FromBytes(manifest.Incarnation.Span), new JournalHead(new Lsn(manifest.Lsn), Hash256.FromBytes(manifest.ChainHash.Span)),
            Instant.FromUnixTimeMilliseconds(manifest.TakenAt), manifest.Root, manifest.Program, _entries.Count, offset);
    }

    /// <summary>One folder and one name, of the letters that our own files have.</summary>
    private static bool IsPlain(string path) => path.Split('/') is [var folder, var name]
        && new[] { folder, name }.All(part => part.Length is > 0 and < 200 && part[0] != '.' && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'));

    private sealed class BackupDisk(BackupReader reader) : IDisk
    {
        public long FreeBytes => 0;

        public IReadOnlyList<string> List(string folder) =>
            [.. reader.Files.Where(path => path.StartsWith(folder + "/", StringComparison.Ordinal)).Select(path => path[(folder.Length + 1)..]).Order(StringComparer.Ordinal)];

        public bool Exists(string path) => reader._entries.ContainsKey(path);

        public IDiskFile Open(string path, DiskAccess access) => access == DiskAccess.Read && Exists(path)
            ? new BackupDiskFile(reader, path)
            : throw new DiskFailedException("open", path, 2, "there is no such file in the backup");

        public void CreateFolder(string folder) => throw ReadOnly(folder);

        public void Rename(string from, string to) => throw ReadOnly(from);

        public void Delete(string path) => throw ReadOnly(path);

        public void SyncFolder(string folder) => throw ReadOnly(folder);

        internal static DiskFailedException ReadOnly(string path) => new("write", path, 30, "a backup is only read");
    }

    private sealed class BackupDiskFile(BackupReader reader, string path) : IDiskFile
    {
        public long Length => reader._entries[path].Entry.Length;

        public int Read(long offset, Span<byte> target) => reader.Read(path, offset, target);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => throw BackupDisk.ReadOnly(path);

        public void Sync() => throw BackupDisk.ReadOnly(path);

        public void Truncate(long length) => throw BackupDisk.ReadOnly(path);

        public void Dispose()
        {
        }
    }
}
