using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

/// <summary>What may happen to a projector and its store.</summary>
internal enum ProjectorStep
{
    Offer,
    Pump,
    PumpAll,
    Spoil,
    Fill,
    RestartWithStoreKept,
    RestartWithStoreBehind,
    RestartWithStoreGone,
    RestartWithJournalCut,
}

/// <summary>One story of a projector over the memory store, seen through a door that a test may have planted a fault in.</summary>
internal sealed class ProjectorStory
{
    private readonly FoldModel _model = new();
    private readonly ProjectorOptions _options = new() { PendingBytesMax = 60 };
    private MemoryViewStore _store = new();
    private MemoryViewStore _earlier = new();
    private Projector _projector;

    private readonly Func<MemoryViewStore, IViewStore> _door;

    public ProjectorStory(Func<MemoryViewStore, IViewStore> door)
    {
        _door = door;
        _projector = new Projector(door(_store), _model.At, _options);
        _projector.Start(Lsn.Zero, _model.Positions.Last);
    }

    public Lsn Head => _model.Head;

    public void Do(ProjectorStep step, (int Shelf, int Id)[] changes)
    {
        switch (step)
        {
            case ProjectorStep.Offer:
                Offer(changes);
                break;
            case ProjectorStep.Pump:
                _projector.PumpOnce();
                _earlier = changes.Length > 3 ? _store.Copy() : _earlier;
                break;
            case ProjectorStep.PumpAll:
                PumpAll();
                break;
            case ProjectorStep.Spoil:
                _store.Spoil($"s{changes.Length % 3 + 1}");
                break;
            case ProjectorStep.Fill:
                Fill();
                break;
            case ProjectorStep.RestartWithStoreKept:
                Restart(_store);
                break;
            case ProjectorStep.RestartWithStoreBehind:
                Restart(_earlier.Copy());
                break;
            case ProjectorStep.RestartWithStoreGone:
                Restart(new MemoryViewStore());
                break;
            case ProjectorStep.RestartWithJournalCut:
                _model.CutTo(new Lsn(_model.Head.Value * 2 / 3));
                Restart(_store);
                _earlier = new MemoryViewStore(); // A copy from the lost time may not come back: the store knows the journal's incarnation.
                break;
        }
    }

    public void RequireExact()
    {
        foreach (var (shelf, document) in _model.All())
        {
            Assert.That(_projector.Get(shelf, document.Id), Is.EqualTo(document));
        }

        Assert.That(_projector.Get("s1", 99), Is.Null);
    }

    public void Settle()
    {
        PumpAll();
        while (_projector.Gaps.Count > 0)
        {
            Fill();
            PumpAll();
        }

        Assert.That(_projector.Status, Is.EqualTo(new ViewStatus(_model.Head, _model.Head, Building: false)));
        Assert.That(_store.Shelves, Is.SupersetOf(_model.Positions.Last.Keys), "and a shelf that was filled with nothing");
        foreach (var shelf in _store.Shelves)
        {
            var last = _model.Positions.Last.GetValueOrDefault(shelf);
            var verdict = ViewVerifier.Verify(_store, shelf, _model.Documents(shelf, Lsn.Zero));
            Assert.That(verdict.FirstDifference, Is.Null);
            Assert.That(verdict.Matches, Is.True);
            Assert.That(verdict.Applied, Is.GreaterThanOrEqualTo(last).And.LessThanOrEqualTo(_model.Head));
        }
    }

    private void Offer((int Shelf, int Id)[] changes)
    {
        var batch = new Dictionary<UInt128, ViewChange>();
        foreach (var (shelf, id) in changes)
        {
            // An id keeps its shelf; shelf 0 is an event that changes no document.
            if (_model.Append(shelf == 0 ? null : $"s{id % 3 + 1}", (UInt128)id, 8 + id) is { } change)
            {
                batch[change.Document.Id] = change;
            }
        }

        _projector.Offer([.. batch.Values], _model.Head);
    }

    private void PumpAll()
    {
        while (_projector.PumpOnce())
        {
        }
    }

    private void Fill()
    {
        foreach (var gap in _projector.Gaps)
        {
            try
            {
                _projector.Fill(gap, _model.Documents(gap.Shelf, gap.From), _model.Head);
            }
            catch (ShelfDamagedException)
            {
                Assert.That(_projector.Gaps, Has.Member(new ShelfGap(gap.Shelf, Lsn.Zero)));
            }
        }
    }

    private void Restart(MemoryViewStore store)
    {
        // A damaged shelf is not remembered across a restart: it is not there, and so it is behind.
        _store = store.Copy();
        _projector = new Projector(_door(_store), _model.At, _options);
        _projector.Start(_model.Head, _model.Positions.Last);
    }
}
