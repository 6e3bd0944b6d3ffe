using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>Something that was noticed and dealt with: an incomplete end that was cut, a snapshot that was passed over, a file left by a crash.</summary>
public sealed record JournalNotice(string File, long Offset, string What)
{
    public override string ToString() => $"{File}:{Offset}: {What}";
}

/// <summary>The data directory belongs to another node; nothing was changed.</summary>
public sealed class JournalOfAnotherNodeException(NodeId found, NodeId expected)
    : Exception($"The data directory is that of node '{found}', this node is '{expected}'. Nothing was changed. Correct the node's name or its data directory in the configuration.");

/// <summary>
/// Opens the files of a journal and brings them, after whatever crash, into the state from which records are appended. It changes only what a crash
/// alone can have left: temporary files, one of two forms of a segment, a segment without a header, and the incomplete frame at the very end. Every
/// step is durable before the next relies on it, so a crash in between ends in the same state.
/// </summary>
internal sealed class JournalOpening(IDisk disk, IEntropy entropy, NodeId node, JournalOptions options)
{
    private readonly List<JournalNotice> _notices = [];

    /// <summary>What the opening ended with; the last segment is raw and open for appending.</summary>
    internal sealed record Result(List<Segment> Segments, IDiskFile Active, long ActiveEnd, JournalHead Head, IReadOnlyList<JournalNotice> Notices);

    public Result Open()
    {
        if (!options.WhileRestoring)
        {
            DirectoryLife.CheckWhole(disk);
        }

        Failpoint.Hit("recovery.before");
        disk.CreateFolder(JournalFiles.Folder);
        disk.CreateFolder(JournalFiles.SnapshotFolder);
        disk.SyncFolder(string.Empty);
        Failpoint.Hit("recovery.folders.after");
        SettleLast();
        Failpoint.Hit("recovery.settled");
        if (options.CopyLastSegment)
        {
            CopyLast();
        }

        var segments = LoadAll();
        if (segments.Count == 0)
        {
            segments.Add(Create(disk, options, NewHeader()));
        }

        disk.SyncFolder(JournalFiles.Folder);
        Failpoint.Hit("recovery.loaded");
        return Recover(segments);
    }

    /// <summary>Makes a segment with nothing but a header, durable with its entry; in <paramref name="room"/> that was made for it, or else in a new file.</summary>
    public static RawSegment Create(IDisk disk, JournalOptions options, SegmentHeader header, string? room = null)
    {
        var path = JournalFiles.Raw(header.First);
        if (room is not null && disk.Exists(path))
        {
            throw new IOException($"The segment {path} stands there already: two processes use one data directory. End one of them; the other finds everything that was acknowledged.");
        }

        using (var file = disk.Open(room ?? path, room is null ? DiskAccess.CreateNew : DiskAccess.ReadWrite))
        {
            file.Write(0, header.ToBytes());
            Failpoint.Hit("segment.create.written");
            file.Sync();
            Failpoint.Hit("segment.create.synced");
        }

        if (room is not null)
        {
            disk.Rename(room, path);
        }

        if (!options.Faults.SkipFolderSync)
        {
            disk.SyncFolder(JournalFiles.Folder);
        }

        Failpoint.Hit("segment.create.after");

        return new RawSegment(disk, path, header);
    }

    private SegmentHeader NewHeader()
    {
        if (SnapshotFiles.All(disk) is [var newest, ..])
        {
            throw new JournalDamagedException(JournalFiles.Folder, 0, $"there is no segment, but a snapshot at position {newest}: the journal is missing.");
        }

        return new(SegmentKind.Raw, new Incarnation(entropy.NextUInt128()), node, new Lsn(1), Hash256.Zero, entropy.NextUInt64());
    }

    /// <summary>
    /// Syncs the last raw file and forgets what the page cache shows of it: what is read after this is on the medium, even after a failed sync.
    /// </summary>
    private void SettleLast()
    {
        var last = disk.List(JournalFiles.Folder).LastOrDefault(name => JournalFiles.IsRaw(name, out _));
        if (last is null || options.Faults.SkipRecoverySync)
        {
            return;
        }

        using var file = disk.Open($"{JournalFiles.Folder}/{last}", DiskAccess.ReadWrite);
        file.Sync();
        if (!options.Faults.SkipDropCache)
        {
            file.DropCache();
        }
    }

    /// <summary>Whoever has the last raw file open goes on with the old one, which loses its name.</summary>
    private void CopyLast()
    {
        if (disk.List(JournalFiles.Folder).LastOrDefault(name => JournalFiles.IsRaw(name, out _)) is not { } last)
        {
            return;
        }

        var path = $"{JournalFiles.Folder}/{last}";
        var copy = path + JournalFiles.TemporarySuffix;
        if (disk.Exists(copy))
        {
            disk.Delete(copy);
        }

        using (var from = disk.Open(path, DiskAccess.Read))
        using (var to = disk.Open(copy, DiskAccess.CreateNew))
        {
            var piece = new byte[1 << 20];
            for (long at = 0; from.Read(at, piece) is > 0 and var count; at += count)
            {
                to.Write(at, piece.AsSpan(0, count));
            }

            to.Sync();
        }

        Failpoint.Hit("recovery.copy.synced");
        disk.Rename(copy, path);
        Failpoint.Hit("recovery.copy.renamed");
        disk.SyncFolder(JournalFiles.Folder);
        _notices.Add(new(path, 0, "the lock file of the directory was not the one of its last owner, so the journal goes on in a copy of this file"));
    }

