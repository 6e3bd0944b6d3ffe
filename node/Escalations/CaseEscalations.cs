using System.Text;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Node.Escalations;

/// <summary>How many cases of a type were reported in a division from one statistical day to another, both in, before the decision under way.</summary>
public delegate long ReportedCount(TypeKey type, DivisionCode division, StatDay from, StatDay to);

/// <summary>
/// A decision with what it escalates: the case events to append (the escalations' own behind the others), the case after them, and the
/// messages to append in the same record, so that an escalation stands or falls with its cause.
/// </summary>
public sealed record EscalatedDecision(IReadOnlyList<CaseEvent> Events, CaseState After, IReadOnlyList<Escalation> Messages)
{
    /// <summary>Which event's position is the answer to the caller: the last one that is no escalation.</summary>
    public int AnswerIndex => Events.Count - Messages.Count - 1;
}

/// <summary>
/// What of a decision cannot wait, and which escalations change with it. Pure. A rule raises one escalation a case; whenever the case changes
/// in what an escalation says of it, the next version follows. Nothing personal can get into a message: the only free text in it is the
/// summary that a person released.
/// </summary>
public static class CaseEscalations
{
    /// <param name="before">The case before the decision; null where it begins with it.</param>
    /// <param name="decided">What was decided.</param>
    /// <param name="rules">The rules of the place.</param>
    /// <param name="days">For the statistical days: the rules that the decision was made under.</param>
    /// <param name="origin">This node.</param>
    /// <param name="now">The time of recording.</param>
    /// <param name="reported">Look-up in the cells of this node.</param>
    public static EscalatedDecision Of(
        CaseState? before, CaseOutcome.Decided decided, EscalationRules rules, CaseRules days, NodeId origin, Instant now, ReportedCount reported)
    {
        var changed = Changed(before, decided.After);
        var marks = new List<Escalated>();
        if (changed)
        {
            marks.AddRange(decided.After.Escalations.Select(mark => new Escalated(mark.Id, mark.Version + 1, mark.Rule, mark.Grade, mark.Tier, StateOf(decided.After), mark.RaisedAt)));
        }

        // What another system knew before it came here is history, not news.
        if (decided.After.Import is null or { Live: true } || !decided.Events.Any(e => e is Imported or ImportRenewed))
        {
            Raise(decided, rules, reported, marks);
        }

        if (marks.Count == 0)
        {
            return new EscalatedDecision(decided.Events, decided.After, []);
        }

        return With(decided, marks, days, origin, CaseDecisions.WholeMilliseconds(now));
    }

    private static EscalatedDecision With(CaseOutcome.Decided decided, List<Escalated> marks, CaseRules days, NodeId origin, Instant now)
    {
        var events = decided.Events.ToList();
        var state = decided.After;
        var messages = new List<Escalation>(marks.Count);
        foreach (var mark in marks)
        {
            var placed = mark with { Case = state.Id, OccurredAt = now, Day = days.DayOf(now) };
            events.Add(placed);
            messages.Add(MessageOf(placed, decided.After, origin));
            state = CaseState.Apply(state, placed, new Stamp(state.LastLsn.Next, now, string.Empty));
        }

        return new EscalatedDecision(events, state, messages);
    }

    private static void Raise(CaseOutcome.Decided decided, EscalationRules rules, ReportedCount reported, List<Escalated> marks)
    {
        // Each report comes through here: lists behind an interface are counted through, for walking one makes an object.
        var after = decided.After;
        for (var number = 0; number < rules.Rules.Count; number++)
        {
            var rule = rules.Rules[number];
            if (IsRaised(after, rule))
            {
                continue;
            }

            for (var i = 0; i < decided.Events.Count; i++)
            {
                var happened = decided.Events[i];
                if (Applies(rule, happened, after, reported))
                {
                    marks.Add(new Escalated(IdOf(after.Id, rule.Name), 1, rule.Name, after.Grade, TierOf(rule, after.Grade), StateOf(after), happened.OccurredAt));
                    break;
                }
            }
        }
    }

    private static bool IsRaised(CaseState state, EscalationRule rule)
    {
        for (var i = 0; i < state.Escalations.Count; i++)
        {
            if (state.Escalations[i].Rule == rule.Name)
            {
                return true;
            }
        }

        return false;
    }

    private static bool Applies(EscalationRule rule, CaseEvent happened, CaseState after, ReportedCount reported) => rule.Trigger switch
    {
        EscalationTrigger.Grade => happened is Reported or Imported && after.Grade != EmergencyGrade.Unspecified,
        EscalationTrigger.Urgency => happened is Filed { Limit.IsUrgent: true },
        EscalationTrigger.OverdueMultiple => happened is OverdueReached step && step.Multiple >= rule.Multiple,
        EscalationTrigger.Repeat => happened is Reported or Imported && IsRepeated(rule, happened, after, reported),
        _ => throw new InvalidOperationException($"{rule.Trigger} is no trigger."),
    };

    /// <summary>True for the case that makes the count a multiple of what the rule asks for: every further case would only say the same.</summary>
    private static bool IsRepeated(EscalationRule rule, CaseEvent happened, CaseState after, ReportedCount reported) =>
        (reported(after.Type, after.Division, happened.Day.Plus(1 - rule.WindowDays), happened.Day) + 1) % rule.Count == 0;

    /// <summary>True where something changed that an escalation's message says.</summary>
    private static bool Changed(CaseState? before, CaseState after) =>
        before is not null
        && (before.Stage != after.Stage || before.IsSuspended != after.IsSuspended || before.Type != after.Type || before.Division != after.Division
            || before.Deadline != after.Deadline);

    private static EscalationTier TierOf(EscalationRule rule, EmergencyGrade grade)
    {
        var demanded = EscalationRules.TierOf(grade);
        return rule.ToParent && demanded < EscalationTier.Province ? EscalationTier.Province : demanded;
    }

    private static EscalationState StateOf(CaseState state) => state.Stage switch
    {
        CaseStage.Handled or CaseStage.Checked => EscalationState.Handled,
        CaseStage.Closed => EscalationState.Closed,
        CaseStage.Voided => EscalationState.Withdrawn,
        _ => EscalationState.Open,
    };

    /// <summary>The same rule makes the same id of a case for ever, whatever the random numbers of a run.</summary>
    private static UInt128 IdOf(CaseId id, string rule)
    {
        Span<byte> named = [.. id.ToBytes(), .. Encoding.UTF8.GetBytes(rule)];
        return Hash256.Of(named).High;
    }

    private static Escalation MessageOf(Escalated mark, CaseState state, NodeId origin) => new()
    {
        Id = StoredForm.Bytes(mark.Id),
        Version = mark.Version,
        Origin = origin.ToString(),
        Grade = mark.Grade,
        Rule = mark.Rule,
        Catalogue = state.Type.Version.ToString(),
        TypeKind = (int)state.Type.Kind,
        TypeCode = state.Type.Code.ToString(),
        Division = state.Division.ToString(),
        Stage = state.IsSuspended ? "suspended" : state.Stage.Word(),
        OccurredAt = mark.RaisedAt.ToUnixTimeSeconds(),
        Deadline = state.Deadline?.ToUnixTimeSeconds() ?? 0,
        State = mark.State,
        Summary = state.Summary ?? string.Empty,
        Subject = UnsafeByteOperations.UnsafeWrap(state.Id.ToBytes()),
    };
}
