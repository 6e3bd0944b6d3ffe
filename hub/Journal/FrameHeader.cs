using System.Buffers.Binary;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>
/// The first 32 bytes of a frame, which is a batch of records written at once: magic, length of the whole frame, records, events, how many of its
/// sector slices hold zeros alone by their content, position of the first event, and the CRC-32C over the segment's salt and these. A frame ends with
/// a trailer: the chain hash after its last record, and four bytes. Every byte of magic and trailer mark has two bits set at least, so that no single
/// flipped bit makes a slice look lost.
/// </summary>
internal readonly record struct FrameHeader(int Length, int Records, int Events, int ZeroSlices, Lsn First)
{
    public const int Bytes = 32;
    public const int TrailerBytes = Hash256.Size + 4;

    private const int CrcAt = Bytes - 4;

    public Lsn Last => new(First.Value + Events - 1);

    public static ReadOnlySpan<byte> Magic => [0xC3, 0x6A, 0x5B, 0x9E];

    public static ReadOnlySpan<byte> EndMark => [0xE5, 0xAD, 0xD6, 0x97];

    public void WriteTo(Span<byte> target, uint seed)
    {
        Magic.CopyTo(target);
        BinaryPrimitives.WriteInt32LittleEndian(target[4..], Length);
        BinaryPrimitives.WriteInt32LittleEndian(target[8..], Records);
        BinaryPrimitives.WriteInt32LittleEndian(target[12..], Events);
        BinaryPrimitives.WriteInt32LittleEndian(target[16..], ZeroSlices);
        BinaryPrimitives.WriteInt64LittleEndian(target[20..], First.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(target[CrcAt..], Crc32C.Of(target[..CrcAt], seed));
    }

    public static void WriteTrailer(Span<byte> target, in Hash256 chain)
    {
        chain.WriteTo(target);
        EndMark.CopyTo(target[Hash256.Size..]);
    }

    /// <summary>Reads the header at the front of these bytes; false where none stands there.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, uint seed, out FrameHeader header)
    {
        header = default;
        if (bytes.Length < Bytes
            || !bytes.StartsWith(Magic)
            || Crc32C.Of(bytes[..CrcAt], seed) != BinaryPrimitives.ReadUInt32LittleEndian(bytes[CrcAt..]))
        {
            return false;
        }

        header = new(
            BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]),
            new Lsn(BinaryPrimitives.ReadInt64LittleEndian(bytes[20..])));
        return header is { Records: > 0, Events: > 0, ZeroSlices: >= 0, First.Value: > 0 } && header.Length > Bytes + TrailerBytes;
    }
}

/// <summary>A frame as it was read; its bytes are valid until the next one is read. <see cref="Offset"/> is where it, or the block that holds it, stands in the file.</summary>
internal readonly record struct Frame(FrameHeader Header, long Offset, ReadOnlyMemory<byte> Bytes);
