using CityGrid.Hub.Load;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Reception;
using NUnit.Framework;

namespace CityGrid.Tests.Load;

/// <summary>
/// Clause L13: a child speaks in somebody else's name until it may have no more cells held. Once the name is its bearer's, what was let go of is no weight on that one. On the liar it
/// stays, which does not begin anew with the next name.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_liar_fills_its_own_measure
{
    private const int Measure = 20;

    private static readonly NodeId Name = NodeId.Parse("city-1"), Next = NodeId.Parse("city-2");
    private static readonly DivisionCode Wuhan = DivisionCode.Parse("4201");

    private readonly Child _liar = new("hunan", "43");
    private readonly Child _hubei = new("hubei", "42");
    private Parent _ministry = Bounded(new Parent("ministry", "CN", Registers.Tempting));

    public enum Start
    {
        None,
        ByJournal,
        ByImage,
    }

    [Test]
    public void Nothing_of_it_weighs_on_whom_a_person_gives_the_name([Values] bool stated, [Values] Start start)
    {
        Fill(stated);
        Assert.That(_ministry.GiveName(Name, Wuhan), Is.EqualTo(NameOutcome.Given));
        Restart(start);
        Hello(_hubei);
        HasRoomFor(_hubei, Wuhan);
    }

    [Test]
    public void Nothing_of_it_weighs_on_a_child_that_says_its_first_hello([Values] bool stated, [Values] Start start)
    {
        Fill(stated);
        var city = new Child(Name.ToString(), "11");
        Hello(city);
        Restart(start);
        Hello(city);
        HasRoomFor(city, city.Division);
        IsBusy(Bring(_liar, Next, "4301", 1));
    }

    [Test]
    public void The_liar_does_not_begin_anew_with_the_next_name([Values] bool stated, [Values] Start start)
    {
        Fill(stated);
        _ministry.GiveName(Name, Wuhan);
        Restart(start);
        Assert.That((_ministry.Cells.Holdings.Count(), _ministry.Cells.Count, _ministry.Reception.LetGoOf(_liar.Node), _ministry.Reception.LetGoOf(_hubei.Node)), Is.EqualTo((0, (long)Measure, (long)Measure, 0L)), "their places in memory stay");
        Hello(_liar);
        IsBusy(Bring(_liar, Next, "4301", 1));
        IsBusy(Bring(_liar, _liar.Node, "43", 1));
    }

    /// <summary>No more than that: what it is charged with is what it brought, and of another child's nothing.</summary>
    [Test]
    public void Whoever_was_let_go_of_a_part_has_the_rest_of_its_measure()
    {
        Hello(_liar);
        Bring(_liar, Name, "4301", Measure / 2);
        _ministry.GiveName(Name, Wuhan);
        Assert.That(Bring(_liar, Next, "4301", Measure / 2).Receipt?.Accepted, Is.EqualTo(Measure / 2));
        IsBusy(Bring(_liar, Next, "4301", 1, firstDay: 19_000));
    }

    private void Fill(bool stated)
    {
        Hello(_liar);
        Assert.That(Bring(_liar, Name, "4301", Measure, stated).Receipt?.Accepted, Is.EqualTo(Measure));
        IsBusy(Bring(_liar, Next, "4301", 1));
    }

    private void Restart(Start start)
    {
        var again = start switch { Start.ByJournal => _ministry.Replayed(), Start.ByImage => _ministry.FromImages(), _ => null };
        if (again is not null)
        {
            _ministry = Bounded(again);
            Hello(_liar);
        }
    }

    /// <summary>Half of its measure at once, and more when that is there.</summary>
    private void HasRoomFor(Child bearer, DivisionCode division)
    {
        Assert.That(Bring(bearer, Name, division.ToString(), Measure / 2).Receipt?.Accepted, Is.EqualTo(Measure / 2));
        Assert.That(Bring(bearer, Name, division.ToString(), 1, firstDay: 19_000).Receipt?.Accepted, Is.EqualTo(1));
    }

    private void IsBusy(ConnectResponse answer)
    {
        var letGo = _ministry.Reception.LetGoOf(_liar.Node);
        Assert.That((answer.Refusal?.Code, answer.Refusal?.Message), Is.EqualTo((
            LinkRefusalCode.Busy, $"{Measure + 1} cells of hunan would be held{(letGo > 0 ? $", {letGo} of them let go of because their names are another's (L13)" : string.Empty)}, and {Measure} may be (limits.cellsPerChild of its parent).")));
    }

    private void Hello(Child child)
    {
        var welcome = _ministry.Door(child.Peer, child.Hello()).Welcome;
        child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
    }

    private ConnectResponse Bring(Child child, NodeId origin, string division, int count, bool stated = false, int firstDay = 20_000)
    {
        var from = _ministry.Reception.Child(child.Node)!.Cells.Mark.Lsn.Value;
        var rows = Enumerable.Range(firstDay, count).Select(day => child.Cell(1, 1, division, origin.ToString(), day, Grain.National));
        var word = child.Statement(1) with { Origin = origin, Division = DivisionCode.Parse(division) };
        return _ministry.Door(child.Peer, child.Cut(from, from + 1, rows, twist: part => CellsPartCodec.Write(part, [], stated ? [word] : [], [])));
    }

    private static Parent Bounded(Parent parent)
    {
        parent.Quota = new ChildQuota(new ChildBounds(EscalationsPerHour: 1000, Cells: Measure), TimeProvider.System);
        return parent;
    }
}
