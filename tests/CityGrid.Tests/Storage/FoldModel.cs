using System.Text;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;

namespace CityGrid.Tests.Storage;

/// <summary>A journal in miniature: one event an lsn, each making a new version of one document in one shelf, or nothing.</summary>
internal sealed class FoldModel
{
    private readonly List<ViewChange?> _events = [];

    public ShelfPositions Positions { get; private set; } = new();

    public Lsn Head => new(_events.Count);

    /// <summary>How often a document had to be made again.</summary>
    public int Remade { get; private set; }

    public ViewChange? Append(string? shelf, UInt128 id, int length = 8)
    {
        var lsn = new Lsn(_events.Count + 1);
        var change = shelf is null ? null : new ViewChange(shelf, new ViewDocument(id, lsn, Encoding.UTF8.GetBytes($"{id}@{lsn}".PadRight(length, '.'))));
        _events.Add(change);
        if (change is not null)
        {
            Positions.Changed(change.Shelf, lsn);
        }

        return change;
    }

    /// <summary>The journal lost its end, as an older copy of it has.</summary>
    public void CutTo(Lsn head)
    {
        _events.RemoveRange((int)head.Value, _events.Count - (int)head.Value);
        Positions = new ShelfPositions();
        foreach (var change in _events.OfType<ViewChange>())
        {
            Positions.Changed(change.Shelf, change.Document.Lsn);
        }
    }

    public ViewDocument? At(UInt128 id, Lsn lsn)
    {
        Remade++;
        return _events.Take((int)lsn.Value).LastOrDefault(change => change?.Document.Id == id)?.Document;
    }

    /// <summary>The newest version of every document of a shelf that changed after a position, ascending by id.</summary>
    public IReadOnlyList<ViewDocument> Documents(string shelf, Lsn after) =>
        [.. _events.OfType<ViewChange>().Where(change => change.Shelf == shelf).GroupBy(change => change.Document.Id).Select(group => group.Last().Document)
            .Where(document => document.Lsn > after).OrderBy(document => document.Id)];

    /// <summary>The newest version of every document, with its shelf.</summary>
    public IReadOnlyList<ViewChange> All() =>
        [.. _events.OfType<ViewChange>().GroupBy(change => change.Document.Id).Select(group => group.Last())];
}
