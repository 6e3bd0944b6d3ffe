#pragma warning disable RS0030 // Threads live in Journal/ and Storage/: this one decodes and verifies ahead of a long read.
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace CityGrid.Hub.Journal;

/// <summary>
/// Runs a sequence on a thread of its own, a few items ahead of whoever reads it. It ends with the reader, and its exception comes in its place. What is
/// made of an item is made there too, but where the reader stands waiting: then it makes it itself, so that neither of the two is idle while the other works.
/// </summary>
internal static class ReadAhead
{
    public static IEnumerable<TMade> Of<T, TMade>(IEnumerable<T> source, Func<T, TMade> make, int items)
    {
        using var ready = new BlockingCollection<(T? Item, TMade? Made, bool IsMade)>(items);
        using var stop = new CancellationTokenSource();
        ExceptionDispatchInfo? failure = null;
        var worker = new Thread(() =>
        {
            try
            {
                foreach (var item in source)
                {
                    var readerWaits = ready.Count == 0;
                    ready.Add(readerWaits ? (item, default, false) : (default, make(item), true), stop.Token);
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
            foreach (var (item, made, isMade) in ready.GetConsumingEnumerable())
            {
                yield return isMade ? made! : make(item!);
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
