using CityGrid.Node.Cases;
using CityGrid.Node.Escalations;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Cases;
using CsCheck;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Tally;

/// <summary>One turn of a random life: what to try, with which choice, how many minutes later, and how far back it is said to have happened.</summary>
internal readonly record struct Turn(int What, int Choice, int MinutesLater, int MinutesBack);

/// <summary>
/// The life of one case as chance has it: half the turns take the next step of the loop, the others try anything, allowed or not. Time passes
/// by itself before some turns and not before others, as when the node was down.
/// </summary>
internal sealed class RandomLife
{
    private static readonly TypeCode[] Types = [City.Cover, City.Refuse, City.Nothing, TypeCode.Parse("06001")];
    private static readonly DivisionCode?[] Divisions = [City.North, City.South, City.Place, null];
    private static readonly string[] People = ["desk", "crew-1", "crew-2", "inspector"];

    private readonly CaseId _id;
    private readonly bool _imported;
    private Instant _now = City.At(2026, 1, 5, 8);
    private int _imports;
    private bool _reckoned;
    private long _lsn;

    private static readonly CaseRules WithHolidays = City.Rules with
    {
        Calendar = new Hub.Catalogue.WorkCalendar(City.Zone, holidays: Enumerable.Range(0, 60).Select(d => new LocalDate(2026, 1, 6).PlusDays(d * 3))),
    };

