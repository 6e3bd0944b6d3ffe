using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

public sealed class The_sum_of_the_nation
{
    [Test]
    public void Is_what_adding_up_every_cell_gives_whatever_came_and_went() =>
        Gen.Select(CellWorld.HonestRow.List[0, 80], Gen.Int[16_390, 16_480], Gen.Int[0, 90]).Sample((rows, from, days) =>
        {
            var fold = CellWorld.Merged(rows);
            fold.Complete(NodeId.Parse("x"), [Grain.National], new HashSet<CellKey>(), new(9, 1), new(1_000));
            StatDay first = new(from), end = new(from + days);
            return fold.NationTypes.ToHashSet().SetEquals(rows.Where(r => r.Key.Grain == Grain.National).Select(r => r.Key.Type)) && fold.NationTypes.All(type =>
            {
                CellSum kept = new(), counted = new();
                fold.SumNation(type, first, end, kept);
                fold.Visit(new CellFilter(Grain.National, first, end) { Types = t => t == type }, (in CellKey _, Lsn _, ReadOnlySpan<byte> value) => counted.Add(value));
                return Same(kept, counted);
            });
        }, iter: 500);

    /// <summary>Sums of several days stand together where every day that has a cell has two: so days with none, one and more of them are mixed here.</summary>
    [Test]
    public void Without_histograms_is_what_adding_up_the_counters_gives() =>
        Gen.Select(Gen.Select(Gen.Int[0, 47], Gen.Int[0, 2], Gen.Int[1, 9]).List[0, 150], Gen.Int[-3, 50], Gen.Int[0, 50], Gen.Bool).Sample((changes, from, days, twice) =>
        {
            var (fold, at) = (new CellFold(), 0L);
            foreach (var (day, origin, count) in twice ? changes.Concat(changes) : changes)
            {
                var draft = new CellDraft();
                draft.Add(Counter.Reported.Id, count);
                draft.Add(Counter.Closed.Id, count + ++at);
                fold.Merge(CellWorld.Key($"o{origin}", day: 16_384 + day), new(1, at), draft.ToBytes(), new(at));
            }

            StatDay first = new(16_384 + from), end = new(16_384 + from + days);
            CellSum kept = new(withHistograms: false), counted = new(withHistograms: false);
            fold.SumNation(CellWorld.Key().Type, first, end, kept);
            fold.Visit(new CellFilter(Grain.National, first, end), (in CellKey _, Lsn _, ReadOnlySpan<byte> value) => counted.Add(value));
            return Counter.All.All(c => kept[c] == counted[c]);
        }, iter: 2_000);

    [TestCase(Fewest)]
    [TestCase(Most)]
    public void A_sum_past_64_bits_is_refused_and_never_wrong(long first)
    {
        foreach (var counter in Counter.All)
        {
            var fold = new CellFold();
            foreach (var (origin, count) in new[] { ("a", first), ("b", first) })
            {
                var draft = new CellDraft();
                draft.Add(counter.Id, count);
                fold.Merge(CellWorld.Key(origin), new(1, 1), draft.ToBytes(), new(1));
                fold.Merge(CellWorld.Key(origin, day: 20_001), new(1, 1), draft.ToBytes(), new(1));
            }

            var sum = new CellSum();
            Assert.That(() => fold.SumNation(CellWorld.Key().Type, new(20_000), new(20_002), sum), Throws.TypeOf<OverflowException>(), counter.Name);
        }
    }

    private static readonly byte[] One = OneReport();

    /// <summary>Two of them fit, four do not.</summary>
    private const long Most = long.MaxValue / 2, Fewest = long.MinValue / 2;

    [Test]
    public void Days_of_many_years_are_each_there_once()
    {
        var fold = new CellFold();
        var lsn = 0L;
        foreach (var day in new[] { -40, -32, -1, 0, 31, 32, 63, 64, 20_000, 20_031 })
        {
            foreach (var origin in new[] { "a", "b" })
            {
                fold.Merge(CellWorld.Key(origin, day: day), new(1, 1), One, new(++lsn));
            }
        }

        Assert.That(
            new[] { (-40, -32), (-33, -31), (-1, 1), (31, 33), (0, 64), (0, 65), (-50, 30_000), (int.MinValue, int.MaxValue), (65, 65), (70, 60) }.Select(range =>
            {
                var sum = new CellSum();
                fold.SumNation(CellWorld.Key().Type, new(range.Item1), new(range.Item2), sum);
                return sum[Counter.Reported] / 2;
            }),
            Is.EqualTo((int[])[1, 1, 2, 2, 4, 5, 10, 10, 0, 0]));
    }

