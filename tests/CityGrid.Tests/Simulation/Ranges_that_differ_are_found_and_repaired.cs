using CityGrid.Cli.Simulation;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>T10, INV-10: cells that are other at a parent than at their origin, for whatever reason, are found by the ranges' digests, and they alone are repaired (C10, L16).</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class Ranges_that_differ_are_found_and_repaired
{
    private readonly SmallTree _tree = new();

    public Ranges_that_differ_are_found_and_repaired()
    {
        foreach (var city in new[] { _tree.City, _tree.Neighbour })
        {
            foreach (var id in _tree.Report(city, 3, SmallTree.Cover, 1).Concat(_tree.Report(city, 2, SmallTree.Refuse, 2)))
            {
                _tree.Work(city, id, Node.Cases.CaseStage.Closed);
            }
        }

        _tree.Settle();
        _tree.Check();
    }

    private ChildRanges AtProvince => _tree.Province.Core!.Reception.Ranges.Of(_tree.City.Place.Node);

    private ChildRanges AtMinistry => _tree.Ministry.Core!.Reception.Ranges.Of(_tree.Province.Place.Node);

    [Test]
    public void Where_nothing_differs_one_statement_goes_up_and_no_cell()
    {
        var before = _tree.Province.Core!.Sequencer.Applied;
        _tree.City.Core!.Uplink!.CompareRanges();
        _tree.Run(TimeSpan.FromSeconds(10));
        var events = EventsAfter(_tree.Province, before);
        Assert.That(events.Select(e => e.Kind), Is.EqualTo(new[] { EventKinds.CellsReceived, EventKinds.RangesCompared }), "one record");
        Assert.That(((CellsTaken)ReceptionEvents.Read(events[0])!).Part, Has.Property("Cells").Empty);
        Assert.That(AtProvince.Scopes.Values.Select(s => s.State), Is.EqualTo(new[] { RangeState.Equal, RangeState.Equal }), "detail and national");
        Assert.That(AtProvince.FoundInAll, Is.Zero);
        Assert.That(_tree.City.Core.Uplink.Standing.State.Ranges, Has.Property("IsGoingOn").False.And.Property("EndedAt").Not.Null);
    }

    [Test]
    public void A_cell_that_is_lost_other_or_too_much_is_repaired_and_no_other_is_touched([Values("other", "zero", "phantom", "old")] string fault, [Values(1, 2)] byte grain)
    {
        var planted = Plant(_tree.Province, fault, new Grain(grain));
        var before = _tree.Province.Core!.Sequencer.Applied;
        var others = Held(_tree.Province).Where(row => row.Key != planted).ToArray();
        Compare(_tree.City);
        Assert.That(AtProvince.CellsInAll, Is.EqualTo(1));
        Assert.That(AtProvince.Closed.Single(), Has.Property("State").EqualTo(RangeState.Repaired));
        Assert.That(AtProvince.Open, Is.Empty);
        Assert.That(Held(_tree.Province).Where(row => row.Key != planted).Select(Line), Is.EquivalentTo(others.Select(Line)));
        Assert.That(EventsAfter(_tree.Province, before).Count(e => e.Kind == EventKinds.RangeRepaired), Is.EqualTo(1));
        _tree.Settle();
        _tree.Check();
    }

    [Test]
    public void What_is_wrong_at_a_relay_and_above_it_is_repaired_from_below_upwards()
    {
        Plant(_tree.Province, "other", Grain.National);
        Plant(_tree.Ministry, "other", Grain.National);
        Compare(_tree.City);
        Assert.That(AtProvince.CellsInAll, Is.EqualTo(1));
        Assert.That(AtMinistry.CellsInAll, Is.EqualTo(1), "the next edge follows by itself");
        Assert.That((_tree.Ministry.Core!.Reception.ParkedInAll, _tree.Ministry.Core.Reception.RefusedInAll), Is.EqualTo((0L, 0L)), "nothing went up that could not be taken");
        _tree.Check();
    }

    [Test]
    public void A_relay_that_is_wrong_itself_makes_nothing_wrong_above_it()
    {
        Plant(_tree.Province, "other", Grain.National);
        Compare(_tree.Province);
        Assert.That(AtMinistry.CellsInAll, Is.Zero);
        Assert.That(_tree.Province.Core!.Uplink!.Standing.State.Ranges.Scopes, Does.ContainValue(RangeState.NotCompared).And.ContainValue(RangeState.Equal));
        Compare(_tree.City);
        Assert.That(AtMinistry.CellsInAll, Is.Zero, "the ministry was right all the time");
        _tree.Check();
    }

    [Test]
    public void A_parent_that_asks_is_told_with_the_next_answer()
    {
        var planted = Plant(_tree.Province, "other", Grain.National);
        _tree.Province.Core!.AskRanges([_tree.City.Place.Node]);
        _tree.Settle();
        Assert.That(AtProvince.CellsInAll, Is.EqualTo(1));
        Assert.That(_tree.Province.Core.Cells.Find(planted)!.Value.Value.ToArray(), Is.EqualTo(_tree.City.Core!.Cells.Find(planted)!.Value.Value.ToArray()));
        var compared = AtProvince.ComparedLsn;
        _tree.Settle();
        Assert.That(AtProvince.ComparedLsn, Is.EqualTo(compared), "asked once, answered once");
    }

    [Test]
    public void A_child_that_has_nothing_to_state_is_asked_once_and_goes_on()
    {
        var empty = new SmallTree();
        empty.City.Crash(powerCut: false);
        empty.Neighbour.Crash(powerCut: false);
        empty.Ministry.Core!.AskRanges([empty.Province.Place.Node]);
        empty.Settle();
        var before = empty.Ministry.Core.Sequencer.Applied;
        empty.Settle();
        Assert.That(empty.Ministry.Core.Sequencer.Applied.Value - before.Value, Is.LessThanOrEqualTo(8), "four scheduled cuts in an hour, and no more");
        Assert.That(empty.Province.Core!.Uplink!.Standing.State.Ranges.IsGoingOn, Is.False);
    }

    [Test]
    public void Where_protocol_1_is_spoken_nothing_of_it_is_sent()
    {
        var old = new SmallTree((2, 1, 2));
        old.Report(old.City, 1, SmallTree.Cover, 1);
        old.Settle();
        old.City.Core!.Uplink!.CompareRanges();
        old.Province.Core!.AskRanges([old.Neighbour.Place.Node]);
        old.Settle();
        Assert.That(old.Neighbour.Core!.Uplink!.Standing.State.Ranges.IsGoingOn, Is.False, "nobody asked in words that it did not choose");
        Assert.That(old.Province.Core!.Reception.Ranges.Children, Is.Empty);
        old.Check();
    }

    [Test]
    public void What_was_found_is_known_after_a_crash_and_after_a_snapshot([Values] bool snapshot)
    {
        Plant(_tree.Province, "other", Grain.National);
        Compare(_tree.City);
        var before = Describe(AtProvince);
        if (snapshot)
        {
            _tree.Province.Core!.SaveSnapshot();
        }

        _tree.Province.Crash(powerCut: true);
        _tree.Province.Start();
        Assert.That(Describe(AtProvince), Is.EqualTo(before));
        _tree.Settle();
        _tree.Check();
    }

    [Test]
    public void A_repair_of_many_parts_that_a_crash_cuts_short_goes_on_with_the_next_connection([Values] bool powerCut)
    {
        foreach (var type in TypeCatalogue.BuiltIn.All.Take(120).Select(t => t.Key.Code.ToString()))
        {
            _tree.Report(_tree.City, 1, type, 1);
            _tree.Report(_tree.City, 1, type, 2);
            _tree.Report(_tree.City, 1, type, 3);
        }

        _tree.Settle();
        var core = _tree.Province.Core!;
        var planted = Held(_tree.Province).Where(r => r.Key.Origin == _tree.City.Place.Node && r.Key.Grain == Grain.Detail).Select(r => r.Key).ToArray();
        foreach (var key in planted)
        {
            core.Cells.Correct(key, Reception.Child.Value(77), core.Sequencer.Applied);
        }

        _tree.City.Core!.Uplink!.CompareRanges();
        for (var i = 0; i < 1000 && AtProvince.CellsInAll == 0; i++)
        {
            _tree.Run(TimeSpan.FromMilliseconds(5));
        }

        var open = AtProvince.Open.Values.Single();
        Assert.That(open, Has.Property("IsSent").False);
        Assert.That(AtProvince.CellsInAll, Is.InRange(1, planted.Length - 1), "in the midst of it");
        _tree.City.Crash(powerCut);
        _tree.Run(TimeSpan.FromMinutes(1));
        Assert.That(AtProvince.Open.Values.Single(), Has.Property("State").EqualTo(RangeState.Differs), "half of it is never taken for equal");
        _tree.City.Start();
        _tree.Run(TimeSpan.FromMinutes(2));
        Assert.That(AtProvince.Open, Is.Empty, "the parent asked for the rest when it was greeted");
        Assert.That(AtProvince.Closed.Single(), Has.Property("State").EqualTo(RangeState.Repaired));
        Assert.That(AtProvince.CellsInAll, Is.EqualTo(planted.Length));
    }

    /// <summary>On a line that never stands for long it would else begin again and again, and fill the line for ever (seed 830).</summary>
    [Test]
    public void A_repair_goes_on_where_it_was_when_the_line_breaks_and_breaks()
    {
        var tree = new SmallTree(cuts: new CutSizes { CellsAPart = 4, PartsACut = 4 });
        foreach (var type in TypeCatalogue.BuiltIn.All.Take(120).Select(t => t.Key.Code.ToString()))
        {
            tree.Report(tree.City, 1, type, 1);
        }

        tree.Settle();
        var cells = tree.Province.Core!.Cells;
        var wrong = Held(tree.Province).Where(r => r.Key.Origin == tree.City.Place.Node && r.Key.Grain == Grain.Detail).Select(r => r.Key).ToArray();
        Assert.That(wrong.All(key => cells.Correct(key, Reception.Child.Value(77), tree.Province.Core.Sequencer.Applied)));
        tree.Province.Core.SaveSnapshot();
        tree.City.Core!.Uplink!.CompareRanges();

        ChildRanges Ranges() => tree.Province.Core!.Reception.Ranges.Of(tree.City.Place.Node);
        var lines = 0;
        for (; Ranges() is { FoundInAll: 0 } or { Open.IsEmpty: false }; lines++)
        {
            Assert.That(lines, Is.LessThan(60), $"{Ranges().CellsInAll} of {wrong.Length} cells were repaired");
            for (var (i, at) = (0, tree.Province.Core!.Sequencer.Applied); i < 12_000 && tree.Province.Core.Sequencer.Applied.Value - at.Value < 24; i++)
            {
                tree.Run(TimeSpan.FromMilliseconds(5));
            }

            tree.Province.Crash(powerCut: false);
            tree.Province.Start();
        }

        Assert.That(lines, Is.GreaterThan(2), "it broke in the midst of it");
        Assert.That(Ranges().Closed.Single(), Has.Property("State").EqualTo(RangeState.Repaired));
        Assert.That(Ranges().CellsInAll, Is.EqualTo(wrong.Length), "each once");
        Assert.That(tree.Province.Core!.Reception.RefusedInAll, Is.Zero, "nothing came that was not asked for");
        tree.Settle();
        tree.Check();
    }

    /// <summary>A cut that goes on in the midst of a range brings at least one cell more: else it is sent for ever, as fast as the line carries it (seed 65562).</summary>
    [Test]
    public void A_repair_comes_to_its_end_however_small_cuts_are([Values(1, 2)] int cells, [Values(1, 2)] int parts)
    {
        var tree = new SmallTree(cuts: new CutSizes { CellsAPart = cells, PartsACut = parts });
        foreach (var type in TypeCatalogue.BuiltIn.All.Take(5).Select(t => t.Key.Code.ToString()))
        {
            tree.Report(tree.City, 1, type, 1);
        }

        tree.Settle();
        var wrong = Held(tree.Province).Where(r => r.Key.Origin == tree.City.Place.Node && r.Key.Grain == Grain.Detail).Select(r => r.Key).ToArray();
        Assert.That(wrong, Has.Length.GreaterThan(2));
        Assert.That(wrong.All(key => tree.Province.Core!.Cells.Correct(key, Reception.Child.Value(77), tree.Province.Core.Sequencer.Applied)));
        tree.City.Core!.Uplink!.CompareRanges();
        tree.Run(TimeSpan.FromMinutes(1));

        var ranges = tree.Province.Core!.Reception.Ranges.Of(tree.City.Place.Node);
        Assert.That((ranges.CellsInAll, tree.City.Core.Uplink.Standing.State.Ranges.IsGoingOn), Is.EqualTo((wrong.Length, false)));
        Assert.That(ranges.Closed.Single().State, Is.EqualTo(RangeState.Repaired));
        tree.Settle();
        tree.Check();
    }

    private void Compare(SimulatedNode child)
    {
        child.Core!.Uplink!.CompareRanges();
        _tree.Run(TimeSpan.FromMinutes(2));
    }

    /// <summary>Makes memory lie, as a fault of a fold or of the machine would; the journal knows nothing of it.</summary>
    private CellKey Plant(SimulatedNode at, string fault, Grain grain)
    {
        var core = at.Core!;
        var row = core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied).First(r => r.Key.Origin == _tree.City.Place.Node && r.Key.Grain == grain && !CellCodec.IsZero(r.Value.Span));
        switch (fault)
        {
            case "other":
                core.Cells.Correct(row.Key, Reception.Child.Value(77), core.Sequencer.Applied);
                return row.Key;
            case "zero":
                core.Cells.Correct(row.Key, CellCodec.Zero, core.Sequencer.Applied);
                return row.Key;
            case "phantom":
                var phantom = row.Key with { Day = row.Key.Day.Plus(-1) };
                core.Cells.Merge(phantom, row.Revision, row.Value.Span, core.Sequencer.Applied);
                return phantom;
            default:
                // A cell whose newest change was lost on its way into memory.
                var lost = new CellFold();
                foreach (var other in core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied))
                {
                    var revision = other.Key == row.Key ? new Revision(other.Revision.Epoch, other.Revision.Lsn - 1) : other.Revision;
                    lost.Merge(other.Key, revision, other.Key == row.Key ? Reception.Child.Value(1) : other.Value.Span, core.Cells.Find(other.Key)!.Value.Local);
                }

                using (var image = new MemoryStream())
                {
                    lost.Save(image);
                    image.Position = 0;
                    core.Cells.Load(image);
                }

                return row.Key;
        }
    }

    private static CellRow[] Held(SimulatedNode at) => [.. at.Core!.Cells.ChangedSince(Lsn.Zero, at.Core.Sequencer.Applied)];

    private static string Line(CellRow row) => $"{row.Key} {row.Revision} {Convert.ToHexString(row.Value.Span)}";

    private static JournalEvent[] EventsAfter(SimulatedNode at, Lsn lsn) => [.. at.Core!.Journal.ReadFrom(lsn).SelectMany(r => r.Events).Where(e => e.Lsn > lsn)];

    private static string Describe(ChildRanges row) => $"{row.ComparedAt} {row.ComparedLsn} {row.FoundInAll} {row.CellsInAll} {string.Join(',', row.Scopes)} {string.Join(',', row.Open)} {string.Join(',', row.Closed)}";
}
