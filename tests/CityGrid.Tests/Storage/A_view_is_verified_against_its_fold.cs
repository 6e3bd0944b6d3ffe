using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

public sealed class A_view_is_verified_against_its_fold
{
    private static readonly ViewDocument[] Fold = [.. Enumerable.Range(1, 2100).Select(id => Every_view_store.Document((UInt128)id, id, $"text {id}"))];

    [Test]
    public void Equal_content_is_an_equal_hash_whatever_way_it_came_in()
    {
        using var store = new MemoryViewStore();
        foreach (var document in Fold.Reverse())
        {
            store.Apply("s", [document], new Lsn(2100));
        }

        var verdict = ViewVerifier.Verify(store, "s", Fold);
        Assert.That(verdict.Matches, Is.True);
        Assert.That(verdict.FirstDifference, Is.Null);
        Assert.That(verdict.Documents, Is.EqualTo(2100));
        Assert.That(verdict.StoreHash, Is.EqualTo(ViewVerifier.Hash(Fold)));
    }

    [TestCase("missing", "document 00000000000000000000000000000005 (lsn 5) is missing")]
    [TestCase("extra", "document 0000000000000000000000000000fff0 (lsn 7) should not be there")]
    [TestCase("older", "document 00000000000000000000000000000005 is of lsn 4 instead of 5")]
    [TestCase("other", "document 00000000000000000000000000000005 (lsn 5) has another content")]
    public void Every_difference_is_found_and_named_without_its_content(string what, string expected)
    {
        using var store = new MemoryViewStore();
        foreach (var batch in Fold.Where(document => what != "missing" || document.Id != 5).Chunk(1000))
        {
            store.Apply("s", batch, new Lsn(2100));
        }

        if (what != "missing")
        {
            store.Apply("s", [Every_view_store.Document(what == "extra" ? 0xfff0u : 5u, what switch { "extra" => 7, "older" => 4, _ => 5 }, "secret")], new Lsn(2100));
        }

        var verdict = ViewVerifier.Verify(store, "s", Fold);
        Assert.That(verdict.Matches, Is.False);
        Assert.That(verdict.FirstDifference, Is.EqualTo(expected));
    }

    [Test]
    public void Documents_out_of_order_are_refused() =>
        Assert.That(() => ViewVerifier.Hash(Fold.Reverse()), Throws.ArgumentException);

    [Test]
    public void Positions_of_shelves_survive_a_snapshot()
    {
        var positions = new ShelfPositions();
        positions.Changed("cases-2026-11", new Lsn(7));
        positions.Changed("cases-2026-12", new Lsn(long.MaxValue));
        positions.Changed("cases-2026-11", new Lsn(5));
        using var image = new MemoryStream();
        positions.Save(image);
        image.Position = 0;
        var loaded = new ShelfPositions();
        loaded.Changed("old", new Lsn(1));
        loaded.Load(image);
        Assert.That(loaded.Last, Is.EqualTo(positions.Last));
        Assert.That(loaded.Last["cases-2026-11"], Is.EqualTo(new Lsn(7)));
    }
}
