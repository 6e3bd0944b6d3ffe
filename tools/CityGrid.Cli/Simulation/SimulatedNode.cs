using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Cli.Simulation;

/// <summary>Where a simulated node stands in the tree.</summary>
public sealed record SimulatedPlace(NodeId Node, DivisionCode Division, SimulatedPlace? Parent);

/// <summary>
/// A node of a simulated tree: the real core on a model disk and a memory view store, driven by the one run queue. It can be killed (what was written
/// stays), cut (what was not synced may be lost), and started again.
/// </summary>
public sealed class SimulatedNode
{
    private static readonly DateTimeZone Shanghai = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];

    private readonly SimulatedTree _tree;
    private readonly SeededEntropy _entropy;
    private IDisposable? _pushing;
    private IDisposable? _clockwork;
    private int _life;

    public SimulatedNode(SimulatedTree tree, SimulatedPlace place, ulong seed)
    {
        (_tree, Place, _entropy) = (tree, place, new SeededEntropy(seed));
        Clock = new VirtualClock(tree.Time);
        Disk = new ModelDisk();
    }

    public SimulatedPlace Place { get; }

    public VirtualClock Clock { get; }

    public ModelDisk Disk { get; private set; }

    /// <summary>The newest protocol that it speaks from its next start on.</summary>
    public int ProtocolNewest { get; set; } = ReceiverSettings.ProtocolMax;

    /// <summary>Null while the node is down.</summary>
    public NodeCore? Core { get; private set; }

    /// <summary>Which life this is: what was sent to an earlier one is lost.</summary>
    public int Life => _life;

    public void Start()
    {
        _life++;
        var journal = FileJournal.Open(Disk, _entropy, Place.Node, new JournalOptions { SegmentBytes = 64 << 10, ReadAhead = false });
        var calendar = new WorkCalendar(Shanghai);
        var rules = new CaseRules { Place = Place.Division, Divisions = _tree.Register, Catalogue = TypeCatalogue.BuiltIn, Calendar = calendar };
        var wire = Place.Parent is null ? null : new SimulatedWire(_tree, this);
        Core = new NodeCore(
            new NodeSettings(Place.Node, Place.Division, Shanghai, _tree.Register, rules) { ParentDivision = Place.Parent?.Division, ProtocolNewest = ProtocolNewest },
            new NodeSeams(Disk, journal, new MemoryViewStore(), new StandInSeal(), wire, Clock, _entropy));
        Core.FoldFailed = (fold, e, failure) => throw new InvalidOperationException($"{Place.Node}: fold {fold.Name} failed at {e.Lsn}.", failure);
        Core.Uplink?.Start();
        _pushing = Clock.CreateTimer(_ => Core?.PushDue(), null, TimeSpan.FromSeconds(1 + _entropy.Below(60)), TimeSpan.FromMinutes(15));
        _clockwork = Clock.CreateTimer(_ => Core?.PassTime(), null, TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(1));
        Pump();
    }

    /// <summary>The data directory is gone, or another one stands in its place; the node is down.</summary>
    public void Replace(ModelDisk disk) => Disk = disk;

    /// <summary>The directory came from a copy: the next start goes on with it as a new life.</summary>
    public void Renew() => DirectoryLife.Renew(Disk, _entropy, Place.Node);

    /// <summary>Lets the writer and the projector work; called after everything that may have given them something.</summary>
    public void Pump()
    {
        while (Core is { } core && (core.Sequencer.Pump() || core.Projector.PumpOnce()))
        {
        }
    }

    /// <summary>Time goes on and changes no case any more: what quiescent means.</summary>
    public void StopTheClockwork() => _clockwork?.Dispose();

    /// <summary>The process dies. With <paramref name="powerCut"/> the disk forgets what was not synced.</summary>
    public void Crash(bool powerCut)
    {
        _pushing?.Dispose();
        _clockwork?.Dispose();
        Core?.Uplink?.Dispose();
        Core = null;
        _life++;
        if (powerCut)
        {
            Disk.Cut(_entropy);
        }
        else
        {
            Disk.Kill();
        }
    }

    public static IPeerIdentity IdentityOf(SimulatedNode child) => new Peer(child.Place.Node, [child.Place.Division]);

    private sealed record Peer(NodeId Node, IReadOnlyList<DivisionCode> Divisions) : IPeerIdentity;
}

