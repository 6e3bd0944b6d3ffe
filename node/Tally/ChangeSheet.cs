using CityGrid.Hub.Cells;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Tally;

/// <summary>The contributions of one event that counts in several places, gathered by the cell that they fall into.</summary>
internal sealed class ChangeSheet
{
    private readonly List<Heap> _heaps = new(2);

    public void Add(Spot spot, in Contribution one, int sign)
    {
        var heap = HeapOf(spot, one.Day);
        if (one.IsDuration)
        {
            heap.Durations.Add(new DurationChange(one.Id, one.Value, sign * one.Times));
        }
        else
        {
            heap.Counters.Add(new CounterChange(one.Id, sign * one.Value));
        }
    }

    /// <summary>The changes at both grains; where a correction changes nothing at the coarser one, it says nothing there.</summary>
    public IReadOnlyList<CellChange> ToChanges(NodeId origin, DivisionCode place, SourceCode source, SourceCode allSources)
    {
        var changes = new List<CellChange>(_heaps.Count * 2);
        foreach (var heap in _heaps)
        {
            changes.Add(new CellChange(new CellKey(origin, Grain.Detail, heap.Spot.Type, heap.Spot.Division, heap.Day, source), heap.Counters, heap.Durations));
        }

        foreach (var heap in AreApart() ? _heaps : Coarser(place))
        {
            changes.Add(new CellChange(new CellKey(origin, Grain.National, heap.Spot.Type, place, heap.Day, allSources), heap.Counters, heap.Durations));
        }

        return changes;
    }

    /// <summary>True where no two heaps fall into one cell of the coarser grain: nearly always.</summary>
    private bool AreApart()
    {
        for (var i = 1; i < _heaps.Count; i++)
        {
            for (var k = 0; k < i; k++)
            {
                if (_heaps[i].Day == _heaps[k].Day && _heaps[i].Spot.Type == _heaps[k].Spot.Type)
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>The heaps with the division forgotten: what was taken from one division and added to another cancels out.</summary>
    private List<Heap> Coarser(DivisionCode place)
    {
        var coarser = new List<Heap>();
        foreach (var together in _heaps.GroupBy(heap => (heap.Spot.Type, heap.Day)))
        {
            var heap = new Heap(new Spot(together.Key.Type, place), together.Key.Day);
            heap.Counters.AddRange(together.SelectMany(h => h.Counters)
                .GroupBy(c => c.Counter).Select(c => new CounterChange(c.Key, c.Sum(x => x.Delta))).Where(c => c.Delta != 0));
            heap.Durations.AddRange(together.SelectMany(h => h.Durations)
                .GroupBy(d => (d.Histogram, d.Seconds)).Select(d => new DurationChange(d.Key.Histogram, d.Key.Seconds, d.Sum(x => x.Delta))).Where(d => d.Delta != 0));
            if (heap.Counters.Count > 0 || heap.Durations.Count > 0)
            {
                coarser.Add(heap);
            }
        }

        return coarser;
    }

    private Heap HeapOf(Spot spot, StatDay day)
    {
        var known = _heaps.Find(heap => heap.Day == day && heap.Spot == spot);
        if (known is null)
        {
            _heaps.Add(known = new Heap(spot, day));
        }

        return known;
    }

    private sealed record Heap(Spot Spot, StatDay Day)
    {
        public List<CounterChange> Counters { get; } = new(6);

        public List<DurationChange> Durations { get; } = [];
    }
}
