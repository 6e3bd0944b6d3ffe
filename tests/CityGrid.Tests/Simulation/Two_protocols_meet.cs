using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>L3, O3, INV-27: nodes that speak protocol 1 and nodes that speak 2 in one tree, in every mix, and upgraded one after the other.</summary>
public sealed class Two_protocols_meet
{
    [Test]
    public void In_every_mix_of_tiers_figures_and_alarms_arrive([Values(1, 2)] int ministry, [Values(1, 2)] int province, [Values(1, 2)] int city)
    {
        var tree = new SmallTree(newest: (ministry, province, city));
        tree.Run(TimeSpan.FromMinutes(2));
        tree.Report(tree.City, 3, SmallTree.Cover, 1);
        tree.Report(tree.City, 1, SmallTree.Refuse, 2, EmergencyGrade.Serious);
        tree.Settle();
        tree.Check();
        Assert.That(tree.Ministry.Core!.Escalations.Count, Is.EqualTo(1));
    }

    [Test]
    public void Upgraded_in_any_order_under_traffic([Values("mpc", "mcp", "pmc", "pcm", "cmp", "cpm")] string order)
    {
        var tree = new SmallTree(newest: (1, 1, 1));
        tree.Run(TimeSpan.FromMinutes(2));
        foreach (var tier in order)
        {
            tree.Report(tree.City, 1, SmallTree.Refuse, 1, EmergencyGrade.Serious);
            tree.Report(tree.Neighbour, 2, SmallTree.Cover, 1);
            foreach (var node in tier switch
            {
                'm' => new[] { tree.Ministry },
                'p' => [tree.Province],
                _ => [tree.City, tree.Neighbour],
            })
            {
                node.Crash(powerCut: false);
                node.ProtocolNewest = 2;
                node.Start();
            }

            tree.Report(tree.City, 1, SmallTree.Refuse, 2, EmergencyGrade.EspeciallySerious);
            tree.Run(TimeSpan.FromMinutes(20));
        }

        tree.Settle();
        tree.Check();
        Assert.That(tree.Ministry.Core!.Escalations.Count, Is.EqualTo(6));
    }
}
