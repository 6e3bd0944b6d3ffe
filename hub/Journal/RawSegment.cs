using System.Buffers;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>A segment as it was appended: the last one, and those that wait to be packed.</summary>
internal sealed class RawSegment(IDisk disk, string path, SegmentHeader header) : Segment(disk, path, header)
{
    private readonly SparseIndex _index = new(header.First, SegmentHeader.Bytes);

    /// <summary>Remembers where a frame stands, when it is far enough from the last one remembered.</summary>
    public void Learn(Lsn first, long offset) => _index.Learn(first, offset);

    public override FrameSource FramesFrom(IDiskFile file, Lsn lsn, long end, FrameReach reach = FrameReach.Many) =>
        new RawFrames(file, Header.FrameSeed, _index.OffsetFor(lsn), end, reach, Learn);
}

/// <summary>Positions and where their frames stand, one every 64 KB: 1,024 entries a full segment, learnt while it is written or read.</summary>
internal sealed class SparseIndex(Lsn first, long offset)
{
    private const long Spacing = 64 << 10;

    private readonly Lock _gate = new();
    private readonly List<(Lsn First, long Offset)> _entries = [(first, offset)];

    public void Learn(Lsn lsn, long at)
    {
        lock (_gate)
        {
            if (at >= _entries[^1].Offset + Spacing)
            {
                _entries.Add((lsn, at));
            }
        }
    }

    public long OffsetFor(Lsn lsn)
    {
        lock (_gate)
        {
            var (low, high) = (0, _entries.Count - 1);
            while (low < high)
            {
                var middle = (low + high + 1) / 2;
                (low, high) = _entries[middle].First <= lsn ? (middle, high) : (low, middle - 1);
            }

            return _entries[low].Offset;
        }
    }
}

/// <summary>The frames of a raw segment, read in large pieces; where one record is looked for, in pieces of half of what lies between two places of the index.</summary>
internal sealed class RawFrames(IDiskFile file, uint seed, long offset, long end, FrameReach reach, Action<Lsn, long>? learn = null) : FrameSource
{
    private const int ManyBytes = 128 << 10;
    private const int OneBytes = 32 << 10;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(reach == FrameReach.Many ? ManyBytes : OneBytes);
    private int _start;
    private int _filled;

    public override long Offset => offset;

    public override bool AtEnd => offset >= end;

    public override bool TryNext(out Frame frame)
    {
        frame = default;
        if (!Fill(FrameHeader.Bytes) || !FrameHeader.TryRead(_buffer.AsSpan(_start), seed, out var header) || !Fill(header.Length))
        {
            return false;
        }

        frame = new(header, offset, _buffer.AsMemory(_start, header.Length));
        learn?.Invoke(header.First, offset);
        _start += header.Length;
        offset += header.Length;
        return true;
    }

    public override void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    /// <summary>Has so many bytes from <see cref="Offset"/> on in the buffer; false where the file has fewer.</summary>
    private bool Fill(int count)
    {
        var have = _filled - _start;
        if (have >= count)
        {
            return true;
        }

        if (count > end - offset)
        {
            return false;
        }

        var target = _buffer;
        if (count > _buffer.Length)
        {
            target = ArrayPool<byte>.Shared.Rent(count);
        }

        Buffer.BlockCopy(_buffer, _start, target, 0, have);
        if (target != _buffer)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = target;
        }

        var room = (int)Math.Min(_buffer.Length - have, end - offset - have);
        (_start, _filled) = (0, have + file.Read(offset + have, _buffer.AsSpan(have, room)));
        return _filled >= count;
    }
}
