using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Crashes;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>Open cases live in memory; the view store is given a case as it ends, and again whenever an ended one changes or is opened again (INV-5).</summary>
public sealed class Ended_cases_are_in_the_view_store
{
    private readonly SeededEntropy _entropy = new(21);
    private readonly VirtualTime _time = new(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero));
    private ModelDisk _disk = null!;
    private MemoryViewStore _views = null!;
    private CityOnADisk _city = null!;

    [SetUp]
    public void Open()
    {
        _disk = new ModelDisk();
        _views = new MemoryViewStore();
        _city = new CityOnADisk(_disk, _entropy, _time, JournalFaults.None, _views);
    }

    [TearDown]
    public void End()
    {
        _city.Dispose();
        _views.Dispose();
    }

    [Test]
    public void Once_they_have_ended()
    {
        var id = Report();
        Assert.That(Stored(id), Is.Null);
        Do(new VoidCase { Case = id, Actor = "desk", Reason = "duplicate" });
        Assert.That(Stored(id), Is.EqualTo(CaseStage.Voided));
        Assert.That(Listed(), Is.EqualTo((CaseId[])[id]));
    }

    [Test]
    public void And_no_list_shows_one_that_was_opened_again()
    {
        var id = Report();
        Close(id);
        Do(new ReopenCase { Case = id, Actor = "desk", Reason = Reopening });
        Assert.That((Stored(id), Listed().Count), Is.EqualTo(((CaseStage?)CaseStage.Filed, 0)));

        Do(new DispatchCase("roads") { Case = id, Actor = "desk" });
        Assert.That((Stored(id), _city.Core.Desk.Find(id)!.Stage), Is.EqualTo(((CaseStage?)CaseStage.Filed, CaseStage.Dispatched)), "memory goes on, the store waits for the end");

        Do(new VoidCase { Case = id, Actor = "desk", Reason = "duplicate" });
        Assert.That((Stored(id), Listed().Single()), Is.EqualTo(((CaseStage?)CaseStage.Voided, id)));
    }

    /// <summary>Between the folds' change and everything that follows from it, others may read: the case must be in one of the two places.</summary>
    [Test]
    public void A_case_that_ends_is_found_at_any_moment()
    {
        var id = Report();
        CaseStage? found = null;
        var after = _city.Core.Sequencer.AfterApply;
        _city.Core.Sequencer.AfterApply = events =>
        {
            found = _city.Core.Desk.Find(id)?.Stage;
            after?.Invoke(events);
        };
        Do(new VoidCase { Case = id, Actor = "desk", Reason = "duplicate" });
        Assert.That(found, Is.EqualTo(CaseStage.Voided));
    }

    [Test]
    public void A_store_that_is_made_again_holds_the_same()
    {
        var ids = Enumerable.Range(0, 6).Select(_ => Report()).ToArray();
        foreach (var (id, steps) in ids.Zip(Enumerable.Range(0, 6)))
        {
            if (steps > 0)
            {
                Close(id);
            }

            if (steps > 1)
            {
                Do(new ReopenCase { Case = id, Actor = "desk", Reason = Reopening });
            }

            if (steps > 2)
            {
                Do(new DispatchCase("roads") { Case = id, Actor = "desk" });
            }

            if (steps > 3)
            {
                Do(new VoidCase { Case = id, Actor = "desk", Reason = "duplicate" });
            }
        }

        var lived = _views.Shelves.ToDictionary(shelf => shelf, shelf => ViewVerifier.Hash(ViewVerifier.All(_views, shelf)));
        _city.Dispose();
        using var fresh = new MemoryViewStore();
        _city = new CityOnADisk(_disk, _entropy, _time, JournalFaults.None, fresh);
        Assert.That(fresh.Shelves.ToDictionary(shelf => shelf, shelf => ViewVerifier.Hash(ViewVerifier.All(fresh, shelf))), Is.EqualTo(lived));
        Assert.That(ViewVerifier.All(fresh, CaseDesk.ShelfOf(ids[0])).Select(document => new CaseId(document.Id)), Is.EqualTo(ids[1..].Order()));
    }

    private const string Reopening = "not_solved";

    private CaseId Report()
    {
        var id = _city.Core.Desk.Mint();
        Do(new ReportCase(City.Cover, City.North, City.Hotline) { Case = id, Actor = "desk" });
        return id;
    }

    private void Close(CaseId id)
    {
        Do(new CheckBeforeFiling(Passed: true) { Case = id, Actor = "desk" });
        Do(new FileCase { Case = id, Actor = "desk" });
        Do(new DispatchCase("roads") { Case = id, Actor = "desk" });
        Do(new FinishHandling { Case = id, Actor = "worker" });
        Do(new CheckBeforeClosing(Passed: true) { Case = id, Actor = "desk" });
        Do(new CloseCase { Case = id, Actor = "desk" });
    }

    private void Do(CaseCommand command) => Assert.That(_city.Submit(command, answer => Assert.That(answer.Refusal, Is.Null)), Is.True);

    private CaseStage? Stored(CaseId id) =>
        _views.Get(CaseDesk.ShelfOf(id), id.Value) is { } document ? CaseStateCodec.Read(document.Bytes.Span).Stage : null;

    private IReadOnlyList<CaseId> Listed() =>
        [.. _city.Core.Lists.Page(new CaseQuery(false, null, default, null, false, null, 0, 50)).Cases.Select(state => state.Id)];
}
