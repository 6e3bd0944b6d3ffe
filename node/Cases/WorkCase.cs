using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Node.Escalations;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>
/// A case command in the sequencer: finds the state, lets the pure machine decide, and makes one record of the events, of the escalations they
/// raise and of a local type that they need.
/// </summary>
internal sealed class WorkCase(CaseDesk desk, CaseCommand command) : Command<CaseAnswer>
{
    public override IReadOnlyCollection<Touched> Touches
    {
        get
        {
            var wanted = Touched.By("case", command.Case.Value);
            if (!IsCreation || command.Request is not { } request)
            {
                return [wanted];
            }

            var key = Touched.By("request", request.KeyHash);
            return desk.Book.Keys.Find(request.KeyHash) is { } use && use.Case != command.Case ? [wanted, key, Touched.By("case", use.Case.Value)] : [wanted, key];
        }
    }

    private bool IsCreation => command is ReportCase or ImportCase;

    public override Decision<CaseAnswer> Decide(Instant now)
    {
        if (IsCreation && command.Request is { } request && desk.Book.Keys.Find(request.KeyHash) is { } use)
        {
            return Known(use, request, now);
        }

        // The id of a new case was minted a moment ago; asking the view store for it would hold the writer up for each.
        return Decide(command, IsCreation ? desk.Book.Open.GetValueOrDefault(command.Case) : desk.StateOf(command.Case), now);
    }

    /// <summary>The key was used before: the same content gets the same answer, a row with newer content corrects its case.</summary>
    private Decision<CaseAnswer> Known(KeyUse use, RequestMark request, Instant now)
    {
        if (command is ImportCase import)
        {
            // What is personal was sealed for the case that the caller saw, and for no other.
            return import.Seen == use
                ? Decide(import, desk.StateOf(use.Case), now)
                : Decision<CaseAnswer>.Nothing(new CaseAnswer { IsOutrun = true });
        }

        if (use.Content != request.Content)
        {
            return Refused(new Refusal(CaseRefusals.RequestKeyReused, "This request key was used for other content: a new request needs a new key.", "request_key"));
        }

        var state = desk.StateOf(use.Case);
        return Decision<CaseAnswer>.Nothing(new CaseAnswer { State = state, Version = state?.Version ?? 0, Lsn = state?.LastLsn ?? Lsn.Zero, Repeated = true });
    }

    private Decision<CaseAnswer> Decide(CaseCommand wanted, CaseState? state, Instant now)
    {
        var outcome = CaseDecisions.Decide(state, wanted, now, desk.Rules);
        return outcome switch
        {
            CaseOutcome.Refused refused => Refused(refused.Refusal),
            CaseOutcome.Repeated repeated => Decision<CaseAnswer>.Nothing(
                new CaseAnswer { State = state, Version = repeated.Version, Lsn = repeated.Lsn, Repeated = true }),
            CaseOutcome.Unchanged unchanged => Decision<CaseAnswer>.Nothing(
                new CaseAnswer { State = state, Version = unchanged.Version, Lsn = state?.LastLsn ?? Lsn.Zero, Unchanged = true }),
            CaseOutcome.Decided when wanted is not (PassTime or ReckonAgain or EraseReporter) && desk.Held?.Invoke(now) is { } held => Refused(held),
            CaseOutcome.Decided decided => Record(state, desk.Escalate(state, decided, now)),
            _ => throw new InvalidOperationException($"An unknown outcome {outcome.GetType().Name}."),
        };
    }

    private Decision<CaseAnswer> Record(CaseState? before, EscalatedDecision decided)
    {
        var drafts = new List<EventDraft>(CaseEventCodec.Encode(decided.Events, before?.LastLsn ?? Lsn.Zero));
        drafts.AddRange(decided.Messages.Select(EscalationFold.RaisedEvent));
        desk.Note(before, decided);
        return Decision<CaseAnswer>.Of(
            new RecordDraft(Actor, drafts),
            range => new CaseAnswer
            {
                State = decided.After,
                Version = decided.After.Version,
                Lsn = new Lsn(range.First.Value + decided.AnswerIndex),
                Created = before is null,
            });
    }

    private static Decision<CaseAnswer> Refused(Refusal refusal) => Decision<CaseAnswer>.Nothing(new CaseAnswer { Refusal = refusal });
}

/// <summary>Adds a type that an import brought and nobody knew, below <c>other</c>. A type that is known answers at once.</summary>
internal sealed class AddLocalType(CaseDesk desk, Protocol.Names.TypeCode code, string name) : Command<bool>
{
    public override IReadOnlyCollection<Touched> Touches => [Touched.By("type", code.ToString())];

    public override Decision<bool> Decide(Instant now)
    {
        if (desk.Rules.Catalogue.Knows(code))
        {
            return Decision<bool>.Nothing(false);
        }

        var added = new StoredLocalTypeAdded { Catalogue = desk.Rules.InForce(desk.Rules.DayOf(now)).Version.ToString(), Code = code.ToString(), Name = name };
        return Decision<bool>.Of(new RecordDraft(Actor, [new EventDraft(CaseEventKinds.LocalTypeAdded, CaseEventKinds.Schema, added.ToByteArray())]), _ => true);
    }
}
