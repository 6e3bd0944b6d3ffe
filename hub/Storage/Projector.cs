using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>
/// Carries documents from the folds into the view store, and answers for the part that is not there yet, so that reading by id is exact at any
/// moment. The sequencer offers what a batch changed; <see cref="PumpOnce"/> applies it, on a <see cref="ProjectorThread"/> in production and by
/// hand in simulation. Safe for many threads; the README of this folder states what a shelf's position means.
/// </summary>
public sealed class Projector
{
    private readonly IViewStore _store;
    private readonly ProjectorOptions _options;
    private readonly Func<UInt128, Lsn, ViewDocument?> _fromJournal;
    private readonly Lock _lock = new();

    /// <summary>Held round each write of the store: nothing is pumped into a shelf that is just being dropped and filled.</summary>
    private readonly Lock _writing = new();
    private readonly Dictionary<string, PendingShelf> _pending = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, ShelfGap> _gaps = new(StringComparer.Ordinal);
    private readonly HashSet<string> _filling = new(StringComparer.Ordinal);
    private readonly List<(Lsn Lsn, TaskCompletionSource Reached)> _waiters = [];
    private Lsn _head;
    private long _pendingBytes;
    private long _losses;
    private int _bulk;

    /// <summary>
    /// <paramref name="fromJournal"/> makes a document as it stood at a position, or null where there was none; it is asked where neither
    /// memory nor the store can answer, and never under the projector's lock.
    /// </summary>
    public Projector(IViewStore store, Func<UInt128, Lsn, ViewDocument?> fromJournal, ProjectorOptions? options = null)
    {
        _store = store;
        _fromJournal = fromJournal;
        _options = options ?? new ProjectorOptions();
    }

    /// <summary>Told, on whatever thread found it out, that a shelf is lost: somebody has to <see cref="Fill"/> it.</summary>
    public Action<ShelfGap>? GapFound { get; set; }

    /// <summary>Told that there is something to pump, and whether it should not wait for more; must be quick.</summary>
    public Action<bool>? WorkArrived { get; set; }

    /// <summary>The shelves that the store does not hold all of, in ordinal order.</summary>
    public IReadOnlyList<ShelfGap> Gaps
    {
        get
        {
            lock (_lock)
            {
                return [.. _gaps.Values];
            }
        }
    }

    public ViewStatus Status
    {
        get
        {
            lock (_lock)
            {
                return StatusLocked();
            }
        }
    }

    /// <summary>Documents that changed and are not in the store yet.</summary>
    public long Waiting
    {
        get
        {
            lock (_lock)
            {
                return _pending.Values.Sum(pending => (long)pending.Count);
            }
        }
    }

    /// <summary>The views are further behind than intake may leave them; false in bulk.</summary>
    public bool ShouldSlowIntake
    {
        get
        {
            lock (_lock)
            {
                return _bulk == 0 && StatusLocked().Lag > _options.LagMax;
            }
        }
    }

    /// <summary>
    /// Compares the store with the journal, whose head is <paramref name="head"/>, before anything is offered: a shelf ahead of the journal, or
    /// of documents that the journal does not know, is dropped; one behind its last change (<see cref="ShelfPositions"/>) is a gap.
    /// </summary>
    public IReadOnlyList<ShelfGap> Start(Lsn head, IReadOnlyDictionary<string, Lsn> lastChanges)
    {
        foreach (var shelf in _store.Shelves.Where(shelf => !lastChanges.ContainsKey(shelf) || _store.AppliedLsn(shelf) > head))
        {
            _store.Drop(shelf);
        }

        foreach (var (shelf, last) in lastChanges.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (_store.AppliedLsn(shelf) is var applied && applied < last)
            {
                lock (_lock)
                {
                    _gaps[shelf] = new ShelfGap(shelf, applied);
                }
            }
        }

        lock (_lock)
        {
            _head = head;
            return [.. _gaps.Values];
        }
    }

