using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Cases;
using NUnit.Framework;

namespace CityGrid.Tests.Crashes;

/// <summary>INV-30: the journal says for ever what was erased, so a key file out of an older backup is put right before the node answers anybody.</summary>
public sealed class Keys_that_a_backup_brings_back_are_erased_again
{
    private readonly VirtualTime _time = new(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero));
    private readonly SeededEntropy _entropy = new(30);

    [TestCase(true)]
    [TestCase(false)]
    public void At_the_next_start_with_or_without_a_snapshot(bool isSnapshot)
    {
        var disk = new ModelDisk();
        var city = new CityOnADisk(disk, _entropy, _time, JournalFaults.None);
        var (erased, kept) = (Reported(city), Reported(city));
        var backup = KeyFiles(disk).ToDictionary(file => file, disk.Bytes);
        Submit(city, new EraseReporter { Case = erased, Actor = "officer", Reason = "reporter_request" });
        if (isSnapshot)
        {
            city.Core.SaveSnapshot();
        }

        city.Dispose();
        foreach (var (path, bytes) in backup)
        {
            using var file = disk.Open(path, DiskAccess.ReadWrite);
            file.Write(0, bytes);
        }

        using var restored = new CityOnADisk(disk, _entropy, _time, JournalFaults.None);
        Assert.That(PersonalOf(restored, erased), Is.Empty);
        Assert.That(PersonalOf(restored, kept), Is.EqualTo("Zhang"), "nobody else's is gone");
    }

    private static CaseId Reported(CityOnADisk city)
    {
        var id = city.Core.Desk.Mint();
        Submit(city, new ReportCase(City.Cover, City.North, City.Hotline) { Case = id, Actor = "desk", Sealed = city.Personal(id, "Zhang") });
        return id;
    }

    private static void Submit(CityOnADisk city, CaseCommand command) =>
        Assert.That(city.Submit(command, answer => Assert.That(answer.Refusal, Is.Null)), Is.True);

    private static string PersonalOf(CityOnADisk city, CaseId id) => city.PersonalOf(city.Core.Desk.Find(id)!);

    private static IEnumerable<string> KeyFiles(ModelDisk disk) => disk.Files.Where(file => file.StartsWith("keys/", StringComparison.Ordinal));
}
