using System.Security.Cryptography;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Escalations;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>What a write answered: the case as it stands now, or why nothing changed. Positions are durable.</summary>
public sealed record CaseAnswer
{
    public Refusal? Refusal { get; init; }

    public CaseState? State { get; init; }

    public int Version { get; init; }

    public Lsn Lsn { get; init; }

    /// <summary>The request had been answered before; nothing changed now.</summary>
    public bool Repeated { get; init; }

    /// <summary>There was nothing to do.</summary>
    public bool Unchanged { get; init; }

    /// <summary>The case began with this command.</summary>
    public bool Created { get; init; }

    /// <summary>The same row came by another way meanwhile (<see cref="ImportCase.Seen"/>): nothing was decided, and whoever brings it looks again.</summary>
    public bool IsOutrun { get; init; }
}

/// <summary>
/// The door to the cases: every change goes through one sequencer as a command, every look-up by id is exact, however far the view store lags.
/// What is personal is sealed before it comes near the journal, and opened only here.
/// </summary>
public sealed class CaseDesk
{
    /// <summary>The key slot that no case has: it keys the digests of requests.</summary>
    public const long OwnSlot = 1;

    /// <summary>How long a caller is kept at most for a view that lags.</summary>
    private static readonly TimeSpan SlowBy = TimeSpan.FromMilliseconds(50);

    /// <summary>The month asked for last: nearly all cases that come one after the other were minted in the same.</summary>
    private static MonthShelf? _lastShelf;

    private readonly Sequencer _sequencer;
    private readonly Projector _projector;
    private readonly KeyPool _keys;
    private readonly Sealer _sealer;
    private readonly IEntropy _entropy;
    private readonly TimeProvider _clock;
    private readonly CaseRules _rules;
    private readonly EscalationGround _escalation;
    private readonly BeginningsUnderWay _beginnings = new();
    private KnownRules _current;

    public CaseDesk(Sequencer sequencer, CaseBook book, Projector projector, CaseSeals seals, TimeProvider clock, IEntropy entropy, CaseRules rules, EscalationGround escalation)
    {
        (_sequencer, Book, _projector, _clock, _entropy, _rules, _escalation) = (sequencer, book, projector, clock, entropy, rules, escalation);
        (_keys, _sealer) = (seals.Keys, seals.Sealer);
        _current = new KnownRules(-1, -1, rules);
        Span<byte> own = stackalloc byte[KeyPool.KeyBytes];
        if (_keys.Read(OwnSlot, own) != KeyState.Present)
        {
            throw new InvalidOperationException("Key slot 1 is the node's own and is gone: restore the keys folder from a backup.");
        }

        Digest = new ContentDigest(own.ToArray());
    }

    public CaseBook Book { get; }

    public ContentDigest Digest { get; }

    /// <summary>The versions of the catalogue that packages put in force here, in the order in which they came.</summary>
    public IReadOnlyList<CatalogueEdition> Editions { get; init; } = [];

    /// <summary>The rules with the versions that packages brought and the types that imports brought. On the writer, or under the sequencer's lock.</summary>
    public CaseRules Rules
    {
        get
        {
            // Read once: whoever reads under the lock may do so while the writer, which needs no lock to read, puts a newer one there.
            var current = Volatile.Read(ref _current);
            if (current.LocalTypes != Book.LocalTypes.Count || current.Editions != Editions.Count)
            {
                // A type that stands there already changes nothing, so an import that brings many adds each once.
                var shelf = current.Editions == Editions.Count ? current.Rules.Catalogue : Editions.Aggregate(_rules.Catalogue, (shelf, edition) => shelf.With(edition));
                foreach (var (code, name) in Book.LocalTypes)
                {
                    shelf = shelf.WithLocal(code, name);
                }

                current = new KnownRules(Book.LocalTypes.Count, Editions.Count, _rules with { Catalogue = shelf });
                Volatile.Write(ref _current, current);
            }

            return current.Rules;
        }
    }

    /// <summary>The rules, and of how many local types and versions they were made.</summary>
    private sealed record KnownRules(int LocalTypes, int Editions, CaseRules Rules);

    /// <summary>True while the view lags so far that whoever brings new cases should wait a little.</summary>
    public bool ShouldSlow => _projector.ShouldSlowIntake;

    /// <summary>
    /// Whoever brought something is kept for a moment while the view lags too far, once what he brought is durable: so callers slow down before anything has to be let
    /// go of.
    /// </summary>
    public Task GiveViewsTimeAsync(CancellationToken stop) => ShouldSlow ? Task.Delay(SlowBy, _clock, stop) : Task.CompletedTask;

