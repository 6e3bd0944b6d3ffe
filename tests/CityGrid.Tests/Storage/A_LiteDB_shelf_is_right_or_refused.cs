using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

public sealed class A_LiteDB_shelf_is_right_or_refused
{
    private const string Shelf = "cases-2026-11";
    private static readonly Incarnation Lineage = new(77);
    private static readonly LiteViewOptions Options = new() { CheckpointPages = 12 };

    /// <summary>What the shelf holds at each position; position n is transaction n.</summary>
    private readonly List<IReadOnlyDictionary<UInt128, ViewDocument>> _at = [new Dictionary<UInt128, ViewDocument>()];

    private ModelDisk _disk = null!;
    private LiteViewStore _store = null!;
    private SeededEntropy _dice = null!;

    [SetUp]
    public void Open()
    {
        _at.RemoveRange(1, _at.Count - 1);
        _dice = new SeededEntropy(5);
        _disk = new ModelDisk();
        _store = new LiteViewStore(_disk, Lineage, Options);
    }

    [TearDown]
    public void Close() => _store.Dispose();

    [Test]
    public void Opened_again_it_replaces_what_it_had_and_takes_what_is_new()
    {
        _store.Apply(Shelf, [Document(5, 1), Document(9, 2)], new Lsn(2));
        _store.Dispose();
        _store = new LiteViewStore(_disk, Lineage, Options);

        _store.Apply(Shelf, [Document(9, 3), Document(7, 4), Document(10, 5)], new Lsn(5));

        Assert.That(_store.Page(Shelf, 0, 10).Select(d => (d.Id, d.Lsn.Value)), Is.EqualTo(((UInt128, long)[])[(5, 1), (7, 4), (9, 3), (10, 5)]));
        Assert.That(_store.ShelvesPutAside, Is.Zero);

        static ViewDocument Document(UInt128 id, long lsn) => new(id, new Lsn(lsn), new byte[40]);
    }

    [Test]
    public void After_a_power_cut_at_any_step_it_stands_at_an_earlier_transaction_whole()
    {
        var states = new List<ModelDisk>();
        _disk.Happened = _ =>
        {
            if (_dice.Chance(350))
            {
                states.Add(_disk.AfterCut(_dice));
            }
        };
        Write(transactions: 40);
        _disk.Happened = null;
        _store.Dispose();

        Assert.That(states, Has.Count.GreaterThan(100));
        Assert.That(states.Select(state => Judged(state).PutAside), Has.All.Zero, "nothing has to be rebuilt from its beginning");
    }

    [Test]
    public void After_a_kill_at_any_step_it_stands_where_a_transaction_ended_whole()
    {
        var states = new List<(ModelDisk Disk, int Acknowledged)>();
        _disk.Happened = _ =>
        {
            if (_dice.Chance(100))
            {
                states.Add((_disk.Copy(), _at.Count - 1));
            }
        };
        Write(transactions: 40);
        _disk.Happened = null;
        _store.Dispose();

        foreach (var (state, acknowledged) in states)
        {
            var judged = Judged(state);
            Assert.That(judged.PutAside, Is.Zero);
            Assert.That(judged.Applied, Is.GreaterThanOrEqualTo(acknowledged - 2), "LiteDB answers before it writes, but not long before");
        }
    }

    [Test]
    public void A_crash_during_the_recovery_from_a_crash_changes_nothing()
    {
        Write(transactions: 20);
        var crashed = _disk.AfterCut(_dice);
        _store.Dispose();
        var applied = Judged(crashed.Copy()).Applied;
        var states = new List<ModelDisk>();
        crashed.Happened = _ => states.Add(crashed.AfterCut(_dice));
        using (var recovering = new LiteViewStore(crashed, Lineage, Options))
        {
            Assert.That(recovering.AppliedLsn(Shelf), Is.EqualTo(new Lsn(applied)));
        }

        foreach (var state in states)
        {
            Assert.That(Judged(state), Is.EqualTo((applied, 0L)));
        }
    }

