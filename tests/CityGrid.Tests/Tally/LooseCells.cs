using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Tally;

/// <summary>Cells as plain sums of changes, durations kept to the second.</summary>
internal sealed class LooseCells
{
    private readonly Dictionary<CellKey, SortedDictionary<(int Kind, int Id, long Seconds), long>> _cells = [];

    public static LooseCells Of(IEnumerable<CellChange> changes)
    {
        var cells = new LooseCells();
        foreach (var change in changes)
        {
            cells.Add(change);
        }

        return cells;
    }

    public IEnumerable<CellKey> Keys => _cells.Keys;

    public void Add(CellChange change)
    {
        if (!_cells.TryGetValue(change.Key, out var cell))
        {
            _cells.Add(change.Key, cell = []);
        }

        foreach (var counter in change.Counters)
        {
            Add(cell, (0, counter.Counter, 0), counter.Delta);
        }

        foreach (var duration in change.Durations)
        {
            Add(cell, (1, duration.Histogram, duration.Seconds), duration.Delta);
        }
    }

    public long this[CellKey key, Counter counter] => _cells.TryGetValue(key, out var cell) ? cell.GetValueOrDefault((0, counter.Id, 0)) : 0;

    public IEnumerable<(long Seconds, long Count)> Bars(CellKey key, Histogram histogram) =>
        _cells[key].Where(v => v.Key.Kind == 1 && v.Key.Id == histogram.Id).Select(v => (v.Key.Seconds, v.Value));

    /// <summary>The sum of a counter over the cells of a grain that fit.</summary>
    public long Sum(Grain grain, Counter counter, Func<CellKey, bool>? fits = null) =>
        _cells.Keys.Where(k => k.Grain == grain && (fits?.Invoke(k) ?? true)).Sum(k => this[k, counter]);

    /// <summary>Cells that are not all zero, as text in order, to be compared whole.</summary>
    public string[] ToLines() =>
    [
        .. _cells.Where(c => c.Value.Count > 0).Select(c => $"{c.Key}: {string.Join(' ', c.Value.Select(v => $"{v.Key.Kind}.{v.Key.Id}.{v.Key.Seconds}={v.Value}"))}").Order(StringComparer.Ordinal),
    ];

    /// <summary>No counter and no bar is below zero, and the bars of each histogram add up to its counters.</summary>
    public void AreSound()
    {
        foreach (var (key, cell) in _cells)
        {
            foreach (var (what, value) in cell)
            {
                Assert.That(value, Is.Positive, $"{key} {what}");
            }

            foreach (var histogram in Histogram.All)
            {
                var bars = cell.Where(v => v.Key.Kind == 1 && v.Key.Id == histogram.Id).ToList();
                Assert.That(bars.Sum(b => b.Value), Is.EqualTo(this[key, histogram.Total]), $"{key} {histogram.Name}");
                Assert.That(bars.Sum(b => b.Value * b.Key.Seconds), Is.EqualTo(this[key, histogram.Seconds]), $"{key} {histogram.Name}");
            }
        }
    }

    private static void Add(SortedDictionary<(int Kind, int Id, long Seconds), long> cell, (int Kind, int Id, long Seconds) what, long by)
    {
        var value = cell.GetValueOrDefault(what) + by;
        if (value == 0)
        {
            cell.Remove(what);
        }
        else
        {
            cell[what] = value;
        }
    }
}
