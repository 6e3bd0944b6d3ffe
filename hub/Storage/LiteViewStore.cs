using System.Globalization;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>How the views are kept.</summary>
public sealed record LiteViewOptions
{
    /// <summary>Open shelves; LiteDB keeps up to 22 MB of pages each, so four are less than 100 MB beside hundreds of month files. The default is 4.</summary>
    public int OpenShelvesMax { get; init; } = 4;

    /// <summary>Nothing is written to the views while less than this is free, so that the journal has room. The default is 256 MB.</summary>
    public long FreeBytesMin { get; init; } = 256L << 20;

    /// <summary>Damaged files kept for a look, per shelf; the oldest go. The default is 2.</summary>
    public int AsideMax { get; init; } = 2;

    /// <summary>Pages in a shelf's log before it is emptied into the data file, for shelves created from now on. The default is 1,000: 8 MB.</summary>
    public int CheckpointPages { get; init; } = 1000;

    /// <summary>Told about every shelf that is put aside: its name, the file it was moved to, and why. Called on the owner thread.</summary>
    public Action<string, string, Exception>? PutAside { get; init; }
}

/// <summary>
/// The views in LiteDB files, one a shelf (<c>views/cases-2026-11.db</c> and <c>.log</c>), behind one owner thread. The files are ours underneath
/// (<see cref="PageRecords"/>, <see cref="PageStreams"/>), so that damage is found instead of read. After a crash a shelf may be behind the journal.
/// </summary>
public sealed class LiteViewStore : IViewStore
{
    private const string AsideMark = ".damaged-";

    private readonly IDisk _disk;
    private readonly string _folder;
    private readonly Incarnation _lineage;
    private readonly LiteViewOptions _options;
    private readonly OwnerThread _owner;
    private readonly Dictionary<string, LiteShelf> _open = new(StringComparer.Ordinal);
    private readonly List<string> _openOrder = [];
    private readonly Dictionary<string, Lsn> _known = new(StringComparer.Ordinal);
    private readonly HashSet<string> _damaged = new(StringComparer.Ordinal);
    private long _putAside;

    /// <summary>Opens the folder; <paramref name="lineage"/> is the journal's incarnation: views folded from another journal are put aside.</summary>
    public LiteViewStore(IDisk disk, Incarnation lineage, LiteViewOptions? options = null, string folder = "views")
    {
        _disk = disk;
        _folder = folder;
        _lineage = lineage;
        _options = options ?? new LiteViewOptions();
        DurableFolder.Create(disk, folder);
        _owner = new OwnerThread("views");
    }

    /// <summary>How many shelves were put aside since the start.</summary>
    public long ShelvesPutAside => Interlocked.Read(ref _putAside);

    public IReadOnlyList<string> Shelves => _owner.Call<IReadOnlyList<string>>(() =>
        [.. _disk.List(_folder).Where(name => name.EndsWith(LiteShelf.DataSuffix, StringComparison.Ordinal)).Select(name => name[..^LiteShelf.DataSuffix.Length])]);

    public Lsn AppliedLsn(string shelf)
    {
        ViewLimits.CheckedShelf(shelf);
        try
        {
            return OnShelf(shelf, () => Opened(shelf)?.Applied ?? Lsn.Zero);
        }
        catch (ShelfDamagedException)
        {
            return Lsn.Zero;
        }
    }

    public void Apply(string shelf, IReadOnlyList<ViewDocument> documents, Lsn appliedLsn)
    {
        ViewLimits.Check(shelf, documents);
        OnShelf(shelf, () =>
        {
            if (_disk.FreeBytes is var free && free < _options.FreeBytesMin)
            {
                throw new ViewStoreFullException(free, _options.FreeBytesMin);
            }

            (Opened(shelf) ?? Created(shelf)).Apply(documents, appliedLsn);
            _known[shelf] = appliedLsn;
            return true;
        });
    }

    public ViewDocument? Get(string shelf, UInt128 id)
    {
        ViewLimits.CheckedShelf(shelf);
        return OnShelf(shelf, () => Opened(shelf)?.Get(id));
    }

    public IReadOnlyList<ViewDocument> Page(string shelf, UInt128 after, int most)
    {
        ViewLimits.CheckedShelf(shelf);
        most = Math.Clamp(most, 0, ViewLimits.DocumentsMax);
        return most == 0 ? [] : OnShelf(shelf, () => Opened(shelf)?.Page(after, most) ?? []);
    }

