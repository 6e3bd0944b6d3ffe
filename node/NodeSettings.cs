using CityGrid.Hub.Children;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Cases;
using CityGrid.Node.Escalations;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node;

/// <summary>Who a node is and what it goes by.</summary>
public sealed record NodeSettings(NodeId Node, DivisionCode Division, DateTimeZone Zone, DivisionRegister Register, CaseRules Rules)
{
    /// <summary>How long after the end of a day its figures may be called final.</summary>
    public Duration ClosingDelay { get; init; } = Duration.FromDays(3);

    public EscalationRules EscalationRules { get; init; } = EscalationRules.BuiltIn;

    /// <summary>The newest protocol that the node speaks with its parent and its children.</summary>
    public int ProtocolNewest { get; init; } = ReceiverSettings.ProtocolMax;

    /// <summary>How the node takes children in, by an authority of its own; null where it keeps no register of children.</summary>
    public (ChildrenSettings Settings, Func<CertificateAuthority> Authority)? Children { get; init; }

    /// <summary>How long the parent may not have confirmed this node's head before writes stop; null where they never do.</summary>
    public Duration? AnchorRequired { get; init; }

    /// <summary>Whether children must sign what they send.</summary>
    public SignaturePolicy Signatures { get; init; } = SignaturePolicy.Accepted;

    /// <summary>Who grants a new data directory of a known child its epoch.</summary>
    public EpochPolicy NewDirectories { get; init; } = EpochPolicy.Granted;

    /// <summary>Records that the case lists may lag behind before intake slows; where they lag ten times as far, all that may be let go of is.</summary>
    public int ViewLagRecords { get; init; } = 10_000;

    /// <summary>The program's own memory at which all that may be let go of is.</summary>
    public long MemoryMax { get; init; } = long.MaxValue;

    /// <summary>Bytes of the data disk that are kept for what is under way: nothing new is taken once no more are free.</summary>
    public long DiskReserve { get; init; }

    /// <summary>What each child may lay upon this node.</summary>
    public ChildBounds EachChild { get; init; } = ChildBounds.Usual;

    /// <summary>How much memory the program has for itself now.</summary>
    public Func<long> MemoryNow { get; init; } = () => 0;

    /// <summary>The parent; null for the root of a tree.</summary>
    public NodeId? Parent { get; init; }

    /// <summary>A sector's parent beside it (L17); null where there is none.</summary>
    public NodeId? SectorParent { get; init; }

    /// <summary>The matters that it is told of.</summary>
    public Matters SectorMatters { get; init; } = Matters.All;

    /// <summary>The division of the parent; null for the root of a tree.</summary>
    public DivisionCode? ParentDivision { get; init; }

    public CutSizes Cuts { get; init; } = CutSizes.Default;
}

/// <summary>Everything that varies, handed in (architecture 5).</summary>
public sealed record NodeSeams(IDisk Disk, IJournal Journal, IViewStore Views, ISeal Seal, IWire? Wire, TimeProvider Clock, IEntropy Entropy)
{
    /// <summary>The wire to the sector's parent; null where there is none.</summary>
    public IWire? SectorWire { get; init; }

    /// <summary>What the node signs with, and judges others by; null where nothing is signed.</summary>
    public ISignatures? Signatures { get; init; }

    /// <summary>The shelves that the view store put aside.</summary>
    public DamagedShelves Damaged { get; init; } = new();

    /// <summary>The folds are made from the journal alone, whatever snapshots there are.</summary>
    public bool ReplaysAll { get; init; }
}
