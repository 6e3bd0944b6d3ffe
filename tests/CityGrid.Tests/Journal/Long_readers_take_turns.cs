#pragma warning disable RS0030 // Readers that stand still are threads of their own.
using CityGrid.Hub.Journal;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

public sealed class Long_readers_take_turns
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    [Test]
    public async Task No_more_read_at_once_than_the_lane_is_wide()
    {
        using var lane = new ReaderLane(2);
        using var goOn = new ManualResetEventSlim();
        var (now, most, mark) = (0, 0, new Lock());
        var readers = Enumerable.Range(0, 6).Select(_ => Task.Run(() => lane.ReadAsync(() =>
        {
            lock (mark)
            {
                most = Math.Max(most, ++now);
            }

            goOn.Wait(Long);
            lock (mark)
            {
                return --now;
            }
        }))).ToArray();
        Assert.That(() => Volatile.Read(ref now), Is.EqualTo(2).After(60_000, 10));
        goOn.Set();
        await Task.WhenAll(readers).WaitAsync(Long);
        Assert.That(most, Is.EqualTo(2));
    }

    [Test]
    public async Task A_reader_that_fails_or_gives_up_leaves_its_turn_to_the_next()
    {
        using var lane = new ReaderLane(1);
        using var goOn = new ManualResetEventSlim();
        using var patience = new CancellationTokenSource();
        Assert.That(() => lane.ReadAsync<int>(() => throw new InvalidOperationException("Bad.")), Throws.InvalidOperationException);
        using var isIn = new ManualResetEventSlim();
        var first = Task.Run(() => lane.ReadAsync(() =>
        {
            isIn.Set();
            return goOn.Wait(Long);
        }));
        Assert.That(isIn.Wait(Long), Is.True);
        var impatient = lane.ReadAsync(() => 0, patience.Token);
        Assert.That(impatient.IsCompleted, Is.False, "it waits for its turn");
        patience.Cancel();
        Assert.That(() => impatient, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(lane.ReadAsync(() => 0, new CancellationToken(true)).IsCanceled, Is.True);
        goOn.Set();
        Assert.That(await first.WaitAsync(Long), Is.True);
        Assert.That(await lane.ReadAsync(() => 7).WaitAsync(Long), Is.EqualTo(7));
    }

    [Test]
    public void One_core_is_left_to_the_writer() => Assert.That(ReaderLane.BesideTheWriter().Most, Is.EqualTo(Math.Max(1, Environment.ProcessorCount - 1)));
}
