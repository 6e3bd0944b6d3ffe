using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;

namespace CityGrid.Node.Hosting;

/// <summary>The view calls of citygrid/v1/views.proto, over gRPC and as JSON.</summary>
[Authorize(Policy = Access.View)]
public sealed class NodeViewsService(NodeCore core, NodeStatus status) : ViewsService.ViewsServiceBase
{
    public override Task<QueryResponse> Query(QueryRequest request, ServerCallContext context) =>
        core.Readers.ReadAsync(() => core.Views.Answer(request, out var refusal) ?? throw Refused(refusal!), context.CancellationToken);

    public override Task<ListEscalationsResponse> ListEscalations(ListEscalationsRequest request, ServerCallContext context) =>
        core.Readers.ReadAsync(() => core.EscalationList.List(request, out var refusal) ?? throw Refused(refusal!), context.CancellationToken);

    public override Task<GetStatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context) => Task.FromResult(status.Status());

    private static RefusedException Refused(Refusal refusal) =>
        new(ViewDesk.IsOfTheNode(refusal) ? StatusCode.FailedPrecondition : StatusCode.InvalidArgument, refusal);
}
