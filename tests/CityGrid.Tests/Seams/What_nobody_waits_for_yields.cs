using System.Globalization;
using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Seams;

/// <summary>Long work of a processor has a thread of its own that weighs less than all others; what escapes it is told as of any other work.</summary>
public sealed class What_nobody_waits_for_yields
{
    [Test, Platform("Linux")]
    public async Task By_the_weight_of_its_thread_and_of_no_other()
    {
        var weight = new TaskCompletionSource<int>();
        new PoolSpawner(CancellationToken.None, (_, failure) => weight.SetException(failure)).SpawnBehind("packing", _ => weight.SetResult(Nice()));
        Assert.That(await weight.Task.WaitAsync(TimeSpan.FromMinutes(1)), Is.EqualTo(Nice() + 10));
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

    /// <summary>Of the calling thread: the 19th field, counted behind the name in brackets.</summary>
    private static int Nice() => int.Parse(File.ReadAllText("/proc/thread-self/stat").Split(") ")[^1].Split(' ')[16], CultureInfo.InvariantCulture);
}
