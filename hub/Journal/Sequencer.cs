#pragma warning disable RS0030 // Threads live in Journal/ and Storage/: this is the writer.
using System.Collections.Concurrent;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>
/// The one writer of a node. Commands wait in one queue; a batch is taken, each command is decided in turn, all records are appended and synced
/// together, the folds are changed, and only then is each caller answered. In production <see cref="Start"/> gives it a thread of its own; in
/// simulation the same object is pumped by hand.
/// </summary>
public sealed class Sequencer : IDisposable
{
    /// <summary>64 callers wait at most 1 ms for a sync of 4,096 records; 16 such batches in the queue are half a second of work.</summary>
    public const int QueueMax = 65_536;

    /// <summary>
    /// Callers that go on one after the other in one piece of work of the pool: handing each over alone costs as much as a tenth of all that a report
    /// takes, and 16 of them keep the last one waiting for a quarter of a millisecond.
    /// </summary>
    private const int AnswersTogether = 16;

    private readonly IJournal _journal;
    private readonly IReadOnlyList<IFold> _folds;
    private readonly int[] _preparing;
    private readonly ConcurrentDictionary<ushort, Taker[]> _takers = [];
    private readonly TimeProvider _clock;
    private readonly Lock _foldLock = new();
    private readonly Lock _queueLock = new();
    private readonly ManualResetEventSlim _wake = new(false, 0);
    private readonly List<PendingCommand> _deferred = [];

    /// <summary>Of the batch that is being taken.</summary>
    private readonly HashSet<Touched> _touched = [];
    private Queue<PendingCommand> _queue = new();
    private Exception? _stopped;
    private volatile bool _stopping;

    /// <summary>The writer stands before the folds; whoever wants to read them lets it pass. The lock alone is taken again by readers that never rest.</summary>
    private volatile bool _writerWaits;
    private Thread? _thread;

    public Sequencer(IJournal journal, IReadOnlyList<IFold> folds, TimeProvider clock)
    {
        _journal = journal;
        _folds = folds;
        _preparing = [.. Enumerable.Range(0, folds.Count).Where(k => folds[k].Prepares)];
        _clock = clock;
        Applied = journal.Head.Lsn;
    }

    /// <summary>The folds stand here: everything up to it is durable and visible.</summary>
    public Lsn Applied { get; private set; }

    /// <summary>Called on the writer as the folds have changed, and before anybody else can read them, with the new head; must be quick and must not throw.</summary>
    public Action<Lsn>? Folded { get; set; }

    /// <summary>Called on the writer after the folds have changed, with the events in order; must be quick and must not throw.</summary>
    public Action<IReadOnlyList<JournalEvent>>? AfterApply { get; set; }

    /// <summary>Called once when the journal failed: nothing more is acknowledged and the process must end (INV-2).</summary>
    public Action<Exception>? Fatal { get; set; }

    /// <summary>Called when a fold threw: the fold, the event and the exception. The node goes on; the fold is doubted.</summary>
    public Action<IFold, JournalEvent, Exception>? FoldFailed { get; set; }

    /// <summary>Why the writer stopped taking changes; null while it takes them.</summary>
    public Exception? StoppedBy => _stopped;

    /// <summary>Commands waiting.</summary>
    public int Waiting
    {
        get
        {
            lock (_queueLock)
            {
                return _queue.Count + _deferred.Count;
            }
        }
    }

    /// <summary>
    /// Brings the folds up to the head: the snapshot's images where name and version fit, then every record after it. Call once, before
    /// <see cref="Start"/>. Returns the number of events replayed.
    /// </summary>
    public long Recover(bool replaysAll = false)
    {
        Failpoint.Hit("replay.before");
        var from = replaysAll ? Lsn.Zero : RestoreSnapshot();
        Failpoint.Hit("replay.snapshot.loaded");
        long replayed = 0;
        foreach (var (record, prepared, whole) in _journal.Replay(from, Prepared))
        {
            if (whole is not null)
            {
                ApplyWhole(whole);
                replayed += whole.Events;
            }
            else
            {
                for (var i = 0; i < record!.Events.Length; i++)
                {
                    ApplyOne(record.Events.ItemRef(i), null, prepared, i);
                }

                replayed += record.Events.Length;
            }
        }

        Settle(() => EventAt(_journal.Head.Lsn));
        Failpoint.Hit("replay.after");
        Applied = _journal.Head.Lsn;
        return replayed;
    }

