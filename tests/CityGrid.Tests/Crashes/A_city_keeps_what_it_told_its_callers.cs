using CityGrid.Hub.Journal;
using CityGrid.Tests.Journal;
using NUnit.Framework;

namespace CityGrid.Tests.Crashes;

/// <summary>INV-1, INV-2 and INV-6 through the door that callers use: a whole node is started from every state of the disk.</summary>
[Parallelizable(ParallelScope.All)]
public sealed class A_city_keeps_what_it_told_its_callers
{
    [Test]
    public void After_any_of_5000_different_crashes()
    {
        var search = new CommandDoorSearch(JournalFaults.None);
        for (ulong seed = 1; search.States < 5500 && seed < 300; seed++)
        {
            Assert.That(search.Live(seed, steps: 60), search.Violation);
        }

        TestContext.Out.WriteLine($"{search.States} different crash states, {search.Acknowledged} acknowledgements, {search.PromisesChecked} promises asked for");
        Assert.That(search.States, Is.GreaterThanOrEqualTo(5000));
    }

    [TestCase(5, false)]
    [TestCase(5, true)]
    [TestCase(28, false)]
    public void When_any_operation_of_the_disk_fails(int error, bool takesEffect)
    {
        var search = new CommandDoorSearch(JournalFaults.None);
        var operations = search.FailEveryOperation(error, takesEffect);
        Assert.That(search.Violation, Is.Null);
        TestContext.Out.WriteLine($"{operations} operations, each failed once; {search.States} different states after");
        Assert.That(operations, Is.GreaterThan(100));
    }

    [TestCase(nameof(JournalFaults.AckBeforeSync))]
    [TestCase(nameof(JournalFaults.SkipFolderSync))]
    [TestCase(nameof(JournalFaults.IgnoreFailedSync))]
    public void The_search_finds(string fault)
    {
        var search = new CommandDoorSearch(A_journal_survives_every_crash.Planted(fault));
        ulong seed = 1;
        while (search.Violation is null && seed < 60)
        {
            search.Live(seed++, steps: 60);
        }

        TestContext.Out.WriteLine($"{fault}: {search.Violation} ({search.States} states)");
        Assert.That(search.Violation, Is.Not.Null);
    }
}
