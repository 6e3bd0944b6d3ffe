using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clauses L10 and L13; features T6, T13; RULE-12: one bad record neither blocks nor rejects the rest, and its outcome is durable.</summary>
public sealed class Each_record_is_judged_by_itself
{
    private Parent _parent = null!;
    private Child _child = null!;

    [SetUp]
    public void Join()
    {
        _parent = new Parent("hubei", "42", Registers.Tempting);
        _child = new Child("wuhan", "4201");
        _child.Join(_parent);
    }

    [Test]
    public void The_good_ones_go_in_and_the_bad_ones_are_named_in_the_receipt_and_kept_at_the_parent()
    {
        var ahead = StatDay.Of(new NodaTime.LocalDate(2026, 11, 26)).Number;
        var receipt = Take(_child.Cut(0, 9,
        [
            _child.Cell(1, 7, day: 1),
            _child.Cell(2, -1, day: 2),
            _child.Cell(3, 1_000_000_000_000_001, day: 3),
            _child.Cell(4, 1, day: ahead),
            _child.Cell(5, 1, "4301", day: 5),
            _child.Cell(6, 1, "99", day: 6),
            _child.Cell(7, 1, day: 7) with { Value = new byte[] { 1, 2, 3 } },
            _child.Cell(8, 8, day: 8),
        ])).Receipt;
        Assert.Multiple(() =>
        {
            Assert.That(receipt.Position.Lsn, Is.EqualTo(9), "The stream goes on.");
            Assert.That((receipt.Accepted, receipt.Unchanged, receipt.Parked, receipt.Refused), Is.EqualTo((2, 0, 5, 1)));
            Assert.That(receipt.Records.Select(r => (r.Index, r.Code)), Is.EqualTo(new[]
            {
                (1, "CELL_NEGATIVE"), (2, "CELL_TOO_LARGE"), (3, "CELL_DAY_AHEAD"), (4, "PERMISSION_DENIED"), (5, "UNKNOWN_DIVISION"), (6, "CELL_MALFORMED"),
            }));
            Assert.That(_parent.Cells.Count, Is.EqualTo(2));
            Assert.That(_parent.Reception.Parked.Concat(_parent.Reception.Refused).Select(a => a.Verdict.Index).Order(), Is.EqualTo(new[] { 1, 2, 3, 4, 5, 6 }));
            Assert.That((_parent.Reception.ParkedInAll, _parent.Reception.RefusedInAll), Is.EqualTo((5, 1)));
        });
    }

    [Test]
    public void A_day_is_ahead_by_the_clock_in_the_origins_zone()
    {
        // 2026-11-24 04:00 UTC is still the 23rd in Honolulu, so the 25th is after tomorrow there.
        var day = StatDay.Of(new NodaTime.LocalDate(2026, 11, 25)).Number;
        Assert.That(Take(_child.Cut(0, 1, [_child.Cell(1, 1, day: day)])).Receipt.Accepted, Is.EqualTo(1), "Nothing is known of its zone yet.");
        Take(_child.Cut(1, 2, [], 1, 1, p => CellsPartCodec.Write(p, [], [_child.Statement(2) with { Zone = "Pacific/Honolulu", CompleteThrough = StatDay.Of(new NodaTime.LocalDate(2026, 11, 22)) }], [])));
        Assert.That(Take(_child.Cut(2, 3, [_child.Cell(3, 2, day: day)])).Receipt.Records.Single().Code, Is.EqualTo("CELL_DAY_AHEAD"));
    }

    [Test]
    public void A_key_that_names_no_symbol_is_refused_alone()
    {
        var receipt = Take(_child.Cut(0, 9, [_child.Cell(1, 1, day: 1), _child.Cell(2, 1, day: 2)], 1, 1, p => p.Cells[0].Division = 77)).Receipt;
        Assert.That(receipt.Records.Select(r => (r.Index, r.Outcome)), Is.EqualTo(new[] { (0, RecordOutcome.Refused) }));
        Assert.That(receipt.Accepted, Is.EqualTo(1));
    }

    [Test]
    public void An_own_cell_of_an_epoch_never_granted_or_past_the_cut_is_refused()
    {
        var receipt = Take(_child.Cut(0, 9, [_child.Cell(1, 1, day: 1) with { Revision = new Revision(99, 1) }, _child.Cell(10, 1, day: 2)])).Receipt;
        Assert.That(receipt.Records.Select(r => r.Code), Is.EqualTo(new[] { "AHEAD", "AHEAD" }));
    }

    [Test]
    public void Another_content_of_a_relayed_cell_is_refused_and_what_is_held_stays()
    {
        Take(_child.Cut(0, 5, [_child.Cell(3, 1, origin: "district")]));
        var receipt = Take(_child.Cut(5, 9, [_child.Cell(3, 2, origin: "district")])).Receipt;
        Assert.That(receipt.Records.Single().Code, Is.EqualTo("CONFLICT"));
        Assert.That(_parent.Cells.ChangedSince(Lsn.Zero, _parent.Head).Single().Value.ToArray(), Is.EqualTo(Child.Value(1)));
    }

