#pragma warning disable RS0030 // The one writer of the bare disk is a thread of its own.
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Bench;

/// <summary>
/// The bare disk with a group commit: callers hand in a record each, one thread takes all that wait, appends them with one write, syncs and lets them go.
/// Nothing is decided, kept in memory or checked.
/// </summary>
internal sealed class RawJournal : IDisposable
{
    private const int RecordBytes = 700;

    private readonly IDiskFile _file;
    private readonly bool _isChained;
    private readonly Thread _writer;
    private Hash256 _hash;
    private List<TaskCompletionSource> _waiting = [];
    private bool _stopping;

    /// <param name="disk">Where its file goes.</param>
    /// <param name="isChained">True hashes each record with the hash of the one before it.</param>
    public RawJournal(IDisk disk, bool isChained = false)
    {
        _file = disk.Open($"raw-{Guid.NewGuid():N}", DiskAccess.CreateNew);
        _isChained = isChained;
        _writer = new Thread(Write) { IsBackground = true, Name = "raw journal" };
        _writer.Start();
    }

    /// <summary>Ends when the caller's record is synced.</summary>
    public Task AppendAsync()
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_file)
        {
            _waiting.Add(done);
            Monitor.Pulse(_file);
        }

        return done.Task;
    }

    public void Dispose()
    {
        lock (_file)
        {
            _stopping = true;
            Monitor.Pulse(_file);
        }

        _writer.Join();
        _file.Dispose();
    }

    private void Write()
    {
        long offset = 0;
        var room = Array.Empty<byte>();
        while (Take() is { } batch)
        {
            var bytes = batch.Count * RecordBytes;
            room = room.Length < bytes ? new byte[bytes * 2] : room;
            for (var record = 0; _isChained && record < batch.Count; record++)
            {
                var at = room.AsSpan(record * RecordBytes, RecordBytes);
                _hash.WriteTo(at);
                _hash = Hash256.Of(at);
            }

            _file.Write(offset, room.AsSpan(0, bytes));
            _file.Sync();
            offset += bytes;
            batch.ForEach(done => done.SetResult());
        }
    }

    private List<TaskCompletionSource>? Take()
    {
        lock (_file)
        {
            while (_waiting.Count == 0)
            {
                if (_stopping)
                {
                    return null;
                }

                Monitor.Wait(_file);
            }

            var batch = _waiting;
            _waiting = [];
            return batch;
        }
    }
}
