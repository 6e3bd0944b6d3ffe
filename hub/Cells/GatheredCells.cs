using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>A cell that events are being added to, and what its last event left of it.</summary>
internal sealed class GatheredCell
{
    public CellDraft Draft { get; } = new();

    public int Series { get; set; }

    public int Day { get; set; }

    /// <summary>The cell's number in the store, or -1.</summary>
    public int Cell { get; set; }

    public Revision Revision { get; set; }

    public Lsn Local { get; set; }

    /// <summary>The position of the last event that made the value another, 0 for none.</summary>
    public long Changed { get; set; }
}

/// <summary>
/// The own cells that the events of a batch fall into, taken apart once and written once: at a replay, where nobody reads between two events, a cell
/// costs its bytes once for thousands of events. In the order of their last event, which is the order of change.
/// </summary>
internal sealed class GatheredCells
{
    /// <summary>At about 1 kB a cell that is taken apart, 8 MB.</summary>
    public const int CountMax = 8192;

    /// <summary>Kept for the next batch: as many as a busy second of a city falls into.</summary>
    private const int FreeMax = 256;

    private readonly Dictionary<long, LinkedListNode<GatheredCell>> _byPlace = [];
    private readonly LinkedList<GatheredCell> _order = new();
    private readonly Stack<LinkedListNode<GatheredCell>> _free = new();

    public int Count => _order.Count;

    /// <summary>About what they take: their drafts' arrays, the objects round them and the entries of the table.</summary>
    public long Bytes => ((_order.Count + _free.Count) * 1_000L) + (_byPlace.EnsureCapacity(0) * 28L);

    /// <summary>The cell of a series on a day, from now on the one touched last; <paramref name="isNew"/> where it was not gathered yet, and its draft is empty.</summary>
    public GatheredCell Touch(int series, int day, out bool isNew)
    {
        var place = ((long)series << 32) | (uint)day;
        isNew = !_byPlace.TryGetValue(place, out var node);
        if (node is null)
        {
            node = _free.TryPop(out var free) ? free : new LinkedListNode<GatheredCell>(new GatheredCell());
            (node.Value.Series, node.Value.Day, node.Value.Changed) = (series, day, 0);
            node.Value.Draft.Clear();
            _byPlace.Add(place, node);
            _order.AddLast(node);
        }
        else if (node.Next is not null)
        {
            _order.Remove(node);
            _order.AddLast(node);
        }

        return node.Value;
    }

    /// <summary>Takes the one whose last event lies furthest back; it may be used until the next call of <see cref="Touch"/>.</summary>
    public GatheredCell Take()
    {
        var node = _order.First!;
        _order.RemoveFirst();
        _byPlace.Remove(((long)node.Value.Series << 32) | (uint)node.Value.Day);
        _free.Push(node);
        return node.Value;
    }

    /// <summary>Lets go of memory that only a replay needs. Nothing may be gathered.</summary>
    public void Trim()
    {
        if (_free.Count > FreeMax)
        {
            while (_free.Count > FreeMax)
            {
                _free.Pop();
            }

            _free.TrimExcess();
            _byPlace.TrimExcess(FreeMax);
        }
    }
}
