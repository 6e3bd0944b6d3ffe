using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>What a part must look like before any of its records is looked at (L4). A fault here refuses the whole part; nothing is applied.</summary>
internal static class PartShape
{
    public static string? Fault(CellsPart part)
    {
        if (part.CutFrom < 0 || part.CutTo < part.CutFrom)
        {
            return $"The cut ({part.CutFrom}, {part.CutTo}] is none.";
        }

        if (part.Parts < 1 || part.Parts > ReceiverSettings.PartsMax || part.Part < 1 || part.Part > part.Parts)
        {
            return $"Part {part.Part} of {part.Parts} is none; 1 to {ReceiverSettings.PartsMax} are allowed.";
        }

        if (!StreamMark.TryRead(part.CutFrom, part.CutFromChainHash, out var from) || !StreamMark.TryRead(part.CutTo, part.CutChainHash, out var to))
        {
            return "A chain hash of 32 bytes is missing at an end of the cut.";
        }

        if (part.HeardLsn != 0 && (part.HeardLsn <= part.CutFrom || !StreamMark.TryRead(part.HeardLsn, part.HeardChainHash, out _)))
        {
            return $"The part shows its chain at {part.HeardLsn}; that must be a position past the cut's start {part.CutFrom}, with a hash of 32 bytes.";
        }

        if (!StreamMark.TryRead(part.ReadLsn, part.ReadChainHash, out _) || (part.ReadLsn != 0 && part.ReadLsn <= part.CutTo))
        {
            return $"The part says that it was read at {part.ReadLsn}; that must be a position past the cut's end {part.CutTo}, with a hash of 32 bytes.";
        }

        if (part.CutFrom == part.CutTo && from != to)
        {
            return "An empty cut has one chain hash, this one has two.";
        }

        return part.Cells.Count > ReceiverSettings.CellsMax ? $"The part has {part.Cells.Count} cells; at most {ReceiverSettings.CellsMax} are allowed."
            : part.Symbols.Count > ReceiverSettings.SymbolsMax ? $"The part has {part.Symbols.Count} symbols; at most {ReceiverSettings.SymbolsMax} are allowed."
            : part.Watermarks.Count > ReceiverSettings.WatermarksMax ? $"The part has {part.Watermarks.Count} watermarks; at most {ReceiverSettings.WatermarksMax} are allowed."
            : part.CompleteOrigins.Count > ReceiverSettings.WatermarksMax ? $"The part names {part.CompleteOrigins.Count} complete origins; at most {ReceiverSettings.WatermarksMax} are allowed."
            : part.Cells.Count + part.Watermarks.Count + part.CompleteOrigins.Count is var records && records > ReceiverSettings.CellsMax
                ? $"The part has {records} cells, watermarks and complete origins together; at most {ReceiverSettings.CellsMax} are allowed, for each may be named in the receipt."
            : part.Part < part.Parts && (part.Watermarks.Count > 0 || part.CompleteOrigins.Count > 0) ? "Only the last part of a cut may carry watermarks and complete origins."
            : RangeStatements.Fault(part);
    }

    public static string? Fault(EscalationsPart part)
    {
        if (part.From < 0 || part.To < part.From)
        {
            return $"The part ({part.From}, {part.To}] is none.";
        }

        if (!StreamMark.TryRead(part.From, part.FromChainHash, out var from) || !StreamMark.TryRead(part.To, part.ChainHash, out var to))
        {
            return "A chain hash of 32 bytes is missing at an end of the part.";
        }

        if (part.From == part.To && from != to)
        {
            return "An empty part has one chain hash, this one has two.";
        }

        if (part.Lane is not (Lane.Unspecified or Lane.Escalations or Lane.Alarms))
        {
            return $"Lane {(int)part.Lane} carries no escalations.";
        }

        if (part.Escalations.Count + part.Receipts.Count > ReceiverSettings.EscalationsMax)
        {
            return $"The part has {part.Escalations.Count + part.Receipts.Count} records; at most {ReceiverSettings.EscalationsMax} are allowed.";
        }

        if (part.Receipts.Count > 0 && part.Lane != Lane.Alarms)
        {
            return "Only the lane of alarms carries what became of orders.";
        }

        return Misplaced(part, part.Escalations.Select(envelope => envelope.Lsn)) ?? Misplaced(part, part.Receipts.Select(envelope => envelope.Lsn));
    }

    /// <summary>A relay received several in one event, so positions may repeat.</summary>
    private static string? Misplaced(EscalationsPart part, IEnumerable<long> positions)
    {
        var last = part.From;
        foreach (var lsn in positions)
        {
            if (lsn <= part.From || lsn < last || lsn > part.To)
            {
                return $"The record at {lsn} is outside the part ({part.From}, {part.To}] or out of order.";
            }

            last = lsn;
        }

        return null;
    }
}
