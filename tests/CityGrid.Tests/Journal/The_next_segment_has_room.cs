using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>
/// A segment is begun in a file of zeros that was made durable beforehand: what stands behind the last frame is room, no end that a crash left incomplete, and
/// what is damaged in it is damage as anywhere else.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class The_next_segment_has_room
{
    private const string Room = "journal/room.tmp";
    private const int SegmentBytes = 64 << 10;

    private static readonly JournalOptions Options = new() { SegmentBytes = SegmentBytes, BlockBytes = 4 << 10, ReadAhead = false };

    private readonly HeldSpawner _held = new();
    private readonly ModelDisk _disk = new();

    [Test]
    public void It_is_made_once_a_sixteenth_is_full_and_the_journal_goes_on_in_it_at_once()
    {
        using var journal = Open();
        Assert.That(_held.Waiting("room"), Is.Zero);
        Append(journal, SegmentBytes / 16);
        Assert.That(_held.Waiting("room"), Is.EqualTo(1));
        Append(journal, 1000);
        Assert.That(_held.Waiting("room"), Is.EqualTo(1), "one makes it");

        _held.Work("room");
        Assert.That(_disk.Bytes(Room), Is.EqualTo(new byte[SegmentBytes]));
        Append(journal, 500);
        Assert.That(_disk.Exists(Room), Is.False);
        Assert.That(Raw(), Has.Length.EqualTo(2), "the segment without room was sealed early");
        Assert.That(_disk.Bytes(Raw()[^1]), Has.Length.EqualTo(SegmentBytes), "a frame does not lengthen the file");

        Append(journal, SegmentBytes / 16);
        Assert.That(_held.Waiting("room"), Is.EqualTo(1), "for the one after");
        _held.Work("room");
        Append(journal, 500);
        Assert.That(Raw(), Has.Length.EqualTo(2), "this one has room still");
        Assert.That(Read(journal), Is.EqualTo(journal.Head.Lsn.Value));
        _held.Work("pack");
        Assert.That(Read(journal), Is.EqualTo(journal.Head.Lsn.Value));
    }

    [Test]
    public void Without_room_a_segment_grows_as_it_is_written()
    {
        using var journal = Open();
        Append(journal, SegmentBytes * 2);
        Assert.That(Raw(), Has.Length.GreaterThan(2));
        Assert.That(_held.Waiting("room"), Is.EqualTo(1));
        Assert.That(Read(journal), Is.EqualTo(journal.Head.Lsn.Value));
    }

    [Test]
    public void A_crash_in_the_room_loses_nothing_and_is_no_incomplete_end()
    {
        var journal = InRoom();
        var crashed = _disk.Copy();
        var verdict = JournalVerifier.Verify(crashed);
        using var again = FileJournal.Open(crashed, new SeededEntropy(2), Drafts.Node, Options);
        Assert.That(verdict, Is.TypeOf<JournalVerdict.Sound>().With.Property(nameof(JournalVerdict.Sound.IncompleteBytes)).Zero);
        Assert.That(again.Head, Is.EqualTo(journal.Head));
        Assert.That(again.Notices, Is.Empty);
        Append(again, 300);
        Assert.That(Read(again), Is.EqualTo(again.Head.Lsn.Value));
        journal.Dispose();
    }

    [Test]
    public void A_journal_that_is_closed_leaves_none()
    {
        InRoom().Dispose();
        var bytes = _disk.Bytes(Raw()[^1]);
        Assert.That(bytes.Length, Is.LessThan(SegmentBytes));
        Assert.That(bytes.AsSpan(^FrameHeader.EndMark.Length..).SequenceEqual(FrameHeader.EndMark), "it ends with a frame");
    }

    [Test]
    public void A_frame_of_which_sectors_are_missing_is_cut_and_told()
    {
        using var journal = InRoom();
        var (file, end) = (Raw()[^1], End(Raw()[^1]));
        var before = journal.Head;
        journal.Append([Drafts.Of("desk", Payload(3000))], Drafts.Noon);
        foreach (var sector in Enumerable.Range((end / 512) + 1, 5))
        {
            var crashed = Changed(file, at => at.Write(sector * 512, new byte[512]));
            Assert.That(JournalVerifier.Verify(crashed), Is.TypeOf<JournalVerdict.Sound>());
            using var again = FileJournal.Open(crashed, new SeededEntropy(2), Drafts.Node, Options);
            Assert.That(again.Head, Is.EqualTo(before), $"{sector}");
            Assert.That(again.Notices.Single().What, Does.Contain("an incomplete end"));
        }
    }

    [Test]
    public void A_frame_of_which_the_end_was_never_written_is_cut_at_every_length()
    {
        using var journal = InRoom();
        var (file, end) = (Raw()[^1], End(Raw()[^1]));
        var before = journal.Head;
        journal.Append([Drafts.Of("desk", Payload(900))], Drafts.Noon);
        for (var (from, to) = (end, End(file)); from < to; from += 7)
        {
            var crashed = Changed(file, at => at.Write(from, new byte[to - from]));
            Assert.That(JournalVerifier.Verify(crashed), Is.TypeOf<JournalVerdict.Sound>(), $"{from}");
            using var again = FileJournal.Open(crashed, new SeededEntropy(2), Drafts.Node, Options);
            Assert.That(again.Head, Is.EqualTo(before), $"{from}");
        }
    }

    [Test]
    public void A_wrong_byte_in_the_last_frame_or_a_frame_behind_a_bad_one_is_refused()
    {
        using var journal = InRoom();
        var (file, end) = (Raw()[^1], End(Raw()[^1]));
        journal.Append([Drafts.Of("desk", Payload(3000))], Drafts.Noon);
        var wrong = Changed(file, at => at.Write(end + 700, [(byte)(_disk.Bytes(file)[end + 700] ^ 6)]));
        Assert.That(() => FileJournal.Open(wrong, new SeededEntropy(2), Drafts.Node, Options), Throws.TypeOf<JournalDamagedException>());
        Assert.That(JournalVerifier.Verify(wrong), Is.TypeOf<JournalVerdict.Damaged>());

        journal.Append([Drafts.Of("desk", Payload(300))], Drafts.Noon);
        foreach (var lost in new[] { end, end + 1024 })
        {
            var torn = Changed(file, at => at.Write(lost, new byte[600]));
            Assert.That(() => FileJournal.Open(torn, new SeededEntropy(2), Drafts.Node, Options), Throws.TypeOf<JournalDamagedException>());
            Assert.That(JournalVerifier.Verify(torn), Is.TypeOf<JournalVerdict.Damaged>());
        }
    }

    [Test]
    public void A_frame_that_is_being_written_while_somebody_looks_is_no_damage()
    {
        using var journal = InRoom();
        var (file, end) = (Raw()[^1], End(Raw()[^1]));
        journal.Append([Drafts.Of("desk", Payload(3000))], Drafts.Noon);
        var whole = _disk.Bytes(file)[end..End(file)];
        journal.Append([Drafts.Of("desk", Payload(300))], Drafts.Noon);
        var half = Changed(file, at => at.Write(end + 1024, new byte[512]));
        using var seen = new Meanwhile(half.Open(file, DiskAccess.ReadWrite), at => at.Write(end, whole));
        var header = SegmentHeader.Read(seen, file)!;
        var walk = new ChainWalk(new ActorNames(), JournalFaults.None);
        walk.BeginAt(header);
        var (stopped, _, damage) = SegmentTail.Walk(seen, header.FrameSeed, SegmentHeader.Bytes, seen.Length, walk);
        Assert.That(damage, Is.Null);
        Assert.That(stopped, Is.GreaterThan(end));
        Assert.That(walk.Head, Is.EqualTo(journal.Head));
    }

    [Test]
    public void A_disk_without_room_is_noticed_and_the_journal_goes_on()
    {
        using var journal = Open();
        Append(journal, SegmentBytes / 16);
        var (before, quotaUsedUp) = (_disk.Operations, 122);
        _disk.Fail(new DiskFault(before + 3, quotaUsedUp));
        _held.Work("room");
        Assert.That(journal.Notices.Single().What, Does.Contain("grows as it is written"));
        Assert.That(_disk.Exists(Room), Is.False);
        Append(journal, SegmentBytes);
        Assert.That(_held.Waiting("room"), Is.EqualTo(1), "the next segment tries again");
        Assert.That(Read(journal), Is.EqualTo(journal.Head.Lsn.Value));
    }

    [Test]
    public void A_disk_with_little_left_is_left_alone()
    {
        using var journal = Open();
        Append(journal, SegmentBytes / 16);
        var used = _disk.Files.Sum(file => (long)_disk.Bytes(file).Length);
        _disk.SizeLimit = used + (16 * SegmentBytes) - 1;
        _held.Work("room");
        Assert.That(_disk.Exists(Room), Is.False);
        Assert.That(journal.Notices, Is.Empty);

        Append(journal, SegmentBytes);
        used = _disk.Files.Sum(file => (long)_disk.Bytes(file).Length);
        _disk.SizeLimit = used + (16 * SegmentBytes);
        _held.Work("room");
        Assert.That(_disk.Exists(Room), "the next segment asks again");
    }

    [Test]
    public void What_a_dead_process_left_of_it_goes_at_the_next_start()
    {
        var journal = Open();
        Append(journal, SegmentBytes / 16);
        _held.Work("room", new CancellationToken(canceled: true));
        Append(journal, 1000);
        Assert.That(Raw(), Has.Length.EqualTo(1), "it is not whole");
        Assert.That(_disk.Exists(Room));
        _disk.Kill();
        using var again = Open();
        Assert.That(_disk.Exists(Room), Is.False);
    }

    [Test]
    public void What_nobody_has_begun_in_goes_with_the_journal_that_is_closed_and_none_is_made_any_more()
    {
        var journal = Open();
        Append(journal, SegmentBytes / 16);
        _held.Work("room");
        Assert.That(_disk.Exists(Room));
        journal.Dispose();
        Assert.That(_disk.Exists(Room), Is.False);

        var later = Open();
        Append(later, SegmentBytes / 16);
        later.Dispose();
        _held.Work("room");
        Assert.That(_disk.Exists(Room), Is.False, "asked for before, and begun too late");
    }

    private static byte[] Payload(int bytes)
    {
        var payload = new byte[bytes];
        new SeededEntropy(9).Fill(payload);
        return payload;
    }

    private static long Read(FileJournal journal) => journal.ReadFrom(Lsn.Zero).Sum(record => record.Events.Length);

    private FileJournal Open() => FileJournal.Open(_disk, new SeededEntropy(1), Drafts.Node, Options, _held);

    /// <summary>A journal whose last segment is begun in its room.</summary>
    private FileJournal InRoom()
    {
        var journal = Open();
        Append(journal, SegmentBytes / 16);
        _held.Work("room");
        Append(journal, 2000);
        Assert.That(_disk.Bytes(Raw()[^1]), Has.Length.EqualTo(SegmentBytes));
        return journal;
    }

    private static void Append(FileJournal journal, int bytes)
    {
        for (var done = 0; done <= bytes; done += 300)
        {
            journal.Append([Drafts.Of("desk", Payload(300))], Drafts.Noon);
        }
    }

    private string[] Raw() => [.. _disk.List("journal").Where(name => name.EndsWith(".seg", StringComparison.Ordinal)).Select(name => $"journal/{name}")];

    /// <summary>Where the last frame of a file ends.</summary>
    private int End(string file) => _disk.Bytes(file).AsSpan().LastIndexOfAnyExcept((byte)0) + 1;

    private ModelDisk Changed(string path, Action<IDiskFile> change)
    {
        var changed = _disk.Copy();
        using var file = changed.Open(path, DiskAccess.ReadWrite);
        change(file);
        return changed;
    }

    /// <summary>A file into which its writer writes on once it was read up to its end.</summary>
    private sealed class Meanwhile(IDiskFile file, Action<IDiskFile> written) : IDiskFile
    {
        private bool _isWritten;

        public long Length => file.Length;

        public int Read(long offset, Span<byte> target)
        {
            var read = file.Read(offset, target);
            if (!_isWritten && offset + read >= file.Length)
            {
                _isWritten = true;
                written(file);
            }

            return read;
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes) => throw new NotSupportedException();

        public void Sync() => throw new NotSupportedException();

        public void Truncate(long length) => throw new NotSupportedException();

        public void Dispose() => file.Dispose();
    }
}
