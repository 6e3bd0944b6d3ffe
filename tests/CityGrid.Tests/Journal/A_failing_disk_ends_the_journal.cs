using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>INV-2 and INV-25: the k-th operation on the disk fails, for every k; and a disk that fills up at every size.</summary>
public sealed class A_failing_disk_ends_the_journal
{
    private static readonly JournalOptions Small = new() { SegmentBytes = 2500, BlockBytes = 900, ReadAhead = false };

    [Test]
    public void Nothing_is_acknowledged_after_a_failure_and_nothing_acknowledged_is_lost([Values(5, 28, 122)] int error, [Values] bool takesEffect)
    {
        long operation = 1;
        for (Life life; (life = new Life(new DiskFault(operation, error, takesEffect))).Ran >= operation; operation++)
        {
            life.CheckWhatIsThere();
        }

        TestContext.Out.WriteLine($"{operation - 1} operations, each failed once");
        Assert.That(operation, Is.GreaterThan(150));
    }

    [Test]
    public void A_disk_that_fails_for_ever_is_not_asked_again()
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
        disk.Fail(new DiskFault(disk.Operations + 2, 5));
        Assert.That(() => journal.Append([Drafts.Of("a", [1])], Drafts.Noon), Throws.TypeOf<DiskFailedException>());
        var asked = disk.Operations;
        Assert.That(() => journal.Append([Drafts.Of("a", [1])], Drafts.Noon), Throws.TypeOf<JournalClosedException>());
        Assert.That(journal.ClosedBy, Is.TypeOf<DiskFailedException>());
        Assert.That((disk.Operations, journal.Head.Lsn), Is.EqualTo((asked, Lsn.Zero)));
    }

    [Test]
    public void A_snapshot_that_cannot_be_written_ends_the_node_at_once_and_not_with_its_next_change()
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
        journal.Append([Drafts.Of("a", [1])], Drafts.Noon);
        Exception? fatal = null;
        using var sequencer = new Sequencer(journal, [], TimeProvider.System) { Fatal = failure => fatal = failure };
        disk.Fail(new DiskFault(disk.Operations + 1, 5));
        Assert.That(() => sequencer.SaveSnapshot(), Throws.TypeOf<DiskFailedException>());
        Assert.That(fatal, Is.TypeOf<DiskFailedException>());
        Assert.That(sequencer.StoppedBy, Is.SameAs(fatal));
    }

    [Test]
    public void What_is_durable_can_still_be_read()
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
        journal.Append([Drafts.Of("a", [1])], Drafts.Noon);
        disk.SizeLimit = disk.Files.Sum(file => disk.Bytes(file).Length) + 50;
        Assert.That(() => journal.Append([Drafts.Of("a", new byte[100])], Drafts.Noon), Throws.TypeOf<DiskFailedException>());
        Assert.That(journal.ReadFrom(Lsn.Zero).Count(), Is.EqualTo(1));
        Assert.That(journal.ReadAt(new Lsn(1)), Is.Not.Null);
    }

    [Test]
    public void A_full_disk_loses_nothing_at_any_size_and_is_used_again_once_there_is_room()
    {
        for (var size = 0; size < 12_000; size += 150)
        {
            var life = new Life(null, size);
            life.CheckWhatIsThere();
        }
    }

    [Test]
    public void A_disk_too_full_for_a_snapshot_keeps_the_journal_open()
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
        journal.Append([Drafts.Of("a", [1])], Drafts.Noon);
        disk.SizeLimit = disk.Files.Sum(file => disk.Bytes(file).Length) + 500;
        Assert.That(() => journal.SaveSnapshot(new Lsn(1), [new("cells", 1, new byte[5000])]), Throws.TypeOf<DiskFullException>());
        Assert.That(disk.List("snapshots"), Is.Empty);
        Assert.That(journal.Append([Drafts.Of("a", [2])], Drafts.Noon).Appended);
        Assert.That(journal.LoadSnapshot(), Is.Null);
        disk.SizeLimit = long.MaxValue;
        journal.SaveSnapshot(new Lsn(2), [new("cells", 1, new byte[5000])]);
        Assert.That(journal.LoadSnapshot()!.Lsn, Is.EqualTo(new Lsn(2)));
    }

    [Test]
    public void A_disk_too_full_for_packing_leaves_the_segment_as_it_is()
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
        var seed = new SeededEntropy(3);
        for (var i = 0; i < 8; i++)
        {
            journal.Append([Drafts.Of("a", Noise(seed, 800))], Drafts.Noon);
        }

        disk.SizeLimit = disk.Files.Sum(file => disk.Bytes(file).Length) + 300;
        journal.PackSealed(CancellationToken.None);
        Assert.That(journal.ClosedBy, Is.Null);
        Assert.That(journal.Notices[^1].What, Does.Contain("stays unpacked"));
        disk.SizeLimit = long.MaxValue;
        journal.PackSealed(CancellationToken.None);
        Assert.That(disk.Files.Count(file => file.EndsWith(".zst", StringComparison.Ordinal)), Is.GreaterThan(1));
        Assert.That(journal.ReadFrom(Lsn.Zero).Count(), Is.EqualTo(8));
    }

    private static byte[] Noise(SeededEntropy seed, int bytes)
    {
        var noise = new byte[bytes];
        seed.Fill(noise);
        return noise;
    }

    /// <summary>A life with every kind of step, always the same, on a disk with one fault or of one size.</summary>
    private sealed class Life
    {
        private readonly ModelDisk _disk = new();
        private readonly List<string> _attempted = [];
        private int _acknowledged;

        public Life(DiskFault? fault, long size = long.MaxValue)
        {
            _disk.SizeLimit = size;
            if (fault is not null)
            {
                _disk.Fail(fault);
            }

            for (var restart = 0; restart < 2; restart++)
            {
                try
                {
                    Run(new SeededEntropy((ulong)restart + 5));
                }
                catch (DiskFailedException)
                {
                    // The journal could not be opened.
                }

                _disk.Kill();
                Ran = _disk.Operations;
            }
        }

        /// <summary>How many operations were tried.</summary>
        public long Ran { get; }

        public void CheckWhatIsThere()
        {
            _disk.SizeLimit = long.MaxValue;
            CheckKept(_disk.AfterCut(new SeededEntropy((ulong)Ran)));
            CheckKept(_disk.CrashStates(new SeededEntropy(1), 0).First());
            CheckKept(_disk);
        }

        private void Run(SeededEntropy seed)
        {
            using var journal = FileJournal.Open(_disk, seed, Drafts.Node, Small, new AtOnce());
            var kept = journal.ReadFrom(Lsn.Zero).Count();
            _attempted.RemoveRange(kept, _attempted.Count - kept);
            _acknowledged = kept;
            for (var step = 0; step < 14; step++)
            {
                var closed = journal.ClosedBy;
                var asked = _disk.Operations;
                try
                {
                    var batch = Drafts.Batch(seed, 2, 700);
                    if (closed is null)
                    {
                        _attempted.AddRange(batch.Select(Drafts.Plain));
                    }

                    journal.Append(batch, Drafts.Noon);
                    Assert.That(closed, Is.Null, "a closed journal acknowledged");
                    _acknowledged = _attempted.Count;
                    if (step % 5 == 4)
                    {
                        journal.SaveSnapshot(journal.Head.Lsn, [new("fold", 1, new byte[300])]);
                    }
                }
                catch (DiskFullException)
                {
                    Assert.That(journal.ClosedBy, Is.Null);
                }
                catch (DiskFailedException)
                {
                    Assert.That(closed, Is.Null, "a closed journal asked the disk again");
                }
                catch (JournalClosedException)
                {
                    Assert.That((closed is not null, _disk.Operations), Is.EqualTo((true, asked)));
                }
            }
        }

        private void CheckKept(ModelDisk disk)
        {
            using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, Small);
            var kept = journal.ReadFrom(Lsn.Zero).Select(Drafts.Plain).ToList();
            Assert.That(kept, Has.Count.GreaterThanOrEqualTo(_acknowledged));
            Assert.That(kept, Is.EqualTo(_attempted.Take(kept.Count)));
            Assert.That(journal.Append([Drafts.Of("after", [1])], Drafts.Noon).Appended);
            Assert.That(JournalVerifier.Verify(disk), Is.TypeOf<JournalVerdict.Sound>());
        }
    }
}
