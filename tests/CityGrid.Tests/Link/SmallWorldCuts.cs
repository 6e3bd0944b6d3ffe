using System.Buffers.Binary;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Tests.Link;

/// <summary>How a child of a small world reads its journal into cuts.</summary>
internal static class SmallWorldCuts
{
    public static Cut Read(ChildSide child, SenderEffect.ReadCut read, Planted planted)
    {
        var from = child.MarkAt(Math.Min(read.From.Value, child.Journal.Length));
        var parts = read.Lane switch
        {
            Lane.Cells => CellParts(child, from, read, planted),
            Lane.Escalations => EscalationParts(child, from),
            _ => [],
        };
        return new Cut(read.Lane, from, child.Head, true, parts);
    }

    /// <summary>One cell a part, so that three cells are a cut of three.</summary>
    private static List<CutPart> CellParts(ChildSide child, StreamMark from, SenderEffect.ReadCut read, Planted planted)
    {
        var cells = child.Cells().Where(c => c.Local > from.Lsn.Value && (planted != Planted.DroppedTombstone || c.Cell.Value != 0)).OrderBy(c => c.Local).ToList();
        var count = cells.Count == 0 && read.EvenIfEmpty ? 1 : cells.Count;
        var parts = new List<CutPart>();
        for (var i = 0; i < count; i++)
        {
            var part = new CellsPart
            {
                CutFrom = from.Lsn.Value,
                CutFromChainHash = from.HashBytes(),
                CutTo = child.Head.Lsn.Value,
                CutChainHash = child.Head.HashBytes(),
                Part = i + 1,
                Parts = count,
                Reading = 1,
            };
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

            if (i == count - 1)
            {
                part.CompleteOrigins.Add(0);
            }

            parts.Add(new CutPart(i == count - 1 ? child.Head : from, part, null));
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
