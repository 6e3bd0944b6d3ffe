using CityGrid.Node.Uplink;
using CsCheck;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>L14, T8, T9: the bytes under way are what the line carries in half a second, found from how long answers take.</summary>
public sealed class The_window_follows_the_line
{
    private static readonly Instant Start = Instant.FromUtc(2026, 11, 29, 0, 0);

    [TestCase(4_000)]
    [TestCase(8_000)]
    [TestCase(32_000)]
    [TestCase(64_000)]
    [TestCase(500_000)]
    public void A_line_that_is_always_full_is_given_a_second_of_work_at_most_and_is_never_idle(int bytesPerSecond)
    {
        var (pace, queue, now, carried, free) = (Pace.Start, new Queue<(Instant SentAt, long Bytes, Instant Arrives)>(), Start, 0L, Start);
        for (var i = 0; i < 3000; i++)
        {
            while (pace.Allows(queue.Sum(q => q.Bytes), pace.PartBytes, Pace.Most) && queue.Count < 8)
            {
                free = Instant.Max(free, now) + Duration.FromSeconds(pace.PartBytes / (double)bytesPerSecond);
                queue.Enqueue((now, pace.PartBytes, free));
            }

            var (sentAt, bytes, arrives) = queue.Dequeue();
            now = arrives;
            carried += bytes;
            pace = pace.After(sentAt, now, bytes, wasFull: true);
            if (i > 100)
            {
                Assert.That(queue.Sum(q => q.Bytes), Is.LessThanOrEqualTo(Math.Max(bytesPerSecond, Pace.Least)), $"window {pace.Window}");
            }
        }

        Assert.That(carried / (now - Start).TotalSeconds, Is.GreaterThan(bytesPerSecond * 0.99));
    }

    [Test]
    public void A_fast_line_with_delay_is_filled()
    {
        var (pace, now) = (Pace.Start, Start);
        for (var i = 0; i < 200; i++)
        {
            pace = pace.After(now, now += Duration.FromMilliseconds(60), pace.PartBytes, wasFull: true);
        }

        Assert.That(pace.Window, Is.EqualTo(Pace.Most));
        Assert.That(pace.PartBytes, Is.EqualTo(Pace.Most / 8));
    }

    [Test]
    public void One_slow_answer_halves_at_most_and_what_was_sent_before_that_says_nothing_more()
    {
        var pace = new Pace(800_000, Instant.MinValue);
        var shrunk = pace.After(Start, Start + Duration.FromSeconds(20), 100_000, true);
        Assert.That(shrunk.Window, Is.EqualTo(400_000));
        Assert.That(shrunk.After(Start + Duration.FromSeconds(1), Start + Duration.FromSeconds(21), 100_000, true), Is.EqualTo(shrunk));
        Assert.That(shrunk.After(Start + Duration.FromSeconds(20), Start + Duration.FromSeconds(40), 100_000, true).Window, Is.EqualTo(200_000));
    }

    [Test]
    public void Whatever_the_clock_does_the_window_stays_within_its_bounds() => Gen.Select(Gen.Long[-300_000_000, 300_000_000], Gen.Int[1, 2_000_000], Gen.Bool).Array[1, 60].Sample(answers =>
    {
        var pace = Pace.Start;
        foreach (var (milliseconds, bytes, full) in answers)
        {
            pace = pace.After(Start, Start + Duration.FromMilliseconds(milliseconds), bytes, full);
            Assert.That(pace.Window, Is.InRange(Pace.Least, Pace.Most));
            Assert.That(pace.Allows(0, long.MaxValue, 1), Is.True, "One part may always be under way.");
        }
    });
}
