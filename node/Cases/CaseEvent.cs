using System.Security.Cryptography;
using System.Text;
using CityGrid.Hub.Catalogue;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>
/// Something that happened to a case. Events carry whatever depends on catalogue, calendar or zone, so that a fold of them asks nobody. Times
/// are whole milliseconds, durations whole seconds rounded down. Whose, when and on which day is set once, by whoever adds it to a history or reads it,
/// before anybody else sees it.
/// </summary>
public abstract record CaseEvent
{
    public CaseId Case { get; internal set; }

    /// <summary>When it happened; the journal says when it was recorded.</summary>
    public Instant OccurredAt { get; internal set; }

    /// <summary>The statistical day of <see cref="OccurredAt"/> in the place's zone.</summary>
    public StatDay Day { get; internal set; }

    /// <summary>The request that brought it; on the last event of a command, and of an imported row on the event that brought the row.</summary>
    public RequestDigest? Request { get; internal set; }

    /// <summary>Why, as a code of <see cref="Reasons"/>; the words that go with it are sealed.</summary>
    public string? Reason { get; internal set; }

    /// <summary>What is personal: a box that this code can neither open nor make.</summary>
    public SealedPart? Sealed { get; internal set; }
}

/// <summary>
/// What is kept of a request: the first 16 bytes of its key's SHA-256, big-endian, under which it is looked up, and a digest of the content that it
/// came with.
/// </summary>
public readonly record struct RequestDigest(UInt128 KeyHash, ulong Content);

/// <summary>A client-minted request key and a digest of the content that it came with. The digest must be keyed: of personal data a plain hash gives them away.</summary>
public sealed record RequestMark(string Key, ulong Content)
{
    public const int KeyLengthMax = 128;

    /// <summary>
    /// The key of a row of another system, which names it for ever: <c>import/SYSTEM/ID</c>, or, where that is longer than a key may be, the SHA-256 of it in its
    /// place. The digest is still to come.
    /// </summary>
    public static RequestMark OfRow(string system, string externalId)
    {
        var key = $"import/{system}/{externalId}";
        return new RequestMark(key.Length <= KeyLengthMax ? key : $"import/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}", 0);
    }

    /// <summary>What it is looked up by (<see cref="RequestDigest"/>): taken once, by whoever brings the mark.</summary>
    public UInt128 KeyHash { get; } = HashOf(Key);

    public RequestDigest Digest => new(KeyHash, Content);

    internal static UInt128 HashOf(string key)
    {
        Span<byte> text = stackalloc byte[KeyLengthMax * 3];
        var bytes = key.Length <= KeyLengthMax ? text[..Encoding.UTF8.GetBytes(key, text)] : Encoding.UTF8.GetBytes(key);
        return Hash256.Of(bytes).High;
    }
}

/// <summary>A sealed box (hub/Sealing) and the slot of the key that it is sealed under.</summary>
public sealed record SealedPart(long Slot, ReadOnlyMemory<byte> Box);

/// <summary>上报. The grade is given at intake, unspecified for a case that is no emergency; the summary is written or released by a person to be shown above.</summary>
public sealed record Reported(TypeKey Type, DivisionCode Division, SourceCode Source, EmergencyGrade Grade, string? Summary) : CaseEvent;

/// <summary>核实, the check before filing. A failed one leaves the case to be voided or checked again.</summary>
public sealed record PreFilingChecked(bool Passed) : CaseEvent;

/// <summary>立案: under this row of the catalogue, with this deadline for handling. Elapsed is from report to filing.</summary>
public sealed record Filed(TypeKey Type, int Row, Limit Limit, bool LimitIsDefault, Instant Deadline, long ElapsedSeconds) : CaseEvent;

/// <summary>派遣 to a unit.</summary>
public sealed record Dispatched(string Unit) : CaseEvent;

/// <summary>
/// 处置 finished. Elapsed is from filing to handling, worked is what of it was working time without suspension. In time: not after the
/// deadline; null where there is none.
/// </summary>
public sealed record HandlingFinished(bool? InTime, long ElapsedSeconds, long WorkedSeconds) : CaseEvent;

/// <summary>核查, the check before closing. A failed one leaves the case to be reworked or checked again.</summary>
public sealed record PreClosingChecked(bool Passed) : CaseEvent;

/// <summary>结案. Elapsed and worked are from report to closing. In time: as the handling was; of an imported case, not after its due time.</summary>
public sealed record Closed(bool? InTime, long ElapsedSeconds, long WorkedSeconds) : CaseEvent;

/// <summary>作废.</summary>
public sealed record Voided : CaseEvent;

/// <summary>回退: the unit gives it back, because it is not theirs.</summary>
public sealed record Returned(string Unit) : CaseEvent;

/// <summary>返工: the same unit must do it again; the clock runs on as if it had never stood.</summary>
public sealed record Reworked : CaseEvent;

/// <summary>延期: one original limit more on the deadline that stood.</summary>
public sealed record Extended(Instant Deadline) : CaseEvent;

