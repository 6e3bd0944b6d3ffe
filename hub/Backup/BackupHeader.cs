using System.Buffers.Binary;
using System.Security.Cryptography;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;

namespace CityGrid.Hub.Backup;

/// <summary>What a backup file holds; numbers are never reused.</summary>
public enum BackupKind : byte
{
    /// <summary>Journal, snapshot, configuration, register: everything but keys.</summary>
    Node = 1,

    /// <summary>The keys of personal data, which are kept apart and replaced with every backup.</summary>
    Keys = 2,
}

/// <summary>The file is not whole, or not what was written: the file, the offset, and what is wrong there.</summary>
public sealed class BackupDamagedException(string file, long offset, string what) : IOException($"{file}:{offset}: {what}")
{
    public string File { get; } = file;

    public long Offset { get; } = offset;

    public string What { get; } = what;
}

/// <summary>The file is whole as far as it can be told, and was written under another key or passphrase.</summary>
public sealed class BackupKeyException(string file, BackupKeySource wanted, BackupKeySource given) : IOException(
    wanted == given
        ? $"{file} was written under another {(wanted == BackupKeySource.Key ? "key" : "passphrase")} than the one given. Nothing was changed. Give the one that it was written under."
        : $"{file} was written under a {(wanted == BackupKeySource.Key ? "key" : "passphrase")}, and a {(given == BackupKeySource.Key ? "key" : "passphrase")} was given. Nothing was changed. Give the one that it was written under.");

/// <summary>
/// The first 128 bytes of a backup, the only ones in the clear. In every later format the magic and the format number stay where they are, and the last
/// four of the 128 are the CRC-32C of the others, so that an older program can tell a newer file from a damaged one.
/// </summary>
internal sealed record BackupHeader(BackupKind Kind, BackupKeySource KeySource, int ChunkBytes, byte[] Salt, int Iterations)
{
    public const int Bytes = 128;
    public const ushort Format = 1;
    public const int SaltBytes = 32;
    public const int ChunkBytesMin = 256;
    public const int ChunkBytesMax = 16 << 20;

    private const int FormatAt = 8;
    private const int KindAt = 10;
    private const int KeySourceAt = 11;
    private const int ChunkBytesAt = 12;
    private const int SaltAt = 16;
    private const int IterationsAt = 48;
    private const int CheckAt = 64;
    private const int CrcAt = Bytes - 4;

    /// <summary>Ten times what is written: more would let a forged header keep a reader busy for minutes.</summary>
    private const int IterationsMax = BackupKey.Iterations * 10;

    private static ReadOnlySpan<byte> Magic => "CITYBKUP"u8;

    public byte[] ToBytes(ReadOnlySpan<byte> checkKey)
    {
        var bytes = new byte[Bytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(FormatAt), Format);
        bytes[KindAt] = (byte)Kind;
        bytes[KeySourceAt] = (byte)KeySource;
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(ChunkBytesAt), ChunkBytes);
        Salt.CopyTo(bytes.AsSpan(SaltAt));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(IterationsAt), Iterations);
        HMACSHA256.HashData(checkKey, bytes.AsSpan(0, CheckAt), bytes.AsSpan(CheckAt, 32));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(CrcAt), Crc32C.Of(bytes.AsSpan(0, CrcAt)));
        return bytes;
    }

    /// <summary>
    /// Reads the header and derives the file's key. Throws <see cref="BackupDamagedException"/>, <see cref="NewerFormatException"/> or
    /// <see cref="BackupKeyException"/>.
    /// </summary>
    public static (BackupHeader Header, byte[] Bytes, byte[] DataKey) Read(IDiskFile file, string path, BackupKey key)
    {
        var bytes = new byte[Bytes];
        if (file.Read(0, bytes) < Bytes || !bytes.AsSpan().StartsWith(Magic))
        {
            throw new BackupDamagedException(path, 0, "this is no backup, or its first bytes are damaged.");
        }

        if (Crc32C.Of(bytes.AsSpan(0, CrcAt)) != BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(CrcAt)))
        {
            throw new BackupDamagedException(path, 0, "the header is damaged.");
        }

        int format = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(FormatAt));
        if (format > Format)
        {
            throw new NewerFormatException(path, format, Format);
        }

        var header = new BackupHeader(
            (BackupKind)bytes[KindAt],
            (BackupKeySource)bytes[KeySourceAt],
            BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(ChunkBytesAt)),
            bytes[SaltAt..(SaltAt + SaltBytes)],
            BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(IterationsAt)));
        if (!header.MakesSense())
        {
            throw new BackupDamagedException(path, 0, "the header makes no sense.");
        }

        if (header.KeySource != key.Source)
        {
            throw new BackupKeyException(path, header.KeySource, key.Source);
        }

        var (data, check) = key.Derive(header.Salt, header.Iterations);
        return CryptographicOperations.FixedTimeEquals(header.ToBytes(check), bytes) ? (header, bytes, data) : throw new BackupKeyException(path, header.KeySource, key.Source);
    }

    private bool MakesSense() => Kind is BackupKind.Node or BackupKind.Keys
        && ChunkBytes is >= ChunkBytesMin and <= ChunkBytesMax
        && (KeySource == BackupKeySource.Key ? Iterations == 0 : KeySource == BackupKeySource.Passphrase && Iterations is > 0 and <= IterationsMax);
}

