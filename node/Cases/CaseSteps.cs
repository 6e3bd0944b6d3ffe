using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>The steps that people take with a case that exists. Each adds its event, or says why not.</summary>
internal static class CaseSteps
{
    /// <summary>The longest name of a unit.</summary>
    private const int UnitLengthMax = 64;

    /// <summary>Adds the events of the step to the draft; the refusal where it is not allowed, null where it is.</summary>
    public static CaseOutcome? Take(Draft draft) => draft.Command switch
    {
        CheckBeforeFiling c => Needs(draft, CaseStage.Reported) ?? Added(draft, new PreFilingChecked(c.Passed)),
        FileCase c => Needs(draft, CaseStage.Verified) ?? File(draft, c),
        DispatchCase c => Needs(draft, CaseStage.Filed) ?? Dispatch(draft, c),
        FinishHandling => Needs(draft, CaseStage.Dispatched) ?? Finish(draft),
        CheckBeforeClosing c => Needs(draft, CaseStage.Handled) ?? Added(draft, new PreClosingChecked(c.Passed)),
        CloseCase => Needs(draft, CaseStage.Checked) ?? Close(draft),
        VoidCase => NeedsOpen(draft) ?? Void(draft),
        ReturnCase => Needs(draft, CaseStage.Dispatched) ?? Added(draft, new Returned(draft.State.Filing!.Unit ?? string.Empty)),
        ReworkCase => Needs(draft, CaseStage.Handled, CaseStage.Checked) ?? Added(draft, new Reworked()),
        ExtendCase => Needs(draft, CaseStage.Filed, CaseStage.Dispatched) ?? Extend(draft),
        SuspendCase c => Needs(draft, CaseStage.Filed, CaseStage.Dispatched) ?? Suspend(draft, c),
        ResumeCase => Resume(draft),
        ReopenCase => Needs(draft, CaseStage.Closed) ?? Added(draft, new Reopened()),
        CallBack c => Needs(draft, CaseStage.Closed) ?? Added(draft, new CalledBack(c.Solved, c.Satisfied)),
        CorrectCase c => Correct(draft, c),
        MoveCase c => NeedsOpen(draft) ?? Move(draft, c),
        EraseReporter => Erase(draft),
        _ => throw new InvalidOperationException($"{draft.Command.GetType().Name} is no step of a case."),
    };

    private static CaseOutcome? Added(Draft draft, CaseEvent happened)
    {
        draft.Add(happened);
        return null;
    }

    private static CaseOutcome? Needs(Draft draft, CaseStage stage, CaseStage or = default)
    {
        var state = draft.State;
        if (state.Stage != stage && state.Stage != or)
        {
            var wanted = or == default ? stage.Word() : $"{stage.Word()} or {or.Word()}";
            return draft.Refuse(CaseRefusals.IllegalStep, $"The case is {state.Stage.Word()}; this step needs one that is {wanted}.");
        }

        return state.IsSuspended
            ? draft.Refuse(CaseRefusals.CaseSuspended, $"The case is suspended until {state.Filing!.SuspendedUntil}: resume it first.")
            : null;
    }

    private static CaseOutcome? NeedsOpen(Draft draft) =>
        draft.State.IsOpen ? null : draft.Refuse(CaseRefusals.IllegalStep, $"The case is {draft.State.Stage.Word()}; this step needs an open one.");

    private static CaseOutcome? File(Draft draft, FileCase c)
    {
        var state = draft.State;
        if (draft.Rules.Catalogue.Find(state.Type) is not { } type)
        {
            return draft.Refuse(CaseRefusals.TypeUnknown, $"The catalogue here does not have {state.Type}: correct the type first.");
        }

        if (type.Row(c.Row) is not { } row)
        {
            return draft.Refuse(CaseRefusals.RowUnknown, $"{type.Key.Code} has rows 1 to {type.Rows.Count}, not {c.Row}.");
        }

        // A live import that was taken to miss another system's due time has a limit of its own from now on.
        CaseClock.WithdrawDeadline(draft, draft.OccurredAt);
        var deadline = draft.Rules.Calendar.Deadline(draft.OccurredAt, row.Limit);
        return Added(draft, new Filed(type.Key, row.Number, row.Limit, row.IsDefault, deadline, Moment.Seconds(state.ReportedAt, draft.OccurredAt)));
    }

