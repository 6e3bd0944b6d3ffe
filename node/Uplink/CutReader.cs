using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;

namespace CityGrid.Node.Uplink;

/// <summary>How large the parts of a cut are at most. The defaults are for production; the smaller ones of a simulation put many parts under way.</summary>
public sealed record CutSizes
{
    public static readonly CutSizes Default = new();

    /// <summary>About 100 kB a part, where the line is fast enough for parts of that size.</summary>
    public int CellsAPart { get; init; } = 1000;

    /// <summary>A cut is held in memory while it is sent; what is left goes with the next. A month's backlog is a thousand cuts, not one of a gigabyte.</summary>
    public int PartsACut { get; init; } = 8;

    public int EscalationsAPart { get; init; } = 256;

    /// <summary>
    /// Of records. The next cut of a lane is read once the last part of this one is answered, so that a cut must be long beside that wait, or a lane that floods does not come to its share
    /// (L14). A part is a quarter of the window: these are eight windows, and 4 MB on the fastest of lines.
    /// </summary>
    public int RecordPartsACut { get; init; } = 32;
}

/// <summary>
/// Reads from the folds what a lane has after a position: the feed of architecture 2.4, of which nothing is stored. Call it while the folds hold
/// still (<c>Sequencer.Read</c>), so that a cut that reaches the head is exactly the state there (INV-11). Of origins that <paramref name="isOurs"/> says have left
/// this subtree nothing goes up: their new parent reports them (H2). A parent that is told of some matters alone (<paramref name="toldOf"/>) is told of this node's own
/// of them and of nothing else: a relay has no word of its own about a part of others (L17).
/// </summary>
public sealed class CutReader(
    NodeId node, CellFold cells, ReceptionFold reception, EscalationFold escalations, EscalationReach reach, OrderFold orders, Func<DivisionCode, bool> isOurs, CutSizes? given = null, ulong run = 0,
    Func<Matters>? toldOf = null)
{
    /// <summary>A cell's names, day and revision on the wire, beside its value.</summary>
    private const int BytesBesideValue = 32;

    private readonly CutSizes _sizes = given ?? CutSizes.Default;

    private readonly Func<Matters> _toldOf = toldOf ?? (() => Matters.All);

    private readonly RangeReader _ranges = new(node, cells, reception, isOurs, toldOf ?? (() => Matters.All));

    /// <summary>Whether what became of orders goes up: to the parent whose tree they came down.</summary>
    public bool TellsOfOrders { get; init; } = true;

    /// <summary>Of a sector's parent: escalations of matters that were added stand on its lanes once more.</summary>
    public bool TellsAgain { get; init; }

    /// <summary>Whether cells of an origin at a grain go up where all grains are asked for, whatever their type.</summary>
    public bool Tells(NodeId origin, Grain grain) => origin == node || (grain != Grain.Detail && _toldOf().IsAll && IsRelayed(origin));

    /// <summary>What stands in (from, to] of this parent's lanes of escalations, in order. Under the sequencer's lock.</summary>
    public IEnumerable<(Lsn At, EscalationRecord Record)> Raised(Lsn from, Lsn to)
    {
        var matters = _toldOf();
        return (TellsAgain ? escalations.ForSector(from, to) : escalations.ChangedSince(from, to).Select(record => (At: record.Local, Record: record)))
            .Where(told => reach.GoesUp(told.Record) && EscalationFold.IsToldOf(matters, told.Record));
    }

    /// <summary>
    /// The cells lane after <paramref name="from"/>: this node's own cells at the grains asked for, those it relays at the national grain.
    /// <paramref name="own"/> makes this node's statement about itself at the head; null for a node that keeps no cells of its own. Only what is behind a
    /// cut that ends at the folds' own head may be stated (<paramref name="states"/>). The first part shows the chain at <paramref name="proves"/>, where that lies in this journal behind
    /// <paramref name="from"/>, and at <paramref name="readAt"/>, the folds' own head, where the cut ends before it; null for <paramref name="head"/>.
    /// </summary>
    public Cut Cells(StreamMark from, StreamMark head, Func<Lsn, StreamMark> markAt, IReadOnlyCollection<Grain> grains, bool evenIfEmpty, int partBytes, Func<OriginWatermark>? own, bool states = true, RangeWish? wish = null,
        Lsn proves = default, StreamMark? readAt = null)
    {
        var at = readAt ?? head;
        var read = cells.Cut(from.Lsn, head.Lsn, _sizes.CellsAPart * _sizes.PartsACut, (origin, grain) => grains.Contains(grain) && Tells(origin, grain), _toldOf());
        var reachesHead = read.To == head.Lsn;
        var news = reachesHead && states && _toldOf().IsAll && reception.NewestStatement > from.Lsn;
        if (read.Cells.Count == 0 && reachesHead && !news && !evenIfEmpty && wish is null)
        {
            return new Cut(Lane.Cells, from, head, true, []);
        }

        var to = reachesHead ? head : markAt(read.To);
        var ranges = reachesHead && wish is not null ? _ranges.Read(wish, grains, own is not null, rows => Shares(rows, partBytes), _sizes.PartsACut) : null;
        var contents = ranges is null || read.Cells.Count > 0 ? Shares(read.Cells, partBytes).ConvertAll(share => new Content(share, null)) : [];
        if (ranges is not null)
        {
            // The statement is of what the parent holds once all before it is applied, so it comes last and brings no cell.
            contents.AddRange(ranges.Repairs.Select(repair => new Content(repair.Cells, repair.Stretch)));
            contents.Add(new Content([], null));
        }

        var reading = ReadingOf(head, contents);
        var parts = new List<CutPart>(contents.Count);
        for (var i = 0; i < contents.Count; i++)
        {
            var last = i == contents.Count - 1;
            var part = new CellsPart
            {
                CutFrom = from.Lsn.Value,
                CutFromChainHash = from.HashBytes(),
                CutTo = to.Lsn.Value,
                CutChainHash = to.HashBytes(),
                Part = i + 1,
                Parts = contents.Count,
                Reading = reading,
            };
            if (i == 0 && proves > from.Lsn && proves <= head.Lsn)
            {
                (part.HeardLsn, part.HeardChainHash) = (proves.Value, markAt(proves).HashBytes());
            }

            if (i == 0 && at.Lsn > to.Lsn)
            {
                (part.ReadLsn, part.ReadChainHash) = (at.Lsn.Value, at.HashBytes());
            }

            var complete = last && reachesHead && states ? Complete(own is null ? null : node) : [];
            CellsPartCodec.Write(part, contents[i].Cells, last && reachesHead && states && own is not null ? [own()] : [], complete);
            if (last && reachesHead && states && _toldOf().IsAll)
            {
                // Relayed as received: what a newer version may have added goes up with it (RULE-10).
                part.Watermarks.AddRange(reception.Origins.Where(o => isOurs(o.Watermark.Division)).Select(o => o.Message));
            }

            if (contents[i].Repairs is { } stretch)
            {
                RangeStatements.Write(part, stretch);
            }
            else if (ranges is not null && last)
            {
                RangeStatements.Write(part, ranges.Statements);
            }

            parts.Add(new CutPart(last ? to : from, part, null));
        }

        return new Cut(Lane.Cells, from, to, reachesHead, parts) { ReadAt = at.Lsn, Ranges = ranges?.Words };
    }

    /// <summary>
    /// A lane of records after <paramref name="from"/>: every version that must go further up, with the hops it took. Where alarms are apart, those have
    /// their lane, with what became of orders, and all others the other.
    /// </summary>
    public Cut Escalations(Lane lane, bool alarmsApart, StreamMark from, StreamMark head, Func<Lsn, StreamMark> markAt, bool evenIfEmpty, int partBytes)
    {
        var parts = new List<CutPart>();
        var (open, bytes) = (new List<Carried>(), 0);
        var at = from;
        foreach (var together in Together(WaitingOn(lane, alarmsApart, from.Lsn, head.Lsn).Select(CarriedOf)))
        {
            // What came in one event goes in one part, so that the part's end is a whole position.
            var size = together.Sum(record => record.Bytes);
            if (open.Count > 0 && (open.Count + together.Count > _sizes.EscalationsAPart || bytes + size > partBytes))
            {
                if (parts.Count == _sizes.RecordPartsACut - 1)
                {
                    var end = markAt(open[^1].Local);
                    parts.Add(PartOf(lane, at, end, open));
                    return new Cut(lane, from, end, false, parts);
                }

                parts.Add(PartOf(lane, at, markAt(open[^1].Local), open));
                at = parts[^1].After;
                open.Clear();
                bytes = 0;
            }

            open.AddRange(together);
            bytes += size;
        }

        if (open.Count > 0 || evenIfEmpty)
        {
            parts.Add(PartOf(lane, at, head, open));
        }

        return new Cut(lane, from, head, true, parts);
    }

    /// <summary>Records that stand at one position, position by position.</summary>
    private static IEnumerable<List<Carried>> Together(IEnumerable<Carried> records)
    {
        var same = new List<Carried>();
        foreach (var record in records)
        {
            if (same.Count > 0 && same[^1].Local != record.Local)
            {
                yield return same;
                same = [];
            }

            same.Add(record);
        }

        if (same.Count > 0)
        {
            yield return same;
        }
    }

    /// <summary>What a lane of records has in (from, to], in order.</summary>
    private IEnumerable<Waiting> WaitingOn(Lane lane, bool alarmsApart, Lsn from, Lsn to)
    {
        var raised = Raised(from, to)
            .Where(told => !alarmsApart || EscalationReach.IsAlarm(told.Record) == (lane == Lane.Alarms))
            .Select(told => new Waiting(told.At, told.Record, null));
        return lane != Lane.Alarms || !TellsOfOrders ? raised : raised
            .Concat(orders.ReceiptsSince(from, to).Where(r => r.Content.Issuer != node.ToString()).Select(r => new Waiting(r.Local, null, r)))
            .OrderBy(waiting => waiting.Local);
    }

    private readonly record struct Waiting(Lsn Local, EscalationRecord? Escalation, OrderReceiptRecord? Receipt);

    /// <summary>One of the two as the part carries it, with its bytes: an order's signature has thousands beside those of a receipt.</summary>
    private readonly record struct Carried(Lsn Local, EscalationEnvelope? Escalation, OrderReceiptEnvelope? Receipt)
    {
        public int Bytes { get; } = (Escalation?.CalculateSize() ?? 0) + (Receipt?.CalculateSize() ?? 0);
    }

    private bool IsRelayed(NodeId origin) => (reception.Origin(origin)?.Watermark.Division ?? cells.PlaceOf(origin)) is not { } division || isOurs(division);

    /// <summary>The cells in shares of a part each: bounded by number, and by bytes where values are long. No cells are one empty share.</summary>
    private List<ArraySegment<CellRow>> Shares(IReadOnlyList<CellRow> cells, int partBytes)
    {
        var all = cells as CellRow[] ?? [.. cells];
        var shares = new List<ArraySegment<CellRow>>();
        var (start, bytes) = (0, 0L);
        for (var i = 0; i < all.Length; i++)
        {
            if (i - start == _sizes.CellsAPart || (bytes > 0 && bytes + all[i].Value.Length + BytesBesideValue > partBytes))
            {
                shares.Add(new ArraySegment<CellRow>(all, start, i - start));
                (start, bytes) = (i, 0);
            }

            bytes += all[i].Value.Length + BytesBesideValue;
        }

        shares.Add(new ArraySegment<CellRow>(all, start, all.Length - start));
        return shares;
    }

    /// <summary>
    /// Of one range and one head the cells are the same, and while the process lives in one order; where they are divided alike too, each part is. What one event
    /// changed may stand in another order after a start.
    /// </summary>
    private ulong ReadingOf(StreamMark head, List<Content> contents)
    {
        unchecked
        {
            var reading = ((0xCBF29CE484222325 ^ run) * 0x100000001B3) ^ (ulong)head.Lsn.Value;
            foreach (var content in contents)
            {
                reading = (reading * 0x100000001B3) ^ (ulong)content.Cells.Count;
                foreach (var letter in content.Repairs?.ToString() ?? string.Empty)
                {
                    reading = (reading * 0x100000001B3) ^ letter;
                }
            }

            return reading == 0 ? 1 : reading;
        }
    }

    /// <summary>What one part carries of cells, and the stretch of a range that they repair; null for cells that changed.</summary>
    private readonly record struct Content(IReadOnlyList<CellRow> Cells, RangeStretch? Repairs);

    private IEnumerable<NodeId> Complete(NodeId? own)
    {
        if (own is { } self)
        {
            yield return self;
        }

        foreach (var origin in reception.Origins.Where(o => _toldOf().IsAll && o.CompleteEpoch == o.Watermark.Epoch.Number && isOurs(o.Watermark.Division)))
        {
            yield return origin.Watermark.Origin;
        }
    }

    private CutPart PartOf(Lane lane, StreamMark from, StreamMark to, List<Carried> records)
    {
        var part = new EscalationsPart { From = from.Lsn.Value, FromChainHash = from.HashBytes(), To = to.Lsn.Value, ChainHash = to.HashBytes() };
        if (lane == Lane.Alarms)
        {
            part.Lane = lane;
        }

        part.Escalations.AddRange(records.Select(record => record.Escalation).OfType<EscalationEnvelope>());
        part.Receipts.AddRange(records.Select(record => record.Receipt).OfType<OrderReceiptEnvelope>());
        return new CutPart(to, null, part);
    }

    private Carried CarriedOf(Waiting waiting)
    {
        if (waiting.Escalation is { } escalation)
        {
            return new Carried(waiting.Local, new EscalationEnvelope
            {
                Lsn = waiting.Local.Value,
                Escalation = UnsafeByteOperations.UnsafeWrap(escalation.Bytes),
                Hops = { escalation.Hops.Select(h => new Hop { Node = h.Node.ToString(), ReceivedAt = h.ReceivedAt.ToUnixTimeMilliseconds() }) },
            }, null);
        }

        var receipt = waiting.Receipt!;
        var order = orders.Find(receipt.Order)?.Order;
        return new Carried(waiting.Local, null, new OrderReceiptEnvelope
        {
            Lsn = waiting.Local.Value,
            Receipt = UnsafeByteOperations.UnsafeWrap(receipt.Bytes),
            Hops = { receipt.Hops.Select(h => h.ToHop()) },
            Order = order is null ? ByteString.Empty : UnsafeByteOperations.UnsafeWrap(order.Bytes),
            Signature = order?.Signature,
        });
    }
}
