using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Tally;

/// <summary>
/// What each event adds to which counter on which day: the table of protocol/README.md in code. Flows count on the day of the event; cohorts on
/// the day the case was reported. Whatever ends a stretch of work (rework, reopening) takes the cohort's part of it back and leaves the flows.
/// </summary>
internal static class Counting
{
    /// <summary>The most that one event counts: correcting the times of a closed case takes back and adds 12.</summary>
    public const int ContributionsMax = 32;

    /// <summary>The contributions of an event to a case in the state before it (null: none yet), written into <paramref name="room"/>.</summary>
    public static ReadOnlySpan<Contribution> Of(CaseState? before, CaseEvent happened, Span<Contribution> room)
    {
        var sheet = new Sheet(room);
        if (before is null)
        {
            sheet.Count(0, Counter.Reported, happened.Day, 1);
        }
        else
        {
            Count(ref sheet, before, happened);
        }

        return sheet.Lines;
    }

    private static void Count(ref Sheet sheet, CaseState s, CaseEvent happened)
    {
        var day = happened.Day;
        var here = s.Segment;
        switch (happened)
        {
            case Filed:
                sheet.Count(here, Counter.Filed, day, 1);
                break;
            case Dispatched:
                sheet.Count(here, Counter.Dispatched, day, 1);
                break;
            case HandlingFinished e:
                Handled(ref sheet, s, e);
                break;
            case PreClosingChecked:
                sheet.Count(here, Counter.Checked, day, 1);
                break;
            case Closed e:
                Closing(ref sheet, here, s.ReportedDay, new EndState(e.OccurredAt, day, e.InTime, e.ElapsedSeconds), 1);
                sheet.CountIf(s.Filing is { InOverdueStock: true }, here, Counter.OverdueHandled, day, 1);
                break;
            case Voided:
                Voiding(ref sheet, here, s.ReportedDay, day, 1);
                sheet.CountIf(s.Filing is { InOverdueStock: true }, here, Counter.OverdueWithdrawn, day, 1);
                break;
            case Returned:
                sheet.Count(here, Counter.Returned, day, 1);
                break;
            case Reworked:
                sheet.Count(here, Counter.Reworked, day, 1);
                HandledNoMore(ref sheet, s, day);
                break;
            case Extended:
                sheet.Count(here, Counter.Extended, day, 1);
                break;
            case Suspended:
                sheet.Count(here, Counter.Suspended, day, 1);
                break;
            case Resumed:
                sheet.Count(here, Counter.Resumed, day, 1);
                break;
            case Reopened:
                sheet.Count(here, Counter.Reopened, day, 1);
                Ending(ref sheet, s, s.End!, s.ReportedDay, -1, flows: false);
                HandledNoMore(ref sheet, s, day);
                break;
            case Corrected e when e.Reported is not null || e.Ended is not null:
                CorrectTimes(ref sheet, s, e);
                break;
            case Moved:
                Move(ref sheet, s, day);
                break;
            case DeadlinePassed:
                sheet.Count(here, Counter.BecameOverdue, day, 1);
                break;
            case DeadlineWithdrawn:
                // One that was handled or ended since is out of the stock already.
                sheet.CountIf(s.Filing is { InOverdueStock: true }, here, Counter.OverdueWithdrawn, day, 1);
                break;
            case CalledBack e:
                sheet.Count(here, Counter.CalledBack, day, 1);
                sheet.CountIf(e.Solved, here, Counter.Solved, day, 1);
                sheet.CountIf(e.Satisfied == true, here, Counter.Satisfied, day, 1);
                break;
            case Escalated { Version: 1 }:
                sheet.Count(here, Counter.Escalated, day, 1);
                break;
            default:
                break;
        }
    }

    private static void Handled(ref Sheet sheet, CaseState s, HandlingFinished e)
    {
        sheet.Count(s.Segment, Counter.Handled, e.Day, 1);
        sheet.CountIf(e.InTime == true, s.Segment, Counter.HandledInTime, e.Day, 1);
        sheet.CountIf(e.InTime != true && s.Filing is { InOverdueStock: true }, s.Segment, Counter.OverdueHandled, e.Day, 1);
        CohortHandled(ref sheet, s.Segment, s.ReportedDay, e.ElapsedSeconds, 1);
    }

    private static void HandledNoMore(ref Sheet sheet, CaseState s, StatDay day)
    {
        if (s.Filing is not { } filing)
        {
            return;
        }

        if (filing.HandledAt is not null)
        {
            CohortHandled(ref sheet, filing.HandledSegment, s.ReportedDay, filing.HandledSeconds, -1);
        }

        sheet.CountIf(filing is { OverdueAt: not null, InOverdueStock: false }, s.Segment, Counter.OverdueAgain, day, 1);
    }

