using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

/// <summary>What every view store does; one fixture a store.</summary>
public abstract class Every_view_store
{
    protected IViewStore Store { get; private set; } = null!;

    protected abstract IViewStore Open();

    /// <summary>Damages a shelf so that the next call on it finds out.</summary>
    protected abstract void Damage(string shelf);

    [SetUp]
    public void OpenStore() => Store = Open();

    [TearDown]
    public void CloseStore() => Store.Dispose();

    [Test]
    public void Starts_empty_at_position_zero()
    {
        Assert.That(Store.Shelves, Is.Empty);
        Assert.That(Store.AppliedLsn("cases-2026-11"), Is.EqualTo(Lsn.Zero));
        Assert.That(Store.Get("cases-2026-11", 1), Is.Null);
        Assert.That(Store.Page("cases-2026-11", 0, 10), Is.Empty);
        Store.Drop("cases-2026-11");
        Assert.That(Store.Shelves, Is.Empty);
    }

    [Test]
    public void Keeps_documents_and_position_together_and_replaces_by_id()
    {
        Store.Apply("cases-2026-11", [Document(7, 3, "old"), Document(8, 4, "")], new Lsn(4));
        Store.Apply("cases-2026-11", [Document(7, 5, "new")], new Lsn(6));
        Store.Apply("cases-2026-12", [Document(7, 7, "elsewhere")], new Lsn(7));

        Assert.That(Text(Store.Get("cases-2026-11", 7)), Is.EqualTo("5:new"));
        Assert.That(Text(Store.Get("cases-2026-11", 8)), Is.EqualTo("4:"));
        Assert.That(Text(Store.Get("cases-2026-12", 7)), Is.EqualTo("7:elsewhere"));
        Assert.That(Store.AppliedLsn("cases-2026-11"), Is.EqualTo(new Lsn(6)));
        Assert.That(Store.AppliedLsn("cases-2026-12"), Is.EqualTo(new Lsn(7)));
        Assert.That(Store.Shelves, Is.EqualTo((string[])["cases-2026-11", "cases-2026-12"]));
    }

    [Test]
    public void Keeps_the_last_of_two_that_come_together()
    {
        Store.Apply("s", [Document(7, 1, "first"), Document(9, 2, "x"), Document(7, 3, "second")], new Lsn(3));
        Store.Apply("s", [Document(8, 4, "lower than the highest"), Document(9, 5, "a"), Document(9, 6, "b"), Document(12, 7, "higher")], new Lsn(7));

        Assert.That(Store.Page("s", 0, 10).Select(Text), Is.EqualTo((string[])["3:second", "4:lower than the highest", "6:b", "7:higher"]));
    }

    [Test]
    public void Moves_the_position_without_documents()
    {
        Store.Apply("cases-2026-11", [], new Lsn(9));
        Assert.That(Store.AppliedLsn("cases-2026-11"), Is.EqualTo(new Lsn(9)));
    }

    [Test]
    public void Pages_in_order_of_id_over_the_whole_range()
    {
        UInt128[] ids = [UInt128.MaxValue, 1, (UInt128)1 << 127, 255, 256, UInt128.MaxValue - 1, (UInt128)ulong.MaxValue + 1];
        Store.Apply("s", [.. ids.Select(id => Document(id, 1, "x"))], new Lsn(1));

        var seen = new List<UInt128>();
        for (var page = Store.Page("s", 0, 2); page.Count > 0; page = Store.Page("s", page[^1].Id, 2))
        {
            Assert.That(page, Has.Count.LessThanOrEqualTo(2));
            seen.AddRange(page.Select(document => document.Id));
        }

        Assert.That(seen, Is.EqualTo(ids.Order()));
        Assert.That(Store.Page("s", 0, 0), Is.Empty);
    }

