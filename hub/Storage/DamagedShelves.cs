namespace CityGrid.Hub.Storage;

/// <summary>
/// The shelves that were found damaged and put aside since the start: counted, and told. A store finds some before there is anybody to tell; those wait for him. For
/// many threads.
/// </summary>
public sealed class DamagedShelves
{
    private readonly Lock _lock = new();
    private readonly List<(string File, string Why)> _untold = [];
    private Action<string, string>? _told;
    private long _count;

    public long Count => Interlocked.Read(ref _count);

    /// <summary>Is told the file that a shelf was moved to and why, of those before as well; must be quick and must not throw.</summary>
    public Action<string, string>? Told
    {
        get => _told;
        set
        {
            lock (_lock)
            {
                _told = value;
                if (value is not null)
                {
                    _untold.ForEach(one => value(one.File, one.Why));
                    _untold.Clear();
                }
            }
        }
    }

    /// <summary>What <see cref="LiteViewOptions.PutAside"/> is told.</summary>
    public void Add(string shelf, string file, Exception why)
    {
        lock (_lock)
        {
            _count++;
            if (_told is { } told)
            {
                told(file, why.Message);
            }
            else
            {
                _untold.Add((file, why.Message));
            }
        }
    }
}
