using CityGrid.Node.Configuration;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Journey;

/// <summary>The calls of reconcile.proto: asking is an administrator's, looking anyone's.</summary>
[Authorize(Policy = Access.View)]
[BindServiceMethod(typeof(ReconcileGrpcService), nameof(Bind))]
public sealed class ReconcileGrpcService(NodeCore core) : ReconcileService.ReconcileServiceBase
{
    private readonly Edges _edges = new(core);

    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => ReconcileService.Descriptor;

    public static void Bind(ServiceBinderBase binder, ReconcileService.ReconcileServiceBase service) => ReconcileService.BindService(new BoundedCalls(binder, Descriptor), service);

    [Authorize(Policy = Access.Keep)]
    public override Task<ReconcileResponse> Reconcile(ReconcileRequest request, ServerCallContext context) =>
        Task.FromResult(new ReconcileResponse { Edges = { _edges.Reconcile(request.Nodes, out var refusal) ?? throw Refused(refusal!) } });

    public override Task<GetReconciliationResponse> GetReconciliation(GetReconciliationRequest request, ServerCallContext context) =>
        Task.FromResult(new GetReconciliationResponse { Edges = { _edges.Standing(request.Nodes, out var refusal) ?? throw Refused(refusal!) } });

    private static RefusedException Refused(Refusal refusal) => new(StatusCode.NotFound, refusal);
}

/// <summary>The calls of why.proto.</summary>
[Authorize(Policy = Access.View)]
[BindServiceMethod(typeof(WhyGrpcService), nameof(Bind))]
public sealed class WhyGrpcService : WhyService.WhyServiceBase
{
    private readonly NodeCore _core;
    private readonly CellJourney _cells;
    private readonly CaseJourney _cases;

    public WhyGrpcService(NodeCore core, NodeConfiguration configuration)
    {
        _core = core;
        _cells = new CellJourney(core, configuration.Division);
        _cases = new CaseJourney(core, configuration.Division, _cells);
    }

    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => WhyService.Descriptor;

    public static void Bind(ServiceBinderBase binder, WhyService.WhyServiceBase service) => WhyService.BindService(new BoundedCalls(binder, Descriptor), service);

    public override Task<WhyCellResponse> WhyCell(WhyCellRequest request, ServerCallContext context)
    {
        var key = _cells.Read(request, out var refusal) ?? throw new RefusedException(StatusCode.InvalidArgument, refusal!);
        return _core.Readers.ReadAsync(() => _cells.Tell(key, withEvents: true), context.CancellationToken);
    }

    public override Task<WhyCaseResponse> WhyCase(WhyCaseRequest request, ServerCallContext context)
    {
        if (!CaseId.TryParse(request.CaseId, out var id))
        {
            throw new RefusedException(StatusCode.InvalidArgument, new Refusal("CASE_UNKNOWN", "This is no case id: it is 26 letters and digits, such as a report is answered with.", "case_id"));
        }

        return _core.Readers.ReadAsync(() => _cases.Tell(id), context.CancellationToken);
    }
}
