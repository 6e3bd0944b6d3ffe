using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using ZstdSharp;

namespace CityGrid.Hub.Journal;

/// <summary>Writes a sealed segment again in compressed form. Every check value is compared before and after, and the chain of hashes record by record before and frame by frame after; a doubt leaves the raw file.</summary>
internal sealed class SegmentPacking(IDisk disk, JournalOptions options)
{
    /// <summary>
    /// The first of zstd's fast levels. Most of a city's segment is sealed, and no level makes that smaller: at level 3 a segment of reports is
    /// smaller by 0.4 % and takes twice as long, one of a parent, full of figures, smaller by a sixth. The writer wants the cores.
    /// </summary>
    private const int Level = -1;

    /// <summary>Where the packed form of a segment grows until it is whole.</summary>
    public static string TemporaryPath(Lsn first) => JournalFiles.Packed(first) + JournalFiles.TemporarySuffix;

    /// <summary>
    /// Writes the packed form beside the raw file under a temporary name, makes it durable, and reads it back. <paramref name="end"/> is where the
    /// chain of this segment must end. False when it was told to stop.
    /// </summary>
    public bool Write(RawSegment raw, JournalHead end, CancellationToken stop)
    {
        var path = TemporaryPath(raw.First);
        if (disk.Exists(path))
        {
            disk.Delete(path);
        }

        var source = raw.Take() ?? throw new InvalidOperationException($"{raw.Path} was packed already.");
        try
        {
            using var target = disk.Open(path, DiskAccess.CreateNew);
            if (!WriteBlocks(raw, source, target, end, stop))
            {
                return false;
            }

            if (!options.Faults.SkipPackedSync)
            {
                target.Sync();
                target.DropCache();
            }
        }
        finally
        {
            raw.Release();
        }

        using var packed = PackedSegment.Load(disk, path);

        // Every hash of these records was worked out as they were read from the raw form, and each has its check value: whatever the disk did to them since is found.
        CheckAll(packed, end, ChainCheck.EveryFrame);
        return true;
    }

    /// <summary>Reads the whole segment and throws where anything in it is wrong.</summary>
    public void CheckAll(PackedSegment packed, JournalHead end, ChainCheck check)
    {
        var file = packed.Take()!;
        try
        {
            using var frames = packed.FramesFrom(file, packed.First, long.MaxValue);
            var walk = BeginWalk(packed, check);
            while (frames.TryNext(out var frame))
            {
                Check(walk, frame, packed.Path);
            }

            CheckEnd(walk, frames, end, packed.Path);
            if (packed.End != end)
            {
                throw new JournalDamagedException(packed.Path, frames.Offset, "the packed segment names another end.");
            }
        }
        finally
        {
            packed.Release();
        }
    }

    private ChainWalk BeginWalk(Segment segment, ChainCheck check)
    {
        var walk = new ChainWalk(new ActorNames(), options.Faults, check);
        walk.BeginAt(segment.Header);
        return walk;
    }

    private static void Check(ChainWalk walk, in Frame frame, string path)
    {
        if (walk.Take(frame.Bytes.Span, frame.Header) is { } fault)
        {
            throw new JournalDamagedException(path, frame.Offset + fault.Offset, fault.What);
        }
    }

    private static void CheckEnd(ChainWalk walk, FrameSource frames, JournalHead end, string path)
    {
        if (!frames.AtEnd || walk.Head != end)
        {
            throw new JournalDamagedException(path, frames.Offset, $"the segment ends at position {walk.Position}, {end.Lsn} was expected.");
        }
    }

    private bool WriteBlocks(RawSegment raw, IDiskFile source, IDiskFile target, JournalHead end, CancellationToken stop)
    {
        using var zstd = new Compressor(Level);
        using var frames = raw.FramesFrom(source, raw.First, source.Length);
        var walk = BeginWalk(raw, ChainCheck.EveryRecord);
        var blocks = new List<PackedBlock>();
        using var block = new MemoryStream();
        var packed = Array.Empty<byte>();
        var first = raw.First;
        target.Write(0, (raw.Header with { Kind = SegmentKind.Packed }).ToBytes());
        long offset = SegmentHeader.Bytes;
        while (frames.TryNext(out var frame))
        {
            Check(walk, frame, raw.Path);
            block.Write(frame.Bytes.Span);
            if (block.Length >= options.BlockBytes || frames.AtEnd)
            {
                if (stop.IsCancellationRequested)
                {
                    return false;
                }

                var frameBytes = (int)block.Length;
                if (packed.Length < Compressor.GetCompressBound(frameBytes))
                {
                    packed = new byte[Compressor.GetCompressBound(frameBytes)];
                }

                var bytes = packed.AsSpan(0, zstd.Wrap(block.GetBuffer().AsSpan(0, frameBytes), packed));
                target.Write(offset, bytes);
                blocks.Add(new(first, offset, bytes.Length, frameBytes, Crc32C.Of(bytes)));
                offset += bytes.Length;
                first = walk.Position.Next;
                block.SetLength(0);
            }
        }

        CheckEnd(walk, frames, end, raw.Path);
        WriteIndex(target, offset, blocks, end);
        return true;
    }

    private static void WriteIndex(IDiskFile target, long offset, List<PackedBlock> blocks, JournalHead end)
    {
        var index = new byte[blocks.Count * PackedBlock.Bytes];
        for (var i = 0; i < blocks.Count; i++)
        {
            blocks[i].WriteTo(index.AsSpan(i * PackedBlock.Bytes));
        }

        target.Write(offset, index);
        target.Write(offset + index.Length, new PackedTail(offset, blocks.Count, Crc32C.Of(index), end).ToBytes());
    }
}
