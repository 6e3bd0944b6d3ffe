using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>A file of the journal with the frames from <see cref="First"/> up to the next segment, open for reading while it is used.</summary>
internal abstract class Segment(IDisk disk, string path, SegmentHeader header) : IDisposable
{
    private readonly Lock _gate = new();
    private IDiskFile? _file;
    private int _readers;
    private bool _retired;

    public string Path { get; } = path;

    public SegmentHeader Header { get; } = header;

    public Lsn First => Header.First;

    /// <summary>The file, open until <see cref="Release"/>; null once the segment was replaced by its packed form.</summary>
    public IDiskFile? Take()
    {
        lock (_gate)
        {
            if (_retired)
            {
                return null;
            }

            _file ??= disk.Open(Path, DiskAccess.Read);
            _readers++;
            return _file;
        }
    }

    public void Release()
    {
        lock (_gate)
        {
            _readers--;
            CloseIfUnused();
        }
    }

    /// <summary>No reader begins here any more; the file is closed with the last one.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _retired = true;
            CloseIfUnused();
        }
    }

    /// <summary>
    /// The frames from the one that holds a position, or from an earlier one, to <paramref name="end"/> (an offset of the raw file; a packed one is
    /// always read to its end).
    /// </summary>
    public abstract FrameSource FramesFrom(IDiskFile file, Lsn lsn, long end, FrameReach reach = FrameReach.Many);

    private void CloseIfUnused()
    {
        if (_retired && _readers == 0)
        {
            _file?.Dispose();
            _file = null;
        }
    }
}

/// <summary>How far a reader of frames means to go: it decides how much is read at once.</summary>
internal enum FrameReach
{
    /// <summary>To the end, or nearly.</summary>
    Many,

    /// <summary>To one record, which begins within a few frames.</summary>
    One,
}

/// <summary>Frames in the order of the file.</summary>
internal abstract class FrameSource : IDisposable
{
    /// <summary>
    /// The next frame; false at the end, and where none stands at <see cref="Offset"/> although the end is further on. Only the header is checked.
    /// </summary>
    public abstract bool TryNext(out Frame frame);

    /// <summary>Where the next frame stands, or the block that it is in.</summary>
    public abstract long Offset { get; }

    public abstract bool AtEnd { get; }

    public abstract void Dispose();
}