    private static void CohortHandled(ref Sheet sheet, byte segment, StatDay reported, long seconds, int sign)
    {
        sheet.Count(segment, Counter.CohortHandled, reported, sign);
        sheet.Count(segment, Counter.CohortHandledSeconds, reported, sign * seconds);
        sheet.Lasted(segment, Histogram.FileToHandle, reported, seconds, sign);
    }

    private static void Ending(ref Sheet sheet, CaseState s, EndState end, StatDay reported, int sign, bool flows = true)
    {
        if (s.Stage == CaseStage.Closed)
        {
            Closing(ref sheet, s.Segment, reported, end, sign, flows);
        }
        else
        {
            Voiding(ref sheet, s.Segment, reported, end.Day, sign, flows);
        }
    }

    private static void Closing(ref Sheet sheet, byte segment, StatDay reported, EndState end, int sign, bool flows = true)
    {
        if (flows)
        {
            sheet.Count(segment, Counter.Closed, end.Day, sign);
            sheet.CountIf(end.InTime == true, segment, Counter.ClosedInTime, end.Day, sign);
            sheet.CountIf(end.InTime == false, segment, Counter.ClosedLate, end.Day, sign);
            sheet.Count(segment, Counter.ClosedSeconds, end.Day, sign * end.ElapsedSeconds);
            sheet.Lasted(segment, Histogram.ReportToCloseFlow, end.Day, end.ElapsedSeconds, sign);
        }

        sheet.Count(segment, Counter.CohortClosed, reported, sign);
        sheet.CountIf(end.InTime == true, segment, Counter.CohortClosedInTime, reported, sign);
        sheet.Count(segment, Counter.CohortClosedSeconds, reported, sign * end.ElapsedSeconds);
        sheet.Lasted(segment, Histogram.ReportToClose, reported, end.ElapsedSeconds, sign);
    }

    private static void Voiding(ref Sheet sheet, byte segment, StatDay reported, StatDay day, int sign, bool flows = true)
    {
        sheet.CountIf(flows, segment, Counter.Voided, day, sign);
        sheet.Count(segment, Counter.CohortVoided, reported, sign);
    }

    /// <summary>It was always reported, or ended, at another time: what stands is taken back and added as it should have been.</summary>
    private static void CorrectTimes(ref Sheet sheet, CaseState s, Corrected e)
    {
        var reported = e.Reported?.Day ?? s.ReportedDay;
        sheet.Count(0, Counter.Reported, s.ReportedDay, -1);
        sheet.Count(0, Counter.Reported, reported, 1);
        if (s.Filing is { HandledAt: not null } filing)
        {
            CohortHandled(ref sheet, filing.HandledSegment, s.ReportedDay, filing.HandledSeconds, -1);
            CohortHandled(ref sheet, filing.HandledSegment, reported, filing.HandledSeconds, 1);
        }

        if (s.End is { } end)
        {
            Ending(ref sheet, s, end, s.ReportedDay, -1);
            Ending(ref sheet, s, CaseFold.EndAfter(s, e)!, reported, 1);
        }
    }

    private static void Move(ref Sheet sheet, CaseState s, StatDay day)
    {
        var there = checked((byte)(s.Segment + 1));
        sheet.Count(s.Segment, Counter.MovedOut, day, 1);
        sheet.Count(there, Counter.MovedIn, day, 1);
        if (s.Filing is { InOverdueStock: true } filing)
        {
            // A move told later than it happened may lie before the day that the case became overdue: it cannot leave the stock before it entered it.
            var overdue = day > filing.OverdueDay ? day : filing.OverdueDay;
            sheet.Count(s.Segment, Counter.OverdueMovedOut, overdue, 1);
            sheet.Count(there, Counter.OverdueMovedIn, overdue, 1);
        }
    }

    /// <summary>Lines written into room that the caller has; zeros are left out.</summary>
    private ref struct Sheet(Span<Contribution> room)
    {
        private readonly Span<Contribution> _room = room;
        private int _used;

        public readonly ReadOnlySpan<Contribution> Lines => _room[.._used];

        public void Count(byte segment, Counter counter, StatDay day, long by)
        {
            if (by != 0)
            {
                _room[_used++] = Contribution.Count(segment, counter, day, by);
            }
        }

        public void CountIf(bool applies, byte segment, Counter counter, StatDay day, long by)
        {
            if (applies)
            {
                Count(segment, counter, day, by);
            }
        }

        public void Lasted(byte segment, Histogram histogram, StatDay day, long seconds, int times) =>
            _room[_used++] = Contribution.Lasted(segment, histogram, day, seconds, times);
    }
}
