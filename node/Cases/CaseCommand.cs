using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Cases;

/// <summary>Something that somebody wants done to a case. Whatever is personal was sealed before.</summary>
public abstract record CaseCommand
{
    public required CaseId Case { get; init; }

    /// <summary>Who asks; never the handler's for closing.</summary>
    public required string Actor { get; init; }

    /// <summary>Client-minted: the same key with the same content gets the same answer for ever. Null only for what the node does itself.</summary>
    public RequestMark? Request { get; init; }

    /// <summary>When it happened; null is now. At most 5 minutes ahead of this node's clock, and not before the report or the step before.</summary>
    public Instant? OccurredAt { get; init; }

    /// <summary>Only if the case is at this version.</summary>
    public int? ExpectedVersion { get; init; }

    /// <summary>A code of <see cref="Reasons"/>.</summary>
    public string? Reason { get; init; }

    public SealedPart? Sealed { get; init; }
}

/// <summary>上报. Without a division the case counts where the place counts what it cannot place.</summary>
public sealed record ReportCase(TypeCode Type, DivisionCode? Division, SourceCode Source) : CaseCommand
{
    public EmergencyGrade Grade { get; init; }

    /// <summary>Shown above where the case is escalated: only what a person wrote or released for that.</summary>
    public string? Summary { get; init; }
}

/// <summary>核实.</summary>
public sealed record CheckBeforeFiling(bool Passed) : CaseCommand;

/// <summary>立案 under a row of the case's type; 0 is the default row.</summary>
public sealed record FileCase(int Row = 0) : CaseCommand;

/// <summary>派遣.</summary>
public sealed record DispatchCase(string Unit) : CaseCommand;

/// <summary>处置 finished.</summary>
public sealed record FinishHandling : CaseCommand;

/// <summary>核查.</summary>
public sealed record CheckBeforeClosing(bool Passed) : CaseCommand;

/// <summary>结案, by anyone but those who handled it.</summary>
public sealed record CloseCase : CaseCommand;

/// <summary>作废, with a reason.</summary>
public sealed record VoidCase : CaseCommand;

/// <summary>回退, with a reason.</summary>
public sealed record ReturnCase : CaseCommand;

/// <summary>返工, with a reason.</summary>
public sealed record ReworkCase : CaseCommand;

/// <summary>延期, with a reason.</summary>
public sealed record ExtendCase : CaseCommand;

/// <summary>挂账 until then, with a reason.</summary>
public sealed record SuspendCase(Instant Until) : CaseCommand;

/// <summary>Ends a suspension before its time, with a reason.</summary>
public sealed record ResumeCase : CaseCommand;

/// <summary>Opens a closed case again, with a reason.</summary>
public sealed record ReopenCase : CaseCommand;

/// <summary>回访 of a closed case: whether the reporter finds it solved, and whether he is satisfied (null: not asked or no answer).</summary>
public sealed record CallBack(bool Solved, bool? Satisfied = null) : CaseCommand;

/// <summary>It was always this type or division (null: as it is), with a reason. The row goes with another type; 0 is its default row.</summary>
public sealed record CorrectCase(TypeCode? Type, DivisionCode? Division, int Row = 0) : CaseCommand;

/// <summary>From now on it is this type or division (null: as it is), with a reason.</summary>
public sealed record MoveCase(TypeCode? Type, DivisionCode? Division) : CaseCommand;

/// <summary>Erases everything personal of the case, with a reason. The caller overwrites the slots that the event names.</summary>
public sealed record EraseReporter : CaseCommand;

/// <summary>Lets time do what is due by now: resume, pass deadlines, reach steps. Call it at <see cref="CaseState.NextDueAt"/> or later.</summary>
public sealed record PassTime : CaseCommand;

/// <summary>Reckons the deadline anew after the calendar changed. Only cases that still run have something to decide.</summary>
public sealed record ReckonAgain : CaseCommand;

/// <summary>
/// One row of another system. For a new case it makes <see cref="Imported"/> and the end that the row has; for a known one, nothing where the
/// content is equal, and corrections where it is newer.
/// </summary>
public sealed record ImportCase(TypeCode Type, DivisionCode? Division, SourceCode Source, string System, string ExternalId) : CaseCommand
{
    public required Instant ReportedAt { get; init; }

    /// <summary>Set exactly if the case is closed; not before <see cref="ReportedAt"/>.</summary>
    public Instant? ClosedAt { get; init; }

    /// <summary>Set exactly if the case is void; not before <see cref="ReportedAt"/>.</summary>
    public Instant? VoidedAt { get; init; }

    public Instant? DueAt { get; init; }

    /// <summary>When the source last changed the row.</summary>
    public Instant? UpdatedAt { get; init; }

    /// <summary>SHA-256 of everything that is not personal.</summary>
    public required Hash256 ContentHash { get; init; }

    /// <summary>What the caller found that the row's key was used for; null for a row that was not known. Where it is another by now, nothing is decided.</summary>
    public KeyUse? Seen { get; init; }

    /// <summary>True where the caller found the personal part other than the one that the row brought before.</summary>
    public bool PersonalChanged { get; init; }

    /// <summary>True where what is not personal is as before and the personal part that came with it cannot be opened: the row brings it again, newer or not.</summary>
    public bool Restores { get; init; }

    /// <summary>True for cases that run, not history: the due time is a deadline, and escalation rules apply.</summary>
    public bool Live { get; init; }
}
