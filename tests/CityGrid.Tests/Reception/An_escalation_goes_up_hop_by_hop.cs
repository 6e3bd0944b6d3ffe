using CityGrid.Hub.Escalations;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clause L9; INV-7, INV-16; RULE-6, RULE-10.</summary>
public sealed class An_escalation_goes_up_hop_by_hop
{
    private Parent _hubei = null!;
    private Child _wuhan = null!;

    [SetUp]
    public void Join()
    {
        _hubei = new Parent("hubei", "42", Registers.Tempting);
        _wuhan = new Child("wuhan", "4201");
        _wuhan.Join(_hubei);
    }

    [Test]
    public void It_takes_effect_once_however_often_it_comes()
    {
        var part = _wuhan.Raise(0, 5, _wuhan.Escalation(3, 1), _wuhan.Escalation(4, 1, 2));
        Assert.That(_hubei.Take(_wuhan.Peer, part).Receipt.Accepted, Is.EqualTo(2));
        Assert.That(_hubei.Take(_wuhan.Peer, part).Receipt.Unchanged, Is.EqualTo(2));
        Assert.That(_hubei.Take(_wuhan.Peer, _wuhan.Raise(5, 6, _wuhan.Escalation(6, 1, 2))).Receipt.Unchanged, Is.EqualTo(1));
        Assert.That(_hubei.Escalations.ChangedSince(Lsn.Zero, _hubei.Head).Count(), Is.EqualTo(2));
    }

    [Test]
    public void Twice_in_one_part_is_once() =>
        Assert.That(_hubei.Take(_wuhan.Peer, _wuhan.Raise(0, 5, _wuhan.Escalation(3, 1), _wuhan.Escalation(3, 1))).Receipt, Has.Property("Accepted").EqualTo(1).And.Property("Unchanged").EqualTo(1));

    [Test]
    public void The_newest_version_is_shown_and_none_is_lost_in_whatever_order_they_come()
    {
        _hubei.Take(_wuhan.Peer, _wuhan.Raise(0, 5, _wuhan.Escalation(3, 1, 3), _wuhan.Escalation(4, 1), _wuhan.Escalation(5, 2)));
        var first = EscalationRecord.IdOf(Escalation.Parser.ParseFrom(_wuhan.Escalation(1, 1).Escalation));
        Assert.That(_hubei.Escalations.Find(first)!.Content.Version, Is.EqualTo(3));
        Assert.That(_hubei.Escalations.VersionsOf(first).Select(v => v.Content.Version), Is.EqualTo(new[] { 1, 3 }));
        var page = _hubei.Escalations.Page(null, 1);
        Assert.That(page.Records.Single().Content.Id[15], Is.EqualTo(2), "The newest first.");
        Assert.That(_hubei.Escalations.Page(page.Next, 5).Records.Single().Content.Version, Is.EqualTo(3));
    }

    [Test]
    public void Another_content_of_a_version_is_refused_and_the_first_stays()
    {
        _hubei.Take(_wuhan.Peer, _wuhan.Raise(0, 5, _wuhan.Escalation(3, 1)));
        var receipt = _hubei.Take(_wuhan.Peer, _wuhan.Raise(5, 6, _wuhan.Escalation(6, 1, 1, e => e.Summary = "other"))).Receipt;
        Assert.That(receipt.Records.Single().Code, Is.EqualTo("CONFLICT"));
        Assert.That(_hubei.Escalations.Page(null, 9).Records.Single().Content.Summary, Is.Empty);
    }

