using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Journal;

/// <summary>
/// The journal of a node in segment files (README.md beside this file has the format). A batch is one write and one fdatasync, and is acknowledged
/// after it. Sealed segments are packed in the background. Whatever fails on the way of a record to the disk closes the journal for good (INV-2); so
/// does damage that a read finds (INV-3). Reading goes on after that.
/// </summary>
public sealed class FileJournal : IJournal
{
    /// <summary>A read of fewer events than this is done on the reader's own thread.</summary>
    private const long ReadAheadFrom = 4096;
    private const int ReadAheadBatches = 4;
    private const int BufferBytesKept = 4 << 20;

    private readonly IDisk _disk;
    private readonly IEntropy _entropy;
    private readonly JournalOptions _options;
    private readonly ISpawner? _spawner;
    private readonly JournalReading _reading;
    private readonly SnapshotFiles _snapshots;
    private readonly SegmentRoom _room;
    private readonly Lock _writing = new();
    private readonly Lock _snapshotting = new();
    private readonly Lock _packing = new();
    private readonly List<JournalNotice> _notices = [];
    private volatile JournalState _state;
    private volatile Exception? _closedBy;
    private IDiskFile _active;
    private byte[] _buffer = [];
    private bool _sealed;
    private bool _isInRoom;
    private int _packer;

    private FileJournal(IDisk disk, IEntropy entropy, JournalOptions options, ISpawner? spawner, JournalOpening.Result opened)
    {
        (_disk, _entropy, _options, _spawner, _active) = (disk, entropy, options, spawner, opened.Active);
        _state = new(opened.Head, [.. opened.Segments], opened.ActiveEnd);
        _reading = new(() => _state, options);
        var given = DirectoryLife.Read(disk);
        Incarnation = given ?? opened.Segments[0].Header.Incarnation;
        IsRestored = given is not null;
        _snapshots = new(disk, opened.Segments[0].Header.Incarnation, options);
        _room = new(disk, options);
        _notices.AddRange(opened.Notices);
        SpawnPacking();
    }

    public Incarnation Incarnation { get; }

    public bool IsRestored { get; }

    public JournalHead Head => _state.Head;

    /// <summary>What closed the journal, or null while it is open.</summary>
    public Exception? ClosedBy => _closedBy;

    /// <summary>What was noticed and dealt with since the journal was opened, in order; for the log.</summary>
    public IReadOnlyList<JournalNotice> Notices
    {
        get
        {
            lock (_notices)
            {
                return [.. _notices];
            }
        }
    }

    private RawSegment ActiveSegment => (RawSegment)_state.Segments[^1];

    /// <summary>
    /// Opens the journal in the folders <c>journal/</c> and <c>snapshots/</c> of a disk, creates it with a new incarnation where there is none, and
    /// recovers from whatever crash came before. Throws <see cref="JournalDamagedException"/>, <see cref="NewerFormatException"/>,
    /// <see cref="JournalOfAnotherNodeException"/> or <see cref="DiskFailedException"/>. One process at a time: the caller holds the directory's lock.
    /// </summary>
    public static FileJournal Open(IDisk disk, IEntropy entropy, NodeId node, JournalOptions? options = null, ISpawner? spawner = null)
    {
        options ??= new JournalOptions();
        return new FileJournal(disk, entropy, options, spawner, new JournalOpening(disk, entropy, node, options).Open());
    }

    public AppendResult Append(IReadOnlyList<RecordDraft> records, Instant recordedAt, Lsn? expectedHead = null)
    {
        JournalRules.CheckBatch(records);
        AppendResult result;
        bool isSealed, isRoomWanted;
        lock (_writing)
        {
            JournalRules.CheckOpen(_closedBy);
            if ((expectedHead is { } expected && expected != _state.Head.Lsn) || records.Count == 0)
            {
                return new(records.Count == 0 && (expectedHead ?? _state.Head.Lsn) == _state.Head.Lsn, [], _state.Head);
            }

            var ranges = new LsnRange[records.Count];
            try
            {
                for (var done = 0; done < records.Count;)
                {
                    done = AppendFrame(records, done, RecordFormat.TicksOf(recordedAt), ranges);
                }
            }
            catch (Exception failure)
            {
                Close(failure);
                throw;
            }

            result = new(true, ranges, _state.Head);
            (isSealed, _sealed) = (_sealed, false);

            // Here, where no segment is just being begun in the room that was there.
            isRoomWanted = _spawner is not null && _room.IsWanted(_state.ActiveEnd);
        }

        if (isSealed)
        {
            SpawnPacking();
        }

        if (isRoomWanted)
        {
            _spawner!.SpawnBehind("journal: make room for the next segment", MakeRoom);
        }

        return result;
    }

