using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

public sealed class A_projector_is_exact_by_id
{
    [Test]
    public void Whatever_is_lost_and_whenever_it_restarts() =>
        Gen.Select(Gen.Enum<ProjectorStep>(), Gen.Select(Gen.Int[0, 3], Gen.Int[1, 12]).Array[0, 6]).Array[1, 60].Sample(
            steps =>
            {
                var run = new ProjectorStory(store => store);
                foreach (var (step, changes) in steps)
                {
                    run.Do(step, changes);
                    run.RequireExact();
                }

                run.Settle();
            },
            iter: 500);

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
