using System.Runtime.InteropServices;
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

    /// <summary>Rises with each touch of any cell: in this order the cells' last events came.</summary>
    public long Touched { get; set; }
}

/// <summary>
/// The own cells that the events of a batch fall into, taken apart once and written once: at a replay, where nobody reads between two events, a cell
/// costs its bytes once for thousands of events. They are written in the order of their last event, which is the order of change.
/// </summary>
internal sealed class GatheredCells
{
    /// <summary>At some 600 B a cell that is taken apart, 1.2 MB: more of them gain nothing, for they are past a core's own cache, and the collector has more to carry.</summary>
    public const int CountMax = 2048;

    /// <summary>Kept for the next batch: as many as a busy second of a city falls into.</summary>
    private const int FreeMax = 256;

    private readonly Dictionary<long, GatheredCell> _byPlace = [];
    private readonly Stack<GatheredCell> _free = new();
    private long _touches;

    public int Count => _byPlace.Count;

    /// <summary>About what they take: their drafts' arrays, the objects round them and the entries of the table.</summary>
    public long Bytes => ((_byPlace.Count + _free.Count) * 600L) + (_byPlace.EnsureCapacity(0) * 28L);

    /// <summary>The cell of a series on a day, from now on the one touched last; <paramref name="isNew"/> where it was not gathered yet, and its draft is empty.</summary>
    public GatheredCell Touch(int series, int day, out bool isNew)
    {
        ref var at = ref CollectionsMarshal.GetValueRefOrAddDefault(_byPlace, PlaceOf(series, day), out var known);
        isNew = !known;
        if (at is not { } cell)
        {
            at = cell = _free.TryPop(out var free) ? free : new GatheredCell();
            (cell.Series, cell.Day, cell.Changed) = (series, day, 0);
            cell.Draft.Clear();
        }

        cell.Touched = ++_touches;
        return cell;
    }

    /// <summary>All of them, the one whose last event lies furthest back first.</summary>
    public IReadOnlyList<GatheredCell> InOrder()
    {
        GatheredCell[] cells = [.. _byPlace.Values];
        Array.Sort(Array.ConvertAll(cells, cell => cell.Touched), cells);
        return cells;
    }

    /// <summary>Lets go of one, which may be used until the next call of <see cref="Touch"/>.</summary>
    public void Remove(GatheredCell cell)
    {
        _byPlace.Remove(PlaceOf(cell.Series, cell.Day));
        _free.Push(cell);
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

    /// <summary>Days before 1970 are below zero.</summary>
    private static long PlaceOf(int series, int day) => ((long)series << 32) | unchecked((uint)day);
}
