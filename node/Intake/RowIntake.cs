using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Node.Cases;
using CityGrid.Node.Hosting;
using CityGrid.Node.Stored;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Intake;

/// <summary>
/// Rows of another system: each is a command of its own, so one bad row keeps no other back, and all of a request share the journal's batches. A
/// row is named by its system and its id there; the same row again changes nothing.
/// </summary>
public sealed class RowIntake(CaseDesk desk, Sequencer sequencer, TimeProvider clock, PressureGauge? pressure = null, DiskRoom? room = null) : IDisposable
{
    /// <summary>1,000 rows of about 500 B are half a megabyte a request.</summary>
    public const int RowsMax = 5_000;

    /// <summary>Requests of so many rows come from an import, which the view may lag behind; a few rows now and then are like cases of one's own.</summary>
    public const int RowsOfBulk = 500;

    /// <summary>An import whose next request does not come within this is over, and the view catches up.</summary>
    private static readonly TimeSpan BulkRest = TimeSpan.FromSeconds(1);

    private static readonly long Earliest = Instant.MinValue.ToUnixTimeMilliseconds();
    private static readonly long Latest = Instant.MaxValue.ToUnixTimeMilliseconds();

    private static readonly Task<CaseAnswer> AsItWas = Task.FromResult(new CaseAnswer { Unchanged = true });

    private readonly BulkSpell _bulk = new(desk, clock, BulkRest);

    public async Task<ImportRowsResponse> TakeAsync(ImportRowsRequest request, string actor, CancellationToken stop)
    {
        if (request.System.Length is 0 or > TextLimits.System)
        {
            throw RequestReads.Bad("SYSTEM_BAD", $"system names where the rows come from, in 1 to {TextLimits.System} characters; with a row's id it names a case for ever.", "system");
        }

        if (request.Rows.Count > RowsMax)
        {
            throw RequestReads.Bad("TOO_MANY_ROWS", $"A request has at most {RowsMax} rows; send the rest in the next one.", "rows");
        }

        if (request.Rows.Count >= RowsOfBulk && pressure?.Shed(CallKind.BulkImport) is { } busy)
        {
            throw new RefusedException(Grpc.Core.StatusCode.ResourceExhausted, busy) { Wait = Shedding.PauseOf(CallKind.BulkImport) };
        }

        if (room?.Short is { } full)
        {
            throw new RefusedException(Grpc.Core.StatusCode.Unavailable, full) { Wait = Shedding.PauseOf(CallKind.BulkImport) };
        }

        using var bulk = request.Rows.Count >= RowsOfBulk ? _bulk.Enter() : null;
        await AddLocalTypesAsync(request, actor);
        var response = new ImportRowsResponse();
        var rows = new List<Brought>(request.Rows.Count);
        for (var i = 0; i < request.Rows.Count; i++)
        {
            if (Read(request.System, i, request.Rows[i], actor, out var fault) is { } row)
            {
                rows.Add(row);
            }
            else
            {
                response.Faults.Add(new RowFault { Index = i, Code = fault!.Code, Message = fault.Message });
            }
        }

        var seen = sequencer.Read(() => rows.ConvertAll(SeenOf));
        var answers = new Task<CaseAnswer>[rows.Count];
        for (var i = 0; i < answers.Length; i++)
        {
            answers[i] = BringAsync(rows[i], seen[i]);
        }

        for (var i = 0; i < answers.Length; i++)
        {
            var answer = await answers[i];
            while (answer.IsOutrun)
            {
                // One after the other: of a row that stands many times in a request, each is then compared with the one before it.
                answer = await BringAsync(rows[i], sequencer.Read(() => SeenOf(rows[i])));
            }

            Count(response, rows[i].Index, answer);
        }

        await desk.GiveViewsTimeAsync(stop);
        return response;
    }

    public void Dispose() => _bulk.Dispose();

    private static void Count(ImportRowsResponse response, int index, CaseAnswer answer)
    {
        if (answer.Refusal is { } refusal)
        {
            response.Faults.Add(new RowFault { Index = index, Code = refusal.Code, Message = refusal.Message });
        }
        else if (answer.Unchanged || answer.Repeated)
        {
            response.Unchanged++;
        }
        else if (answer.Created)
        {
            response.Created++;
        }
        else
        {
            response.Corrected++;
        }

        response.Lsn = Math.Max(response.Lsn, answer.Lsn.Value);
    }

    private async Task AddLocalTypesAsync(ImportRowsRequest request, string actor)
    {
        var named = request.Rows.Where(r => r.LocalTypeName.Length is > 0 and <= TextLimits.TypeName).Select(r => (r.Type, Name: r.LocalTypeName)).Distinct().ToArray();
        var unknown = sequencer.Read(() => named.Where(n => TypeCode.TryParse(n.Type, out var type) && !desk.Rules.Catalogue.Knows(type)).ToArray());
        foreach (var (code, name) in unknown)
        {
            await sequencer.SubmitAsync(new AddLocalType(desk, TypeCode.Parse(code), name) { Actor = actor });
        }
    }

    /// <summary>What a row's key was used for. Under the sequencer's lock.</summary>
    private KeyUse? SeenOf(Brought row) => desk.Book.Keys.Find(row.Key.KeyHash);

