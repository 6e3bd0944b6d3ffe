using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace CityGrid.Node.Hosting;

/// <summary>
/// Every way in which a handler can end becomes a status with a stable code: refusals as they are, a call that was given up as CANCELLED, a node
/// that ends as UNAVAILABLE, and everything unforeseen as INTERNAL with an id under which the log has the exception.
/// </summary>
internal sealed class RefusalInterceptor(ILogger<RefusalInterceptor> log) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception e) when (e is not RpcException { StatusCode: not StatusCode.Unknown })
        {
            throw Answer(e, context);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(requestStream, context);
        }
        catch (Exception e) when (e is not RpcException { StatusCode: not StatusCode.Unknown })
        {
            throw Answer(e, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception e) when (e is not RpcException { StatusCode: not StatusCode.Unknown })
        {
            throw Answer(e, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception e) when (e is not RpcException { StatusCode: not StatusCode.Unknown })
        {
            throw Answer(e, context);
        }
    }

    private RpcException Answer(Exception exception, ServerCallContext context)
    {
        var http = context.GetHttpContext();
        RpcException Refused(StatusCode status, Refusal refusal, TimeSpan? wait = null)
        {
            if (wait is { } pause && !http.Response.HasStarted)
            {
                http.Response.Headers.RetryAfter = Refusals.InSeconds(pause);
            }

            http.Features.Set(Refusals.IsGrpc(http) ? refusal : refusal.InJson());
            return Refusals.ToRpc(new RefusedException(status, refusal), http.Request);
        }

        if (exception is RefusedException refused)
        {
            return Refused(refused.Status, refused.Refusal, refused.Wait);
        }

        if (exception is NodeBusyException)
        {
            return Refused(StatusCode.ResourceExhausted, new Refusal(Shedding.Busy, exception.Message), TimeSpan.FromSeconds(1));
        }

        if (exception is NodeStoppedException { InnerException: null } or ObjectDisposedException)
        {
            return Refused(StatusCode.Unavailable, new Refusal("STOPPING", "The node is ending; call again when it is back."));
        }

        if (exception is OperationCanceledException && http.Features.Get<CallTime>() is { Over.IsCancellationRequested: true })
        {
            return Refused(StatusCode.DeadlineExceeded, CallTime.IsOver);
        }

        if (exception is OperationCanceledException or IOException && context.CancellationToken.IsCancellationRequested)
        {
            return Refused(StatusCode.Cancelled, new Refusal("CANCELLED", "The caller gave the call up."));
        }

        if (exception is OperationCanceledException)
        {
            return Refused(StatusCode.Unavailable, new Refusal("STOPPING", "The node is ending; call again when it is back."));
        }

        if (exception is DiskFailedException or JournalDamagedException or NodeStoppedException)
        {
            return Refused(
                StatusCode.Unavailable,
                new Refusal("STORAGE_FAILED", "The node's storage failed; nothing of this call was kept. An operator must look at the node."));
        }

        var id = http.TraceIdentifier;
        Log.CallFailed(log, "gRPC", context.Method, id, exception);
        return Refused(StatusCode.Internal, new Refusal("INTERNAL", $"The node could not do this; its log has more under {id}."));
    }
}
