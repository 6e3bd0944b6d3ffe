using System.Collections.Frozen;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// Conditions that must be met now and then, or the stories prove less than they seem to: a fault in a state of the protocol, or a way that only rare
/// luck takes. Counted over all stories; one that no nightly story met is a hole in them.
/// </summary>
public sealed class SometimesTable
{
    private readonly SortedDictionary<string, long> _met = new(StringComparer.Ordinal);

    /// <summary>Faults of a process or a directory that are tried in every state of the edge above it.</summary>
    private static readonly FaultKind[] Struck = [FaultKind.Kill, FaultKind.PowerCut, FaultKind.Restore, FaultKind.OldCopy, FaultKind.Clone, FaultKind.LostDirectory, FaultKind.DiskError, FaultKind.FullDisk];

    private static readonly FaultKind[] StruckAbove = [FaultKind.ParentRestored, FaultKind.ParentLost];

    private static readonly EdgeState[] Reachable =
    [
        EdgeState.AtRest, EdgeState.Greeting, EdgeState.EpochOffered, EdgeState.CutUnderWay, EdgeState.CutHalfApplied, EdgeState.ManyUnderWay, EdgeState.EscalationUnderWay,
        EdgeState.FrameUndecided, EdgeState.ReceiptUnstored,
    ];

    /// <summary>What must be met of orders, receipts and catalogue packages.</summary>
    private static readonly string[] OfOrders =
    [
        "a node died while an order waited there to go further down", "a node died while a receipt waited there to go further up", "a node died with half a package",
        "an order came that was known", "an order came again to a place that had lost it, with what was decided there", "an order came to a place that had lost its directory or was put back",
        "an order was cancelled while it was on its way", "a cancellation came too late", "an order expired before anybody heard of it", "a place heard that another history of it had decided otherwise",
        "an order came back to its issuer that had lost it", "an order came back to a relay that had lost it", "a receipt came that was known", "a person could not decide on an order before its place had heard all",
        "a package was refused", "an issuer gave a number to two packages", "a case was filed under a version that a package brought",
    ];

    private static readonly string[] Others =
    [
        "a failing disk ended a process", "a process died while it recovered", "a snapshot found no room", "a clone and its twin both spoke in one epoch", "a clone wrote what its twin did not",
        "a child was quarantined as a fork", "a person released a quarantined child", "an old copy was told EPOCH_REGRESSION", "a directory out of office was told FENCED", "a gap was told",
        "a late message came on another connection", "a parent that had lost what it knew took the epoch that its child held", "a part came twice and had no effect", "a cut in several parts was applied", "a cut began anew after half of it was applied",
        "a record was parked", "a parked record was settled", "a record was refused", "a cell fell to zero", "a case of a closed month was corrected", "a request was answered again after a crash", "ranges were compared and equal",
        "a node was up again after a full disk", "an escalation came by a relay", "a node was renewed twice", "a node was cut off for 30 days",
        "a name that another had taken was given to its place", "a node was taken back to the program of before", "a node was upgraded while others had the program of before",
    ];

    /// <summary>What is counted where it is met, and a night may do without: a feed sends packages in their order, and a child says so where one came too early all the same.</summary>
    private static readonly string[] Unwanted = ["a package came before the one that it follows"];

    /// <summary>Every condition that a night must meet.</summary>
    public static IReadOnlyList<string> Wanted { get; } =
    [
        .. Struck.SelectMany(fault => Reachable.Select(state => Name(fault, state))),
        .. StruckAbove.SelectMany(fault => Reachable.Select(state => Name(fault, state))),
        .. OfOrders.Order(StringComparer.Ordinal),
        .. Others.Order(StringComparer.Ordinal),
        .. HostileChild.Conditions.Order(StringComparer.Ordinal),
    ];

    /// <summary>Every condition that there is: those wanted, and faults in states that few of them reach.</summary>
    private static readonly FrozenSet<string> Known =
    [
        .. Wanted,
        .. Unwanted,
        .. Struck.Concat(StruckAbove).SelectMany(fault => Enum.GetValues<EdgeState>().Select(state => Name(fault, state))),
    ];

    public static string Name(FaultKind fault, EdgeState state) => $"{fault} while {state}";

    public long this[string condition] => _met.GetValueOrDefault(condition);

    public IEnumerable<string> Missing => Wanted.Where(condition => this[condition] == 0);

    /// <summary>Counts a condition. One that the table does not know is a mistake in the story, for nobody would miss it: <see cref="ArgumentException"/>.</summary>
    public void Reached(string condition)
    {
        if (!Known.Contains(condition))
        {
            throw new ArgumentException($"'{condition}' is not in the table of conditions.", nameof(condition));
        }

        _met[condition] = this[condition] + 1;
    }

    /// <summary>A fault strikes a node: counted for each state that the edge above it is in, or those below it.</summary>
    public void Strikes(FaultKind fault, SimulatedNode child, SimulatedNode parent)
    {
        foreach (var state in EdgeStates.Of(child, parent))
        {
            Reached(Name(fault, state));
        }
    }

    public void Add(SometimesTable other)
    {
        foreach (var (condition, times) in other._met)
        {
            _met[condition] = this[condition] + times;
        }
    }

    /// <summary>All conditions, wanted or met, each with how often it was met.</summary>
    public IEnumerable<(string Condition, long Times)> Rows => Wanted.Concat(_met.Keys).Distinct().Select(condition => (condition, this[condition]));
}
