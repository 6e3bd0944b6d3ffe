using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Cli.Simulation;

/// <summary>A command that was answered ok, and the version of its case that the answer named: it must be there at the end, once.</summary>
public sealed record Acknowledged(CaseCommand Command, int Version);

/// <summary>What people were told is done, and is to be found in a directory.</summary>
public sealed class Acknowledgements
{
    /// <summary>By case, the last command that was answered ok.</summary>
    public Dictionary<CaseId, Acknowledged> Cases { get; private init; } = [];

    /// <summary>Orders issued here, each with what was wanted.</summary>
    public Dictionary<UInt128, OrderWish> Orders { get; private init; } = [];

    /// <summary>What people here decided on orders: the text that they gave.</summary>
    public Dictionary<(UInt128 Order, OrderState State), string> Steps { get; private init; } = [];

    /// <summary>Packages published here, each with what was wanted.</summary>
    public Dictionary<PackageName, PackageWish> Packages { get; private init; } = [];

    public Acknowledgements Copy() => new() { Cases = new(Cases), Orders = new(Orders), Steps = new(Steps), Packages = new(Packages) };
}

/// <summary>A copy of a directory as somebody took it, and what was known of the node then.</summary>
public sealed record DirectoryCopy(ModelDisk Disk, Acknowledgements Acknowledged, long LastEpoch, Dictionary<NodeId, long> ChildEpochs, IReadOnlyList<OrderEnd> Ends)
{
    /// <summary>How far the history had come, and how many directories of the node there had been before this one.</summary>
    public (Lsn Head, int Directories) At { get; init; }
}

/// <summary>The end of an order as a node knows it.</summary>
public sealed record OrderEnd(UInt128 Order, DivisionCode Target, ReadOnlyMemory<byte> Bytes)
{
    public static IReadOnlyList<OrderEnd> Of(OrderFold orders) =>
        [.. orders.Orders.Select(order => (order, standing: orders.Find(order.Id)!)).Where(o => o.standing.HasEnded).Select(o => new OrderEnd(o.order.Id, o.order.Target, o.standing.Receipts[^1].Bytes))];
}

/// <summary>
/// A node of a simulated tree: the real core on a model disk and a memory view store, driven by the one run queue. It can be killed (what was written
/// stays), cut (what was not synced may be lost), and started again.
/// </summary>
public sealed class SimulatedNode
{
    /// <summary>How often cells go up.</summary>
    public static readonly TimeSpan PushEvery = TimeSpan.FromMinutes(15);

