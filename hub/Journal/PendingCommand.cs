using NodaTime;

namespace CityGrid.Hub.Journal;

/// <summary>A command that waits for the writer, is decided on it, and is answered once what it appended is durable and folded.</summary>
internal abstract class PendingCommand
{
    public abstract IReadOnlyCollection<Touched> Touches { get; }

    public IReadOnlyList<RecordDraft> Records { get; protected set; } = [];

    /// <summary>False when deciding failed and the caller has been told.</summary>
    public abstract bool Decide(Instant now);

    public abstract void Answer(IReadOnlyList<LsnRange> ranges);

    public abstract void Fail(Exception reason);

    /// <summary>Ends the task that the caller waits for, which goes on here.</summary>
    public abstract void LetGo();
}

/// <summary>Its caller waits for a task, or is called back on the writer.</summary>
internal sealed class PendingCommand<TAnswer>(Command<TAnswer> command, TaskCompletionSource<TAnswer>? completion, Action<TAnswer>? answered) : PendingCommand
{
    private Decision<TAnswer>? _decision;
    private TAnswer _answer = default!;

    public TaskCompletionSource<TAnswer>? Completion { get; } = completion;

    public override IReadOnlyCollection<Touched> Touches => command.Touches;

    public override bool Decide(Instant now)
    {
        try
        {
            _decision = command.Decide(now);
            Records = _decision.Records;
            if (Records.Count > JournalLimits.BatchRecordsMax)
            {
                throw new InvalidOperationException($"A command may append {JournalLimits.BatchRecordsMax} records; this one wants {Records.Count}.");
            }

            // The journal would refuse the whole batch, and with it what others asked for.
            for (var i = 0; i < Records.Count; i++)
            {
                if (JournalRules.Problem(Records[i]) is { } problem)
                {
                    throw new InvalidOperationException($"A command decided on a record that no journal keeps: {problem}. Nothing was appended.");
                }
            }

            return true;
        }
#pragma warning disable CA1031 // A fault in one decision is that caller's answer and nobody else's.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            Fail(failure);
            return false;
        }
    }

    public override void Answer(IReadOnlyList<LsnRange> ranges)
    {
        _answer = _decision!.Answer(ranges);
        answered?.Invoke(_answer);
    }

    public override void LetGo() => Completion?.TrySetResult(_answer);

    public override void Fail(Exception reason)
    {
        if (Completion?.Task.CreationOptions == TaskCreationOptions.RunContinuationsAsynchronously)
        {
            Completion.TrySetException(reason);
        }
        else if (Completion is { } waiting)
        {
            // It may be the writer that tells, and the caller must not go on there.
            ThreadPool.UnsafeQueueUserWorkItem(static failed => failed.waiting.TrySetException(failed.reason), (waiting, reason), preferLocal: false);
        }
    }
}

/// <summary>The ranges of one command among those of its batch.</summary>
internal sealed class LsnRangeSlice(IReadOnlyList<LsnRange> all, int first, int count) : IReadOnlyList<LsnRange>
{
    public int Count => count;

    public LsnRange this[int index] => index >= 0 && index < count ? all[first + index] : throw new ArgumentOutOfRangeException(nameof(index));

    public IEnumerator<LsnRange> GetEnumerator()
    {
        for (var i = 0; i < count; i++)
        {
            yield return all[first + i];
        }
    }

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
}
