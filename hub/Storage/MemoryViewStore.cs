using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>
/// Views in memory, for simulation and tests. A crash of the simulated node keeps the object (nothing lost), takes an earlier
/// <see cref="Copy"/> (the view is behind), or makes a new one (the views are gone); <see cref="Spoil"/> damages a shelf.
/// </summary>
public sealed class MemoryViewStore : IViewStore
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Shelf> _shelves = new(StringComparer.Ordinal);
    private readonly HashSet<string> _damaged = new(StringComparer.Ordinal);

    public IReadOnlyList<string> Shelves
    {
        get
        {
            lock (_lock)
            {
                return [.. _shelves.Keys];
            }
        }
    }

    public Lsn AppliedLsn(string shelf)
    {
        ViewLimits.CheckedShelf(shelf);
        lock (_lock)
        {
            return _shelves.TryGetValue(shelf, out var found) ? found.Applied : Lsn.Zero;
        }
    }

    public void Apply(string shelf, IReadOnlyList<ViewDocument> documents, Lsn appliedLsn)
    {
        ViewLimits.Check(shelf, documents);
        lock (_lock)
        {
            RequireSound(shelf);
            if (!_shelves.TryGetValue(shelf, out var found))
            {
                _shelves[shelf] = found = new Shelf();
            }

            foreach (var document in documents)
            {
                found.Ids.Add(document.Id);
                found.Documents[document.Id] = document;
            }

            found.Applied = appliedLsn;
        }
    }

    public ViewDocument? Get(string shelf, UInt128 id)
    {
        ViewLimits.CheckedShelf(shelf);
        lock (_lock)
        {
            RequireSound(shelf);
            return _shelves.TryGetValue(shelf, out var found) ? found.Documents.GetValueOrDefault(id) : null;
        }
    }

    public IReadOnlyList<ViewDocument> Page(string shelf, UInt128 after, int most)
    {
        ViewLimits.CheckedShelf(shelf);
        most = Math.Clamp(most, 0, ViewLimits.DocumentsMax);
        lock (_lock)
        {
            RequireSound(shelf);
            return after == UInt128.MaxValue || most == 0 || !_shelves.TryGetValue(shelf, out var found)
                ? []
                : [.. found.Ids.GetViewBetween(after + 1, UInt128.MaxValue).Take(most).Select(id => found.Documents[id])];
        }
    }

    public void Drop(string shelf)
    {
        ViewLimits.CheckedShelf(shelf);
        lock (_lock)
        {
            _shelves.Remove(shelf);
            _damaged.Remove(shelf);
        }
    }

    /// <summary>Lets the shelf be found damaged, as a sick disk would.</summary>
    public void Spoil(string shelf)
    {
        lock (_lock)
        {
            _shelves.Remove(shelf);
            _damaged.Add(shelf);
        }
    }

    /// <summary>The views as they stand now; later changes to either do not touch the other.</summary>
    public MemoryViewStore Copy()
    {
        var copy = new MemoryViewStore();
        lock (_lock)
        {
            foreach (var (name, shelf) in _shelves)
            {
                copy._shelves[name] = new Shelf { Applied = shelf.Applied, Ids = [.. shelf.Ids], Documents = new(shelf.Documents) };
            }
        }

        return copy;
    }

    public void Dispose()
    {
    }

    private void RequireSound(string shelf)
    {
        if (_damaged.Contains(shelf))
        {
            throw new ShelfDamagedException(shelf, "it was found damaged and is not rebuilt yet.");
        }
    }

    private sealed class Shelf
    {
        public Lsn Applied { get; set; }

        public SortedSet<UInt128> Ids { get; init; } = [];

        public Dictionary<UInt128, ViewDocument> Documents { get; init; } = [];
    }
}
