using CityGrid.Hub.Backup;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Backup;

/// <summary>Z2: nobody has to stop for a backup. It holds all that was acknowledged before it began, in one piece, whatever is appended, packed, kept and erased meanwhile.</summary>
public sealed class A_backup_of_a_city_at_work_is_a_prefix_of_its_journal
{
    private BackedUpCity _city = null!;

    [SetUp]
    public void Begin() => _city = new BackedUpCity();

    [TearDown]
    public void End() => _city.Dispose();

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(5)]
    [TestCase(8)]
    [TestCase(13)]
    public void Whatever_happens_between_two_of_its_reads(int every)
    {
        for (var i = 0; i < 40; i++)
        {
            _city.Report();
        }

        var before = _city.City.Core.Sequencer.Applied;
        var (reads, packed) = (0, 0);
        var taken = _city.Take(new BusyDisk(_city.Disk, () =>
        {
            if (++reads % every != 0 || reads > 400)
            {
                return;
            }

            _city.Report();
            switch (reads / every % 4)
            {
                case 1:
                    packed++;
                    _city.City.PackSealed();
                    break;
                case 3:
                    _city.City.Core.SaveSnapshot();
                    break;
                default:
                    break;
            }
        }));

        Assert.That(packed, Is.Positive);
        Assert.That(taken.Content.Head.Lsn, Is.GreaterThanOrEqualTo(before));
        var directory = new ModelDisk();
        _city.Restore(taken, directory);
        using var restored = _city.Start(directory);
        var all = _city.City.Records().Select(record => record.Hash).ToList();
        var copied = restored.Records().Select(record => record.Hash).ToList();
        Assert.That(copied[..^1], Is.EqualTo(all[..(copied.Count - 1)]), "the last one says that it was restored");
        restored.CheckCells();
    }

    [Test]
    public void And_of_one_that_stands_still_it_has_everything()
    {
        var id = _city.Report("Li");
        _city.City.Dispose();
        var directory = new ModelDisk();
        var taken = _city.Take();
        _city.Restore(taken, directory);
        using var restored = _city.Start(directory);
        Assert.That(restored.PersonalOf(restored.Core.Desk.Find(id)!), Is.EqualTo("Li"));
        Assert.That(restored.Core.Sequencer.Applied, Is.EqualTo(taken.Content.Head.Lsn.Next), "and one event more: that it was restored");
    }

    [Test]
    public void Who_is_erased_while_the_keys_are_read_is_erased_in_the_copy_or_in_the_next()
    {
        var (erased, kept) = (_city.Report(), _city.Report("Li"));
        var (done, keysCopied) = (false, false);
        var taken = _city.Take(new BusyDisk(_city.Disk, () =>
        {
            // The first file of keys is copied and the second is about to be.
            if (keysCopied && !done)
            {
                done = true;
                _city.Erase(erased);
            }
        }), progress => keysCopied |= progress.Phase == BackupPhase.CopyingKeys);
        Assert.That(done, Is.True);
        var again = _city.Take();
        var directory = new ModelDisk();
        _city.Restore(again, directory);
        using var restored = _city.Start(directory);
        Assert.That(restored.PersonalOf(restored.Core.Desk.Find(erased)!), Is.Empty);
        Assert.That(restored.PersonalOf(restored.Core.Desk.Find(kept)!), Is.EqualTo("Li"));
        Assert.That(taken.Content.Head.Lsn, Is.LessThan(again.Content.Head.Lsn));
    }

    [Test]
    public void Who_was_erased_after_it_stays_erased_with_the_keys_of_a_later_one()
    {
        var (erased, kept) = (_city.Report(), _city.Report("Li"));
        var old = _city.Take();
        _city.Erase(erased);
        var newer = _city.Take();
        Assert.That(newer.KeysFile, Is.EqualTo(old.KeysFile), "one file of keys is kept, the newest");
        var directory = new ModelDisk();
        _city.Restore(old, directory);
        using var restored = _city.Start(directory);
        Assert.That(restored.PersonalOf(restored.Core.Desk.Find(erased)!), Is.Empty);
        Assert.That(restored.PersonalOf(restored.Core.Desk.Find(kept)!), Is.EqualTo("Li"));
    }

    [Test]
    public void And_who_was_erased_before_it_is_erased_again_with_whatever_keys()
    {
        var (erased, kept) = (_city.Report(), _city.Report("Li"));
        var first = _city.Take();
        var oldKeys = _city.Shelf.Bytes(first.KeysFile);
        _city.Erase(erased);
        var taken = _city.Take();
        var directory = new ModelDisk();
        _city.Restore(taken, directory);

        // Somebody lays the keys of the older backup over those that were restored.
        using (var file = _city.Shelf.Open("older.keys", DiskAccess.CreateNew))
        {
            file.Write(0, oldKeys);
        }

        using (var older = BackupReader.Open(_city.Shelf, "older.keys", BackedUpCity.Key))
        {
            foreach (var path in older.Files)
            {
                older.Copy(path, (at, bytes) =>
                {
                    using var file = directory.Open(path, DiskAccess.ReadWrite);
                    file.Write(at, bytes.Span);
                });
            }
        }

        using var restored = _city.Start(directory);
        Assert.That(restored.PersonalOf(restored.Core.Desk.Find(erased)!), Is.Empty);
        Assert.That(restored.PersonalOf(restored.Core.Desk.Find(kept)!), Is.EqualTo("Li"));
    }

    [Test]
    public void A_damaged_journal_is_told_and_nothing_is_written()
    {
        for (var i = 0; i < 12; i++)
        {
            _city.Report();
        }

        var segment = _city.Disk.Files.First(file => file.EndsWith(".seg", StringComparison.Ordinal));
        _city.Disk.FlipBit(segment, (SegmentHeader.Bytes + 200) * 8);
        Assert.That(() => _city.Take(), Throws.TypeOf<BackupDamagedException>().With.Message.Contains(segment));
        Assert.That(_city.Shelf.Files, Is.Empty);
    }

    [Test]
    public void A_full_shelf_keeps_what_was_on_it_and_nothing_half()
    {
        _city.Report();
        _city.Take();
        var before = _city.Shelf.Fingerprint();
        _city.Report();
        _city.Shelf.SizeLimit = _city.Shelf.Files.Sum(file => _city.Shelf.Bytes(file).Length) + 9000;
        Assert.That(() => _city.Take(), Throws.TypeOf<DiskFailedException>());
        Assert.That(_city.Shelf.Fingerprint(), Is.EqualTo(before));
    }

    /// <summary>Each operation on the shelf is the last one before a power cut: a file that has a backup's name is one.</summary>
    [Test]
    public void A_power_cut_leaves_whole_backups_and_no_other()
    {
        _city.Report();
        var first = _city.Take();
        _city.Report();
        _city.City.Core.SaveSnapshot();
        var states = 0;
        var shelf = _city.Shelf;
        var seen = new HashSet<Hash256>();
        shelf.Happened = _ =>
        {
            foreach (var state in shelf.CrashStates(_city.Entropy, drawn: 3).Where(state => seen.Add(state.Fingerprint())))
            {
                states++;
                foreach (var file in state.Files.Where(file => !file.EndsWith(".tmp", StringComparison.Ordinal)))
                {
                    using var reader = BackupReader.Open(state, file, BackedUpCity.Key);
                    reader.Verify();
                }

                Assert.That(state.Files, Does.Contain(first.File).And.Contain(first.KeysFile), "what was there before");
            }
        };
        var second = _city.Take();
        shelf.Happened = null;
        Assert.That(states, Is.GreaterThan(20));
        var durable = shelf.AfterCut(new SeededEntropy(1));
        Assert.That(durable.Files, Is.EquivalentTo(new[] { first.File, second.File, second.KeysFile }));
        _city.Restore(durable, second, new ModelDisk());
    }

    [Test]
    public void A_leftover_of_one_that_was_cut_short_is_no_hindrance()
    {
        _city.Report();
        using (var file = _city.Shelf.Open($"{Cases.City.Node}.backup.tmp", DiskAccess.CreateNew))
        {
            file.Write(0, new byte[100]);
        }

        var taken = _city.Take();
        Assert.That(_city.Shelf.Files, Is.EquivalentTo(new[] { taken.File, taken.KeysFile }));
    }
}