/// <summary>
/// How the chunks of a backup lie in their file: each is {number u32, length u32 with the highest bit set in the last one}, the ciphertext, and a tag of
/// 16 bytes. All but the last are full. Number and length are authenticated with the header's hash, so a chunk is right in one place of one file only.
/// </summary>
internal sealed class BackupChunks(BackupHeader header, byte[] headerBytes, byte[] dataKey) : IDisposable
{
    public const int HeadBytes = 8;
    public const int TagBytes = 16;

    private const int NonceBytes = 12;
    private const uint LastFlag = 0x8000_0000;

    private readonly AesGcm _cipher = new(dataKey, TagBytes);
    private readonly byte[] _headerHash = SHA256.HashData(headerBytes);

    public int ChunkBytes => header.ChunkBytes;

    public long OffsetOf(long number) => BackupHeader.Bytes + (number * (HeadBytes + ChunkBytes + TagBytes));

    public byte[] Seal(long number, ReadOnlySpan<byte> plain, bool isLast)
    {
        var bytes = new byte[HeadBytes + plain.Length + TagBytes];
        WriteHead(bytes, number, plain.Length, isLast);
        _cipher.Encrypt(
            Nonce(number), plain, bytes.AsSpan(HeadBytes, plain.Length), bytes.AsSpan(HeadBytes + plain.Length), Associated(bytes.AsSpan(0, HeadBytes)));
        return bytes;
    }

    /// <summary>The content of a chunk, or null where these bytes are not what was written in this place.</summary>
    public byte[]? Open(long number, ReadOnlySpan<byte> bytes, bool isLast)
    {
        if (bytes.Length < HeadBytes + TagBytes)
        {
            return null;
        }

        var plain = new byte[bytes.Length - HeadBytes - TagBytes];
        Span<byte> head = stackalloc byte[HeadBytes];
        WriteHead(head, number, plain.Length, isLast);
        if (!bytes[..HeadBytes].SequenceEqual(head))
        {
            return null;
        }

        try
        {
            _cipher.Decrypt(Nonce(number), bytes.Slice(HeadBytes, plain.Length), bytes[(HeadBytes + plain.Length)..], plain, Associated(head));
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    public void Dispose() => _cipher.Dispose();

    private static void WriteHead(Span<byte> target, long number, int length, bool isLast)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, checked((uint)number));
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], (uint)length | (isLast ? LastFlag : 0));
    }

    /// <summary>The key is this file's alone and each number is written once, so no nonce comes twice under one key.</summary>
    private static byte[] Nonce(long number)
    {
        var nonce = new byte[NonceBytes];
        BinaryPrimitives.WriteInt64LittleEndian(nonce, number);
        return nonce;
    }

    private byte[] Associated(ReadOnlySpan<byte> head) => [.. _headerHash, .. head];
}