    [Test]
    public void A_statement_that_cannot_be_read_or_is_of_a_day_to_come_is_refused_alone()
    {
        var good = _child.Statement(9);
        var receipt = Take(_child.Cut(0, 9, [_child.Cell(1, 1)], 1, 1, p =>
        {
            CellsPartCodec.Write(p, [], [good, good with { Origin = NodeId.Parse("district"), CompleteThrough = StatDay.Of(new NodaTime.LocalDate(2026, 11, 26)) }], [good.Origin]);
            p.Watermarks.Add(new Watermark { Origin = "nobody", Zone = "Mars/Olympus" });
            p.CompleteOrigins.Add(1234);
        })).Receipt;
        Assert.That(receipt.Records.Select(r => (r.Index, r.Code)), Is.EqualTo(new[] { (2, "AHEAD"), (3, "WATERMARK_MALFORMED"), (5, "MALFORMED") }));
        Assert.That(_parent.Reception.Watermarks.Select(w => w.Origin), Is.EqualTo(new[] { _child.Node }));
        Assert.That(_parent.Reception.Origin(_child.Node)!.CompleteEpoch, Is.EqualTo(1));
    }

    [Test]
    public void A_child_states_itself_as_it_is()
    {
        var good = _child.Statement(9);
        foreach (var bad in new[] { good with { Epoch = new Epoch(5, 5) }, good with { Incarnation = new Incarnation(77) }, good with { Lsn = new Lsn(10) }, good with { Division = DivisionCode.Parse("420111") } })
        {
            var parent = new Parent("hubei", "42", Registers.Tempting);
            var child = new Child("wuhan", "4201");
            child.Join(parent);
            Assert.That(child.Epoch, Is.EqualTo(_child.Epoch));
            var receipt = parent.Take(child.Peer, child.Cut(0, 9, [], 1, 1, p => CellsPartCodec.Write(p, [], [bad], [bad.Origin]))).Receipt;
            Assert.That(receipt.Records.Select(r => r.Code), Is.EqualTo(new[] { "PERMISSION_DENIED", "MALFORMED" }));
            Assert.That(parent.Reception.Watermarks, Is.Empty);
        }
    }

    [Test]
    public void Nobody_states_an_origin_that_another_answers_for()
    {
        // The province of Hunan claims to relay Wuhan, to make its cells zero.
        var ministry = new Parent("ministry", "CN", Registers.Tempting);
        var hubei = new Child("hubei", "42");
        hubei.Join(ministry);
        var wuhan = _child.Statement(9) with { Origin = NodeId.Parse("wuhan") };
        ministry.Take(hubei.Peer, hubei.Cut(0, 9, [hubei.Cell(3, 5, "4201", "wuhan")], 1, 1, p => CellsPartCodec.Write(p, [], [wuhan], [wuhan.Origin])));
        var hunan = new Child("hunan", "43");
        hunan.Join(ministry);
        var forged = wuhan with { Epoch = new Epoch(50, 50), Division = DivisionCode.Parse("4301") };
        var receipt = ministry.Take(hunan.Peer, hunan.Cut(0, 9, [hunan.Cell(3, 0, "4301", "wuhan")], 1, 1, p => CellsPartCodec.Write(p, [], [forged], [forged.Origin]))).Receipt;
        Assert.That(receipt.Records.Select(r => (r.Outcome, r.Code)), Is.EqualTo(Enumerable.Repeat((RecordOutcome.Parked, "NAME_TAKEN"), 3)), "a person says whose the name is");
        Assert.That(ministry.Cells.ChangedSince(Lsn.Zero, ministry.Head).Single().Value.ToArray(), Is.EqualTo(Child.Value(5)));
    }

    [Test]
    public void Escalations_that_are_none_are_refused_alone()
    {
        var receipt = Take(_child.Raise(0, 9,
            new EscalationEnvelope { Lsn = 1, Escalation = ByteString.CopyFrom(0xFF, 0xFF) },
            _child.Escalation(2, 1, 0),
            _child.Escalation(3, 2, 1, e => e.Id = ByteString.CopyFromUtf8("short")),
            _child.Escalation(4, 3, 1, e => e.Origin = "Not A Node"),
            _child.Escalation(5, 4, 1, e => e.Division = "4301"),
            _child.Escalation(6, 5, 1, e => e.Division = "99"),
            With(_child.Escalation(7, 6), new Hop { Node = "hubei", ReceivedAt = 1 }),
            With(_child.Escalation(8, 7), new Hop { Node = "wuhan-east", ReceivedAt = long.MaxValue }),
            _child.Escalation(9, 8))).Receipt;
        Assert.That(receipt.Records.Select(r => (r.Index, r.Code)), Is.EqualTo(new[]
        {
            (0, "MALFORMED"), (1, "MALFORMED"), (2, "MALFORMED"), (3, "MALFORMED"), (4, "PERMISSION_DENIED"), (5, "UNKNOWN_DIVISION"), (6, "LOOP"), (7, "MALFORMED"),
        }));
        Assert.That((receipt.Accepted, receipt.Position.Lsn, _parent.Escalations.Count), Is.EqualTo((1, 9L, 1)));
    }

    private static EscalationEnvelope With(EscalationEnvelope envelope, Hop hop)
    {
        envelope.Hops.Add(hop);
        return envelope;
    }

    private ConnectResponse Take(ConnectRequest request) => _parent.Take(_child.Peer, request);
}
