using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Seams;

public sealed class Virtual_time_passes_as_its_actions_run
{
    private static readonly DateTimeOffset Start = new(2026, 11, 24, 0, 0, 0, TimeSpan.Zero);

    [Test]
    public void Actions_of_one_time_run_in_the_order_they_were_asked_for()
    {
        var time = new VirtualTime(Start);
        var ran = new List<int>();
        time.After(TimeSpan.FromSeconds(2), () => ran.Add(3));
        time.After(TimeSpan.FromSeconds(1), () => ran.Add(1));
        time.After(TimeSpan.FromSeconds(1), () => ran.Add(2));
        time.Run(TimeSpan.FromDays(30));
        Assert.That(ran, Is.EqualTo(new[] { 1, 2, 3 }));
        Assert.That(time.UtcTicks, Is.EqualTo(Start.AddDays(30).UtcTicks));
    }

    [Test]
    public async Task An_action_that_any_thread_sets_runs_once()
    {
        const int each = 20_000;
        var time = new VirtualTime(Start);
        var ran = 0;
        var setters = Enumerable.Range(0, 3).Select(_ => SetAsync()).ToArray();
        while (!setters.All(setter => setter.IsCompleted))
        {
            time.Run(TimeSpan.FromMilliseconds(1));
        }

        await Task.WhenAll(setters);
        time.Run(TimeSpan.FromSeconds(1));
        Assert.That(ran, Is.EqualTo(3 * each));

        async Task SetAsync()
        {
            // Away from the thread that runs the actions.
            await Task.Delay(1).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            for (var i = 0; i < each; i++)
            {
                time.After(TimeSpan.FromMilliseconds(i % 10), () => ran++);
            }
        }
    }

    [Test]
    public void A_wall_clock_may_be_wrong_and_the_monotonic_clock_may_not()
    {
        var time = new VirtualTime(Start);
        var clock = new VirtualClock(time) { Offset = TimeSpan.FromDays(-3) };
        var before = clock.GetTimestamp();
        time.Run(TimeSpan.FromMinutes(1));
        clock.Offset = TimeSpan.FromDays(3);
        Assert.Multiple(() =>
        {
            Assert.That(clock.GetUtcNow(), Is.EqualTo(Start.AddMinutes(1).AddDays(3)));
            Assert.That(clock.GetElapsedTime(before), Is.EqualTo(TimeSpan.FromMinutes(1)));
        });
    }

    [Test]
    public void A_timer_runs_until_it_is_disposed_of()
    {
        var time = new VirtualTime(Start);
        var clock = new VirtualClock(time);
        var ticks = 0;
        var timer = clock.CreateTimer(_ => ticks++, null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        time.Run(TimeSpan.FromSeconds(3.5));
        timer.Dispose();
        time.Run(TimeSpan.FromSeconds(10));
        Assert.That(ticks, Is.EqualTo(3));
    }

    [Test]
    public void One_seed_gives_one_stream()
    {
        var first = new SeededEntropy(42);
        var second = new SeededEntropy(42);
        var bytes = new byte[37];
        var again = new byte[37];
        first.Fill(bytes);
        second.Fill(again);
        Assert.That(bytes, Is.EqualTo(again));
        Assert.That(new SeededEntropy(1_234_567).Next(), Is.EqualTo(6_457_827_717_110_365_317UL), "SplitMix64 as published");
    }
}
