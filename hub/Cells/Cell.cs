using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>A change to one counter of a cell.</summary>
public readonly record struct CounterChange(ushort Counter, long Delta);

/// <summary>A change to one histogram of a cell: a whole number of seconds counted in (+1) or withdrawn (-1).</summary>
public readonly record struct DurationChange(ushort Histogram, long Seconds, long Delta);

/// <summary>What one event changes in one of the origin's own cells.</summary>
public readonly record struct CellChange(CellKey Key, IReadOnlyList<CounterChange> Counters, IReadOnlyList<DurationChange> Durations)
{
    /// <summary>False where all that is added is taken away again, in each counter and each bucket.</summary>
    internal bool ChangesValue()
    {
        var (raises, lowers) = (false, false);
        for (var i = 0; i < Counters.Count; i++)
        {
            raises |= Counters[i].Delta > 0;
            lowers |= Counters[i].Delta < 0;
        }

        for (var i = 0; i < Durations.Count; i++)
        {
            raises |= Durations[i].Delta > 0;
            lowers |= Durations[i].Delta < 0;
        }

        return raises != lowers || (raises && !CancelsOut());
    }

    /// <summary>Throws where an id is 0, which names nothing.</summary>
    internal void Check()
    {
        for (var i = 0; i < Counters.Count; i++)
        {
            ArgumentOutOfRangeException.ThrowIfZero(Counters[i].Counter);
        }

        for (var i = 0; i < Durations.Count; i++)
        {
            ArgumentOutOfRangeException.ThrowIfZero(Durations[i].Histogram);
        }
    }

    internal void AddTo(CellDraft draft)
    {
        // By index: an enumerator for each of the two lists would be made anew for every cell of every event.
        for (var i = 0; i < Counters.Count; i++)
        {
            var (counter, delta) = Counters[i];
            draft.Add(counter, delta);
        }

        for (var i = 0; i < Durations.Count; i++)
        {
            var (histogram, seconds, delta) = Durations[i];
            draft.AddDuration(histogram, seconds, delta);
        }
    }

    private bool CancelsOut() =>
        Counters.GroupBy(c => c.Counter).All(c => c.Aggregate(0L, (sum, one) => unchecked(sum + one.Delta)) == 0)
        && Durations.GroupBy(d => (d.Histogram, DurationEdges.BucketOf(d.Seconds))).All(d => d.Aggregate(0L, (sum, one) => unchecked(sum + one.Delta)) == 0);
}
