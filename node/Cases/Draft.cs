using CityGrid.Hub.Catalogue;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>A decision under way: the events so far and the case as they leave it.</summary>
internal sealed class Draft(CaseState? state, CaseCommand command, Instant now, CaseRules rules)
{
    private readonly List<CaseEvent> _events = [];

    /// <summary>Null where the command would begin the case: then nobody knows its id.</summary>
    private readonly CaseState? _before = state;

    /// <summary>The case after the events so far. Not to be asked before the case has begun.</summary>
    public CaseState State { get; private set; } = state!;

    public CaseCommand Command { get; } = command;

    public CaseRules Rules { get; } = rules;

    /// <summary>When the decision is made, in whole milliseconds: the time of recording.</summary>
    public Instant Now { get; } = now;

    /// <summary>When what the command says happened.</summary>
    public Instant OccurredAt { get; set; }

    /// <summary>
    /// Where a type is looked up: a case that runs keeps the version of its type (R4), a new one has the version in force on the day of its report. A version
    /// that is not known here any more has a case looked up as a new one.
    /// </summary>
    public TypeCatalogue CatalogueOf(Instant reportedAt) =>
        State is { } state
            ? Rules.Catalogue.Find(state.Type.Version) ?? Rules.InForce(Rules.DayOf(state.ReportedAt))
            : Rules.InForce(Rules.DayOf(reportedAt));

    public bool HasEvents => _events.Count > 0;

    /// <summary>Adds an event of the command itself, at its time and with its reason and sealed part.</summary>
    public void Add(CaseEvent happened)
    {
        (happened.Reason, happened.Sealed) = (Command.Reason, Command.Sealed);
        Add(happened, OccurredAt);
    }

    /// <summary>Adds an event, which nobody else has seen, at a time of its own.</summary>
    public void Add(CaseEvent placed, Instant at)
    {
        (placed.Case, placed.OccurredAt, placed.Day) = (Command.Case, at, Rules.DayOf(at));
        _events.Add(placed);
        State = CaseState.Apply(State, placed, new Stamp(State?.LastLsn.Next ?? Lsn.Zero, Now, Command.Actor));
    }

    /// <summary>The decision, with the request on its last event; that of an imported row stands on the event that brought the row.</summary>
    public CaseOutcome Done()
    {
        if (Command.Request is { } request)
        {
            var at = Command is ImportCase ? _events.FindIndex(e => e is Imported or ImportRenewed) : _events.Count - 1;
            _events[at].Request = request.Digest;
        }

        return new CaseOutcome.Decided(_events, State);
    }

    public CaseOutcome Refuse(string code, string message, string? where = null) =>
        new CaseOutcome.Refused(new Refusal(code, message, where ?? (_before is null ? null : $"case {Command.Case}")));
}
