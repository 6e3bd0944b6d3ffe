using CityGrid.Hub.Cells;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clause L16 at the receiver; INV-9, INV-10, INV-11.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_repair_changes_what_was_found_to_differ_and_nothing_else
{
    private const int January = (2025 * 12) + 0;

    private readonly Parent _parent = new("hubei", "42", Registers.Tempting);
    private readonly Child _child = new("wuhan", "4201");
    private readonly CellFold _truth = new();
    private readonly CellRow[] _rows;
    private long _at;

    public A_repair_changes_what_was_found_to_differ_and_nothing_else()
    {
        _child.Join(_parent);
        _rows = [.. Enumerable.Range(1, 4).Select(i => _child.Cell(i, i, day: DayOf(i)))];
        foreach (var row in _rows)
        {
            _truth.Merge(row.Key, row.Revision, row.Value.Span, new Lsn(row.Revision.Lsn));
        }

        Take(Cut(9, _rows));
        Assert.That(State(), Is.Empty, "all is equal to begin with");
    }

    private ChildRanges Ranges => _parent.Reception.Ranges.Of(_child.Node);

    private RangeKey Month => new(new RangeScope(_child.Node, Grain.Detail), January);

    [Test]
    public void One_cut_short_is_never_taken_for_equal_and_one_more_makes_it_so()
    {
        Lie(1, 70);
        Lie(3, 90);
        Assert.That(State(), Is.EqualTo(new[] { (RangeState.Differs, 0L) }));
        Repair(Stretch(0, 2, fromStart: true));
        _parent.HangUp(_child.Node);
        Rejoin();
        Assert.That(State(), Is.EqualTo(new[] { (RangeState.Differs, 1L) }), "half of it is repaired, and that is not all");
        Repair(Stretch(0, 2, fromStart: true), Stretch(1, 4, toEnd: true));
        Assert.That(State(), Is.EqualTo(new[] { (RangeState.Repaired, 2L) }));
        Assert.That(State(), Is.Empty);
        Assert.That((Ranges.CellsInAll, Ranges.FoundInAll, Ranges.Open.Count), Is.EqualTo((2L, 1L, 0)));
        Assert.That(Held(), Is.EqualTo(_rows.Select(Line)));
    }

    [Test]
    public void Nothing_between_two_stretches_is_forgotten_and_nothing_outside_of_one_is_touched()
    {
        Phantom(DayOf(2) + 1);
        Phantom(DayOf(4) + 1);
        Phantom(DayOf(1) + 40);
        Assert.That(State().Select(s => s.State), Is.EqualTo(new[] { RangeState.Differs, RangeState.Differs }), "January and February");
        Repair(Stretch(0, 2, fromStart: true));
        Assert.That(Ranges.CellsInAll, Is.Zero, "the phantom lies behind it");
        Repair(Stretch(1, 4));
        Assert.That(Ranges.CellsInAll, Is.EqualTo(1), "the one between; the one behind the last cell is in no stretch yet");
        Repair(Stretch(3, 4, toEnd: true));
        Assert.That(Ranges.CellsInAll, Is.EqualTo(2));
        Assert.That(_parent.Cells.MonthDigestsOf(_child.Node, Grain.Detail).Select(m => m.Month), Is.EqualTo(new[] { January, January + 1 }), "February was not repaired");
    }

    [Test]
    public void A_month_of_which_the_child_has_nothing_is_emptied_and_no_revision_falls()
    {
        Phantom(DayOf(1) + 40);
        var key = _rows[0].Key with { Day = new StatDay(DayOf(1) + 40) };
        var before = _parent.Cells.Find(key)!.Value.Revision;
        Assert.That(State(), Is.EqualTo(new[] { (RangeState.Differs, 0L) }));
        Repair((new RangeStretch(Month with { Month = January + 1 }, true, true), []));
        Assert.That(State(), Is.EqualTo(new[] { (RangeState.Repaired, 1L) }));
        Assert.That(_parent.Cells.Find(key)!.Value, Has.Property("Revision").EqualTo(before));
        Assert.That(CellCodec.IsZero(_parent.Cells.Find(key)!.Value.Value.Span));
    }

    [Test]
    public void What_is_held_above_all_that_the_child_ever_said_stays_and_an_alarm_says_so()
    {
        var ahead = new Revision(_child.Epoch.Number, 1_000);
        _parent.Cells.Merge(_rows[1].Key, ahead, Child.Value(5), _parent.Head);
        Assert.That(State(), Is.EqualTo(new[] { (RangeState.Differs, 0L) }));
        Repair(Stretch(0, 4, fromStart: true, toEnd: true));
        Assert.That(State(), Is.EqualTo(new[] { (RangeState.Persists, 0L) }));
        Assert.That(_parent.Cells.Find(_rows[1].Key)!.Value.Revision, Is.EqualTo(ahead), "INV-9");
        Assert.That((Ranges.Persisting, Ranges.Open.Values.Single().Repair.Newer), Is.EqualTo((1, 1L)));
        Assert.That(_parent.Reception.Child(_child.Node)!.Quarantine, Is.Null);
    }

    [Test]
    public void A_repair_that_nobody_asked_for_is_refused_and_one_content_for_another_stays_a_fork()
    {
        var head = Held();
        var another = _rows[0] with { Value = Child.Value(99) };
        var receipt = Take(Cut(9, [another], (p, _) => RangeStatements.Write(p, new RangeStretch(Month, true, true)))).Receipt;
        Assert.That(receipt.Records.Select(r => (r.Outcome, r.Code)), Is.EqualTo(new[] { (RecordOutcome.Refused, "RANGE_NOT_ASKED") }));
        Assert.That(Held(), Is.EqualTo(head));
        var again = Take(Cut(9, [_rows[0]], (p, _) => RangeStatements.Write(p, new RangeStretch(Month, true, true)))).Receipt;
        Assert.That((again.Records.Count, again.Unchanged), Is.EqualTo((0, 1)), "one whose answer was lost comes again");
        Assert.That(Held(), Is.EqualTo(head), "and makes nothing zero");
        Assert.That(Take(Cut(9, [another])).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fork));
    }

    [Test]
    public void A_digest_that_does_not_fit_the_origins_own_word_is_not_compared()
    {
        var lie = Hash256.Of([1]);
        Assert.That(Answers(p => RangeStatements.Write(p, [new RangeStatement(new RangeScope(_child.Node, Grain.National), lie, [])])), Is.EqualTo(new[] { RangeState.NotCompared }), "not the statement's digest");
        Assert.That(Answers(p => RangeStatements.Write(p, [new RangeStatement(Month.Scope, lie, [(January, lie)])])), Is.EqualTo(new[] { RangeState.NotCompared }), "months that do not add up to their root");
        Assert.That(Answers(p => RangeStatements.Write(p, [new RangeStatement(new RangeScope(NodeId.Parse("shanghai"), Grain.National), lie, [])])), Is.EqualTo(new[] { RangeState.NotCompared }), "an origin that says nothing of itself here");
        Assert.That(Ranges.FoundInAll, Is.Zero);
    }

    [Test]
    public void One_of_the_wrong_shape_is_refused_whole()
    {
        Lie(1, 70);
        State();
        var head = _parent.Head;
        Action<CellsPart>[] wrong =
        [
            p => RangeStatements.Write(p, new RangeStretch(Month with { Month = January + 1 }, true, true)),
            p => RangeStatements.Write(p, new RangeStretch(new RangeKey(new RangeScope(_child.Node, Grain.National), January), true, true)),
            p => { RangeStatements.Write(p, new RangeStretch(Month, true, true)); p.Cells.Add(p.Cells[0]); },
            p => { RangeStatements.Write(p, new RangeStretch(Month, true, true)); p.Cells[0].Code = 99; },
            p => { RangeStatements.Write(p, new RangeStretch(Month, true, false)); p.Cells.Clear(); },
            p => p.Repair = new RangeRepair { Origin = 77, Grain = 1, Month = January },
            p => RangeStatements.Write(p, [new RangeStatement(Month.Scope, null, [])]),
            p => { p.Cells.Clear(); p.Ranges.Add(new RangeDigest { Origin = 0, Grain = 1, Month = 5, Digest = Google.Protobuf.ByteString.CopyFrom(new byte[32]) }); },
            p => { p.Cells.Clear(); p.Ranges.Add(new RangeDigest { Origin = 0, Grain = 1, Digest = Google.Protobuf.ByteString.CopyFrom(new byte[31]) }); },
            p => { p.Cells.Clear(); p.Ranges.Add(new RangeDigest { Origin = 0, Grain = 0 }); },
            p => { p.Cells.Clear(); Months(p, int.MaxValue); },
            p => { p.Cells.Clear(); Months(p, (1899 * 12) + 11); },
            p => { p.Cells.Clear(); RangeStatements.Write(p, new RangeStretch(Month with { Month = int.MaxValue }, true, true)); },
            p => { p.Cells.Clear(); RangeStatements.Write(p, new RangeStretch(Month with { Month = 10_000 * 12 }, true, true)); },
            p => { p.Cells.Clear(); p.Ranges.Add([new RangeDigest { Origin = 0, Grain = 1 }, new RangeDigest { Origin = 0, Grain = 1 }]); },
        ];
        foreach (var twist in wrong)
        {
            var refusal = Take(_child.Cut(_at, _at, [_rows[0]], twist: twist)).Refusal;
            Assert.That(refusal?.Code, Is.EqualTo(LinkRefusalCode.Malformed));
            Assert.That(_parent.Head, Is.EqualTo(head));
            Rejoin();
        }
    }

    [Test]
    public void A_new_life_is_compared_once_its_complete_set_is_in()
    {
        (_child.Incarnation, _child.LastEpoch, _child.Epoch) = (new Incarnation(2), _child.Epoch.Number, Epoch.NotGranted);
        Rejoin();
        _at = 0;
        Assert.That(Answers(p => RangeStatements.Write(p, [new RangeStatement(Month.Scope, null, [])]), complete: true), Is.EqualTo(new[] { RangeState.NotCompared }));
        Assert.That(Answers(p => RangeStatements.Write(p, [new RangeStatement(Month.Scope, null, [])]), complete: true), Is.Empty, "what the earlier life had is zero by now");
    }

    private void Months(CellsPart part, int month) => RangeStatements.Write(part, [new RangeStatement(Month.Scope, Hash256.Of([1]), [(month, Hash256.Of([2]))])]);

    private static int DayOf(int i) => StatDay.Of(new NodaTime.LocalDate(2025, 1, 2 * i)).Number;

    private void Lie(int cell, long reported) => Assert.That(_parent.Cells.Correct(_rows[cell].Key, Child.Value(reported), _parent.Head));

    private void Phantom(int day) => _parent.Cells.Merge(_rows[0].Key with { Day = new StatDay(day) }, _rows[0].Revision, Child.Value(1), _parent.Head);

    /// <summary>States the child's months of detail, all of them, and gives what was answered of them.</summary>
    private (RangeState State, long Cells)[] State() =>
        [.. Statement(p => RangeStatements.Write(p, [new RangeStatement(Month.Scope, _truth.GrainDigestOf(_child.Node, Grain.Detail), _truth.MonthDigestsOf(_child.Node, Grain.Detail))]))
            .Where(a => a.HasMonth).Select(a => (a.State, a.Cells))];

    private RangeState[] Answers(Action<CellsPart> ranges, bool complete = false) => [.. Statement(ranges, complete).Select(a => a.State)];

    private IEnumerable<RangeAnswer> Statement(Action<CellsPart> ranges, bool complete = false) =>
        Take(Cut(_at + 1, [], (p, at) =>
        {
            CellsPartCodec.Write(p, [], [_child.Statement(at) with { Digest = _truth.DigestOf(_child.Node, Grain.National) }], complete ? [_child.Node] : []);
            ranges(p);
        })).Receipt.Ranges;

    private void Repair(params (RangeStretch Stretch, CellRow[] Rows)[] repairs)
    {
        foreach (var (stretch, rows) in repairs)
        {
            Assert.That(Take(Cut(_at + 1, rows, (p, _) => RangeStatements.Write(p, stretch))).Receipt.Records, Is.Empty);
        }
    }

    private (RangeStretch, CellRow[]) Stretch(int from, int to, bool fromStart = false, bool toEnd = false) => (new RangeStretch(Month, fromStart, toEnd), _rows[from..to]);

    private ConnectRequest Cut(long to, IEnumerable<CellRow> cells, Action<CellsPart, long>? twist = null)
    {
        var from = _at;
        _at = Math.Max(to, from);
        return _child.Cut(from, _at, cells, twist: p => twist?.Invoke(p, p.CutTo));
    }

    private ConnectResponse Take(ConnectRequest request) => _parent.Take(_child.Peer, request);

    private void Rejoin()
    {
        _child.Head = Math.Max(_child.Head, _at);
        _child.Join(_parent);
    }

    private string[] Held() => [.. _parent.Cells.RangeOf(_child.Node, Grain.Detail, January).Select(Line)];

    private static string Line(CellRow row) => $"{row.Key} {row.Revision} {Convert.ToHexString(row.Value.Span)}";
}