    [Test]
    public void Answers_with_the_bytes_it_was_given_whatever_they_are() =>
        Gen.Byte.Array[0, 20_000].Sample(
            bytes =>
            {
                Store.Apply("s", [new ViewDocument(5, new Lsn(2), bytes.AsMemory())], new Lsn(2));
                return Store.Get("s", 5) is { } found && found.Bytes.Span.SequenceEqual(bytes) && found.Lsn == new Lsn(2);
            },
            iter: 50,
            threads: 1);

    [Test]
    public void Does_what_a_dictionary_does() =>
        Gen.Select(Gen.Int[1, 60], Gen.Int[0, 2], Gen.Int[0, 3000]).Array[1, 40].Array[1, 12].Sample(
            batches =>
            {
                var model = new Dictionary<(string, UInt128), ViewDocument>();
                foreach (var shelf in Store.Shelves)
                {
                    Store.Drop(shelf);
                }

                long lsn = 0;
                foreach (var batch in batches)
                {
                    foreach (var shelf in batch.GroupBy(change => $"s{change.Item2}"))
                    {
                        var documents = shelf.DistinctBy(change => change.Item1).Select(change => Document((UInt128)change.Item1, ++lsn, new string('x', change.Item3))).ToList();
                        documents.ForEach(document => model[(shelf.Key, document.Id)] = document);
                        Store.Apply(shelf.Key, documents, new Lsn(lsn));
                    }
                }

                foreach (var shelf in (string[])["s0", "s1", "s2"])
                {
                    var expected = model.Where(entry => entry.Key.Item1 == shelf).Select(entry => entry.Value).OrderBy(document => document.Id).Select(Text);
                    Assert.That(Store.Page(shelf, 0, 1000).Select(Text), Is.EqualTo(expected));
                    Assert.That(Enumerable.Range(1, 60).Select(id => Text(Store.Get(shelf, (UInt128)id))), Is.EqualTo(Enumerable.Range(1, 60).Select(id => Text(model.GetValueOrDefault((shelf, (UInt128)id))))));
                }
            },
            iter: 8,
            threads: 1);

    [Test]
    public void Starts_a_dropped_shelf_at_zero_and_leaves_the_others()
    {
        Store.Apply("a", [Document(1, 1, "x")], new Lsn(1));
        Store.Apply("b", [Document(1, 2, "y")], new Lsn(2));
        Store.Drop("a");
        Assert.That(Store.Shelves, Is.EqualTo((string[])["b"]));
        Assert.That(Store.Get("a", 1), Is.Null);
        Store.Apply("a", [Document(2, 3, "z")], new Lsn(3));
        Assert.That(Store.Page("a", 0, 10).Select(Text), Is.EqualTo((string[])["3:z"]));
        Assert.That(Text(Store.Get("b", 1)), Is.EqualTo("2:y"));
    }

    [Test]
    public void Refuses_everything_on_a_damaged_shelf_until_it_is_dropped()
    {
        Store.Apply("a", [Document(1, 1, "x")], new Lsn(1));
        Store.Apply("b", [Document(1, 2, "y")], new Lsn(2));
        Damage("a");

        Assert.That(() => Store.Get("a", 1), Throws.TypeOf<ShelfDamagedException>());
        Assert.That(() => Store.Page("a", 0, 1), Throws.TypeOf<ShelfDamagedException>());
        Assert.That(() => Store.Apply("a", [Document(2, 3, "z")], new Lsn(3)), Throws.TypeOf<ShelfDamagedException>());
        Assert.That(Store.AppliedLsn("a"), Is.EqualTo(Lsn.Zero));
        Assert.That(Text(Store.Get("b", 1)), Is.EqualTo("2:y"));

        Store.Drop("a");
        Assert.That(Store.Get("a", 1), Is.Null);
        Store.Apply("a", [Document(1, 1, "x")], new Lsn(3));
        Assert.That(Text(Store.Get("a", 1)), Is.EqualTo("1:x"));
    }