    private static CaseOutcome? Dispatch(Draft draft, DispatchCase c) =>
        string.IsNullOrWhiteSpace(c.Unit) || c.Unit.Length > UnitLengthMax
            ? draft.Refuse(CaseRefusals.UnitBad, $"A case is dispatched to a unit, a name of 1 to {UnitLengthMax} characters.")
            : Added(draft, new Dispatched(c.Unit));

    private static CaseOutcome? Finish(Draft draft)
    {
        var filing = draft.State.Filing!;
        var at = draft.OccurredAt;
        var filedAt = filing.FiledAt!.Value;
        var worked = draft.Rules.Calendar.WorkingTimeBetween(filedAt, at) - filing.SuspendedWorkedSeconds;
        var wasInTime = CaseClock.WasInTime(draft.State, at);
        draft.Add(new HandlingFinished(at <= filing.Deadline, Moment.Seconds(filedAt, at), Math.Max(0, worked)));
        if (wasInTime)
        {
            CaseClock.WithdrawDeadline(draft, at);
        }

        return null;
    }

    private static CaseOutcome? Close(Draft draft)
    {
        var state = draft.State;
        return state.Filing!.Handlers.Contains(draft.Command.Actor)
            ? draft.Refuse(CaseRefusals.HandlerMayNotClose, "Who handled a case does not close it: another person must.")
            : Added(draft, ClosedAt(draft, draft.OccurredAt, state.Filing.HandledInTime));
    }

    internal static Closed ClosedAt(Draft draft, Instant at, bool? inTime) =>
        new(inTime, Moment.Seconds(draft.State.ReportedAt, at), draft.Rules.Calendar.WorkingTimeBetween(draft.State.ReportedAt, at));

    private static CaseOutcome? Void(Draft draft)
    {
        if (CaseClock.WasInTime(draft.State, draft.OccurredAt))
        {
            CaseClock.WithdrawDeadline(draft, draft.OccurredAt);
        }

        return Added(draft, new Voided());
    }

    private static CaseOutcome? Extend(Draft draft)
    {
        var filing = draft.State.Filing!;
        if (filing.Extensions >= draft.Rules.ExtensionsMax)
        {
            return draft.Refuse(CaseRefusals.ExtensionsUsedUp, $"The case was extended {filing.Extensions} times, the most is {draft.Rules.ExtensionsMax}.");
        }

        return draft.State.IsOverdue
            ? draft.Refuse(CaseRefusals.Overdue, $"The deadline {filing.Deadline} has passed: an overdue case is not extended.")
            : Added(draft, new Extended(draft.Rules.Calendar.Deadline(filing.Deadline!.Value, filing.Limit)));
    }

    private static CaseOutcome? Suspend(Draft draft, SuspendCase c)
    {
        var filing = draft.State.Filing!;
        var rules = draft.Rules;
        var until = CaseDecisions.WholeMilliseconds(c.Until);
        if (filing.Suspensions >= rules.SuspensionsMax)
        {
            return draft.Refuse(CaseRefusals.SuspensionsUsedUp, $"The case was suspended {filing.Suspensions} times, the most is {rules.SuspensionsMax}.");
        }

        if (until <= draft.OccurredAt)
        {
            return draft.Refuse(CaseRefusals.SuspensionTooShort, $"The suspension would end at {until}, before it begins at {draft.OccurredAt}.");
        }

        var zone = rules.Calendar.Zone;
        if (until > draft.OccurredAt.InZone(zone).LocalDateTime.PlusYears(rules.SuspensionYearsMax).InZoneLeniently(zone).ToInstant())
        {
            return draft.Refuse(CaseRefusals.SuspensionTooLong, $"A suspension lasts at most {rules.SuspensionYearsMax} year: until {until} is longer.");
        }

        if (CaseClock.WasInTime(draft.State, draft.OccurredAt))
        {
            CaseClock.WithdrawDeadline(draft, draft.OccurredAt);
        }

        return Added(draft, new Suspended(until, CaseClock.Remaining(draft, draft.OccurredAt)));
    }

