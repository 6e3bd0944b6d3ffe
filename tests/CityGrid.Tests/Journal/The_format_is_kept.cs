using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>
/// The bytes on disk are a promise to every later program (INV-27). Golden/ is a whole little data directory as format 1 wrote it; it is never written
/// again but with CITYGRID_APPROVE=1. Whoever has to change what is written raises the format number, adds a second directory, and keeps reading this one.
/// </summary>
public sealed class The_format_is_kept
{
    private static readonly JournalOptions Small = new() { SegmentBytes = 300, BlockBytes = 400, ReadAhead = false };
    private static readonly FoldImage Cells = new("cells", 2, new byte[] { 9, 0, 8 });

    private static readonly RecordDraft[][] Batches =
    [
        [Drafts.Of("operator/7", [1, 2, 3], []), Drafts.Of("操作员", [4])],
        [Drafts.Of("operator/7", new byte[600]), Drafts.Of(string.Empty, [5, 6])],
        [Drafts.Of("operator/8", "上报"u8.ToArray(), new byte[700], [7])],
    ];

    private static string Golden => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Journal", "Golden");

    [Test]
    public void What_the_first_program_wrote_is_read_as_it_was_meant()
    {
        var disk = Kept();
        Assert.That(((JournalVerdict.Sound)JournalVerifier.Verify(disk)).Records, Is.EqualTo(5));
        var before = disk.Fingerprint();
        using var journal = FileJournal.Open(disk, new SeededEntropy(99), Drafts.Node, Small);
        Assert.That(journal.ReadFrom(Lsn.Zero).Select(Drafts.Plain), Is.EqualTo(Batches.SelectMany(batch => batch).Select(Drafts.Plain)));
        Assert.That(journal.ReadFrom(Lsn.Zero).Select(record => record.RecordedAt), Has.All.EqualTo(Drafts.Noon));
        Assert.That(journal.LoadSnapshot()!.Folds.Single(), Is.EqualTo(Cells).Using<FoldImage>((a, b) => a.Name == b.Name && a.Version == b.Version && a.Bytes.Span.SequenceEqual(b.Bytes.Span)));
        Assert.That(disk.Fingerprint(), Is.EqualTo(before), "reading changes no byte");
        Assert.That(journal.Append([Drafts.Of("after", [1])], Drafts.Noon).Appended);
        Assert.That(journal.ReadFrom(Lsn.Zero).Count(), Is.EqualTo(6));
    }

    [Test]
    public void The_same_records_make_the_same_bytes()
    {
        var written = Write();
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1")
        {
            Keep(written);
        }

        var kept = Kept();
        Assert.That(written.Files, Is.EqualTo(kept.Files));
        foreach (var file in kept.Files)
        {
            if (file.EndsWith(".zst", StringComparison.Ordinal))
            {
                // Another release of zstd may pack the same frames into other bytes.
                Assert.That(written.Bytes(file)[..SegmentHeader.Bytes], Is.EqualTo(kept.Bytes(file)[..SegmentHeader.Bytes]), file);
                Assert.That(Frames(written, file), Is.EqualTo(Frames(kept, file)), file);
            }
            else
            {
                Assert.That(written.Bytes(file), Is.EqualTo(kept.Bytes(file)), file);
            }
        }
    }

    [Test]
    public void A_restored_directory_leads_the_life_that_it_was_given()
    {
        const string Golden = "434954594C494645" + "0000000000000000000000000000ABCD" + "D5F23C9D";
        var written = Write();
        DirectoryLife.Begin(written, new Incarnation(0xABCD));
        Assert.That(Convert.ToHexString(written.Bytes("journal/incarnation")), Is.EqualTo(Golden));

        var disk = Kept();
        using (var file = disk.Open("journal/incarnation", DiskAccess.CreateNew))
        {
            file.Write(0, Convert.FromHexString(Golden));
        }

        Assert.That(DirectoryLife.Read(disk), Is.EqualTo(new Incarnation(0xABCD)));
        using var journal = FileJournal.Open(disk, new SeededEntropy(99), Drafts.Node, Small);
        Assert.That((journal.Incarnation, journal.ReadFrom(Lsn.Zero).Count()), Is.EqualTo((new Incarnation(0xABCD), 5)));
    }

    /// <summary>A packed segment, a sealed one, the active one, and a snapshot.</summary>
    private static ModelDisk Write()
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
        journal.Append(Batches[0], Drafts.Noon);
        journal.SaveSnapshot(new Lsn(3), [Cells]);
        journal.Append(Batches[1], Drafts.Noon);
        journal.PackSealed(CancellationToken.None);
        journal.Append(Batches[2], Drafts.Noon);
        Assert.That(disk.Files, Has.Count.EqualTo(4));
        return disk;
    }

    private static ModelDisk Kept()
    {
        var disk = new ModelDisk();
        foreach (var path in Directory.GetFiles(Golden, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Golden, path).Replace('\\', '/')))
        {
            disk.CreateFolder(Path.GetDirectoryName(path)!);
            using var file = disk.Open(path, DiskAccess.CreateNew);
            file.Write(0, File.ReadAllBytes(Path.Combine(Golden, path)));
        }

        return disk;
    }

    private static void Keep(ModelDisk disk)
    {
        foreach (var file in disk.Files)
        {
            var path = Path.Combine(Golden, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, disk.Bytes(file));
        }
    }

    private static List<string> Frames(ModelDisk disk, string path)
    {
        using var segment = PackedSegment.Load(disk, path);
        var file = segment.Take()!;
        var read = new List<string>();
        using (var frames = segment.FramesFrom(file, segment.First, long.MaxValue))
        {
            while (frames.TryNext(out var frame))
            {
                read.Add(Convert.ToHexString(frame.Bytes.Span));
            }
        }

        segment.Release();
        return read;
    }
}
