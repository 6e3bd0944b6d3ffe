using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Identity;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clause O5, INV-14: what a child may have its parent learn of orders, also in a network where nobody signs. Whatever it tells, its receipt counts.</summary>
public sealed class An_order_is_learned_from_below_by_its_own_receipt
{
    [Test]
    public void The_right_one_is() => Assert.That(Unlearned(_ => { }), Is.Empty);

    [Test]
    public void One_below_the_child_is() => Assert.That(Unlearned(order => order.TargetDivision = "420111"), Is.Empty);

    [Test]
    public void One_of_which_the_receipt_does_not_speak_is_not() => Assert.That(Unlearned(order => order.Id = OrderId.ToBytes(2)), Is.EqualTo(new[] { 0 }));

    [Test]
    public void One_of_another_issuer_is_not() => Assert.That(Unlearned(order => order.Issuer = "beijing"), Is.EqualTo(new[] { 0 }));

    [TestCase("429004")]
    [TestCase("4301")]
    [TestCase("42")]
    [TestCase("99")]
    public void One_for_a_place_that_lies_not_below_the_child_is_not(string target) => Assert.That(Unlearned(order => order.TargetDivision = target), Is.EqualTo(new[] { 0 }));

    [Test]
    public void A_receipt_without_its_order_tells_of_none() => Assert.That(Unlearned(_ => { }, envelope => envelope.Order = ByteString.Empty), Is.Empty);

    [Test]
    public void One_that_was_issued_here_is() => Assert.That(Unlearned(_ => { }, order: Own("42")), Is.Empty);

    [Test]
    public void One_of_a_namesake_of_this_node_is_not([Values("CN", "4201")] string division) => Assert.That(Unlearned(_ => { }, order: Own(division)), Is.EqualTo(new[] { 0 }));

    [Test]
    public void An_unsigned_one_was_not_issued_by_a_node_that_signs([Values] bool signs)
    {
        using var network = new Issuers(Parent.Noon);
        var (signatures, clock) = (signs ? network.Signer(network.Hubei, "hubei", ["42"]) : network.Judge, new VirtualClock(new VirtualTime(Parent.Noon.ToDateTimeOffset())));
        var place = new OrderPlace(NodeId.Parse("hubei"), DivisionCode.Parse("42"), Registers.Tempting);
        var notary = new ChildNotary(signatures, place.Node, new Incarnation(1), clock) { Orders = new OrderNotary(signatures, place, SignaturePolicy.Accepted, clock) };
        Assert.That(Unlearned(_ => { }, order: Own("42"), notary: notary), Is.EqualTo(signs ? new[] { 0 } : []));
    }

    private static Order Own(string division) => new() { Id = OrderId.ToBytes(1), Issuer = "hubei", IssuerDivision = division, TargetDivision = "4201", Kind = OrderKind.Assign };

    private static IReadOnlyList<int> Unlearned(Action<Order> twist, Action<OrderReceiptEnvelope>? strip = null, Order? order = null, ChildNotary? notary = null)
    {
        var (parent, child) = (new Parent("hubei", "42", Registers.Tempting) { Notary = notary }, new Child("wuhan", "4201"));
        child.Join(parent);
        order ??= new Order { Id = OrderId.ToBytes(1), Issuer = "ministry", IssuerDivision = "CN", TargetDivision = "4201", Kind = OrderKind.Assign };
        var receipt = OrderJudge.Of(new OrderPlace(child.Node, child.Division, Registers.Tempting), order, 1, OrderState.Delivered, Parent.Noon);
        twist(order);
        var frame = child.Raise(0, 5);
        frame.Escalations.Lane = Lane.Alarms;
        var envelope = new OrderReceiptEnvelope { Lsn = 3, Receipt = receipt.ToByteString(), Order = order.ToByteString() };
        strip?.Invoke(envelope);
        frame.Escalations.Receipts.Add(envelope);
        var answer = parent.Take(child.Peer, frame);
        Assert.That((answer.Receipt?.Accepted, answer.Receipt?.Records.Count), Is.EqualTo((1, 0)), answer.ToString());
        return (ReceptionEvents.Read(parent.Events.Last()) as EscalationsTaken)!.OrdersUnbelieved;
    }
}
