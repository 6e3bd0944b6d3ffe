using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using NUnit.Framework;
using NUnit.Framework.Internal;

namespace CityGrid.Tests.Storage;

/// <summary>What a store may do wrong to a projector, planted in front of the memory store: the stories that show INV-5 must turn red with each.</summary>
public sealed class Planted_faults_of_views_are_found
{
    public enum Fault
    {
        /// <summary>A shelf that is ahead of its journal says that it is not.</summary>
        ViewAheadOfJournal,

        /// <summary>The position is written, and the documents that belong to it are not.</summary>
        PositionWithoutDocuments,

        /// <summary>Of several documents the last one is left out.</summary>
        DocumentDropped,

        /// <summary>A document that is there already is not replaced.</summary>
        OlderWins,

        /// <summary>A damaged shelf answers as an empty one.</summary>
        DamageHidden,
    }

    [Test]
    public void Without_one_every_story_ends_well() => Assert.That(FirstRed(null), Is.Null);

    [Test]
    public void Each_turns_a_story_red([Values] Fault fault)
    {
        var found = FirstRed(fault);
        TestContext.Out.WriteLine($"{fault}: {found}");
        Assert.That(found, Is.Not.Null);
    }

    /// <summary>The first of 300 drawn stories that fails, and why.</summary>
    private static string? FirstRed(Fault? fault)
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            using (new TestExecutionContext.IsolatedContext())
            {
                try
                {
                    Tell(new SeededEntropy(seed), fault);
                }
                catch (Exception red) when (red is AssertionException or InvalidOperationException or ShelfDamagedException)
                {
                    return $"story {seed}: {red.Message.Split('\n')[0]}";
                }
            }
        }

        return null;
    }

    private static void Tell(SeededEntropy seed, Fault? fault)
    {
        ProjectorStory? story = null;
        story = new ProjectorStory(store => fault is { } planted ? new FaultyStore(store, planted, () => story?.Head ?? Lsn.Zero) : store);
        var steps = Enum.GetValues<ProjectorStep>();
        for (var i = 0; i < 50; i++)
        {
            story.Do(steps[seed.Below(steps.Length)], [.. Enumerable.Range(0, seed.Below(7)).Select(_ => (seed.Below(4), 1 + seed.Below(12)))]);
            story.RequireExact();
        }

        story.Settle();
    }

    private sealed class FaultyStore(IViewStore store, Fault fault, Func<Lsn> head) : IViewStore
    {
        public IReadOnlyList<string> Shelves => store.Shelves;

        public Lsn AppliedLsn(string shelf)
        {
            var applied = store.AppliedLsn(shelf);
            return fault == Fault.ViewAheadOfJournal && applied > head() ? head() : applied;
        }

        public void Apply(string shelf, IReadOnlyList<ViewDocument> documents, Lsn appliedLsn) => store.Apply(shelf, fault switch
        {
            Fault.PositionWithoutDocuments when documents.Count == 1 => [],
            Fault.DocumentDropped when documents.Count > 1 => [.. documents.SkipLast(1)],
            Fault.OlderWins => [.. documents.Where(document => store.Get(shelf, document.Id) is null)],
            _ => documents,
        }, appliedLsn);

        public ViewDocument? Get(string shelf, UInt128 id)
        {
            try
            {
                return store.Get(shelf, id);
            }
            catch (ShelfDamagedException) when (fault == Fault.DamageHidden)
            {
                return null;
            }
        }

        public IReadOnlyList<ViewDocument> Page(string shelf, UInt128 after, int most) => store.Page(shelf, after, most);

        public void Drop(string shelf) => store.Drop(shelf);

        public void Dispose() => store.Dispose();
    }
}