    /// <summary>
    /// Called by the sequencer after each batch, with what it changed (each document once, as it is now) and the journal's head. A batch without
    /// documents moves the head as well, and no shelf falls behind by it.
    /// </summary>
    public void Offer(IReadOnlyList<ViewChange> changes, Lsn head)
    {
        List<TaskCompletionSource> reached;
        bool urgent;
        lock (_lock)
        {
            foreach (var (shelf, document) in changes)
            {
                if (!_pending.TryGetValue(shelf, out var pending))
                {
                    _pending[shelf] = pending = new PendingShelf();
                }

                var before = pending.Bytes;
                pending.Offer(document, keepBody: _pendingBytes + document.Bytes.Length <= _options.PendingBytesMax);
                _pendingBytes += pending.Bytes - before;
            }

            _head = head > _head ? head : _head;
            reached = ReachedLocked();
            urgent = _waiters.Count > 0 || _pending.Values.Any(pending => pending.Count >= ViewLimits.DocumentsMax);
        }

        reached.ForEach(waiter => waiter.TrySetResult());
        if (changes.Count > 0)
        {
            WorkArrived?.Invoke(urgent);
        }
    }

    /// <summary>A document as it is at the journal's head; null where there is none.</summary>
    public ViewDocument? Get(string shelf, UInt128 id)
    {
        PendingShelf.Waiting? waiting;
        bool gap;
        long losses;
        Lsn head;
        lock (_lock)
        {
            waiting = _pending.GetValueOrDefault(shelf)?.Find(id);
            (gap, losses, head) = (_gaps.ContainsKey(shelf), _losses, _head);
        }

        if (waiting is not null)
        {
            return waiting.Body ?? Remade(waiting);
        }

        if (!gap && TryStore(shelf, () => _store.Get(shelf, id), losses, out var found))
        {
            return found;
        }

        return _fromJournal(id, head);
    }

    /// <summary>Documents in order of id, as far as the views are; the page says how far that is. At most <see cref="ViewLimits.DocumentsMax"/>.</summary>
    public ViewPage Page(string shelf, UInt128 after, int most)
    {
        long losses;
        lock (_lock)
        {
            losses = _losses;
        }

        var status = StatusOf(shelf);
        return TryStore(shelf, () => _store.Page(shelf, after, most), losses, out var documents)
            ? new ViewPage(documents!, status)
            : new ViewPage(documents ?? [], status with { Building = true });
    }

    /// <summary>How far one shelf is; a shelf in which nothing waits is at the head.</summary>
    public ViewStatus StatusOf(string shelf)
    {
        lock (_lock)
        {
            if (_gaps.TryGetValue(shelf, out var gap))
            {
                return new ViewStatus(gap.From, _head, Building: true);
            }

            var applied = Before(_pending.GetValueOrDefault(shelf)?.Oldest);
            return new ViewStatus(applied, _head, Building: _bulk > 0 && applied < _head);
        }
    }

    /// <summary>
    /// Completes once every change up to <paramref name="lsn"/> is in the views; shelves with a gap do not count, their lists say that they are
    /// building. A position past the head waits for it.
    /// </summary>
    public async Task WaitFor(Lsn lsn, CancellationToken cancellationToken)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (StatusLocked().Applied >= lsn)
            {
                return;
            }

