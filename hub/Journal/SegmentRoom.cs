using CityGrid.Hub.Seams;

namespace CityGrid.Hub.Journal;

/// <summary>
/// Room for the next segment: a file of zeros that is durable before it is wanted. A frame that is written there changes neither the file's length nor its
/// place on the disk, so that its sync has nothing else to make durable and takes half as long as one that lengthens a file. A journal that comes into it in
/// the middle of a segment seals that one early; one in which little happens does without.
/// </summary>
internal sealed class SegmentRoom(IDisk disk, JournalOptions options)
{
    public const string Path = $"{JournalFiles.Folder}/room{JournalFiles.TemporarySuffix}";

    private const int PieceBytes = 1 << 20;

    /// <summary>A disk with less free than so many segments is left alone: what is kept free there is for what is new.</summary>
    private const int SegmentsFree = 16;

    private readonly Lock _making = new();
    private volatile State _state;
    private volatile bool _isClosed;

    private enum State
    {
        None,
        Making,
        Ready,
        GivenUp,
    }

    public bool IsReady => _state == State.Ready;

    /// <summary>The room, durable and nobody's yet; null where there is none. Whoever takes it gives the file another name.</summary>
    public string? Take()
    {
        var ready = Interlocked.CompareExchange(ref _state, State.None, State.Ready) == State.Ready;
        _ = Interlocked.CompareExchange(ref _state, State.None, State.GivenUp);
        return ready ? Path : null;
    }

    /// <summary>True for the one who is to make it now: a sixteenth of a segment is full, and nobody has begun.</summary>
    public bool IsWanted(long activeEnd) =>
        activeEnd >= options.SegmentBytes / 16 && _state == State.None && Interlocked.CompareExchange(ref _state, State.Making, State.None) == State.None;

    /// <summary>Writes it, in pieces that are synced one by one: a sync of the journal meanwhile waits for one of them at most. False when told to stop, and where the disk has little left.</summary>
    public bool Make(CancellationToken stop)
    {
        lock (_making)
        {
            var made = State.GivenUp;
            try
            {
                Delete();
                made = !_isClosed && disk.FreeBytes / SegmentsFree >= options.SegmentBytes && IsWritten(stop) ? State.Ready : State.GivenUp;
                return made == State.Ready;
            }
            finally
            {
                _state = made;
            }
        }
    }

    /// <summary>Nobody wants it any more: what there is of it goes, and none is made.</summary>
    public void Close()
    {
        _isClosed = true;
        lock (_making)
        {
            Delete();
        }
    }

    private bool IsWritten(CancellationToken stop)
    {
        using var file = disk.Open(Path, DiskAccess.CreateNew);
        var zeros = new byte[Math.Min(PieceBytes, options.SegmentBytes)];
        for (long at = 0; at < options.SegmentBytes; at += zeros.Length)
        {
            if (_isClosed || stop.IsCancellationRequested)
            {
                return false;
            }

            file.Write(at, zeros.AsSpan(0, (int)Math.Min(zeros.Length, options.SegmentBytes - at)));
            file.Sync();
        }

        return true;
    }

    private void Delete()
    {
        if (disk.Exists(Path))
        {
            disk.Delete(Path);
        }
    }
}