    /// <summary>Writes the folds as they stand. The journal keeps running; the folds are held still only while their bytes are copied.</summary>
    public Lsn SaveSnapshot()
    {
        Lsn at;
        var images = new List<FoldImage>(_folds.Count);
        lock (_foldLock)
        {
            at = Applied;
            foreach (var fold in _folds)
            {
                using var bytes = new MemoryStream();
                fold.Save(bytes);
                images.Add(new FoldImage(fold.Name, fold.Version, bytes.ToArray()));
            }
        }

        try
        {
            _journal.SaveSnapshot(at, images);
        }
        catch (Exception failure) when (IsStorage(failure) && failure is not DiskFullException)
        {
            // The journal is closed by it: whoever runs the node hears of it now, and not with the next change (INV-2).
            Stop(failure, []);
            throw;
        }

        return at;
    }

    /// <summary>Reads the folds while none of them changes. Keep it short: the writer waits.</summary>
    public T Read<T>(Func<T> read)
    {
        if (_thread is not null && !_foldLock.IsHeldByCurrentThread)
        {
            // Whoever waits for this core, the writer or one that it woke, has it now and not at the system's next tick.
            Thread.Yield();
            for (var wait = default(SpinWait); _writerWaits;)
            {
                wait.SpinOnce();
            }
        }

        lock (_foldLock)
        {
            return read();
        }
    }

    /// <summary>
    /// Puts a command in the queue; the task ends when its effect is durable and visible. Whoever awaits it goes on in turn with the others of the batch
    /// (<see cref="AnswersTogether"/>), and must not block there until one of them is answered.
    /// </summary>
    public Task<TAnswer> SubmitAsync<TAnswer>(Command<TAnswer> command)
    {
        var options = _thread is null ? TaskCreationOptions.RunContinuationsAsynchronously : TaskCreationOptions.None;
        var waiting = new PendingCommand<TAnswer>(command, new TaskCompletionSource<TAnswer>(options), null);
        Enqueue(waiting);
        return waiting.Completion!.Task;
    }

    /// <summary>Puts a command in the queue; <paramref name="answered"/> runs on the writer. For the simulator, and for code that already is on it.</summary>
    public void Submit<TAnswer>(Command<TAnswer> command, Action<TAnswer> answered) => Enqueue(new PendingCommand<TAnswer>(command, null, answered));

    /// <summary>Gives the writer its thread.</summary>
    public void Start()
    {
        _thread = new Thread(Loop) { IsBackground = true, Name = "sequencer" };
        _thread.Start();
    }

    /// <summary>Takes one batch to its end; false when nothing waited.</summary>
    public bool Pump()
    {
        var batch = TakeBatch();
        if (batch.Count == 0)
        {
            return false;
        }

        try
        {
            Failpoint.Hit("batch.taken");
            Commit(batch);
        }
        catch (Exception failure) when (IsStorage(failure))
        {
            Stop(failure, batch);
        }

        return true;
    }

    public void Dispose()
    {
        _stopping = true;
        _wake.Set();
        _thread?.Join();
        FailWaiting(new ObjectDisposedException(nameof(Sequencer), "The node is stopping."));
        _wake.Dispose();
    }

    private void Enqueue(PendingCommand pending)
    {
        lock (_queueLock)
        {
            if (_stopped is null && !_stopping)
            {
                if (_queue.Count >= QueueMax)
                {
                    pending.Fail(new NodeBusyException());
                    return;
                }

                _queue.Enqueue(pending);
                _wake.Set();
                return;
            }
        }

        pending.Fail(new NodeStoppedException(_stopped));
    }

    private void Loop()
    {
        while (!_stopping)
        {
            _wake.Wait();
            _wake.Reset();
            while (!_stopping && Pump())
            {
            }
        }
    }

    private List<PendingCommand> TakeBatch()
    {
        var batch = new List<PendingCommand>();
        var touched = _touched;
        touched.Clear();
        lock (_queueLock)
        {
            if (_deferred.Count > 0)
            {
                // Deferred commands stand before everything that came later.
                foreach (var later in _queue)
                {
                    _deferred.Add(later);
                }

                _queue = new Queue<PendingCommand>(_deferred);
                _deferred.Clear();
            }

            while (batch.Count < JournalLimits.BatchRecordsMax && _queue.TryDequeue(out var next))
            {
                var free = true;
                foreach (var thing in next.Touches)
                {
                    free &= touched.Add(thing);
                }

                (free ? batch : _deferred).Add(next);
            }
        }

        return batch;
    }

