using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

/// <summary>What the sender of the cells lane reads.</summary>
public sealed class Cells_that_changed_since_a_position
{
    private static readonly Gen<List<(CellRow Row, int Gap)>> Changes = Gen.Select(CellWorld.HonestRow, Gen.Int[0, 2]).List[0, 80];

    [Test]
    public void Are_those_that_a_look_at_every_cell_finds_in_the_order_of_their_change() =>
        Gen.Select(Changes, Gen.Int[0, 90], Gen.Int[0, 90], Gen.Bool).Sample((changes, a, b, onlyNational) =>
        {
            var (fold, model) = Fold(changes);
            Func<NodeId, Grain, bool>? includes = onlyNational ? (_, grain) => grain == Grain.National : null;
            var (from, to) = (new Lsn(Math.Min(a, b)), new Lsn(Math.Max(a, b)));
            var expected = model.Where(c => c.Value.Local > from && c.Value.Local <= to && (!onlyNational || c.Key.Grain == Grain.National)).ToDictionary();
            var found = fold.ChangedSince(from, to, includes).ToList();
            return found.Count == expected.Count && found.Count == fold.CountChanged(from, to, includes)
                && found.All(row => expected[row.Key].Revision == row.Revision)
                && found.Select(row => expected[row.Key].Local).SequenceEqual(expected.Values.Select(v => v.Local).Order());
        }, iter: 1_000);

    [Test]
    public void Can_be_asked_for_between_changes_at_any_position() =>
        Gen.Select(CellWorld.HonestRow, Gen.Int[0, 60], Gen.Bool).List[1, 80].Sample(steps =>
        {
            // The place where the last question ended moves on when its cell does.
            var (fold, model, local) = (new CellFold(), new Dictionary<CellKey, Lsn>(), 0L);
            foreach (var (row, from, asks) in steps)
            {
                if (fold.Merge(row.Key, row.Revision, row.Value.Span, new(++local)) == MergeOutcome.Accepted)
                {
                    model[row.Key] = new(local);
                }

                if (asks && fold.CountChanged(new(from), new(local)) != model.Values.Count(l => l.Value > from))
                {
                    return false;
                }
            }

            return true;
        }, iter: 1_000);

    [Test]
    public void Come_in_cuts_that_leave_out_nothing_and_never_split_an_event() =>
        Gen.Select(Changes, Gen.Int[1, 10]).Sample((changes, max) =>
        {
            var (fold, _) = Fold(changes);
            var (at, head, rows) = (Lsn.Zero, fold.NewestChange, new List<CellRow>());
            while (at < head)
            {
                var cut = fold.Cut(at, head, max);
                var whole = fold.CountChanged(at, cut.To) == cut.Cells.Count;
                if (!whole || cut.To <= at || (cut.Cells.Count == 0 && cut.To != head))
                {
                    return false;
                }

                rows.AddRange(cut.Cells);
                at = cut.To;
            }

            return rows.Select(r => r.Key).SequenceEqual(fold.ChangedSince(Lsn.Zero, head).Select(r => r.Key));
        }, iter: 500);

    [Test]
    public void An_empty_fold_has_none()
    {
        var fold = new CellFold();
        Assert.That(fold.ChangedSince(Lsn.Zero, new(10)), Is.Empty);
        Assert.That(fold.Cut(Lsn.Zero, new(10), 5), Is.EqualTo(new CellCut(new(10), [])).Using<CellCut>((a, b) => a.To == b.To && a.Cells.Count == b.Cells.Count));
    }

    [Test]
    public void A_change_out_of_the_order_of_the_journal_is_refused()
    {
        var fold = CellWorld.Merged([CellWorld.Row(CellWorld.Key(), 1, 1), CellWorld.Row(CellWorld.Key(day: 3), 1, 1)]);
        var late = CellWorld.Row(CellWorld.Key(day: 5), 1, 1);
        Assert.That(() => fold.Merge(late.Key, late.Revision, late.Value.Span, new(1)), Throws.ArgumentException);
        Assert.That(fold.Count, Is.EqualTo(2));
    }

    private static (CellFold Fold, Dictionary<CellKey, (Revision Revision, Lsn Local)> Model) Fold(List<(CellRow Row, int Gap)> changes)
    {
        var fold = new CellFold();
        var model = new Dictionary<CellKey, (Revision, Lsn)>();
        var local = 0L;
        foreach (var (row, gap) in changes)
        {
            local += gap;
            if (fold.Merge(row.Key, row.Revision, row.Value.Span, new(local)) == MergeOutcome.Accepted)
            {
                model[row.Key] = (row.Revision, new(local));
            }
        }

        return (fold, model);
    }
}
