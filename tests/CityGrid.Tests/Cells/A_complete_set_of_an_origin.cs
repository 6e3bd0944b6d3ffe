using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

/// <summary>Clauses C2 and C7.</summary>
public sealed class A_complete_set_of_an_origin
{
    private static readonly IReadOnlyList<Grain> Grains = [Grain.Detail, Grain.National];

    [Test]
    public void Makes_zero_what_it_does_not_name_and_nothing_else() =>
        Gen.Select(CellWorld.HonestRow.List[0, 50], Gen.OneOf("boston", "suzhou"), Gen.Int[0, 9]).Sample((rows, name, keep) =>
        {
            var fold = CellWorld.Merged(rows);
            var origin = NodeId.Parse(name);
            var named = rows.Select(r => r.Key).Where(k => k.Day.Number % 10 < keep).ToHashSet();
            var before = rows.Select(r => r.Key).Distinct().ToDictionary(k => k, k => fold.Find(k)!.Value);
            var zeroed = fold.Complete(origin, Grains, named, new(3, 1), new(500));
            var gone = before.Where(b => b.Key.Origin == origin && !named.Contains(b.Key) && !CellCodec.IsZero(b.Value.Value.Span)).Select(b => b.Key).ToHashSet();
            return zeroed == gone.Count && before.All(b => gone.Contains(b.Key)
                ? fold.Find(b.Key) is { } now && now.Revision == new Revision(3, 1) && CellCodec.IsZero(now.Value.Span) && now.Local == new Lsn(500)
                : fold.Find(b.Key) is { } same && same.Revision == b.Value.Revision && same.Value.Span.SequenceEqual(b.Value.Value.Span));
        }, iter: 300);

    [Test]
    public void Leaves_alone_a_cell_that_is_newer_by_another_path()
    {
        var newer = CellWorld.Row(CellWorld.Key(), 2, 9);
        var fold = CellWorld.Merged([newer]);
        Assert.That(fold.Complete(newer.Key.Origin, Grains, new HashSet<CellKey>(), new(2, 5), new(2)), Is.Zero);
        Assert.That(fold.Find(newer.Key)!.Value.Revision, Is.EqualTo(newer.Revision));
    }

    [Test]
    public void Leaves_alone_the_grains_that_it_does_not_speak_of()
    {
        var detail = CellWorld.Row(CellWorld.Key(grain: Grain.Detail), 1, 1);
        var fold = CellWorld.Merged([detail]);
        Assert.That(fold.Complete(detail.Key.Origin, [Grain.National], new HashSet<CellKey>(), new(2, 5), new(2)), Is.Zero);
    }

    [Test]
    public void After_a_child_was_restored_from_an_old_copy_parent_and_child_hold_the_same() =>
        Gen.Select(Gen.Int[0, 30].List[1, 40], Gen.Int[0, 40], Gen.Int[0, 30].List[0, 10]).Sample((before, copied, after) =>
        {
            // The child counts, its parent hears all of it; then the child lives on from a copy of its first days under a new epoch.
            var (parent, lsn) = (new CellFold(), 0L);
            var origin = NodeId.Parse("suzhou");
            CellFold life = Counted(before, 1, 0), second = Counted([.. before.Take(copied)], 1, 0);
            Send(life, parent, ref lsn);
            var at = second.NewestChange.Value + 1;
            second.Restamp(origin, new(2, at), new(at));
            foreach (var day in after)
            {
                second.Add(Report(day), new(2, ++at), new(at));
            }

            var named = Send(second, parent, ref lsn);
            parent.Complete(origin, Grains, named, new(2, at), new(++lsn));
            return parent.DigestOf(origin, Grains) == second.DigestOf(origin, Grains);
        }, iter: 300);

    private static CellChange Report(int day) => new(CellWorld.Key(day: 20_000 + day), [new(Counter.Reported.Id, 1)], []);

    private static CellFold Counted(List<int> days, long epoch, long lsn)
    {
        var fold = new CellFold();
        foreach (var day in days)
        {
            fold.Add(Report(day), new(epoch, ++lsn), new(lsn));
        }

        return fold;
    }

    private static HashSet<CellKey> Send(CellFold child, CellFold parent, ref long local)
    {
        var named = new HashSet<CellKey>();
        foreach (var row in child.ChangedSince(Lsn.Zero, child.NewestChange))
        {
            parent.Merge(row.Key, row.Revision, row.Value.Span, new(++local));
            named.Add(row.Key);
        }

        return named;
    }
}
