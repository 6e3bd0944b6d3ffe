using CityGrid.Hub.Load;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Load;

/// <summary>Whoever brings more than its measure waits until there is room again, and nobody else does.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_child_has_its_measure
{
    private static readonly NodeId Loud = NodeId.Parse("loud");
    private static readonly NodeId Other = NodeId.Parse("other");

    private readonly VirtualTime _time = new(DateTimeOffset.UnixEpoch);
    private readonly List<string> _told = [];
    private readonly ChildQuota _quota;

    public A_child_has_its_measure() =>
        _quota = new ChildQuota(new ChildBounds(EscalationsPerHour: 60, Cells: 1000), new VirtualClock(_time)) { Reached = (child, _) => _told.Add(child.ToString()) };

    [Test]
    public void Of_escalations_in_an_hour()
    {
        Assert.That(_quota.TakeEscalations(Loud, 60), Is.Null, "an hour's measure at once");
        var over = _quota.TakeEscalations(Loud, 10);
        Assert.That(over!.Value.Wait, Is.EqualTo(TimeSpan.FromMinutes(10)).Within(TimeSpan.FromMilliseconds(1)));
        Assert.That(over.Value.Message, Does.Contain("loud").And.Contain("60").And.Contain("limits.escalationsPerHour"));
        Assert.That(_quota.TakeEscalations(Other, 60), Is.Null, "each has its own");

        _time.Run(TimeSpan.FromMinutes(9));
        Assert.That(_quota.TakeEscalations(Loud, 10), Is.Not.Null);
        _time.Run(over.Value.Wait - TimeSpan.FromMinutes(9) + TimeSpan.FromMilliseconds(1));
        Assert.That(_quota.TakeEscalations(Loud, 10), Is.Null, "after the wait that it was told");
    }

    [Test]
    public void A_part_larger_than_the_measure_is_taken_when_that_is_full()
    {
        Assert.That(_quota.TakeEscalations(Loud, 1), Is.Null);
        Assert.That(_quota.TakeEscalations(Loud, 2000)!.Value.Wait, Is.EqualTo(TimeSpan.FromMinutes(1)).Within(TimeSpan.FromMilliseconds(1)));
        _time.Run(TimeSpan.FromDays(1));
        Assert.That(_quota.TakeEscalations(Loud, 2000), Is.Null);
        Assert.That(_quota.TakeEscalations(Loud, 1), Is.Not.Null, "a day of rest is worth no more than an hour");
    }

    [Test]
    public void Of_epochs_and_signers()
    {
        for (var i = 0; i < ChildBounds.ChangesPerHour; i++)
        {
            Assert.That(_quota.TakeHello(Loud), Is.Null);
        }

        Assert.That(_quota.TakeHello(Loud)!.Value.Wait, Is.EqualTo(TimeSpan.FromMinutes(1)).Within(TimeSpan.FromMilliseconds(1)));
        Assert.That(_quota.TakeEscalations(Loud, 60), Is.Null, "another measure");
    }

    [Test]
    public void Of_cells_and_of_names()
    {
        Assert.That(_quota.HoldCells(Loud, 1000, 2), Is.Null);
        Assert.That(_quota.HoldCells(Loud, 1001, 2)!.Value.Message, Does.Contain("limits.cellsPerChild"));
        Assert.That(_quota.HoldCells(Other, 1000, ChildBounds.OriginsMax + 1)!.Value.Message, Does.Contain("other").And.Contain("origins"));
    }

    [Test]
    public void It_is_told_once_an_hour()
    {
        for (var minute = 0; minute < 119; minute++)
        {
            _quota.HoldCells(Loud, 2000, 2);
            _quota.HoldCells(Other, 10, 2);
            _time.Run(TimeSpan.FromMinutes(1));
        }

        Assert.That(_told, Is.EqualTo(new[] { "loud", "loud" }));
    }
}
