#pragma warning disable RS0030 // Threads live in Journal/ and Storage/: this one decodes and verifies ahead of a long read.
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace CityGrid.Hub.Journal;

/// <summary>Runs a sequence on a thread of its own, a few items ahead of whoever reads it. It ends with the reader, and its exception comes in its place.</summary>
internal static class ReadAhead
{
    public static IEnumerable<T> Of<T>(IEnumerable<T> source, int items)
    {
        using var ready = new BlockingCollection<T>(items);
        using var stop = new CancellationTokenSource();
        ExceptionDispatchInfo? failure = null;
        var worker = new Thread(() =>
        {
            try
            {
                foreach (var item in source)
                {
                    ready.Add(item, stop.Token);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // The exception is thrown again on the reader's thread.
            catch (Exception thrown)
#pragma warning restore CA1031
            {
                failure = ExceptionDispatchInfo.Capture(thrown);
            }

            ready.CompleteAdding();
        })
        {
            IsBackground = true,
            Name = "journal: read ahead",
        };
        worker.Start();
        try
        {
            foreach (var item in ready.GetConsumingEnumerable())
            {
                yield return item;
            }

            failure?.Throw();
        }
        finally
        {
            stop.Cancel();
            worker.Join();
        }
    }
}