    /// <summary>1,000 flips in all: 0 wrong answers.</summary>
    [Test]
    public void With_any_bit_flipped_nothing_wrong_is_read([Values] bool closed)
    {
        Write(transactions: 40);
        if (closed)
        {
            _store.Dispose();
        }

        var whole = _disk.Copy();
        _store.Dispose();
        var found = 0;
        for (var flip = 0; flip < 500; flip++)
        {
            var state = whole.Copy();
            var path = $"views/{Shelf}{(closed || flip % 2 == 0 ? ".db" : ".log")}";
            var bit = (long)(_dice.Next() % (ulong)(state.Bytes(path).Length * 8L));
            state.FlipBit(path, bit);
            found += Judged(state, $"flip {flip}: bit {bit} of {path}").PutAside > 0 ? 1 : 0;
        }

        Assert.That(found, Is.GreaterThan(100), "most of the data file is read by a full check");
    }

    [Test]
    public void Cut_short_anywhere_nothing_wrong_is_read()
    {
        Write(transactions: 25);
        var whole = _disk.Copy();
        _store.Dispose();
        for (var cut = 0; cut < 100; cut++)
        {
            var state = whole.Copy();
            var path = $"views/{Shelf}{(cut % 2 == 0 ? ".db" : ".log")}";
            using (var file = state.Open(path, DiskAccess.ReadWrite))
            {
                file.Truncate((long)(_dice.Next() % (ulong)file.Length));
            }

            Judged(state, $"cut {cut} of {path}");
        }
    }

    [Test]
    public void When_any_operation_of_the_disk_fails_a_write_is_done_or_the_shelf_is_put_aside()
    {
        Write(transactions: 3);
        _store.Dispose();
        var settled = _disk.Copy();
        for (var fails = 1; ; fails++)
        {
            var state = settled.Copy();
            using (var store = new LiteViewStore(state, Lineage, Options))
            {
                Assert.That(store.AppliedLsn(Shelf), Is.EqualTo(new Lsn(3)));
                state.Fail(new DiskFault(state.Operations + fails, 5, Lasting: fails % 2 == 0));
                var operations = state.Operations + fails;
                var done = 3;
                try
                {
                    while (done < 12)
                    {
                        store.Apply(Shelf, [.. _at[Math.Min(done, 3)].Values.Select(document => document with { Lsn = new Lsn(done + 1) })], new Lsn(done + 1));
                        done++;
                    }
                }
                catch (Exception failure) when (failure is ShelfDamagedException or DiskFailedException)
                {
                }

                if (state.Operations < operations && done == 12)
                {
                    Assert.That(fails, Is.GreaterThan(50));
                    return;
                }
            }

            // What a new process finds: a shelf at some transaction, or none.
            using var again = new LiteViewStore(state.Copy(), Lineage, Options);
            var applied = again.AppliedLsn(Shelf).Value;
            var documents = ViewVerifier.All(again, Shelf).ToList();
            Assert.That(applied == 0 ? documents.Count == 0 : documents.Count == _at[3].Count && (applied == 3 || documents.TrueForAll(document => document.Lsn.Value == applied)), Is.True, $"operation {fails}: {documents.Count} documents at {applied}");
            fails += fails > 40 ? 6 : 0;
        }
    }

    [Test]
    public void A_file_deleted_or_exchanged_while_the_node_runs_is_noticed()
    {
        Write(transactions: 2);
        using (var elsewhere = new LiteViewStore(_disk.Copy(), Lineage, Options))
        {
        }

        var older = _disk.Copy();
        new LiteViewStore(older, Lineage, Options).Dispose();
        Write(transactions: 2);
        PushOut();
        _disk.Delete($"views/{Shelf}.db");
        Assert.That(() => _store.Get(Shelf, 1), Throws.TypeOf<ShelfDamagedException>().With.Message.Contains("deleted or exchanged"));
        Assert.That(_store.AppliedLsn(Shelf), Is.EqualTo(Lsn.Zero));
    }

    [Test]
    public void Files_of_another_journal_or_another_shelf_are_put_aside()
    {
        Write(transactions: 2);
        _store.Dispose();
        using (var other = new LiteViewStore(_disk.Copy(), new Incarnation(78), Options))
        {
            Assert.That(other.AppliedLsn(Shelf), Is.EqualTo(Lsn.Zero));
            Assert.That(other.ShelvesPutAside, Is.EqualTo(1));
        }

        _disk.Rename($"views/{Shelf}.db", "views/cases-2026-12.db");
        _disk.Rename($"views/{Shelf}.log", "views/cases-2026-12.log");
        using var renamed = new LiteViewStore(_disk, Lineage, Options);
        Assert.That(() => renamed.Get("cases-2026-12", 1), Throws.TypeOf<ShelfDamagedException>());
    }

