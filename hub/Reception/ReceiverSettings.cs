using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>Who decides about the epoch of a new data directory of a known node.</summary>
public enum EpochPolicy
{
    /// <summary>The receiver grants the next epoch at once: whoever has the child's certificate speaks for it.</summary>
    Granted,

    /// <summary>A person grants it; until then the answer is INCARNATION_UNKNOWN. A node never heard of is granted its first epoch.</summary>
    Asked,
}

/// <summary>What a receiver goes by: who it is, where it stands in the register, and what it asks for. Decisions take it as it is <see cref="At"/> their time.</summary>
public sealed record ReceiverSettings(NodeId Node, DivisionCode Division, DivisionRegister Register)
{
    /// <summary>
    /// For each child that it knows a parent asks for so much more time in which all come back that lost it at once (L14). One that comes back costs some 5 ms of
    /// processor for its handshake, certificates and signer, so that the rest of the children have at least four fifths of one.
    /// </summary>
    public static readonly Duration RedialAChild = Duration.FromMilliseconds(30);

    /// <summary>What a child goes by unasked; no more than this is never asked for.</summary>
    private static readonly Duration RedialUnasked = Duration.FromSeconds(1);

    /// <summary>In how many milliseconds so many children should come back; 0 where they do so by themselves.</summary>
    public static long RedialWithinMs(int children) => RedialAChild * children is var within && within > RedialUnasked ? (long)within.TotalMilliseconds : 0;

    /// <summary>The oldest and newest protocol that this program speaks.</summary>
    public const int ProtocolMin = 1;

    public const int ProtocolMax = 2;

    /// <summary>A cell is about 100 B on the wire, so 10,000 are 1 MB, the largest message worth sending.</summary>
    public const int CellsMax = 10_000;

    public const int SymbolsMax = 10_000;

    /// <summary>One for each origin below: the nation has about 400.</summary>
    public const int WatermarksMax = 10_000;

    /// <summary>An escalation is about 500 B.</summary>
    public const int EscalationsMax = 2_000;

    /// <summary>The whole of the nation's 20 million cells in parts of 1,000 is 20,000 parts.</summary>
    public const int PartsMax = 1_000_000;

    /// <summary>A child that claims an epoch further ahead of its row than this is lying or mad: a restored parent is some dozens behind.</summary>
    public const long EpochLeapMax = 1_000_000;

    /// <summary>Whom this node reports to itself; null for the root. It is no child, whatever a register says.</summary>
    public NodeId? Parent { get; init; }

    /// <summary>The register as it stands a day later: a child whose midnight comes first goes by it already.</summary>
    public DivisionRegister Tomorrow => Day is { } day ? Register.At(day.Plus(1)) : Register;

    /// <summary>The day from which the register is seen; null before <see cref="At"/>.</summary>
    private StatDay? Day { get; init; }

    /// <summary>The zone whose day decides which rows of the register hold.</summary>
    public DateTimeZone Zone { get; init; } = DateTimeZone.Utc;

    /// <summary>The newest protocol that is spoken; a network that is being upgraded may hold back.</summary>
    public int ProtocolNewest { get; init; } = ProtocolMax;

    public SignaturePolicy Signatures { get; init; } = SignaturePolicy.Accepted;

    public EpochPolicy Policy { get; init; } = EpochPolicy.Granted;

    /// <summary>The grains asked for of a child's own cells and of those it relays.</summary>
    public IReadOnlyList<Grain> Grains { get; init; } = [Grain.Detail, Grain.National];

    /// <summary>The same with the register as it stands at a time.</summary>
    public ReceiverSettings At(Instant now) => this with { Register = Register.At(StatDay.Of(now, Zone)), Day = StatDay.Of(now, Zone) };
}
