using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>
/// The case machine: whether a command is allowed, and what it makes happen. Pure: state, command, time and rules are all it knows. What time
/// alone made due comes first, in the same record, at its own times.
/// </summary>
public static class CaseDecisions
{
    /// <summary>The longest summary: what an escalation's message has room for.</summary>
    public const int SummaryLengthMax = 500;

    private static readonly Instant Earliest = Instant.FromUtc(1900, 1, 1, 0, 0);
    private static readonly Instant Latest = Instant.FromUtc(8900, 1, 1, 0, 0);

    /// <param name="state">The case; null where there is none with this id.</param>
    /// <param name="command">What is wanted.</param>
    /// <param name="now">The node's clock; it becomes the time of recording.</param>
    /// <param name="rules">Catalogue, calendar, register and limits of the place.</param>
    public static CaseOutcome Decide(CaseState? state, CaseCommand command, Instant now, CaseRules rules)
    {
        var draft = new Draft(state, command, WholeMilliseconds(now), rules);
        if (command.Request is { } request && request.Key.Length is 0 or > RequestMark.KeyLengthMax)
        {
            return draft.Refuse(CaseRefusals.RequestKeyBad, $"A request key has 1 to {RequestMark.KeyLengthMax} characters: send a new random one with each new request.");
        }

        if (state is null)
        {
            return command switch
            {
                ReportCase report => CaseBeginning.Report(draft, report),
                ImportCase import => CaseImport.First(draft, import),
                _ => draft.Refuse(CaseRefusals.CaseUnknown, "There is no case with this id here."),
            };
        }

        return Answered(draft, state) ?? command switch
        {
            ReportCase => draft.Refuse(CaseRefusals.CaseExists, "There is a case with this id already: a new report needs a new id."),
            ImportCase import => CaseImport.Again(draft, import),
            PassTime => Pass(draft),
            ReckonAgain => CaseClock.ReckonAgain(draft) ? draft.Done() : new CaseOutcome.Unchanged(state.Version),
            _ => Step(draft),
        };
    }

    /// <summary>What an earlier answer or the state of the case says before the command itself is looked at; null: go on.</summary>
    private static CaseOutcome? Answered(Draft draft, CaseState state)
    {
        var command = draft.Command;
        // The request of an imported row names the row: it comes again with newer content, and the content itself says what is new.
        if (command is not ImportCase && command.Request is { } request && state.FindRequest(request.KeyHash) is { } kept)
        {
            return kept.Content == request.Content
                ? new CaseOutcome.Repeated(kept.Version, kept.Lsn)
                : draft.Refuse(CaseRefusals.RequestKeyReused, "This request key was used for other content: a new request needs a new key.", "request_key");
        }

        if (command.ExpectedVersion is { } expected && expected != state.Version)
        {
            return draft.Refuse(CaseRefusals.VersionConflict, $"The case is at version {state.Version}, not {expected}: read it again and decide anew.");
        }

        return state.Version >= draft.Rules.StepsMax && command is not (PassTime or ReckonAgain or EraseReporter or VoidCase)
            ? draft.Refuse(CaseRefusals.TooManySteps, $"The case has had {state.Version} steps, the most is {draft.Rules.StepsMax}: report a new case that refers to it.")
            : null;
    }

    private static CaseOutcome Pass(Draft draft)
    {
        CaseClock.Elapse(draft, draft.Now);
        return draft.HasEvents ? draft.Done() : new CaseOutcome.Unchanged(draft.State.Version);
    }

    private static CaseOutcome Step(Draft draft) =>
        ReasonFault(draft) ?? WhenItHappened(draft) ?? CaseSteps.Take(draft) ?? draft.Done();

    internal static CaseOutcome? ReasonFault(Draft draft)
    {
        var codes = Reasons.Of(draft.Command);
        if (codes.Count == 0)
        {
            return draft.Command.Reason is null ? null : draft.Refuse(CaseRefusals.ReasonUnknown, "This step has no reasons: leave the reason out.");
        }

        return draft.Command.Reason is not { Length: > 0 } reason
            ? draft.Refuse(CaseRefusals.ReasonMissing, $"This step needs a reason, one of: {string.Join(", ", codes)}.")
            : codes.Contains(reason) ? null
            : draft.Refuse(CaseRefusals.ReasonUnknown, $"'{Shown(reason)}' is no reason for this step; the reasons are: {string.Join(", ", codes)}.");
    }

    /// <summary>Sets when it happened and lets what was due by then happen first; or the refusal.</summary>
    private static CaseOutcome? WhenItHappened(Draft draft)
    {
        var state = draft.State;
        if (draft.Command.OccurredAt is not { } told)
        {
            // A device whose clock runs ahead must not lock out the next one.
            draft.OccurredAt = Instant.Max(draft.Now, state.StepAt);
        }
        else
        {
            draft.OccurredAt = WholeMilliseconds(told);
            if (TimeFault(draft, draft.OccurredAt) is { } fault)
            {
                return fault;
            }

            if (draft.OccurredAt < state.ReportedAt)
            {
                return draft.Refuse(CaseRefusals.OccurredBeforeReport, $"It happened at {draft.OccurredAt}, before the report at {state.ReportedAt}.");
            }

            if (draft.OccurredAt < state.StepAt)
            {
                return draft.Refuse(CaseRefusals.OccurredBeforeStep, $"It happened at {draft.OccurredAt}, before the last step at {state.StepAt}.");
            }
        }

        CaseClock.Elapse(draft, draft.OccurredAt);
        return null;
    }

    /// <summary>The refusal of a time that no clock can have meant, or that lies ahead; null: fine.</summary>
    internal static CaseOutcome? TimeFault(Draft draft, Instant at) =>
        at < Earliest || at > Latest ? draft.Refuse(CaseRefusals.TimeBad, $"{at} is no time that a case can have.")
        : at > draft.Now + draft.Rules.SkewMax
            ? draft.Refuse(CaseRefusals.OccurredInFuture, $"{at} is more than {draft.Rules.SkewMax.TotalMinutes} minutes ahead of this node's clock ({draft.Now}).")
            : null;

    internal static CaseOutcome? SummaryFault(Draft draft, string? summary) =>
        summary?.Length > SummaryLengthMax
            ? draft.Refuse(CaseRefusals.SummaryTooLong, $"A summary has at most {SummaryLengthMax} characters, this one {summary.Length}.")
            : null;

    /// <summary>The type, if a case may have it; or the refusal.</summary>
    internal static CaseOutcome? TypeFault(Draft draft, Protocol.Names.TypeCode code, Instant reportedAt) =>
        draft.CatalogueOf(reportedAt) is var catalogue && !code.IsNone && catalogue.Find(code) is not null ? null
            : draft.Refuse(CaseRefusals.TypeUnknown, $"'{(code.IsNone ? "" : code)}' is no type of the catalogue {catalogue.Version}.");

    internal static CaseOutcome? DivisionFault(Draft draft, DivisionCode? division) =>
        division is not { } code || (!code.IsNone && (draft.Rules.Keeps(code, draft.Now) || draft.Rules.Keeps(code, draft.OccurredAt))) ? null
            : draft.Refuse(CaseRefusals.DivisionUnknown, $"'{(code.IsNone ? "" : code)}' is no division at or below {draft.Rules.Place} in the register.");

    internal static Instant WholeMilliseconds(Instant at) => Instant.FromUnixTimeMilliseconds(at.ToUnixTimeMilliseconds());

    /// <summary>As much of a client's text as belongs into a message.</summary>
    private static string Shown(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
