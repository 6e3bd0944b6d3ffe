using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Tally;

/// <summary>
/// One case counted from its whole history. Where each event counts is settled by what was said of it later; cohorts are read off how the case
/// stands at the end.
/// </summary>
internal sealed class CaseRecount
{
    private readonly IReadOnlyList<CaseEntry> _history;
    private readonly Action<Spot, SourceCode, StatDay, Counter, long> _put;
    private readonly Action<Spot, SourceCode, StatDay, Histogram, long> _last;
    private readonly Spot[] _spots;
    private readonly SourceCode _source;
    private readonly StatDay _reportedOn;

    public CaseRecount(
        IReadOnlyList<CaseEntry> history,
        Action<Spot, SourceCode, StatDay, Counter, long> put,
        Action<Spot, SourceCode, StatDay, Histogram, long> last)
    {
        _history = history;
        _put = put;
        _last = last;
        _spots = new Spot[history.Count];
        (_spots[0], _source) = history[0].Event switch
        {
            Reported e => (new Spot(e.Type, e.Division), e.Source),
            Imported e => (new Spot(e.Type, e.Division), e.Source),
            var other => throw new InvalidOperationException($"The history of case {other.Case} starts with {other.GetType().Name}."),
        };
        for (var i = 1; i < history.Count; i++)
        {
            _spots[i] = history[i].Event switch
            {
                Moved e => new Spot(e.Type, e.Division),
                Corrected e => new Spot(e.Type ?? _spots[i - 1].Type, e.Division ?? _spots[i - 1].Division),
                _ => _spots[i - 1],
            };
        }

        _reportedOn = history.Select(h => (h.Event as Corrected)?.Reported?.Day).LastOrDefault(day => day is not null) ?? history[0].Event.Day;
    }

    public void Count()
    {
        Put(0, _reportedOn, Counter.Reported);
        CountSteps();
        CountOverdue();
        for (var i = 0; i < _history.Count; i++)
        {
            if (_history[i].Event is Closed or Voided)
            {
                CountEnd(i);
            }
        }

        CountHandledCohort();
    }

    /// <summary>Where something that counted at this place of the history counts in the end: as the last correction after it has it.</summary>
    private Spot Settled(Spot spot, int at)
    {
        for (var i = at + 1; i < _history.Count; i++)
        {
            if (_history[i].Event is Corrected later)
            {
                spot = new Spot(later.Type ?? spot.Type, later.Division ?? spot.Division);
            }
        }

        return spot;
    }

    private void Put(int at, StatDay day, Counter counter, long by = 1) => _put(Settled(_spots[at], at), _source, day, counter, by);

    private void CountSteps()
    {
        for (var i = 1; i < _history.Count; i++)
        {
            var day = _history[i].Event.Day;
            switch (_history[i].Event)
            {
                case Filed:
                    Put(i, day, Counter.Filed);
                    break;
                case Dispatched:
                    Put(i, day, Counter.Dispatched);
                    break;
                case HandlingFinished e:
                    Put(i, day, Counter.Handled);
                    if (e.InTime == true)
                    {
                        Put(i, day, Counter.HandledInTime);
                    }

                    break;
                case PreClosingChecked:
                    Put(i, day, Counter.Checked);
                    break;
                case Returned:
                    Put(i, day, Counter.Returned);
                    break;
                case Reworked:
                    Put(i, day, Counter.Reworked);
                    break;
                case Extended:
                    Put(i, day, Counter.Extended);
                    break;
                case Suspended:
                    Put(i, day, Counter.Suspended);
                    break;
                case Resumed:
                    Put(i, day, Counter.Resumed);
                    break;
                case Reopened:
                    Put(i, day, Counter.Reopened);
                    break;
                case CalledBack e:
                    Put(i, day, Counter.CalledBack);
                    Put(i, day, Counter.Solved, e.Solved ? 1 : 0);
                    Put(i, day, Counter.Satisfied, e.Satisfied == true ? 1 : 0);
                    break;
                case Escalated { Version: 1 }:
                    Put(i, day, Counter.Escalated);
                    break;
                case Moved:
                    _put(Settled(_spots[i - 1], i), _source, day, Counter.MovedOut, 1);
                    Put(i, day, Counter.MovedIn);
                    break;
                default:
                    break;
            }
        }
    }

