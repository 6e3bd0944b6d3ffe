using CityGrid.Hub.Load;
using CityGrid.Node.Cases;
using CityGrid.Node.Hosting;
using CityGrid.Node.Stored;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using Grpc.Core;
using NodaTime;
using NodaTime.Text;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Intake;

/// <summary>Reads what a request says into our types; what is none of them is refused with the field's name and what is expected.</summary>
internal static class RequestReads
{
    private const int KeyMax = 64;

    private static readonly OffsetDateTimePattern Offset = OffsetDateTimePattern.ExtendedIso;

    public static RequestMark Mark(CaseDesk desk, string key, IMessage request) => new(Key(key), desk.Digest.Of(request, "request_key"));

    /// <summary>The key under which a request may be repeated.</summary>
    public static string Key(string text) => text.Length is > 0 and <= KeyMax
        ? text
        : throw Bad("REQUEST_KEY_BAD", $"request_key has 1 to {KeyMax} characters: mint a random one for each new request and keep it for repeating that request.", "request_key");

    public static TypeCode Type(string text) =>
        TypeCode.TryParse(text, out var code) ? code : throw Bad("TYPE_UNKNOWN", "type is a code of the catalogue, such as 01001.", "type");

    public static DivisionCode? DivisionOrNull(string text) =>
        text.Length == 0 ? null
        : DivisionCode.TryParse(text, out var code) ? code
        : throw Bad("DIVISION_UNKNOWN", "division is a code of the register: 1 to 32 characters of A-Z, 0-9 and '-'.", "division");

    public static SourceCode Source(string text, string otherwise) =>
        SourceCode.TryParse(text.Length == 0 ? otherwise : text, out var source) && source.ToString() != "all"
            ? source
            : throw Bad("SOURCE_BAD", "source is a word of a-z, 0-9, '-', '_' and '.', such as hotline or web; 'all' is kept for sums.", "source");

    public static Instant? InstantOrNull(string text, string field)
    {
        if (text.Length == 0)
        {
            return null;
        }

        // A NUL would be taken for the end of the text, whatever stands behind it.
        var parsed = Offset.Parse(text.Replace('\0', '?'));
        return parsed.Success ? parsed.Value.ToInstant() : throw Bad("TIME_BAD", $"{field} is ISO 8601 with an offset, such as 2026-11-24T08:30:00+08:00.", field);
    }

    /// <summary>The personal part of a request; null where it says nothing.</summary>
    public static PersonalPart? Part(Personal? personal)
    {
        if (personal is null || personal.CalculateSize() == 0)
        {
            return null;
        }

        if (personal.FreeText.Length > TextLimits.FreeText || personal.ReporterName.Length > TextLimits.ReporterName || personal.Contact.Length > TextLimits.Contact
            || personal.Address.Length > TextLimits.Address)
        {
            throw Bad(
                "TEXT_TOO_LONG",
                $"reporter_name has at most {TextLimits.ReporterName} characters, contact {TextLimits.Contact}, address {TextLimits.Address}, free_text {TextLimits.FreeText}.",
                "personal");
        }

        var part = new PersonalPart { ReporterName = personal.ReporterName, Contact = personal.Contact, Address = personal.Address, FreeText = personal.FreeText };
        if (personal.LatitudeE7 != 0 || personal.LongitudeE7 != 0)
        {
            if (Math.Abs((long)personal.LatitudeE7) > 900_000_000 || Math.Abs((long)personal.LongitudeE7) > 1_800_000_000)
            {
                throw Bad("POINT_BAD", "latitude_e7 and longitude_e7 are degrees times 10,000,000, within ±90 and ±180 degrees.", "personal");
            }

            part.Point = new PrecisePoint { Latitude = personal.LatitudeE7, Longitude = personal.LongitudeE7, Datum = personal.Datum.Length == 0 ? "CGCS2000" : personal.Datum };
        }

        return part;
    }

    public static CaseCommand Step(TakeRequest request, CaseId id, string actor) => request.StepCase switch
    {
        TakeRequest.StepOneofCase.CheckBeforeFiling => new Cases.CheckBeforeFiling(request.CheckBeforeFiling.Passed) { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.File => new Cases.FileCase(request.File.Row) { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Dispatch => new Cases.DispatchCase(request.Dispatch.Unit) { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.FinishHandling => new Cases.FinishHandling { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.CheckBeforeClosing => new Cases.CheckBeforeClosing(request.CheckBeforeClosing.Passed) { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Close => new Cases.CloseCase { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.ReturnCase => new Cases.ReturnCase { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Rework => new Cases.ReworkCase { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.VoidCase => new Cases.VoidCase { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Extend => new Cases.ExtendCase { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Suspend => new Cases.SuspendCase(
            InstantOrNull(request.Suspend.Until, "suspend.until") ?? throw Bad("TIME_BAD", "A suspension needs the time it lasts until.", "suspend.until"))
        { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Resume => new Cases.ResumeCase { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Reopen => new Cases.ReopenCase { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Correct => new Cases.CorrectCase(TypeOrNull(request.Correct.Type), DivisionOrNull(request.Correct.Division), request.Correct.Row) { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.Move => new Cases.MoveCase(TypeOrNull(request.Move.Type), DivisionOrNull(request.Move.Division)) { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.EraseReporter => new Cases.EraseReporter { Case = id, Actor = actor },
        TakeRequest.StepOneofCase.CallBack => new Cases.CallBack(request.CallBack.Solved, request.CallBack.HasSatisfied ? request.CallBack.Satisfied : null) { Case = id, Actor = actor },
        _ => throw Bad("STEP_MISSING", "The request names no step. Set one of check_before_filing, file, dispatch, finish_handling, check_before_closing, close, "
            + "return_case, rework, void_case, extend, suspend, resume, reopen, correct, move, erase_reporter, call_back.", "step"),
    };

    /// <summary>The gRPC status that fits a refusal of the case machine; JSON over HTTP gets the matching one.</summary>
    public static StatusCode StatusOf(string code) => code switch
    {
        CaseRefusals.CaseUnknown => StatusCode.NotFound,
        CaseRefusals.VersionConflict => StatusCode.Aborted,
        CaseRefusals.AnchorOverdue => StatusCode.Unavailable,
        DiskRoom.Full => StatusCode.Unavailable,
        CaseRefusals.RequestKeyReused or CaseRefusals.CaseExists => StatusCode.AlreadyExists,
        CaseRefusals.HandlerMayNotClose => StatusCode.PermissionDenied,
        CaseRefusals.TypeUnknown or CaseRefusals.DivisionUnknown or CaseRefusals.RowUnknown or CaseRefusals.ReasonMissing or CaseRefusals.ReasonUnknown
            or CaseRefusals.OccurredInFuture or CaseRefusals.OccurredBeforeReport or CaseRefusals.TimeBad or CaseRefusals.UnitBad or CaseRefusals.SourceBad
            or CaseRefusals.SummaryTooLong or CaseRefusals.RequestKeyBad => StatusCode.InvalidArgument,
        _ => StatusCode.FailedPrecondition,
    };

    /// <summary>ISO 8601 in UTC; empty for none.</summary>
    public static string Iso(Instant? at) => at is { } some ? InstantPattern.ExtendedIso.Format(some) : string.Empty;

    public static RefusedException Bad(string code, string message, string where) => new(StatusCode.InvalidArgument, new Refusal(code, message, where));

    private static TypeCode? TypeOrNull(string text) => text.Length == 0 ? null : Type(text);
}
