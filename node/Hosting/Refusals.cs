using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using CityGrid.Protocol.Names;
using Grpc.Core;

namespace CityGrid.Node.Hosting;

/// <summary>The body of every error over HTTP: a stable code, what happened and what to do, and where.</summary>
public sealed record ErrorBody(string Code, string Message, string? Where)
{
    internal static ErrorBody Of(Refusal refusal) => new(refusal.Code, refusal.Message, refusal.Where);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ErrorBody))]
internal sealed partial class ErrorJson : JsonSerializerContext
{
    /// <summary>Names of places are read by people, so they stand as they are; nothing here is ever put into a page.</summary>
    public static ErrorJson Readable { get; } = new(new JsonSerializerOptions(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

/// <summary>A call was refused: thrown inside a gRPC method, answered as the status that fits with the code in front of the message.</summary>
public sealed class RefusedException(StatusCode status, Refusal refusal) : Exception(refusal.ToString())
{
    /// <summary>After how long the call may be repeated; null where the refusal says what to do.</summary>
    public TimeSpan? Wait { get; init; }

    public StatusCode Status { get; } = status;

    public Refusal Refusal { get; } = refusal;
}

/// <summary>How a refusal gets to the caller.</summary>
public static class Refusals
{
    /// <summary>Trailers that carry the parts of a refusal over gRPC, for programs that do not want to read the message.</summary>
    public const string CodeTrailer = Protocol.Wire.BoundedCalls.CodeTrailer;

    public const string WhereTrailer = "citygrid-where";

    /// <summary>
    /// A refusal repeats what the caller sent, and a caller may send much: of the text so many characters are told, and over gRPC, where it travels in a
    /// header in which a Chinese character takes nine bytes, that is well within what a client takes.
    /// </summary>
    private const int MessageMax = 1_000;

    private const int WhereMax = 200;

    /// <summary>Answers with a refusal: over gRPC as a status, over HTTP as the status given and an <see cref="ErrorBody"/>.</summary>
    public static void Refuse(this HttpContext context, int httpStatus, Refusal refusal)
    {
        if (IsGrpc(context))
        {
            var response = context.Response;
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = "application/grpc";
            response.Headers["grpc-status"] = ((int)GrpcStatus(httpStatus)).ToString(System.Globalization.CultureInfo.InvariantCulture);
            response.Headers["grpc-message"] = Uri.EscapeDataString(refusal.Told(context.Request).ToString());
            return;
        }

        context.Features.Set(refusal);
        context.Response.StatusCode = httpStatus;
    }

    /// <summary>The same for a call that may be repeated after a while, which stands in the header Retry-After in whole seconds.</summary>
    public static void Refuse(this HttpContext context, int httpStatus, Refusal refusal, TimeSpan wait)
    {
        context.Response.Headers.RetryAfter = InSeconds(wait);
        context.Refuse(httpStatus, refusal);
    }

    internal static string InSeconds(TimeSpan wait) => Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);

    internal static bool IsGrpc(HttpContext context) =>
        context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) ?? false;

    internal static Task WriteAsync(HttpResponse response, Refusal refusal)
    {
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = null;
        return JsonSerializer.SerializeAsync(response.Body, ErrorBody.Of(refusal.Told(response.HttpContext.Request)), ErrorJson.Readable.ErrorBody, response.HttpContext.RequestAborted);
    }

    internal static RpcException ToRpc(RefusedException refused, HttpRequest caller)
    {
        var trailers = new Metadata { { CodeTrailer, refused.Refusal.Code } };
        var told = refused.Refusal.Told(caller);
        if (told.Where is { } where && where.All(c => c is >= ' ' and <= '~'))
        {
            trailers.Add(WhereTrailer, where);
        }

        return new RpcException(new Status(refused.Status, told.ToString()), trailers);
    }

    /// <summary>In the caller's language, and no longer than it may be.</summary>
    private static Refusal Told(this Refusal refusal, HttpRequest caller)
    {
        var spoken = refusal.SpokenTo(caller);
        return spoken with { Message = Clipped(spoken.Message, MessageMax), Where = spoken.Where is { } where ? Clipped(where, WhereMax) : null };
    }

    /// <summary>A pair of surrogates is not cut in two, which would be no text.</summary>
    private static string Clipped(string text, int most) =>
        text.Length <= most ? text : $"{text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)]}…";

    private static StatusCode GrpcStatus(int httpStatus) => httpStatus switch
    {
        StatusCodes.Status400BadRequest => StatusCode.InvalidArgument,
        StatusCodes.Status401Unauthorized => StatusCode.Unauthenticated,
        StatusCodes.Status403Forbidden => StatusCode.PermissionDenied,
        StatusCodes.Status404NotFound => StatusCode.Unimplemented,
        StatusCodes.Status429TooManyRequests => StatusCode.ResourceExhausted,
        StatusCodes.Status503ServiceUnavailable => StatusCode.Unavailable,
        _ => StatusCode.Internal,
    };
}
