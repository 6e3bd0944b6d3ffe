using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

public sealed class When_own_cells_are_added_up
{
    private static readonly Gen<CellChange> Change = Gen.Select(
        CellGen.Key,
        Gen.Select(Gen.UShort[1, 40], Gen.Long[-3, 3], (id, delta) => new CounterChange(id, delta)).List[0, 5],
        Gen.Select(Gen.UShort[1, 3], Gen.Long[0, 40_000_000], Gen.Long[-2, 2], (id, seconds, delta) => new DurationChange(id, seconds, delta)).List[0, 4],
        (key, counters, durations) => new CellChange(key, counters, durations));

    [Test]
    public void The_cell_holds_the_sum_of_what_was_added() =>
        Change.List[0, 60].Sample(changes =>
        {
            var fold = new CellFold();
            var lsn = 0L;
            foreach (var change in changes)
            {
                fold.Add(change, new(1, ++lsn), new(lsn));
            }

            return changes.GroupBy(c => c.Key).All(g => CellCodec.Decode(fold.Find(g.Key)!.Value.Value.Span, out _)!.Equals(Sum(g)));
        }, iter: 500);

    [Test]
    public void A_correction_that_takes_all_of_it_back_leaves_a_zero_that_is_sent()
    {
        var fold = new CellFold();
        var key = CellWorld.Key();
        fold.Add(new(key, [new(1, 1), new(100, 1)], [new(1, 3_600, 1)]), new(1, 1), new(1));
        fold.Add(new(key, [new(1, -1), new(100, -1)], [new(1, 3_600, -1)]), new(1, 2), new(2));
        var sent = fold.ChangedSince(new(1), new(2)).Single();
        Assert.That(fold.Count, Is.EqualTo(1));
        Assert.That(sent.Revision, Is.EqualTo(new Revision(1, 2)));
        Assert.That(CellCodec.IsZero(sent.Value.Span), Is.True);
        Assert.That(fold.DigestOf(key.Origin, Grain.National), Is.EqualTo(new CellFold().DigestOf(key.Origin, Grain.National)));
    }

    [Test]
    public void A_parent_that_merges_them_has_the_same_content() =>
        Change.List[0, 60].Sample(changes =>
        {
            var (child, parent, lsn) = (new CellFold(), new CellFold(), 0L);
            foreach (var change in changes)
            {
                child.Add(change, new(1, ++lsn), new(lsn));
            }

            foreach (var row in child.ChangedSince(Lsn.Zero, new(lsn)).Reverse())
            {
                parent.Merge(row.Key, row.Revision, row.Value.Span, new(++lsn));
            }

            return child.Whole(Grain.Detail, Grain.National) == parent.Whole(Grain.Detail, Grain.National);
        }, iter: 300);

    [Test]
    public void The_sum_of_a_type_in_a_division_over_days_is_that_of_its_cells() =>
        Change.List[1, 60].Sample(changes =>
        {
            var (fold, lsn) = (new CellFold(), 0L);
            foreach (var change in changes)
            {
                fold.Add(change, new(1, ++lsn), new(lsn));
            }

            var (key, width) = (changes[0].Key, changes.Count % 5);
            var (from, to) = (key.Day.Plus(-width), key.Day.Plus(width));
            var (looked, walked) = (new CellSum(withHistograms: false), new CellSum(withHistograms: false));
            fold.SumOf(key.Origin, key.Type, key.Division, from, to, looked);
            foreach (var row in fold.ChangedSince(Lsn.Zero, new(lsn)).Where(r =>
                r.Key.Origin == key.Origin && r.Key.Grain == Grain.Detail && r.Key.Type == key.Type && r.Key.Division == key.Division && r.Key.Day >= from && r.Key.Day <= to))
            {
                walked.Add(row.Value.Span);
            }

            return Counter.All.All(counter => looked[counter] == walked[counter]);
        }, iter: 500);

    [Test]
    public void Values_that_grow_and_shrink_never_mix()
    {
        // The blocks of values are given back and taken again; a model keeps what each must be.
        Gen.Select(Gen.Int[0, 30], Gen.Int[0, 900]).List[1, 120].Sample(steps =>
        {
            var (fold, model, lsn) = (new CellFold(), new Dictionary<int, byte[]>(), 0L);
            foreach (var (day, size) in steps)
            {
                var draft = new CellDraft();
                for (ushort i = 1; i <= size; i++)
                {
                    draft.Add(i, day + 1);
                }

                model[day] = draft.ToBytes();
                fold.Merge(CellWorld.Key(day: day), new(1, ++lsn), model[day], new(lsn));
            }

            return model.All(m => fold.Find(CellWorld.Key(day: m.Key))!.Value.Value.Span.SequenceEqual(m.Value));
        }, iter: 100);
    }

    [Test]
    public void The_place_of_an_origin_is_what_its_national_cells_name()
    {
        var fold = CellWorld.Merged([CellWorld.Row(CellWorld.Key(division: "320500"), 1, 1), CellWorld.Row(CellWorld.Key("boston", Grain.Detail), 1, 1)]);
        Assert.That(fold.PlaceOf(NodeId.Parse("suzhou")), Is.EqualTo(DivisionCode.Parse("320500")));
        Assert.That(fold.PlaceOf(NodeId.Parse("boston")), Is.Null);
        Assert.That(fold.PlaceOf(NodeId.Parse("nobody")), Is.Null);
    }

    private static CellValue Sum(IEnumerable<CellChange> changes)
    {
        var counters = changes.SelectMany(c => c.Counters).GroupBy(c => c.Counter).OrderBy(g => g.Key)
            .Select(g => new CounterCount(g.Key, g.Sum(c => c.Delta))).Where(c => c.Value != 0);
        var histograms = changes.SelectMany(c => c.Durations).GroupBy(d => d.Histogram).OrderBy(g => g.Key).Select(h => new HistogramCounts(
            h.Key,
            h.GroupBy(d => DurationEdges.BucketOf(d.Seconds)).OrderBy(b => b.Key).Select(b => new BucketCount((ushort)b.Key, b.Sum(d => d.Delta)))
                .Where(b => b.Count != 0).ToList())).Where(h => h.Buckets.Count > 0);
        return new CellValue(counters.ToList(), histograms.ToList());
    }
}
