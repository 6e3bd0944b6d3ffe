using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

/// <summary>Clause C6.</summary>
public sealed class A_received_cell_is_judged
{
    private static readonly StatDay Tomorrow = new(20_001);

    [Test]
    public void A_sound_one_passes()
    {
        var draft = new CellDraft();
        draft.Add(Counter.Reported.Id, 3);
        draft.Add(Counter.CohortClosed.Id, 2);
        draft.AddDuration(Histogram.ReportToClose.Id, 259_200, 1);
        draft.AddDuration(Histogram.ReportToClose.Id, long.MaxValue, 1);
        Assert.That(CellChecks.Judge(CellWorld.Key(day: Tomorrow.Number), draft.ToBytes(), Tomorrow), Is.Null);
        Assert.That(CellChecks.Judge(CellWorld.Key(), CellCodec.Zero, Tomorrow), Is.Null);
    }

    [Test]
    public void Counters_and_histograms_of_a_newer_version_pass() =>
        Assert.That(CellChecks.Judge(CellWorld.Key(), CellCodec.Encode(new CellValue([new(40_000, 5)], [new(9, [new(60_000, 2)])])), Tomorrow), Is.Null);

    [TestCase("CELL_NEGATIVE", 1, -1)]
    [TestCase("CELL_NEGATIVE", 1, long.MinValue)]
    [TestCase("CELL_NEGATIVE", 40_000, -1)]
    [TestCase(null, 1, 1_000_000_000_000_000)]
    [TestCase("CELL_TOO_LARGE", 1, 1_000_000_000_000_001)]
    [TestCase("CELL_TOO_LARGE", 40_000, long.MaxValue)]
    [TestCase("CELL_BUCKETS", 100, 1)]
    public void A_counter_out_of_bounds_is_named(string? code, int counter, long value)
    {
        var refusal = CellChecks.Judge(CellWorld.Key(), CellCodec.Encode(new CellValue([new((ushort)counter, value)], [])), Tomorrow);
        Assert.That(refusal?.Code, Is.EqualTo(code));
        Assert.That(refusal?.Where, code is null ? Is.Null : Does.Contain("suzhou"));
    }

    [TestCase("CELL_BUCKETS", 1, 5, 2, 1)]
    [TestCase("CELL_BUCKETS", 3, 5, 1, 0)]
    [TestCase("CELL_BUCKETS", 1, 724, 1, 1)]
    [TestCase("CELL_NEGATIVE", 1, 5, -1, -1)]
    [TestCase("CELL_TOO_LARGE", 7, 5, long.MaxValue, 0)]
    public void A_bucket_that_is_wrong_is_named(string code, int histogram, int bucket, long count, long total)
    {
        var counters = total > 0 ? new List<CounterCount> { new(Counter.CohortClosed.Id, total) } : [];
        var value = CellCodec.Encode(new CellValue(counters, [new((ushort)histogram, [new((ushort)bucket, count)])]));
        Assert.That(CellChecks.Judge(CellWorld.Key(), value, Tomorrow)?.Code, Is.EqualTo(code));
    }

    [Test]
    public void A_day_after_tomorrow_is_named() =>
        Assert.That(CellChecks.Judge(CellWorld.Key(day: Tomorrow.Number + 1), CellCodec.Zero, Tomorrow)?.Code, Is.EqualTo("CELL_DAY_AHEAD"));

    [Test]
    public void Bytes_in_another_form_are_named() =>
        Assert.That(CellChecks.Judge(CellWorld.Key(), [0x81, 0, 0], Tomorrow)?.Code, Is.EqualTo("CELL_MALFORMED"));

    [Test]
    public void No_bytes_whatever_make_an_exception_here_or_in_the_fold() =>
        Gen.OneOf(Gen.Byte.Array[0, 80], Gen.Byte[0, 5].Array[0, 40], CellGen.Value.Select(CellCodec.Encode)).Sample(bytes =>
        {
            var key = CellWorld.Key();
            var refusal = CellChecks.Judge(key, bytes, Tomorrow);
            var fold = new CellFold();
            fold.Merge(key, new(1, 1), CellWorld.Value((Counter.Reported, 1)), new(1));
            fold.Merge(CellWorld.Key(origin: "boston"), new(1, 1), CellWorld.Value((Counter.Reported, 1)), new(1));
            var outcome = fold.Merge(key, new(1, 2), bytes, new(2));
            fold.Merge(key, new(1, 3), CellCodec.Zero, new(3));
            fold.Whole(Grain.National);
            var sum = new CellSum();
            fold.SumNation(key.Type, key.Day, key.Day.Plus(1), sum);

            // Whatever went in and out again, the sum is the true one.
            return refusal?.Code == "CELL_MALFORMED" == (outcome == MergeOutcome.Malformed) && sum[Counter.Reported] == 1 && sum.Total(Histogram.ReportToClose) == 0;
        }, iter: 5_000);
}
