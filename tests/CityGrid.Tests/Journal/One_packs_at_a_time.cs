using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>Segments are sealed faster than a packer that yields to everybody packs them: there is one of it, and it packs what came meanwhile.</summary>
public sealed class One_packs_at_a_time
{
    private readonly HeldSpawner _held = new();
    private readonly ModelDisk _disk = new();

    [Test]
    public void And_what_was_sealed_meanwhile_it_packs_too()
    {
        using var journal = FileJournal.Open(_disk, new SeededEntropy(1), Drafts.Node, new JournalOptions { SegmentBytes = 2_000 }, _held);
        Seal(journal, 3);
        Assert.That(_held.Waiting("pack"), Is.EqualTo(1));
        Seal(journal, 6);
        Assert.That(_held.Waiting("pack"), Is.EqualTo(1));
        _held.Work("pack");
        Assert.That(Raw(), Is.EqualTo(1), "the one that is being written");

        Seal(journal, 9);
        Assert.That(_held.Waiting("pack"), Is.EqualTo(1), "another one, for the first has ended");
        _held.Work("pack");
        Assert.That(Raw(), Is.EqualTo(1));
    }

    private void Seal(FileJournal journal, int files)
    {
        while (Files() < files)
        {
            journal.Append([Drafts.Of("desk", new byte[100])], Instant.FromUnixTimeSeconds(1));
        }
    }

    private int Files() => _disk.List("journal").Count();

    private int Raw() => _disk.List("journal").Count(name => name.EndsWith(".seg", StringComparison.Ordinal));
}
