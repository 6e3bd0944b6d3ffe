#pragma warning disable RS0030 // Threads live in Journal/ and Storage/: this is LiteDB's.
using System.Collections.Concurrent;

namespace CityGrid.Hub.Storage;

/// <summary>
/// The one thread that calls LiteDB, for reads too: concurrent readers broke every version of it, and a transaction belongs to its thread.
/// Work waits in a bounded queue; a caller waits for its answer.
/// </summary>
internal sealed class OwnerThread : IDisposable
{
    /// <summary>1,024 reads of 15 µs are 15 ms; beyond that callers wait at the door.</summary>
    private const int QueueMax = 1024;

    private readonly BlockingCollection<Action> _work = new(QueueMax);
    private readonly Thread _thread;
    private int _disposed;

    public OwnerThread(string name)
    {
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Runs the work on the owner thread and returns what it returns, or throws what it throws.</summary>
    public T Call<T>(Func<T> work)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            _work.Add(() => Answer(work, answer));
        }
        catch (InvalidOperationException)
        {
            throw new ObjectDisposedException(nameof(OwnerThread));
        }

        return answer.Task.GetAwaiter().GetResult();
    }

    /// <summary>Finishes what waits and ends the thread.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
        {
            return;
        }

        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }

    private static void Answer<T>(Func<T> work, TaskCompletionSource<T> answer)
    {
        try
        {
            answer.SetResult(work());
        }
        catch (Exception failure)
        {
            answer.SetException(failure);
        }
    }

    private void Run()
    {
        foreach (var work in _work.GetConsumingEnumerable())
        {
            work();
        }
    }
}
