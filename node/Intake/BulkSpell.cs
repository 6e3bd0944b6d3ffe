using CityGrid.Node.Cases;

namespace CityGrid.Node.Intake;

/// <summary>
/// A stretch of time in which large imports come in and the view may lag: from the first request to a pause after the last. Entering and leaving may
/// come from any thread.
/// </summary>
internal sealed class BulkSpell(CaseDesk desk, TimeProvider clock, TimeSpan pause) : IDisposable
{
    private readonly Lock _lock = new();
    private int _under;
    private IDisposable? _bulk;
    private ITimer? _ending;

    /// <summary>A request is under way until what this returns is disposed.</summary>
    public IDisposable Enter()
    {
        lock (_lock)
        {
            _under++;
            _bulk ??= desk.Bulk();
        }

        return new Stay(this);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _ending?.Dispose();
            _bulk?.Dispose();
            (_ending, _bulk) = (null, null);
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            if (--_under == 0)
            {
                _ending ??= clock.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _ending.Change(pause, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void End()
    {
        lock (_lock)
        {
            if (_under == 0)
            {
                _bulk?.Dispose();
                _bulk = null;
            }
        }
    }

    private sealed class Stay(BulkSpell spell) : IDisposable
    {
        public void Dispose() => spell.Leave();
    }
}
