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
    public StatusCode Status { get; } = status;

    public Refusal Refusal { get; } = refusal;
}

/// <summary>How a refusal gets to the caller.</summary>
public static class Refusals
{
    /// <summary>Trailers that carry the parts of a refusal over gRPC, for programs that do not want to read the message.</summary>
    public const string CodeTrailer = "citygrid-code";

    public const string WhereTrailer = "citygrid-where";

    /// <summary>Answers with a refusal: over gRPC as a status, over HTTP as the status given and an <see cref="ErrorBody"/>.</summary>
    public static void Refuse(this HttpContext context, int httpStatus, Refusal refusal)
    {
        if (IsGrpc(context))
        {
            var response = context.Response;
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = "application/grpc";
            response.Headers["grpc-status"] = ((int)GrpcStatus(httpStatus)).ToString(System.Globalization.CultureInfo.InvariantCulture);
            response.Headers["grpc-message"] = Uri.EscapeDataString(refusal.SpokenTo(context.Request).ToString());
            return;
        }

        context.Features.Set(refusal);
        context.Response.StatusCode = httpStatus;
    }

    internal static bool IsGrpc(HttpContext context) =>
        context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) ?? false;

    internal static Task WriteAsync(HttpResponse response, Refusal refusal)
    {
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = null;
        return JsonSerializer.SerializeAsync(response.Body, ErrorBody.Of(refusal.SpokenTo(response.HttpContext.Request)), ErrorJson.Readable.ErrorBody, response.HttpContext.RequestAborted);
    }

    internal static RpcException ToRpc(RefusedException refused, HttpRequest caller)
    {
        var trailers = new Metadata { { CodeTrailer, refused.Refusal.Code } };
        if (refused.Refusal.Where is { } where && where.All(char.IsAscii))
        {
            trailers.Add(WhereTrailer, where);
        }

        return new RpcException(new Status(refused.Status, refused.Refusal.SpokenTo(caller).ToString()), trailers);
    }

    private static StatusCode GrpcStatus(int httpStatus) => httpStatus switch
    {
        StatusCodes.Status400BadRequest => StatusCode.InvalidArgument,
        StatusCodes.Status401Unauthorized => StatusCode.Unauthenticated,
        StatusCodes.Status403Forbidden => StatusCode.PermissionDenied,
        StatusCodes.Status404NotFound => StatusCode.Unimplemented,
        StatusCodes.Status503ServiceUnavailable => StatusCode.Unavailable,
        _ => StatusCode.Internal,
    };
}
