using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>INV-3: with any one bit wrong, on any file, what is read is right or refused, and never cut.</summary>
public sealed class Damage_is_refused
{
    private static readonly JournalOptions Small = new() { SegmentBytes = 1800, BlockBytes = 700, ReadAhead = false };

    private readonly ModelDisk _disk = new();
    private readonly List<string> _records = [];
    private readonly Dictionary<Lsn, string> _snapshots = [];

    /// <summary>Two packed segments, a sealed one, and the active one; two snapshots; some payloads all zeros, one with a single bit in 1,500 bytes.</summary>
    [OneTimeSetUp]
    public void Keep()
    {
        var seed = new SeededEntropy(11);
        using var journal = FileJournal.Open(_disk, seed, Drafts.Node, Small);
        while (journal.Notices.Count == 0 && _disk.Files.Count(file => file.EndsWith(".seg", StringComparison.Ordinal)) < 3)
        {
            journal.Append(Drafts.Batch(seed, 3, 300), Drafts.Noon);
        }

        journal.PackSealed(CancellationToken.None);
        SaveSnapshot(journal);
        while (_disk.Files.Count(file => file.EndsWith(".seg", StringComparison.Ordinal)) < 2)
        {
            journal.Append(Drafts.Batch(seed, 3, 300), Drafts.Noon);
        }

        journal.Append([Drafts.Of("a", new byte[100])], Drafts.Noon);
        SaveSnapshot(journal);
        var almostZero = new byte[1500];
        almostZero[900] = 0x10;
        journal.Append([Drafts.Of("b", [1, 2, 3]), Drafts.Of("b", almostZero, new byte[700])], Drafts.Noon);
        _records.AddRange(journal.ReadFrom(Lsn.Zero).Select(Drafts.Text));
        Assert.That(_disk.Files, Has.Count.EqualTo(6));
    }

    [Test]
    public void Every_bit_of_every_header_index_and_trailer()
    {
        var flips = 0;
        foreach (var file in _disk.Files)
        {
            var bytes = _disk.Bytes(file);
            var parts = file.EndsWith(".snap", StringComparison.Ordinal) ? [(0, 100), (bytes.Length - 32, 32)]
                : file.EndsWith(".zst", StringComparison.Ordinal) ? [(0, SegmentHeader.Bytes), (bytes.Length - PackedTail.Bytes - (3 * PackedBlock.Bytes), PackedTail.Bytes + (3 * PackedBlock.Bytes))]
                : FrameParts(bytes);
            foreach (var (start, length) in parts)
            {
                for (var bit = start * 8L; bit < (start + length) * 8L; bit++)
                {
                    Flip(file, bit, JournalFaults.None);
                    flips++;
                }
            }
        }

        TestContext.Out.WriteLine($"{flips} bits");
        Assert.That(flips, Is.GreaterThan(10_000));
    }

    [Test]
    public void Any_2000_bits_of_all_bytes()
    {
        var seed = new SeededEntropy(5);
        for (var i = 0; i < 2000; i++)
        {
            var file = _disk.Files[seed.Below(_disk.Files.Count)];
            Flip(file, seed.Below(_disk.Bytes(file).Length * 8), JournalFaults.None);
        }
    }

    /// <summary>Here the damaged frame is the last one, where a careless recovery would cut.</summary>
    [Test]
    public void Every_bit_of_the_last_frame()
    {
        var file = _disk.Files.Last(name => name.EndsWith(".seg", StringComparison.Ordinal));
        var bytes = _disk.Bytes(file);
        var (start, _) = FrameParts(bytes)[^2];
        for (var bit = start * 8L; bit < bytes.Length * 8L; bit++)
        {
            var damaged = _disk.Copy();
            damaged.FlipBit(file, bit);
            Assert.That(
                () => FileJournal.Open(damaged, new SeededEntropy(1), Drafts.Node, Small),
                Throws.TypeOf<JournalDamagedException>().With.Property("File").EqualTo(file).And.Property("Offset").EqualTo(start),
                $"bit {bit}");
        }
    }

    [TestCase(nameof(JournalFaults.CutAnything))]
    [TestCase(nameof(JournalFaults.SkipCrc))]
    public void The_flips_find(string fault)
    {
        var faults = A_journal_survives_every_crash.Planted(fault);
        var wrong = 0;
        foreach (var file in _disk.Files.Where(name => name.EndsWith(".seg", StringComparison.Ordinal)))
        {
            for (var bit = SegmentHeader.Bytes * 8L; bit < _disk.Bytes(file).Length * 8L; bit += 7)
            {
                try
                {
                    Flip(file, bit, faults);
                }
                catch (AssertionException)
                {
                    wrong++;
                }
            }
        }

        TestContext.Out.WriteLine($"{fault}: {wrong} wrong answers");
        Assert.That(wrong, Is.Positive);
    }