/// <summary>挂账: the clock stands until then. Remaining is what it still has to run to the deadline, or to the next step past it.</summary>
public sealed record Suspended(Instant Until, long? RemainingMilliseconds) : CaseEvent;

/// <summary>The clock runs again, by itself at the time set or earlier by hand. Suspended-worked is the working time that lay in between.</summary>
public sealed record Resumed(bool ByItself, Instant? Deadline, Instant? NextStepAt, long SuspendedWorkedSeconds) : CaseEvent;

/// <summary>A closed case is open again: to be dispatched where it had been filed, else to be checked. The clock is the original one.</summary>
public sealed record Reopened : CaseEvent;

/// <summary>
/// It was always so: another type, another division, and for an imported case another time of report or end. What is null stays. With
/// another type come another limit and deadline where the handling still runs.
/// </summary>
public sealed record Corrected : CaseEvent
{
    public TypeKey? Type { get; init; }

    public DivisionCode? Division { get; init; }

    /// <summary>The limit that goes with the new type; null where the handling does not run.</summary>
    public NewLimit? Limit { get; init; }

    public CorrectedTime? Reported { get; init; }

    /// <summary>The end of the case: its closing or its voiding.</summary>
    public CorrectedTime? Ended { get; init; }

    /// <summary>Of the closing, as corrected.</summary>
    public bool? InTime { get; init; }

    /// <summary>From report to closing, as corrected.</summary>
    public long ElapsedSeconds { get; init; }
}

/// <summary>The row, limit and deadline after a correction; of an overdue case its next step, of a suspended one what the clock still has to run.</summary>
public sealed record NewLimit(int Row, Limit Limit, bool IsDefault, Instant Deadline, Instant? NextStepAt, long? RemainingMilliseconds);

public readonly record struct CorrectedTime(Instant At, StatDay Day);

/// <summary>From now on it is this type in this division.</summary>
public sealed record Moved(TypeKey Type, DivisionCode Division) : CaseEvent;

/// <summary>The deadline passed without handling. Its own time is the deadline, or when the clock was set going again after it, even if the node was down.</summary>
public sealed record DeadlinePassed(Instant Deadline, Instant? NextStepAt) : CaseEvent;

/// <summary>The deadline had not passed after all: it moved back, or what stopped the clock came to be known later.</summary>
public sealed record DeadlineWithdrawn : CaseEvent;

/// <summary>An overdue case ran so many limits past its deadline (超时倍数).</summary>
public sealed record OverdueReached(int Multiple, Instant? NextStepAt) : CaseEvent;

/// <summary>A version of an escalation of this case went out in the same record. It tells of the case and changes nothing of it.</summary>
public sealed record Escalated(
    UInt128 Id, int Version, string Rule, EmergencyGrade Grade, EscalationTier Tier, EscalationState State, Instant RaisedAt) : CaseEvent;

/// <summary>The tier that must know of an escalation. Numbers are stored and never reused.</summary>
public enum EscalationTier : byte
{
    City = 1,
    Province = 2,
    Ministry = 3,
}

/// <summary>The keys in these slots are overwritten: everything sealed under them is gone.</summary>
public sealed record ReporterErased(IReadOnlyList<long> Slots) : CaseEvent;

/// <summary>One row of another system, as it stood there; stages that the source has follow in the same record. Occurred at the time of report.</summary>
public sealed record Imported(
    TypeKey Type, DivisionCode Division, SourceCode Source, string System, string ExternalId, Hash256 ContentHash) : CaseEvent
{
    public Instant? DueAt { get; init; }

    public Instant? UpdatedAt { get; init; }

    /// <summary>False for history: no deadline, no escalation.</summary>
    public bool Live { get; init; }

    public EmergencyGrade Grade { get; init; }

    public string? Summary { get; init; }
}

/// <summary>The source brought newer content; what it changes follows in the same record.</summary>
public sealed record ImportRenewed(Hash256 ContentHash, Instant? DueAt, Instant? UpdatedAt) : CaseEvent;

/// <summary>回访: the reporter was asked. That a case is closed and that it is solved are two facts.</summary>
public sealed record CalledBack(bool Solved, bool? Satisfied) : CaseEvent;

/// <summary>The calendar changed, and the deadline of a case that still runs with it; of an overdue case its next step, of a suspended one what the clock still has to run.</summary>
public sealed record DeadlineMoved(Instant Deadline, Instant? NextStepAt, long? RemainingMilliseconds) : CaseEvent;

/// <summary>An event where it stands: position, time of recording and who.</summary>
public readonly record struct Stamp(Lsn Lsn, Instant RecordedAt, string Actor);

/// <summary>An event of a case as read from the journal. <see cref="PreviousLsn"/> is that of the case's event before, zero for the first one: history is walked along it.</summary>
public sealed record CaseEntry(CaseEvent Event, Stamp Stamp, Lsn PreviousLsn);
