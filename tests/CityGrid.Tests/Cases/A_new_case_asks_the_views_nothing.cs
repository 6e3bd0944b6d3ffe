using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Crashes;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>The writer decides every new case of the node: it must not wait for a view store that knows nothing of it.</summary>
public sealed class A_new_case_asks_the_views_nothing
{
    [Test]
    public void Nor_does_a_case_that_is_open()
    {
        var views = new CountedViews();
        using var city = new CityOnADisk(new ModelDisk(), new SeededEntropy(5), new VirtualTime(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero)), JournalFaults.None, views);
        var id = city.Core.Desk.Mint();
        CaseAnswer? answer = null;
        city.Submit(new ReportCase(City.Cover, City.North, City.Hotline) { Case = id, Actor = "desk", Request = new RequestMark("one", 1) }, a => answer = a);
        Assert.That(answer!.Created, Is.True);
        city.Submit(new CheckBeforeFiling(true) { Case = id, Actor = "desk" }, a => answer = a);
        Assert.That(answer.Refusal, Is.Null);
        Assert.That(views.Asked, Is.Zero);

        city.Submit(new CheckBeforeFiling(true) { Case = city.Core.Desk.Mint(), Actor = "desk" }, a => answer = a);
        Assert.That(answer.Refusal, Is.Not.Null, "a case that nobody has");
        Assert.That(views.Asked, Is.EqualTo(1), "it might have ended long ago");
    }

    private sealed class CountedViews : IViewStore
    {
        private readonly MemoryViewStore _views = new();

        public int Asked { get; private set; }

        public IReadOnlyList<string> Shelves => _views.Shelves;

        public Lsn AppliedLsn(string shelf) => _views.AppliedLsn(shelf);

        public void Apply(string shelf, IReadOnlyList<ViewDocument> documents, Lsn appliedLsn) => _views.Apply(shelf, documents, appliedLsn);

        public ViewDocument? Get(string shelf, UInt128 id)
        {
            Asked++;
            return _views.Get(shelf, id);
        }

        public IReadOnlyList<ViewDocument> Page(string shelf, UInt128 after, int most) => _views.Page(shelf, after, most);

        public void Drop(string shelf) => _views.Drop(shelf);

        public void Dispose() => _views.Dispose();
    }
}