    /// <summary>
    /// Brings a row to the case that its key names, or to a new one. What is personal is sealed once it is known for which case and that it is taken: a row that changes
    /// nothing, or is refused, takes no key.
    /// </summary>
    private Task<CaseAnswer> BringAsync(Brought row, KeyUse? seen)
    {
        if (seen is not { } use)
        {
            return SealAndSubmitAsync(row.Command with { Case = desk.Mint() }, row.Key, row.Person);
        }

        if (desk.IsAsBrought(use, row.Command.ContentHash, row.Person))
        {
            return AsItWas;
        }

        var (now, found) = sequencer.Read(() => (SeenOf(row), desk.StateOf(use.Case)));
        if (now != use)
        {
            return BringAsync(row, now);
        }

        var state = found ?? throw new InvalidOperationException($"Case {use.Case} is that of a row and is not there.");
        var compared = desk.ComparePerson(state, use, row.Command.ContentHash, row.Person);
        var command = row.Command with { Case = use.Case, Seen = use, PersonalChanged = compared == PersonCompared.Other, Restores = compared == PersonCompared.Lost };
        return desk.Foresee(state, command) switch
        {
            CaseOutcome.Refused refused => Task.FromResult(new CaseAnswer { Refusal = refused.Refusal }),
            CaseOutcome.Decided => SealAndSubmitAsync(command, row.Key, use.Slot == KeyUse.Erased ? null : row.Person),
            _ => AsItWas,
        };
    }

    private Task<CaseAnswer> SealAndSubmitAsync(ImportCase command, RequestMark key, PersonalPart? person)
    {
        var (part, digest) = desk.SealRow(command.Case, command.ContentHash, person);
        return desk.SubmitAsync(command with { Sealed = part, Request = key with { Content = digest } });
    }

    private static Brought? Read(string system, int index, ImportRow row, string actor, out Refusal? fault)
    {
        PersonalPart? person = null;
        fault = Fault(row, out var type, out var division, out var source) ?? FaultOfPersonal(row, out person);
        if (fault is not null)
        {
            return null;
        }

        var command = new ImportCase(type, division, source, system, row.ExternalId)
        {
            Case = default,
            Actor = actor,
            ReportedAt = Instant.FromUnixTimeMilliseconds(row.ReportedAt),
            ClosedAt = Time(row, ImportRow.ClosedAtFieldNumber, row.ClosedAt),
            VoidedAt = Time(row, ImportRow.VoidedAtFieldNumber, row.VoidedAt),
            DueAt = Time(row, ImportRow.DueAtFieldNumber, row.DueAt),
            UpdatedAt = Time(row, ImportRow.UpdatedAtFieldNumber, row.UpdatedAt),
            ContentHash = Hash256.FromBytes(row.ContentHash.Span),
            Live = row.Live,
        };
        return new Brought(index, command, RequestMark.OfRow(system, row.ExternalId), person);
    }

    private static Refusal? Fault(ImportRow row, out TypeCode type, out DivisionCode? division, out SourceCode source)
    {
        division = null;
        source = default;
        if (!TypeCode.TryParse(row.Type, out type))
        {
            return new Refusal(CaseRefusals.TypeUnknown, "type is no code.", "type");
        }

        if (row.Division.Length > 0)
        {
            if (!DivisionCode.TryParse(row.Division, out var code))
            {
                return new Refusal(CaseRefusals.DivisionUnknown, "division is no code of the register.", "division");
            }

            division = code;
        }

        if (!SourceCode.TryParse(row.Source.Length == 0 ? "import" : row.Source, out source) || source.ToString() == "all")
        {
            return new Refusal(CaseRefusals.SourceBad, "source is no word of a-z, 0-9, '-', '_' and '.', or is the word 'all'.", "source");
        }

        return row.ExternalId.Length is 0 or > TextLimits.ExternalId ? new Refusal("EXTERNAL_ID_BAD", $"external_id has 1 to {TextLimits.ExternalId} characters.", "external_id")
            : row.ZeroTimes.Count > 0 && row.ZeroTimes.Any(field => field is < ImportRow.ReportedAtFieldNumber or > ImportRow.UpdatedAtFieldNumber)
                ? new Refusal(CaseRefusals.TimeBad, "zero_times has the numbers of times of this row, 6 to 10.", "zero_times")
            : row.ReportedAt == 0 && !row.ZeroTimes.Contains(ImportRow.ReportedAtFieldNumber)
                ? new Refusal(CaseRefusals.TimeBad, "reported_at is missing; if it is 1970-01-01T00:00:00Z, put its number 6 into zero_times.", "reported_at")
            : new[] { row.ReportedAt, row.ClosedAt, row.VoidedAt, row.DueAt, row.UpdatedAt }.Any(t => t < Earliest || t > Latest)
                ? new Refusal(CaseRefusals.TimeBad, "a time lies outside of all calendars: times are milliseconds since 1970.", "reported_at")
            : row.ContentHash.Length != Hash256.Size ? new Refusal("CONTENT_HASH_BAD", "content_hash has 32 bytes.", "content_hash")
            : null;
    }

    private static Refusal? FaultOfPersonal(ImportRow row, out PersonalPart? part)
    {
        part = null;
        try
        {
            part = RequestReads.Part(row.Personal);
            return null;
        }
        catch (RefusedException refused)
        {
            return refused.Refusal;
        }
    }

    /// <summary>A time of a row: zero is none, unless the row says that it is meant.</summary>
    private static Instant? Time(ImportRow row, int field, long milliseconds) =>
        milliseconds != 0 || row.ZeroTimes.Contains(field) ? Instant.FromUnixTimeMilliseconds(milliseconds) : null;

    /// <summary>A row as it was read: the command but for case and seal, its key, and its person.</summary>
    private sealed record Brought(int Index, ImportCase Command, RequestMark Key, PersonalPart? Person);
}
