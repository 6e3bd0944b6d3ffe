using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;

namespace CityGrid.Tests.Hosting;

/// <summary>Case calls that answer, refuse and fail as they are asked to, so that what lies around them can be tested.</summary>
[Authorize(Access.View)]
[BindServiceMethod(typeof(LittleCases), nameof(Bind))]
internal sealed class LittleCases : CasesService.CasesServiceBase
{
    public static Google.Protobuf.Reflection.ServiceDescriptor Descriptor => CasesService.Descriptor;

    public static void Bind(ServiceBinderBase binder, CasesService.CasesServiceBase service) => CasesService.BindService(new Protocol.Wire.BoundedCalls(binder, Descriptor), service);

    public const string Secret = "王小明 13800138000";

    [Authorize(Access.Work)]
    public override Task<ReportResponse> Report(ReportRequest request, ServerCallContext context) =>
        Task.FromResult(new ReportResponse { Step = new CaseStep { CaseId = Caller.ActorOf(context.GetHttpContext()), Version = 1, Lsn = 9_007_199_254_740_993, Stage = "reported" } });

    /// <summary>Takes as long as it is let.</summary>
    [OfKind(Hub.Load.CallKind.View)]
    public override async Task<ListResponse> List(ListRequest request, ServerCallContext context)
    {
        if (request.Stage == "held")
        {
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }

        return new ListResponse();
    }

    public override Task<GetResponse> Get(GetRequest request, ServerCallContext context) => request.CaseId switch
    {
        "refused" => throw new RefusedException(StatusCode.NotFound, new Refusal("CASE_UNKNOWN", "There is no case refused here.", "case_id")),
        "failed" => throw new InvalidOperationException($"Something broke over {Secret} in /srv/citygrid/data."),
        "busy" => throw new Hub.Journal.NodeBusyException(),
        "stopped" => throw new Hub.Journal.NodeStoppedException(null),
        "broken" => throw new Hub.Journal.NodeStoppedException(new IOException("/srv/citygrid/data/journal is gone")),
        "unknown" => throw new RpcException(new Status(StatusCode.Unknown, "at CityGrid.Node.Secret()")),
        "disk" => throw new Hub.Seams.DiskFailedException("fdatasync", "journal/1.seg", 5, "Input/output error"),
        _ => Task.FromResult(new GetResponse { Case = new CaseView { CaseId = request.CaseId } }),
    };
}
