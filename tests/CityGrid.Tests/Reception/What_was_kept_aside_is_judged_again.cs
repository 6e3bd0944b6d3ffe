using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clause L10; T6: what was parked can be driven again when its cause is gone, and then counts as if it had just come.</summary>
public sealed class What_was_kept_aside_is_judged_again
{
    private static readonly DivisionRegister Grown = DivisionRegister.Of(Registers.Tempting.All.Append(
        new Division(DivisionCode.Parse("420199"), DivisionCode.Parse("4201"), "新区", "new district", DivisionKind.County, null, null)));

    [Test]
    public void When_the_register_knows_the_division()
    {
        var (parent, child) = Joined();
        parent.Take(child.Peer, child.Cut(0, 5, [child.Cell(3, 7, "420199"), child.Cell(4, 1)]));
        parent.Take(child.Peer, child.Raise(0, 5, child.Escalation(5, 1, 1, e => e.Division = "420199")));
        Assert.That((parent.Cells.Count, parent.Escalations.Count, parent.Reception.Parked.Count), Is.EqualTo((1L, 0, 2)));
        Assert.That(parent.Redrive(child.Node), Is.Zero, "Nothing has changed.");

        parent.Settings = parent.Settings with { Register = Grown };
        Assert.That(parent.Redrive(child.Node), Is.EqualTo(2));
        Assert.That((parent.Cells.Count, parent.Escalations.Count, parent.Reception.Parked.Count), Is.EqualTo((2L, 1, 0)));
        var newest = parent.Cells.ChangedSince(new Lsn(parent.Head.Value - 1), parent.Head).Single();
        Assert.That(newest.Key.Division.ToString(), Is.EqualTo("420199"), "It goes up from here like any other.");
        Assert.That(parent.Redrive(child.Node), Is.Zero);
    }

    [Test]
    public void What_became_of_an_order_is_heard_then()
    {
        var (parent, child) = Joined();
        var order = new Order { Id = OrderId.ToBytes(1), Issuer = "ministry", IssuerDivision = "CN", TargetDivision = "420199", Kind = OrderKind.Assign };
        var place = new OrderPlace(NodeId.Parse("xinqu"), DivisionCode.Parse("420199"), Grown);
        var frame = child.Raise(0, 5, child.Escalation(4, 1, 1, e => e.Division = "420199"));
        frame.Escalations.Lane = Lane.Alarms;
        frame.Escalations.Receipts.Add(new OrderReceiptEnvelope { Lsn = 5, Receipt = OrderJudge.Of(place, order, 1, OrderState.Delivered, Parent.Noon).ToByteString(), Order = order.ToByteString() });
        parent.Take(child.Peer, frame);
        Assert.That((parent.Reception.Parked.Count, parent.Orders.Find(1)), Is.EqualTo((2, (OrderStanding?)null)));

        parent.Settings = parent.Settings with { Register = Grown };
        Assert.That(parent.Redrive(child.Node), Is.EqualTo(2));
        Assert.That((parent.Reception.Parked.Count, parent.Escalations.Count, parent.Orders.Find(1)?.State), Is.EqualTo((0, 1, OrderState.Delivered)));
        Assert.That(parent.Orders.ReceiptsSince(Lsn.Zero, parent.Head).Single().Hops.Select(hop => hop.Node), Is.EqualTo(new[] { parent.Settings.Node }), "It goes up from here like any other.");
        Assert.That(parent.Redrive(child.Node), Is.Zero);
    }

    [Test]
    public void When_the_day_has_come()
    {
        var (parent, child) = Joined();
        parent.Take(child.Peer, child.Cut(0, 5, [child.Cell(3, 7, day: StatDay.Of(new LocalDate(2026, 11, 28)).Number)]));
        parent.Now += Duration.FromDays(3);
        Assert.That(parent.Redrive(child.Node), Is.EqualTo(1));
        Assert.That(parent.Cells.Count, Is.EqualTo(1));
    }

