using Google.Protobuf.Reflection;
using Grpc.Core;

namespace CityGrid.Protocol.Wire;

/// <summary>
/// Makes calls so that each answer is held against <see cref="MessageBounds"/> before it is parsed, as <see cref="BoundedCalls"/> does with requests: 8 MB of empty inner messages
/// are many times that in memory, and who answers is no friend only because it has a certificate.
/// </summary>
/// <param name="inner">What carries the calls.</param>
/// <param name="service">The service that is called.</param>
public sealed class BoundedAnswers(CallInvoker inner, ServiceDescriptor service) : CallInvoker
{
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        inner.BlockingUnaryCall(Bounded(method), host, options, request);

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        inner.AsyncUnaryCall(Bounded(method), host, options, request);

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        inner.AsyncServerStreamingCall(Bounded(method), host, options, request);

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        inner.AsyncClientStreamingCall(Bounded(method), host, options);

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        inner.AsyncDuplexStreamingCall(Bounded(method), host, options);

    private Method<TRequest, TResponse> Bounded<TRequest, TResponse>(Method<TRequest, TResponse> method)
        where TRequest : class
        where TResponse : class
    {
        var type = service.FindMethodByName(method.Name).OutputType;
        var marshaller = Marshallers.Create(method.ResponseMarshaller.ContextualSerializer, context => (TResponse)BoundedCalls.Read(context.PayloadAsReadOnlySequence(), type));
        return new Method<TRequest, TResponse>(method.Type, method.ServiceName, method.Name, method.RequestMarshaller, marshaller);
    }
}
