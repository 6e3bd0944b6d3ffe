using CityGrid.Hub.Orders;
using CityGrid.Node.Intake;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace CityGrid.Node.Hosting;

/// <summary>The order calls of citygrid/v1/orders.proto, over gRPC and as JSON. It reads requests, asks the desk, and writes answers.</summary>
[Authorize(Policy = Access.View)]
[BindServiceMethod(typeof(NodeOrdersService), nameof(Bind))]
public sealed class NodeOrdersService(NodeCore core) : OrdersService.OrdersServiceBase
{
    /// <summary>What <see cref="Bind"/> binds.</summary>
    public static ServiceDescriptor Descriptor => OrdersService.Descriptor;

    public static void Bind(ServiceBinderBase binder, OrdersService.OrdersServiceBase service) => OrdersService.BindService(new BoundedCalls(binder, Descriptor), service);

    [Authorize(Policy = Access.Work)]
    public override async Task<IssueOrderResponse> IssueOrder(IssueOrderRequest request, ServerCallContext context)
    {
        var key = RequestReads.Key(request.RequestKey);
        if (!DivisionCode.TryParse(request.TargetDivision, out var target))
        {
            throw RequestReads.Bad(OrderDesk.TargetUnknown, "target_division is the division code of the place that must answer.", "target_division");
        }

        if (request.Kind is < OrderKind.Assign or > OrderKind.Cancel)
        {
            throw RequestReads.Bad("MALFORMED", "kind is one of ASSIGN, URGE, SUPERVISE, CALL_BACK and CANCEL.", "kind");
        }

        var subject = UInt128.Zero;
        if (request.Subject.Length > 0 && !OrderId.TryParse(request.Subject, out subject))
        {
            throw RequestReads.Bad("MALFORMED", "subject is an id of 32 hexadecimal digits, as lists show it.", "subject");
        }

        var wish = new OrderWish(
            key, target, request.Kind, subject, TextOf(request.Text),
            RequestReads.InstantOrNull(request.AnswerBy, "answer_by"), RequestReads.InstantOrNull(request.ExpiresAt, "expires_at"));
        var answer = Judged(await core.Sequencer.SubmitAsync(core.OrderDesk.Issue(wish, Caller.ActorOf(context.GetHttpContext()))));
        return new IssueOrderResponse { Order = core.OrderList.Show(answer.Id), Repeated = answer.Repeated };
    }

    [Authorize(Policy = Access.Work)]
    public override async Task<StepOrderResponse> StepOrder(StepOrderRequest request, ServerCallContext context)
    {
        if (!OrderId.TryParse(request.OrderId, out var id))
        {
            throw RequestReads.Bad("MALFORMED", "order_id has 32 hexadecimal digits, as lists show it.", "order_id");
        }

        if (request.State is not (OrderState.Signed or OrderState.Answered or OrderState.Rejected))
        {
            throw RequestReads.Bad("MALFORMED", "state is one of SIGNED, ANSWERED and REJECTED.", "state");
        }

        if (request.State != OrderState.Signed && request.Text.Length == 0)
        {
            throw RequestReads.Bad("REASON_MISSING", "text says what was done, or why the order is rejected.", "text");
        }

        var answer = Judged(await core.Sequencer.SubmitAsync(core.OrderDesk.Step(id, request.State, TextOf(request.Text), Caller.ActorOf(context.GetHttpContext()))));
        return new StepOrderResponse { Order = core.OrderList.Show(answer.Id), Repeated = answer.Repeated };
    }

    public override Task<ListOrdersResponse> ListOrders(ListOrdersRequest request, ServerCallContext context) => core.Readers.ReadAsync(
        () => core.OrderList.List(request, out var refusal) ?? throw new RefusedException(StatusCode.InvalidArgument, refusal!), context.CancellationToken);

    private static string TextOf(string text) => text.Length <= OrderJudge.TextMax
        ? text
        : throw RequestReads.Bad("MALFORMED", $"text has {text.Length} characters; at most {OrderJudge.TextMax} are allowed.", "text");

    private static OrderAnswer Judged(OrderAnswer answer) => answer.Refusal is not { } refusal ? answer : throw new RefusedException(
        refusal.Code switch
        {
            OrderDesk.OrderUnknown => StatusCode.NotFound,
            OrderDesk.NotForHere or OrderDesk.Ended or OrderDesk.Uncertain => StatusCode.FailedPrecondition,
            _ when refusal.Code.StartsWith("ISSUER_", StringComparison.Ordinal) => StatusCode.FailedPrecondition,
            _ => StatusCode.InvalidArgument,
        },
        refusal);
}
