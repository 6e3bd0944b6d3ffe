using System.Buffers;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// Binds a service so that each request is held against <see cref="MessageBounds"/> before it is parsed. What is beyond them or no message ends the call
/// with INVALID_ARGUMENT; the library itself would say UNKNOWN.
/// </summary>
public sealed class BoundedCalls(ServiceBinderBase binder, ServiceDescriptor service) : ServiceBinderBase
{
    /// <summary>The trailer that has the code of a refusal.</summary>
    public const string CodeTrailer = "citygrid-code";

    /// <summary>The code of a message that cannot be taken.</summary>
    public const string Malformed = "MALFORMED";

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) =>
        binder.AddMethod(Bounded(method), handler);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) =>
        binder.AddMethod(Bounded(method), handler);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) =>
        binder.AddMethod(Bounded(method), handler);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) =>
        binder.AddMethod(Bounded(method), handler);

    private Method<TRequest, TResponse> Bounded<TRequest, TResponse>(Method<TRequest, TResponse> method)
        where TRequest : class
        where TResponse : class
    {
        var type = service.FindMethodByName(method.Name).InputType;
        var marshaller = Marshallers.Create(method.RequestMarshaller.ContextualSerializer, context => (TRequest)Read(context.PayloadAsReadOnlySequence(), type));
        return new Method<TRequest, TResponse>(method.Type, method.ServiceName, method.Name, marshaller, method.ResponseMarshaller);
    }

    /// <summary>Reads a message that came by a call. Throws <see cref="RpcException"/> with INVALID_ARGUMENT for one beyond the bounds, or none.</summary>
    internal static IMessage Read(ReadOnlySequence<byte> payload, MessageDescriptor type)
    {
        if (payload.IsSingleSegment)
        {
            return Read(payload.FirstSpan, type);
        }

        var length = checked((int)payload.Length);
        var whole = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            payload.CopyTo(whole);
            return Read(whole.AsSpan(0, length), type);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(whole);
        }
    }

    private static IMessage Read(ReadOnlySpan<byte> bytes, MessageDescriptor type)
    {
        var fault = MessageBounds.Fault(bytes, type);
        if (fault is null)
        {
            try
            {
                return type.Parser.ParseFrom(bytes);
            }
            catch (InvalidProtocolBufferException)
            {
                fault = "The message is not one of the type that this call has here.";
            }
        }

        throw new RpcException(new Status(StatusCode.InvalidArgument, $"{Malformed}: {fault}"), new Metadata { { CodeTrailer, Malformed } });
    }
}
