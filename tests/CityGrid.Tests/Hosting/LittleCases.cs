using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;

namespace CityGrid.Tests.Hosting;

/// <summary>Case calls that answer, refuse and fail as they are asked to, so that what lies around them can be tested.</summary>
[Authorize(Access.View)]
internal sealed class LittleCases : CasesService.CasesServiceBase
{
    public const string Secret = "王小明 13800138000";

    [Authorize(Access.Work)]
    public override Task<ReportResponse> Report(ReportRequest request, ServerCallContext context) =>
        Task.FromResult(new ReportResponse { Step = new CaseStep { CaseId = Caller.ActorOf(context.GetHttpContext()), Version = 1, Lsn = 9_007_199_254_740_993, Stage = "reported" } });

    public override Task<GetResponse> Get(GetRequest request, ServerCallContext context) => request.CaseId switch
    {
        "refused" => throw new RefusedException(StatusCode.NotFound, new Refusal("CASE_UNKNOWN", "There is no case refused here.", "case_id")),
        "failed" => throw new InvalidOperationException($"Something broke over {Secret} in /srv/citygrid/data."),
        "disk" => throw new Hub.Seams.DiskFailedException("fdatasync", "journal/1.seg", 5, "Input/output error"),
        _ => Task.FromResult(new GetResponse { Case = new CaseView { CaseId = request.CaseId } }),
    };
}
