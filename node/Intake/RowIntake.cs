using System.Security.Cryptography;
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

    private readonly BulkSpell _bulk = new(desk, clock, BulkRest);

    /// <summary>How long a request waits at most for a view that lags before its rows are taken all the same.</summary>
    private static readonly TimeSpan SlowBy = TimeSpan.FromMilliseconds(50);

    public async Task<ImportRowsResponse> TakeAsync(ImportRowsRequest request, string actor, CancellationToken stop)
    {
        if (request.System.Length is 0 or > 64)
        {
            throw RequestReads.Bad("SYSTEM_BAD", "system names where the rows come from, in 1 to 64 characters; with a row's id it names a case for ever.", "system");
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
        var waiting = new (int Index, Task<CaseAnswer> Answer)[request.Rows.Count];
        var sent = 0;
        for (var i = 0; i < request.Rows.Count; i++)
        {
            if (CommandOf(request.System, request.Rows[i], actor, out var fault) is { } command)
            {
                waiting[sent++] = (i, desk.SubmitAsync(command));
            }
            else
            {
                response.Faults.Add(new RowFault { Index = i, Code = fault!.Code, Message = fault.Message });
            }
        }

        for (var i = 0; i < sent; i++)
        {
            Count(response, waiting[i].Index, await waiting[i].Answer);
        }

        if (desk.ShouldSlow)
        {
            await Task.Delay(SlowBy, stop);
        }

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
        var named = request.Rows.Where(r => r.LocalTypeName.Length is > 0 and <= 200).Select(r => (r.Type, Name: r.LocalTypeName)).Distinct().ToArray();
        var unknown = sequencer.Read(() => named.Where(n => TypeCode.TryParse(n.Type, out var type) && !desk.Rules.Catalogue.Knows(type)).ToArray());
        foreach (var (code, name) in unknown)
        {
            await sequencer.SubmitAsync(new AddLocalType(desk, TypeCode.Parse(code), name) { Actor = actor });
        }
    }

    private ImportCase? CommandOf(string system, ImportRow row, string actor, out Refusal? fault)
    {
        PersonalPart? part = null;
        fault = Fault(row, out var type, out var division, out var source) ?? FaultOfPersonal(row, out part);
        if (fault is not null)
        {
            return null;
        }

        var id = desk.Mint();
        var hash = Hash256.FromBytes(row.ContentHash.Span);
        return new ImportCase(type, division, source, system, row.ExternalId)
        {
            Case = id,
            Actor = actor,
            Request = new RequestMark(KeyOf(system, row.ExternalId), ContentOf(row)),
            ReportedAt = Instant.FromUnixTimeMilliseconds(row.ReportedAt),
            ClosedAt = Time(row.ClosedAt),
            VoidedAt = Time(row.VoidedAt),
            DueAt = Time(row.DueAt),
            UpdatedAt = Time(row.UpdatedAt),
            ContentHash = hash,
            Live = row.Live,
            Sealed = desk.Seal(id, part),
        };
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

        return row.ExternalId.Length is 0 or > 64 ? new Refusal("EXTERNAL_ID_BAD", "external_id has 1 to 64 characters.", "external_id")
            : row.ReportedAt == 0 ? new Refusal(CaseRefusals.TimeBad, "reported_at is missing.", "reported_at")
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

    private static Instant? Time(long milliseconds) => milliseconds == 0 ? null : Instant.FromUnixTimeMilliseconds(milliseconds);

    /// <summary>Names the row for ever; a long id is hashed, so that every key keeps to its limit.</summary>
    private static string KeyOf(string system, string externalId)
    {
        var key = $"import/{system}/{externalId}";
        return key.Length <= RequestMark.KeyLengthMax ? key : $"import/{Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(key)))}";
    }

    /// <summary>The content's hash, which covers the personal part too, under the node's own key.</summary>
    private ulong ContentOf(ImportRow row) => desk.Digest.Of(row.ContentHash.Span);
}
