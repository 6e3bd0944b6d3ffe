using System.Globalization;
using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

/// <summary>Clause C8.</summary>
public sealed class The_digest_of_cells
{
    private static readonly Grain[] Grains = [Grain.Detail, Grain.National];

    [Test]
    public void The_vectors_of_the_contract_hold()
    {
        var fold = CellWorld.Merged(Contract.TableAfter("#### Vectors of C8: cells").Select(RowOf));
        foreach (var row in Contract.TableAfter("#### Vectors of C8: digests"))
        {
            Grain[] grains = [.. row[1].Split(' ').Select(text => new Grain(byte.Parse(text, CultureInfo.InvariantCulture)))];
            var digest = row[0] == "all" ? fold.Whole(grains) : fold.DigestOf(NodeId.Parse(row[0]), grains);
            Assert.That(digest.ToString(), Is.EqualTo(row[2]), $"{row[0]} {row[1]}");
        }
    }

    [Test]
    public void Asked_for_at_any_time_is_that_of_a_fold_which_never_was_asked_before() =>
        Gen.Select(CellWorld.HonestRow, Gen.Bool).List[0, 60].Sample(steps =>
        {
            var (fold, local) = (new CellFold(), 0L);
            foreach (var (row, asks) in steps)
            {
                fold.Merge(row.Key, row.Revision, row.Value.Span, new(++local));
                if (asks)
                {
                    fold.Whole(Grains);
                }
            }

            var fresh = CellWorld.Merged(fold.ChangedSince(Lsn.Zero, fold.NewestChange));
            return fold.Whole(Grains) == fresh.Whole(Grains) && fold.Origins.All(o => fold.DigestOf(o, Grain.Detail) == fresh.DigestOf(o, Grain.Detail));
        }, iter: 500);

    [Test]
    public void Of_some_matters_is_that_of_a_fold_without_the_others_whenever_it_is_asked_for() =>
        Gen.Select(CellWorld.HonestRow, Gen.Int[0, 5]).List[0, 60].Sample(steps =>
        {
            Matters[] choices = [Matters.Of(["01"])!, Matters.Of(["01002", "99"])!, Matters.Of(["77"])!, Matters.All];
            var (fold, local) = (new CellFold(), 0L);
            foreach (var (row, what) in steps)
            {
                fold.Merge(row.Key, row.Revision, row.Value.Span, new(++local));
                if (what < choices.Length)
                {
                    fold.GrainDigestOf(row.Key.Origin, row.Key.Grain, choices[what]);
                }
                else if (what == 4)
                {
                    fold.Restamp(row.Key.Origin, new Revision(3, local), new(local), code => code.ToString() == "01002");
                }
            }

            return choices.All(matters =>
            {
                var fresh = CellWorld.Merged(fold.ChangedSince(Lsn.Zero, fold.NewestChange).Where(row => matters.Includes(row.Key.Type.Code)));
                return fold.Origins.All(origin => Grains.All(grain =>
                    fold.DigestOf(origin, grain, matters) == fresh.DigestOf(origin, grain)
                    && fold.GrainDigestOf(origin, grain, matters) == fresh.GrainDigestOf(origin, grain)
                    && fold.MonthDigestsOf(origin, grain, matters).SequenceEqual(fresh.MonthDigestsOf(origin, grain))));
            });
        }, iter: 500);

    [Test]
    public void Differs_when_anything_of_any_cell_differs() =>
        Gen.Select(CellWorld.HonestRow.List[1, 20], Gen.Int[0, 1_000], Gen.Int[0, 2]).Sample((rows, at, what) =>
        {
            List<CellRow> held = [.. rows.DistinctBy(r => r.Key).Where(r => !CellCodec.IsZero(r.Value.Span))];
            if (held.Count == 0)
            {
                return true;
            }

            var one = held[at % held.Count];
            var other = what switch
            {
                0 => one with { Revision = new(one.Revision.Epoch, one.Revision.Lsn + 1) },
                1 => one with { Value = CellWorld.Value((Counter.Voided, 77)) },
                _ => one with { Key = one.Key with { Day = one.Key.Day.Plus(1_000) } },
            };
            var changed = held.Select(r => r.Key == one.Key ? other : r);
            return CellWorld.Merged(held).Whole(Grains) != CellWorld.Merged(changed).Whole(Grains)
                && CellWorld.Merged(held).DigestOf(one.Key.Origin, Grains) != CellWorld.Merged(changed).DigestOf(one.Key.Origin, Grains);
        }, iter: 500);

    private static CellRow RowOf(string[] cells)
    {
        int Number(int i) => int.Parse(cells[i], CultureInfo.InvariantCulture);
        var type = new TypeKey(CatalogueVersion.Parse(cells[3]), (TypeKind)Number(4), Protocol.Names.TypeCode.Parse(cells[5]));
        var key = new CellKey(NodeId.Parse(cells[0]), new Grain((byte)Number(1)), type, DivisionCode.Parse(cells[6]), new(Number(2)), SourceCode.Parse(cells[7]));
        return new(key, new(Number(8), Number(9)), Convert.FromHexString(cells[10].Replace(" ", string.Empty, StringComparison.Ordinal)));
    }
}
