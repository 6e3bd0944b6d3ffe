using System.Collections.Concurrent;

namespace CityGrid.Node.Uplink;

/// <summary>
/// What happens to a pure core, brought by many threads and taken one at a time in order: whoever brings something takes all that waits, unless another is at it, who then takes that
/// too. Nobody waits for anybody.
/// </summary>
public sealed class InputQueue<TInput>(Action<TInput> take)
{
    private readonly ConcurrentQueue<TInput> _waiting = new();
    private int _taking;
    private volatile bool _stopped;

    /// <summary>For whoever is taking one: it is taken after what waits.</summary>
    public void Add(TInput input) => _waiting.Enqueue(input);

    /// <summary>Brings one.</summary>
    public void Bring(TInput input)
    {
        _waiting.Enqueue(input);
        while (!_waiting.IsEmpty && Interlocked.CompareExchange(ref _taking, 1, 0) == 0)
        {
            try
            {
                while (!_stopped && _waiting.TryDequeue(out var next))
                {
                    take(next);
                }

                if (_stopped)
                {
                    _waiting.Clear();
                }
            }
            finally
            {
                Volatile.Write(ref _taking, 0);
            }
        }
    }

    /// <summary>Nothing is taken any more.</summary>
    public void Stop() => _stopped = true;
}
