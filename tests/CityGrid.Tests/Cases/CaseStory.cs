using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Cases;

/// <summary>One case told in commands, folded from what each decided as the journal would give it back: through its bytes.</summary>
internal sealed class CaseStory(CaseRules? rules = null)
{
    private long _lsn = 100;
    private int _requests;

    public static readonly CaseId Id = CaseId.Mint(City.At(2026, 11, 2, 9), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

    public CaseRules Rules { get; } = rules ?? City.Rules;

    public CaseState? State { get; private set; }

    public List<CaseEntry> History { get; } = [];

    /// <summary>What the last command made happen.</summary>
    public IReadOnlyList<CaseEvent> Last { get; private set; } = [];

    public Instant Now { get; set; } = City.At(2026, 11, 2, 9);

    public CaseStory At(Instant now)
    {
        Now = now;
        return this;
    }

    /// <summary>Decides, and keeps what was decided.</summary>
    public CaseOutcome Try(CaseCommand command)
    {
        var outcome = CaseDecisions.Decide(State, command, Now, Rules);
        Last = [];
        if (outcome is CaseOutcome.Decided decided)
        {
            Keep(decided, command.Actor);
        }

        return outcome;
    }

    /// <summary>Decides and insists that it is allowed.</summary>
    public CaseStory Do(CaseCommand command)
    {
        var outcome = Try(command);
        Assert.That(outcome, Is.InstanceOf<CaseOutcome.Decided>(), (outcome as CaseOutcome.Refused)?.Refusal.ToString());
        return this;
    }

    /// <summary>The code that a command is refused with; the case must be as it was.</summary>
    public string? RefusalOf(CaseCommand command)
    {
        var before = State;
        var outcome = Try(command);
        Assert.That(State, Is.SameAs(before), "a refusal changes nothing");
        return (outcome as CaseOutcome.Refused)?.Refusal.Code;
    }

    /// <summary>The code that a command is refused with; null where it is allowed, and then it is done.</summary>
    public string? RefusalOrNull(CaseCommand command) => (Try(command) as CaseOutcome.Refused)?.Refusal.Code;

    public CaseStory Report(TypeCode? type = null, DivisionCode? division = null, EmergencyGrade grade = default, SealedPart? part = null) =>
        Do(new ReportCase(type ?? City.Cover, division ?? City.North, City.Hotline) { Case = Id, Actor = "desk", Grade = grade, Sealed = part, Request = NewRequest() });

    public CaseStory Verify() => Do(new CheckBeforeFiling(true) { Case = Id, Actor = "inspector", Request = NewRequest() });

    public CaseStory File(int row = 0) => Do(new FileCase(row) { Case = Id, Actor = "shift-head", Request = NewRequest() });

    public CaseStory Dispatch() => Do(new DispatchCase("water-company") { Case = Id, Actor = "dispatcher", Request = NewRequest() });

    public CaseStory Finish(Instant? occurredAt = null) =>
        Do(new FinishHandling { Case = Id, Actor = "crew-7", Request = NewRequest(), OccurredAt = occurredAt });

    public CaseStory Check(bool passed = true) => Do(new CheckBeforeClosing(passed) { Case = Id, Actor = "inspector", Request = NewRequest() });

    public CaseStory Close() => Do(new CloseCase { Case = Id, Actor = "shift-head", Request = NewRequest() });

    public CaseStory Rework() => Do(new ReworkCase { Case = Id, Actor = "shift-head", Reason = "not_done" });

    public CaseStory Reopen() => Do(new ReopenCase { Case = Id, Actor = "desk", Reason = "not_solved" });

    public CaseStory Suspend(Instant until) => Do(new SuspendCase(until) { Case = Id, Actor = "dispatcher", Reason = "season" });

    public CaseOutcome Pass() => Try(new PassTime { Case = Id, Actor = "node" });

    /// <summary>Reported, checked, filed and dispatched at once.</summary>
    public CaseStory Dispatched(int row = 0, TypeCode? type = null) => Report(type).Verify().File(row).Dispatch();

    public RequestMark NewRequest() => new($"request-{++_requests}", 7);

    private void Keep(CaseOutcome.Decided decided, string actor)
    {
        Last = decided.Events;
        var first = _lsn + 1;
        foreach (var draft in CaseEventCodec.Encode(decided.Events, State?.LastLsn ?? Lsn.Zero))
        {
            _lsn++;
            var entry = CaseEventCodec.Decode(new(new Lsn(_lsn), new Lsn(first), new Lsn(first + decided.Events.Count - 1), Now, actor, draft.Kind, draft.Schema, draft.Payload))!;
            Assert.That(entry.PreviousLsn, Is.EqualTo(State?.LastLsn ?? Lsn.Zero));
            History.Add(entry);
            State = CaseState.Apply(State, entry.Event, entry.Stamp);
        }

        Assert.That(State!.Version, Is.EqualTo(decided.After.Version));
        // Something else is recorded between two commands.
        _lsn += 3;
    }
}
