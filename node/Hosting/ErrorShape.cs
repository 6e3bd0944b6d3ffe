using System.Text.Json;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using Microsoft.AspNetCore.Http.Features;

namespace CityGrid.Node.Hosting;

/// <summary>
/// Gives every error over HTTP one shape, <see cref="ErrorBody"/>, whoever made it: the routing, the transcoding, the server, or a fault of the
/// program. What the caller reads never holds a stack, a path or the name of a type; the log has the exception under the id that the caller is told.
/// </summary>
internal sealed class ErrorShape(RequestDelegate next, ILogger<ErrorShape> log)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (!Refusals.IsGrpc(context))
        {
            return ShapeAsync(context);
        }

        context.Response.OnStarting(UnreadableIsTheCallersFault, context.Response);
        return next(context);
    }

    private async Task ShapeAsync(HttpContext context)
    {
        var response = context.Response;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        var body = response.Body;
        using var withheld = new WithheldErrorStream(body, () => response.StatusCode >= StatusCodes.Status400BadRequest);
        response.Body = withheld;
        try
        {
            // The transcoding would call it unreadable JSON; a body without a length ends like that.
            if (context.Request.ContentLength > context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize)
            {
                response.StatusCode = StatusCodes.Status413PayloadTooLarge;
            }
            else
            {
                await next(context);
            }
        }
        catch (BadHttpRequestException e) when (!response.HasStarted)
        {
            context.Refuse(e.StatusCode, new Refusal(CodeOf(e.StatusCode), MessageOf(e.StatusCode), context.Request.Path));
        }
        catch (OperationCanceledException) when (!response.HasStarted && context.Features.Get<CallTime>() is { Over.IsCancellationRequested: true })
        {
            context.Refuse(StatusCodes.Status504GatewayTimeout, CallTime.IsOver);
        }
        catch (Exception e) when (!response.HasStarted && e is not OperationCanceledException)
        {
            var id = context.TraceIdentifier;
            Log.CallFailed(log, context.Request.Method, RouteOf(context), id, e);
            context.Refuse(StatusCodes.Status500InternalServerError, new Refusal("INTERNAL", $"The node could not do this; its log has more under {id}."));
        }
        finally
        {
            response.Body = body;
        }

        if (response.StatusCode >= StatusCodes.Status400BadRequest && !response.HasStarted && !context.RequestAborted.IsCancellationRequested)
        {
            if (context.Features.Get<DespiteStatus>() is { } meant)
            {
                await response.Body.WriteAsync(meant.Body, context.RequestAborted);
                return;
            }

            await Refusals.WriteAsync(response, context.Features.Get<Refusal>() ?? FromTranscoding(withheld.Withheld) ?? Plain(context));
        }
    }

    /// <summary>
    /// A message that cannot be parsed fails before any interceptor with status UNKNOWN; handlers never end with it (see
    /// <see cref="RefusalInterceptor"/>), so here UNKNOWN means that the caller sent something unreadable.
    /// </summary>
    private static Task UnreadableIsTheCallersFault(object state)
    {
        var response = (HttpResponse)state;
        if (response.HttpContext.Features.Get<Refusal>() is null && response.Headers.TryGetValue(Refusals.CodeTrailer, out var code) && code == BoundedCalls.Malformed)
        {
            // It was refused before any interceptor, where nobody knows the caller's language.
            var told = Uri.UnescapeDataString(response.Headers["grpc-message"].ToString());
            var bounded = new Refusal(BoundedCalls.Malformed, told[(told.IndexOf(' ', StringComparison.Ordinal) + 1)..]).SpokenTo(response.HttpContext.Request);
            response.Headers["grpc-message"] = Uri.EscapeDataString(bounded.ToString());
        }

        if (response.Headers.TryGetValue("grpc-status", out var status) && status == "2")
        {
            response.Headers["grpc-status"] = "3";
            var refusal = new Refusal("MALFORMED", "The message is not one of this call's request type.").SpokenTo(response.HttpContext.Request);
            response.Headers["grpc-message"] = Uri.EscapeDataString(refusal.ToString());
        }

        return Task.CompletedTask;
    }

    /// <summary>The transcoding writes a google.rpc.Status; its message is for the caller, its number is the gRPC status.</summary>
    private static Refusal? FromTranscoding(ReadOnlySpan<byte> written)
    {
        var reader = new Utf8JsonReader(written);
        try
        {
            if (written.IsEmpty || JsonElement.ParseValue(ref reader) is not { ValueKind: JsonValueKind.Object } status
                || !status.TryGetProperty("code", out var code) || !code.TryGetInt32(out var number)
                || !status.TryGetProperty("message", out var message) || message.GetString() is not { } text)
            {
                return null;
            }

            return new Refusal(NameOf((Grpc.Core.StatusCode)number), text.Length > 0 ? text : "This node does not do this.");
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string NameOf(Grpc.Core.StatusCode status) => JsonNamingPolicy.SnakeCaseUpper.ConvertName(status.ToString());

    private static Refusal Plain(HttpContext context) =>
        new(CodeOf(context.Response.StatusCode), MessageOf(context.Response.StatusCode), context.Request.Path);

    private static string CodeOf(int status) => status switch
    {
        StatusCodes.Status404NotFound => "NO_SUCH_CALL",
        StatusCodes.Status405MethodNotAllowed => "WRONG_METHOD",
        StatusCodes.Status408RequestTimeout => "TOO_SLOW",
        StatusCodes.Status413PayloadTooLarge => "TOO_LARGE",
        StatusCodes.Status415UnsupportedMediaType => "WRONG_MEDIA_TYPE",
        StatusCodes.Status431RequestHeaderFieldsTooLarge => "HEADERS_TOO_LARGE",
        _ => status >= StatusCodes.Status500InternalServerError ? "INTERNAL" : "BAD_REQUEST",
    };

    private static string MessageOf(int status) => status switch
    {
        StatusCodes.Status404NotFound => "There is no such call here; GET /openapi/v1.json lists them.",
        StatusCodes.Status405MethodNotAllowed => "The call exists with another method; GET /openapi/v1.json lists them.",
        StatusCodes.Status408RequestTimeout => "The request came too slowly; send it again.",
        StatusCodes.Status413PayloadTooLarge => "The request is larger than limits.requestBytes of this node; send it in parts.",
        StatusCodes.Status415UnsupportedMediaType => "Send the body as application/json.",
        StatusCodes.Status431RequestHeaderFieldsTooLarge => "A request has at most 100 headers of 32 kB in all.",
        _ => status >= StatusCodes.Status500InternalServerError ? "The node could not do this; its log has more." : "The request cannot be read as HTTP with a JSON body.",
    };

    /// <summary>The route and never the path: an id in a path is content.</summary>
    private static string RouteOf(HttpContext context) => (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "(no route)";
}
