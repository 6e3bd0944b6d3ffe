using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>The segments that stand in a journal's folder, read without changing anything.</summary>
internal sealed record SegmentListing(IReadOnlyList<Lsn> Firsts, IReadOnlySet<Lsn> RawOnes, IReadOnlySet<Lsn> PackedOnes, IReadOnlyList<string> Temporary)
{
    public static SegmentListing Read(IDisk disk)
    {
        var raw = new HashSet<Lsn>();
        var packed = new HashSet<Lsn>();
        var temporary = new List<string>();
        foreach (var name in disk.List(JournalFiles.Folder))
        {
            if (JournalFiles.IsRaw(name, out var first))
            {
                raw.Add(first);
            }
            else if (JournalFiles.IsPacked(name, out first))
            {
                packed.Add(first);
            }
            else if (name.EndsWith(JournalFiles.TemporarySuffix, StringComparison.Ordinal))
            {
                temporary.Add($"{JournalFiles.Folder}/{name}");
            }
        }

        return new([.. raw.Union(packed).Order()], raw, packed, temporary);
    }

    public bool IsRaw(Lsn first) => RawOnes.Contains(first);

    public bool IsPacked(Lsn first) => PackedOnes.Contains(first);

    /// <summary>The raw segment at a position; null where a crash left it without a header.</summary>
    public static RawSegment? LoadRaw(IDisk disk, Lsn first)
    {
        var path = JournalFiles.Raw(first);
        using var file = disk.Open(path, DiskAccess.Read);
        return SegmentHeader.Read(file, path) switch
        {
            null => null,
            { Kind: SegmentKind.Raw } header => new RawSegment(disk, path, header),
            _ => throw new JournalDamagedException(path, 0, "the header is not that of a raw segment."),
        };
    }

    /// <summary>Throws where segments are missing, strange, or do not continue one another as far as their headers tell.</summary>
    public static void CheckOrder(IReadOnlyList<Segment> segments)
    {
        for (var i = 0; i < segments.Count; i++)
        {
            var header = segments[i].Header;
            if (segments[i].Path != (segments[i] is RawSegment ? JournalFiles.Raw(header.First) : JournalFiles.Packed(header.First)))
            {
                throw new JournalDamagedException(segments[i].Path, 0, $"the segment's header says that it begins at position {header.First}.");
            }

            var end = i == 0 ? new JournalHead(Lsn.Zero, Hash256.Zero) : (segments[i - 1] as PackedSegment)?.End;
            if (end is { } known && new JournalHead(new Lsn(header.First.Value - 1), header.Previous) != known)
            {
                throw new JournalDamagedException(segments[i].Path, 0, $"the segment does not continue at position {known.Lsn}: one before it is missing or is another.");
            }

            if (header.Incarnation != segments[0].Header.Incarnation || header.Node != segments[0].Header.Node)
            {
                throw new JournalDamagedException(segments[i].Path, 0, "the segment is that of another data directory.");
            }
        }
    }
}
