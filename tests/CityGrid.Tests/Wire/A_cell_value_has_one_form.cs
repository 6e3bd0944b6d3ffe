using System.Globalization;
using CityGrid.Protocol.Wire;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Wire;

/// <summary>Clause C4.</summary>
public sealed class A_cell_value_has_one_form
{
    private static readonly Gen<byte[]> AnyValue = CellGen.Value.Select(CellCodec.Encode);

    [Test]
    public void The_vectors_of_the_contract_hold()
    {
        foreach (var row in Contract.TableAfter("#### Vectors of C4: canonical values"))
        {
            var bytes = Convert.FromHexString(row[1].Replace(" ", string.Empty, StringComparison.Ordinal));
            Assert.That(CellCodec.Encode(Parse(row[0])), Is.EqualTo(bytes), row[0]);
            Assert.That(CellCodec.Decode(bytes, out _), Is.EqualTo(Parse(row[0])), row[0]);
        }
    }

    [Test]
    public void The_bytes_that_the_contract_refuses_are_refused()
    {
        foreach (var row in Contract.TableAfter("#### Vectors of C4: refused"))
        {
            var bytes = Convert.FromHexString(row[1].Replace(" ", string.Empty, StringComparison.Ordinal));
            Assert.That(CellCodec.Decode(bytes, out var refusal), Is.Null, row[0]);
            Assert.That(refusal!.Code, Is.EqualTo("CELL_MALFORMED"), row[0]);
        }
    }

    [Test]
    public void A_value_survives_the_way_there_and_back() =>
        CellGen.Value.Sample(value =>
            CellCodec.Decode(CellCodec.Encode(value), out var refusal) is { } back && refusal is null
            && back.Counters.SequenceEqual(value.Counters)
            && back.Histograms.Select(h => h.Histogram).SequenceEqual(value.Histograms.Select(h => h.Histogram))
            && back.Histograms.SelectMany(h => h.Buckets).SequenceEqual(value.Histograms.SelectMany(h => h.Buckets)));

    [Test]
    public void Bytes_that_are_read_are_the_bytes_that_would_be_written() =>
        Gen.Select(AnyValue, Gen.Int[0, 200], Gen.Byte).Sample((bytes, at, change) =>
        {
            var mutant = bytes.ToArray();
            mutant[at % mutant.Length] ^= change;
            var read = CellCodec.Decode(mutant, out _);
            return read is null || CellCodec.Encode(read).AsSpan().SequenceEqual(mutant);
        }, iter: 5_000);

    [Test]
    public void No_bytes_whatever_make_an_exception() =>
        Gen.OneOf(Gen.Byte.Array[0, 60], Gen.Byte[0, 4].Array[0, 60]).Sample(bytes =>
        {
            var value = CellCodec.Decode(bytes, out var refusal);
            return value is null != refusal is null && (value is not null) == CellCodec.IsCanonical(bytes);
        }, iter: 5_000);

    [Test]
    public void Each_cut_of_a_value_is_refused() =>
        AnyValue.Sample(bytes => Enumerable.Range(0, bytes.Length).All(length => !CellCodec.IsCanonical(bytes.AsSpan(0, length))));

    [Test]
    public void Adding_and_taking_away_leaves_nothing() =>
        Gen.Select(CellGen.Value, CellGen.Value).Sample((a, b) =>
        {
            var draft = new CellDraft();
            draft.Add(CellCodec.Encode(a));
            draft.Add(CellCodec.Encode(b));
            foreach (var (counter, value) in a.Counters)
            {
                draft.Add(counter, unchecked(-value));
            }

            foreach (var histogram in a.Histograms)
            {
                foreach (var (bucket, count) in histogram.Buckets)
                {
                    draft.AddBucket(histogram.Histogram, bucket, unchecked(-count));
                }
            }

            return draft.ToBytes().AsSpan().SequenceEqual(CellCodec.Encode(b));
        });

    [Test]
    public void A_counter_that_this_version_does_not_know_is_kept()
    {
        var value = new CellValue([new(60_000, 7)], [new(60_000, [new(60_000, 7)])]);
        Assert.That(CellCodec.Decode(CellCodec.Encode(value), out _), Is.EqualTo(value));
    }

    [Test]
    public void A_value_longer_than_the_limit_is_refused()
    {
        var draft = new CellDraft();
        for (ushort counter = 1; counter <= 20_000; counter++)
        {
            draft.Add(counter, 1);
        }

        Assert.That(CellCodec.Check(draft.ToBytes())?.Code, Is.EqualTo("CELL_MALFORMED"));
    }

    [Test]
    public void A_varint_has_the_length_it_says() =>
        Gen.ULong.Sample(value =>
        {
            Span<byte> bytes = stackalloc byte[Varint.BytesMax];
            var at = 0;
            var length = Varint.Write(bytes, value);
            return length == Varint.Length(value) && Varint.TryRead(bytes[..length], ref at, out var back) && back == value && at == length;
        });

    [Test]
    public void A_zigzag_number_comes_back() => Gen.Long.Sample(value => Varint.UnZigZag(Varint.ZigZag(value)) == value);

    /// <summary>Reads the notation of the contract: counters <c>id=value</c>, histograms <c>h-id{bucket=count …}</c>.</summary>
    private static CellValue Parse(string text)
    {
        var counters = new List<CounterCount>();
        var histograms = new List<HistogramCounts>();
        var parsed = text == "nothing" ? string.Empty : text;
        var (plain, braces) = (parsed.Split('h')[0], parsed.Split('h').Skip(1));
        foreach (var (id, value) in Pairs(plain))
        {
            counters.Add(new(id, value));
        }

        foreach (var histogram in braces)
        {
            var parts = histogram.Split('{', '}');
            histograms.Add(new(ushort.Parse(parts[0], CultureInfo.InvariantCulture), Pairs(parts[1]).Select(p => new BucketCount(p.Id, p.Value)).ToList()));
        }

        return new CellValue(counters, histograms);
    }

    private static IEnumerable<(ushort Id, long Value)> Pairs(string text) =>
        text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(word => word.Contains('=', StringComparison.Ordinal)).Select(word => word.Split('='))
            .Select(pair => (ushort.Parse(pair[0], CultureInfo.InvariantCulture), long.Parse(pair[1], CultureInfo.InvariantCulture)));
}
