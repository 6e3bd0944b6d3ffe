using CityGrid.Hub.Cells;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Tally;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>At a replay a case that begins in a record is folded ahead, away from everything that is held: it comes to the same, byte for byte.</summary>
public sealed class What_is_made_ahead_is_what_a_replay_makes
{
    private static readonly Gen<(RandomLife[] Lives, int[] Cuts)> Histories =
        from turns in RandomLife.Turns.Array[1, 6]
        from cuts in Gen.Int[1, 4].Array[60]
        select (turns.Select((t, number) => RandomLife.Of(number, t)).Where(life => life.State is not null).ToArray(), cuts);

    [Test]
    public void Books_and_cells_are_the_same()
    {
        var lives = 0;
        Histories.Sample(
            history =>
            {
                var records = RecordsOf(history.Lives, history.Cuts);
                var ahead = 0;
                var (plain, made) = (new Kept(records), new Kept(records));
                foreach (var record in records)
                {
                    var prepared = made.Book.Prepare(record);
                    for (var i = 0; i < record.Events.Length; i++)
                    {
                        plain.Book.Apply(record.Events[i]);
                        made.Book.Apply(record.Events[i], prepared?[i]);
                        ahead += prepared?[i] is null ? 0 : 1;
                        Interlocked.Add(ref lives, prepared?[i] is WholeRecord ? 1 : 0);
                    }
                }

                Assert.That(ahead, Is.EqualTo(records.Sum(r => r.Events.Length)), "every event of a case is decoded ahead");
                Assert.That(made.Bytes(), Is.EqualTo(plain.Bytes()));
            },
            iter: 300);
        Assert.That(lives, Is.Positive, "some cases begin and end in one record");
    }

    /// <summary>A start gives a record that is the whole life of a case to the book at one go; where another fold takes its events too, both take them one by one.</summary>
    [Test]
    public void And_so_are_they_after_a_start()
    {
        var lives = 0;
        Histories.Sample(
            history =>
            {
                var records = RecordsOf(history.Lives, history.Cuts);
                var journal = new MemoryJournal(new SeededEntropy(1));
                var (plain, started, beside, watcher) = (new Kept(records), new Kept(records), new Kept(records), new Watcher());
                foreach (var record in records)
                {
                    journal.Append([new RecordDraft(record.Actor, [.. record.Events.Select(e => new EventDraft(e.Kind, e.Schema, e.Payload))])], record.RecordedAt);
                    foreach (var journalEvent in record.Events)
                    {
                        plain.Book.Apply(journalEvent);
                    }
                }

                var (alone, watched) = (new SeenJournal(journal), new SeenJournal(journal));
                Assert.That(Recovered(alone, [started.Book]), Is.EqualTo(journal.Head.Lsn.Value));
                Assert.That(Recovered(watched, [beside.Book, watcher]), Is.EqualTo(journal.Head.Lsn.Value));
                Assert.That(watched.Whole, Is.Zero, "where another fold takes its events too");
                Interlocked.Add(ref lives, alone.Whole);
                Assert.That((watcher.Seen, started.Bytes().SequenceEqual(plain.Bytes()), beside.Bytes().SequenceEqual(plain.Bytes())), Is.EqualTo((journal.Head.Lsn.Value, true, true)));
            },
            iter: 100);
        Assert.That(lives, Is.Positive, "some records were taken at one go");
    }

