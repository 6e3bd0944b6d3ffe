using CityGrid.Hub.Journal;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>INV-1 and INV-4 by search, and the search itself by bugs planted for it (RULE: an oracle is worth what it finds).</summary>
public sealed class A_journal_survives_every_crash
{
    [Test]
    public void No_acknowledged_record_is_lost_in_any_of_5000_crash_states()
    {
        var search = new CrashSearch(JournalFaults.None);
        for (ulong seed = 1; search.States < 6000 && seed < 200; seed++)
        {
            Assert.That(search.Live(seed, steps: 40), search.Violation);
        }

        TestContext.Out.WriteLine($"{search.States} states, {search.Restarts} restarts, {search.CrashesInRecovery} crashes in a recovery, up to {search.LongestJournal} records, {search.BegunInRoom} segments begun in room");
        Assert.Multiple(() =>
        {
            Assert.That(search.States, Is.GreaterThanOrEqualTo(5000));
            Assert.That(search.CrashesInRecovery, Is.GreaterThan(1000));
            Assert.That(search.LongestJournal, Is.GreaterThan(30));
            Assert.That(search.BegunInRoom, Is.GreaterThan(20));
        });
    }

    [TestCase(nameof(JournalFaults.AckBeforeSync))]
    [TestCase(nameof(JournalFaults.SkipFolderSync))]
    [TestCase(nameof(JournalFaults.CutTooFar))]
    [TestCase(nameof(JournalFaults.SkipCutSync))]
    [TestCase(nameof(JournalFaults.SkipRecoverySync))]
    [TestCase(nameof(JournalFaults.SkipDropCache))]
    [TestCase(nameof(JournalFaults.DeleteBeforeFolderSync))]
    [TestCase(nameof(JournalFaults.SkipPackedSync))]
    [TestCase(nameof(JournalFaults.SkipSnapshotSync))]
    [TestCase(nameof(JournalFaults.IgnoreFailedSync))]
    public void The_search_finds(string fault)
    {
        var faults = Planted(fault);
        var search = new CrashSearch(faults);
        ulong seed = 1;
        while (search.Violation is null && seed < 60)
        {
            search.Live(seed++, steps: 40);
        }

        TestContext.Out.WriteLine($"{fault}: {search.Violation} ({search.States} states)");
        Assert.That(search.Violation, Is.Not.Null);
    }

    internal static JournalFaults Planted(string fault)
    {
        var faults = JournalFaults.None with { };
        typeof(JournalFaults).GetProperty(fault)!.SetValue(faults, true);
        return faults;
    }
}
