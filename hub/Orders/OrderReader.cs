using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Orders;

/// <summary>Reads what a child has not had of the orders that are for it, or for a place below it by the register of the day. Call it while the folds hold still.</summary>
public sealed class OrderReader(OrderFold orders, Func<DivisionRegister> register, IJournal journal, Func<Epoch> ownEpoch, bool isRoot)
{
    /// <summary>What a child says in its hello that it has applied of this journal's orders; the start where it has none, or a cursor that this journal does not know.</summary>
    public StreamMark CursorOf(Hello hello) =>
        hello.Positions.FirstOrDefault(position => position.Lane == Lane.Orders) is { } position && OrderJudge.JournalOf(position) == journal.Incarnation
            && OrderJudge.Mark(position) is { IsStart: false } mark && mark.Lsn <= journal.Head.Lsn && journal.ChainHashAt(mark.Lsn) == mark.ChainHash
            ? mark
            : StreamMark.Start;

    /// <summary>
    /// The orders after <paramref name="from"/> for the child of <paramref name="division"/>; null for none. A child that does not know it yet is told once that
    /// there are no more. A restored node sends nothing before it has heard all itself: what became of an order may be known further up alone (INV-13).
    /// </summary>
    public OrdersPart? Read(DivisionCode division, StreamMark from, Lsn head, bool knowsHead)
    {
        if (head == Lsn.Zero || (journal.IsRestored && !isRoot && !orders.IsCaughtUp(journal.Incarnation)))
        {
            return null;
        }

        var part = new OrdersPart { ReachesHead = true };
        var (end, bytes) = (from.Lsn, 0);
        foreach (var order in orders.OrdersSince(from.Lsn, head).Where(order => IsFor(order, division)))
        {
            // What came in one event goes in one part, so that the part's end is a whole position.
            if ((part.Orders.Count >= OrderJudge.OrdersMax / 2 || bytes >= OrderJudge.PartBytes) && order.Local != end)
            {
                part.ReachesHead = false;
                break;
            }

            end = order.Local;
            part.Orders.Add(EnvelopeOf(order));
            bytes += part.Orders[^1].CalculateSize();
        }

        if (part.Orders.Count == 0 && knowsHead)
        {
            return null;
        }

        end = part.ReachesHead ? head : end;

        part.From = PositionOf(from);
        part.To = PositionOf(new StreamMark(end, journal.ChainHashAt(end) ?? throw new InvalidOperationException($"The journal does not know its chain at {end}.")));
        return part;
    }

    private bool IsFor(OrderRecord order, DivisionCode division) =>
        register().IsAtOrBelow(order.Target, division) && orders.Find(order.Id) is not { Receipts: [.., { Via: null }] };

    private OrderEnvelope EnvelopeOf(OrderRecord order) => new()
    {
        Lsn = order.Local.Value,
        Order = UnsafeByteOperations.UnsafeWrap(order.Bytes),
        Hops = { order.Hops.Select(hop => hop.ToHop()) },
        Receipts = { orders.Find(order.Id)!.Receipts.Select(receipt => UnsafeByteOperations.UnsafeWrap(receipt.Bytes)) },
        Signature = order.Signature,
    };

    private StreamPosition PositionOf(StreamMark mark) => mark.ToPosition(Lane.Orders, journal.Incarnation, ownEpoch());
}
