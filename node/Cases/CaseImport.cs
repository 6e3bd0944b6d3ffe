using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>
/// One row of another system, one record: the case as it stands there. Stages that the source does not have are not made up. A later row with
/// newer content becomes corrections, until the place works the case by itself.
/// </summary>
internal static class CaseImport
{
    public static CaseOutcome First(Draft draft, ImportCase row)
    {
        if (Fault(draft, row) is { } fault)
        {
            return fault;
        }

        var reportedAt = CaseDecisions.WholeMilliseconds(row.ReportedAt);
        var imported = new Imported(
            TypeOf(draft, row), SharedNames.Division(DivisionOf(draft, row).ToString()), SharedNames.Source(row.Source.ToString()), SharedNames.Word(row.System), row.ExternalId, row.ContentHash)
        {
            DueAt = Whole(row.DueAt),
            UpdatedAt = Whole(row.UpdatedAt),
            Live = row.Live,
            Sealed = row.Sealed,
        };
        draft.Add(imported, reportedAt);
        End(draft, row);
        return draft.Done();
    }

    public static CaseOutcome Again(Draft draft, ImportCase row)
    {
        var state = draft.State;
        if (state.Import is not { } known || known.System != row.System || known.ExternalId != row.ExternalId)
        {
            return draft.Refuse(CaseRefusals.CaseExists, "The case with this id does not come from that row.");
        }

        if (known.ContentHash == row.ContentHash && row.Restores)
        {
            draft.Add(new ImportRenewed(known.ContentHash, known.DueAt, known.UpdatedAt) { Sealed = row.Sealed }, draft.Now);
            return draft.Done();
        }

        if (known.ContentHash == row.ContentHash && !row.PersonalChanged)
        {
            return new CaseOutcome.Unchanged(state.Version);
        }

        if (Fault(draft, row) is { } fault)
        {
            return fault;
        }

        if (!(Whole(row.UpdatedAt) is { } updated && (known.UpdatedAt is not { } before || updated > before)))
        {
            return draft.Refuse(
                CaseRefusals.ImportNotNewer, "The row has other content than before and nothing says that it is newer: bring it with the time at which the source last changed it, or correct the case here.");
        }

        if (known.WorkedHere)
        {
            return draft.Refuse(CaseRefusals.ImportWorkedHere, "The case has been worked here since it came in: the source no longer decides about it. Change it here.");
        }

        Renew(draft, row);
        return draft.Done();
    }

    private static void Renew(Draft draft, ImportCase row)
    {
        if (draft.State.Import!.Live)
        {
            CaseClock.Elapse(draft, EndOf(row) ?? draft.Now);
        }

        draft.Add(new ImportRenewed(row.ContentHash, Whole(row.DueAt), Whole(row.UpdatedAt)) { Sealed = row.Sealed }, draft.Now);
        if (CaseClock.WasInTime(draft.State, EndOf(row) ?? draft.Now))
        {
            CaseClock.WithdrawDeadline(draft, draft.Now);
        }

        var state = draft.State;
        var wanted = row.ClosedAt is not null ? CaseStage.Closed : row.VoidedAt is not null ? CaseStage.Voided : CaseStage.Reported;
        var endsOtherwise = !state.IsOpen && state.Stage != wanted;
        if (endsOtherwise)
        {
            var reopened = EndOf(row) is { } end ? Instant.Min(end, state.End!.At) : state.End!.At;
            AddChange(draft, new Reopened(), reopened);
        }

        Correct(draft, row);
        if (draft.State.IsOpen)
        {
            End(draft, row);
        }
    }

    /// <summary>What was always otherwise: type, division, time of report, time of the end.</summary>
    private static void Correct(Draft draft, ImportCase row)
    {
        var state = draft.State;
        var change = CaseSteps.CorrectionOf(draft, row.Type, DivisionOf(draft, row)) ?? new Corrected();
        var reportedAt = CaseDecisions.WholeMilliseconds(row.ReportedAt);
        var endedAt = EndOf(row);
        var timesDiffer = reportedAt != state.ReportedAt;
        if (timesDiffer)
        {
            change = change with { Reported = new CorrectedTime(reportedAt, draft.Rules.DayOf(reportedAt)) };
        }

        if (!state.IsOpen && endedAt is { } end)
        {
            var inTime = state.Stage == CaseStage.Closed ? InTime(row) : null;
            timesDiffer |= end != state.End!.At || inTime != state.End.InTime;
            if (timesDiffer)
            {
                var elapsed = state.Stage == CaseStage.Closed ? Moment.Seconds(reportedAt, end) : 0;
                change = change with { Ended = new CorrectedTime(end, draft.Rules.DayOf(end)), InTime = inTime, ElapsedSeconds = elapsed };
            }
        }

        if (timesDiffer || change.Type is not null || change.Division is not null)
        {
            AddChange(draft, change, draft.Now);
        }
    }

    private static void End(Draft draft, ImportCase row)
    {
        if (Whole(row.ClosedAt) is { } closed)
        {
            AddChange(draft, CaseSteps.ClosedAt(draft, closed, InTime(row)), closed);
        }
        else if (Whole(row.VoidedAt) is { } voided)
        {
            AddChange(draft, new Voided(), voided);
        }
    }

    private static void AddChange(Draft draft, CaseEvent change, Instant at) => draft.Add(change with { Reason = Reasons.SourceUpdate }, at);

    private static CaseOutcome? Fault(Draft draft, ImportCase row)
    {
        var reportedAt = CaseDecisions.WholeMilliseconds(row.ReportedAt);
        return CaseDecisions.TimeFault(draft, reportedAt)
            ?? (EndOf(row) is { } end ? CaseDecisions.TimeFault(draft, end) : null)
            ?? CaseDecisions.TypeFault(draft, row.Type, reportedAt)
            ?? CaseDecisions.DivisionFault(draft, row.Division)
            ?? CaseBeginning.SourceFault(draft, row.Source)
            ?? (row.ClosedAt is not null && row.VoidedAt is not null ? Inconsistent(draft, "is both closed and void") : null)
            ?? (EndOf(row) < reportedAt ? Inconsistent(draft, "ends before it was reported") : null)
            ?? (row.System.Length is 0 or > TextLimits.System || row.ExternalId.Length is 0 or > TextLimits.ExternalId
                ? Inconsistent(draft, $"needs a system of 1 to {TextLimits.System} and an id of 1 to {TextLimits.ExternalId} characters")
                : null);
    }

    private static CaseOutcome Inconsistent(Draft draft, string what) => draft.Refuse(CaseRefusals.ImportInconsistent, $"The row {what}.");

    private static TypeKey TypeOf(Draft draft, ImportCase row) => draft.CatalogueOf(CaseDecisions.WholeMilliseconds(row.ReportedAt)).KeyOf(SharedNames.Type(row.Type.ToString()));

    private static DivisionCode DivisionOf(Draft draft, ImportCase row) => row.Division ?? draft.Rules.Nowhere;

    private static Instant? EndOf(ImportCase row) => Whole(row.ClosedAt ?? row.VoidedAt);

    /// <summary>In time where the source has a due time and a closing not after it; null where it has none.</summary>
    private static bool? InTime(ImportCase row) => Whole(row.DueAt) is { } due ? Whole(row.ClosedAt) <= due : null;

    private static Instant? Whole(Instant? at) => at is { } some ? CaseDecisions.WholeMilliseconds(some) : null;
}
