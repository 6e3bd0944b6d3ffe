using CityGrid.Hub.Load;
using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Hosting;

/// <summary>The view calls of citygrid/v1/views.proto, over gRPC and as JSON.</summary>
[Authorize(Policy = Access.View)]
[BindServiceMethod(typeof(NodeViewsService), nameof(Bind))]
public sealed class NodeViewsService(NodeCore core, NodeStatus status) : ViewsService.ViewsServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => ViewsService.Descriptor;

    public static void Bind(ServiceBinderBase binder, ViewsService.ViewsServiceBase service) => ViewsService.BindService(new BoundedCalls(binder, Descriptor), service);

    [OfKind(CallKind.View)]
    public override Task<QueryResponse> Query(QueryRequest request, ServerCallContext context) =>
        core.Readers.ReadAsync(() => core.Views.Answer(request, out var refusal) ?? throw Refused(refusal!), context.CancellationToken);

    public override Task<ListEscalationsResponse> ListEscalations(ListEscalationsRequest request, ServerCallContext context) =>
        core.Readers.ReadAsync(() => core.EscalationList.List(request, out var refusal) ?? throw Refused(refusal!), context.CancellationToken);

    public override Task<GetStatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context) => Task.FromResult(status.Status());

    private static RefusedException Refused(Refusal refusal) =>
        new(ViewDesk.IsOfTheNode(refusal) ? StatusCode.FailedPrecondition : StatusCode.InvalidArgument, refusal);
}