    /// <summary>Else no record would be taken at one go in a node, where many folds stand beside the book, and nobody would see it. What a fold takes is a matter of the kind alone.</summary>
    [Test]
    public void Of_all_folds_the_book_alone_takes_what_happens_to_cases()
    {
        var folds = new[] { typeof(CaseBook), typeof(CellFold) }.SelectMany(known => known.Assembly.GetTypes())
            .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IFold)))
            .Select(type => (IFold)System.Runtime.CompilerServices.RuntimeHelpers.GetUninitializedObject(type)).ToArray();
        Assert.That(folds, Has.Length.GreaterThan(8));
        for (var kind = EventKinds.NodeFirst; kind < EventKinds.NodeFirst + 100; kind++)
        {
            Assert.That(folds.Where(fold => fold.Takes(kind)).Select(fold => fold.GetType()), Is.EqualTo(new[] { typeof(CaseBook) }), $"kind {kind}");
        }
    }

    private static long Recovered(IJournal journal, IReadOnlyList<IFold> folds)
    {
        using var sequencer = new Sequencer(journal, folds, TimeProvider.System) { FoldFailed = (fold, at, failure) => throw new InvalidOperationException($"{fold.Name} at {at.Lsn}", failure) };
        return sequencer.Recover();
    }

    /// <summary>A journal that sees how many of its records were made ready to be taken at one go.</summary>
    private sealed class SeenJournal(IJournal real) : IJournal
    {
        public int Whole { get; private set; }

        public Incarnation Incarnation => real.Incarnation;

        public bool IsRestored => real.IsRestored;

        public JournalHead Head => real.Head;

        public AppendResult Append(IReadOnlyList<RecordDraft> records, NodaTime.Instant recordedAt, Lsn? expectedHead = null) => real.Append(records, recordedAt, expectedHead);

        public IEnumerable<JournalRecord> ReadFrom(Lsn after) => real.ReadFrom(after);

        public IEnumerable<T> Replay<T>(Lsn after, Func<JournalRecord, T> make)
        {
            foreach (var made in real.Replay(after, make))
            {
                Whole += $"{made}".Contains(nameof(LifeAhead), StringComparison.Ordinal) ? 1 : 0;
                yield return made;
            }
        }

        public JournalRecord? ReadAt(Lsn lsn) => real.ReadAt(lsn);

        public Hash256? ChainHashAt(Lsn lsn) => real.ChainHashAt(lsn);

        public void SaveSnapshot(Lsn lsn, IReadOnlyList<FoldImage> folds) => real.SaveSnapshot(lsn, folds);

        public Snapshot? LoadSnapshot() => real.LoadSnapshot();

        public void Dispose() => real.Dispose();
    }

    /// <summary>A fold that takes every event.</summary>
    private sealed class Watcher : IFold
    {
        public string Name => "watcher";

        public int Version => 1;

        public long Seen { get; private set; }

        public void Apply(in JournalEvent journalEvent) => Seen++;

        public void Save(Stream target) => throw new NotSupportedException();

        public void Load(Stream source) => throw new NotSupportedException();
    }

    /// <summary>The lives one beside the other, a few events of one of them to a record.</summary>
    private static List<JournalRecord> RecordsOf(RandomLife[] lives, int[] cuts)
    {
        var left = lives.Select(life => new Queue<CaseEntry>(life.History)).ToList();
        var last = new Dictionary<CaseId, Lsn>();
        var records = new List<JournalRecord>();
        long lsn = 0;
        for (var turn = 0; left.Exists(l => l.Count > 0); turn++)
        {
            var life = left[turn % left.Count];
            var taken = new List<CaseEntry>();
            while (life.Count > 0 && taken.Count < cuts[turn % cuts.Length])
            {
                taken.Add(life.Dequeue());
            }

            if (taken.Count == 0)
            {
                continue;
            }

            var first = lsn + 1;
            var drafts = CaseEventCodec.Encode([.. taken.Select(t => t.Event)], last.GetValueOrDefault(taken[0].Event.Case));
            var events = drafts.Select((draft, i) =>
                new JournalEvent(new Lsn(first + i), new Lsn(first), new Lsn(first + drafts.Count - 1), taken[0].Stamp.RecordedAt, taken[0].Stamp.Actor, draft.Kind, draft.Schema, draft.Payload));
            records.Add(new JournalRecord(taken[0].Stamp.RecordedAt, taken[0].Stamp.Actor, Hash256.Zero, Hash256.Zero, [.. events]));
            lsn += taken.Count;
            last[taken[0].Event.Case] = new Lsn(lsn);
        }

        return records;
    }

    private sealed class Kept
    {
        private readonly CellFold _cells = new();

        public Kept(List<JournalRecord> records) =>
            Book = new CaseBook(_cells, City.Node, City.Place, () => 1, lsn => records.Find(r => r.First <= lsn && r.Last >= lsn));

        public CaseBook Book { get; }

        public byte[] Bytes()
        {
            using var image = new MemoryStream();
            Book.Save(image);
            _cells.Save(image);
            return image.ToArray();
        }
    }
}
