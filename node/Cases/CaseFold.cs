using CityGrid.Node.Tally;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>How each event changes a case. A function of state and event alone: whatever needed a calendar or a catalogue stands in the event.</summary>
internal static class CaseFold
{
    /// <param name="before">The case before the event; null for one that begins it.</param>
    /// <param name="happened">The event.</param>
    /// <param name="stamp">Where and when it was recorded.</param>
    /// <param name="counted">What it counts (<see cref="Counting.Of"/>).</param>
    public static CaseState Apply(CaseState? before, CaseEvent happened, in Stamp stamp, ReadOnlySpan<Contribution> counted)
    {
        if (before is null)
        {
            return Begin(happened, stamp, counted);
        }

        if (before.Id != happened.Case)
        {
            throw new InvalidOperationException($"An event of case {happened.Case} cannot change case {before.Id}.");
        }

        var after = Change(before, happened, stamp.Actor);
        var version = happened is Escalated ? before.Version : before.Version + 1;
        return after with
        {
            Version = version,
            LastLsn = stamp.Lsn,
            Contributions = before.Contributions.With(counted),
            Slots = SlotsAfter(before.Slots, happened),
            Requests = happened.Request is { } request && happened is not ImportRenewed
                ? [.. before.Requests, new KeptRequest(request.KeyHash, request.Content, version, stamp.Lsn)]
                : before.Requests,
            StepAt = IsStep(happened) ? happened.OccurredAt : after.StepAt,
            Import = after.Import is { WorkedHere: false } import && IsOwnWork(happened) ? import with { WorkedHere = true } : after.Import,
        };
    }

    private static CaseState Begin(CaseEvent happened, in Stamp stamp, ReadOnlySpan<Contribution> counted)
    {
        var (type, division, source, grade, summary) = happened switch
        {
            Reported e => (e.Type, e.Division, e.Source, e.Grade, e.Summary),
            Imported e => (e.Type, e.Division, e.Source, e.Grade, e.Summary),
            _ => throw new InvalidOperationException($"The history of case {happened.Case} starts with {happened.GetType().Name}, not with a report or an import."),
        };
        return new CaseState
        {
            Id = happened.Case,
            Type = type,
            Division = division,
            Source = source,
            Stage = CaseStage.Reported,
            Version = 1,
            LastLsn = stamp.Lsn,
            ReportedAt = happened.OccurredAt,
            ReportedDay = happened.Day,
            StepAt = happened.OccurredAt,
            Grade = grade,
            Summary = summary,
            Slots = WithSlot([], happened.Sealed),
            Contributions = counted.ToArray(),
            Import = happened is Imported i ? new ImportState(i.System, i.ExternalId, i.ContentHash, i.DueAt, i.UpdatedAt, i.Live, WorkedHere: false) : null,
            Filing = happened is Imported { Live: true, DueAt: { } due } ? new FilingState { Deadline = due, ClockSince = happened.OccurredAt } : null,
        };
    }

