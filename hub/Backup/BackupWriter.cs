using System.Buffers.Binary;
using System.Security.Cryptography;
using CityGrid.Hub.Backup.V1;
using CityGrid.Hub.Seams;
using Google.Protobuf;

namespace CityGrid.Hub.Backup;

/// <summary>
/// Writes a backup: the bytes of its files one after the other, then the manifest, then the manifest's length in 8 bytes; all of it in numbered,
/// encrypted chunks. Durable when <see cref="Finish"/> returns; whoever writes gives the file its name after that.
/// </summary>
internal sealed class BackupWriter : IDisposable
{
    private readonly IDiskFile _file;
    private readonly BackupChunks _chunks;
    private readonly byte[] _waiting;
    private readonly List<BackupEntry> _entries = [];
    private int _filled;
    private long _number;
    private long _offset = BackupHeader.Bytes;

    public BackupWriter(IDiskFile file, BackupKind kind, BackupKey key, IEntropy entropy, int chunkBytes)
    {
        _file = file;
        var salt = new byte[BackupHeader.SaltBytes];
        entropy.Fill(salt);
        var header = new BackupHeader(kind, key.Source, chunkBytes, salt, key.Source == BackupKeySource.Passphrase ? BackupKey.Iterations : 0);
        var (data, check) = key.Derive(salt, header.Iterations);
        var bytes = header.ToBytes(check);
        _chunks = new BackupChunks(header, bytes, data);
        _waiting = new byte[chunkBytes];
        _file.Write(0, bytes);
    }

    /// <summary>Bytes of files written so far.</summary>
    public long Written { get; private set; }

    /// <summary>Adds the first bytes of a file, as many as asked for; told of every piece.</summary>
    public void Add(string path, IDiskFile source, long length, Action? wrote = null)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var piece = new byte[Math.Min(Math.Max(length, 1), 1 << 20)];
        for (long at = 0; at < length;)
        {
            var wanted = piece.AsSpan(0, (int)Math.Min(piece.Length, length - at));
            var read = source.Read(at, wanted);
            if (read < wanted.Length)
            {
                throw new BackupDamagedException(path, at + read, "the file became shorter while it was copied.");
            }

            hash.AppendData(wanted);
            Put(wanted);
            at += read;
            Written += read;
            wrote?.Invoke();
        }

        _entries.Add(new BackupEntry { Path = path, Length = length, Sha256 = ByteString.CopyFrom(hash.GetHashAndReset()) });
    }

    public void Add(string path, ReadOnlySpan<byte> bytes)
    {
        Put(bytes);
        Written += bytes.Length;
        _entries.Add(new BackupEntry { Path = path, Length = bytes.Length, Sha256 = ByteString.CopyFrom(SHA256.HashData(bytes)) });
    }

    /// <summary>Writes the manifest with the files added, and syncs.</summary>
    public void Finish(BackupManifest manifest)
    {
        manifest.Entries.AddRange(_entries);
        var bytes = manifest.ToByteArray();
        Put(bytes);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, bytes.Length);
        Put(length);
        Flush(isLast: true);
        _file.Sync();
    }

    public void Dispose() => _chunks.Dispose();

    /// <summary>A full buffer is written when the next byte comes, so that the last chunk is never empty.</summary>
    private void Put(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_filled == _waiting.Length)
            {
                Flush(isLast: false);
            }

            var count = Math.Min(bytes.Length, _waiting.Length - _filled);
            bytes[..count].CopyTo(_waiting.AsSpan(_filled));
            bytes = bytes[count..];
            _filled += count;
        }
    }

    private void Flush(bool isLast)
    {
        var chunk = _chunks.Seal(_number++, _waiting.AsSpan(0, _filled), isLast);
        _file.Write(_offset, chunk);
        _offset += chunk.Length;
        _filled = 0;
    }
}
