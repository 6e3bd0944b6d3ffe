using System.Buffers.Binary;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Tests.Link;

/// <summary>How a child of a small world reads its journal into cuts.</summary>
internal static class SmallWorldCuts
{
    public static Cut Read(ChildSide child, SenderEffect.ReadCut read, Planted planted, int cellsMax)
    {
        var from = child.MarkAt(Math.Min(read.From.Value, child.Journal.Length));
        return read.Lane switch
        {
            Lane.Cells => Cells(child, from, read, planted, cellsMax),
            Lane.Escalations => new Cut(read.Lane, from, child.Head, true, EscalationParts(child, from)),
            _ => new Cut(read.Lane, from, child.Head, true, []),
        };
    }

    /// <summary>One cell a part, so that three cells are a cut of three; a cut ends before a position at which there would be too many.</summary>
    private static Cut Cells(ChildSide child, StreamMark from, SenderEffect.ReadCut read, Planted planted, int cellsMax)
    {
        var cells = child.Cells().Where(c => c.Local > from.Lsn.Value && (planted != Planted.DroppedTombstone || c.Cell.Value != 0)).OrderBy(c => c.Local).ToList();
        var end = cells.Index().FirstOrDefault(c => c.Index >= cellsMax && c.Item.Local != cells[c.Index - 1].Local).Index;
        var to = end > 0 ? child.MarkAt(cells[end - 1].Local) : child.Head;
        cells = end > 0 ? cells[..end] : cells;
        return new Cut(Lane.Cells, from, to, end == 0, Parts(child, from, to, read, cells)) { ReadAt = child.Head.Lsn };
    }

    private static List<CutPart> Parts(ChildSide child, StreamMark from, StreamMark to, SenderEffect.ReadCut read, List<(ModelCell Cell, long Local)> cells)
    {
        var count = cells.Count == 0 && read.EvenIfEmpty ? 1 : cells.Count;
        var parts = new List<CutPart>();
        for (var i = 0; i < count; i++)
        {
            var part = new CellsPart
            {
                CutFrom = from.Lsn.Value,
                CutFromChainHash = from.HashBytes(),
                CutTo = to.Lsn.Value,
                CutChainHash = to.HashBytes(),
                Part = i + 1,
                Parts = count,
                Reading = 1,
            };
            if (i == 0 && to != child.Head)
            {
                (part.ReadLsn, part.ReadChainHash) = (child.Head.Lsn.Value, child.Head.HashBytes());
            }

            if (i == 0 && read.Proves > from.Lsn && read.Proves <= child.Head.Lsn)
            {
                (part.HeardLsn, part.HeardChainHash) = (read.Proves.Value, child.MarkAt(read.Proves.Value).HashBytes());
            }

            if (i < cells.Count)
            {
                var value = new byte[4];
                BinaryPrimitives.WriteInt32LittleEndian(value, cells[i].Cell.Value);
                part.Cells.Add(new Cell { Code = cells[i].Cell.Name, Epoch = cells[i].Cell.Revision.Epoch, Lsn = cells[i].Cell.Revision.Lsn, Value = ByteString.CopyFrom(value) });
            }

            if (i == count - 1 && to == child.Head)
            {
                part.CompleteOrigins.Add(0);
            }

            parts.Add(new CutPart(i == count - 1 ? to : from, part, null));
        }

        return parts;
    }

    private static List<CutPart> EscalationParts(ChildSide child, StreamMark from)
    {
        var parts = new List<CutPart>();
        var at = from;
        for (var lsn = from.Lsn.Value + 1; lsn <= child.Journal.Length; lsn++)
        {
            var entry = child.Journal[(int)lsn - 1];
            if (entry.Kind != 'x')
            {
                continue;
            }

            var id = new byte[16];
            id[0] = (byte)entry.Name;
            var part = new EscalationsPart { From = at.Lsn.Value, FromChainHash = at.HashBytes(), To = lsn, ChainHash = child.MarkAt(lsn).HashBytes() };
            part.Escalations.Add(new EscalationEnvelope { Lsn = lsn, Escalation = new Escalation { Id = ByteString.CopyFrom(id), Version = entry.Value }.ToByteString() });
            at = child.MarkAt(lsn);
            parts.Add(new CutPart(at, null, part));
        }

        return parts;
    }
}
