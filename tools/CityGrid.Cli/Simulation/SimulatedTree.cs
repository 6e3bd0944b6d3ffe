using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Simulation;

/// <summary>A tree of simulated nodes with its network.</summary>
public sealed class SimulatedTree
{
    private readonly List<Ambush> _ambushes = [];
    private readonly Dictionary<(NodeId Node, long Epoch, ulong Nonce), SimulatedNode> _speakers = [];

    /// <summary>Deliveries and wakings within an hour at most: ten times what trees of 40 nodes were seen to take that came to rest.</summary>
    private const long StepsAnHour = 250_000;

    private const long StepsAnHourEach = 5_000;

    private static readonly TimeSpan Watched = TimeSpan.FromMinutes(1);

    public SimulatedTree(ulong seed, TreeShape shape, StoryTwist? twist = null)
    {
        Random = new SeededEntropy(seed);
        Time = new VirtualTime(new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero));
        Network = new SimulatedNetwork(Time, new SeededEntropy(Random.Next()));
        Register = shape.Register;
        Twist = twist ?? StoryTwist.None;
        Names = new NameWork(this);
        foreach (var place in shape.Places)
        {
            Nodes.Add(place.Node, new SimulatedNode(this, place, Random.Next()));
        }
    }

    public SimulatedTree(ulong seed, int provinces, int citiesEach, StoryTwist? twist = null)
        : this(seed, TreeShape.Of(provinces, citiesEach), twist)
    {
    }

    public SeededEntropy Random { get; }

    public VirtualTime Time { get; }

    public SimulatedNetwork Network { get; }

    /// <summary>What nodes go by from their next start on.</summary>
    public DivisionRegister Register { get; set; }

    public StoryTwist Twist { get; }

    public EventHash Hash { get; } = new();

    public SometimesTable Sometimes { get; } = new();

    /// <summary>How large the parts of cuts are at every node.</summary>
    public CutSizes Cuts { get; init; } = CutSizes.Default;

    public SortedDictionary<NodeId, SimulatedNode> Nodes { get; } = [];

    /// <summary>Second live directories of nodes that have a first.</summary>
    public List<SimulatedNode> Clones { get; } = [];

    /// <summary>A child that lies, in the stories that have one; it is none of <see cref="Nodes"/>.</summary>
    public HostileChild? Hostile { get; set; }

    /// <summary>The people who say whose a name is.</summary>
    public NameWork Names { get; }

    /// <summary>Loss, repetition and delay while the weather is bad.</summary>
    public SimulatedWeather Weather
    {
        get => Network.Weather;
        set => Network.Weather = value;
    }

    /// <summary>The nodes that take cases.</summary>
    public IEnumerable<SimulatedNode> Cities => Nodes.Values.Where(n => n.Place.TakesCases);

    /// <summary>The nodes that have a parent, each with it.</summary>
    public IEnumerable<(SimulatedNode Child, SimulatedNode Parent)> Edges => Nodes.Values.Where(n => n.Place.Parent is not null).Select(n => (n, ParentOf(n)!));

    public SimulatedNode this[NodeId node] => Nodes[node];

    public SimulatedNode? ParentOf(SimulatedNode node) => node.Place.Parent is { } parent ? Nodes[parent.Node] : null;

    /// <summary>Whether a name is that of a node which is this one or stands below it.</summary>
    public bool Stands(NodeId name, SimulatedNode at)
    {
        for (var node = Nodes.GetValueOrDefault(name); node is not null; node = ParentOf(node))
        {
            if (node == at)
            {
                return true;
            }
        }

        return false;
    }

    public IEnumerable<SimulatedNode> ChildrenOf(SimulatedNode node) => Nodes.Values.Where(n => n.Place.Parent == node.Place);

    /// <summary>A further node; it does not run yet.</summary>
    public SimulatedNode Add(SimulatedPlace place)
    {
        var node = new SimulatedNode(this, place, Random.Next());
        Nodes.Add(place.Node, node);
        return node;
    }

    /// <summary>A second process of a node, on another directory.</summary>
    public SimulatedNode AddClone(SimulatedNode of, ModelDisk disk)
    {
        var clone = new SimulatedNode(this, of.Place, Random.Next());
        clone.Replace(disk);
        Clones.Add(clone);
        return clone;
    }

    /// <summary>Runs the tree for a span, with every writer kept going. A tree that is as busy as a line can carry for a whole hour talks to itself, and would for ever (INV-31).</summary>
    public void Run(TimeSpan span)
    {
        var before = Time.Steps;
        for (var (left, minutes) = (span, 0); left > TimeSpan.Zero; left -= Watched, minutes++)
        {
            if (minutes % 60 == 0)
            {
                before = Time.Steps;
            }

            Time.Run(left < Watched ? left : Watched);
            StoryBrokenException.Unless(Time.Steps - before <= StepsAnHour + (StepsAnHourEach * Nodes.Count), () => $"INV-31: {Time.Steps - before} deliveries and wakings within an hour, and no rest");
        }

        foreach (var node in Nodes.Values)
        {
            node.Pump();
        }
    }

    /// <summary>A part of a node was taken in this epoch.</summary>
    internal void Spoke(SimulatedNode child, long epoch, ulong nonce)
    {
        if (!_speakers.TryAdd((child.Place.Node, epoch, nonce), child) && _speakers[(child.Place.Node, epoch, nonce)] != child)
        {
            Sometimes.Reached("a clone and its twin both spoke in one epoch");
        }
    }

    /// <summary>Lets <paramref name="act"/> happen when the edge above a node is next in a state; <see cref="SpringAll"/> ends the waiting.</summary>
    public void Wait(SimulatedNode child, EdgeState state, Action act) => _ambushes.Add(new Ambush(child, state, act));

    /// <summary>Called where something has just happened on the edge above a node.</summary>
    internal void Look(SimulatedNode child)
    {
        for (var i = 0; i < _ambushes.Count; i++)
        {
            if (_ambushes[i].Child == child && ParentOf(child) is { } parent && EdgeStates.Holds(_ambushes[i].State, child, parent))
            {
                var ambush = _ambushes[i];
                _ambushes.RemoveAt(i--);
                ambush.Act();
            }
        }
    }

    /// <summary>What still waits happens now, in whatever state.</summary>
    public void SpringAll()
    {
        var left = _ambushes.ToArray();
        _ambushes.Clear();
        foreach (var ambush in left)
        {
            ambush.Act();
        }
    }

    private sealed record Ambush(SimulatedNode Child, EdgeState State, Action Act);
}