    private void Commit(List<PendingCommand> batch)
    {
        var now = _clock.Now();
        var records = new List<RecordDraft>(batch.Count);
        var shares = new List<(PendingCommand Pending, int First, int Count)>(batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            if (!batch[i].Decide(now))
            {
                continue;
            }

            if (records.Count + batch[i].Records.Count > JournalLimits.BatchRecordsMax)
            {
                PutBack(batch, i);
                break;
            }

            shares.Add((batch[i], records.Count, batch[i].Records.Count));
            records.AddRange(batch[i].Records);
        }

        IReadOnlyList<LsnRange> ranges = [];
        if (records.Count > 0)
        {
            Failpoint.Hit("batch.decided");
            var result = _journal.Append(records, now, Applied);
            if (!result.Appended)
            {
                throw new IOException($"Another writer moved the journal's head to {result.Head.Lsn} while this one stood at {Applied}: two processes use one data directory.");
            }

            Failpoint.Hit("batch.appended");
            ranges = result.Ranges;
            var events = EventsOf(records, ranges);
            _writerWaits = true;
            lock (_foldLock)
            {
                _writerWaits = false;
                var number = 0;
                foreach (var record in records)
                {
                    for (var i = 0; i < record.Events.Count; i++)
                    {
                        ApplyOne(events[number++], record.Events[i].Known);
                    }
                }

                Settle(() => events[^1]);
                Applied = ranges[^1].Last;
                Folded?.Invoke(Applied);
            }

            Failpoint.Hit("batch.folded");
            AfterApply?.Invoke(events);
            Failpoint.Hit("batch.told");
        }

        var answered = new List<PendingCommand>(Math.Min(shares.Count, AnswersTogether));
        foreach (var (pending, first, count) in shares)
        {
            pending.Answer(new LsnRangeSlice(ranges, first, count));
            answered.Add(pending);
            if (answered.Count == AnswersTogether)
            {
                LetGo(answered);
                answered = new List<PendingCommand>(AnswersTogether);
            }
        }

        LetGo(answered);
        Failpoint.Hit("batch.answered", records.Count > 0);
    }

