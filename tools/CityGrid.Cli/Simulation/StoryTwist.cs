using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// Where a simulated node meets what is handed to it. This one changes nothing; a test puts one here that plants a bug in front of the real code or behind
/// it, to see that the stories find it.
/// </summary>
public class StoryTwist
{
    public static readonly StoryTwist None = new();

    public virtual IDisk Disk(ModelDisk disk) => disk;

    public virtual JournalOptions Options(JournalOptions options) => options;

    public virtual IJournal Journal(SimulatedNode node, IJournal journal) => journal;

    public virtual NodeSettings Settings(NodeSettings settings) => settings;

    public virtual TimeProvider Clock(VirtualClock clock) => clock;

    public virtual IPeerIdentity Peer(IPeerIdentity peer) => peer;

    public virtual void Renew(ModelDisk disk, IEntropy entropy, NodeId node) => DirectoryLife.Renew(disk, entropy, node);

    /// <summary>A frame as the parent takes it; null where it never does.</summary>
    public virtual ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request) => request;

    /// <summary>An answer as the child hears it; null where it never does.</summary>
    public virtual ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response) => response;
}