            _waiters.Add((lsn, reached));
        }

        WorkArrived?.Invoke(true);
        using var cancelled = cancellationToken.Register(() =>
        {
            lock (_lock)
            {
                _waiters.Remove((lsn, reached));
            }

            reached.TrySetCanceled(cancellationToken);
        });
        await reached.Task;
    }

    /// <summary>
    /// Until it is disposed the views may fall behind without slowing intake, and say that they are building; little of what changes goes to the store
    /// before (<see cref="ProjectorOptions.PendingBytesMax"/>).
    /// </summary>
    public IDisposable Bulk()
    {
        lock (_lock)
        {
            _bulk++;
        }

        return new BulkMode(this);
    }

    /// <summary>
    /// Applies one transaction: the oldest waiting documents of the shelf that has waited longest. False where nothing could be done. Throws
    /// <see cref="ViewStoreFullException"/> where the disk has no room: everything goes on waiting.
    /// </summary>
    public bool PumpOnce()
    {
        if (Next() is not { } next)
        {
            return false;
        }

        var applied = false;
        try
        {
            applied = Applied(next.Shelf, [.. next.Taken.Select(waiting => waiting.Body ?? Remade(waiting))], next.Applied);
        }
        catch (ShelfDamagedException)
        {
            Lost(next.Shelf);
        }
        finally
        {
            Finish(next.Shelf, pending =>
            {
                if (applied)
                {
                    pending.Done();
                }
                else
                {
                    pending.PutBack();
                }
            });
        }

        return true;
    }

    /// <summary>
    /// Closes a gap: <paramref name="documents"/> are those of the shelf that changed after <see cref="ShelfGap.From"/>, as they stood at
    /// <paramref name="asOf"/>, which is a position that was offered already. Documents offered meanwhile wait and come after. A crash in between
    /// leaves the gap as it was. Throws <see cref="ShelfDamagedException"/> or <see cref="ViewStoreFullException"/>: then the gap is still there.
    /// </summary>
    public void Fill(ShelfGap gap, IEnumerable<ViewDocument> documents, Lsn asOf)
    {
        lock (_lock)
        {
            if (!_gaps.TryGetValue(gap.Shelf, out var current) || current != gap || !_filling.Add(gap.Shelf))
            {
                throw new InvalidOperationException($"Shelf '{gap.Shelf}' has no such gap now, or is being filled by somebody else. Ask for the gaps again.");
            }
        }

        var filled = false;
        try
        {
            if (gap.From == Lsn.Zero)
            {
                Write(() => _store.Drop(gap.Shelf));
            }

            foreach (var batch in InTransactions(documents))
            {
                Write(() => _store.Apply(gap.Shelf, batch, gap.From));
            }

            Write(() => _store.Apply(gap.Shelf, [], asOf));
            filled = true;
        }
        catch (ShelfDamagedException)
        {
            Lost(gap.Shelf);
            throw;
        }
        finally
        {
            lock (_lock)
            {
                _filling.Remove(gap.Shelf);
                if (filled && _gaps.GetValueOrDefault(gap.Shelf) == gap)
                {
                    _gaps.Remove(gap.Shelf);
                }
            }
        }

        WorkArrived?.Invoke(true);
    }

    /// <summary>Cuts a stream of documents into what a transaction takes.</summary>
    private static IEnumerable<List<ViewDocument>> InTransactions(IEnumerable<ViewDocument> documents)
    {
        var batch = new List<ViewDocument>();
        long bytes = 0;
        foreach (var document in documents)
        {
            if (batch.Count == ViewLimits.DocumentsMax || (batch.Count > 0 && bytes + document.Bytes.Length > ViewLimits.TransactionBytesMax))
            {
                yield return batch;
                batch = [];
                bytes = 0;
            }

            batch.Add(document);
            bytes += document.Bytes.Length;
        }

        if (batch.Count > 0)
        {
            yield return batch;
        }
    }

    private void Write(Action write)
    {
        lock (_writing)
        {
            write();
        }
    }

    /// <summary>False, and nothing written, where the shelf was lost since the documents were taken.</summary>
    private bool Applied(string shelf, IReadOnlyList<ViewDocument> documents, Lsn applied)
    {
        foreach (var batch in InTransactions(documents))
        {
            lock (_writing)
            {
                lock (_lock)
                {
                    if (_gaps.ContainsKey(shelf))
                    {
                        return false;
                    }
                }

                _store.Apply(shelf, batch, batch[^1] == documents[^1] ? applied : _store.AppliedLsn(shelf));
            }
        }

        return true;
    }

    /// <summary>Asks the store; false where the shelf turned out to be lost, or was lost and perhaps half filled while the store answered.</summary>
    private bool TryStore<T>(string shelf, Func<T> ask, long losses, out T? answer)
    {
        try
        {
            answer = ask();
        }
        catch (ShelfDamagedException)
        {
            answer = default;
            Lost(shelf);
            return false;
        }

        lock (_lock)
        {
            return _losses == losses && !_gaps.ContainsKey(shelf);
        }
    }

    private (string Shelf, IReadOnlyList<PendingShelf.Waiting> Taken, Lsn Applied)? Next()
    {
        lock (_lock)
        {
            if (_bulk > 0 && _waiters.Count == 0 && _pendingBytes < _options.PendingBytesMax / 2)
            {
                return null;
            }

            string? oldest = null;
            foreach (var (shelf, pending) in _pending)
            {
                if (pending.HasWork && !_gaps.ContainsKey(shelf)
                    && (oldest is null || pending.Oldest < _pending[oldest].Oldest || (pending.Oldest == _pending[oldest].Oldest && string.CompareOrdinal(shelf, oldest) < 0)))
                {
                    oldest = shelf;
                }
            }

            return oldest is null ? null : (oldest, _pending[oldest].Take(), _pending[oldest].AppliedAfterTaken(_head));
        }
    }

    private void Finish(string shelf, Action<PendingShelf> how)
    {
        List<TaskCompletionSource> reached;
        lock (_lock)
        {
            var pending = _pending[shelf];
            var before = pending.Bytes;
            how(pending);
            _pendingBytes += pending.Bytes - before;
            if (pending.Count == 0)
            {
                _pending.Remove(shelf);
            }

            reached = ReachedLocked();
        }

        reached.ForEach(waiter => waiter.TrySetResult());
    }

    private void Lost(string shelf)
    {
        var gap = new ShelfGap(shelf, Lsn.Zero);
        lock (_lock)
        {
            if (_gaps.GetValueOrDefault(shelf) == gap)
            {
                return;
            }

            _gaps[shelf] = gap;
            _losses++;
        }

        GapFound?.Invoke(gap);
    }

    private ViewDocument Remade(PendingShelf.Waiting waiting) =>
        _fromJournal(waiting.Id, waiting.Last)
        ?? throw new InvalidOperationException($"The journal has no document {waiting.Id:x32} at {waiting.Last}, though it was offered at that position.");

    /// <summary>Just before the position, or the head where there is none.</summary>
    private Lsn Before(Lsn? oldest) => oldest is { } lsn ? new Lsn(lsn.Value - 1) : _head;

    private ViewStatus StatusLocked()
    {
        Lsn? oldest = null;
        foreach (var (shelf, pending) in _pending)
        {
            if (!_gaps.ContainsKey(shelf) && pending.Oldest is { } here && (oldest is null || here < oldest))
            {
                oldest = here;
            }
        }

        var applied = Before(oldest);
        return new ViewStatus(applied, _head, Building: _gaps.Count > 0 || (_bulk > 0 && applied < _head));
    }

    private List<TaskCompletionSource> ReachedLocked()
    {
        if (_waiters.Count == 0)
        {
            return [];
        }

        var applied = StatusLocked().Applied;
        var reached = _waiters.Where(waiter => waiter.Lsn <= applied).Select(waiter => waiter.Reached).ToList();
        _waiters.RemoveAll(waiter => waiter.Lsn <= applied || waiter.Reached.Task.IsCompleted);
        return reached;
    }

    private sealed class BulkMode(Projector projector) : IDisposable
    {
        private bool _ended;

        public void Dispose()
        {
            lock (projector._lock)
            {
                projector._bulk -= _ended ? 0 : 1;
                _ended = true;
            }

            projector.WorkArrived?.Invoke(true);
        }
    }
}