    private static CaseState Change(CaseState s, CaseEvent happened, string actor) => happened switch
    {
        PreFilingChecked e => e.Passed ? s with { Stage = CaseStage.Verified } : s,
        Filed e => s with { Stage = CaseStage.Filed, Filing = FilingOf(s.Filing, e) },
        Dispatched e => s with { Stage = CaseStage.Dispatched, Filing = s.Filing! with { Unit = e.Unit } },
        HandlingFinished e => s with { Stage = CaseStage.Handled, Filing = Handle(s, e, actor) },
        PreClosingChecked e => e.Passed ? s with { Stage = CaseStage.Checked } : s,
        Closed e => Ended(s, CaseStage.Closed, new EndState(e.OccurredAt, e.Day, e.InTime, e.ElapsedSeconds)),
        Voided e => Ended(s, CaseStage.Voided, new EndState(e.OccurredAt, e.Day, null, 0)),
        Returned => s with { Stage = CaseStage.Filed, Filing = s.Filing! with { Unit = null } },
        Reworked e => s with { Stage = CaseStage.Dispatched, Filing = RunAgain(s.Filing!, e.OccurredAt) },
        Extended e => s with { Filing = s.Filing! with { Deadline = e.Deadline, Extensions = s.Filing.Extensions + 1 } },
        Suspended e => s with { Filing = Stand(s.Filing!, e) },
        Resumed e => s with { Filing = GoOn(s.Filing!, e) },
        Reopened e => s with
        {
            Stage = s.Filing?.FiledAt is null ? CaseStage.Reported : CaseStage.Filed,
            End = null,
            Filing = s.Filing is null ? null : RunAgain(s.Filing, e.OccurredAt),
        },
        Corrected e => Correct(s, e),
        Moved e => s with { EarlierSpots = [.. s.EarlierSpots, new Spot(s.Type, s.Division)], Type = e.Type, Division = e.Division },
        DeadlinePassed e => s with
        {
            Filing = s.Filing! with { OverdueAt = e.OccurredAt, OverdueDay = e.Day, InOverdueStock = true, NextStepAt = e.NextStepAt, OverdueMultiple = 0 },
        },
        DeadlineWithdrawn => s with
        {
            Filing = s.Filing! with { OverdueAt = null, OverdueDay = default, InOverdueStock = false, NextStepAt = null, OverdueMultiple = 0 },
        },
        DeadlineMoved e => s with
        {
            Filing = s.Filing! with { Deadline = e.Deadline, NextStepAt = e.NextStepAt, RemainingMilliseconds = e.RemainingMilliseconds },
        },
        OverdueReached e => s with { Filing = s.Filing! with { OverdueMultiple = e.Multiple, NextStepAt = e.NextStepAt } },
        Escalated e => s with { Escalations = WithMark(s.Escalations, e) },
        ReporterErased or CalledBack => s,
        ImportRenewed e => Renew(s, e),
        Reported or Imported => throw new InvalidOperationException($"Case {s.Id} begins twice."),
        _ => throw new InvalidOperationException($"{happened.GetType().Name} is no event of a case."),
    };

    private static FilingState FilingOf(FilingState? earlier, Filed e) => (earlier ?? new FilingState()) with
    {
        FiledAt = e.OccurredAt,
        Row = e.Row,
        Limit = e.Limit,
        LimitIsDefault = e.LimitIsDefault,
        Deadline = e.Deadline,
        ClockSince = e.OccurredAt,
    };

    private static FilingState Handle(CaseState s, HandlingFinished e, string actor) => s.Filing! with
    {
        HandledAt = e.OccurredAt,
        HandledInTime = e.InTime,
        HandledSeconds = e.ElapsedSeconds,
        HandledSegment = s.Segment,
        Handlers = s.Filing.Handlers.Contains(actor) ? s.Filing.Handlers : [.. s.Filing.Handlers, actor],
        // One that was in time after all is taken out of the stock by the DeadlineWithdrawn that follows.
        InOverdueStock = s.Filing.InOverdueStock && e.InTime == true,
    };

    /// <summary>An overdue case that comes back to its handler is overdue and unhandled again; its clock is the original one.</summary>
    private static FilingState RunAgain(FilingState f, Instant since) =>
        f with { HandledAt = null, HandledInTime = null, HandledSeconds = 0, ClockSince = since, InOverdueStock = f.OverdueAt is not null };

    private static FilingState Stand(FilingState f, Suspended e) => f with
    {
        Suspensions = f.Suspensions + 1,
        SuspendedAt = e.OccurredAt,
        SuspendedUntil = e.Until,
        RemainingMilliseconds = e.RemainingMilliseconds,
    };

    private static FilingState GoOn(FilingState f, Resumed e) => f with
    {
        SuspendedAt = null,
        SuspendedUntil = null,
        RemainingMilliseconds = null,
        SuspendedSeconds = f.SuspendedSeconds + Moment.Seconds(f.SuspendedAt!.Value, e.OccurredAt),
        SuspendedWorkedSeconds = f.SuspendedWorkedSeconds + e.SuspendedWorkedSeconds,
        Deadline = e.Deadline ?? f.Deadline,
        NextStepAt = e.NextStepAt ?? f.NextStepAt,
    };