    private RandomLife(int number, bool imported)
    {
        _id = CaseId.Mint(_now, [0, 0, 0, 0, 0, 0, (byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number]);
        _imported = imported;
        _lsn = number * 10_000L;
    }

    public static readonly Gen<Turn[]> Turns =
        from turns in Gen.Select(Gen.Int[0, 33], Gen.Int[0, 1023], Gen.Frequency((5, Gen.Int[0, 200]), (3, Gen.Int[0, 3000]), (1, Gen.Int[0, 60_000])), Gen.Frequency((6, Gen.Const(0)), (2, Gen.Int[0, 3000])))
            .Array[1, 50]
        select turns.Select(t => new Turn(t.Item1, t.Item2, t.Item3, t.Item4)).ToArray();

    public CaseState? State { get; private set; }

    public List<CaseEntry> History { get; } = [];

    /// <summary>The case before each event.</summary>
    public List<CaseState?> Befores { get; } = [];

    public List<CaseOutcome> Outcomes { get; } = [];

    /// <summary>The history, one event a line, for whoever must find out why.</summary>
    public override string ToString() =>
        string.Join('\n', History.Select(h => $"{h.Stamp.Lsn} {h.Event.OccurredAt} {h.Event.Day} {h.Event.GetType().Name} {(h.Event as HandlingFinished)?.InTime} {(h.Event as Corrected)?.Division} {(h.Event as Corrected)?.Type} {(h.Event as Moved)?.Division} {(h.Event as Moved)?.Type}")) + '\n';

    public static RandomLife Of(int number, IEnumerable<Turn> turns)
    {
        var life = new RandomLife(number, imported: number % 4 == 3);
        foreach (var turn in turns)
        {
            life.Take(turn);
        }

        return life;
    }

    private void Take(Turn turn)
    {
        _now = _now.Plus(Duration.FromMinutes(turn.MinutesLater));
        var told = turn.MinutesBack == 0 ? (Instant?)null : _now.Minus(Duration.FromMinutes(turn.MinutesBack));
        var command = CommandOf(turn) with { OccurredAt = told };
        if (turn.Choice % 3 == 0 && State is not null)
        {
            Decide(new PassTime { Case = _id, Actor = "node" });
        }

        Decide(command);
    }

    private void Decide(CaseCommand command)
    {
        // The calendar gets holidays half way through a life, and keeps them.
        var rules = command is ReckonAgain || _reckoned ? WithHolidays : City.Rules;
        _reckoned |= command is ReckonAgain;
        var outcome = CaseDecisions.Decide(State, command, _now, rules);
        Outcomes.Add(outcome);
        if (outcome is not CaseOutcome.Decided decided)
        {
            return;
        }

        var escalated = CaseEscalations.Of(State, decided, EscalationRules.BuiltIn, City.Rules, City.Node, _now, (_, _, _, _) => _lsn % 20);
        var first = _lsn + 1;
        foreach (var draft in CaseEventCodec.Encode(escalated.Events, State?.LastLsn ?? Lsn.Zero))
        {
            var at = new Lsn(++_lsn);
            var entry = CaseEventCodec.Decode(new(at, new Lsn(first), at, _now, command.Actor, draft.Kind, draft.Schema, draft.Payload))!;
            History.Add(entry);
            Befores.Add(State);
            State = CaseState.Apply(State, entry.Event, entry.Stamp);
        }
    }

    private CaseCommand CommandOf(Turn turn)
    {
        var actor = People[turn.Choice % People.Length];
        var type = Types[turn.Choice / 4 % Types.Length];
        var division = Divisions[turn.Choice / 16 % Divisions.Length];
        if (State is null)
        {
            return _imported ? Import(turn) : new ReportCase(type, division, City.Hotline) { Case = _id, Actor = actor, Grade = (EmergencyGrade)(turn.Choice % 5) };
        }

        var natural = Next(turn, actor);
        return turn.What switch
        {
            < 16 => natural,
            16 => new CheckBeforeFiling(turn.Choice % 2 == 0) { Case = _id, Actor = actor },
            17 => new FileCase(turn.Choice % 7) { Case = _id, Actor = actor },
            18 => new DispatchCase("unit") { Case = _id, Actor = actor },
            19 => new FinishHandling { Case = _id, Actor = actor },
            20 => new CheckBeforeClosing(turn.Choice % 2 == 0) { Case = _id, Actor = actor },
            21 => new CloseCase { Case = _id, Actor = actor },
            22 => new ReturnCase { Case = _id, Actor = actor, Reason = "wrong_unit" },
            23 => new ReworkCase { Case = _id, Actor = actor, Reason = "not_done" },
            24 => new ExtendCase { Case = _id, Actor = actor, Reason = "weather" },
            25 => new SuspendCase(_now.Plus(Duration.FromMinutes(turn.Choice * 60))) { Case = _id, Actor = actor, Reason = "season" },
            26 => new ResumeCase { Case = _id, Actor = actor, Reason = "cause_gone" },
            27 => new ReopenCase { Case = _id, Actor = actor, Reason = "not_solved" },
            28 => new CorrectCase(type, division, turn.Choice % 3) { Case = _id, Actor = actor, Reason = "wrong_type" },
            29 => new MoveCase(type, division) { Case = _id, Actor = actor, Reason = "boundary" },
            30 when turn.Choice % 8 == 0 => new VoidCase { Case = _id, Actor = actor, Reason = "duplicate" },
            33 when turn.Choice % 2 == 0 => new CallBack(turn.Choice % 4 == 0, turn.Choice % 3 == 0) { Case = _id, Actor = actor },
            31 when turn.Choice % 2 == 0 => new ReckonAgain { Case = _id, Actor = "node" },
            31 => new EraseReporter { Case = _id, Actor = actor, Reason = "reporter_request" },
            32 => new PassTime { Case = _id, Actor = "node" },
            _ => _imported ? Import(turn) : natural,
        };
    }

    private CaseCommand Next(Turn turn, string actor) => State!.Stage switch
    {
        _ when _imported && turn.Choice % 3 != 0 => Import(turn),
        CaseStage.Reported => new CheckBeforeFiling(turn.Choice % 8 != 0) { Case = _id, Actor = actor },
        CaseStage.Verified => new FileCase { Case = _id, Actor = actor },
        CaseStage.Filed => new DispatchCase("unit") { Case = _id, Actor = actor },
        CaseStage.Dispatched => new FinishHandling { Case = _id, Actor = "crew-1" },
        CaseStage.Handled => new CheckBeforeClosing(turn.Choice % 4 != 0) { Case = _id, Actor = actor },
        CaseStage.Checked => new CloseCase { Case = _id, Actor = "inspector" },
        CaseStage.Closed => new ReopenCase { Case = _id, Actor = actor, Reason = "came_back" },
        _ => new PassTime { Case = _id, Actor = "node" },
    };

    private ImportCase Import(Turn turn)
    {
        var reported = _now.Minus(Duration.FromMinutes((turn.Choice % 5) * 700));
        reported = State?.ReportedAt is { } known && turn.Choice % 5 < 3 ? known : reported;
        var end = reported.Plus(Duration.FromMinutes(turn.Choice * 7));
        end = end > _now ? reported : end;
        var kind = turn.Choice / 5 % 4;
        return new ImportCase(Types[turn.Choice / 4 % 2], Divisions[turn.Choice / 16 % 4], City.Hotline, "old", "row-1")
        {
            Case = _id,
            Actor = "import",
            ReportedAt = reported,
            ClosedAt = kind is 0 or 1 ? end : null,
            VoidedAt = kind is 2 ? end : null,
            DueAt = turn.Choice % 2 == 0 ? reported.Plus(Duration.FromHours(30)) : null,
            ContentHash = Hash256.Of([(byte)(turn.Choice & 255), (byte)++_imports]),
            UpdatedAt = Instant.FromUnixTimeSeconds(_imports),
            Live = _id.Value % 8 == 7,
        };
    }
}
