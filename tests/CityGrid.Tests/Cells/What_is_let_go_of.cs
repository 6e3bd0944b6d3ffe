using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

/// <summary>Clause L13: cells of somebody else who bore the name are as if they had never come, at every reader; and should they come again, they count.</summary>
public sealed class What_is_let_go_of
{
    private static readonly Grain[] Grains = [Grain.Detail, Grain.National];
    private static readonly NodeId[] Names = [NodeId.Parse("x"), NodeId.Parse("suzhou"), NodeId.Parse("boston")];

    [Test]
    public void Is_as_if_it_had_never_come_and_comes_again_as_it_was() =>
        Gen.Select(CellWorld.HonestRow.List[0, 60], Gen.OneOf(Names), Gen.Bool, Gen.Bool).Sample((rows, origin, all, loaded) =>
        {
            var elsewhere = rows.Select(r => r.Key.Division).Where(d => d.ToString()[^1] == '9' || all).ToHashSet();
            bool IsLetGo(CellRow row) => row.Key.Origin == origin && elsewhere.Contains(row.Key.Division);
            var (kept, gone) = (rows.Where(r => !IsLetGo(r)).ToArray(), rows.Where(IsLetGo).ToArray());

            var fold = CellWorld.Merged(rows);
            _ = fold.Whole(Grains);
            fold.LetGo(origin, elsewhere, new Lsn(1_000));
            if (loaded)
            {
                using var image = new MemoryStream();
                fold.Save(image);
                image.Position = 0;
                fold.Load(image);
            }

            var never = IsSame(fold, CellWorld.Merged(kept)) && gone.All(r => fold.Find(r.Key) is null) && elsewhere.All(d => !fold.DivisionsOf(origin).Contains(d))
                && fold.FirstDivisionsOf(origin, Grains).All(d => !elsewhere.Contains(d));
            var lsn = 1_000L;
            foreach (var row in gone)
            {
                fold.Merge(row.Key, row.Revision, row.Value.Span, new Lsn(++lsn));
            }

            return never && IsSame(fold, CellWorld.Merged(rows)) && CellWorld.Merged(rows).DivisionsOf(origin).Order().SequenceEqual(fold.DivisionsOf(origin).Order());
        }, iter: 500);

    [Test]
    public void Is_a_change_of_its_days()
    {
        var fold = CellWorld.Merged([CellWorld.Row(CellWorld.Key(day: 20_001), 1, 1)]);
        fold.LetGo(NodeId.Parse("suzhou"), new HashSet<DivisionCode> { DivisionCode.Parse("320508") }, new Lsn(7));
        Assert.That((fold.NewestChangeOf(new StatDay(20_001), new StatDay(20_002)), fold.PlaceOf(NodeId.Parse("suzhou"))), Is.EqualTo((new Lsn(7), (DivisionCode?)null)), "a view of that day is another one now");
    }

    /// <summary>A scope in which nothing else is, by what a snapshot keeps of it: its days stand there still, and so does when they changed.</summary>
    [Test]
    public void Alone_in_its_scope_it_stays_so_in_a_snapshot()
    {
        var name = NodeId.Parse("suzhou");
        var row = CellWorld.Row(CellWorld.Key(day: 20_001), 1, 1);
        var fold = CellWorld.Merged([row]);
        fold.LetGo(name, new HashSet<DivisionCode> { row.Key.Division }, new Lsn(7));
        using var image = new MemoryStream();
        fold.Save(image);
        image.Position = 0;
        var again = new CellFold();
        again.Load(image);
        foreach (var of in new[] { fold, again })
        {
            Assert.That((of.CountOf(name, row.Key.Grain), of.Holdings.Count(), of.Origins.Count, of.Count, of.NewestChangeOf(new StatDay(20_001), new StatDay(20_002))), Is.EqualTo((0L, 0, 0, 1L, new Lsn(7))));
        }

        Assert.That(again.Merge(row.Key, row.Revision, row.Value.Span, new Lsn(8)), Is.EqualTo(MergeOutcome.Accepted));
        Assert.That((again.CountOf(name, row.Key.Grain), again.Holdings.Single()), Is.EqualTo((1L, (name, row.Key.Division, 1L))));
    }

    /// <summary>Content, what goes up, how much is held of whom, digests, ranges, the sums of the nation, and what a view walks over.</summary>
    private static bool IsSame(CellFold fold, CellFold like)
    {
        var filter = new CellFilter(Grain.National, new StatDay(0), new StatDay(40_000));
        return CellWorld.Content(fold).SequenceEqual(CellWorld.Content(like))
            && fold.Origins.SequenceEqual(like.Origins)
            && Holdings(fold).SequenceEqual(Holdings(like)) && fold.Holdings.All(of => fold.DivisionsOf(of.Origin).Contains(of.Division))
            && Names.All(origin => Grains.All(grain => fold.CountOf(origin, grain) == like.CountOf(origin, grain)))
            && fold.Whole(Grains) == like.Whole(Grains)
            && like.Origins.All(origin => Grains.All(grain => fold.MonthDigestsOf(origin, grain).SequenceEqual(like.MonthDigestsOf(origin, grain))
                && like.MonthDigestsOf(origin, grain).All(m => fold.RangeOf(origin, grain, m.Month).SequenceEqual(like.RangeOf(origin, grain, m.Month), SameRow))))
            && fold.NationTypes.All(type => Sum(fold, type) == Sum(like, type))
            && Seen(fold, filter) == Seen(like, filter);
    }

    private static IEnumerable<(NodeId Origin, long Cells)> Holdings(CellFold fold) => fold.Holdings.Select(of => (of.Origin, of.Cells)).Order();

    private static readonly IEqualityComparer<CellRow> SameRow = EqualityComparer<CellRow>.Create((a, b) => a.Key == b.Key && a.Revision == b.Revision && a.Value.Span.SequenceEqual(b.Value.Span));

    private static long Sum(CellFold fold, TypeKey type)
    {
        var sum = new CellSum();
        fold.SumNation(type, new StatDay(0), new StatDay(40_000), sum);
        return sum[Counter.Reported];
    }

    private static int Seen(CellFold fold, CellFilter filter)
    {
        var seen = 0;
        fold.Visit(filter, (in CellKey _, Lsn _, ReadOnlySpan<byte> _) => seen++);
        return seen;
    }
}