    /// <summary>Lets callers go on, away from the writer; where there is no thread of its own, on the spot.</summary>
    private void LetGo(List<PendingCommand> answered)
    {
        if (_thread is null)
        {
            answered.ForEach(pending => pending.LetGo());
        }
        else if (answered.Count > 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static those => those.ForEach(pending => pending.LetGo()), answered, preferLocal: false);
        }
    }

    private void PutBack(List<PendingCommand> batch, int from)
    {
        lock (_queueLock)
        {
            _deferred.InsertRange(0, batch.Skip(from));
        }

        _wake.Set();
    }

    private static List<JournalEvent> EventsOf(List<RecordDraft> records, IReadOnlyList<LsnRange> ranges)
    {
        var events = new List<JournalEvent>(records.Count * 2);
        for (var i = 0; i < records.Count; i++)
        {
            var range = ranges[i];
            for (var k = 0; k < records[i].Events.Count; k++)
            {
                var draft = records[i].Events[k];
                events.Add(new JournalEvent(
                    new Lsn(range.First.Value + k), range.First, range.Last, range.RecordedAt, records[i].Actor, draft.Kind, draft.Schema, draft.Payload));
            }
        }

        return events;
    }

    /// <summary>A fold that takes events of a kind, and its place among those that prepare; -1 for one that does not.</summary>
    private readonly record struct Taker(IFold Fold, int Preparing);

    /// <summary>
    /// A record with what each of the folds that prepare made of it, by event (null where none made anything); or what the one fold that it means anything to has made of
    /// the whole, and nothing else.
    /// </summary>
    private readonly record struct Ahead(JournalRecord? Record, object?[]?[]? Prepared, WholeRecord? Whole);

    /// <summary>On the thread that reads ahead, or on that of the replay.</summary>
    private Ahead Prepared(JournalRecord record)
    {
        object?[]?[]? prepared = null;
        for (var k = 0; k < _preparing.Length; k++)
        {
            try
            {
                var made = _folds[_preparing[k]].Prepare(record);
                if (made is [.., WholeRecord whole] && IsTakenByAlone(whole.Fold, record))
                {
                    return new Ahead(null, null, whole);
                }

                if (made is not null)
                {
                    (prepared ??= new object?[]?[_preparing.Length])[k] = made;
                }
            }
#pragma warning disable CA1031 // It will fail again as it is applied, and is told there.
            catch (Exception)
#pragma warning restore CA1031
            {
            }
        }

        return new Ahead(record, prepared, null);
    }

    private bool IsTakenByAlone(IFold fold, JournalRecord record)
    {
        foreach (ref readonly var journalEvent in record.Events.AsSpan())
        {
            if (TakersOf(journalEvent.Kind) is not [var taker] || taker.Fold != fold)
            {
                return false;
            }
        }

        return true;
    }

    private Taker[] TakersOf(ushort kind) => _takers.TryGetValue(kind, out var takers) ? takers : FindTakers(kind);

    private Taker[] FindTakers(ushort kind) => _takers[kind] =
        [.. Enumerable.Range(0, _folds.Count).Where(k => _folds[k].Takes(kind)).Select(k => new Taker(_folds[k], Array.IndexOf(_preparing, k)))];

    /// <param name="last">The last of the events that were applied, for whoever is told of a fault.</param>
    private void Settle(Func<JournalEvent> last)
    {
        foreach (var fold in _folds)
        {
            try
            {
                fold.Settle();
            }
#pragma warning disable CA1031 // As for a single event: told with the last one of those that were applied together.
            catch (Exception failure) when (!IsStorage(failure))
#pragma warning restore CA1031
            {
                FoldFailed?.Invoke(fold, last(), failure);
            }
        }
    }

    private void ApplyWhole(WholeRecord whole)
    {
        try
        {
            whole.Apply();
        }
#pragma warning disable CA1031 // As for a single event.
        catch (Exception failure) when (!IsStorage(failure))
#pragma warning restore CA1031
        {
            FoldFailed?.Invoke(whole.Fold, EventAt(whole.Last), failure);
        }
    }

    /// <summary>The last event of the record that ends at a position; none where the journal has none.</summary>
    private JournalEvent EventAt(Lsn last) => _journal.ReadAt(last) is { } record ? record.Events[^1] : default;

    private void ApplyOne(in JournalEvent journalEvent, object? known, object?[]?[]? prepared = null, int number = 0)
    {
        foreach (var (fold, preparing) in TakersOf(journalEvent.Kind))
        {
            try
            {
                fold.Apply(journalEvent, known ?? (preparing < 0 ? null : prepared?[preparing]?[number]));
            }
#pragma warning disable CA1031 // No exception in a fold may stop a node: the event is durable and will come again at every start.
            catch (Exception failure) when (!IsStorage(failure))
#pragma warning restore CA1031
            {
                FoldFailed?.Invoke(fold, journalEvent, failure);
            }
        }
    }

    /// <summary>
    /// A fold that looks something up in the journal and cannot read it is no faulty fold: passing its event over would show a state that never was, so
    /// the writer stops, and the next start folds the event. A payload that is no message is of the library's making an <see cref="IOException"/>, and no disk's: it would stop every start.
    /// </summary>
    private static bool IsStorage(Exception failure) => failure is (IOException and not Google.Protobuf.InvalidProtocolBufferException) or JournalDamagedException;

    private Lsn RestoreSnapshot()
    {
        if (_journal.LoadSnapshot() is not { } snapshot)
        {
            return Lsn.Zero;
        }

        var images = snapshot.Folds.ToDictionary(f => f.Name, StringComparer.Ordinal);
        if (!_folds.All(f => images.TryGetValue(f.Name, out var image) && image.Version == f.Version))
        {
            return Lsn.Zero;
        }

        foreach (var fold in _folds)
        {
            using var bytes = new ReadOnlyMemoryStream(images[fold.Name].Bytes);
            try
            {
                fold.Load(bytes);
            }
#pragma warning disable CA1031 // Whatever a fold makes of bytes that are not its own: the journal is the truth, and is there.
            catch (Exception failure) when (failure is not OutOfMemoryException)
#pragma warning restore CA1031
            {
                throw new FoldImageException(fold.Name, snapshot.Lsn, failure);
            }
        }

        return snapshot.Lsn;
    }

    private void Stop(Exception failure, List<PendingCommand> batch)
    {
        lock (_queueLock)
        {
            _stopped = failure;
        }

        var stopped = new NodeStoppedException(failure);
        foreach (var pending in batch)
        {
            pending.Fail(stopped);
        }

        FailWaiting(stopped);
        _stopping = true;
        Fatal?.Invoke(failure);
    }

    private void FailWaiting(Exception reason)
    {
        List<PendingCommand> left;
        lock (_queueLock)
        {
            left = [.. _deferred, .. _queue];
            _deferred.Clear();
            _queue.Clear();
        }

        foreach (var pending in left)
        {
            pending.Fail(reason);
        }
    }
}

/// <summary>The queue is full; the caller may try again.</summary>
public sealed class NodeBusyException() : Exception($"The node has {Sequencer.QueueMax} commands waiting. Try again in a moment.");

/// <summary>The writer has stopped; nothing is acknowledged any more.</summary>
public sealed class NodeStoppedException(Exception? cause)
    : Exception(cause is null ? "The node is stopping." : $"The node's storage failed and it has stopped taking changes: {cause.Message}", cause);
