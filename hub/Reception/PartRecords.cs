using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Reception;

/// <summary>
/// The records of a cells part by index (L10): first the cells, then the watermarks, then the complete origins. Each is judged by itself, so that
/// one that this node cannot read holds up no other.
/// </summary>
internal static class PartRecords
{
    public static int IndexOfWatermark(CellsPart part, int i) => part.Cells.Count + i;

    public static int IndexOfComplete(CellsPart part, int i) => part.Cells.Count + part.Watermarks.Count + i;

    public static CellsReading CellsOf(CellsPart part)
    {
        var cells = new CellsPart();
        cells.Symbols.AddRange(part.Symbols);
        cells.Cells.AddRange(part.Cells);
        return CellsPartCodec.Read(cells);
    }

    /// <summary>The name of a complete origin; null where the symbol is none.</summary>
    public static string? CompleteName(CellsPart part, int i) =>
        part.CompleteOrigins[i] is var symbol && symbol >= 0 && symbol < part.Symbols.Count ? part.Symbols[symbol] : null;

    /// <summary>What the complete origin says of itself in the same part; null where it does not.</summary>
    public static OriginWatermark? StatementOf(CellsPart part, int i)
    {
        var name = CompleteName(part, i);
        foreach (var message in part.Watermarks)
        {
            if (message.Origin == name && CellsPartCodec.Read(message, out var stated) is null)
            {
                return stated;
            }
        }

        return null;
    }
}
