using CityGrid.Hub.Catalogue;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>
/// A case as the fold of its events. Immutable, and free of anything personal: of that it knows only the key slots. A reported case takes
/// about 300 B, a filed one about 500 B.
/// </summary>
public sealed record CaseState
{
    private readonly long _reportedAt;
    private readonly long _stepAt;

    public required CaseId Id { get; init; }

    public required TypeKey Type { get; init; }

    public required DivisionCode Division { get; init; }

    public required SourceCode Source { get; init; }

    public required CaseStage Stage { get; init; }

    /// <summary>Counts the events but those that only tell of the case (<see cref="Escalated"/>).</summary>
    public required int Version { get; init; }

    /// <summary>The position of the case's last event; history is walked back from there.</summary>
    public required Lsn LastLsn { get; init; }

    public required Instant ReportedAt { get => Moment.Of(_reportedAt); init => _reportedAt = Moment.From(value); }

    public required StatDay ReportedDay { get; init; }

    /// <summary>When the last step happened; none may happen before it.</summary>
    public required Instant StepAt { get => Moment.Of(_stepAt); init => _stepAt = Moment.From(value); }

    public EmergencyGrade Grade { get; init; }

    /// <summary>What a person released to be shown above.</summary>
    public string? Summary { get; init; }

    /// <summary>All of filing, clock and handling; null for a case that has none of it yet.</summary>
    public FilingState? Filing { get; init; }

    /// <summary>The end of a closed or voided case.</summary>
    public EndState? End { get; init; }

    /// <summary>Where it came from, if from another system.</summary>
    public ImportState? Import { get; init; }

    /// <summary>The key slots that hold something personal of this case.</summary>
    public IReadOnlyList<long> Slots { get; init; } = [];

    /// <summary>The requests that were answered, but those of creation and of imported rows, which the node keeps by itself.</summary>
    public IReadOnlyList<KeptRequest> Requests { get; init; } = [];

    /// <summary>The escalations of this case, each at its last version.</summary>
    public IReadOnlyList<EscalationMark> Escalations { get; init; } = [];

    /// <summary>Where the case counted before it was moved, oldest first; the current place is not among them.</summary>
    public IReadOnlyList<Spot> EarlierSpots { get; init; } = [];

    /// <summary>What the case added to the cells in all.</summary>
    public Contribution[] Contributions { get; init; } = [];

    public bool IsOpen => Stage.IsOpen();

    public bool IsSuspended => Filing?.SuspendedUntil is not null;

    /// <summary>True where the deadline passed, whether it was handled since or not; a fact that stays unless the deadline moves back.</summary>
    public bool IsOverdue => Filing?.OverdueAt is not null;

    public Instant? Deadline => Filing?.Deadline;

    /// <summary>The number of the place that the case counts in now.</summary>
    public byte Segment => checked((byte)EarlierSpots.Count);

    /// <summary>True while time runs against a deadline.</summary>
    public bool ClockRuns =>
        Filing is { Deadline: not null, SuspendedUntil: null }
        && Stage is CaseStage.Reported or CaseStage.Verified or CaseStage.Filed or CaseStage.Dispatched;

    /// <summary>True where handling of a filed case is still to come, whether its clock runs or stands.</summary>
    public bool ClockRunsOrStands => Filing is { FiledAt: not null } && Stage is CaseStage.Filed or CaseStage.Dispatched;

    /// <summary>
    /// When time alone will change something: then, or at any later time, <see cref="PassTime"/> has something to decide. Null: never. A
    /// deadline is kept at the millisecond of itself, so it is due one later.
    /// </summary>
    public Instant? NextDueAt =>
        IsSuspended ? Filing!.SuspendedUntil
        : !ClockRuns ? null
        : (IsOverdue ? Filing!.NextStepAt : Filing!.Deadline) is { } at ? Instant.Max(at, Filing.ClockSince).PlusNanoseconds(1_000_000) : null;

    /// <summary>Where the segment with this number counts.</summary>
    public Spot SpotOf(int segment) => segment < EarlierSpots.Count ? EarlierSpots[segment] : new Spot(Type, Division);

    /// <summary>The answer that a request was given; null for a key that this case does not know.</summary>
    public KeptRequest? FindRequest(UInt128 keyHash)
    {
        foreach (var kept in Requests)
        {
            if (kept.KeyHash == keyHash)
            {
                return kept;
            }
        }

        return null;
    }

    /// <summary>The case after one more event; null is the case before its first one. Throws where the event belongs to another case or the history does not start with a beginning.</summary>
    public static CaseState Apply(CaseState? before, CaseEvent happened, in Stamp stamp)
    {
        Span<Contribution> room = stackalloc Contribution[Counting.ContributionsMax];
        return CaseFold.Apply(before, happened, stamp, Counting.Of(before, happened, room));
    }