    public IEnumerable<JournalRecord> ReadFrom(Lsn after) => Read(after, ChainCheck.EveryRecord, record => record);

    public IEnumerable<T> Replay<T>(Lsn after, Func<JournalRecord, T> make) => Read(after, ChainCheck.EveryFrame, make);

    private IEnumerable<T> Read<T>(Lsn after, ChainCheck check, Func<JournalRecord, T> make)
    {
        var head = _state.Head;
        var batches = _reading.Batches(after, head, check);
        var made = _options.ReadAhead && head.Lsn.Value - after.Value >= ReadAheadFrom
            ? ReadAhead.Of(batches, batch => batch.ConvertAll(record => make(record)), ReadAheadBatches)
            : batches.Select(batch => batch.ConvertAll(record => make(record)));
        using var next = made.GetEnumerator();
        while (ClosingOnDamage(next.MoveNext))
        {
            foreach (var record in next.Current)
            {
                yield return record;
            }
        }
    }

    public JournalRecord? ReadAt(Lsn lsn) => lsn > Lsn.Zero && lsn <= _state.Head.Lsn ? ClosingOnDamage(() => _reading.ReadAt(lsn)) : null;

    public Hash256? ChainHashAt(Lsn lsn)
    {
        var head = _state.Head;
        return lsn == head.Lsn ? head.ChainHash : lsn == Lsn.Zero ? Hash256.Zero : ReadAt(lsn)?.Hash;
    }

    public void SaveSnapshot(Lsn lsn, IReadOnlyList<FoldImage> folds)
    {
        lock (_snapshotting)
        {
            JournalRules.CheckOpen(_closedBy);
            var snapshot = new Snapshot(lsn, JournalRules.CheckSnapshot(this, lsn), folds);
            BesideTheJournal(JournalFiles.Snapshot(lsn) + JournalFiles.TemporarySuffix, () =>
            {
                _snapshots.Save(snapshot);
                return true;
            });
        }
    }

    public Snapshot? LoadSnapshot()
    {
        foreach (var lsn in _snapshots.All())
        {
            if (lsn > Head.Lsn)
            {
                Notice(new(JournalFiles.Snapshot(lsn), 0, $"the snapshot was passed over: it stands past the journal's head {Head.Lsn}"));
                continue;
            }

            try
            {
                var snapshot = _snapshots.Load(lsn);
                if (snapshot.ChainHash == ChainHashAt(lsn))
                {
                    return snapshot;
                }

                Notice(new(JournalFiles.Snapshot(lsn), 0, "the snapshot was passed over: its chain hash is not that of the journal"));
            }
            catch (JournalDamagedException damage) when (damage.File == JournalFiles.Snapshot(lsn))
            {
                Notice(new(damage.File, damage.Offset, $"the snapshot was passed over: {damage.Message}"));
            }
        }

        return null;
    }

    /// <summary>
    /// Packs the sealed segments that are still raw. The spawner calls it when a segment was sealed; without one the owner may. A full disk leaves them
    /// raw and is noticed; any other failure closes the journal.
    /// </summary>
    public void PackSealed(CancellationToken stop)
    {
        lock (_packing)
        {
            while (_closedBy is null && !stop.IsCancellationRequested && FirstUnpacked() is var (raw, end))
            {
                try
                {
                    if (!BesideTheJournal(SegmentPacking.TemporaryPath(raw.First), () => Pack(raw, end, stop)))
                    {
                        return;
                    }
                }
                catch (DiskFullException full)
                {
                    Notice(new(raw.Path, 0, $"the segment stays unpacked: {full.Message}"));
                    return;
                }
            }
        }
    }