    [Test]
    public void Refuses_what_no_store_can_keep_and_changes_nothing()
    {
        Store.Apply("a", [Document(1, 1, "x")], new Lsn(1));
        Assert.That(() => Store.Apply("a", [.. Enumerable.Range(1, 1001).Select(id => Document((UInt128)id, 2, ""))], new Lsn(2)), Throws.ArgumentException);
        Assert.That(() => Store.Apply("a", [Document(0, 2, "zero")], new Lsn(2)), Throws.ArgumentException);
        Assert.That(() => Store.Apply("a", [new ViewDocument(2, new Lsn(2), new byte[ViewLimits.DocumentBytesMax + 1])], new Lsn(2)), Throws.ArgumentException);
        foreach (var name in (string[])["", "A", "-a", "../a", "a.db", new string('a', 65)])
        {
            Assert.That(() => Store.Apply(name, [], new Lsn(2)), Throws.ArgumentException, name);
            Assert.That(() => Store.Get(name, 1), Throws.ArgumentException, name);
            Assert.That(() => Store.Drop(name), Throws.ArgumentException, name);
        }

        Assert.That(Store.AppliedLsn("a"), Is.EqualTo(new Lsn(1)));
    }

    [Test]
    public void Takes_the_largest_document()
    {
        var body = new byte[ViewLimits.DocumentBytesMax];
        body[^1] = 7;
        Store.Apply("a", [new ViewDocument(1, new Lsn(1), body)], new Lsn(1));
        Assert.That(Store.Get("a", 1)!.Bytes.Span.SequenceEqual(body), Is.True);
    }

    [Test]
    public void Answers_many_readers_beside_a_writer()
    {
        Store.Apply("a", [.. Enumerable.Range(1, 500).Select(id => Document((UInt128)id, 1, "x"))], new Lsn(1));
        using var stop = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 4).Select(reader => Task.Factory.StartNew(
            () =>
            {
                for (var i = 0; !stop.IsCancellationRequested; i++)
                {
                    var id = (UInt128)((i + (reader * 97)) % 500 + 1);
                    Assert.That(Store.Get("a", id)?.Id, Is.EqualTo(id));
                    Assert.That(Store.Page("a", id, 20), Has.Count.EqualTo(Math.Min(20, 500 - (int)id)));
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)).ToList();
        for (var lsn = 2; lsn < 50; lsn++)
        {
            Store.Apply("a", [.. Enumerable.Range(1, 50).Select(id => Document((UInt128)(id * 10), lsn, "y"))], new Lsn(lsn));
        }

        stop.Cancel();
        Assert.That(() => Task.WaitAll([.. readers]), Throws.Nothing);
    }

    internal static ViewDocument Document(UInt128 id, long lsn, string text) => new(id, new Lsn(lsn), System.Text.Encoding.UTF8.GetBytes(text));

    internal static string? Text(ViewDocument? document) =>
        document is null ? null : $"{document.Lsn}:{System.Text.Encoding.UTF8.GetString(document.Bytes.Span)}";
}

public sealed class The_memory_view_store : Every_view_store
{
    protected override IViewStore Open() => new MemoryViewStore();

    protected override void Damage(string shelf) => ((MemoryViewStore)Store).Spoil(shelf);
}

public sealed class The_LiteDB_view_store : Every_view_store
{
    private readonly ModelDisk _disk = new();

    protected override IViewStore Open()
    {
        foreach (var name in _disk.List("views"))
        {
            _disk.Delete($"views/{name}");
        }

        return new LiteViewStore(_disk, new Incarnation(1), new LiteViewOptions { OpenShelvesMax = 2 });
    }

    /// <summary>Two more shelves push it out of the open ones; then every page of its file is changed.</summary>
    protected override void Damage(string shelf)
    {
        Store.Apply("other-1", [], new Lsn(1));
        Store.Apply("other-2", [], new Lsn(1));
        for (var byteAt = 600; byteAt < _disk.Bytes($"views/{shelf}.db").Length; byteAt += 1000)
        {
            _disk.FlipBit($"views/{shelf}.db", byteAt * 8);
        }
    }
}
