using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Node.Cases;
using CityGrid.Node.Hosting;
using CityGrid.Node.Stored;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Intake;

/// <summary>The case calls of node/citygrid/node/v1/cases.proto, over gRPC and as JSON. It reads requests, asks the desk, and writes answers.</summary>
[Authorize(Policy = Access.View)]
[BindServiceMethod(typeof(CasesGrpcService), nameof(Bind))]
public sealed class CasesGrpcService(CaseDesk desk, CaseLists lists, ReaderLane readers, RowIntake intake) : CasesService.CasesServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => CasesService.Descriptor;

    public static void Bind(ServiceBinderBase binder, CasesService.CasesServiceBase service) => CasesService.BindService(new BoundedCalls(binder, Descriptor), service);

    [Authorize(Policy = Access.Work)]
    public override async Task<ReportResponse> Report(ReportRequest request, ServerCallContext context)
    {
        var id = desk.Mint();
        var command = new ReportCase(RequestReads.Type(request.Type), RequestReads.DivisionOrNull(request.Division), RequestReads.Source(request.Source, "web"))
        {
            Case = id,
            Actor = Actor(context),
            Request = RequestReads.Mark(desk, request.RequestKey, request),
            OccurredAt = RequestReads.InstantOrNull(request.OccurredAt, "occurred_at"),
            Grade = request.Grade,
            Summary = request.Summary.Length == 0 ? null : request.Summary,
            Sealed = desk.Seal(id, RequestReads.Part(request.Personal)),
        };
        return new ReportResponse { Step = await TakenAsync(command, context) };
    }

    [Authorize(Policy = Access.Work)]
    public override async Task<TakeResponse> Take(TakeRequest request, ServerCallContext context)
    {
        var state = Existing(request.CaseId);
        var command = RequestReads.Step(request, state.Id, Actor(context)) with
        {
            Request = RequestReads.Mark(desk, request.RequestKey, request),
            OccurredAt = RequestReads.InstantOrNull(request.OccurredAt, "occurred_at"),
            ExpectedVersion = request.ExpectedVersion == 0 ? null : request.ExpectedVersion,
            Reason = request.Reason.Length == 0 ? null : request.Reason,
            Sealed = request.Note.Length == 0 ? null : desk.Seal(state, new PersonalPart { FreeText = request.Note }),
        };
        return new TakeResponse { Step = await TakenAsync(command, context) };
    }

    public override async Task<GetResponse> Get(GetRequest request, ServerCallContext context)
    {
        await lists.WaitForAsync(new Lsn(request.AtLeastLsn), context.CancellationToken);
        var state = Existing(request.CaseId);
        var response = new GetResponse { Case = ViewOf(state) };
        if (request.Personal)
        {
            if (!Caller.Is(context.GetHttpContext(), Role.Operator))
            {
                throw new RefusedException(StatusCode.PermissionDenied, new Refusal("PERMISSION_DENIED", "Reading what is personal needs a token with the role operator."));
            }

            await AddPersonalAsync(state, response, Actor(context));
        }

        return response;
    }

    [OfKind(CallKind.View)]
    public override Task<GetHistoryResponse> GetHistory(GetHistoryRequest request, ServerCallContext context)
    {
        var asOf = RequestReads.InstantOrNull(request.AsOf, "as_of");
        var history = desk.Book.History(Existing(request.CaseId).LastLsn).Where(e => asOf is null || e.Stamp.RecordedAt <= asOf).ToArray();
        var response = new GetHistoryResponse();
        response.Entries.AddRange(history.Select(e => new HistoryEntry
        {
            Lsn = e.Stamp.Lsn.Value,
            Event = e.Event.GetType().Name,
            OccurredAt = RequestReads.Iso(e.Event.OccurredAt),
            RecordedAt = RequestReads.Iso(e.Stamp.RecordedAt),
            Actor = e.Stamp.Actor,
            Reason = e.Event.Reason ?? string.Empty,
        }));
        if (CaseState.Fold(history) is { } state)
        {
            response.AsOf = ViewOf(state);
        }

        return Task.FromResult(response);
    }

    [OfKind(CallKind.View)]
    public override async Task<ListResponse> List(ListRequest request, ServerCallContext context)
    {
        var query = CaseListing.Of(request);
        var page = await readers.ReadAsync(() => lists.Page(query), context.CancellationToken);
        var response = new ListResponse
        {
            NextPageToken = page.Next ?? string.Empty,
            AppliedLsn = page.Applied.Value,
            HeadLsn = page.Head.Value,
            Building = page.Building,
        };
        response.Cases.AddRange(page.Cases.Select(ViewOf));
        return response;
    }

    [Authorize(Policy = Access.Work)]
    public override Task<ImportRowsResponse> ImportRows(ImportRowsRequest request, ServerCallContext context) =>
        intake.TakeAsync(request, Actor(context), context.CancellationToken);

    private async Task<CaseStep> TakenAsync(CaseCommand command, ServerCallContext context)
    {
        var step = StepOf(await desk.SubmitAsync(command));
        await desk.GiveViewsTimeAsync(context.CancellationToken);
        return step;
    }

    private static string Actor(ServerCallContext context) => Caller.ActorOf(context.GetHttpContext());

    private static CaseStep StepOf(CaseAnswer answer)
    {
        if (answer.Refusal is { } refusal)
        {
            throw new RefusedException(RequestReads.StatusOf(refusal.Code), refusal);
        }

        return new CaseStep
        {
            CaseId = answer.State?.Id.ToString() ?? string.Empty,
            Version = answer.Version,
            Lsn = answer.Lsn.Value,
            Stage = answer.State?.Stage.Word() ?? string.Empty,
            Deadline = RequestReads.Iso(answer.State?.Deadline),
            Repeated = answer.Repeated,
        };
    }

    private CaseState Existing(string text) =>
        CaseId.TryParse(text, out var id) && desk.Find(id) is { } state
            ? state
            : throw new RefusedException(StatusCode.NotFound, new Refusal(CaseRefusals.CaseUnknown, "There is no case with this id here.", text.Length <= 64 ? text : null));

    private CaseView ViewOf(CaseState s)
    {
        var type = lists.TypeOf(s.Type);
        return new CaseView
        {
            CaseId = s.Id.ToString(),
            Version = s.Version,
            Lsn = s.LastLsn.Value,
            Stage = s.Stage.Word(),
            Type = s.Type.Code.ToString(),
            Catalogue = s.Type.Version.ToString(),
            TypeNameZh = type?.NameZh ?? string.Empty,
            TypeNameEn = type?.NameEn ?? string.Empty,
            Division = s.Division.ToString(),
            Source = s.Source.ToString(),
            Grade = s.Grade,
            ReportedAt = RequestReads.Iso(s.ReportedAt),
            FiledAt = RequestReads.Iso(s.Filing?.FiledAt),
            HandledAt = RequestReads.Iso(s.Filing?.HandledAt),
            EndedAt = RequestReads.Iso(s.End?.At),
            Deadline = RequestReads.Iso(s.Deadline),
            Overdue = s.IsOverdue,
            Suspended = s.IsSuspended,
            Unit = s.Filing?.Unit ?? string.Empty,
            Imported = s.Import is not null,
        };
    }

    /// <summary>
    /// Opens the parts of a case, newest last. That somebody reads them is in the journal before they are shown. An imported row that came again says all that its
    /// source knows of the person, and what it leaves out is left out.
    /// </summary>
    private async Task AddPersonalAsync(CaseState state, GetResponse response, string actor)
    {
        var parts = desk.Book.History(state.LastLsn).Select(e => (IsAll: e.Event is ImportRenewed, Part: e.Event.Sealed)).Where(e => e.IsAll || e.Part is not null).ToArray();
        if (parts.All(e => e.Part is null))
        {
            return;
        }

        await desk.RecordReadingAsync(state.Id, actor);
        var merged = new PersonalPart();
        var opened = 0;
        foreach (var (isAll, part) in parts)
        {
            var plain = part is null ? null : desk.Unseal(state.Id, part);
            if (isAll && (part is null || plain is not null))
            {
                merged = new PersonalPart();
            }

            if (plain is not null)
            {
                merged.MergeFrom(plain);
                opened++;
            }
        }

        response.Erased = opened == 0;
        response.Personal = new Personal
        {
            ReporterName = merged.ReporterName,
            Contact = merged.Contact,
            Address = merged.Address,
            LatitudeE7 = merged.Point?.Latitude ?? 0,
            LongitudeE7 = merged.Point?.Longitude ?? 0,
            Datum = merged.Point?.Datum ?? string.Empty,
            FreeText = merged.FreeText,
        };
    }
}