    private static CaseState Ended(CaseState s, CaseStage stage, EndState end) => s with
    {
        Stage = stage,
        End = end,
        Filing = s.Filing is null ? null : s.Filing with { InOverdueStock = false, SuspendedAt = null, SuspendedUntil = null, RemainingMilliseconds = null },
    };

    private static CaseState Correct(CaseState s, Corrected e)
    {
        var filing = s.Filing;
        if (e.Limit is { } limit)
        {
            filing = filing! with
            {
                Row = limit.Row,
                Limit = limit.Limit,
                LimitIsDefault = limit.IsDefault,
                Deadline = limit.Deadline,
                NextStepAt = limit.NextStepAt,
                RemainingMilliseconds = limit.RemainingMilliseconds,
            };
        }

        return s with
        {
            Type = e.Type ?? s.Type,
            Division = e.Division ?? s.Division,
            EarlierSpots = s.EarlierSpots.Count == 0 ? s.EarlierSpots : [.. s.EarlierSpots.Select(spot => new Spot(e.Type ?? spot.Type, e.Division ?? spot.Division))],
            ReportedAt = e.Reported?.At ?? s.ReportedAt,
            ReportedDay = e.Reported?.Day ?? s.ReportedDay,
            End = EndAfter(s, e),
            Filing = filing,
        };
    }

    /// <summary>The end of a case after a correction of times; both times decide how long it took.</summary>
    internal static EndState? EndAfter(CaseState s, Corrected e)
    {
        if (s.End is null || (e.Reported is null && e.Ended is null))
        {
            return s.End;
        }

        return s.End with { At = e.Ended?.At ?? s.End.At, Day = e.Ended?.Day ?? s.End.Day, InTime = e.InTime, ElapsedSeconds = e.ElapsedSeconds };
    }

    private static CaseState Renew(CaseState s, ImportRenewed e) => s with
    {
        Import = s.Import! with { ContentHash = e.ContentHash, DueAt = e.DueAt, UpdatedAt = e.UpdatedAt },
        Filing = s.Import.Live && e.DueAt is not null && s.Filing?.FiledAt is null
            ? (s.Filing ?? new FilingState { ClockSince = s.ReportedAt }) with { Deadline = e.DueAt }
            : s.Filing,
    };

    private static EscalationMark[] WithMark(IReadOnlyList<EscalationMark> marks, Escalated e)
    {
        var mark = new EscalationMark(e.Id, e.Version, e.Rule, e.Grade, e.Tier, e.State, e.RaisedAt);
        return [.. marks.Where(m => m.Id != e.Id), mark];
    }

    private static IReadOnlyList<long> SlotsAfter(IReadOnlyList<long> slots, CaseEvent happened)
    {
        if (happened is not ReporterErased erased)
        {
            return WithSlot(slots, happened.Sealed);
        }

        long[] left = [.. slots.Except(erased.Slots)];
        return happened.Sealed is { } part && !erased.Slots.Contains(part.Slot) ? WithSlot(left, part) : left;
    }

    private static IReadOnlyList<long> WithSlot(IReadOnlyList<long> slots, SealedPart? part) =>
        part is null || slots.Contains(part.Slot) ? slots : slots.Count == 0 ? [part.Slot] : [.. slots, part.Slot];

    /// <summary>True for what people do to the case; the next step may not happen before it.</summary>
    private static bool IsStep(CaseEvent happened) => happened
        is not (Corrected or DeadlinePassed or DeadlineWithdrawn or DeadlineMoved or OverdueReached or Escalated or ReporterErased or ImportRenewed);

    private static bool IsOwnWork(CaseEvent happened) =>
        happened.Reason != Reasons.SourceUpdate
        && happened is PreFilingChecked or Filed or Dispatched or HandlingFinished or Voided or Reopened or Corrected or Moved;
}
