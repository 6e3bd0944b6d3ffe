#pragma warning disable RS0030 // Threads live in Journal/ and Storage/: this is LiteDB's.
using System.Runtime.ExceptionServices;

namespace CityGrid.Hub.Storage;

/// <summary>
/// The one thread that calls LiteDB, for reads too: concurrent readers broke every version of it, and a transaction belongs to its thread.
/// Work waits in a bounded queue; a caller waits for its answer.
/// </summary>
internal sealed class OwnerThread : IDisposable
{
    /// <summary>1,024 reads of 15 µs are 15 ms; beyond that callers wait at the door.</summary>
    private const int QueueMax = 1024;

    // A monitor and no event or semaphore of the library: those turn in circles for a while before they wait, on cores that others need.
    private readonly object _door = new();
    private readonly Queue<Work> _waiting = new();
    private readonly Thread _thread;
    private bool _closed;

    public OwnerThread(string name)
    {
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Runs the work on the owner thread and returns what it returns, or throws what it throws.</summary>
    public T Call<T>(Func<T> work)
    {
        var call = new Work<T>(work);
        lock (_door)
        {
            while (_waiting.Count >= QueueMax && !_closed)
            {
                Monitor.Wait(_door);
            }

            ObjectDisposedException.ThrowIf(_closed, this);
            _waiting.Enqueue(call);
            Monitor.PulseAll(_door);
        }

        return call.Result();
    }

    /// <summary>Finishes what waits and ends the thread.</summary>
    public void Dispose()
    {
        lock (_door)
        {
            _closed = true;
            Monitor.PulseAll(_door);
        }

        _thread.Join();
    }

    private void Run()
    {
        while (Next() is { } work)
        {
            work.Run();
        }
    }

    private Work? Next()
    {
        lock (_door)
        {
            while (_waiting.Count == 0 && !_closed)
            {
                Monitor.Wait(_door);
            }

            if (_waiting.Count == QueueMax)
            {
                Monitor.PulseAll(_door);
            }

            return _waiting.TryDequeue(out var work) ? work : null;
        }
    }

    private abstract class Work
    {
        public abstract void Run();
    }

    private sealed class Work<T>(Func<T> work) : Work
    {
        // Of this call alone: the same delegate may be called by several at once.
        private readonly object _ended = new();
        private T? _result;
        private ExceptionDispatchInfo? _failure;
        private bool _done;

        public override void Run()
        {
            try
            {
                _result = work();
            }
            catch (Exception failure)
            {
                _failure = ExceptionDispatchInfo.Capture(failure);
            }

            lock (_ended)
            {
                _done = true;
                Monitor.Pulse(_ended);
            }
        }

        public T Result()
        {
            lock (_ended)
            {
                while (!_done)
                {
                    Monitor.Wait(_ended);
                }
            }

            _failure?.Throw();
            return _result!;
        }
    }
}