    /// <summary>INV-2, RULE-12: what is settled together stands in one record, and a journal keeps none above its bound; the rest is settled by the next one.</summary>
    [Test]
    public void However_much_it_is_no_record_is_too_large()
    {
        const int Cuts = 3, CellsEach = 600;
        var (parent, child) = Joined();
        var value = Filled(700);
        for (var cut = 0; cut < Cuts; cut++)
        {
            var day = StatDay.Of(new LocalDate(2026, 11, 28)).Number + (cut * CellsEach);
            parent.Take(child.Peer, child.Cut(cut * 5, (cut * 5) + 5, Enumerable.Range(0, CellsEach).Select(i => child.Cell((cut * 5) + 3, 7, day: day + i) with { Value = value })));
        }

        Assert.That((long)value.Length * Cuts * CellsEach, Is.GreaterThan(JournalLimits.RecordBytesMax));
        Assert.That(parent.Reception.ParkedOf(child.Node), Is.EqualTo(Cuts * CellsEach));
        parent.Now += Duration.FromDays(3_000);
        var settled = new List<int>();
        do
        {
            settled.Add(parent.Redrive(child.Node));
        }
        while (settled[^1] > 0);

        Assert.That((settled.Sum(), parent.Cells.Count, parent.Reception.ParkedOf(child.Node)), Is.EqualTo((Cuts * CellsEach, (long)Cuts * CellsEach, 0)));
        Assert.That(settled, Has.Count.GreaterThan(2));
    }

    /// <summary>The same of a part whose records are each named with their reason, as long as the part is not too large for its sender to make.</summary>
    [Test]
    public void A_part_that_comes_to_more_than_a_record_is_refused_whole()
    {
        var (parent, child) = Joined();
        var value = Filled(90);
        var cut = child.Cut(0, 5, Enumerable.Range(0, 9_000).Select(i => child.Cell(3, 7, "430100", day: 20_000 - i) with { Value = value }));
        Assert.That(cut.CalculateSize(), Is.LessThan(JournalLimits.RecordBytesMax), "the wire takes it");
        var head = parent.Head;
        var refusal = parent.Receive(child.Peer, cut).Response.Refusal;
        Assert.That((refusal.Code, parent.Head), Is.EqualTo((LinkRefusalCode.Malformed, head)));
        Assert.That(refusal.Message, Does.Contain("smaller parts"));
    }

    /// <summary>A value with so many large buckets of a histogram that this program does not know.</summary>
    private static byte[] Filled(ushort buckets)
    {
        var draft = new Protocol.Wire.CellDraft();
        draft.Add(Counter.Reported.Id, 7);
        for (ushort bucket = 0; bucket < buckets; bucket++)
        {
            draft.AddBucket(60_000, bucket, 900_000_000_000_000);
        }

        return draft.ToBytes();
    }

    [Test]
    public void One_that_a_newer_revision_has_overtaken_is_settled_without_effect()
    {
        var (parent, child) = Joined();
        var day = StatDay.Of(new LocalDate(2026, 11, 28)).Number;
        parent.Take(child.Peer, child.Cut(0, 5, [child.Cell(3, 7, day: day)]));
        parent.Now += Duration.FromDays(3);
        parent.Take(child.Peer, child.Cut(5, 9, [child.Cell(8, 2, day: day)]));
        Assert.That(parent.Redrive(child.Node), Is.EqualTo(1));
        Assert.That(parent.Cells.ChangedSince(Lsn.Zero, parent.Head).Single().Revision.Lsn, Is.EqualTo(8));
    }

    [Test]
    public void One_that_the_child_may_not_speak_of_is_refused_then()
    {
        var (parent, child) = Joined();
        parent.Take(child.Peer, child.Cut(0, 5, [child.Cell(3, 7, "420199")]));
        parent.Settings = parent.Settings with
        {
            Register = DivisionRegister.Of(Registers.Tempting.All.Append(new Division(DivisionCode.Parse("420199"), DivisionCode.Parse("43"), "x", "x", DivisionKind.County, null, null))),
        };
        Assert.That(parent.Redrive(child.Node), Is.EqualTo(1));
        Assert.That((parent.Cells.Count, parent.Reception.RefusedInAll), Is.EqualTo((0L, 1L)));
    }

    [Test]
    public void One_of_an_earlier_life_stays_away()
    {
        // L12: the complete set of a new epoch came in between.
        var (parent, child) = Joined();
        parent.Take(child.Peer, child.Cut(0, 5, [child.Cell(3, 7, "420199")]));
        var fresh = new Child("wuhan", "4201") { Incarnation = new Incarnation(2), History = "second" };
        fresh.Join(parent);
        parent.Take(fresh.Peer, fresh.Cut(0, 2, [], 1, 1, p => Protocol.Wire.CellsPartCodec.Write(p, [], [fresh.Statement(2)], [fresh.Node])));
        parent.Settings = parent.Settings with { Register = Grown };
        Assert.That(parent.Redrive(child.Node), Is.EqualTo(1));
        Assert.That(parent.Cells.Count, Is.Zero);
    }

