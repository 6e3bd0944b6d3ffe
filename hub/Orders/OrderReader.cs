using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Orders;

/// <summary>Reads what a child has not had of the orders that are for it, or for a place below it by the register of the day. Call it while the folds hold still.</summary>
/// <param name="orders">What is known here.</param>
/// <param name="register">As it stands today.</param>
/// <param name="journal">Knows the chain at every position.</param>
/// <param name="ownEpoch">This node's own.</param>
/// <param name="isRoot">Nobody is above this node.</param>
public sealed class OrderReader(OrderFold orders, Func<DivisionRegister> register, IJournal journal, Func<Epoch> ownEpoch, bool isRoot)
{
    /// <summary>Whether the parent, as it is heard now, speaks a protocol without orders: then there is nothing to hear of it.</summary>
    public Func<bool> HearsOfNone { get; init; } = () => false;

    /// <summary>All that is known above of orders for here and below is here.</summary>
    private bool HasHeardAll => isRoot || orders.IsCaughtUp(journal.Incarnation) || HearsOfNone();

    /// <summary>What a child says in its hello that it has applied of this journal's orders; the start where it has none, or a cursor that this journal does not know.</summary>
    public StreamMark CursorOf(Hello hello) =>
        hello.Positions.FirstOrDefault(position => position.Lane == Lane.Orders) is { } position && OrderJudge.JournalOf(position) == journal.Incarnation
            && OrderJudge.Mark(position) is { IsStart: false } mark && mark.Lsn <= journal.Head.Lsn && journal.ChainHashAt(mark.Lsn) == mark.ChainHash
            ? mark
            : StreamMark.Start;

    /// <summary>
    /// The orders after <paramref name="from"/> for the child of <paramref name="division"/>; null for none. A child that does not know it yet is told once that
    /// there are no more. What became of an order may be known further up alone (INV-13): so before it has heard all itself a restored node sends nothing, and no node says that there is no more.
    /// </summary>
    public OrdersPart? Read(DivisionCode division, StreamMark from, Lsn head, bool knowsHead)
    {
        if (head == Lsn.Zero || (journal.IsRestored && !HasHeardAll))
        {
            return null;
        }

        var part = new OrdersPart { ReachesHead = HasHeardAll };
        var (end, bytes) = (from.Lsn, 0);
        using var waiting = orders.OrdersSince(from.Lsn, head).Where(standing => IsFor(standing, division)).GetEnumerator();
        var (held, count, more) = (new HashSet<UInt128>(), 0, waiting.MoveNext());
        while (more)
        {
            // What stands at one position goes in one part, so that the part's end is a whole one.
            var together = new List<OrderStanding>();
            do
            {
                together.Add(waiting.Current);
                more = waiting.MoveNext();
            }
            while (more && waiting.Current.Position == together[0].Position);

            if (count > 0 && (count + together.Count > OrderJudge.OrdersMax / 2 || bytes >= OrderJudge.PartBytes))
            {
                part.ReachesHead = false;
                break;
            }

            (end, count) = (together[0].Position, count + together.Count);
            foreach (var envelope in together.SelectMany(standing => WithSubject(standing, division)).Where(standing => held.Add(standing.Order!.Id)).Select(EnvelopeOf))
            {
                part.Orders.Add(envelope);
                bytes += envelope.CalculateSize();
            }
        }

        if (part.Orders.Count == 0 && (knowsHead || !part.ReachesHead))
        {
            return null;
        }

        end = part.ReachesHead ? head : end;

        part.From = PositionOf(from);
        part.To = PositionOf(new StreamMark(end, journal.ChainHashAt(end) ?? throw new InvalidOperationException($"The journal does not know its chain at {end}.")));
        return part;
    }

    /// <summary>A cancellation takes along the order that it takes back, before it: that one may have gone another way, or wait further down the lane.</summary>
    private IEnumerable<OrderStanding> WithSubject(OrderStanding standing, DivisionCode division) =>
        standing.Order!.Content is { Kind: OrderKind.Cancel, Subject: var subject } && orders.Find(OrderId.Of(subject)) is { Order: not null, HasEnded: false } taken && IsFor(taken, division)
            ? [taken, standing]
            : [standing];

    private bool IsFor(OrderStanding standing, DivisionCode division) =>
        standing.Order!.IsBelieved && register().IsAtOrBelow(standing.Order.Target, division) && standing is not { Receipts: [.., { Via: null }] };

    private static OrderEnvelope EnvelopeOf(OrderStanding standing) => new()
    {
        Lsn = standing.Position.Value,
        Order = UnsafeByteOperations.UnsafeWrap(standing.Order!.Bytes),
        Hops = { standing.Order.Hops.Select(hop => hop.ToHop()) },
        Receipts = { standing.Receipts.Select(receipt => UnsafeByteOperations.UnsafeWrap(receipt.Bytes)) },
        Signature = standing.Order.Signature,
    };

    private StreamPosition PositionOf(StreamMark mark) => mark.ToPosition(Lane.Orders, journal.Incarnation, ownEpoch());
}