    /// <summary>Why nothing new is taken from people for now; null where it is. Asked on the writer. What time does, and the erasing of a person, go on.</summary>
    public Func<Instant, Refusal?>? Held { get; set; }

    /// <summary>Until it is disposed the view may lag behind intake, and lists say so.</summary>
    public IDisposable Bulk() => _projector.Bulk();

    /// <summary>The shelf that a case's document lives in: the month in which its id was minted.</summary>
    public static string ShelfOf(CaseId id)
    {
        var minted = id.MintedAt;
        if (_lastShelf is { } last && minted >= last.From && minted < last.To)
        {
            return last.Name;
        }

        var month = minted.InUtc().Date.With(DateAdjusters.StartOfMonth);
        var named = new MonthShelf($"cases-{month.Year:D4}-{month.Month:D2}", UtcStart(month), month.Year == 9999 && month.Month == 12 ? Instant.MaxValue : UtcStart(month.PlusMonths(1)));
        _lastShelf = named;
        return named.Name;

        static Instant UtcStart(LocalDate day) => day.AtMidnight().InUtc().ToInstant();
    }

    public CaseId Mint()
    {
        Span<byte> random = stackalloc byte[10];
        _entropy.Fill(random);
        return CaseId.Mint(_clock.Now(), random);
    }

    /// <summary>Brings a command to its end; the answer is durable.</summary>
    public Task<CaseAnswer> SubmitAsync(CaseCommand command) => _sequencer.SubmitAsync(new WorkCase(this, command) { Actor = command.Actor });

    /// <summary>The same for a caller that pumps the sequencer by hand.</summary>
    public void Submit(CaseCommand command, Action<CaseAnswer> answered) => _sequencer.Submit(new WorkCase(this, command) { Actor = command.Actor }, answered);

    /// <summary>Lets time do what is due: at most <paramref name="most"/> cases, each as a command of its own. Returns how many it were.</summary>
    public int PassTime(int most)
    {
        var due = _sequencer.Read(() => Book.DueBy(_clock.Now(), most));
        foreach (var id in due)
        {
            Submit(new PassTime { Case = id, Actor = "clock" }, _ => { });
        }

        return due.Count;
    }

    /// <summary>The case as it stands; null where there is none. Open cases come from memory, others from what waits to be projected or the view.</summary>
    public CaseState? Find(CaseId id) => _sequencer.Read(() => StateOf(id));

    /// <summary>As <see cref="Find"/>, for the writer itself.</summary>
    internal CaseState? StateOf(CaseId id)
    {
        if (Book.Open.TryGetValue(id, out var open))
        {
            return open;
        }

        return _projector.Get(ShelfOf(id), id.Value) is { } document ? CaseStateCodec.Read(document.Bytes.Span) : null;
    }

    /// <summary>Seals what is personal of a new case (null: none), under a slot of its own.</summary>
    public SealedPart? Seal(CaseId id, PersonalPart? part)
    {
        if (part is null)
        {
            return null;
        }

        var (slot, box) = _sealer.Seal(part.ToByteArray(), id.ToBytes());
        return new SealedPart(slot, box);
    }

    /// <summary>Seals what is personal of a step, under the case's own slot where it has one that is not erased.</summary>
    public SealedPart? Seal(CaseState state, PersonalPart? part) =>
        part is null || state.Slots.Count == 0 ? Seal(state.Id, part)
        : new SealedPart(state.Slots[0], _sealer.Seal(state.Slots[0], part.ToByteArray(), state.Id.ToBytes()));

    /// <summary>
    /// Seals what is personal of an imported row under a slot of its own, and makes the digest by which the row is known again. It is keyed with that slot's key: what
    /// came in can be compared for as long as it can be opened, and once the person is erased the digest tells nothing. Of a row without a person it is keyed with
    /// the node's own.
    /// </summary>
    public (SealedPart? Part, ulong Digest) SealRow(CaseId id, Hash256 content, PersonalPart? person)
    {
        if (person is null)
        {
            return (null, Digest.Of(content.ToBytes()));
        }

        var row = ContentDigest.RowBytes(content, person);
        var (slot, box, tag) = _sealer.Seal(person.ToByteArray(), id.ToBytes(), row);
        CryptographicOperations.ZeroMemory(row);
        return (new SealedPart(slot, box), tag);
    }

    /// <summary>True where a row that is known comes with the content that it came with last.</summary>
    public bool IsAsBrought(KeyUse use, Hash256 content, PersonalPart? person)
    {
        if (use.Slot == 0 || person is null)
        {
            return use.Slot == 0 && person is null && use.Content == Digest.Of(content.ToBytes());
        }

        var row = ContentDigest.RowBytes(content, person);
        var tag = _sealer.Tag(use.Slot, row);
        CryptographicOperations.ZeroMemory(row);
        return tag == use.Content;
    }

