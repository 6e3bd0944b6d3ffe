using System.Buffers.Binary;
using System.Security.Cryptography;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Journal;

namespace CityGrid.Tests.Fuzz;

/// <summary>What is read from the disk: segments, packed segments, snapshots; and two view stores that must answer alike.</summary>
internal static class StoredTargets
{
    private static readonly JournalOptions Small = new() { SegmentBytes = 1800, BlockBytes = 700, ReadAhead = false };

    private static readonly Lazy<(ModelDisk Disk, string Active, string Packed, string Snapshot)> Good = new(Made);

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("journal-segment", Shape.Bytes, 1_500, () => [Good.Value.Disk.Bytes(Good.Value.Active)], input => Opened(Good.Value.Active, input)) { Mend = MendSegment, BytesPerByte = 20_000 },
        new("packed-segment", Shape.Bytes, 1_500, () => [Good.Value.Disk.Bytes(Good.Value.Packed)], input => Opened(Good.Value.Packed, input)) { Mend = MendSegment, BytesPerByte = 20_000 },
        new("snapshot", Shape.Bytes, 1_500, () => [Good.Value.Disk.Bytes(Good.Value.Snapshot)], input => Opened(Good.Value.Snapshot, input)) { Mend = MendSnapshot, BytesPerByte = 20_000 },
        new("view-stores", Shape.Bytes, 150, () => [[1, 5, 10, 1, 9, 200, 2, 0, 3, 1, 5, 30, 3, 0, 0, 4, 0, 0, 1, 7, 99]], ViewStores) { BytesPerByte = 4_000_000 },
    ];

    /// <summary>A journal of a packed, a sealed and an active segment, with a snapshot.</summary>
    private static (ModelDisk Disk, string Active, string Packed, string Snapshot) Made()
    {
        var disk = new ModelDisk();
        var seed = new SeededEntropy(11);
        using var journal = FileJournal.Open(disk, seed, Drafts.Node, Small);
        while (disk.Files.Count(file => file.EndsWith(".seg", StringComparison.Ordinal)) < 2)
        {
            journal.Append(Drafts.Batch(seed, 3, 300), Drafts.Noon);
        }

        journal.PackSealed(CancellationToken.None);
        journal.SaveSnapshot(journal.Head.Lsn, [new FoldImage("cells", 1, new byte[200]), new FoldImage("cases", 3, "some bytes"u8.ToArray())]);
        journal.Append(Drafts.Batch(seed, 3, 300), Drafts.Noon);
        return (disk, disk.Files.Last(f => f.EndsWith(".seg", StringComparison.Ordinal)), disk.Files.First(f => f.EndsWith(".zst", StringComparison.Ordinal)), disk.Files.First(f => f.EndsWith(".snap", StringComparison.Ordinal)));
    }

    /// <summary>The verifier answers whatever stands there. A node opens and reads, or says that the journal is damaged, of another node or of a newer program.</summary>
    private static string Opened(string path, byte[] content)
    {
        var disk = Good.Value.Disk.Copy();
        using (var file = disk.Open(path, DiskAccess.ReadWrite))
        {
            file.Truncate(0);
            file.Write(0, content);
            file.Sync();
        }

        var verdict = JournalVerifier.Verify(disk);
        var way = verdict switch
        {
            JournalVerdict.Damaged damaged => FuzzTargets.Shortened(damaged.What),
            JournalVerdict.CannotDecide open => FuzzTargets.Shortened(open.Reason),
            _ => "sound",
        };
        try
        {
            using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
            long events = 0;
            foreach (var record in journal.ReadFrom(Lsn.Zero))
            {
                events += record.Events.Length;
            }

            FuzzTargets.Sound(events == journal.Head.Lsn.Value, "as many events are read as the head says");
            return $"{way}; read, {(journal.LoadSnapshot() is null ? "no" : "a")} snapshot";
        }
        catch (JournalDamagedException damaged)
        {
            FuzzTargets.Sound(verdict is not JournalVerdict.Sound, $"the verifier calls sound what a node cannot read: {damaged.Message}");
            return $"{way}; {FuzzTargets.Shortened(damaged.Message)}";
        }
        catch (Exception declared) when (declared is NewerFormatException or JournalOfAnotherNodeException)
        {
            return $"{way}; {declared.GetType().Name}";
        }
    }

    /// <summary>The check values of the segment's header, and of each frame and record in it, so that a reader believes them.</summary>
    private static byte[] MendSegment(byte[] bytes)
    {
        if (bytes.Length < SegmentHeader.Bytes)
        {
            return bytes;
        }

        var mended = (byte[])bytes.Clone();
        var header = mended.AsSpan(0, SegmentHeader.Bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(header[^4..], Crc32C.Of(header[..^4]));
        Span<byte> salt = stackalloc byte[8];
        mended.AsSpan(SegmentHeader.Bytes - 12, 8).CopyTo(salt);
        var seed = Crc32C.Of(salt);
        for (var at = SegmentHeader.Bytes; at + FrameHeader.Bytes <= mended.Length; at++)
        {
            if (mended.AsSpan(at).StartsWith(FrameHeader.Magic))
            {
                var frame = mended.AsSpan(at, FrameHeader.Bytes);
                BinaryPrimitives.WriteUInt32LittleEndian(frame[^4..], Crc32C.Of(frame[..^4], seed));
                MendRecord(mended.AsSpan(at + FrameHeader.Bytes));
            }
        }

        return mended;
    }

    private static void MendRecord(Span<byte> bytes)
    {
        if (bytes.Length >= RecordFormat.FixedBytes && RecordFormat.LengthAt(bytes) is var length && length >= RecordFormat.FixedBytes && length <= bytes.Length)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], RecordFormat.CheckValue(bytes[..length]));
        }
    }

    private static byte[] MendSnapshot(byte[] bytes) => bytes.Length < 32 ? bytes : [.. bytes[..^32], .. SHA256.HashData(bytes.AsSpan(0, bytes.Length - 32))];

    /// <summary>Three bytes are a command to both stores: apply, read, page, drop, open again. Both answer the same, always.</summary>
    private static string ViewStores(byte[] program)
    {
        var disk = new ModelDisk();
        using var memory = new MemoryViewStore();
        var lite = new LiteViewStore(disk, new Incarnation(77), new LiteViewOptions { CheckpointPages = 12 });
        var ways = new SortedSet<int>();
        try
        {
            long lsn = 0;
            for (var i = 0; i + 2 < program.Length && i < 90; i += 3)
            {
                var (what, a, b) = (program[i] % 6, program[i + 1], program[i + 2]);
                var shelf = $"s{a % 3}";
                var id = (UInt128)(1 + (a % 16)) << (b % 120);
                ways.Add(what);
                switch (what)
                {
                    case 0 or 1:
                        ViewDocument[] documents = [.. Enumerable.Range(0, 1 + (b % 5)).Select(k => new ViewDocument(id + (UInt128)k, new Lsn(++lsn), Enumerable.Repeat(b, a * b % 5_000).ToArray()))];
                        memory.Apply(shelf, documents, new Lsn(lsn));
                        lite.Apply(shelf, documents, new Lsn(lsn));
                        break;
                    case 2:
                        Same(Told(memory.Get(shelf, id)), Told(lite.Get(shelf, id)), $"get {shelf} {id}");
                        break;
                    case 3:
                        Same(string.Join('|', memory.Page(shelf, id, b).Select(Told)), string.Join('|', lite.Page(shelf, id, b).Select(Told)), $"page {shelf} after {id}, {b}");
                        break;
                    case 4:
                        memory.Drop(shelf);
                        lite.Drop(shelf);
                        break;
                    default:
                        lite.Dispose();
                        lite = new LiteViewStore(disk, new Incarnation(77), new LiteViewOptions { CheckpointPages = 12 });
                        break;
                }

                Same(string.Join(',', memory.Shelves), string.Join(',', lite.Shelves), "shelves");
                Same($"{memory.AppliedLsn(shelf)}", $"{lite.AppliedLsn(shelf)}", $"position of {shelf}");
            }

            return string.Join(',', ways);
        }
        finally
        {
            lite.Dispose();
        }
    }

    private static string Told(ViewDocument? document) => document is null ? "none" : $"{document.Id} {document.Lsn} {Convert.ToHexString(SHA256.HashData(document.Bytes.Span))}";

    private static void Same(string one, string other, string what) => FuzzTargets.Sound(one == other, $"{what}: '{one}' in memory, '{other}' in LiteDB");
}
