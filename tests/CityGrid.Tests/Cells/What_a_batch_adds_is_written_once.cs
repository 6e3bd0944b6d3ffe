using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

/// <summary>
/// Events that are added together leave exactly what they leave one by one: values, revisions, the order of change, and what tells a restated day. Else
/// a replay, which takes thousands together, would not be the state that was.
/// </summary>
public sealed class What_a_batch_adds_is_written_once
{
    private static readonly Gen<CellChange> Change = Gen.Select(
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 2], (type, day) => CellWorld.Key(code: $"0100{type}", day: 20_000 + day)),
        Gen.Select(Gen.UShort[1, 4], Gen.Long[-2, 2], (id, delta) => new CounterChange(id, delta)).List[0, 4],
        Gen.Select(Gen.UShort[1, 2], Gen.Long[0, 400], Gen.Long[-1, 1], (id, seconds, delta) => new DurationChange(id, seconds, delta)).List[0, 3],
        (key, counters, durations) => new CellChange(key, counters, durations));

    [Test]
    public void And_leaves_what_one_by_one_would() =>
        Gen.Select(Change, Gen.Bool).List[0, 80].Sample(steps =>
        {
            var (together, single, lsn) = (new CellFold(), new CellFold(), 0L);
            foreach (var (change, ends) in steps)
            {
                lsn++;
                together.Add(change, new(1, lsn), new(lsn));
                single.Add(change, new(1, lsn), new(lsn));
                single.Settle();
                if (ends)
                {
                    together.Settle();
                }
            }

            return Told(together, lsn) == Told(single, lsn);
        }, iter: 2_000);

    [Test]
    public void What_cancels_out_in_one_event_restates_no_day()
    {
        var fold = new CellFold();
        var key = CellWorld.Key();
        fold.Add(new(key, [new(1, 1)], []), new(1, 1), new(1));
        fold.Settle();
        fold.Add(new(key, [new(1, 5), new(1, -5)], [new(1, 60, 1), new(1, 60, -1)]), new(1, 2), new(2));

        Assert.That(fold.NewestChangeOf(key.Day, key.Day.Plus(1)), Is.EqualTo(new Lsn(1)));
        Assert.That(fold.Find(key)!.Value.Revision, Is.EqualTo(new Revision(1, 2)), "it was touched all the same, and is sent");
    }

    [Test]
    public void What_is_there_and_back_within_a_batch_restates_the_day()
    {
        var fold = new CellFold();
        var key = CellWorld.Key();
        fold.Add(new(key, [new(1, 1)], []), new(1, 1), new(1));
        fold.Settle();
        fold.Add(new(key, [new(1, 5)], []), new(1, 2), new(2));
        fold.Add(new(key, [new(1, -5)], []), new(1, 3), new(3));

        Assert.That(fold.NewestChangeOf(key.Day, key.Day.Plus(1)), Is.EqualTo(new Lsn(3)));
    }

    [Test]
    public void A_change_that_names_no_counter_adds_nothing()
    {
        var fold = new CellFold();
        var key = CellWorld.Key();
        Assert.That(() => fold.Add(new(key, [new(1, 1), new(0, 1)], []), new(1, 1), new(1)), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => fold.Add(new(key, [new(1, 1)], [new(0, 60, 1)]), new(1, 1), new(1)), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(fold.Count, Is.Zero);
    }

    [Test]
    public void More_cells_than_are_kept_apart_are_all_there()
    {
        var fold = new CellFold();
        for (var i = 0; i < GatheredCells.CountMax + 10; i++)
        {
            fold.Add(new(CellWorld.Key(day: 20_000 + i), [new(1, 1)], []), new(1, i + 1), new(i + 1));
        }

        Assert.That(fold.Count, Is.EqualTo(GatheredCells.CountMax + 10));
        Assert.That(fold.NewestChange, Is.EqualTo(new Lsn(GatheredCells.CountMax + 10)));
    }

    private static string Told(CellFold fold, long lsn) => string.Join('\n',
    [
        .. fold.ChangedSince(Lsn.Zero, new(lsn)).Select(row => $"{row.Key} {row.Revision} {Convert.ToHexString(row.Value.Span)} {fold.Find(row.Key)!.Value.Local}"),
        .. Enumerable.Range(20_000, 3).Select(day => $"{day} {fold.NewestChangeOf(new StatDay(day), new StatDay(day + 1))} {fold.NewestChangeOf(Grain.National, new StatDay(day), new StatDay(day + 1), _ => true)}"),
        $"{fold.Whole(Grain.National, Grain.Detail)} {fold.NewestChange} {fold.FirstDay}",
    ]);
}
