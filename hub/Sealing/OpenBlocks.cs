using CityGrid.Hub.Seams;

namespace CityGrid.Hub.Sealing;

/// <summary>The key files that are open for reading: at most 32, the one least recently opened goes first (the cases of one list lie in a few neighbouring blocks).</summary>
internal sealed class OpenBlocks(IDisk disk, string folder) : IDisposable
{
    private const int OpenMax = 32;

    private readonly Dictionary<long, IDiskFile> _files = [];
    private readonly List<long> _order = [];

    /// <summary>The file of a block whose header is right; null where it is missing or damaged.</summary>
    public IDiskFile? Sound(long block)
    {
        if (_files.TryGetValue(block, out var open))
        {
            return open;
        }

        var path = $"{folder}/{KeyBlock.Name(block)}";
        if (!disk.Exists(path))
        {
            return null;
        }

        var file = disk.Open(path, DiskAccess.Read);
        if (KeyBlock.Fault(file, path, block) is not null)
        {
            file.Dispose();
            return null;
        }

        while (_files.Count >= OpenMax)
        {
            Close(_order[0]);
        }

        _files.Add(block, file);
        _order.Add(block);
        return file;
    }

    public void Close(long block)
    {
        if (_files.Remove(block, out var file))
        {
            _order.Remove(block);
            file.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (var file in _files.Values)
        {
            file.Dispose();
        }

        _files.Clear();
        _order.Clear();
    }
}