    [Test]
    public void Both_ends_tell_the_same_number()
    {
        var (parent, child) = Joined();
        var first = parent.Take(child.Peer, child.Cut(0, 5, [child.Cell(3, 7, "420199"), child.Cell(4, 1)])).Receipt;
        var second = parent.Take(child.Peer, child.Raise(0, 5, child.Escalation(5, 1, 1, e => e.Division = "420199"))).Receipt;
        Assert.That((first.Parked, parent.Reception.ParkedOf(child.Node)), Is.EqualTo((1, 2)));
        Assert.That(second.Parked, Is.EqualTo(1));
        parent.Settings = parent.Settings with { Register = Grown };
        parent.Redrive(child.Node);
        Assert.That(parent.Reception.ParkedOf(child.Node), Is.Zero);
    }

    /// <summary>INV-20: what one child has aside beyond measure takes no room from another, whose records are settled by themselves.</summary>
    [Test]
    public void However_much_one_has_aside_anothers_is_listed()
    {
        var (parent, child) = Joined();
        for (var i = 0; i < 11; i++)
        {
            parent.Take(child.Peer, child.Cut(i * 1000, (i + 1) * 1000, [.. Enumerable.Range(1, 1000).Select(n => child.Cell((i * 1000) + n, 1, "420199", day: 5_000 + (i * 1000) + n))]));
            parent.Take(child.Peer, child.Raise(i * 1000, (i + 1) * 1000, [.. Enumerable.Range(1, 100).Select(n => child.Escalation((i * 1000) + n, 1, 1, e => e.Division = "43"))]));
        }

        var other = new Child("tianmen", "429004", "429004", "420199");
        other.Join(parent);
        parent.Take(other.Peer, other.Cut(0, 5, [other.Cell(3, 7, "420199")]));
        parent.Take(other.Peer, other.Raise(0, 5, other.Escalation(5, 2, 1, e => e.Division = "43")));
        Assert.That((parent.Reception.HasUnlisted(child.Node), parent.Reception.HasUnlisted(other.Node), parent.Reception.ParkedOf(other.Node)), Is.EqualTo((true, false, 1)));
        Assert.That(parent.Reception.Refused.Count(aside => aside.Child == child.Node), Is.EqualTo(ReceptionFold.RefusedMax));
        Assert.That(parent.Reception.Refused.Count(aside => aside.Child == other.Node), Is.EqualTo(1));
    }

    [Test]
    public void More_than_are_listed_are_asked_for_again_and_nothing_counts_twice()
    {
        var (parent, child) = Joined();
        for (var i = 0; i < 11; i++)
        {
            parent.Take(child.Peer, child.Cut(i * 1000, (i + 1) * 1000, [.. Enumerable.Range(1, 1000).Select(n => child.Cell((i * 1000) + n, 1, "420199", day: 5_000 + (i * 1000) + n))]));
        }

        Assert.That((parent.Reception.Parked.Count, parent.Reception.HasUnlisted(child.Node)), Is.EqualTo((ReceptionFold.ParkedMax, true)));
        var image = new MemoryStream();
        parent.Reception.Save(image);
        image.Position = 0;
        var loaded = new ReceptionFold(new Hub.Cells.CellFold());
        loaded.Load(image);
        Assert.That((loaded.Parked.Count, loaded.HasUnlisted(child.Node)), Is.EqualTo((ReceptionFold.ParkedMax, true)));

        parent.Settings = parent.Settings with { Register = Grown };
        parent.Rewind(child.Node);
        Assert.That((parent.Reception.Parked.Count, parent.Reception.HasUnlisted(child.Node), parent.Reception.Child(child.Node)!.Cells.Mark.IsStart), Is.EqualTo((0, false, true)));
        for (var i = 0; i < 11; i++)
        {
            var receipt = parent.Take(child.Peer, child.Cut(i * 1000, (i + 1) * 1000, [.. Enumerable.Range(1, 1000).Select(n => child.Cell((i * 1000) + n, 1, "420199", day: 5_000 + (i * 1000) + n))])).Receipt;
            Assert.That((receipt.Accepted, receipt.Parked), Is.EqualTo((1000, 0)));
        }

        Assert.That(parent.Cells.Count, Is.EqualTo(11_000));
    }

    private static (Parent Parent, Child Child) Joined()
    {
        var parent = new Parent("hubei", "42", Registers.Tempting);
        var child = new Child("wuhan", "4201");
        child.Join(parent);
        return (parent, child);
    }
}
