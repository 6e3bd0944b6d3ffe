using CityGrid.Cli.Simulation;
using CityGrid.Hub.Load;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>INV-19, RULE-12: what one child lays upon its parent is bounded; it loses nothing by waiting, and nobody else waits for it.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_loud_child_waits_alone
{
    private readonly SmallTree _tree = new(cuts: CutSizes.Default with { EscalationsAPart = 4 });

    private SimulatedNode Loud => _tree.City;

    [Test]
    public void With_its_escalations()
    {
        Bound(new ChildBounds(EscalationsPerHour: 20, Cells: 1_000_000));
        _tree.Report(Loud, 15, SmallTree.Cover, 1, EmergencyGrade.Serious);
        _tree.Run(TimeSpan.FromMinutes(5));
        Assert.That(AtMinistry(Loud), Is.EqualTo(15), "an hour's measure comes at once");

        _tree.Report(Loud, 45, SmallTree.Cover, 1, EmergencyGrade.Serious);
        _tree.Report(Loud, 2, SmallTree.Refuse, 1);
        _tree.Report(_tree.Neighbour, 5, SmallTree.Cover, 1, EmergencyGrade.Serious);
        _tree.Settle();
        Assert.That(AtMinistry(Loud), Is.InRange(30, 45), "a second one within the next hour");
        Assert.That(AtMinistry(_tree.Neighbour), Is.EqualTo(5), "nobody else waits");
        Assert.That(Reported(Loud), Is.EqualTo(62), "nor do its own cells");

        _tree.Run(TimeSpan.FromHours(3));
        Assert.That(AtMinistry(Loud), Is.EqualTo(60), "and nothing is lost");
        _tree.Check();
    }

    [Test]
    public void With_its_cells()
    {
        _tree.Report(Loud, 3, SmallTree.Cover, 1);
        _tree.Settle();
        var held = _tree.Province.Core!.Cells.Holdings.Where(of => of.Origin == Loud.Place.Node).Sum(of => of.Cells);
        Bound(new ChildBounds(1000, (int)held));

        // Of the same kinds and days there is nothing more to hold; of another there is.
        _tree.Report(Loud, 1, SmallTree.Refuse, 2, EmergencyGrade.Serious);
        _tree.Report(_tree.Neighbour, 1, SmallTree.Refuse, 1);
        _tree.Settle();
        Assert.That(Reported(Loud), Is.EqualTo(3), "its cells wait");
        Assert.That(AtMinistry(Loud), Is.EqualTo(1), "its alarms do not");
        Assert.That(Reported(_tree.Neighbour), Is.EqualTo(1), "nor does anybody else");

        Bound(ChildBounds.Usual);
        _tree.Settle();
        Assert.That(Reported(Loud), Is.EqualTo(4));
        _tree.Check();
    }

    [Test]
    public void With_new_directories()
    {
        _tree.Run(TimeSpan.FromMinutes(2));
        var epochs = 0L;
        for (var i = 0; i < 3 * ChildBounds.ChangesPerHour; i++)
        {
            Loud.Crash(powerCut: false);
            Loud.Replace(new ModelDisk());
            Loud.Start();
            _tree.Run(TimeSpan.FromSeconds(5));
            epochs = _tree.Province.Core!.Reception.Child(Loud.Place.Node)!.Epoch.Number;
        }

        Assert.That(epochs, Is.LessThanOrEqualTo(ChildBounds.ChangesPerHour * 3 / 2), "a quarter of an hour has brought a quarter of the measure");
        _tree.Report(Loud, 1, SmallTree.Cover, 1, EmergencyGrade.Serious);
        _tree.Run(TimeSpan.FromHours(1));
        Assert.That(AtMinistry(Loud), Is.EqualTo(1), "the last of them is heard in the end");
        _tree.Check();
    }

    private void Bound(ChildBounds bounds)
    {
        _tree.Province.Crash(powerCut: false);
        _tree.Province.EachChild = bounds;
        _tree.Province.Start();
        _tree.Run(TimeSpan.FromMinutes(2));
    }

    private int AtMinistry(SimulatedNode city) =>
        _tree.Ministry.Core!.Escalations.ChangedSince(Lsn.Zero, _tree.Ministry.Core.Sequencer.Applied).Count(record => record.Content is { Rule: "grade" } content && content.Origin == city.Place.Node.ToString());

    private long Reported(SimulatedNode city) =>
        SmallTree.View(_tree.Ministry, "city", "reported").Select(row => row.Split(' ')).Where(row => row[0] == city.Place.Division.ToString()).Sum(row => long.Parse(row[1], System.Globalization.CultureInfo.InvariantCulture));
}
