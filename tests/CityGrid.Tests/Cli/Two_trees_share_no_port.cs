using CityGrid.Cli.Network;
using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Cli;

/// <summary>Trees that one process writes: their nodes listen only later, so a port that is free now may have been given away already.</summary>
public sealed class Two_trees_share_no_port
{
    [Test]
    public void Though_chance_leads_both_to_the_same_place()
    {
        var first = TreeWriter.FreePorts(9, new SeededEntropy(7));
        var second = TreeWriter.FreePorts(9, new SeededEntropy(7));
        Assert.That((int[])[.. first, .. second], Is.Unique.And.All.InRange(20_000, 31_999));
    }
}
