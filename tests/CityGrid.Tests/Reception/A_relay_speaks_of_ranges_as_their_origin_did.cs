using CityGrid.Hub.Cells;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clause L16 where the sender is not the origin: it has no word of its own, and another relay may have a newer one.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_relay_speaks_of_ranges_as_their_origin_did
{
    private const int January = (2025 * 12) + 0;

    private readonly Parent _ministry = new("ministry", "CN", Registers.Tempting);
    private readonly Child _origin = new("wuhan", "4201") { Epoch = new Epoch(3, 1) };
    private readonly Relay _one = new("hubei"), _other = new("central");
    private readonly CellRow[] _rows;

    public A_relay_speaks_of_ranges_as_their_origin_did()
    {
        _rows = [.. Enumerable.Range(1, 3).Select(i => _origin.Cell(i, i, day: StatDay.Of(new NodaTime.LocalDate(2025, 1, 2 * i)).Number, grain: Grain.National))];
        _one.Child.Join(_ministry);
        _other.Child.Join(_ministry);
        Assert.That(Say(_one, 3, _rows), Is.Empty, "equal to begin with");
    }

    private RangeKey Range => new(new RangeScope(_origin.Node, Grain.National), January);

    [Test]
    public void What_is_held_newer_than_its_statement_is_no_difference()
    {
        var newer = _rows[0] with { Revision = new Revision(3, 9), Value = Child.Value(9) };
        _ministry.Cells.Merge(newer.Key, newer.Revision, newer.Value.Span, _ministry.Head);
        Assert.That(Say(_one, 3).Select(a => (a.HasMonth, a.State)), Is.EqualTo(new[] { (false, RangeState.NotCompared) }));
        Assert.That(Say(_one, 9, [newer]), Is.Empty);
        Assert.That(_ministry.Reception.Ranges.Of(_one.Child.Node).FoundInAll, Is.Zero, "no false alarm");
    }

    [Test]
    public void Only_the_relay_that_brings_the_newest_statement_is_compared()
    {
        Lie();
        Assert.That(Say(_other, 2).Select(a => a.State), Is.EqualTo(new[] { RangeState.NotCompared }), "an older statement");
        Assert.That(Say(_other, 3).Select(a => a.State), Is.EqualTo(new[] { RangeState.NotCompared }), "the same one");
        Assert.That(Say(_one, 3).Select(a => a.State), Is.EqualTo(new[] { RangeState.Differs, RangeState.Differs }));
    }

    [Test]
    public void What_was_open_with_the_relay_before_is_so_no_more_once_another_brings_the_origin()
    {
        Lie();
        Assert.That(Say(_one, 3).Select(a => a.State), Does.Contain(RangeState.Differs));
        Assert.That(Say(_other, 4).Select(a => a.State), Is.EqualTo(new[] { RangeState.Differs, RangeState.Differs }), "it is found again by the new way");
        var (before, after) = (_ministry.Reception.Ranges.Of(_one.Child.Node), _ministry.Reception.Ranges.Of(_other.Child.Node));
        Assert.That((before.Open.Count, before.Scopes.Count, after.Open.Count), Is.EqualTo((0, 0, 1)));

        var late = _one.Cut(5, _ministry, [_rows[1]], p => RangeStatements.Write(p, new RangeStretch(Range, true, true)));
        Assert.That(late.Receipt.Records.Select(r => r.Code), Is.EqualTo(new[] { "RANGE_NOT_ASKED" }));
        _one.Cut(6, _ministry, [], p => RangeStatements.Write(p, new RangeStretch(Range, true, true)));
        Assert.That(_ministry.Cells.RangeOf(_origin.Node, Grain.National, January), Has.None.Matches<CellRow>(row => CellCodec.IsZero(row.Value.Span)), "nothing is emptied by the way that it left");

        _other.Cut(5, _ministry, _rows, p => RangeStatements.Write(p, new RangeStretch(Range, true, true)));
        Assert.That(Say(_other, 4).Select(a => a.State), Is.EqualTo(new[] { RangeState.Repaired }));
    }

    private void Lie() => Assert.That(_ministry.Cells.Correct(_rows[1].Key, Child.Value(77), _ministry.Head));

    /// <summary>A cut with what the relay has of the origin as it stated itself at a position; what was answered of its ranges.</summary>
    private RangeAnswer[] Say(Relay relay, long at, params CellRow[] cells)
    {
        var truth = new CellFold();
        foreach (var row in _rows.Concat(cells).Where(r => r.Revision.Lsn <= at))
        {
            truth.Merge(row.Key, row.Revision, row.Value.Span, new Lsn(row.Revision.Lsn));
        }

        var statement = new RangeStatement(Range.Scope, truth.GrainDigestOf(_origin.Node, Grain.National), truth.MonthDigestsOf(_origin.Node, Grain.National));
        if (cells.Length > 0)
        {
            relay.Cut(relay.At + 1, _ministry, cells, _ => { });
        }

        return [.. relay.Cut(relay.At + 1, _ministry, [], p =>
        {
            CellsPartCodec.Write(p, [], [_origin.Statement(at) with { Digest = truth.DigestOf(_origin.Node, Grain.National) }], []);
            RangeStatements.Write(p, [statement]);
        }).Receipt.Ranges];
    }

    private sealed class Relay(string node)
    {
        public Child Child { get; } = new(node, "42");

        public long At { get; private set; }

        public ConnectResponse Cut(long to, Parent parent, CellRow[] cells, Action<CellsPart> twist)
        {
            var (from, end) = (At, Math.Max(to, At + 1));
            At = end;
            return parent.Take(Child.Peer, Child.Cut(from, end, cells, twist: twist));
        }
    }
}
