using CityGrid.Node.Cases;
using CityGrid.Tests.Tally;
using CsCheck;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>Random lives, allowed steps and others, late and told late: what must hold of every case after every event.</summary>
public sealed class Whatever_is_tried_a_case_stays_sound
{
    private static readonly Gen<RandomLife> Lives =
        from turns in RandomLife.Turns
        from number in Gen.Int[0, 7]
        select RandomLife.Of(number, turns);

    [Test]
    public void After_every_event() =>
        Lives.Sample(
            life =>
            {
                for (var i = 0; i < life.History.Count; i++)
                {
                    var after = CaseState.Apply(life.Befores[i], life.History[i].Event, life.History[i].Stamp);
                    Assert.That(after.Version, Is.EqualTo((life.Befores[i]?.Version ?? 0) + (life.History[i].Event is Escalated ? 0 : 1)));
                    Assert.That(FaultOf(after), Is.Null);
                    Assert.That(FaultOf(life.Befores[i], life.History[i]), Is.Null, life.ToString());
                }
            },
            iter: 700);

    [Test]
    public void A_deadline_passes_once_until_it_is_withdrawn_and_each_step_past_it_once() =>
        Lives.Sample(
            life =>
            {
                var passed = 0;
                var steps = new HashSet<int>();
                foreach (var happened in life.History.Select(h => h.Event))
                {
                    passed += happened is DeadlinePassed ? 1 : happened is DeadlineWithdrawn ? -1 : 0;
                    Assert.That(passed, Is.AnyOf(0, 1));
                    if (happened is DeadlineWithdrawn)
                    {
                        steps.Clear();
                    }

                    Assert.That(happened is not OverdueReached step || (passed == 1 && steps.Add(step.Multiple)), Is.True);
                }

                Assert.That(life.State is null || life.State.IsOverdue == (passed == 1), Is.True);
            },
            iter: 700);

    [Test]
    public void What_is_refused_repeated_or_unchanged_leaves_no_event() =>
        Lives.Sample(
            life => Assert.That(
                life.History.Count(h => h.Event is not Escalated), Is.EqualTo(life.Outcomes.OfType<CaseOutcome.Decided>().Sum(d => d.Events.Count))),
            iter: 500);

    [Test]
    public void Time_that_has_done_its_work_has_nothing_more_to_do() =>
        Lives.Sample(
            life =>
            {
                if (life.State is not { } state)
                {
                    return;
                }

                var far = City.At(2030, 1, 1);
                var outcome = CaseDecisions.Decide(state, new PassTime { Case = state.Id, Actor = "node" }, far, City.Rules);
                var after = outcome is CaseOutcome.Decided decided ? decided.After : state;
                Assert.That(state.NextDueAt is null, Is.EqualTo(outcome is CaseOutcome.Unchanged));
                Assert.That(after.NextDueAt, Is.Null);
            },
            iter: 500);

    [Test]
    public void History_alone_makes_the_case() =>
        Lives.Sample(
            life =>
            {
                var folded = CaseState.Fold(life.History);
                Assert.That(
                    (folded?.Stage, folded?.Version, folded?.Deadline, folded?.Type, folded?.Division, folded?.LastLsn),
                    Is.EqualTo((life.State?.Stage, life.State?.Version, life.State?.Deadline, life.State?.Type, life.State?.Division, life.State?.LastLsn)));
                Assert.That(folded?.Contributions, Is.EqualTo(life.State?.Contributions));
            },
            iter: 500);

    private static string? FaultOf(CaseState s) =>
        s.IsOpen != (s.End is null) ? "an end belongs to what has ended, and to nothing else"
        : s.IsSuspended && s.Stage is not (CaseStage.Filed or CaseStage.Dispatched) ? $"suspended while {s.Stage}"
        : s.Stage is CaseStage.Handled or CaseStage.Checked && s.Filing?.HandledAt is null ? "handled without a time"
        : s.Stage is CaseStage.Filed or CaseStage.Dispatched && s.Filing is not { HandledAt: null, Deadline: not null } ? "filed without a deadline"
        : s.Filing is { Extensions: > 2 } or { Suspensions: > 1 } ? "more time than allowed"
        : s.Filing is { InOverdueStock: true } && (!s.IsOverdue || !s.IsOpen) ? "in the stock of overdue cases without being one"
        : s.NextDueAt is not null && !s.IsOpen ? "time runs against what has ended"
        : null;

    private static string? FaultOf(CaseState? before, CaseEntry entry) => entry.Event switch
    {
        var e when e.Day != City.Rules.DayOf(e.OccurredAt) => "a day that is not that of its time",
        var e when e.OccurredAt > entry.Stamp.RecordedAt + Duration.FromMinutes(5) => "ahead of the clock",
        var e when before is not null && before.Import is null && e.OccurredAt < before.ReportedAt => "before the report",
        Closed when before!.Import is null && before.Filing!.Handlers.Contains(entry.Stamp.Actor) => "closed by who handled it",
        Closed { ElapsedSeconds: < 0 } or Closed { WorkedSeconds: < 0 } or HandlingFinished { ElapsedSeconds: < 0 } or HandlingFinished { WorkedSeconds: < 0 } => "a negative duration",
        HandlingFinished e when e.WorkedSeconds > e.ElapsedSeconds => "more worked than passed",
        Extended when before!.IsOverdue => "extended when overdue",
        Dispatched or HandlingFinished or Returned or Reworked or Extended when before!.IsSuspended => "handled while suspended",
        Voided or Returned or Reworked or Extended or Suspended or Reopened or Corrected or Moved when entry.Event.Reason is null => "without a reason",
        _ => null,
    };
}
