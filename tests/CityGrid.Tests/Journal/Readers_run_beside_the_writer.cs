using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

public sealed class Readers_run_beside_the_writer
{
    /// <summary>A writer, the packing of what it sealed, and two readers, on threads of their own and a model disk.</summary>
    [Test]
    public async Task Each_sees_a_whole_beginning_of_the_journal()
    {
        var disk = new ModelDisk();
        var pool = new Pool();
        using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, new JournalOptions { SegmentBytes = 6000, BlockBytes = 2000 }, pool);
        using var done = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 2).Select(_ => Pool.Start(() => Read(journal, done.Token))).ToArray();
        var seed = new SeededEntropy(2);
        for (var i = 0; i < 400; i++)
        {
            journal.Append(Drafts.Batch(seed, 3, 300), Drafts.Noon, journal.Head.Lsn);
        }

        await pool.Finished();
        await done.CancelAsync();
        var rounds = await Task.WhenAll(readers);
        Assert.That(rounds, Is.All.Positive);
        Assert.That(disk.Files.Count(file => file.EndsWith(".seg", StringComparison.Ordinal)), Is.LessThan(4));
        Assert.That(((JournalVerdict.Sound)JournalVerifier.Verify(disk)).Head, Is.EqualTo(journal.Head));
    }

    [Test]
    public void A_long_read_is_decoded_ahead_and_may_be_left_early()
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new SeededEntropy(1), Drafts.Node, new JournalOptions { SegmentBytes = 100_000 });
        for (var i = 0; i < 40; i++)
        {
            journal.Append([.. Enumerable.Range(0, 300).Select(n => Drafts.Of("a", BitConverter.GetBytes((i * 300) + n)))], Drafts.Noon);
        }

        journal.PackSealed(CancellationToken.None);
        Assert.That(journal.ReadFrom(Lsn.Zero).Select(record => BitConverter.ToInt32(record.Events[0].Payload.Span)), Is.EqualTo(Enumerable.Range(0, 12_000)));
        Assert.That(journal.ReadFrom(new Lsn(100)).Take(5).Last().First, Is.EqualTo(new Lsn(105)));
        Assert.That(journal.ReadFrom(new Lsn(11_990)).Count(), Is.EqualTo(10));
        disk.FlipBit(disk.Files[^2], 50_000 * 8);
        var read = 0;
        Assert.That(() => journal.ReadFrom(Lsn.Zero).Count(_ => ++read > 0), Throws.TypeOf<JournalDamagedException>());
        Assert.That(read, Is.InRange(5000, 11_999));
    }

    private static int Read(FileJournal journal, CancellationToken done)
    {
        var rounds = 0;
        for (var seed = new SeededEntropy(3); !done.IsCancellationRequested; rounds++)
        {
            var head = journal.Head;
            var last = Hash256.Zero;
            var count = 0L;
            foreach (var record in journal.ReadFrom(Lsn.Zero))
            {
                last = record.Last <= head.Lsn ? record.Hash : last;
                count = record.Last.Value;
            }

            Assert.That((last, count >= head.Lsn.Value), Is.EqualTo((head.ChainHash, true)));
            var at = new Lsn(1 + seed.Below((int)count + 1));
            Assert.That(journal.ReadAt(at)?.Last >= at || at > head.Lsn);
        }

        return rounds;
    }

    /// <summary>The thread pool, as in production.</summary>
    private sealed class Pool : ISpawner
    {
        private readonly List<Task> _work = [];

        public static Task<T> Start<T>(Func<T> work) =>
            Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        public void Spawn(string name, Func<CancellationToken, Task> work)
        {
            lock (_work)
            {
                _work.Add(Start(() => work(CancellationToken.None)).Unwrap());
            }
        }

        public async Task Finished()
        {
            Task[] work;
            lock (_work)
            {
                work = [.. _work];
            }

            await Task.WhenAll(work);
        }
    }
}