    private List<Segment> LoadAll()
    {
        var listing = SegmentListing.Read(disk);
        foreach (var temporary in listing.Temporary)
        {
            Failpoint.Hit("recovery.unfinished.before");
            Delete(temporary, "a file that a crash left unfinished was deleted");
            Failpoint.Hit("recovery.unfinished.after");
        }

        var segments = new List<Segment>();
        for (var i = 0; i < listing.Firsts.Count; i++)
        {
            if (Load(listing, i, segments) is { } segment)
            {
                segments.Add(segment);
            }
        }

        SegmentListing.CheckOrder(segments);
        return segments.Count > 0 && segments[0].Header.Node != node ? throw new JournalOfAnotherNodeException(segments[0].Header.Node, node) : segments;
    }

    private Segment? Load(SegmentListing listing, int index, List<Segment> before)
    {
        var first = listing.Firsts[index];
        if (listing.IsPacked(first))
        {
            if (listing.IsRaw(first))
            {
                return Settle(first);
            }

            return PackedSegment.Load(disk, JournalFiles.Packed(first));
        }

        if (SegmentListing.LoadRaw(disk, first) is { } raw)
        {
            return raw;
        }

        if (index < listing.Firsts.Count - 1 || before is [.., PackedSegment])
        {
            throw new JournalDamagedException(JournalFiles.Raw(first), 0, "the segment has no header, and it had one.");
        }

        Delete(JournalFiles.Raw(first), "a segment that a crash left without a header was deleted");
        return null;
    }

    /// <summary>Both forms of a segment stand there: the packed one takes over if it is whole; otherwise the raw one stays.</summary>
    private Segment Settle(Lsn first)
    {
        PackedSegment? packed = null;
        try
        {
            packed = PackedSegment.Load(disk, JournalFiles.Packed(first));
            new SegmentPacking(disk, options).CheckAll(packed, packed.End, ChainCheck.EveryRecord);
        }
        catch (JournalDamagedException)
        {
            packed?.Dispose();
            var raw = SegmentListing.LoadRaw(disk, first) ?? throw new JournalDamagedException(JournalFiles.Raw(first), 0, "both forms of the segment are damaged.");
            Delete(JournalFiles.Packed(first), "the packed form of a segment was not whole and was deleted; the raw one stays");
            return raw;
        }

        disk.SyncFolder(JournalFiles.Folder);
        Failpoint.Hit("recovery.forms.before");
        Delete(JournalFiles.Raw(first), "the raw form of a segment that was packed before a crash was deleted");
        Failpoint.Hit("recovery.forms.after");
        return packed;
    }

    private Result Recover(List<Segment> segments)
    {
        if (segments[^1] is not RawSegment last)
        {
            throw new JournalDamagedException(segments[^1].Path, 0, "a packed segment is the last one: the one after it is missing.");
        }

        var file = disk.Open(last.Path, DiskAccess.ReadWrite);
        try
        {
            // Where the end is, is all that is asked here: the whole chain is walked before the segment is packed, and by whoever verifies the journal.
            var walk = new ChainWalk(new ActorNames(), options.Faults, ChainCheck.EveryFrame);
            walk.BeginAt(last.Header);
            var length = file.Length;
            var (end, previous) = Walk(last, file, length, walk);
            if (end < length)
            {
                CheckIncomplete(last, file, end, length, walk.Position.Next);
                Cut(last, file, options.Faults.CutTooFar ? previous : end, length, isRoom: SegmentTail.IsRoom(file, end, length));
            }

            if (end == length || !options.Faults.CutTooFar)
            {
                Failpoint.Hit("recovery.after");
                return new(segments, file, end, walk.Head, _notices);
            }
        }
        catch
        {
            file.Dispose();
            throw;
        }

        file.Dispose();
        return Recover(segments);
    }

    /// <summary>Walks the sound frames; returns where they end, and where the last of them begins.</summary>
    private static (long End, long Previous) Walk(RawSegment last, IDiskFile file, long length, ChainWalk walk)
    {
        using var frames = last.FramesFrom(file, last.First, length);
        var (end, previous) = (frames.Offset, frames.Offset);
        while (frames.TryNext(out var frame) && walk.Take(frame.Bytes.Span, frame.Header) is null)
        {
            (previous, end) = (end, frames.Offset);
        }

        return (end, previous);
    }

    private void CheckIncomplete(RawSegment last, IDiskFile file, long end, long length, Lsn expected)
    {
        if (!options.Faults.CutAnything && SegmentTail.Damage(file, last.Header.FrameSeed, end, length, expected) is { } damage)
        {
            throw new JournalDamagedException(last.Path, end, damage);
        }
    }

    private void Cut(RawSegment last, IDiskFile file, long end, long length, bool isRoom)
    {
        Failpoint.Hit("recovery.cut.before");
        file.Truncate(end);
        Failpoint.Hit("recovery.cut.truncated");
        if (!options.Faults.SkipCutSync)
        {
            file.Sync();
        }

        Failpoint.Hit("recovery.cut.after");
        if (!isRoom)
        {
            _notices.Add(new(last.Path, end, $"an incomplete end of {length - end} bytes, which nobody was told is kept, was cut"));
        }
    }

    private void Delete(string path, string what)
    {
        disk.Delete(path);
        _notices.Add(new(path, 0, what));
    }
}
