using CityGrid.Cli.Simulation;
using CityGrid.Hub.Seams;

namespace CityGrid.Tests.Simulation;

/// <summary>What befalls a node of a story now and then: it is killed, loses its power, starts again, and perhaps in a directory that was copied when it last died.</summary>
internal sealed class Mishaps(SeededEntropy random)
{
    private readonly Dictionary<SimulatedNode, ModelDisk> _copies = [];

    /// <param name="node">The node.</param>
    /// <param name="mayBeRestored">Its directory may be put back from a copy, and begins a life of its own.</param>
    public void Befall(SimulatedNode node, bool mayBeRestored)
    {
        if (node.Core is null)
        {
            if (mayBeRestored && random.OneIn(4) && _copies.TryGetValue(node, out var copy))
            {
                node.Replace(copy.Copy());
                node.Renew();
            }

            if (random.OneIn(2))
            {
                node.Start();
            }
        }
        else if (random.OneIn(15))
        {
            node.Crash(powerCut: random.OneIn(2));
            if (random.OneIn(2))
            {
                _copies[node] = node.Disk.Copy();
            }
        }
        else if (random.OneIn(20))
        {
            node.Core.SaveSnapshot();
        }
    }
}