/// <summary>A tree of simulated nodes with its lossy network.</summary>
public sealed class SimulatedTree
{
    public SimulatedTree(ulong seed, int provinces, int citiesEach)
    {
        Random = new SeededEntropy(seed);
        Time = new VirtualTime(new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero));
        var nation = DivisionCode.Parse("CN");
        var rows = new List<Division> { new(nation, null, "中国", "China", DivisionKind.Nation, null, null) };
        var ministry = new SimulatedPlace(NodeId.Parse("ministry"), nation, null);
        var places = new List<SimulatedPlace> { ministry };
        for (var p = 1; p <= provinces; p++)
        {
            var province = new SimulatedPlace(NodeId.Parse($"province-{p}"), DivisionCode.Parse($"{p}00000"), ministry);
            rows.Add(new Division(province.Division, nation, $"省{p}", $"Province {p}", DivisionKind.Province, null, null));
            places.Add(province);
            for (var c = 1; c <= citiesEach; c++)
            {
                // The code of a city tells nothing of its province: the register does.
                var city = new SimulatedPlace(NodeId.Parse($"city-{p}-{c}"), DivisionCode.Parse($"9{c}{p}000"), province);
                rows.Add(new Division(city.Division, province.Division, $"市{p}{c}", $"City {p}.{c}", DivisionKind.City, null, null));
                for (var d = 1; d <= 3; d++)
                {
                    rows.Add(new Division(DivisionCode.Parse($"9{c}{p}00{d}"), city.Division, $"区{d}", $"District {d}", DivisionKind.County, null, null));
                }

                rows.Add(new Division(DivisionCode.Parse($"9{c}{p}000-NONE"), city.Division, "未知", "unknown", DivisionKind.Unknown, null, null));
                places.Add(city);
            }
        }

        Register = DivisionRegister.Of(rows);
        foreach (var place in places)
        {
            Nodes.Add(place.Node, new SimulatedNode(this, place, Random.Next()));
        }
    }

    public SeededEntropy Random { get; }

    public VirtualTime Time { get; }

    public DivisionRegister Register { get; }

    public SortedDictionary<NodeId, SimulatedNode> Nodes { get; } = [];

    /// <summary>Loss, repetition and delay while the weather is bad.</summary>
    public SimulatedWeather Weather { get; set; } = SimulatedWeather.Fair;

    public IEnumerable<SimulatedNode> Cities => Nodes.Values.Where(n => n.Place.Node.ToString().StartsWith("city", StringComparison.Ordinal));

    public SimulatedNode this[NodeId node] => Nodes[node];

    /// <summary>Runs the tree for a span, with every writer kept going.</summary>
    public void Run(TimeSpan span)
    {
        var end = Time.UtcTicks + span.Ticks;
        while (Time.UtcTicks < end)
        {
            Time.Run(TimeSpan.FromTicks(Math.Min(TimeSpan.FromSeconds(5).Ticks, end - Time.UtcTicks)));
            foreach (var node in Nodes.Values)
            {
                node.Pump();
            }
        }
    }
}

/// <summary>What the network does to messages: in a thousand so many are lost, so many come twice, and the delay is drawn up to a bound.</summary>
public sealed record SimulatedWeather(int LostOf1000, int TwiceOf1000, TimeSpan DelayMax, int CutOf1000)
{
    /// <summary>What a line carries each way; 0 for no bound. Messages then queue in front of it and keep their order.</summary>
    public int BytesPerSecond { get; init; }

    public static readonly SimulatedWeather Fair = new(0, 0, TimeSpan.FromMilliseconds(50), 0);
    public static readonly SimulatedWeather Storm = new(150, 200, TimeSpan.FromSeconds(20), 20);
}
