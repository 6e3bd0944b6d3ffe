using System.Buffers.Binary;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>
/// Somebody changes a record and mends its check value. Where it ends a frame a start finds it; within one, whoever reads the journal, packs it or verifies it does.
/// Chance cannot do it: what a flipped bit does is shown in <see cref="Damage_is_refused"/>.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class What_a_start_checks_of_the_chain
{
    private static readonly JournalOptions Small = new() { SegmentBytes = 1200, ReadAhead = false };

    private readonly ModelDisk _disk = new();

    /// <summary>Two segments, each a frame of three records.</summary>
    [SetUp]
    public void Keep()
    {
        using var journal = FileJournal.Open(_disk, new SeededEntropy(3), Drafts.Node, Small);
        for (byte batch = 0; batch < 2; batch++)
        {
            journal.Append([Drafts.Of("a", new byte[300]), Drafts.Of("b", new byte[300]), Drafts.Of("c", new byte[300])], Drafts.Noon);
        }
    }

    [TestCase(0)]
    [TestCase(1)]
    public void Within_a_frame_whoever_reads_or_verifies_finds_it(int segment)
    {
        Change(segment, record: 1);

        using var journal = FileJournal.Open(_disk, new SeededEntropy(3), Drafts.Node, Small);
        Assert.That(journal.Replay(Lsn.Zero, record => record.Actor), Is.EqualTo(new[] { "a", "b", "c", "a", "b", "c" }));
        Assert.That(() => journal.ReadFrom(Lsn.Zero).Count(), Throws.TypeOf<JournalDamagedException>().With.Property("What").Contains("chain of hashes"));
        Assert.That(JournalVerifier.Verify(_disk), Is.TypeOf<JournalVerdict.Damaged>());
    }

    [Test]
    public void And_so_does_whoever_packs_the_segment()
    {
        Change(0, record: 1);

        using var journal = FileJournal.Open(_disk, new SeededEntropy(3), Drafts.Node, Small);
        Assert.That(() => journal.PackSealed(CancellationToken.None), Throws.TypeOf<JournalDamagedException>());
        Assert.That(_disk.Exists(JournalFiles.Raw(new Lsn(1))), "the raw file stays");
    }

    [TestCase(0)]
    [TestCase(1)]
    public void At_the_end_of_a_frame_the_start_finds_it(int segment)
    {
        Change(segment, record: 2);

        Assert.That(
            () =>
            {
                using var journal = FileJournal.Open(_disk, new SeededEntropy(3), Drafts.Node, Small);
                return journal.Replay(Lsn.Zero, record => record).Count();
            },
            Throws.TypeOf<JournalDamagedException>());
    }

    /// <summary>The last byte of a record's payload is another, and its check value is right again.</summary>
    private void Change(int segment, int record)
    {
        var path = _disk.Files.Where(name => name.EndsWith(".seg", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ElementAt(segment);
        var bytes = _disk.Bytes(path);
        var at = SegmentHeader.Bytes + FrameHeader.Bytes;
        for (; record > 0; record--)
        {
            at += RecordFormat.LengthAt(bytes.AsSpan(at));
        }

        var changed = bytes.AsSpan(at, RecordFormat.LengthAt(bytes.AsSpan(at)));
        changed[^1] ^= 0xFF;
        BinaryPrimitives.WriteUInt32LittleEndian(changed[4..], RecordFormat.CheckValue(changed));
        using var file = _disk.Open(path, DiskAccess.ReadWrite);
        file.Write(0, bytes);
    }
}
