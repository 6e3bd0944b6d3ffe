using CityGrid.Hub.Catalogue;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>
/// The clock of a case: deadlines, what time does by itself, and how suspension and correction shift it. A deadline is the last instant that is
/// in time; it has passed a millisecond later.
/// </summary>
internal static class CaseClock
{
    /// <summary>
    /// Adds what time alone did up to and including an instant, in order and each at its own time: resume, deadline, steps past it. Each is
    /// added once and only once, because the event that it adds is what it looks for.
    /// </summary>
    public static void Elapse(Draft draft, Instant upTo)
    {
        while (draft.State.NextDueAt is { } due && due <= upTo)
        {
            var filing = draft.State.Filing!;
            if (draft.State.IsSuspended)
            {
                draft.Add(Resume(draft, due, byItself: true), due);
            }
            else if (!draft.State.IsOverdue)
            {
                var at = Instant.Max(filing.Deadline!.Value, filing.ClockSince);
                draft.Add(new DeadlinePassed(filing.Deadline.Value, NextStep(draft, 0, filing.Limit, filing.Deadline.Value)), at);
            }
            else
            {
                var at = Instant.Max(filing.NextStepAt!.Value, filing.ClockSince);
                var reached = StepAfter(draft, filing.OverdueMultiple) ?? filing.OverdueMultiple + 1;
                draft.Add(new OverdueReached(reached, NextStep(draft, reached, filing.Limit, filing.Deadline!.Value)), at);
            }
        }
    }

    /// <summary>Withdraws a deadline that was taken to have passed before something that stopped the clock became known; not before the time it was taken to pass.</summary>
    public static void WithdrawDeadline(Draft draft, Instant at)
    {
        if (draft.State.Filing is { OverdueAt: { } overdue })
        {
            draft.Add(new DeadlineWithdrawn(), Instant.Max(at, overdue));
        }
    }

    /// <summary>True where the case is taken to be overdue, yet it was not at this instant.</summary>
    public static bool WasInTime(CaseState state, Instant at) => state is { IsOverdue: true, Deadline: { } deadline } && at <= deadline;

    /// <summary>What the clock still has to run from an instant to the deadline, or to the next step past it; null where nothing is left to come.</summary>
    public static long? Remaining(Draft draft, Instant at)
    {
        var filing = draft.State.Filing!;
        return (draft.State.IsOverdue ? filing.NextStepAt : filing.Deadline) is { } next
            ? draft.Rules.Calendar.Between(at, next, filing.Limit.IsWorkingTime)
            : null;
    }

    public static Resumed Resume(Draft draft, Instant at, bool byItself)
    {
        var filing = draft.State.Filing!;
        var calendar = draft.Rules.Calendar;
        Instant? next = filing.RemainingMilliseconds is { } left ? calendar.After(at, left, filing.Limit.IsWorkingTime) : null;
        var overdue = draft.State.IsOverdue;
        return new Resumed(byItself, overdue ? null : next, overdue ? next : null, calendar.WorkingTimeBetween(filing.SuspendedAt!.Value, at));
    }

    /// <summary>
    /// The deadline of a running case under another limit: the limit from filing, once more for each extension, and what suspensions took of its
    /// own kind of time.
    /// </summary>
    public static NewLimit Under(Draft draft, CatalogueRow row)
    {
        var filing = draft.State.Filing!;
        var calendar = draft.Rules.Calendar;
        var limit = row.Limit;
        var deadline = calendar.Deadline(filing.FiledAt!.Value, limit);
        for (var i = 0; i < filing.Extensions; i++)
        {
            deadline = calendar.Deadline(deadline, limit);
        }

        if (filing.SuspendedWorkedSeconds > 0 || filing.SuspendedSeconds > 0)
        {
            deadline = calendar.After(deadline, (limit.IsWorkingTime ? filing.SuspendedWorkedSeconds : filing.SuspendedSeconds) * 1000, limit.IsWorkingTime);
        }

        var staysOverdue = draft.State.IsOverdue && (filing.SuspendedAt ?? draft.OccurredAt) > deadline;
        var nextStep = staysOverdue ? NextStep(draft, filing.OverdueMultiple, limit, deadline) : null;
        long? remaining = filing.SuspendedAt is not { } since ? null
            : staysOverdue ? nextStep is { } step ? calendar.Between(since, step, limit.IsWorkingTime) : null
            : calendar.Between(since, deadline, limit.IsWorkingTime);
        return new NewLimit(row.Number, limit, row.IsDefault, deadline, nextStep, remaining);
    }

    /// <summary>Adds the deadline that the calendar gives now, if it is another one; one that had passed by the old calendar is withdrawn if it has not by the new.</summary>
    public static bool ReckonAgain(Draft draft)
    {
        draft.OccurredAt = Instant.Max(draft.Now, draft.State.StepAt);
        if (!draft.State.ClockRunsOrStands)
        {
            return false;
        }

        var filing = draft.State.Filing!;
        var reckoned = Under(draft, new CatalogueRow(filing.Row, filing.Limit, filing.LimitIsDefault));
        if (reckoned.Deadline == filing.Deadline)
        {
            return false;
        }

        draft.Add(new DeadlineMoved(reckoned.Deadline, reckoned.NextStepAt, reckoned.RemainingMilliseconds));
        if (WasInTime(draft.State, filing.SuspendedAt ?? draft.OccurredAt))
        {
            WithdrawDeadline(draft, draft.OccurredAt);
        }

        return true;
    }

    /// <summary>When the case will have run the next multiple of its limit past its deadline; null where no step comes after this one.</summary>
    private static Instant? NextStep(Draft draft, int after, Limit limit, Instant deadline) =>
        limit.Count > 0 && StepAfter(draft, after) is { } step
            ? draft.Rules.Calendar.After(deadline, limit.Seconds * 1000 * step, limit.IsWorkingTime)
            : null;

    private static int? StepAfter(Draft draft, int multiple)
    {
        foreach (var step in draft.Rules.OverdueSteps)
        {
            if (step > multiple)
            {
                return step;
            }
        }

        return null;
    }
}