    [Test]
    public void What_is_put_aside_is_told_and_only_two_are_kept()
    {
        var told = new List<string>();
        _store.Dispose();
        using var store = new LiteViewStore(_disk, Lineage, Options with { OpenShelvesMax = 1, PutAside = (shelf, file, _) => told.Add($"{shelf} {file}") });
        for (var time = 0; time < 4; time++)
        {
            store.Apply(Shelf, [Every_view_store.Document(1, 1, "x")], new Lsn(1));
            store.Apply("other", [], new Lsn(1));
            _disk.FlipBit($"views/{Shelf}.db", 513 * 8);
            Assert.That(() => store.Get(Shelf, 1), Throws.TypeOf<ShelfDamagedException>());
            store.Drop(Shelf);
        }

        Assert.That(store.ShelvesPutAside, Is.EqualTo(4));
        Assert.That(told, Is.EqualTo(Enumerable.Range(1, 4).Select(number => $"{Shelf} views/{Shelf}.db.damaged-{number}")));
        Assert.That(_disk.List("views").Where(name => name.Contains("damaged", StringComparison.Ordinal)), Is.EqualTo((string[])[
            $"{Shelf}.db.damaged-3", $"{Shelf}.db.damaged-4", $"{Shelf}.log.damaged-3", $"{Shelf}.log.damaged-4"]));
    }

    [Test]
    public void Only_as_many_files_are_open_as_allowed_and_all_can_be_read()
    {
        for (var month = 1; month <= 12; month++)
        {
            _store.Apply($"m-{month}", [Every_view_store.Document((UInt128)month, month, "x")], new Lsn(month));
        }

        for (var month = 12; month >= 1; month--)
        {
            Assert.That(_store.Get($"m-{month}", (UInt128)month)!.Lsn, Is.EqualTo(new Lsn(month)));
        }

        _store.Dispose();
        Assert.That(Enumerable.Range(1, 12).Select(month => _disk.Bytes($"views/m-{month}.log").Length), Has.All.EqualTo(512), "closed shelves have empty logs");
    }

    /// <summary>Transactions of 1 to 30 documents, new and replaced, of 0 to 2,000 bytes.</summary>
    private void Write(int transactions)
    {
        for (var i = 0; i < transactions; i++)
        {
            var lsn = _at.Count;
            var documents = Enumerable.Range(0, 1 + _dice.Below(30)).Select(_ => (UInt128)(1 + _dice.Below(80))).Distinct()
                .Select(id => Every_view_store.Document(id, lsn, new string('x', _dice.Below(2000)))).ToList();
            var next = new Dictionary<UInt128, ViewDocument>(_at[^1]);
            documents.ForEach(document => next[document.Id] = document);
            _at.Add(next);
            _store.Apply(Shelf, documents, new Lsn(lsn));
        }
    }

    /// <summary>Reads everything: it must be what was there at the position that the shelf says, by page and by id, or be refused.</summary>
    private (int Applied, long PutAside) Judged(ModelDisk state, string what = "")
    {
        using var store = new LiteViewStore(state, Lineage, Options);
        var applied = (int)store.AppliedLsn(Shelf).Value;
        try
        {
            var expected = _at[applied];
            var found = ViewVerifier.All(store, Shelf).ToList();
            Assert.That(found.Select(document => document.Id), Is.EqualTo(expected.Keys.Order()), what);
            Assert.That(found.Where(document => !Same(document, expected[document.Id])).Select(document => document.Id), Is.Empty, what);
            for (var id = 1; id <= 80; id += 3)
            {
                Assert.That(Same(store.Get(Shelf, (UInt128)id), expected.GetValueOrDefault((UInt128)id)), Is.True, $"{what} document {id} at {applied}");
            }
        }
        catch (ShelfDamagedException)
        {
            Assert.That(store.AppliedLsn(Shelf), Is.EqualTo(Lsn.Zero), what);
        }

        return (applied, store.ShelvesPutAside);
    }

    private void PushOut()
    {
        for (var other = 0; other < Options.OpenShelvesMax; other++)
        {
            _store.Apply($"other-{other}", [], new Lsn(1));
        }
    }

    private static bool Same(ViewDocument? a, ViewDocument? b) =>
        a is null || b is null ? a is null && b is null : a.Id == b.Id && a.Lsn == b.Lsn && a.Bytes.Span.SequenceEqual(b.Bytes.Span);
}
