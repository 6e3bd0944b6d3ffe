using CityGrid.Hub.Backup;
using CityGrid.Hub.Backup.V1;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Backup;

/// <summary>Z2, INV-21: a restored directory is another life of its node from its first moment, and half a one is none.</summary>
public sealed class A_restore_ends_whole_or_never_starts
{
    private BackedUpCity _city = null!;
    private BackupTaken _taken = null!;

    [SetUp]
    public void Take()
    {
        _city = new BackedUpCity();
        for (var i = 0; i < 12; i++)
        {
            _city.Report();
        }

        _city.City.PackSealed();
        _city.City.Core.SaveSnapshot();
        _city.Report("Li");
        _taken = _city.Take();
    }

    [TearDown]
    public void End() => _city.Dispose();

    [Test]
    public void It_is_another_life_and_its_journal_says_so()
    {
        var directory = new ModelDisk();
        var restored = _city.Restore(_taken, directory);
        using var city = _city.Start(directory);
        Assert.That(city.Core.Journal.Incarnation, Is.EqualTo(restored.Incarnation).And.Not.EqualTo(_city.City.Core.Journal.Incarnation));
        var last = city.Records().Last();
        Assert.That(last.Actor, Is.EqualTo("restore"));
        var told = DirectoryRestored.Parser.ParseFrom(last.Events.Single().Payload.Span);
        Assert.That(last.Events.Single().Kind, Is.EqualTo(EventKinds.DirectoryRestored));
        Assert.That(told.Lsn, Is.EqualTo(_taken.Content.Head.Lsn.Value));
        Assert.That(Incarnation.FromBytes(told.Incarnation.Span), Is.EqualTo(restored.Incarnation));
        Assert.That(Incarnation.FromBytes(told.IncarnationBefore.Span), Is.EqualTo(_city.City.Core.Journal.Incarnation));
        Assert.That(directory.Bytes("configuration/node.json"), Is.EqualTo("{}"u8.ToArray()));
        Assert.That(city.Core.OwnEpoch.IsGranted, Is.False, "the parent grants it a new one");
    }

    [Test]
    public void After_a_power_cut_at_any_moment_it_is_refused_or_is_the_restored_one()
    {
        var directory = new ModelDisk();
        var (refused, whole) = (0, 0);
        var seen = new HashSet<Hash256>();
        directory.Happened = _ =>
        {
            foreach (var state in directory.CrashStates(_city.Entropy, drawn: 2).Where(state => seen.Add(state.Fingerprint())))
            {
                if (state.Files.Count == 0)
                {
                    continue;
                }

                try
                {
                    using var journal = FileJournal.Open(state, _city.Entropy, Cases.City.Node, new JournalOptions { ReadAhead = false });
                    Assert.That(journal.Incarnation, Is.Not.EqualTo(_city.City.Core.Journal.Incarnation), "it would go on as the life that others have heard of");
                    Assert.That(journal.Head.Lsn, Is.EqualTo(_taken.Content.Head.Lsn.Next));
                    whole++;
                }
                catch (JournalDamagedException damaged)
                {
                    Assert.That(damaged.File, Is.EqualTo("restoring"));
                    Assert.That(state.Files, Does.Contain("restoring"));
                    refused++;
                }
            }
        };
        _city.Restore(_taken, directory);
        directory.Happened = null;
        Assert.That(refused, Is.GreaterThan(20));
        Assert.That(whole, Is.Positive);
        using var durable = _city.Start(directory.AfterCut(new SeededEntropy(4)));
        Assert.That(durable.Core.Journal.Head.Lsn, Is.EqualTo(_taken.Content.Head.Lsn.Next), "durable when it is told");
    }