    public void Drop(string shelf)
    {
        ViewLimits.CheckedShelf(shelf);
        _owner.Call(() =>
        {
            Forget(shelf)?.Dispose();
            _damaged.Remove(shelf);
            _known.Remove(shelf);
            DeleteIfThere($"{_folder}/{shelf}{LiteShelf.DataSuffix}");
            DeleteIfThere($"{_folder}/{shelf}{LiteShelf.LogSuffix}");
            _disk.SyncFolder(_folder);
            return true;
        });
    }

    /// <summary>Writes everything out and closes.</summary>
    public void Dispose()
    {
        try
        {
            _owner.Call(() =>
            {
                while (_openOrder.Count > 0)
                {
                    CloseOldest();
                }

                return true;
            });
        }
        catch (ObjectDisposedException)
        {
            // It was closed before.
        }

        _owner.Dispose();
    }

    private T OnShelf<T>(string shelf, Func<T> work) => _owner.Call(() =>
    {
        if (_damaged.Contains(shelf))
        {
            throw new ShelfDamagedException(shelf, "it was found damaged before and is not rebuilt yet.");
        }

        try
        {
            return work();
        }
        catch (Exception failure) when (failure is not (ViewStoreFullException or OutOfMemoryException or NewerFormatException))
        {
            SetAside(shelf, failure);
            throw new ShelfDamagedException(shelf, failure.Message, failure);
        }
    });

    /// <summary>The shelf, opened if it is closed; null where there is none. What it says must be what this process last saw of it.</summary>
    private LiteShelf? Opened(string shelf)
    {
        if (_open.TryGetValue(shelf, out var open))
        {
            _openOrder.Remove(shelf);
            _openOrder.Add(shelf);
            return open;
        }

        var opened = LiteShelf.Open(_disk, _folder, shelf, _lineage);
        var expected = _known.GetValueOrDefault(shelf, opened?.Applied ?? Lsn.Zero);
        if ((opened?.Applied ?? Lsn.Zero) != expected)
        {
            opened?.Dispose();
            throw new InvalidDataException($"its files are applied up to {opened?.Applied ?? Lsn.Zero}, but were up to {expected}: they were deleted or exchanged.");
        }

        if (opened is not null)
        {
            Keep(shelf, opened);
        }

        return opened;
    }

    private LiteShelf Created(string shelf)
    {
        var created = LiteShelf.Create(_disk, _folder, shelf, _lineage, _options.CheckpointPages);
        Keep(shelf, created);
        return created;
    }

    private void Keep(string shelf, LiteShelf opened)
    {
        _open.Add(shelf, opened);
        _openOrder.Add(shelf);
        _known[shelf] = opened.Applied;
        while (_openOrder.Count > _options.OpenShelvesMax)
        {
            CloseOldest();
        }
    }

    private void CloseOldest()
    {
        var shelf = _openOrder[0];
        try
        {
            Forget(shelf)?.Close();
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            SetAside(shelf, failure);
        }
    }

    private LiteShelf? Forget(string shelf)
    {
        _openOrder.Remove(shelf);
        return _open.Remove(shelf, out var open) ? open : null;
    }

    private void SetAside(string shelf, Exception why)
    {
        Forget(shelf)?.Dispose();
        _damaged.Add(shelf);
        Interlocked.Increment(ref _putAside);
        var kept = _disk.List(_folder).Select(name => AsideNumber(name, shelf)).OfType<int>().Distinct().Order().ToList();
        var number = kept.LastOrDefault() + 1;
        var aside = $"{_folder}/{shelf}{LiteShelf.DataSuffix}{AsideMark}{number.ToString(CultureInfo.InvariantCulture)}";
        foreach (var suffix in (string[])[LiteShelf.DataSuffix, LiteShelf.LogSuffix])
        {
            var path = $"{_folder}/{shelf}{suffix}";
            if (_disk.Exists(path))
            {
                _disk.Rename(path, path + AsideMark + number.ToString(CultureInfo.InvariantCulture));
            }

            foreach (var old in kept.Take(kept.Count + 1 - _options.AsideMax))
            {
                DeleteIfThere(path + AsideMark + old.ToString(CultureInfo.InvariantCulture));
            }
        }

        _disk.SyncFolder(_folder);
        _options.PutAside?.Invoke(shelf, aside, why);
    }

    private static int? AsideNumber(string name, string shelf) =>
        (name.StartsWith(shelf + LiteShelf.DataSuffix + AsideMark, StringComparison.Ordinal) || name.StartsWith(shelf + LiteShelf.LogSuffix + AsideMark, StringComparison.Ordinal))
        && int.TryParse(name[(name.LastIndexOf('-') + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    private void DeleteIfThere(string path)
    {
        if (_disk.Exists(path))
        {
            _disk.Delete(path);
        }
    }
}