    [Test]
    public void A_damaged_snapshot_gives_way_to_the_one_before_it_and_is_reported()
    {
        var damaged = _disk.Copy();
        var newest = JournalFiles.Snapshot(_snapshots.Keys.Max());
        damaged.FlipBit(newest, 300);
        using var journal = FileJournal.Open(damaged, new SeededEntropy(1), Drafts.Node, Small);
        Assert.That(journal.LoadSnapshot()!.Lsn, Is.EqualTo(_snapshots.Keys.Min()));
        Assert.That(journal.Notices.Single().File, Is.EqualTo(newest));
        Assert.That(JournalVerifier.Verify(damaged), Is.TypeOf<JournalVerdict.Damaged>());
    }

    [Test]
    public void A_snapshot_of_another_history_is_passed_over()
    {
        var other = new ModelDisk();
        using (var journal = FileJournal.Open(other, new SeededEntropy(11), Drafts.Node, Small))
        {
            journal.Append([Drafts.Of("x", [1])], Drafts.Noon);
            journal.SaveSnapshot(new Lsn(1), []);
        }

        var disk = new ModelDisk();
        using (var journal = FileJournal.Open(disk, new SeededEntropy(11), Drafts.Node, Small))
        {
            journal.Append([Drafts.Of("y", [1])], Drafts.Noon);
        }

        Overwrite(disk, JournalFiles.Snapshot(new Lsn(1)), other.Bytes(JournalFiles.Snapshot(new Lsn(1))));
        using var opened = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
        Assert.That(opened.LoadSnapshot(), Is.Null);
        Assert.That(opened.Notices.Single().What, Does.Contain("chain hash"));
        Assert.That(JournalVerifier.Verify(disk), Is.TypeOf<JournalVerdict.Damaged>());
    }

