using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// The people who look at what is kept aside because a name is taken (L13): at each node somebody reads it, finds out whose the name is, and says so. What was said once is remembered here, for it
/// must hold for as long as the directory does.
/// </summary>
public sealed class NameWork(SimulatedTree tree)
{
    private readonly HashSet<(NodeId At, int Directory, NodeId Name)> _given = [];

    /// <summary>Whether a person at this node has given the name to its true place, and was answered.</summary>
    internal bool WasGiven(SimulatedNode at, NodeId name) => _given.Contains((at.Place.Node, at.Directories, name));

    /// <summary>Whether a person at this node has given any name.</summary>
    internal bool HasSpoken(SimulatedNode at) => _given.Any(given => given.At == at.Place.Node && given.Directory == at.Directories);

    /// <summary>Each node that runs has its people look once.</summary>
    public void Look()
    {
        foreach (var at in tree.Nodes.Values)
        {
            var taken = at.Core?.Reception.Parked.Where(aside => aside.Verdict.Code == RecordJudge.NameTaken).Select(aside => NodeId.Parse(aside.Verdict.Message.Split(' ')[0])).Distinct().ToArray() ?? [];
            foreach (var name in taken.Where(name => tree.Stands(name, at)))
            {
                Give(at, name);
            }
        }
    }

    private void Give(SimulatedNode at, NodeId name)
    {
        var directory = at.Directories;
        at.Do(core => core.Sequencer.Submit(core.ReceptionDesk.GiveName(name, tree[name].Place.Division, "officer"), outcome =>
        {
            if (outcome is NameOutcome.Given or NameOutcome.HadIt)
            {
                _given.Add((at.Place.Node, directory, name));
                tree.Sometimes.Reached("a name that another had taken was given to its place");
            }
        }));
        at.Do(core => core.Redriving.Begin());
    }
}
