using System.Globalization;
using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Seams;

/// <summary>Long work of a processor has a thread of its own that runs where a core is idle; what escapes it is told as of any other work.</summary>
public sealed class What_nobody_waits_for_yields
{
    [Test, Platform("Linux")]
    public async Task By_the_policy_of_its_thread_and_of_no_other()
    {
        const int idle = 5;
        var policy = new TaskCompletionSource<int>();
        new PoolSpawner(CancellationToken.None, (_, failure) => policy.SetException(failure)).SpawnBehind("packing", _ => policy.SetResult(Policy()));
        Assert.That(await policy.Task.WaitAsync(TimeSpan.FromMinutes(1)), Is.EqualTo(idle));
        Assert.That(Policy(), Is.Not.EqualTo(idle));
    }

    [Test]
    public async Task And_its_failure_is_told()
    {
        var told = new TaskCompletionSource<string>();
        new PoolSpawner(CancellationToken.None, (name, failure) => told.SetResult($"{name}: {failure.Message}")).SpawnBehind("packing", _ => throw new InvalidOperationException("words"));
        Assert.That(await told.Task.WaitAsync(TimeSpan.FromMinutes(1)), Is.EqualTo("packing: words"));
    }

    [Test]
    public void A_simulated_one_does_it_in_its_turn()
    {
        var (time, done) = (new VirtualTime(DateTimeOffset.UnixEpoch), 0);
        ((ISpawner)new VirtualSpawner(time)).SpawnBehind("packing", _ => done++);
        Assert.That(done, Is.Zero);
        time.Run(TimeSpan.FromSeconds(1));
        Assert.That(done, Is.EqualTo(1));
    }

    /// <summary>By which the calling thread is scheduled: the 41st field, counted behind the name in brackets.</summary>
    private static int Policy() => int.Parse(File.ReadAllText("/proc/thread-self/stat").Split(") ")[^1].Split(' ')[38], CultureInfo.InvariantCulture);
}