    /// <summary>
    /// How a row's personal part compares with the one that is sealed, for rows that came in while their digest was of the rest alone: they are compared by opening.
    /// </summary>
    public PersonCompared ComparePerson(CaseState state, KeyUse use, Hash256 content, PersonalPart? person)
    {
        if (use.Slot == KeyUse.Erased)
        {
            return PersonCompared.Same;
        }

        if (use.Slot == 0 || use.Content != Digest.Of(content.ToBytes()))
        {
            return PersonCompared.Other;
        }

        var kept = Book.History(state.LastLsn).Last(entry => entry.Event is Imported or ImportRenewed && entry.Event.Sealed is not null).Event.Sealed!;
        return Unseal(state.Id, kept) is not { } opened ? PersonCompared.Lost : opened.Equals(person) ? PersonCompared.Same : PersonCompared.Other;
    }

    /// <summary>What would be decided of a command now; nothing changes.</summary>
    public CaseOutcome Foresee(CaseState? state, CaseCommand command) => CaseDecisions.Decide(state, command, _clock.Now(), _sequencer.Read(() => Rules));

    /// <summary>Opens a sealed part; null where it was erased or does not open.</summary>
    public PersonalPart? Unseal(CaseId id, SealedPart part)
    {
        var opened = _sealer.Unseal(part.Box.Span, id.ToBytes());
        return opened.State == UnsealState.Opened ? PersonalPart.Parser.ParseFrom(opened.Plaintext.Span) : null;
    }

    /// <summary>What of a decision cannot wait goes into the same record. On the writer.</summary>
    internal EscalatedDecision Escalate(CaseState? before, CaseOutcome.Decided decided, Instant now) =>
        CaseEscalations.Of(before, decided, _escalation.Rules, Rules, _escalation.Origin, now, Reported);

    /// <summary>Notes the case that a decision begins, until its batch is in the folds: what is decided next counts it. On the writer, once a record holds it.</summary>
    internal void Note(CaseState? before, EscalatedDecision decided)
    {
        if (before is null)
        {
            _beginnings.Add(_sequencer.Applied, decided.After.Type, decided.After.Division, decided.Events[0].Day);
        }
    }

    /// <summary>Keeps that somebody opened what is personal of a case: in the journal, before it is shown (INV-28).</summary>
    public Task RecordReadingAsync(CaseId id, string actor) => _sequencer.SubmitAsync(new RecordReading(id) { Actor = actor });

    /// <summary>Overwrites the keys whose erasure is in the journal. On the writer, before anybody is answered.</summary>
    internal void EraseKeys()
    {
        if (Book.ToErase.Count > 0)
        {
            var slots = Book.ToErase.ToArray();
            _keys.Erase(slots);
            Book.Erased(slots);
        }
    }

    private sealed record MonthShelf(string Name, Instant From, Instant To);

    /// <summary>In all versions together: a place that is reported again and again is the same place the day after a version came into force.</summary>
    private long Reported(TypeKey type, DivisionCode division, StatDay from, StatDay to)
    {
        long sum = 0;
        foreach (var version in Rules.Catalogue.Versions)
        {
            var key = type with { Version = version.Version };
            sum += _escalation.Reported(key, division, from, to) + _beginnings.Count(_sequencer.Applied, key, division, from, to);
        }

        return sum;
    }
}

/// <summary>That somebody read what is personal of a case.</summary>
internal sealed class RecordReading(CaseId id) : Command<bool>
{
    public override IReadOnlyCollection<Touched> Touches => [];

    public override Decision<bool> Decide(Instant now) => Decision<bool>.Of(
        new RecordDraft(Actor, [new EventDraft(CaseEventKinds.PersonalRead, CaseEventKinds.Schema, new StoredPersonalRead { CaseId = ByteString.CopyFrom(id.ToBytes()) }.ToByteArray())]),
        _ => true);
}

/// <summary>What escalations are decided on: the rules of the place, its name, and how often a type was reported in a division.</summary>
public sealed record EscalationGround(EscalationRules Rules, NodeId Origin, ReportedCount Reported);

/// <summary>A row's personal part beside the one that is kept.</summary>
public enum PersonCompared
{
    /// <summary>It is the same, or the person was erased and is not brought back.</summary>
    Same,

    Other,

    /// <summary>What is kept cannot be opened.</summary>
    Lost,
}

/// <summary>The keys and what seals with them.</summary>
public sealed record CaseSeals(KeyPool Keys, Sealer Sealer);
