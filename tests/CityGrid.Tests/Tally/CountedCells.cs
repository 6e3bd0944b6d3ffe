using CityGrid.Hub.Cells;
using CityGrid.Node;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Tests.Tally;

/// <summary>The cells that a node held at one position, to be compared bit for bit with those counted anew.</summary>
internal sealed class CountedCells
{
    private readonly SortedDictionary<string, string> _cells = new(StringComparer.Ordinal);

    private CountedCells(Lsn at, IEnumerable<CellRow> rows)
    {
        At = at;
        foreach (var row in rows.Where(row => !CellCodec.IsZero(row.Value.Span)))
        {
            _cells.Add($"{row.Key}", Convert.ToHexString(row.Value.Span));
        }
    }

    /// <summary>Where they stood.</summary>
    public Lsn At { get; }

    public int Count => _cells.Count;

    public static CountedCells Of(NodeCore core) =>
        core.Sequencer.Read(() => new CountedCells(core.Sequencer.Applied, core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied)));

    /// <summary>The first cell that is not the recount's, or that one of the two lacks; null where there is none.</summary>
    public string? DifferenceFrom(Recount recount)
    {
        var fold = new CellFold();
        foreach (var change in recount.Cells())
        {
            fold.Add(change, new Revision(1, 1), new Lsn(1));
        }

        var anew = new CountedCells(At, fold.ChangedSince(Lsn.Zero, new Lsn(1)));
        return _cells.Keys.Union(anew._cells.Keys).Order(StringComparer.Ordinal)
            .Where(key => _cells.GetValueOrDefault(key) != anew._cells.GetValueOrDefault(key))
            .Select(key => $"At {At} the cell {key} is {_cells.GetValueOrDefault(key, "not there")}, and counted anew {anew._cells.GetValueOrDefault(key, "not there")}.")
            .FirstOrDefault();
    }
}