    public void Dispose()
    {
        lock (_writing)
        {
            if (_closedBy is null)
            {
                GiveUpRoom();
            }

            Close(JournalRules.Disposed);
            _active.Dispose();
            foreach (var segment in _state.Segments)
            {
                segment.Dispose();
            }
        }
    }

    private int AppendFrame(IReadOnlyList<RecordDraft> records, int from, long ticks, LsnRange[] ranges)
    {
        if (_state.ActiveEnd >= _options.SegmentBytes || (_room.IsReady && !_isInRoom))
        {
            BeginSegment();
        }

        var head = _state.Head;
        var recordedAt = RecordFormat.InstantOf(ticks);
        var at = FrameHeader.Bytes;
        var index = from;
        for (; index < records.Count; index++)
        {
            var size = (int)RecordFormat.Size(records[index]);
            if (index > from && at + size + FrameHeader.TrailerBytes > _options.FrameBytesMax)
            {
                break;
            }

            Reserve(at + size + FrameHeader.TrailerBytes, at);
            var record = _buffer.AsSpan(at, RecordFormat.Write(_buffer.AsSpan(at), records[index], head.Lsn.Next, ticks, head.ChainHash));
            var last = new Lsn(head.Lsn.Value + records[index].Events.Count);
            var hash = Hash256.Of(record);
            ranges[index] = new(head.Lsn.Next, last, recordedAt) { ChainHash = hash };
            head = new(last, hash);
            at += record.Length;
        }

        WriteFrame(at, index - from, head);
        return index;
    }

    private void WriteFrame(int bodyEnd, int records, JournalHead head)
    {
        var state = _state;
        var frame = _buffer.AsSpan(0, bodyEnd + FrameHeader.TrailerBytes);
        var first = state.Head.Lsn.Next;
        var header = new FrameHeader(frame.Length, records, (int)(head.Lsn.Value - state.Head.Lsn.Value), 0, first);
        FrameHeader.WriteTrailer(frame[bodyEnd..], head.ChainHash);
        header.WriteTo(frame, ActiveSegment.Header.FrameSeed);
        header = header with { ZeroSlices = Sectors.ZeroSlices(frame, state.ActiveEnd) };
        header.WriteTo(frame, ActiveSegment.Header.FrameSeed);
        Failpoint.Hit("journal.write.before");
        _active.Write(state.ActiveEnd, frame);
        Failpoint.Hit("journal.write.after");
        Sync();
        Failpoint.Hit("journal.sync.after");
        ActiveSegment.Learn(first, state.ActiveEnd);
        _state = state with { Head = head, ActiveEnd = state.ActiveEnd + frame.Length };
        if (_buffer.Length > BufferBytesKept)
        {
            _buffer = [];
        }
    }

    private void Sync()
    {
        try
        {
            if (!_options.Faults.AckBeforeSync)
            {
                _active.Sync();
            }
        }
        catch (DiskFailedException) when (_options.Faults.IgnoreFailedSync)
        {
            // A planted bug; without it every failure ends the journal.
        }
    }

    private void Reserve(int length, int used)
    {
        if (_buffer.Length < length)
        {
            var larger = new byte[Math.Max(length, _buffer.Length * 2)];
            _buffer.AsSpan(0, Math.Min(used, _buffer.Length)).CopyTo(larger);
            _buffer = larger;
        }
    }

    /// <summary>Seals the active segment and begins the next one, which is durable with its entry before anything is written into it.</summary>
    private void BeginSegment()
    {
        Failpoint.Hit("segment.roll.before");
        var state = _state;
        var header = ActiveSegment.Header with { First = state.Head.Lsn.Next, Previous = state.Head.ChainHash, Salt = _entropy.NextUInt64() };
        var room = _room.Take();
        var segment = JournalOpening.Create(_disk, _options, header, room);
        var file = _disk.Open(segment.Path, DiskAccess.ReadWrite);
        _active.Dispose();
        _active = file;
        _state = state with { Segments = state.Segments.Add(segment), ActiveEnd = SegmentHeader.Bytes };
        (_sealed, _isInRoom) = (true, room is not null);
        Failpoint.Hit("segment.roll.after");
    }

