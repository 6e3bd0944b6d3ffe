using System.Buffers.Binary;
using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>How the frames of a segment lie in its file.</summary>
internal enum SegmentKind : byte
{
    /// <summary>One after the other, as they were appended.</summary>
    Raw = 1,

    /// <summary>In zstd blocks of whole frames, with an index behind them.</summary>
    Packed = 2,
}

/// <summary>
/// The first 256 bytes of a segment: magic, format, kind, incarnation, node, first position, chain hash before it, and a random salt that goes into
/// the check value of every frame header, so that no payload can pass for a frame. In every later format the magic and the format number stay where
/// they are, and the last four of the 256 bytes are the CRC-32C of the others, so that an older program can tell a newer file from a damaged one.
/// </summary>
internal sealed record SegmentHeader(SegmentKind Kind, Incarnation Incarnation, NodeId Node, Lsn First, Hash256 Previous, ulong Salt)
{
    public const int Bytes = 256;
    public const ushort Format = 1;

    private const int FormatAt = 8;
    private const int KindAt = 10;
    private const int NodeLengthAt = 11;
    private const int IncarnationAt = 16;
    private const int FirstAt = 32;
    private const int PreviousAt = 40;
    private const int SaltAt = 72;
    private const int NodeAt = 80;
    private const int CrcAt = Bytes - 4;

    private static ReadOnlySpan<byte> Magic => "CITYGRDJ"u8;

    /// <summary>Where the check value of every frame header of this segment starts from.</summary>
    public uint FrameSeed
    {
        get
        {
            Span<byte> salt = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(salt, Salt);
            return Crc32C.Of(salt);
        }
    }

    public byte[] ToBytes()
    {
        var bytes = new byte[Bytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(FormatAt), Format);
        bytes[KindAt] = (byte)Kind;
        bytes[NodeLengthAt] = (byte)Encoding.ASCII.GetBytes(Node.ToString(), bytes.AsSpan(NodeAt));
        Incarnation.ToBytes().CopyTo(bytes.AsSpan(IncarnationAt));
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(FirstAt), First.Value);
        Previous.WriteTo(bytes.AsSpan(PreviousAt));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(SaltAt), Salt);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(CrcAt), Crc32C.Of(bytes.AsSpan(0, CrcAt)));
        return bytes;
    }

    /// <summary>
    /// Reads the header at the front of a file; null where the file was begun and a crash took its header (it is shorter than one, or holds zeros
    /// alone). Throws <see cref="JournalDamagedException"/> or <see cref="NewerFormatException"/> for anything else that is no header.
    /// </summary>
    public static SegmentHeader? Read(IDiskFile file, string path)
    {
        var bytes = new byte[Bytes];
        if (file.Read(0, bytes) < Bytes)
        {
            return null;
        }

        if (Crc32C.Of(bytes.AsSpan(0, CrcAt)) != BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(CrcAt)) || !bytes.AsSpan().StartsWith(Magic))
        {
            return HoldsZerosAlone(file) ? null : throw new JournalDamagedException(path, 0, "the segment's header is damaged.");
        }

        int format = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(FormatAt));
        if (format > Format)
        {
            throw new NewerFormatException(path, format, Format);
        }

        var header = Parse(bytes);
        return header is not null && bytes.AsSpan().SequenceEqual(header.ToBytes())
            ? header
            : throw new JournalDamagedException(path, 0, "the segment's header makes no sense.");
    }

    private static SegmentHeader? Parse(byte[] bytes)
    {
        var nodeLength = Math.Min((int)bytes[NodeLengthAt], NodeId.LengthMax);
        return NodeId.TryParse(Encoding.ASCII.GetString(bytes, NodeAt, nodeLength), out var node)
            ? new SegmentHeader(
                (SegmentKind)bytes[KindAt],
                Incarnation.FromBytes(bytes.AsSpan(IncarnationAt, 16)),
                node,
                new Lsn(BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(FirstAt))),
                Hash256.FromBytes(bytes.AsSpan(PreviousAt, Hash256.Size)),
                BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(SaltAt)))
            : null;
    }

    private static bool HoldsZerosAlone(IDiskFile file)
    {
        var buffer = new byte[64 << 10];
        for (long offset = 0; ;)
        {
            var read = file.Read(offset, buffer);
            if (read == 0)
            {
                return true;
            }

            if (buffer.AsSpan(0, read).ContainsAnyExcept((byte)0))
            {
                return false;
            }

            offset += read;
        }
    }
}
