using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Tests.Cases;
using NUnit.Framework;

namespace CityGrid.Tests.Crashes;

/// <summary>
/// The journal is the truth and a snapshot only the way to it: one that is whole by its hash and yet holds what a fold cannot read costs the time of a replay. (That it is not whole
/// is Journal/Damage_is_refused.)
/// </summary>
public sealed class A_snapshot_that_cannot_be_read_is_passed_over
{
    private static readonly Func<byte[], byte[]>[] Harms =
    [
        image => image[..(image.Length / 2)],
        _ => [0xFF, 0xFF, 0xFF, 0x7F, 0x08],
        image => [.. image.Select((b, i) => i % 7 == 3 ? (byte)(b ^ 0xFF) : b)],
    ];

    [Test]
    public void Whichever_fold_it_is_and_the_node_is_what_its_journal_says([Range(0, 2)] int harm)
    {
        var (entropy, time, disk) = (new SeededEntropy(5), new VirtualTime(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero)), new ModelDisk());
        string expected;
        using (var city = new CityOnADisk(disk, entropy, time, JournalFaults.None))
        {
            for (var i = 0; i < 6; i++)
            {
                city.Submit(new ReportCase(City.Cover, City.North, City.Hotline) { Case = city.Core.Desk.Mint(), Actor = "desk" }, _ => { });
            }

            expected = Told(city.Core);
            city.Core.SaveSnapshot();
        }

        Snapshot good;
        using (var journal = FileJournal.Open(disk, entropy, City.Node))
        {
            good = journal.LoadSnapshot()!;
        }

        var passedOver = 0;
        foreach (var harmed in good.Folds.Where(fold => fold.Bytes.Length > 8))
        {
            var copy = disk.Copy();
            using (var journal = FileJournal.Open(copy, entropy, City.Node))
            {
                journal.SaveSnapshot(good.Lsn, [.. good.Folds.Select(fold => fold == harmed ? fold with { Bytes = Harms[harm](fold.Bytes.ToArray()) } : fold)]);
            }

            using var again = FileJournal.Open(copy, entropy, City.Node);
            using var views = new MemoryViewStore();
            using var core = NodeCore.Open(
                new NodeSettings(City.Node, City.Place, City.Zone, City.Rules.Divisions, City.Rules),
                new NodeSeams(copy, again, views, new StandInSeal(), null, new VirtualClock(time), entropy));
            Assert.That(core.Sequencer.Applied, Is.EqualTo(again.Head.Lsn), harmed.Name);
            if (core.UnreadSnapshot is { } unread)
            {
                passedOver++;
                Assert.That((unread.Lsn, unread.Message.Contains(harmed.Name, StringComparison.Ordinal)), Is.EqualTo((good.Lsn, true)), unread.Message);
                Assert.That(Told(core), Is.EqualTo(expected), harmed.Name);
            }
        }

        Assert.That(passedOver, harm == 2 ? Is.GreaterThan(0) : Is.EqualTo(good.Folds.Count(fold => fold.Bytes.Length > 8)), "what cannot be read is passed over");
    }

    private static string Told(NodeCore core) =>
        $"{core.Sequencer.Applied} {core.Cells.Count} {core.Book.Count} {core.Book.Open.Count} {string.Join(' ', core.Book.OpenAfter(0, 100).Select(state => $"{state.Id} {state.Stage} {state.LastLsn}"))}";
}