    [Test]
    public void Without_histograms_counts_the_same()
    {
        var fold = CellWorld.Merged([CellWorld.Row(CellWorld.Key("a"), 1, 3), CellWorld.Row(CellWorld.Key("b"), 1, 2), CellWorld.Row(CellWorld.Key("b", day: 20_001), 1, 2)]);
        CellSum with = new(), without = new(withHistograms: false);
        fold.SumNation(CellWorld.Key().Type, new(19_000), new(21_000), with);
        fold.SumNation(CellWorld.Key().Type, new(19_000), new(21_000), without);
        Assert.That(without[Counter.Reported], Is.EqualTo(with[Counter.Reported]).And.GreaterThan(0));
        Assert.That(with.Total(Histogram.ReportToClose), Is.GreaterThan(0));
        Assert.That(without.Total(Histogram.ReportToClose), Is.Zero);
    }

    [Test]
    public void Percentiles_are_those_of_the_sorted_list_within_one_percent() =>
        Gen.Select(Gen.Long[60, 400L * 86_400].List[1, 60], Gen.Int[1, 100]).Sample((durations, percent) =>
        {
            var (draft, sum) = (new CellDraft(), new CellSum());
            foreach (var seconds in durations)
            {
                draft.AddDuration(Histogram.FileToHandle.Id, seconds, 1);
            }

            sum.Add(draft.ToBytes());
            var exact = durations.Order().ElementAt(((durations.Count * percent) + 99) / 100 - 1);
            return 100 * Math.Abs(sum.Percentile(Histogram.FileToHandle, percent)!.Value - exact) <= exact
                && sum.Total(Histogram.FileToHandle) == durations.Count
                && sum.Within(Histogram.FileToHandle, 72 * 3_600) == durations.Count(d => d <= 72 * 3_600);
        }, iter: 1_000);

    [Test]
    public void A_boundary_counts_as_within_and_a_time_that_is_none_has_no_answer()
    {
        var (draft, sum) = (new CellDraft(), new CellSum());
        draft.AddDuration(Histogram.ReportToClose.Id, 72 * 3_600, 1);
        draft.AddDuration(Histogram.ReportToClose.Id, (72 * 3_600) + 1, 1);
        sum.Add(draft.ToBytes());
        Assert.That(sum.Within(Histogram.ReportToClose, 72 * 3_600), Is.EqualTo(1));
        Assert.That(sum.Within(Histogram.ReportToClose, 72 * 3_600 + 7), Is.Null);
        Assert.That(new CellSum().Percentile(Histogram.ReportToClose, 50), Is.Null);
        Assert.That(new CellSum().Mean(Histogram.ReportToClose), Is.Null);
    }

    [Test]
    public void Adding_two_sums_is_adding_their_cells() =>
        Gen.Select(CellWorld.HonestRow.List[0, 20], CellWorld.HonestRow.List[0, 20]).Sample((a, b) =>
        {
            CellSum left = new(), right = new(), both = new();
            a.ForEach(r => left.Add(r.Value.Span));
            b.ForEach(r => right.Add(r.Value.Span));
            a.Concat(b).ToList().ForEach(r => both.Add(r.Value.Span));
            left.Add(right);
            var same = Same(left, both);
            left.Clear();
            return same && left.IsZero;
        });

    [Test]
    public void A_filter_shows_what_passes_it() =>
        Gen.Select(CellWorld.HonestRow.List[0, 60], Gen.Int[16_400, 16_470]).Sample((rows, from) =>
        {
            var fold = CellWorld.Merged(rows);
            var seen = new List<CellKey>();
            var filter = new CellFilter(Grain.Detail, new(from), new(from + 20))
            {
                Origins = o => o.ToString() != "x",
                Divisions = d => d.ToString() == "320508",
                Sources = s => s.ToString() == "web",
                Types = t => t.Code.ToString() != "99000",
            };
            fold.Visit(filter, (in CellKey key, Lsn _, ReadOnlySpan<byte> _) => seen.Add(key));
            return seen.Order().SequenceEqual(rows.Select(r => r.Key).Distinct().Where(k =>
                k.Grain == Grain.Detail && k.Day.Number >= from && k.Day.Number < from + 20 && k.Origin.ToString() != "x" && k.Division.ToString() == "320508"
                && k.Source.ToString() == "web" && k.Type.Code.ToString() != "99000").Order());
        }, iter: 300);

    private static bool Same(CellSum a, CellSum b) =>
        Counter.All.All(c => a[c] == b[c])
        && Histogram.All.All(h => Enumerable.Range(0, DurationEdges.Buckets).All(bucket => a.CountOf(h, bucket) == b.CountOf(h, bucket)));

    private static byte[] OneReport()
    {
        var draft = new CellDraft();
        draft.Add(Counter.Reported.Id, 1);
        return draft.ToBytes();
    }
}