    [Test]
    public void A_disk_that_fails_at_any_step_leaves_nothing_that_starts()
    {
        var count = Operations();
        for (long step = 1; step <= count; step++)
        {
            var directory = new ModelDisk();
            directory.Fail(new DiskFault(step, 5));
            Assert.That(() => _city.Restore(_taken, directory), Throws.InstanceOf<IOException>(), $"step {step} of {count}");
            if (directory.Files.Any(file => file.StartsWith("journal/", StringComparison.Ordinal)) && step < count - 1)
            {
                directory.Kill();
                Assert.That(() => FileJournal.Open(directory, _city.Entropy, Cases.City.Node), Throws.TypeOf<JournalDamagedException>().With.Property("File").EqualTo("restoring"), $"step {step} of {count}");
            }
        }
    }

    [Test]
    public void A_half_one_is_neither_restored_into_nor_renewed()
    {
        var directory = new ModelDisk();
        directory.Fail(new DiskFault(Operations() / 2, 5));
        Assert.That(() => _city.Restore(_taken, directory), Throws.InstanceOf<IOException>());
        directory.Kill();
        var before = directory.Fingerprint();
        Assert.That(() => _city.Restore(_taken, directory), Throws.TypeOf<RestoreRefusedException>().With.Message.Contains("cut short"));
        Assert.That(() => DirectoryLife.Renew(directory, _city.Entropy, Cases.City.Node), Throws.TypeOf<JournalDamagedException>().With.Property("File").EqualTo("restoring"));
        Assert.That(directory.Fingerprint(), Is.EqualTo(before));
    }

    [TestCase("journal/00000000000000000001.seg")]
    [TestCase("keys/00000000.key")]
    [TestCase("anything")]
    public void Nothing_is_written_over_anything(string there)
    {
        var directory = new ModelDisk();
        if (there.Contains('/', StringComparison.Ordinal))
        {
            directory.CreateFolder(there[..there.IndexOf('/', StringComparison.Ordinal)]);
        }

        directory.Open(there, DiskAccess.CreateNew).Dispose();
        var before = directory.Fingerprint();
        Assert.That(() => _city.Restore(_taken, directory), Throws.TypeOf<RestoreRefusedException>().With.Message.Contains("not empty"));
        Assert.That(directory.Fingerprint(), Is.EqualTo(before));
    }

    [Test]
    public void Keys_that_do_not_reach_as_far_are_refused_before_anything_is_written()
    {
        var early = _city.Shelf.Copy();
        _city.Report();
        var later = _city.Take();
        using var node = BackupReader.Open(_city.Shelf, later.File, BackedUpCity.Key);
        using var keys = BackupReader.Open(early, _taken.KeysFile, BackedUpCity.Key);
        var directory = new ModelDisk();
        Assert.That(() => new BackupRestoring(directory, _city.Entropy, new VirtualClock(_city.Time)).Restore(node, keys), Throws.TypeOf<RestoreRefusedException>().With.Message.Contains("could not be read"));
        Assert.That(() => new BackupRestoring(directory, _city.Entropy, new VirtualClock(_city.Time)).Restore(keys, node), Throws.TypeOf<RestoreRefusedException>());
        Assert.That(directory.Files, Is.Empty);
    }

    [Test]
    public void The_root_of_a_tree_takes_the_next_epoch_itself()
    {
        var subject = BackedUpCity.Subject with { IsRoot = true };
        var shelf = new ModelDisk();
        var taken = new BackupTaking(_city.Disk, shelf, BackedUpCity.Key, _city.Entropy, new VirtualClock(_city.Time)).Take(subject);
        var first = new ModelDisk();
        _city.Restore(shelf, taken, first);
        using (var city = _city.Start(first))
        {
            Assert.That(city.Core.OwnEpoch.Number, Is.EqualTo(1));
        }

        var second = new ModelDisk();
        taken = new BackupTaking(first, shelf, BackedUpCity.Key, _city.Entropy, new VirtualClock(_city.Time)).Take(subject);
        _city.Restore(shelf, taken, second);
        using var again = _city.Start(second);
        Assert.That(again.Core.OwnEpoch.Number, Is.EqualTo(2));
    }

    private long Operations()
    {
        var directory = new ModelDisk();
        _city.Restore(_taken, directory);
        return directory.Operations;
    }
}
