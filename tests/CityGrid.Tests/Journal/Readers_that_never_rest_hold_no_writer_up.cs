#pragma warning disable RS0030 // Readers on threads of their own.
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>
/// A lock alone goes to whoever comes: readers that ask again at once took it a hundred times over while the writer stood before it. Counted in reads,
/// not in time.
/// </summary>
public sealed class Readers_that_never_rest_hold_no_writer_up
{
    private const int Readers = 3;

    [Test]
    public async Task It_passes_before_the_next_of_them()
    {
        var reads = 0L;
        var fold = new Noting(() => Interlocked.Read(ref reads));
        using var sequencer = new Sequencer(new MemoryJournal(new SeededEntropy(1)), [fold], TimeProvider.System);
        sequencer.Start();
        using var stop = new CancellationTokenSource();
        var readers = Enumerable.Range(0, Readers).Select(_ => new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                sequencer.Read(() =>
                {
                    Thread.SpinWait(20_000);
                    return Interlocked.Increment(ref reads);
                });
            }
        })).ToList();
        readers.ForEach(reader => reader.Start());
        while (Interlocked.Read(ref reads) < 10)
        {
            await Task.Yield();
        }

        for (var i = 0; i < 60; i++)
        {
            await sequencer.SubmitAsync(new Note(() => fold.Decided = Interlocked.Read(ref reads)) { Actor = "a" });
        }

        await stop.CancelAsync();
        readers.ForEach(reader => reader.Join());

        // Between deciding and the folds lies an append, in which readers go on; a median, because the machine may take the writer off its core there.
        Assert.That(fold.Between.Order().ElementAt(30), Is.LessThanOrEqualTo(4 * Readers));
    }

    [Test]
    public void A_reader_that_reads_again_within_its_reading_is_let_in()
    {
        using var sequencer = new Sequencer(new MemoryJournal(new SeededEntropy(1)), [new Noting(() => 0)], TimeProvider.System);
        sequencer.Start();
        var told = sequencer.Read(() =>
        {
            // The writer comes to stand before the folds while they are read here.
            var noted = sequencer.SubmitAsync(new Note(() => { }) { Actor = "a" });
            SpinWait.SpinUntil(() => sequencer.Waiting == 0, TimeSpan.FromSeconds(1));
            Thread.Sleep(20);
            return (Within: sequencer.Read(() => 7), Noted: noted);
        });

        Assert.That(told.Within, Is.EqualTo(7));
        Assert.That(told.Noted.Wait(TimeSpan.FromSeconds(20)), Is.True);
    }

    private sealed class Note(Action decided) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [];

        public override Decision<bool> Decide(Instant now)
        {
            decided();
            return Decision<bool>.Of(new RecordDraft("a", [new EventDraft(1, 1, new byte[] { 1 })]), _ => true);
        }
    }

    /// <summary>Notes how many reads there were since a command was decided.</summary>
    private sealed class Noting(Func<long> reads) : IFold
    {
        public string Name => "noting";

        public int Version => 1;

        public long Decided { get; set; }

        public List<long> Between { get; } = [];

        public void Apply(in JournalEvent journalEvent) => Between.Add(reads() - Decided);

        public void Save(Stream target)
        {
        }

        public void Load(Stream source)
        {
        }
    }
}
