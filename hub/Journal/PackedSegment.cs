using System.Buffers;
using System.Buffers.Binary;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using ZstdSharp;

namespace CityGrid.Hub.Journal;

/// <summary>A block of a packed segment: whole frames, compressed on their own.</summary>
internal readonly record struct PackedBlock(Lsn First, long Offset, int PackedBytes, int FrameBytes, uint CheckValue)
{
    public const int Bytes = 28;

    public void WriteTo(Span<byte> target)
    {
        BinaryPrimitives.WriteInt64LittleEndian(target, First.Value);
        BinaryPrimitives.WriteInt64LittleEndian(target[8..], Offset);
        BinaryPrimitives.WriteInt32LittleEndian(target[16..], PackedBytes);
        BinaryPrimitives.WriteInt32LittleEndian(target[20..], FrameBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(target[24..], CheckValue);
    }

    public static PackedBlock Read(ReadOnlySpan<byte> bytes) => new(
        new Lsn(BinaryPrimitives.ReadInt64LittleEndian(bytes)),
        BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadInt32LittleEndian(bytes[20..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]));
}

/// <summary>The last bytes of a packed segment: where its index is, and where its chain ends.</summary>
internal readonly record struct PackedTail(long IndexOffset, int Blocks, uint IndexCheckValue, JournalHead End)
{
    public const int Bytes = 68;

    private const int CrcAt = Bytes - 4;

    private static ReadOnlySpan<byte> Magic => "CITYPACK"u8;

    public byte[] ToBytes()
    {
        var bytes = new byte[Bytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), IndexOffset);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), Blocks);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(20), IndexCheckValue);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), End.Lsn.Value);
        End.ChainHash.WriteTo(bytes.AsSpan(32));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(CrcAt), Crc32C.Of(bytes.AsSpan(0, CrcAt)));
        return bytes;
    }

    public static PackedTail? Read(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(Magic) && Crc32C.Of(bytes[..CrcAt]) == BinaryPrimitives.ReadUInt32LittleEndian(bytes[CrcAt..])
            ? new PackedTail(
                BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]),
                BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
                new(new Lsn(BinaryPrimitives.ReadInt64LittleEndian(bytes[24..])), Hash256.FromBytes(bytes.Slice(32, Hash256.Size))))
            : null;
}

/// <summary>A sealed segment in zstd blocks of whole frames, with an index and its last chain hash behind them.</summary>
internal sealed class PackedSegment(IDisk disk, string path, SegmentHeader header, PackedTail tail, PackedBlock[] blocks) : Segment(disk, path, header)
{
    /// <summary>The position of the last event and the chain hash there.</summary>
    public JournalHead End => tail.End;

    /// <summary>Reads header, tail and index, and checks that they account for every byte of the file.</summary>
    public static PackedSegment Load(IDisk disk, string path)
    {
        using var file = disk.Open(path, DiskAccess.Read);
        var header = SegmentHeader.Read(file, path) ?? throw new JournalDamagedException(path, 0, "the packed segment has no header.");
        if (header.Kind != SegmentKind.Packed)
        {
            throw new JournalDamagedException(path, 0, "the header is not that of a packed segment.");
        }

        var tailAt = file.Length - PackedTail.Bytes;
        var bytes = new byte[PackedTail.Bytes];
        if (tailAt < SegmentHeader.Bytes || file.Read(tailAt, bytes) < bytes.Length || PackedTail.Read(bytes) is not { } tail)
        {
            throw new JournalDamagedException(path, Math.Max(0, tailAt), "the packed segment's last bytes are damaged.");
        }

        return new PackedSegment(disk, path, header, tail, ReadIndex(file, path, tail, tailAt));
    }

    public override FrameSource FramesFrom(IDiskFile file, Lsn lsn, long end, FrameReach reach = FrameReach.Many)
    {
        var (low, high) = (0, blocks.Length - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = blocks[middle].First <= lsn ? (middle, high) : (low, middle - 1);
        }

        return new PackedFrames(file, Path, Header.FrameSeed, blocks, low);
    }

    private static PackedBlock[] ReadIndex(IDiskFile file, string path, PackedTail tail, long tailAt)
    {
        if (tail.Blocks < 1 || tail.IndexOffset + ((long)tail.Blocks * PackedBlock.Bytes) != tailAt)
        {
            throw new JournalDamagedException(path, tailAt, "the packed segment's index has another length.");
        }

        var bytes = new byte[tail.Blocks * PackedBlock.Bytes];
        if (file.Read(tail.IndexOffset, bytes) < bytes.Length || Crc32C.Of(bytes) != tail.IndexCheckValue)
        {
            throw new JournalDamagedException(path, tail.IndexOffset, "the packed segment's index is damaged.");
        }

        var blocks = new PackedBlock[tail.Blocks];
        long next = SegmentHeader.Bytes;
        for (var i = 0; i < blocks.Length; i++)
        {
            blocks[i] = PackedBlock.Read(bytes.AsSpan(i * PackedBlock.Bytes));
            if (blocks[i].Offset != next || blocks[i].PackedBytes < 1 || blocks[i].FrameBytes < 1)
            {
                throw new JournalDamagedException(path, tail.IndexOffset, "the packed segment's index makes no sense.");
            }

            next += blocks[i].PackedBytes;
        }

        return next == tail.IndexOffset ? blocks : throw new JournalDamagedException(path, next, "there are bytes between the packed segment's blocks and its index.");
    }
}

/// <summary>The frames of a packed segment, a block at a time.</summary>
internal sealed class PackedFrames(IDiskFile file, string path, uint seed, PackedBlock[] blocks, int block) : FrameSource
{
    private readonly Decompressor _zstd = new();
    private byte[] _frames = [];
    private int _start;
    private int _filled;
    private int _next = block;

    public override long Offset => blocks[Math.Max(0, Math.Min(_start < _filled ? _next - 1 : _next, blocks.Length - 1))].Offset;

    public override bool AtEnd => _start >= _filled && _next >= blocks.Length;

    public override bool TryNext(out Frame frame)
    {
        frame = default;
        if (_start >= _filled)
        {
            if (_next >= blocks.Length)
            {
                return false;
            }

            Unpack(blocks[_next++]);
        }

        if (!FrameHeader.TryRead(_frames.AsSpan(_start, _filled - _start), seed, out var header) || header.Length > _filled - _start)
        {
            return false;
        }

        frame = new(header, Offset, _frames.AsMemory(_start, header.Length));
        _start += header.Length;
        return true;
    }

    public override void Dispose()
    {
        _zstd.Dispose();
        if (_frames.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_frames);
            _frames = [];
        }
    }

    private void Unpack(PackedBlock from)
    {
        if (_frames.Length < from.FrameBytes)
        {
            if (_frames.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(_frames);
            }

            _frames = ArrayPool<byte>.Shared.Rent(from.FrameBytes);
        }

        var packed = ArrayPool<byte>.Shared.Rent(from.PackedBytes);
        try
        {
            var bytes = packed.AsSpan(0, from.PackedBytes);
            if (file.Read(from.Offset, bytes) < bytes.Length || Crc32C.Of(bytes) != from.CheckValue
                || !_zstd.TryUnwrap(bytes, _frames.AsSpan(0, from.FrameBytes), out var written) || written != from.FrameBytes)
            {
                throw new JournalDamagedException(path, from.Offset, "a packed block is damaged.");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(packed);
        }

        (_start, _filled) = (0, from.FrameBytes);
    }
}
