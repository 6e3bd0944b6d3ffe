using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

public sealed class A_projector_is_exact_by_id
{
    private enum Step
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

    [Test]
    public void Whatever_is_lost_and_whenever_it_restarts() =>
        Gen.Select(Gen.Enum<Step>(), Gen.Select(Gen.Int[0, 3], Gen.Int[1, 12]).Array[0, 6]).Array[1, 60].Sample(
            steps =>
            {
                var run = new Run();
                foreach (var (step, changes) in steps)
                {
                    run.Do(step, changes);
                    run.RequireExact();
                }

                run.Settle();
            },
            iter: 500);

    /// <summary>One story, with the memory store.</summary>
    private sealed class Run
    {
        private readonly FoldModel _model = new();
        private readonly ProjectorOptions _options = new() { PendingBytesMax = 60 };
        private MemoryViewStore _store = new();
        private MemoryViewStore _earlier = new();
        private Projector _projector;

        public Run()
        {
            _projector = new Projector(_store, _model.At, _options);
            _projector.Start(Lsn.Zero, _model.Positions.Last);
        }

        public void Do(Step step, (int Shelf, int Id)[] changes)
        {
            switch (step)
            {
                case Step.Offer:
                    Offer(changes);
                    break;
                case Step.Pump:
                    _projector.PumpOnce();
                    _earlier = changes.Length > 3 ? _store.Copy() : _earlier;
                    break;
                case Step.PumpAll:
                    PumpAll();
                    break;
                case Step.Spoil:
                    _store.Spoil($"s{changes.Length % 3 + 1}");
                    break;
                case Step.Fill:
                    Fill();
                    break;
                case Step.RestartWithStoreKept:
                    Restart(_store);
                    break;
                case Step.RestartWithStoreBehind:
                    Restart(_earlier.Copy());
                    break;
                case Step.RestartWithStoreGone:
                    Restart(new MemoryViewStore());
                    break;
                case Step.RestartWithJournalCut:
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
            _projector = new Projector(_store, _model.At, _options);
            _projector.Start(_model.Head, _model.Positions.Last);
        }
    }

    [Test]
    public void Beside_readers_while_shelves_are_lost_and_filled()
    {
        using var store = new MemoryViewStore();
        var truth = new Dictionary<UInt128, ViewDocument>();
        var gate = new Lock();
        Projector projector = null!;
        projector = new Projector(store, (id, lsn) => InTruth(id));
        projector.Start(Lsn.Zero, new Dictionary<string, Lsn>());
        using var stop = new CancellationTokenSource();
        var failures = new System.Collections.Concurrent.ConcurrentQueue<Exception>();
        using (new ProjectorThread(projector, failures.Enqueue))
        {
            var readers = Enumerable.Range(0, 2).Select(_ => Task.Factory.StartNew(Read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToList();
            for (var lsn = 1; lsn <= 4000; lsn++)
            {
                var document = Every_view_store.Document((UInt128)(lsn % 37 + 1), lsn, $"v{lsn}");
                lock (gate)
                {
                    truth[document.Id] = document;
                    projector.Offer([new ViewChange($"s{(int)document.Id % 2}", document)], new Lsn(lsn));
                }

                if (lsn % 50 == 0)
                {
                    store.Spoil($"s{lsn / 50 % 2}");
                    foreach (var gap in projector.Gaps)
                    {
                        IReadOnlyList<ViewDocument> documents;
                        Lsn asOf;
                        lock (gate)
                        {
                            documents = [.. truth.Values.Where(document => gap.Shelf == $"s{(int)document.Id % 2}" && document.Lsn > gap.From).OrderBy(document => document.Id)];
                            asOf = projector.Status.Head;
                        }

                        Assert.That(() => projector.Fill(gap, documents, asOf), Throws.Nothing.Or.TypeOf<ShelfDamagedException>());
                    }
                }
            }

            stop.Cancel();
            Task.WaitAll([.. readers]);
        }

        Assert.That(failures, Is.Empty);

        ViewDocument? InTruth(UInt128 id)
        {
            lock (gate)
            {
                return truth.GetValueOrDefault(id);
            }
        }

        void Read()
        {
            try
            {
                for (var i = 0; !stop.IsCancellationRequested; i++)
                {
                    var id = (UInt128)(i % 37 + 1);
                    var before = InTruth(id);
                    var got = projector.Get($"s{(int)id % 2}", id);
                    if (before is not null && (got is null || got.Lsn < before.Lsn))
                    {
                        throw new InvalidOperationException($"document {id}: read {got?.Lsn}, was {before.Lsn} already");
                    }
                }
            }
            catch (Exception failure)
            {
                failures.Enqueue(failure);
            }
        }
    }
}
