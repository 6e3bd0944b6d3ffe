using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Checks;

/// <summary>INV-28: where policy says so, nothing is written once the parent has not confirmed the record for so long; and by itself a node that is cut off goes on (INV-19).</summary>
public sealed class Writes_stop_where_nobody_vouches_for_them
{
    private SignedTree _tree = null!;

    [SetUp]
    public void Live() => _tree = new SignedTree();

    [TearDown]
    public void Release() => _tree.Dispose();

    [Test]
    public void With_the_policy_they_stop_and_go_on_once_the_parent_is_there_again()
    {
        Restart(Duration.FromHours(4));
        _tree.Work(2);
        _tree.Province.Crash(powerCut: false);
        _tree.Run(minutes: 200);
        Assert.That(Written(), Is.Null, "less than four hours");
        _tree.Run(minutes: 60);
        Assert.That(Written(), Is.EqualTo("ANCHOR_OVERDUE"));
        Restart(Duration.FromHours(4));
        Assert.That(Written(), Is.EqualTo("ANCHOR_OVERDUE"), "a new start is no anchor");
        _tree.City.Core!.SaveSnapshot();
        Restart(Duration.FromHours(4));
        Assert.That(Written(), Is.EqualTo("ANCHOR_OVERDUE"), "nor one from a snapshot");
        _tree.Province.Start();
        _tree.Run(minutes: 20);
        Assert.That(Written(), Is.Null);
    }

    [Test]
    public void Without_it_a_node_that_is_cut_off_goes_on()
    {
        _tree.Province.Crash(powerCut: false);
        _tree.Run(minutes: 60 * 24);
        Assert.That(Written(), Is.Null);
    }

    [Test]
    public void A_parent_that_has_signed_and_does_so_no_more_does_not_count()
    {
        Restart(Duration.FromHours(4));
        _tree.Work(1);
        _tree.Province.Crash(powerCut: false);
        _tree.Province.Signatures = null;
        _tree.Province.Start();
        _tree.Run(minutes: 300);
        Assert.That(Written(), Is.EqualTo("ANCHOR_OVERDUE"));
    }

    private void Restart(Duration policy)
    {
        _tree.City.Crash(powerCut: false);
        _tree.City.AnchorRequired = policy;
        _tree.City.Start();
        _tree.Run(minutes: 1);
    }

    private string? Written() => _tree.TryReport("01001", EmergencyGrade.Unspecified)?.Code;
}