    /// <summary>Nobody writes on where there is room: the next start finds nothing of it to cut or to delete.</summary>
    private void GiveUpRoom()
    {
        try
        {
            if (_active.Length > _state.ActiveEnd)
            {
                _active.Truncate(_state.ActiveEnd);
            }

            if (_spawner is not null)
            {
                _room.Close();
            }
        }
        catch (DiskFailedException)
        {
            // Closing is no reason to fail: what was promised was synced before, and the next start does this.
        }
    }

    private void MakeRoom(CancellationToken stop)
    {
        try
        {
            BesideTheJournal(SegmentRoom.Path, () => _room.Make(stop));
        }
        catch (DiskFullException full)
        {
            Notice(new(SegmentRoom.Path, 0, $"the next segment grows as it is written: {full.Message}"));
        }
    }

    /// <summary>One packs at a time; what was sealed meanwhile it packs as well.</summary>
    private void SpawnPacking()
    {
        const int idle = 0, packing = 1, asked = 2;
        if (_spawner is not null && FirstUnpacked() is not null && Interlocked.Exchange(ref _packer, asked) == idle)
        {
            _spawner.SpawnBehind("journal: pack sealed segments", stop =>
            {
                do
                {
                    Volatile.Write(ref _packer, packing);
                    PackSealed(stop);
                }
                while (Interlocked.CompareExchange(ref _packer, idle, packing) != packing && !stop.IsCancellationRequested);
            });
        }
    }

    private (RawSegment Raw, JournalHead End)? FirstUnpacked()
    {
        var segments = _state.Segments;
        for (var i = 0; i < segments.Length - 1; i++)
        {
            if (segments[i] is RawSegment raw)
            {
                var next = segments[i + 1].Header;
                return (raw, new(new Lsn(next.First.Value - 1), next.Previous));
            }
        }

        return null;
    }

    /// <summary>Replaces a raw segment by its packed form; the raw file goes only after the entry of the other is durable. False when told to stop.</summary>
    private bool Pack(RawSegment raw, JournalHead end, CancellationToken stop)
    {
        var packing = new SegmentPacking(_disk, _options);
        Failpoint.Hit("segment.pack.before");
        if (!packing.Write(raw, end, stop))
        {
            return false;
        }

        var path = JournalFiles.Packed(raw.First);
        Failpoint.Hit("segment.pack.written");
        _disk.Rename(SegmentPacking.TemporaryPath(raw.First), path);
        Failpoint.Hit("segment.pack.renamed");
        if (!_options.Faults.DeleteBeforeFolderSync)
        {
            _disk.SyncFolder(JournalFiles.Folder);
        }

        var packed = PackedSegment.Load(_disk, path);
        lock (_writing)
        {
            _state = _state with { Segments = _state.Segments.Replace(raw, packed) };
        }

        raw.Dispose();
        Failpoint.Hit("segment.pack.durable");
        _disk.Delete(raw.Path);
        Failpoint.Hit("segment.pack.deleted");
        _disk.SyncFolder(JournalFiles.Folder);
        return true;
    }

    private void Notice(JournalNotice notice)
    {
        lock (_notices)
        {
            _notices.Add(notice);
        }
    }

    private void Close(Exception cause) => _closedBy ??= cause;

    private T ClosingOnDamage<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (JournalDamagedException damage)
        {
            Close(damage);
            throw;
        }
    }

    /// <summary>
    /// Writes a file that is not needed for what is acknowledged. Where the disk has no room for it, it is taken away again and no harm is done; after
    /// any other failure nothing is sure, and the journal closes.
    /// </summary>
    private T BesideTheJournal<T>(string temporary, Func<T> write)
    {
        const int noSpace = 28;
        const int overQuota = 122;
        try
        {
            try
            {
                return write();
            }
            catch (DiskFailedException full) when (full is { Operation: "write", ErrorNumber: noSpace or overQuota })
            {
                _disk.Delete(temporary);
                throw new DiskFullException(full);
            }
        }
        catch (Exception failure) when (failure is (IOException and not DiskFullException) or JournalDamagedException)
        {
            Close(failure);
            throw;
        }
    }
}
