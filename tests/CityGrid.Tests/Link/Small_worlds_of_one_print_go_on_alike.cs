using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>The search takes two worlds of one print for the same and goes on from the first alone, so whatever may come of the second must come of the first too.</summary>
public sealed class Small_worlds_of_one_print_go_on_alike
{
    private static readonly Faults Everything = new(1, 1, 1, 1, 1) { Overtakings = 1, Fulls = 1, Clones = 3 };

    [Test]
    public void One_child() => GoOnAlike(Everything, cellsACut: int.MaxValue, [('c', 1, 3), ('c', 2, 4), ('x', 1, 1), ('c', 1, 0)]);

    [Test]
    public void One_child_that_cuts_short() => GoOnAlike(Everything with { Overtakings = Faults.Always }, cellsACut: 1, [('c', 1, 3), ('c', 2, 4), ('c', 1, 5), ('x', 1, 1)]);

    [Test]
    public void Two_children() => GoOnAlike(Everything, cellsACut: int.MaxValue, [('c', 1, 5), ('x', 1, 1)], [('x', 1, 1), ('c', 1, 1)]);

    private static void GoOnAlike(Faults faults, int cellsACut, params (char Kind, int Name, int Value)[][] scripts)
    {
        var rules = new SmallWorldRules(Planted.Nothing, scripts) { CellsACut = cellsACut };
        var chance = new SeededEntropy(7);
        var comes = new Dictionary<UInt128, HashSet<UInt128>>();
        var compared = 0;
        for (var walks = 0; walks < 1_000; walks++)
        {
            var world = rules.Start(faults);
            for (var steps = 0; steps < 40; steps++)
            {
                var next = rules.Next(world).ToList();
                var prints = next.Select(step => SmallWorldPrint.Of(step.World)).ToHashSet();
                if (!comes.TryAdd(SmallWorldPrint.Of(world), prints))
                {
                    compared++;
                    Assert.That(prints.SetEquals(comes[SmallWorldPrint.Of(world)]), Is.True, () => $"after {steps} steps of walk {walks}");
                }

                if (next.Count == 0)
                {
                    break;
                }

                world = next[chance.Below(next.Count)].World;
            }
        }

        TestContext.Out.WriteLine($"{compared} of {comes.Count + compared} worlds were compared");
        Assert.That(compared, Is.GreaterThan(1_000));
    }
}