    [Test]
    public void Its_bytes_are_passed_on_untouched_and_each_hop_stands_outside_of_them()
    {
        // A field that this version does not know: 99, a varint.
        var envelope = _wuhan.Escalation(3, 1);
        envelope.Escalation = ByteString.CopyFrom([.. envelope.Escalation, 0x98, 0x06, 0x2A]);
        var bytes = envelope.Escalation;
        _hubei.Take(_wuhan.Peer, _wuhan.Raise(0, 5, envelope));

        var ministry = new Parent("ministry", "CN", Registers.Tempting) { Now = Parent.Noon + NodaTime.Duration.FromSeconds(2) };
        Relay(_hubei, ministry);
        var record = ministry.Escalations.Page(null, 9).Records.Single();
        Assert.Multiple(() =>
        {
            Assert.That(record.Bytes.ToArray(), Is.EqualTo(bytes.ToByteArray()));
            Assert.That(record.Hops.Select(h => (h.Node.ToString(), h.ReceivedAt)), Is.EqualTo(new[] { ("hubei", Parent.Noon), ("ministry", ministry.Now) }));
            Assert.That(record.Via, Is.EqualTo(_hubei.Settings.Node));
        });
    }

    [Test]
    public void By_two_paths_it_is_one()
    {
        var direct = new Parent("ministry", "CN", Registers.Tempting);
        var child = new Child("wuhan", "4201");
        child.Join(direct);
        _hubei.Take(_wuhan.Peer, _wuhan.Raise(0, 5, _wuhan.Escalation(3, 1)));
        Relay(_hubei, direct);
        Assert.That(direct.Take(child.Peer, child.Raise(0, 5, child.Escalation(3, 1))).Receipt.Unchanged, Is.EqualTo(1));
        Assert.That(direct.Escalations.Count, Is.EqualTo(1));
    }

    [TestCase(EmergencyGrade.General, false, false)]
    [TestCase(EmergencyGrade.Larger, true, false)]
    [TestCase(EmergencyGrade.Serious, true, true)]
    [TestCase(EmergencyGrade.EspeciallySerious, true, true)]
    [TestCase((EmergencyGrade)9, true, true)]
    public void It_goes_as_far_as_its_grade_demands(EmergencyGrade grade, bool toProvince, bool toMinistry)
    {
        var own = Own(grade, "some-rule");
        Assert.That(new EscalationReach(GradeTier.Province, _ => false).GoesUp(own), Is.EqualTo(toProvince));
        Assert.That(new EscalationReach(GradeTier.Ministry, _ => false).GoesUp(own), Is.EqualTo(toMinistry));
    }

    [Test]
    public void A_rule_sends_it_from_its_origin_to_the_parent_and_no_further()
    {
        var own = Own(EmergencyGrade.General, "overdue");
        var reach = new EscalationReach(GradeTier.Province, rule => rule == "overdue");
        Assert.That(reach.GoesUp(own), Is.True);
        Assert.That((reach with { Parent = GradeTier.Ministry }).GoesUp(own with { Via = NodeId.Parse("wuhan") }), Is.False);
    }

    private static EscalationRecord Own(EmergencyGrade grade, string rule) =>
        new(new Lsn(1), null, new Escalation { Grade = grade, Rule = rule }, ReadOnlyMemory<byte>.Empty, []);

    /// <summary>What the province knows goes up, as its uplink reads it.</summary>
    private static void Relay(Parent from, Parent to)
    {
        var province = new Child(from.Settings.Node.ToString(), from.Settings.Division.ToString()) { Head = from.Head.Value };
        province.Join(to);
        var reader = new CutReader(from.Settings.Node, from.Cells, from.Reception, from.Escalations, new EscalationReach(GradeTier.Ministry, _ => false), new OrderFold(NodeId.Parse("hubei")), _ => true);
        var cut = reader.Escalations(Lane.Escalations, false, StreamMark.Start, Parent.MarkAt(from.Head), Parent.MarkAt, false, Pace.Start.PartBytes);
        foreach (var part in cut.Parts)
        {
            var receipt = to.Take(province.Peer, new ConnectRequest { Number = 9, Escalations = part.Escalations }).Receipt;
            Assert.That(receipt.Records, Is.Empty);
        }
    }
}
