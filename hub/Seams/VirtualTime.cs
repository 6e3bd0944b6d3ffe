namespace CityGrid.Hub.Seams;

/// <summary>
/// Virtual time and the one run queue of a simulation: everything that happens is an action at a time, and actions run in the order of (time,
/// number). One thread runs them, without waiting: a month passes as fast as its actions run. Where a server's threads live by it, they may set actions from
/// any of them.
/// </summary>
public sealed class VirtualTime
{
    private readonly PriorityQueue<Action, (long Ticks, long Number)> _queue = new();
    private readonly Lock _lock = new();
    private long _number;
    private long _ticks;

    public VirtualTime(DateTimeOffset start) => _ticks = start.UtcTicks;

    /// <summary>Now, as UTC ticks of the simulation's own clock.</summary>
    public long UtcTicks => Volatile.Read(ref _ticks);

    /// <summary>Actions run so far.</summary>
    public long Steps { get; private set; }

    public bool IsIdle
    {
        get
        {
            lock (_lock)
            {
                return _queue.Count == 0;
            }
        }
    }

    /// <summary>Runs <paramref name="action"/> after <paramref name="delay"/>; a negative delay is none.</summary>
    public void After(TimeSpan delay, Action action)
    {
        lock (_lock)
        {
            _queue.Enqueue(action, (_ticks + Math.Max(0, delay.Ticks), _number++));
        }
    }

    /// <summary>Runs the next action; false when there is none.</summary>
    public bool Step() => Step(long.MaxValue);

    /// <summary>Runs everything that is due within <paramref name="span"/> and ends with the clock moved by it.</summary>
    public void Run(TimeSpan span)
    {
        var end = UtcTicks + span.Ticks;
        while (Step(end))
        {
            // Each may set further ones that are due within the span.
        }

        Volatile.Write(ref _ticks, end);
    }

    private bool Step(long end)
    {
        Action? action;
        lock (_lock)
        {
            if (!_queue.TryPeek(out action, out var due) || due.Ticks > end)
            {
                return false;
            }

            _queue.Dequeue();
            Volatile.Write(ref _ticks, Math.Max(_ticks, due.Ticks));
        }

        Steps++;
        action();
        return true;
    }
}

/// <summary>
/// A node's view of <see cref="VirtualTime"/>: its wall clock may be wrong by <see cref="Offset"/>, may jump, and may run fast or slow; its monotonic
/// clock never goes back. Timers run on the simulation's queue, for as long as this clock says.
/// </summary>
public sealed class VirtualClock(VirtualTime time) : TimeProvider
{
    private const int TrueRate = 1000;

    private long _sinceTrue = time.UtcTicks;
    private long _sinceOwn = time.UtcTicks;
    private int _rate = TrueRate;

    /// <summary>How far this node's wall clock is from the truth, beside what its rate has made of it.</summary>
    public TimeSpan Offset { get; set; }

    /// <summary>How fast this clock runs, in thousandths of true time; timers that run already keep the length they were given.</summary>
    public int RateOf1000
    {
        get => _rate;
        set => (_sinceOwn, _sinceTrue, _rate) = (OwnTicks, time.UtcTicks, value);
    }

    /// <summary>Called after each timer of this clock has rung: whoever drives a node by hand lets it work then.</summary>
    public Action? Rang { get; set; }

    /// <summary>An odd rate, so that code which takes timestamps for ticks is found out.</summary>
    public override long TimestampFrequency => 7_000_000;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    private long OwnTicks => _sinceOwn + ((time.UtcTicks - _sinceTrue) * _rate / TrueRate);

    /// <summary>The wall clock is set right: true time, at its pace.</summary>
    public void SetRight()
    {
        RateOf1000 = TrueRate;
        Offset = TimeSpan.FromTicks(time.UtcTicks - OwnTicks);
    }

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(OwnTicks, TimeSpan.Zero) + Offset;

    public override long GetTimestamp() => (long)((Int128)OwnTicks * TimestampFrequency / TimeSpan.TicksPerSecond);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new VirtualTimer(this, callback, state, dueTime, period);

    private void After(TimeSpan delay, Action action) => time.After(TimeSpan.FromTicks(((delay.Ticks * TrueRate) + _rate - 1) / _rate), action);

    private sealed class VirtualTimer : ITimer
    {
        private readonly VirtualClock _clock;
        private readonly TimerCallback _callback;
        private readonly object? _state;
        private long _generation;

        public VirtualTimer(VirtualClock clock, TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_clock, _callback, _state) = (clock, callback, state);
            Change(dueTime, period);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _generation++;
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                Plan(dueTime, period, _generation);
            }

            return true;
        }

        public void Dispose() => _generation++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Plan(TimeSpan delay, TimeSpan period, long generation) => _clock.After(delay, () =>
        {
            if (generation != _generation)
            {
                return;
            }

            _callback(_state);
            _clock.Rang?.Invoke();
            if (period != Timeout.InfiniteTimeSpan && period > TimeSpan.Zero && generation == _generation)
            {
                Plan(period, period, generation);
            }
        });
    }
}

/// <summary>Background work of a simulated node: started as one more action of the run queue, on the simulation's only thread.</summary>
public sealed class VirtualSpawner(VirtualTime time) : ISpawner
{
    /// <summary>Cancelled when the simulated process dies; work that has not started by then never does.</summary>
    public CancellationToken Lifetime { get; init; }

    public void Spawn(string name, Func<CancellationToken, Task> work) => time.After(TimeSpan.Zero, () =>
    {
        if (Lifetime.IsCancellationRequested)
        {
            return;
        }

        var task = work(Lifetime);
        if (task.IsFaulted)
        {
            throw new InvalidOperationException($"Background work '{name}' failed.", task.Exception);
        }
    });
}

/// <summary>Background work on the thread pool; what escapes it goes to <paramref name="fatal"/>.</summary>
public sealed class PoolSpawner(CancellationToken lifetime, Action<string, Exception> fatal) : ISpawner
{
    public void Spawn(string name, Func<CancellationToken, Task> work)
    {
#pragma warning disable RS0030 // This is the adapter behind ISpawner.
        _ = Task.Run(() => RunAsync(name, work), CancellationToken.None);
#pragma warning restore RS0030
    }

    /// <summary>On a thread of its own with a tenth of a core where others want all of it.</summary>
    public void SpawnBehind(string name, Action<CancellationToken> work)
    {
#pragma warning disable RS0030 // A thread of the pool could not be weighed: it would do everybody's work as slowly afterwards.
        var thread = new Thread(() =>
        {
            PosixNative.WeighLess();
            RunAsync(name, Done).GetAwaiter().GetResult();
        })
        { Name = name, IsBackground = true };
        try
        {
            thread.Start();
        }
#pragma warning restore RS0030
        catch (Exception none) when (none is OutOfMemoryException or ThreadStartException)
        {
            // The system has no more threads for this process; the pool has some.
            Spawn(name, Done);
        }

        Task Done(CancellationToken stop)
        {
            work(stop);
            return Task.CompletedTask;
        }
    }

    private async Task RunAsync(string name, Func<CancellationToken, Task> work)
    {
        try
        {
            await work(lifetime);
        }
        catch (OperationCanceledException) when (lifetime.IsCancellationRequested)
        {
            // The node is stopping.
        }
#pragma warning disable CA1031 // Whatever it is, the node's fatal handler decides.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            fatal(name, failure);
        }
    }
}
