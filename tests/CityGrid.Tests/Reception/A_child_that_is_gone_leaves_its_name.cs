using CityGrid.Hub.Cells;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>
/// Clause L13: the name of a child whose place is retired (E7) may be given to another division, and then it is at home there. Where the place is opened anew and the child says hello again, the
/// name is its own again.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_child_that_is_gone_leaves_its_name
{
    private static readonly NodeId Name = NodeId.Parse("city-1");
    private static readonly DivisionCode Wuhan = DivisionCode.Parse("4201"), Beijing = DivisionCode.Parse("11");

    private readonly Child _gone = new("city-1", "11");
    private readonly Child _hubei = new("hubei", "42");
    private Parent _ministry = new("ministry", "CN", Registers.Tempting);

    [SetUp]
    public void The_child_was_there_before_hubei_spoke_of_its_name()
    {
        Hello(_gone);
        Assert.That(Says(_gone, Beijing, 3, _gone.Epoch.Number), Is.Empty);
        Hello(_hubei);
        Refuses();
        Assert.That(_ministry.GiveName(Name, Wuhan), Is.EqualTo(NameOutcome.Borne), "while its place is there");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void The_name_is_given_and_holds(bool fromImage)
    {
        _ministry.Retired.Add(Name);
        Refuses();
        Assert.That(_ministry.GiveName(Name, Wuhan), Is.EqualTo(NameOutcome.Given));
        Assert.That(
            (_ministry.Reception.GivenTo(Name), _ministry.Reception.Origin(Name), Held(Beijing), _ministry.Reception.Child(_hubei.Node)!.Cells.Mark.IsStart),
            Is.EqualTo(((DivisionCode?)Wuhan, (OriginRow?)null, 0L, true)), "what was refused of it comes again");

        _ministry = fromImage ? _ministry.FromImages() : _ministry;
        Hello(_hubei);
        Assert.That(Says(_hubei, Wuhan, 7, 2), Is.Empty);
        Assert.That((Held(Wuhan), Held(Beijing), _ministry.Reception.Origin(Name)!.Via, _ministry.GiveName(Name, Wuhan)), Is.EqualTo((7L, 0L, _hubei.Node, NameOutcome.HadIt)));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Opened_anew_the_child_has_its_name_again(bool asAnotherDirectory)
    {
        _ministry.Retired.Add(Name);
        _ministry.GiveName(Name, Wuhan);
        Hello(_hubei);
        Says(_hubei, Wuhan, 7, 2);

        _ministry.Retired.Clear();
        Assert.That(Says(_hubei, Wuhan, 8, 2, lsn: 4), Is.Empty, "until it is there");
        if (asAnotherDirectory)
        {
            (_gone.Incarnation, _gone.Epoch) = (new Incarnation(2), Epoch.NotGranted);
        }

        Assert.That(Hello(_gone).Positions.Select(position => position.Lsn), Is.All.EqualTo(0), "all that it has is asked for again");
        Assert.That((_ministry.Reception.GivenTo(Name), _ministry.Reception.Origin(Name), Held(Wuhan)), Is.EqualTo(((DivisionCode?)null, (OriginRow?)null, 0L)));
        Assert.That(Says(_gone, Beijing, 3, _gone.Epoch.Number), Is.Empty);
        Assert.That((Held(Beijing), _ministry.GiveName(Name, Wuhan)), Is.EqualTo((3L, NameOutcome.Borne)));
        Refuses();

        var head = _ministry.Head;
        Hello(_gone);
        Assert.That(_ministry.Head, Is.EqualTo(head), "once");
    }

    private void Refuses() => Assert.That(Says(_hubei, Wuhan, 7, 2).Select(r => (r.Outcome, r.Code)), Is.EqualTo(Enumerable.Repeat((RecordOutcome.Refused, RecordJudge.PermissionDenied), 2)));

    private Welcome Hello(Child child)
    {
        var welcome = _ministry.Door(child.Peer, child.Hello()).Welcome;
        child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        return welcome;
    }

    private IEnumerable<RecordReceipt> Says(Child child, DivisionCode division, int reported, long epoch, long lsn = 3)
    {
        var row = _ministry.Reception.Child(child.Node)!;
        var from = row.Seat(child.Incarnation, child.Epoch)?.Cells.Mark.Lsn.Value ?? 0;
        var cell = child.Cell(lsn, reported, division.ToString(), Name.ToString(), grain: Grain.National) with { Revision = new Revision(epoch, lsn) };
        var word = child.Statement(lsn) with { Origin = Name, Division = division, Epoch = child.Node == Name ? child.Epoch : new Epoch(epoch, 1) };
        return _ministry.Door(child.Peer, child.Cut(from, from + 5, [cell], twist: part => CellsPartCodec.Write(part, [], [word], []))).Receipt.Records;
    }

    private long Held(DivisionCode division)
    {
        var sum = new CellSum();
        _ministry.Cells.Visit(new CellFilter(Grain.National, new StatDay(0), new StatDay(30_000)) { Divisions = code => code == division }, (in CellKey _, Lsn _, ReadOnlySpan<byte> value) => sum.Add(value));
        return sum[Counter.Reported];
    }
}