    private void CountOverdue()
    {
        StatDay? since = null;
        var waits = false;
        for (var i = 1; i < _history.Count; i++)
        {
            var happened = _history[i].Event;
            switch (happened)
            {
                case DeadlinePassed:
                    Put(i, happened.Day, Counter.BecameOverdue);
                    (since, waits) = (happened.Day, true);
                    break;
                case DeadlineWithdrawn:
                    Put(i, happened.Day, Counter.OverdueWithdrawn, waits ? 1 : 0);
                    (since, waits) = (null, false);
                    break;
                case HandlingFinished { InTime: not true } or Closed when waits:
                    Put(i, happened.Day, Counter.OverdueHandled);
                    waits = false;
                    break;
                case Voided when waits:
                    Put(i, happened.Day, Counter.OverdueWithdrawn);
                    waits = false;
                    break;
                case Reworked or Reopened when since is not null && !waits:
                    Put(i, happened.Day, Counter.OverdueAgain);
                    waits = true;
                    break;
                case Moved when waits:
                    var day = new StatDay(Math.Max(happened.Day.Number, since!.Value.Number));
                    _put(Settled(_spots[i - 1], i), _source, day, Counter.OverdueMovedOut, 1);
                    Put(i, day, Counter.OverdueMovedIn);
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>A closing or voiding: as what was said of it until the case was reopened, if it was.</summary>
    private void CountEnd(int at)
    {
        var isClosing = _history[at].Event is Closed;
        var day = _history[at].Event.Day;
        var (inTime, seconds) = _history[at].Event is Closed closed ? (closed.InTime, closed.ElapsedSeconds) : (null, 0);
        var stands = true;
        for (var i = at + 1; i < _history.Count && stands; i++)
        {
            if (_history[i].Event is Corrected e && (e.Ended is not null || e.Reported is not null))
            {
                day = e.Ended?.Day ?? day;
                (inTime, seconds) = (e.InTime, e.ElapsedSeconds);
            }

            stands = _history[i].Event is not Reopened;
        }

        if (!isClosing)
        {
            Put(at, day, Counter.Voided);
            Put(at, _reportedOn, Counter.CohortVoided, stands ? 1 : 0);
            return;
        }

        var spot = Settled(_spots[at], at);
        Put(at, day, Counter.Closed);
        Put(at, day, Counter.ClosedSeconds, seconds);
        Put(at, day, inTime == true ? Counter.ClosedInTime : Counter.ClosedLate, inTime is null ? 0 : 1);
        _last(spot, _source, day, Histogram.ReportToCloseFlow, seconds);
        if (stands)
        {
            Put(at, _reportedOn, Counter.CohortClosed);
            Put(at, _reportedOn, Counter.CohortClosedInTime, inTime == true ? 1 : 0);
            Put(at, _reportedOn, Counter.CohortClosedSeconds, seconds);
            _last(spot, _source, _reportedOn, Histogram.ReportToClose, seconds);
        }
    }

    private void CountHandledCohort()
    {
        for (var i = _history.Count - 1; i > 0 && _history[i].Event is not (Reworked or Reopened); i--)
        {
            if (_history[i].Event is HandlingFinished e)
            {
                Put(i, _reportedOn, Counter.CohortHandled);
                Put(i, _reportedOn, Counter.CohortHandledSeconds, e.ElapsedSeconds);
                _last(Settled(_spots[i], i), _source, _reportedOn, Histogram.FileToHandle, e.ElapsedSeconds);
                return;
            }
        }
    }
}
