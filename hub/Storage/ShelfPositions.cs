using System.Runtime.InteropServices;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>
/// The position of the last change in each shelf: what a store's rows are compared with at start. A node keeps it in the fold that knows the
/// documents, so that a shelf in which nothing happened for years is not behind.
/// </summary>
public sealed class ShelfPositions
{
    private const int ShelvesMax = 100_000;
    private readonly Dictionary<string, Lsn> _last = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, Lsn> Last => _last;

    public void Changed(string shelf, Lsn lsn)
    {
        ref var last = ref CollectionsMarshal.GetValueRefOrAddDefault(_last, shelf, out _);
        last = lsn > last ? lsn : last;
    }

    public void Save(Stream target)
    {
        using var writer = new BinaryWriter(target, System.Text.Encoding.UTF8, leaveOpen: true);
        writer.Write7BitEncodedInt(_last.Count);
        foreach (var (shelf, lsn) in _last.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            writer.Write(shelf);
            writer.Write7BitEncodedInt64(lsn.Value);
        }
    }

    /// <summary>Reads what <see cref="Save"/> wrote, in place of what is there; throws <see cref="InvalidDataException"/> for anything else.</summary>
    public void Load(Stream source)
    {
        _last.Clear();
        using var reader = new BinaryReader(source, System.Text.Encoding.UTF8, leaveOpen: true);
        var count = reader.Read7BitEncodedInt();
        if (count is < 0 or > ShelvesMax)
        {
            throw new InvalidDataException($"{count} shelves are said to follow; at most {ShelvesMax} are believed.");
        }

        for (var i = 0; i < count; i++)
        {
            var shelf = ViewLimits.CheckedShelf(reader.ReadString());
            _last[shelf] = new Lsn(reader.Read7BitEncodedInt64());
        }
    }
}
