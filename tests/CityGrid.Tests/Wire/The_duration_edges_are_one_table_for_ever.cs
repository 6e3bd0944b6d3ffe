using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CityGrid.Protocol.Names;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Wire;

/// <summary>Clause C5.</summary>
public sealed class The_duration_edges_are_one_table_for_ever
{
    private const long Hour = 3600, Day = 24 * Hour, Longest = 400 * Day;

    [Test]
    public void The_table_is_the_one_whose_hash_the_contract_states()
    {
        var text = new StringBuilder();
        for (var bucket = 0; bucket < DurationEdges.Overflow; bucket++)
        {
            text.Append(CultureInfo.InvariantCulture, $"{DurationEdges.Edge(bucket)}\n");
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text.ToString())));
        Assert.That(hash, Is.EqualTo("6a72e93f980b6bef96fa97fd6ed43b0292a03d1eece3d3d834e1df84b0842498"));
        Assert.That(Contract.Text, Does.Contain(hash));
    }

    [Test]
    public void Edges_rise_and_begin_at_nothing()
    {
        Assert.That(DurationEdges.Edge(0), Is.Zero);
        Assert.That(Enumerable.Range(0, DurationEdges.Buckets).Select(DurationEdges.Edge), Is.Ordered.Ascending);
        Assert.That(Enumerable.Range(0, DurationEdges.Buckets).Select(DurationEdges.Edge), Is.Unique);
        Assert.That(DurationEdges.Edge(DurationEdges.Overflow - 1), Is.EqualTo(Longest));
    }

    [TestCase(60)]
    [TestCase(15 * 60)]
    [TestCase(30 * 60)]
    [TestCase(Hour)]
    [TestCase(2 * Hour)]
    [TestCase(4 * Hour)]
    [TestCase(8 * Hour)]
    [TestCase(24 * Hour)]
    [TestCase(48 * Hour)]
    [TestCase(72 * Hour)]
    [TestCase(5 * Day)]
    [TestCase(7 * Day)]
    [TestCase(10 * Day)]
    [TestCase(15 * Day)]
    [TestCase(30 * Day)]
    [TestCase(60 * Day)]
    [TestCase(90 * Day)]
    [TestCase(180 * Day)]
    [TestCase(365 * Day)]
    [TestCase(400 * Day)]
    public void A_time_that_law_or_custom_asks_for_is_an_edge_and_counts_as_within(long seconds)
    {
        Assert.That(DurationEdges.IsEdge(seconds, out var bucket), Is.True);
        Assert.That(DurationEdges.BucketOf(seconds), Is.EqualTo(bucket));
        Assert.That(DurationEdges.BucketOf(seconds + 1), Is.EqualTo(bucket + 1));
    }

    [Test]
    public void From_a_minute_to_400_days_a_representative_is_within_one_percent_of_its_whole_bucket()
    {
        for (var bucket = DurationEdges.BucketOf(60); bucket < DurationEdges.Overflow; bucket++)
        {
            long least = DurationEdges.Edge(bucket - 1) + 1, greatest = DurationEdges.Edge(bucket), middle = DurationEdges.Representative(bucket);
            Assert.That(middle, Is.InRange(least, greatest), $"bucket {bucket}");
            Assert.That(100 * (middle - least), Is.LessThanOrEqualTo(least), $"bucket {bucket}");
            Assert.That(100 * (greatest - middle), Is.LessThanOrEqualTo(greatest), $"bucket {bucket}");
        }
    }

    [Test]
    public void A_bucket_holds_what_lies_above_the_edge_before_it_and_up_to_its_own() =>
        Gen.Long[-10, Longest + 10].Sample(seconds =>
        {
            var bucket = DurationEdges.BucketOf(seconds);
            return seconds <= DurationEdges.Edge(bucket) && (bucket == 0 || seconds > DurationEdges.Edge(bucket - 1));
        });

    [TestCase(long.MinValue, 0)]
    [TestCase(-1, 0)]
    [TestCase(0, 0)]
    [TestCase(1, 1)]
    public void What_took_no_time_is_in_the_first_bucket(long seconds, int bucket) => Assert.That(DurationEdges.BucketOf(seconds), Is.EqualTo(bucket));

    [Test]
    public void What_took_longer_than_all_edges_is_in_the_last_bucket_and_stands_for_400_days()
    {
        Assert.That(DurationEdges.BucketOf(Longest + 1), Is.EqualTo(DurationEdges.Overflow));
        Assert.That(DurationEdges.BucketOf(long.MaxValue), Is.EqualTo(DurationEdges.Overflow));
        Assert.That(DurationEdges.Representative(DurationEdges.Overflow), Is.EqualTo(Longest));
        Assert.That(DurationEdges.IsEdge(long.MaxValue, out _), Is.False);
    }
}
