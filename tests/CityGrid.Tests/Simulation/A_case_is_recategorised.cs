using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>INV-12, L4: a case turns out to be another thing, or goes elsewhere, after its figures went up; every tier follows, and the old place counts nothing of it.</summary>
public sealed class A_case_is_recategorised
{
    private SmallTree _tree = null!;
    private CaseId[] _cases = null!;

    [SetUp]
    public void Report()
    {
        _tree = new SmallTree();
        _cases = _tree.Report(_tree.City, 2, SmallTree.Cover, 1);
        _tree.Report(_tree.Neighbour, 1, SmallTree.Cover, 1);
    }

    [TestCase(CaseStage.Reported)]
    [TestCase(CaseStage.Verified)]
    [TestCase(CaseStage.Filed)]
    [TestCase(CaseStage.Dispatched)]
    [TestCase(CaseStage.Handled)]
    [TestCase(CaseStage.Checked)]
    [TestCase(CaseStage.Closed)]
    public void By_a_correction_everything_that_it_ever_counted_goes_with_it(CaseStage stage)
    {
        _tree.Work(_tree.City, _cases[0], stage);
        _tree.Work(_tree.City, _cases[1], stage);
        _tree.Settle();
        var (filed, closed) = (stage >= CaseStage.Filed ? 1 : 0, stage == CaseStage.Closed ? 1 : 0);
        Assert.That(Districts(), Is.EqualTo(new[] { Row(_tree.District(_tree.City, 1), SmallTree.Cover, 2, 2 * filed, 2 * closed), Neighbours() }));

        _tree.Do(_tree.City, Correct(_cases[0], SmallTree.Refuse, 2));
        _tree.Settle();
        Assert.That(Districts(), Is.EqualTo(new[]
        {
            Row(_tree.District(_tree.City, 1), SmallTree.Cover, 1, filed, closed), Row(_tree.District(_tree.City, 2), SmallTree.Refuse, 1, filed, closed), Neighbours(),
        }));
        Assert.That(Nation(), Is.EqualTo(new[] { Row(null, SmallTree.Cover, 2, filed, closed), Row(null, SmallTree.Refuse, 1, filed, closed) }));
        _tree.Check();
    }

    [Test]
    public void There_and_back_again_leaves_nothing_behind()
    {
        _tree.Work(_tree.City, _cases[0], CaseStage.Closed);
        _tree.Settle();
        var before = (Districts(), Nation());
        _tree.Do(_tree.City, Correct(_cases[0], SmallTree.Refuse, 2));
        _tree.Settle();
        Assert.That(Districts(), Is.Not.EqualTo(before.Item1));
        _tree.Do(_tree.City, Correct(_cases[0], SmallTree.Cover, 1));
        _tree.Settle();
        Assert.That((Districts(), Nation()), Is.EqualTo(before));
        _tree.Check();
    }

    [Test]
    public void By_a_move_what_was_counted_stays_and_what_comes_counts_there()
    {
        _tree.Work(_tree.City, _cases[0], CaseStage.Dispatched);
        _tree.Settle();
        _tree.Do(_tree.City, new MoveCase(TypeCode.Parse(SmallTree.Refuse), _tree.District(_tree.City, 2)) { Case = _cases[0], Actor = "desk", Reason = "responsibility" });
        _tree.Work(_tree.City, _cases[0], CaseStage.Closed);
        _tree.Settle();
        const string measures = "reported,filed,moved_out,moved_in,closed,open_at";
        Assert.That(SmallTree.View(_tree.Province, "district,type", measures), Is.EqualTo(new[]
        {
            $"{_tree.District(_tree.City, 1)} {SmallTree.Cover} 2 1 1 0 0 1", $"{_tree.District(_tree.City, 2)} {SmallTree.Refuse} 0 0 0 1 1 0", $"{_tree.District(_tree.Neighbour, 1)} {SmallTree.Cover} 1 0 0 0 0 1",
        }));
        Assert.That(SmallTree.View(_tree.Ministry, "type", measures), Is.EqualTo(new[] { $"{SmallTree.Cover} 3 1 1 0 0 2", $"{SmallTree.Refuse} 0 0 0 1 1 0" }));
        _tree.Check();
    }

    [Test]
    public void While_the_parent_was_away_too()
    {
        _tree.Work(_tree.City, _cases[0], CaseStage.Closed);
        _tree.Settle();
        _tree.Province.Crash(powerCut: true);
        _tree.Do(_tree.City, Correct(_cases[0], SmallTree.Refuse, 2));
        _tree.Settle();
        _tree.Do(_tree.City, Correct(_cases[1], SmallTree.Refuse, 3));
        _tree.Province.Start();
        _tree.Settle();
        Assert.That(Nation(), Is.EqualTo(new[] { Row(null, SmallTree.Cover, 1, 0, 0), Row(null, SmallTree.Refuse, 2, 1, 1) }));
        _tree.Check();
    }

    private string[] Districts() => SmallTree.View(_tree.Province, "district,type", "reported,filed,closed");

    private string[] Nation() => SmallTree.View(_tree.Ministry, "type", "reported,filed,closed");

    private string Neighbours() => Row(_tree.District(_tree.Neighbour, 1), SmallTree.Cover, 1, 0, 0);

    private static string Row(DivisionCode? district, string type, int reported, int filed, int closed) => $"{(district is { } code ? $"{code} " : "")}{type} {reported} {filed} {closed}";

    private CorrectCase Correct(CaseId id, string type, int district) =>
        new(TypeCode.Parse(type), _tree.District(_tree.City, district)) { Case = id, Actor = "shift-head", Reason = "wrong_type" };
}