    [Test]
    public void A_snapshot_past_the_head_is_passed_over_and_tells_the_verifier_that_records_are_missing()
    {
        var disk = new ModelDisk();
        using (var journal = FileJournal.Open(disk, new SeededEntropy(11), Drafts.Node, new JournalOptions()))
        {
            journal.Append([Drafts.Of("x", [1])], Drafts.Noon);
            var kept = disk.Bytes(JournalFiles.Raw(new Lsn(1))).Length;
            journal.Append([Drafts.Of("x", [2])], Drafts.Noon);
            journal.SaveSnapshot(new Lsn(2), []);
            using var file = disk.Open(JournalFiles.Raw(new Lsn(1)), DiskAccess.ReadWrite);
            file.Truncate(kept);
        }

        using var opened = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, new JournalOptions());
        Assert.That((opened.Head.Lsn, opened.LoadSnapshot()), Is.EqualTo((new Lsn(1), (Snapshot?)null)));
        Assert.That(((JournalVerdict.Damaged)JournalVerifier.Verify(disk)).What, Does.Contain("missing"));
    }

    [Test]
    public void A_missing_segment_is_noticed()
    {
        foreach (var file in _disk.Files.Where(file => file.StartsWith("journal/", StringComparison.Ordinal)).SkipLast(1))
        {
            var damaged = _disk.Copy();
            damaged.Delete(file);
            Assert.That(JournalVerifier.Verify(damaged), Is.TypeOf<JournalVerdict.Damaged>(), file);
            Assert.That(
                () =>
                {
                    using var journal = FileJournal.Open(damaged, new SeededEntropy(1), Drafts.Node, Small);
                    return journal.ReadFrom(Lsn.Zero).Count();
                },
                Throws.TypeOf<JournalDamagedException>(),
                file);
        }
    }

    [Test]
    public void A_journal_that_went_while_its_snapshots_stayed_is_not_begun_anew()
    {
        var damaged = _disk.Copy();
        foreach (var file in damaged.Files.Where(file => file.StartsWith("journal/", StringComparison.Ordinal)))
        {
            damaged.Delete(file);
        }

        Assert.That(() => FileJournal.Open(damaged, new SeededEntropy(1), Drafts.Node, Small), Throws.TypeOf<JournalDamagedException>());
        Assert.That(JournalVerifier.Verify(damaged), Is.TypeOf<JournalVerdict.Damaged>());
    }

    [Test]
    public void Damage_found_by_a_read_ends_writing()
    {
        var damaged = _disk.Copy();
        damaged.FlipBit(damaged.Files[0], 8 * 400);
        using var journal = FileJournal.Open(damaged, new SeededEntropy(1), Drafts.Node, Small);
        Assert.That(() => journal.ReadFrom(Lsn.Zero).Count(), Throws.TypeOf<JournalDamagedException>());
        Assert.That(() => journal.Append([Drafts.Of("a", [1])], Drafts.Noon), Throws.TypeOf<JournalClosedException>());
    }

    [Test]
    public void A_newer_format_is_told_from_damage_and_left_alone()
    {
        foreach (var file in _disk.Files.Where(file => file.StartsWith("journal/", StringComparison.Ordinal)))
        {
            var newer = _disk.Copy();
            var bytes = newer.Bytes(file);
            bytes[8] = 9;
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(252), CityGrid.Hub.Storage.Crc32C.Of(bytes.AsSpan(0, 252)));
            Overwrite(newer, file, bytes);
            var before = newer.Fingerprint();
            Assert.That(() => FileJournal.Open(newer, new SeededEntropy(1), Drafts.Node, Small), Throws.TypeOf<NewerFormatException>(), file);
            Assert.That(JournalVerifier.Verify(newer), Is.TypeOf<JournalVerdict.CannotDecide>());
            Assert.That(newer.Fingerprint(), Is.EqualTo(before));
        }
    }

    [Test]
    public void Another_nodes_directory_is_left_alone()
    {
        var copy = _disk.Copy();
        Assert.That(() => FileJournal.Open(copy, new SeededEntropy(1), NodeId.Parse("city-2"), Small), Throws.TypeOf<JournalOfAnotherNodeException>());
        Assert.That(copy.Fingerprint(), Is.EqualTo(_disk.Fingerprint()));
    }

    [Test]
    public void A_sound_journal_verifies_and_an_empty_folder_cannot_be_judged()
    {
        var sound = (JournalVerdict.Sound)JournalVerifier.Verify(_disk);
        Assert.That((sound.Records, sound.IncompleteBytes, sound.ExitCode), Is.EqualTo(((long)_records.Count, 0L, 0)));
        Assert.That(JournalVerifier.Verify(new ModelDisk()).ExitCode, Is.EqualTo(3));
    }

    private static List<(int Start, int Length)> FrameParts(byte[] bytes)
    {
        var parts = new List<(int, int)> { (0, SegmentHeader.Bytes) };
        for (var at = SegmentHeader.Bytes; at < bytes.Length;)
        {
            var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at + 4));
            parts.Add((at, FrameHeader.Bytes + RecordFormat.FixedBytes));
            at += length;
            parts.Add((at - FrameHeader.TrailerBytes, FrameHeader.TrailerBytes));
        }

        return parts;
    }

    private static void Overwrite(ModelDisk disk, string path, byte[] bytes)
    {
        using var file = disk.Open(path, DiskAccess.ReadWrite);
        file.Truncate(0);
        file.Write(0, bytes);
    }

    private void SaveSnapshot(FileJournal journal)
    {
        var bytes = new byte[200];
        new SeededEntropy((ulong)journal.Head.Lsn.Value).Fill(bytes);
        journal.SaveSnapshot(journal.Head.Lsn, [new("cells", 2, bytes), new("links", 1, new byte[20])]);
        _snapshots.Add(journal.Head.Lsn, Convert.ToHexString(bytes));
    }

    /// <summary>Flips one bit of a copy and asks everything that can be asked.</summary>
    private void Flip(string file, long bit, JournalFaults faults)
    {
        var damaged = _disk.Copy();
        damaged.FlipBit(file, bit);
        var before = damaged.Fingerprint();
        var verdict = JournalVerifier.Verify(damaged);
        if (verdict is not JournalVerdict.Damaged found || found.File != file || found.Offset < 0 || found.Offset > damaged.Bytes(file).Length)
        {
            throw new AssertionException($"{file} bit {bit}: {verdict}");
        }

        FileJournal journal;
        try
        {
            journal = FileJournal.Open(damaged, new SeededEntropy(1), Drafts.Node, Small with { Faults = faults });
        }
        catch (Exception refused) when (refused is JournalDamagedException or NewerFormatException or JournalOfAnotherNodeException)
        {
            Check(damaged.Fingerprint() == before, "a refused journal was changed", file, bit);
            return;
        }

        Ask(journal, file, bit);
        journal.Dispose();
    }

    private void Ask(FileJournal journal, string file, long bit)
    {
        foreach (var told in (IEnumerable<string>[])[journal.ReadFrom(Lsn.Zero).Select(Drafts.Text), journal.Replay(Lsn.Zero, Drafts.Text)])
        {
            var read = new List<string>();
            try
            {
                read.AddRange(told);
                Check(read.SequenceEqual(_records), "other records", file, bit);
            }
            catch (JournalDamagedException)
            {
                Check(read.SequenceEqual(_records.Take(read.Count)), "wrong records before the damage", file, bit);
            }
        }

        for (var lsn = 1L; lsn <= journal.Head.Lsn.Value; lsn += 3)
        {
            try
            {
                var record = journal.ReadAt(new Lsn(lsn));
                Check(record is not null && _records.Contains(Drafts.Text(record)) && record.First.Value <= lsn && lsn <= record.Last.Value, $"another record at {lsn}", file, bit);
            }
            catch (JournalDamagedException)
            {
                // Refused.
            }
        }

        try
        {
            var snapshot = journal.LoadSnapshot();
            Check(snapshot is null || _snapshots[snapshot.Lsn] == Convert.ToHexString(snapshot.Folds[0].Bytes.Span), "another snapshot", file, bit);
        }
        catch (JournalDamagedException)
        {
            // Refused.
        }
    }

    private static void Check(bool right, string what, string file, long bit)
    {
        if (!right)
        {
            throw new AssertionException($"{file} bit {bit}: {what}");
        }
    }
}
