using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

public sealed class A_snapshot_of_cells
{
    private static readonly Grain[] Grains = [Grain.Detail, Grain.National];

    [Test]
    public void Brings_back_cells_order_digests_and_sums() =>
        Gen.Select(CellWorld.HonestRow.List[0, 80], CellWorld.HonestRow.List[0, 10]).Sample((rows, later) =>
        {
            var fold = CellWorld.Merged(rows);
            fold.Restamp(NodeId.Parse("x"), new(8, 1), fold.NewestChange.Next);
            var back = new CellFold();
            back.Load(new MemoryStream(Saved(fold)));
            var same = Same(fold, back);
            var local = fold.NewestChange.Value;
            foreach (var row in later)
            {
                local++;
                same &= fold.Merge(row.Key, row.Revision, row.Value.Span, new(local)) == back.Merge(row.Key, row.Revision, row.Value.Span, new(local));
            }

            return same && Same(fold, back);
        }, iter: 300);

    [Test]
    public void Spans_many_blocks()
    {
        var fold = CellWorld.Merged(Enumerable.Range(0, 9_000).Select(i => CellWorld.Row(CellWorld.Key(code: $"t{i % 500}", day: i), 1, 3)));
        var back = new CellFold();
        back.Load(new MemoryStream(Saved(fold)));
        Assert.That(Same(fold, back), Is.True);
        Assert.That(Saved(fold), Has.Length.GreaterThan(2 * 65_536));
    }

    [Test]
    public void Has_the_same_bytes_for_the_same_cells_in_the_same_order() =>
        CellWorld.HonestRow.List[0, 80].Sample(rows =>
        {
            var fold = CellWorld.Merged(rows);
            var again = new CellFold();
            again.Load(new MemoryStream(Saved(fold)));
            return Saved(fold).AsSpan().SequenceEqual(Saved(again));
        });

    [Test]
    public void That_is_damaged_is_refused_or_read_but_never_breaks_the_node() =>
        Gen.Select(CellWorld.HonestRow.List[1, 30], Gen.Int[0, 100_000], Gen.Byte, Gen.Bool).Sample((rows, at, change, cut) =>
        {
            var bytes = Saved(CellWorld.Merged(rows));
            var damaged = cut ? bytes[..(at % bytes.Length)] : bytes;
            if (!cut)
            {
                damaged[at % bytes.Length] ^= change;
            }

            try
            {
                new CellFold().Load(new MemoryStream(damaged));
                return true;
            }
            catch (InvalidDataException)
            {
                return true;
            }
        }, iter: 3_000);

    private static byte[] Saved(CellFold fold)
    {
        var stream = new MemoryStream();
        fold.Save(stream);
        return stream.ToArray();
    }

    private static bool Same(CellFold a, CellFold b)
    {
        CellSum left = new(), right = new();
        foreach (var type in a.NationTypes)
        {
            a.SumNation(type, new(0), new(30_000), left);
            b.SumNation(type, new(0), new(30_000), right);
        }

        return a.Count == b.Count && a.Whole(Grains) == b.Whole(Grains) && a.NewestChange == b.NewestChange && a.FirstDay == b.FirstDay
            && Enumerable.Range(16_400, 71).All(day => a.NewestChangeOf(new(day), new(day + 1)) == b.NewestChangeOf(new(day), new(day + 1)))
            && Counter.All.All(c => left[c] == right[c])
            && a.ChangedSince(Lsn.Zero, a.NewestChange).Select(r => (r.Key, r.Revision)).SequenceEqual(b.ChangedSince(Lsn.Zero, b.NewestChange).Select(r => (r.Key, r.Revision)));
    }
}
