using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;

namespace CityGrid.Hub.Sealing;

/// <summary>
/// A file of keys: a header of 4,096 bytes {magic 8 B, format 2 B, key bytes 2 B, slots 4 B, block number 8 B, CRC32C 4 B, zeros}, then 4,096
/// keys of 32 bytes. Keys never cross a disk's 512-byte sector, so an erasure cut off by a power failure leaves a key whole or gone.
/// </summary>
internal static class KeyBlock
{
    public const int KeyBytes = 32;

    /// <summary>128 kB of keys a sync: the largest city (60,000 cases a day) writes 15 blocks a day.</summary>
    public const int Slots = 4096;

    private const int HeaderBytes = 4096;
    private const int FileBytes = HeaderBytes + (Slots * KeyBytes);
    private const int HeaderCheckedBytes = 24;
    private const ushort Format = 1;
    private const string Suffix = ".key";
    private const string UnfinishedSuffix = ".new";
    private static readonly byte[] Magic = "CGKEYS\r\n"u8.ToArray();

    public static string Name(long block) => block.ToString("D8", CultureInfo.InvariantCulture) + Suffix;

    public static bool IsUnfinished(string name) => name.EndsWith(UnfinishedSuffix, StringComparison.Ordinal);

    /// <summary>The block number in a file's name; null for any other file.</summary>
    public static long? NumberOf(string name) =>
        name.EndsWith(Suffix, StringComparison.Ordinal)
        && long.TryParse(name[..^Suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out var block) && Name(block) == name
            ? block
            : null;

    public static long OffsetOf(long slot) => HeaderBytes + (slot % Slots * KeyBytes);

    /// <summary>Writes a new block beside its place, syncs it, and renames it there: after a crash it is whole or not there.</summary>
    public static void Write(IDisk disk, string folder, long block, IEntropy entropy)
    {
        var bytes = new byte[FileBytes];
        try
        {
            WriteHeader(bytes, block);
            entropy.Fill(bytes.AsSpan(HeaderBytes));
            var path = $"{folder}/{Name(block)}";
            if (disk.Exists(path + UnfinishedSuffix))
            {
                disk.Delete(path + UnfinishedSuffix);
            }

            Failpoint.Hit("keys.block.before");
            using (var file = disk.Open(path + UnfinishedSuffix, DiskAccess.CreateNew))
            {
                file.Write(0, bytes);
                file.Sync();
            }

            Failpoint.Hit("keys.block.synced");
            disk.Rename(path + UnfinishedSuffix, path);
            Failpoint.Hit("keys.block.renamed");
            disk.SyncFolder(folder);
            Failpoint.Hit("keys.block.after");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>Null for a sound block, otherwise what is wrong with it. A newer format throws <see cref="NewerFormatException"/>.</summary>
    public static string? Fault(IDiskFile file, string path, long block)
    {
        Span<byte> header = stackalloc byte[HeaderCheckedBytes + 4];
        if (file.Read(0, header) < header.Length || file.Length != FileBytes)
        {
            return $"it has {file.Length} bytes instead of {FileBytes}";
        }

        if (Crc32C.Of(header[..HeaderCheckedBytes]) != BinaryPrimitives.ReadUInt32LittleEndian(header[HeaderCheckedBytes..])
            || !header[..8].SequenceEqual(Magic))
        {
            return "its header is damaged";
        }

        var format = BinaryPrimitives.ReadUInt16LittleEndian(header[8..]);
        if (format > Format)
        {
            throw new NewerFormatException(path, format, Format);
        }

        return BinaryPrimitives.ReadInt64LittleEndian(header[16..]) == block ? null : "it is another block's file";
    }

    private static void WriteHeader(Span<byte> header, long block)
    {
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header[8..], Format);
        BinaryPrimitives.WriteUInt16LittleEndian(header[10..], KeyBytes);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], Slots);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], block);
        BinaryPrimitives.WriteUInt32LittleEndian(header[HeaderCheckedBytes..], Crc32C.Of(header[..HeaderCheckedBytes]));
    }
}
