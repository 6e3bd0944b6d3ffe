using System.Globalization;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Orders;

/// <summary>INV-27: what stands in journals of orders is read as it was written, for ever; the lines before the first signed one are those of a program that knew no signatures. Lines are added, and none is ever changed.</summary>
public sealed class Events_of_orders_keep_their_bytes
{
    private static readonly NodeId Ministry = NodeId.Parse("ministry");
    private static readonly OrderPlace Wuhan = new(NodeId.Parse("wuhan"), DivisionCode.Parse("4201"), Registers.Tempting);
    private static readonly IssuerSignature Signature = new() { Algorithm = 1, Signer = ByteString.CopyFrom(7), Signature = ByteString.CopyFrom(8), Certificates = { ByteString.CopyFrom(9) }, SignedAt = 10 };

    private static readonly (string Name, EventDraft Draft)[] Samples =
    [
        ("order issued", OrderFold.IssuedEvent(OrderOf(1).ToByteString())),
        ("orders received", OrderFold.ReceivedEvent(Part(new OrderEnvelope { Lsn = 3, Order = OrderOf(2).ToByteString() }), Ministry, Wuhan.Node, new Incarnation(5))),
        ("order receipted", OrderFold.ReceiptedEvent(OrderJudge.Of(Wuhan, OrderOf(2), 1, OrderState.Delivered, Parent.Noon))),
        ("order issued, to be signed", OrderFold.IssuedEvent(OrderOf(3).ToByteString())),
        ("order signed", OrderFold.SignedEvent(OrderOf(3).Id, Signature)),
        ("orders received, one of them not believed", Unsaid(OrderFold.ReceivedEvent(Part(Signed(4), Signed(5)), Ministry, Wuhan.Node, new Incarnation(5), [1]))),
        ("a receipt whose order is not believed", ReceptionEvents.ToEvent(
            new EscalationsTaken(NodeId.Parse("jiangxia"), new Incarnation(7), new Epoch(3, 1), new EscalationsPart { To = 9, Receipts = { Told(6), Told(7) } }, []) { OrdersUnbelieved = [1] }, Wuhan.Node)),
        ("orders received and judged", OrderFold.ReceivedEvent(Part(Signed(8), Signed(9)), Ministry, Wuhan.Node, new Incarnation(5), [1])),
        ("orders received that nobody judged", OrderFold.ReceivedEvent(Part(Signed(10)), Ministry, Wuhan.Node, new Incarnation(5))),
        ("a receipt whose order is judged", ReceptionEvents.ToEvent(
            new EscalationsTaken(NodeId.Parse("jiangxia"), new Incarnation(7), new Epoch(3, 1), new EscalationsPart { To = 9, Receipts = { Told(11, Signature) } }, []) { OrdersJudged = true }, Wuhan.Node)),
        ("a receipt whose order nobody judged", ReceptionEvents.ToEvent(
            new EscalationsTaken(NodeId.Parse("jiangxia"), new Incarnation(7), new Epoch(3, 1), new EscalationsPart { To = 9, Receipts = { Told(12, Signature) } }, []), Wuhan.Node)),
        ("orders rerouted", OrderFold.ReroutedEvent([2, 4])),
    ];

    private static string Page => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Orders", "orders.golden.txt");

    [Test]
    public void Each_has_the_bytes_of_its_golden_line()
    {
        var lines = Samples.Select(sample => $"{sample.Name} | {sample.Draft.Kind} | {sample.Draft.Schema} | {Convert.ToHexStringLower(sample.Draft.Payload.Span)}").ToList();
        Assert.That(lines, Is.EqualTo(File.ReadAllLines(Page)));
    }

    [Test]
    public void And_is_read_as_it_was_meant()
    {
        var fold = new OrderFold(Wuhan.Node);
        var lsn = 0L;
        foreach (var cells in File.ReadAllLines(Page).Select(line => line.Split(" | ")))
        {
            lsn++;
            fold.Apply(new JournalEvent(
                new Lsn(lsn), new Lsn(lsn), new Lsn(lsn), Parent.Noon, "a", ushort.Parse(cells[1], CultureInfo.InvariantCulture), ushort.Parse(cells[2], CultureInfo.InvariantCulture), Convert.FromHexString(cells[3])));
        }

        Assert.Multiple(() =>
        {
            Assert.That(fold.Orders.Select(order => ((int)order.Id, order.IsIssuedHere, order.Signature is not null)), Is.EqualTo(new[]
            {
                (1, true, false), (2, false, false), (3, true, true), (4, false, true), (5, false, false), (6, false, false),
                (8, false, true), (9, false, false), (10, false, false), (11, false, true), (12, false, false),
            }));
            Assert.That(fold.Orders.Where(order => !order.IsBelieved).Select(order => (int)order.Id), Is.EqualTo(new[] { 5, 9 }));
            Assert.That(fold.Find(2)!.State, Is.EqualTo(OrderState.Delivered));
            Assert.That(fold.Find(4)!.Order!.Signature, Is.EqualTo(Signature));
            Assert.That((fold.Find(7)!.Order, fold.Find(7)!.State), Is.EqualTo(((OrderRecord?)null, OrderState.Delivered)), "what is told of it counts, and the order is not learned");
            Assert.That(fold.Orders.Where(order => fold.Find(order.Id)!.ReroutedAt == Parent.Noon).Select(order => (int)order.Id), Is.EqualTo(new[] { 2, 4 }));
            Assert.That(fold.HasSigned("ministry", "CN"), Is.True);
        });
    }

    private static Order OrderOf(int id) => new()
    {
        Id = OrderId.ToBytes((UInt128)id),
        Issuer = "ministry",
        IssuerDivision = "CN",
        TargetDivision = "4201",
        Kind = OrderKind.Assign,
        Text = "t",
        IssuedAt = Parent.Noon.ToUnixTimeSeconds(),
    };

    /// <summary>As the first program wrote it that judged, and did not say so.</summary>
    private static EventDraft Unsaid(EventDraft draft)
    {
        var received = OrdersReceived.Parser.ParseFrom(draft.Payload.Span);
        received.Judged = false;
        return draft with { Payload = received.ToByteArray() };
    }

    private static OrderEnvelope Signed(int id) => new() { Lsn = id, Order = OrderOf(id).ToByteString(), Signature = Signature };

    private static OrderReceiptEnvelope Told(int id, IssuerSignature? signature = null) => new() { Signature = signature, Lsn = 8, Order = OrderOf(id).ToByteString(), Receipt = OrderJudge.Of(Wuhan, OrderOf(id), 1, OrderState.Delivered, Parent.Noon).ToByteString() };

    private static OrdersPart Part(params OrderEnvelope[] envelopes)
    {
        var part = new OrdersPart
        {
            From = StreamMark.Start.ToPosition(Lane.Orders, new Incarnation(77), Epoch.NotGranted),
            To = new StreamMark(new Lsn(10), new Hash256(1, 10)).ToPosition(Lane.Orders, new Incarnation(77), Epoch.NotGranted),
        };
        part.Orders.AddRange(envelopes);
        return part;
    }
}
