using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>What a fold throws, as an event is applied or as a batch is settled, is told; whoever asked is answered, and the other folds go on.</summary>
public sealed class No_fold_stops_a_node
{
    [TestCase(true)]
    [TestCase(false)]
    public void At_a_batch_and_at_a_replay(bool inSettling)
    {
        var journal = new MemoryJournal(new SeededEntropy(1));
        var (broken, sound) = (new Fold("broken", inSettling ? null : Throw, inSettling ? Throw : null), new Fold("sound", null, null));
        var told = new List<(string Fold, Lsn Lsn)>();
        using var sequencer = new Sequencer(journal, [broken, sound], TimeProvider.System) { FoldFailed = (fold, e, _) => told.Add((fold.Name, e.Lsn)) };
        var answered = 0;
        for (var i = 0; i < 2; i++)
        {
            sequencer.Submit(new Note { Actor = "a" }, _ => answered++);
            while (sequencer.Pump())
            {
            }
        }

        Assert.That((answered, sound.Applied, sound.Settled, sequencer.StoppedBy), Is.EqualTo((2, 2, 2, (Exception?)null)));
        Assert.That(told, Is.EqualTo(((string, Lsn)[])[("broken", new Lsn(1)), ("broken", new Lsn(2))]));

        var again = new Fold("again", null, null);
        using var replaying = new Sequencer(journal, [new Fold("broken", null, Throw), again], TimeProvider.System) { FoldFailed = (fold, e, _) => told.Add((fold.Name, e.Lsn)) };
        replaying.Recover();
        Assert.That((again.Applied, again.Settled, told[^1]), Is.EqualTo((2, 1, ("broken", new Lsn(2)))));
    }

    [Test]
    public void Nor_one_that_takes_a_record_at_one_go()
    {
        var journal = new MemoryJournal(new SeededEntropy(1));
        for (byte i = 0; i < 3; i++)
        {
            journal.Append([new RecordDraft("a", [new EventDraft(1, 1, new byte[] { i }), new EventDraft(1, 1, new byte[] { i })])], Drafts.Noon);
        }

        var told = new List<(string Fold, Lsn Lsn)>();
        var fold = new Whole(breaksAt: 1);
        using var sequencer = new Sequencer(journal, [fold], TimeProvider.System) { FoldFailed = (fold, e, _) => told.Add((fold.Name, e.Lsn)) };
        Assert.That((sequencer.Recover(), fold.Records, fold.Events), Is.EqualTo((6L, 2, 0)));
        Assert.That(told, Is.EqualTo(((string, Lsn)[])[("whole", new Lsn(4))]), "with the last event of its record");
    }

    /// <summary>A record that no journal keeps is the fault of the command that wants it; whoever stands in the same batch is answered.</summary>
    [Test]
    public async Task Nor_does_a_command_that_decides_on_too_much()
    {
        var journal = new MemoryJournal(new SeededEntropy(1));
        var sound = new Fold("sound", null, null);
        using var sequencer = new Sequencer(journal, [sound], TimeProvider.System);
        var (before, huge, after) = (sequencer.SubmitAsync(new Note { Actor = "a" }), sequencer.SubmitAsync(new Note(JournalLimits.RecordBytesMax) { Actor = "a" }), sequencer.SubmitAsync(new Note { Actor = "a" }));
        while (sequencer.Pump())
        {
        }

        Assert.That((await before, await after, sound.Applied, sequencer.StoppedBy), Is.EqualTo((true, true, 2, (Exception?)null)));
        Assert.That(async () => await huge, Throws.InvalidOperationException.With.Message.Contains("no journal keeps"));
    }

    private static void Throw() => throw new InvalidOperationException("This fold has a fault.");

    /// <summary>Takes every record at one go, and breaks at one.</summary>
    private sealed class Whole(byte breaksAt) : IFold
    {
        public string Name => "whole";

        public int Version => 1;

        public bool Prepares => true;

        public int Records { get; private set; }

        public int Events { get; private set; }

        public object?[]? Prepare(JournalRecord record) => [null, new One(this, record)];

        public void Apply(in JournalEvent journalEvent) => Events++;

        public void Save(Stream target) => throw new NotSupportedException();

        public void Load(Stream source) => throw new NotSupportedException();

        private sealed class One(Whole whole, JournalRecord record) : WholeRecord(whole, record)
        {
            private readonly byte _number = record.Events[0].Payload.Span[0];

            public override void Apply()
            {
                if (_number == whole.BreaksAt)
                {
                    Throw();
                }

                whole.Records++;
            }
        }

        private byte BreaksAt => breaksAt;
    }

    private sealed class Note(int bytes = 1) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [];

        public override Decision<bool> Decide(NodaTime.Instant now) =>
            Decision<bool>.Of(new RecordDraft("a", [new EventDraft(1, 1, new byte[bytes])]), _ => true);
    }

    private sealed class Fold(string name, Action? applying, Action? settling) : IFold
    {
        public string Name => name;

        public int Version => 1;

        public int Applied { get; private set; }

        public int Settled { get; private set; }

        public void Apply(in JournalEvent journalEvent)
        {
            applying?.Invoke();
            Applied++;
        }

        public void Settle()
        {
            settling?.Invoke();
            Settled++;
        }

        public void Save(Stream target)
        {
        }

        public void Load(Stream source)
        {
        }
    }
}
