using System.Reflection;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Tests.Fuzz;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>TIER-6: what is new of a kind that Fuzz tries is tried as well: a target's kept inputs, a call, a fold, a kind of event.</summary>
public sealed class Every_reader_is_tried
{
    /// <summary>Kinds that no fold makes anything of: a directory tells them to whoever reads its journal.</summary>
    private static readonly ushort[] OfNoFold = [EventKinds.DirectoryCreated, EventKinds.DirectoryRestored];

    private static IEnumerable<string> Targets => FuzzTargets.All.Select(target => target.Name).Concat(DoorTargets.Names);

    /// <summary>A tool that turns line ends makes another input of one, and nobody would see it.</summary>
    [TestCaseSource(nameof(Targets))]
    public void Each_target_has_kept_inputs_and_they_are_what_was_kept(string name)
    {
        var kept = FuzzCorpus.Of(name);

        Assert.That(kept, Has.Count.GreaterThanOrEqualTo(3));
        Assert.That(kept.Where(one => one.File != FuzzCorpus.FileOf(one.Input) || one.Input.Length > 16 << 10).Select(one => one.File), Is.Empty);
    }

    [Test]
    public void And_none_is_kept_for_nobody() => Assert.That(Directory.GetDirectories(FuzzCorpus.Folder).Select(Path.GetFileName), Is.EquivalentTo(Targets));

    [Test]
    public void Each_call_has_a_good_request_to_be_changed() =>
        Assert.That(GoodRequests.Operators().Concat(GoodRequests.Childrens).Select(one => one.Call).Distinct(), Is.EquivalentTo(GoodRequests.Calls.Select(call => call.Name)));

    [Test]
    public void Each_fold_is_shown_damaged_events_and_images()
    {
        var ground = StoredEvents.Grounds.Values.First();
        using var journal = new MemoryJournal(new SeededEntropy(1));
        var folds = new[] { typeof(IFold).Assembly, typeof(CaseBook).Assembly }.SelectMany(assembly => assembly.GetTypes()).Where(type => type.IsAssignableTo(typeof(IFold)) && !type.IsAbstract);

        Assert.That(ground.FoldsOver(journal).Select(fold => fold.GetType()), Is.EquivalentTo(folds));
    }

    [Test]
    public void Each_kind_of_event_is_shown_damaged()
    {
        var kinds = new[] { typeof(EventKinds), typeof(CaseEventKinds) }
            .SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Static))
            .Where(field => field.FieldType == typeof(ushort) && field.Name is not (nameof(CaseEventKinds.Schema) or nameof(CaseEventKinds.Last) or nameof(EventKinds.NodeFirst)))
            .Select(field => (ushort)field.GetValue(null)!);

        Assert.That(kinds.Except(StoredEvents.Kinds), Is.SubsetOf(OfNoFold));
    }
}
