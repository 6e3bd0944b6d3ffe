using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Orders;

/// <summary>
/// Clauses O3 and O4: each order bears a signature of some 4,000 bytes, both ways. A part of hundreds would be larger than a message may be (limits.linkMessageBytes), and be refused as often
/// as it is sent.
/// </summary>
public sealed class Parts_of_orders_are_cut_by_their_bytes
{
    private const int Orders = 100;
    private const int BytesOfOne = 4_500;

    private static readonly OrderPlace Hubei = new(NodeId.Parse("hubei"), DivisionCode.Parse("42"), Registers.Tempting);

    [Test]
    public void What_goes_up_comes_in_parts_of_the_size_asked_for([Values(20_000, 100_000)] int partBytes)
    {
        var (_, parts) = Up(Filled(), partBytes);
        Assert.That(parts.SelectMany(part => part.Receipts).Select(envelope => envelope.Lsn), Is.EqualTo(Enumerable.Range(1, Orders).Select(i => 2L * i)), "all go, each once");
        Assert.That(parts.Select(part => part.CalculateSize()), Is.All.LessThan(partBytes + 500), "the frame of a part is small");
        Assert.That(parts.SkipLast(1).Select(part => part.CalculateSize()), Is.All.GreaterThan(partBytes - (2 * BytesOfOne)), "and no smaller than need be");
    }

    [Test]
    public void One_that_is_larger_by_itself_goes_alone() => Assert.That(Up(Filled(), 1_000).Parts.Select(part => part.Receipts.Count), Is.All.EqualTo(1));

    [Test]
    public void What_goes_down_comes_in_parts_that_a_slow_line_carries_in_seconds()
    {
        var (fold, journal) = Filled();
        var reader = new OrderReader(fold, () => Registers.Tempting, journal, () => Epoch.NotGranted, isRoot: true);
        var (mark, orders) = (StreamMark.Start, new List<long>());
        for (var reachesHead = false; !reachesHead;)
        {
            var part = reader.Read(DivisionCode.Parse("4201"), mark, journal.Head.Lsn, false)!;
            Assert.That(part.CalculateSize(), Is.LessThan(OrderJudge.PartBytes + BytesOfOne + 500));
            Assert.That(part.Orders, Is.Not.Empty);
            orders.AddRange(part.Orders.Select(envelope => envelope.Lsn));
            reachesHead = part.ReachesHead;
            StreamMark.TryRead(part.To.Lsn, part.To.ChainHash, out mark);
        }

        Assert.That(orders, Is.EqualTo(Enumerable.Range(1, Orders).Select(i => (2L * i) - 1)), "all go, each once");
    }

    /// <summary>All that goes up, cut after cut.</summary>
    private static (StreamMark End, List<EscalationsPart> Parts) Up((OrderFold Fold, MemoryJournal Journal) filled, int partBytes)
    {
        var (fold, journal) = filled;
        var cells = new CellFold();
        var reader = new CutReader(Hubei.Node, cells, new ReceptionFold(cells), new EscalationFold(Hubei.Node), new EscalationReach(GradeTier.Ministry, _ => false), fold, _ => true);
        var (mark, parts) = (StreamMark.Start, new List<EscalationsPart>());
        while (true)
        {
            var cut = reader.Escalations(Lane.Alarms, true, mark, new StreamMark(journal.Head.Lsn, journal.Head.ChainHash), lsn => new StreamMark(lsn, journal.ChainHashAt(lsn)!.Value), false, partBytes);
            parts.AddRange(cut.Parts.Select(part => part.Escalations!));
            mark = cut.To;
            if (cut.ReachesHead)
            {
                return (mark, parts);
            }
        }
    }

    /// <summary>Orders of the ministry for Wuhan that came one by one, and what Wuhan told of each.</summary>
    private static (OrderFold Fold, MemoryJournal Journal) Filled()
    {
        var (fold, journal) = (new OrderFold(Hubei.Node), new MemoryJournal(new CityGrid.Hub.Seams.SeededEntropy(1)));
        for (var i = 1; i <= Orders; i++)
        {
            var order = new Order { Id = OrderId.ToBytes((UInt128)i), Issuer = "ministry", IssuerDivision = "CN", TargetDivision = "4201", Kind = OrderKind.Assign };
            var part = new OrdersPart
            {
                From = StreamMark.Start.ToPosition(Lane.Orders, new Incarnation(77), Epoch.NotGranted),
                To = new StreamMark(new Lsn(i), new Hash256(1, (UInt128)i)).ToPosition(Lane.Orders, new Incarnation(77), Epoch.NotGranted),
                Orders = { new OrderEnvelope { Lsn = i, Order = order.ToByteString(), Signature = new IssuerSignature { Algorithm = 1, Certificates = { ByteString.CopyFrom(new byte[4096]) } } } },
            };
            var receipt = OrderJudge.Of(Hubei with { Node = NodeId.Parse("wuhan"), Division = DivisionCode.Parse("4201") }, order, 1, OrderState.Delivered, Parent.Noon).ToByteString();
            Append(OrderFold.ReceivedEvent(part, NodeId.Parse("ministry"), Hubei.Node, new Incarnation(5), []));
            Append(ReceptionEvents.ToEvent(new EscalationsTaken(NodeId.Parse("wuhan"), new Incarnation(7), new Epoch(3, 1), new EscalationsPart { To = i, Receipts = { new OrderReceiptEnvelope { Lsn = i, Receipt = receipt } } }, []), Hubei.Node));
        }

        return (fold, journal);

        void Append(EventDraft draft)
        {
            journal.Append([new RecordDraft("test", [draft])], Parent.Noon);
            fold.Apply(new JournalEvent(journal.Head.Lsn, journal.Head.Lsn, journal.Head.Lsn, Parent.Noon, "test", draft.Kind, draft.Schema, draft.Payload));
        }
    }
}
