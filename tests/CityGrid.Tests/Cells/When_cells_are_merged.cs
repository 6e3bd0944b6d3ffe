using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

/// <summary>Clause C3.</summary>
public sealed class When_cells_are_merged
{
    private static readonly Gen<List<CellRow>> Rows = CellWorld.HonestRow.List[0, 60];

    private delegate void Applying(CellFold fold, in CellRow row, Lsn local);

    [Test]
    public void The_newest_revision_wins_and_the_others_are_named()
    {
        var fold = new CellFold();
        var key = CellWorld.Key();
        byte[] first = CellWorld.Value((Counter.Reported, 1)), second = CellWorld.Value((Counter.Reported, 2));
        Assert.Multiple(() =>
        {
            Assert.That(fold.Merge(key, new(1, 10), first, new(1)), Is.EqualTo(MergeOutcome.Accepted));
            Assert.That(fold.Merge(key, new(1, 10), first, new(2)), Is.EqualTo(MergeOutcome.Unchanged));
            Assert.That(fold.Merge(key, new(1, 9), second, new(3)), Is.EqualTo(MergeOutcome.Stale));
            Assert.That(fold.Merge(key, new(1, 10), second, new(4)), Is.EqualTo(MergeOutcome.Conflict));
            Assert.That(fold.Find(key)!.Value.Value.ToArray(), Is.EqualTo(first));
            Assert.That(fold.Find(key)!.Value.Local, Is.EqualTo(new Lsn(1)));
            Assert.That(fold.Merge(key, new(2, 1), second, new(5)), Is.EqualTo(MergeOutcome.Accepted));
            Assert.That(fold.Find(key)!.Value.Revision, Is.EqualTo(new Revision(2, 1)));
            Assert.That(fold.Merge(key, new(3, 1), [0], new(6)), Is.EqualTo(MergeOutcome.Malformed));
            Assert.That(fold.Count, Is.EqualTo(1));
        });
    }

    [Test]
    public void Comparing_says_what_merging_would_do_and_changes_nothing() =>
        Gen.Select(Rows, CellWorld.HonestRow, Gen.Bool).Sample((rows, row, other) =>
        {
            var fold = CellWorld.Merged(rows);
            var before = CellWorld.Content(fold);
            var value = other ? CellWorld.Value((Counter.Filed, 3)) : row.Value.ToArray();
            var foreseen = fold.Compare(row.Key, row.Revision, value);
            return before.SequenceEqual(CellWorld.Content(fold)) && foreseen == fold.Merge(row.Key, row.Revision, value, new(1_000));
        });

    [Test]
    public void The_order_of_their_coming_does_not_matter() => Assert.That(() => OrderDoesNotMatter(Merge), Throws.Nothing);

    [Test]
    public void Coming_twice_changes_nothing() =>
        Rows.Sample(rows => Same(CellWorld.Merged(rows), CellWorld.Merged(rows.Concat(rows))));

    [Test]
    public void Two_nodes_copies_merge_to_the_same_either_way() =>
        Gen.Select(Rows, Rows, Rows).Sample((a, b, c) =>
        {
            var left = CellWorld.Merged([.. Held(CellWorld.Merged([.. Held(CellWorld.Merged(a)), .. b])), .. c]);
            var right = CellWorld.Merged([.. a, .. Held(CellWorld.Merged([.. Held(CellWorld.Merged(c)), .. b]))]);
            return Same(left, right);
        });

    [Test]
    public void Each_cell_is_the_newest_of_those_that_came() =>
        Rows.Sample(rows =>
        {
            var fold = CellWorld.Merged(rows);
            return rows.GroupBy(r => r.Key).All(g =>
                fold.Find(g.Key) is { } view && view.Revision == g.Max(r => r.Revision)
                && view.Value.Span.SequenceEqual(g.MaxBy(r => r.Revision).Value.Span))
                && fold.Count == rows.Select(r => r.Key).Distinct().Count();
        });

    // Planted bugs: each must turn the property above red.

    [Test]
    public void A_merge_that_takes_whatever_comes_last_is_found_out() =>
        Assert.That(() => OrderDoesNotMatter((CellFold fold, in CellRow row, Lsn local) => fold.Merge(row.Key, new(1, local.Value), row.Value.Span, local)), Throws.Exception);

    [Test]
    public void A_merge_that_adds_instead_of_replacing_is_found_out() =>
        Assert.That(() => OrderDoesNotMatter((CellFold fold, in CellRow row, Lsn local) =>
        {
            var sum = new CellDraft();
            sum.Add(fold.Find(row.Key) is { } held ? held.Value.Span : CellCodec.Zero);
            sum.Add(row.Value.Span);
            fold.Merge(row.Key, row.Revision, sum.ToBytes(), local);
        }), Throws.Exception);

    [Test]
    public void A_merge_that_drops_a_cell_which_fell_to_zero_is_found_out() =>
        Assert.That(() => OrderDoesNotMatter((CellFold fold, in CellRow row, Lsn local) =>
        {
            if (!CellCodec.IsZero(row.Value.Span))
            {
                Merge(fold, row, local);
            }
        }, against: Merge), Throws.Exception);

    [Test]
    public void A_merge_that_looks_at_positions_before_epochs_is_found_out() =>
        Assert.That(() => OrderDoesNotMatter((CellFold fold, in CellRow row, Lsn local) =>
            fold.Merge(row.Key, new(row.Revision.Lsn, row.Revision.Epoch), row.Value.Span, local), against: Merge), Throws.Exception);

    private static void Merge(CellFold fold, in CellRow row, Lsn local) => fold.Merge(row.Key, row.Revision, row.Value.Span, local);

    /// <summary>Two orders of the same rows, one applied with each of the two, must give the same digests and values.</summary>
    private static void OrderDoesNotMatter(Applying applying, Applying? against = null) =>
        Gen.Select(Rows, Gen.Int).Sample((rows, seed) =>
        {
            var shuffled = rows.OrderBy(r => HashCode.Combine(r.Key.Day.Number, r.Revision.Lsn, r.Revision.Epoch, r.Key.Grain.Number) ^ seed).ToList();
            return SameContent(Applied(rows, applying), Applied(shuffled, against ?? applying));
        }, iter: 400, threads: 1, writeLine: _ => { });

    private static CellFold Applied(IEnumerable<CellRow> rows, Applying applying)
    {
        var fold = new CellFold();
        var local = 0L;
        foreach (var row in rows)
        {
            applying(fold, row, new(++local));
        }

        return fold;
    }

    private static IEnumerable<CellRow> Held(CellFold fold) => fold.ChangedSince(Lsn.Zero, fold.NewestChange);

    private static bool Same(CellFold a, CellFold b) => SameContent(a, b) && CellWorld.Content(a).SequenceEqual(CellWorld.Content(b));

    private static bool SameContent(CellFold a, CellFold b) => a.Whole(Grain.Detail, Grain.National) == b.Whole(Grain.Detail, Grain.National);
}