    private static CaseOutcome? Resume(Draft draft) =>
        NeedsOpen(draft)
        ?? (draft.State.IsSuspended
            ? Added(draft, CaseClock.Resume(draft, draft.OccurredAt, byItself: false))
            : draft.Refuse(CaseRefusals.NotSuspended, "The case is not suspended."));

    private static CaseOutcome? Correct(Draft draft, CorrectCase c)
    {
        if (((c.Type is { } code ? CaseDecisions.TypeFault(draft, code, draft.State.ReportedAt) : null) ?? CaseDecisions.DivisionFault(draft, c.Division)) is { } fault)
        {
            return fault;
        }

        if (CorrectionOf(draft, c.Type, c.Division) is not { } correction)
        {
            return draft.Refuse(CaseRefusals.NothingChanges, "The case has this type and division already.");
        }

        if (correction.Type is { } type && draft.State.ClockRunsOrStands)
        {
            if (draft.Rules.Catalogue.Find(type)!.Row(c.Row) is not { } row)
            {
                return draft.Refuse(CaseRefusals.RowUnknown, $"{type.Code} has rows 1 to {draft.Rules.Catalogue.Find(type)!.Rows.Count}, not {c.Row}.");
            }

            correction = correction with { Limit = CaseClock.Under(draft, row) };
        }

        draft.Add(correction);
        if (CaseClock.WasInTime(draft.State, draft.State.Filing?.SuspendedAt ?? draft.OccurredAt))
        {
            CaseClock.WithdrawDeadline(draft, draft.OccurredAt);
        }

        return null;
    }

    /// <summary>What of a type and division is new; null where nothing is.</summary>
    internal static Corrected? CorrectionOf(Draft draft, Protocol.Names.TypeCode? code, Protocol.Names.DivisionCode? division)
    {
        var state = draft.State;
        var type = code is { } some ? draft.CatalogueOf(state.ReportedAt).KeyOf(some) : state.Type;
        var to = division ?? state.Division;
        return type == state.Type && to == state.Division
            ? null
            : new Corrected { Type = type == state.Type ? null : type, Division = to == state.Division ? null : to };
    }

    private static CaseOutcome? Move(Draft draft, MoveCase c)
    {
        if (((c.Type is { } code ? CaseDecisions.TypeFault(draft, code, draft.State.ReportedAt) : null) ?? CaseDecisions.DivisionFault(draft, c.Division)) is { } fault)
        {
            return fault;
        }

        if (CorrectionOf(draft, c.Type, c.Division) is not { } change)
        {
            return draft.Refuse(CaseRefusals.NothingChanges, "The case has this type and division already.");
        }

        return draft.State.EarlierSpots.Count >= draft.Rules.MovesMax
            ? draft.Refuse(CaseRefusals.TooManySteps, $"The case was moved {draft.Rules.MovesMax} times, which is the most.")
            : Added(draft, new Moved(change.Type ?? draft.State.Type, change.Division ?? draft.State.Division));
    }

    private static CaseOutcome? Erase(Draft draft) =>
        draft.State.Slots.Count == 0
            ? draft.Refuse(CaseRefusals.NothingToErase, "Nothing personal of this case is kept here.")
            : Added(draft, new ReporterErased(draft.State.Slots));
}
