using CityGrid.Protocol.Names;

namespace CityGrid.Node.Cases;

/// <summary>What came of a command: one of the four below. A refusal and a repetition change nothing.</summary>
public abstract record CaseOutcome
{
    private CaseOutcome()
    {
    }

    /// <summary>
    /// These events, in one record. <see cref="After"/> is the case as it will be (positions in it are those that follow the last known one;
    /// the fold of what was appended has the true ones). The answer to the caller is <c>After.Version</c> and the position of the last of these
    /// events, which carries the request.
    /// </summary>
    public sealed record Decided(IReadOnlyList<CaseEvent> Events, CaseState After) : CaseOutcome;

    /// <summary>The request was answered before: with this version, at this position.</summary>
    public sealed record Repeated(int Version, Lsn Lsn) : CaseOutcome;

    /// <summary>There is nothing to do: an import brought what is here, or no time is due.</summary>
    public sealed record Unchanged(int Version) : CaseOutcome;

    public sealed record Refused(Refusal Refusal) : CaseOutcome;
}

/// <summary>Why a command is refused. Codes are part of the contract and never reused.</summary>
public static class CaseRefusals
{
    public const string CaseUnknown = "CASE_UNKNOWN";
    public const string CaseExists = "CASE_EXISTS";
    public const string IllegalStep = "ILLEGAL_STEP";
    public const string CaseSuspended = "CASE_SUSPENDED";
    public const string NotSuspended = "NOT_SUSPENDED";
    public const string SuspensionsUsedUp = "SUSPENSIONS_USED_UP";
    public const string SuspensionTooLong = "SUSPENSION_TOO_LONG";
    public const string SuspensionTooShort = "SUSPENSION_TOO_SHORT";
    public const string ExtensionsUsedUp = "EXTENSIONS_USED_UP";
    public const string Overdue = "OVERDUE";
    public const string HandlerMayNotClose = "HANDLER_MAY_NOT_CLOSE";
    public const string ReasonMissing = "REASON_MISSING";
    public const string ReasonUnknown = "REASON_UNKNOWN";
    public const string OccurredInFuture = "OCCURRED_IN_FUTURE";
    public const string OccurredBeforeReport = "OCCURRED_BEFORE_REPORT";
    public const string OccurredBeforeStep = "OCCURRED_BEFORE_STEP";
    public const string RequestKeyReused = "REQUEST_KEY_REUSED";
    public const string RequestKeyBad = "REQUEST_KEY_BAD";
    public const string VersionConflict = "VERSION_CONFLICT";
    public const string TypeUnknown = "TYPE_UNKNOWN";
    public const string RowUnknown = "ROW_UNKNOWN";
    public const string DivisionUnknown = "DIVISION_UNKNOWN";
    public const string SourceBad = "SOURCE_BAD";
    public const string NothingChanges = "NOTHING_CHANGES";
    public const string UnitBad = "UNIT_BAD";
    public const string SummaryTooLong = "SUMMARY_TOO_LONG";
    public const string NothingToErase = "NOTHING_TO_ERASE";
    public const string TooManySteps = "TOO_MANY_STEPS";
    public const string TimeBad = "TIME_BAD";
    public const string ImportInconsistent = "IMPORT_INCONSISTENT";
    public const string ImportNotNewer = "IMPORT_NOT_NEWER";
    public const string ImportWorkedHere = "IMPORT_WORKED_HERE";
    public const string AnchorOverdue = "ANCHOR_OVERDUE";
}