    /// <summary>The case as it stood after the last of these events; null for none.</summary>
    public static CaseState? Fold(IEnumerable<CaseEntry> history)
    {
        CaseState? state = null;
        foreach (var entry in history)
        {
            state = Apply(state, entry.Event, entry.Stamp);
        }

        return state;
    }
}

/// <summary>Filing, clock and handling of a case.</summary>
public sealed record FilingState
{
    private readonly long _filedAt = Moment.None;
    private readonly long _deadline = Moment.None;
    private readonly long _clockSince = Moment.None;
    private readonly long _handledAt = Moment.None;
    private readonly long _suspendedAt = Moment.None;
    private readonly long _suspendedUntil = Moment.None;
    private readonly long _overdueAt = Moment.None;
    private readonly long _nextStepAt = Moment.None;

    /// <summary>Null for a live import with a due time that nobody has filed.</summary>
    public Instant? FiledAt { get => Moment.OrNull(_filedAt); init => _filedAt = Moment.From(value); }

    public int Row { get; init; }

    /// <summary>Without a count where the deadline is another system's due time.</summary>
    public Limit Limit { get; init; }

    public bool LimitIsDefault { get; init; }

    public Instant? Deadline { get => Moment.OrNull(_deadline); init => _deadline = Moment.From(value); }

    /// <summary>When the clock was last set going: at filing, rework, reopening. What passed before passes then.</summary>
    public Instant ClockSince { get => Moment.Of(_clockSince); init => _clockSince = Moment.From(value); }

    /// <summary>The unit it was last dispatched to.</summary>
    public string? Unit { get; init; }

    /// <summary>Everyone who said that it was handled: none of them may close it.</summary>
    public IReadOnlyList<string> Handlers { get; init; } = [];

    /// <summary>Set while the case counts as handled.</summary>
    public Instant? HandledAt { get => Moment.OrNull(_handledAt); init => _handledAt = Moment.From(value); }

    public bool? HandledInTime { get; init; }

    public long HandledSeconds { get; init; }

    /// <summary>Where the case counted when it was handled.</summary>
    public byte HandledSegment { get; init; }

    public int Extensions { get; init; }

    public int Suspensions { get; init; }

    public Instant? SuspendedAt { get => Moment.OrNull(_suspendedAt); init => _suspendedAt = Moment.From(value); }

    public Instant? SuspendedUntil { get => Moment.OrNull(_suspendedUntil); init => _suspendedUntil = Moment.From(value); }

    public long? RemainingMilliseconds { get; init; }

    /// <summary>Time that lay in suspensions: all of it, and what of it was working time.</summary>
    public long SuspendedSeconds { get; init; }

    public long SuspendedWorkedSeconds { get; init; }

    public Instant? OverdueAt { get => Moment.OrNull(_overdueAt); init => _overdueAt = Moment.From(value); }

    public StatDay OverdueDay { get; init; }

    /// <summary>True while the case is in the stock of overdue, unhandled ones (超期未处置).</summary>
    public bool InOverdueStock { get; init; }

    /// <summary>The last multiple of its limit that the case ran past its deadline.</summary>
    public int OverdueMultiple { get; init; }

    public Instant? NextStepAt { get => Moment.OrNull(_nextStepAt); init => _nextStepAt = Moment.From(value); }
}

/// <summary>How a case ended.</summary>
public sealed record EndState(Instant At, StatDay Day, bool? InTime, long ElapsedSeconds);

/// <summary>Where an imported case came from and what was last brought of it. Once a place works it by itself, the source no longer speaks for it.</summary>
public sealed record ImportState(string System, string ExternalId, Hash256 ContentHash, Instant? DueAt, Instant? UpdatedAt, bool Live, bool WorkedHere);

/// <summary>Type and division that a case counts under.</summary>
public readonly record struct Spot(TypeKey Type, DivisionCode Division);

/// <summary>An answered request: the first 16 bytes of the SHA-256 of its key, the digest of its content, and the answer.</summary>
public readonly record struct KeptRequest(UInt128 KeyHash, ulong Content, int Version, Lsn Lsn);

/// <summary>An escalation of a case at its last version.</summary>
public sealed record EscalationMark(
    UInt128 Id, int Version, string Rule, EmergencyGrade Grade, EscalationTier Tier, EscalationState State, Instant RaisedAt);

/// <summary>Times are kept as Unix milliseconds: half the room of an instant.</summary>
internal static class Moment
{
    public const long None = long.MinValue;

    public static long From(Instant? at) => at is { } some ? some.ToUnixTimeMilliseconds() : None;

    public static Instant Of(long milliseconds) => Instant.FromUnixTimeMilliseconds(milliseconds);

    public static Instant? OrNull(long milliseconds) => milliseconds == None ? null : Of(milliseconds);

    /// <summary>Whole seconds from one time to another, rounded down; zero where the second is not later.</summary>
    public static long Seconds(Instant from, Instant to) => Math.Max(0, (to.ToUnixTimeMilliseconds() - from.ToUnixTimeMilliseconds()) / 1000);
}
