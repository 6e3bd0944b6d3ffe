using System.Text.Json;
using CityGrid.Protocol.Names;
using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;

namespace CityGrid.Node.Hosting;

/// <summary>
/// The transcoding drops fields that it does not know, in a body and in a query, and a misspelt "occured_at" would be now. Here such a call is
/// refused before it is read, with the place of the field. The body's size is bounded by limits.requestBytes.
/// </summary>
internal sealed class StrictJson(RequestDelegate next)
{
    private const int DepthMax = 32;

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>() is not { } call)
        {
            await next(context);
            return;
        }

        var unknown = UnknownInQuery(context.Request.Query, call.MethodDescriptor.InputType);
        if (unknown is null && call.HttpRule.Body.Length > 0)
        {
            var (body, fault) = await ReadAsync(context, call);
            unknown = fault;
            if (body is not null)
            {
                context.Request.Body = body;
            }
        }

        if (unknown is null)
        {
            await next(context);
            return;
        }

        context.Refuse(StatusCodes.Status400BadRequest, unknown);
    }

    private static async Task<(MemoryStream? Body, Refusal? Fault)> ReadAsync(HttpContext context, GrpcJsonTranscodingMetadata call)
    {
        var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        body.Position = 0;
        try
        {
            using var document = JsonDocument.Parse(body.GetBuffer().AsMemory(0, (int)body.Length), new JsonDocumentOptions { MaxDepth = DepthMax });
            var type = call.HttpRule.Body == "*" ? call.MethodDescriptor.InputType : call.MethodDescriptor.InputType.FindFieldByName(call.HttpRule.Body)?.MessageType;
            return (body, type is null ? null : Unknown(document.RootElement, type, string.Empty));
        }
        catch (JsonException e)
        {
            var where = $"line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1}";
            return (body, new Refusal("INVALID_ARGUMENT", $"The body is no JSON of at most {DepthMax} levels.", where));
        }
    }

    /// <summary>The first field that the type does not have or that stands twice; null where there is none.</summary>
    private static Refusal? Unknown(JsonElement element, MessageDescriptor type, string path)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            return path.Length > 0 ? null : new Refusal("INVALID_ARGUMENT", "The body is an object { … }.", "body");
        }

        // These have a JSON of their own, which the transcoding judges.
        if (type.File.Package == "google.protobuf")
        {
            return null;
        }

        var seen = new HashSet<FieldDescriptor>();
        foreach (var property in element.EnumerateObject())
        {
            var at = path.Length == 0 ? property.Name : $"{path}.{property.Name}";
            if (Find(type, property.Name) is not { } field)
            {
                return UnknownField(at, type);
            }

            if (!seen.Add(field))
            {
                return new Refusal("FIELD_TWICE", "The field stands twice; keep one.", at);
            }

            if (Inside(property.Value, field, at) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private static Refusal? Inside(JsonElement value, FieldDescriptor field, string at)
    {
        if (field.IsMap || field.FieldType != FieldType.Message)
        {
            return null;
        }

        if (!field.IsRepeated || value.ValueKind != JsonValueKind.Array)
        {
            return Unknown(value, field.MessageType, at);
        }

        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            if (Unknown(item, field.MessageType, $"{at}[{index++}]") is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private static Refusal? UnknownInQuery(IQueryCollection query, MessageDescriptor type)
    {
        foreach (var name in query.Keys)
        {
            var at = type;
            foreach (var part in name.Split('.'))
            {
                if (at is null || Find(at, part) is not { } field)
                {
                    return UnknownField(name, type);
                }

                at = field.FieldType == FieldType.Message && !field.IsRepeated ? field.MessageType : null;
            }
        }

        return null;
    }

    private static Refusal UnknownField(string at, MessageDescriptor type) => new(
        "UNKNOWN_FIELD", $"There is no such field; known here: {string.Join(", ", type.Fields.InDeclarationOrder().Select(field => field.JsonName))}.", at);

    private static FieldDescriptor? Find(MessageDescriptor type, string name) =>
        type.FindFieldByName(name) ?? type.Fields.InDeclarationOrder().FirstOrDefault(field => field.JsonName == name);
}