    private static readonly DateTimeZone Shanghai = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];

    private readonly SimulatedTree _tree;
    private readonly SeededEntropy _entropy;
    private readonly List<IDisposable> _jobs = [];
    private IDisposable? _clockwork;
    private int _life;

    public SimulatedNode(SimulatedTree tree, SimulatedPlace place, ulong seed)
    {
        (_tree, Place, _entropy) = (tree, place, new SeededEntropy(seed));
        Clock = new VirtualClock(tree.Time) { Rang = Pump };
        Disk = new ModelDisk();
        Signatures = new StandInSignatures(place.Node, place.Division);
    }

    /// <summary>Where it stands from its next start on.</summary>
    public SimulatedPlace Place { get; private set; }

    /// <summary>A register of its own that it goes by from its next start on; null for that of the tree.</summary>
    public DivisionRegister? Register { get; set; }

    public VirtualClock Clock { get; }

    public ModelDisk Disk { get; private set; }

    /// <summary>Bytes of the disk that the node keeps for what is under way, from its next start on.</summary>
    public long DiskReserve { get; set; }

    /// <summary>What each of its children may lay upon it from its next start on.</summary>
    public ChildBounds EachChild { get; set; } = ChildBounds.Usual;

    /// <summary>Who grants a new directory of a child its epoch, from its next start on.</summary>
    public EpochPolicy NewDirectories { get; set; } = EpochPolicy.Granted;

    /// <summary>The newest protocol that it speaks from its next start on.</summary>
    public int ProtocolNewest { get; set; } = ReceiverSettings.ProtocolMax;

    /// <summary>The matters that its sector's parent is told of from its next start on.</summary>
    public Matters SectorMatters { get; set; } = Matters.All;

    /// <summary>How long its parent may not have confirmed its head before writes stop; null for no such policy.</summary>
    public Duration? AnchorRequired { get; set; }

    /// <summary>What it signs with from its next start on; null for nothing.</summary>
    public ISignatures? Signatures { get; set; }

    /// <summary>Null while the node is down.</summary>
    public NodeCore? Core { get; private set; }

    /// <summary>Which life this is: what was sent to an earlier one is lost.</summary>
    public int Life => _life;

    /// <summary>How often the directory was exchanged for another, or became a restored one.</summary>
    public int Directories { get; private set; }

    /// <summary>The connection to the parent as the wire has it, for messages that come again much later.</summary>
    public Dictionary<NodeId, SimulatedWire.Line> Lines { get; } = [];

    /// <summary>What was answered ok and is to be found in this directory.</summary>
    public Acknowledgements Acknowledged { get; private set; } = new();

    /// <summary>How often each job by the clock has run since the process started: pushes, hourly judgements, minutes.</summary>
    public (int Pushes, int Redrives, int Minutes) JobsDone { get; private set; }

    /// <summary>Starts the process; false where it died of its disk while it recovered, and is down.</summary>
    public bool Start()
    {
        _life++;
        try
        {
            Core = Recovered();
        }
        catch (IOException)
        {
            Disk.Kill();
            _life++;
            return false;
        }

        JobsDone = default;
        Core.FoldFailed = (fold, e, failure) => throw new InvalidOperationException($"{Place.Node}: fold {fold.Name} failed at {e.Lsn}.", failure);
        _jobs.Add(Every(TimeSpan.FromSeconds(1 + _entropy.Below(60)), PushEvery, core =>
        {
            JobsDone = JobsDone with { Pushes = JobsDone.Pushes + 1 };
            core.PushDue();
            core.PushDue(ParentKind.Sector);
        }));
        _jobs.Add(Every(TimeSpan.FromMinutes(1 + _entropy.Below(60)), TimeSpan.FromHours(1), core =>
        {
            JobsDone = JobsDone with { Redrives = JobsDone.Redrives + 1 };
            core.Redriving.Begin();
            core.RerouteOrders();
        }));
        StartTheClockwork();
        Do(core =>
        {
            core.RerouteOrders();
            core.StartUplinks();
        });
        return Core is not null;
    }

    /// <summary>It is configured for another parent, or none; the node is down.</summary>
    public void Rehome(SimulatedPlace? parent) => Place = Place with { Parent = parent };

    /// <summary>It reports to a sector's network too, from its next start on.</summary>
    public void JoinSector(SimulatedPlace sector) => Place = Place with { Sector = sector };

    /// <summary>The data directory is gone, or another one stands in its place; the node is down.</summary>
    public void Replace(ModelDisk disk, Acknowledgements? acknowledged = null)
    {
        Disk = disk;
        Acknowledged = acknowledged?.Copy() ?? new Acknowledgements();
        Directories++;
    }

    /// <summary>The directory came from a copy: the next start goes on with it as a new life.</summary>
    public void Renew()
    {
        _tree.Twist.Renew(Disk, _entropy, Place.Node);
        Directories++;
    }

    /// <summary>A copy of what is durable in the directory now. The node is up.</summary>
    public DirectoryCopy TakeCopy(SeededEntropy random) => new(
        Disk.AfterCut(random),
        Acknowledged.Copy(),
        Core!.UplinkFold.RevisionEpoch,
        Core.Reception.Children.ToDictionary(row => row.Node, KnownEpoch),
        OrderEnd.Of(Core.Orders))
    {
        At = (Core.Journal.Head.Lsn, Directories),
    };

    /// <summary>The greatest epoch number that a parent knows of a child, granted or on offer.</summary>
    public static long KnownEpoch(ChildRow row) => Math.Max(row.Epoch.Number, row.Offer?.Epoch.Number ?? 0);

    /// <summary>Does something with the core as its process would: where the disk fails it, the process ends. Then its writer works.</summary>
    public void Do(Action<NodeCore> work)
    {
        if (Core is { } core)
        {
            Guarded(() => work(core));
            Pump();
        }
    }

    /// <summary>As <see cref="Do"/>, with the writer still at rest when it returns.</summary>
    public void Hear(Action<NodeCore> work)
    {
        if (Core is { } core)
        {
            Guarded(() => work(core));
        }
    }

    /// <summary>Lets the writer and the projector work; called after everything that may have given them something.</summary>
    public void Pump() => Guarded(() =>
    {
        while (Core is { } core && (core.Sequencer.Pump() || core.Projector.PumpOnce()))
        {
        }

        if (Core?.Sequencer.StoppedBy is not null)
        {
            _tree.Sometimes.Reached("a failing disk ended a process");
            Crash(powerCut: false);
        }
    });

    /// <summary>Time goes on and changes no case any more: what quiescent means.</summary>
    public void StopTheClockwork() => _clockwork?.Dispose();

    public void StartTheClockwork()
    {
        _clockwork?.Dispose();
        _clockwork = Every(TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(1), core =>
        {
            JobsDone = JobsDone with { Minutes = JobsDone.Minutes + 1 };
            core.PassTime();
        });
    }

    /// <summary>The process dies. With <paramref name="powerCut"/> the disk forgets what was not synced.</summary>
    public void Crash(bool powerCut)
    {
        _jobs.ForEach(job => job.Dispose());
        _jobs.Clear();
        _clockwork?.Dispose();
        if (Core is { } core)
        {
            _tree.Hash.AddHead(core.Journal.Head.Lsn, core.Journal.Head.ChainHash);
            foreach (var uplink in core.Uplinks)
            {
                uplink.Dispose();
            }

            core.ReachDesk.Dispose();
        }

        Core = null;
        Lines.Clear();
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

    /// <summary>Who the certificate of a node says it is.</summary>
    public IPeerIdentity Identity => _tree.Twist.Peer(new Peer(Place.Node, [Place.Division]));

    private NodeCore Recovered()
    {
        var disk = _tree.Twist.Disk(Disk);
        var options = _tree.Twist.Options(new JournalOptions { SegmentBytes = 64 << 10, ReadAhead = false });
        var journal = _tree.Twist.Journal(this, FileJournal.Open(disk, _entropy, Place.Node, options));
        var calendar = new WorkCalendar(Shanghai);
        var register = Register ?? _tree.Register;
        var rules = new CaseRules { Place = Place.Division, Divisions = register, Catalogue = CatalogueShelf.BuiltIn, Calendar = calendar };
        var wire = Place.Parent is { } parent ? new SimulatedWire(_tree, this, parent.Node) : null;
        var sectorWire = Place.Sector is { } sector ? new SimulatedWire(_tree, this, sector.Node) : null;
        var settings = new NodeSettings(Place.Node, Place.Division, Shanghai, register, rules) { Parent = Place.Parent?.Node, ParentDivision = Place.Parent?.Division, SectorParent = Place.Sector?.Node, SectorMatters = SectorMatters, ProtocolNewest = ProtocolNewest, AnchorRequired = AnchorRequired, DiskReserve = DiskReserve, EachChild = EachChild, NewDirectories = NewDirectories, Cuts = _tree.Cuts };
        return new NodeCore(_tree.Twist.Settings(settings), new NodeSeams(disk, journal, new MemoryViewStore(), new StandInSeal(), wire, _tree.Twist.Clock(Clock), _entropy) { Signatures = Signatures, SectorWire = sectorWire });
    }

    private ITimer Every(TimeSpan first, TimeSpan period, Action<NodeCore> job) => Clock.CreateTimer(_ => Hear(job), null, first, period);

    private void Guarded(Action work)
    {
        try
        {
            work();
        }
        catch (IOException)
        {
            _tree.Sometimes.Reached("a failing disk ended a process");
            Crash(powerCut: false);
        }
    }

    private sealed record Peer(NodeId Node, IReadOnlyList<DivisionCode> Divisions) : IPeerIdentity;
}
