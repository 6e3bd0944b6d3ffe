using System.Text.Json;
using CityGrid.Protocol.Names;
using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;

namespace CityGrid.Node.Hosting;

/// <summary>
/// The transcoding drops fields that it does not know, in a body and in a query, takes the last of two, and says nothing of the place; a misspelt
/// "occured_at" would be now. Here such a call is refused before it is read, with the place of the field. The body's size is bounded by
/// limits.requestBytes.
/// </summary>
internal sealed class StrictJson(RequestDelegate next)
{
    internal const int DepthMax = 32;

    public Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetEndpoint()?.Metadata;
        if (endpoint?.GetMetadata<GrpcJsonTranscodingMetadata>() is { } call)
        {
            return ReadStrictlyAsync(context, call);
        }

        if (endpoint?.GetMetadata<QueryWords>() is { } words && words.Other(context.Request.Query) is { } other)
        {
            context.Refuse(StatusCodes.Status400BadRequest, other);
            return Task.CompletedTask;
        }

        return next(context);
    }

    private async Task ReadStrictlyAsync(HttpContext context, GrpcJsonTranscodingMetadata call)
    {
        var fault = InQuery(context, call.MethodDescriptor.InputType);
        if (fault is null && call.HttpRule.Body.Length > 0)
        {
            if (!context.Request.HasJsonContentType())
            {
                context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
                return;
            }

            (context.Request.Body, fault) = await ReadAsync(context, call);
        }

        if (fault is null)
        {
            await next(context);
            return;
        }

        context.Refuse(StatusCodes.Status400BadRequest, fault);
    }

    private static async Task<(Stream Body, Refusal? Fault)> ReadAsync(HttpContext context, GrpcJsonTranscodingMetadata call)
    {
        var body = new MemoryStream();
        try
        {
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        }
        catch (IOException e) when (e is not BadHttpRequestException)
        {
            // Chunks that are none, or a caller that is gone; where the next request would begin nobody knows.
            context.Response.Headers.Connection = "close";
            return (body, new Refusal("BAD_REQUEST", "The body ends before it is whole, or its chunks are none; send it again.", "body"));
        }

        body.Position = 0;
        try
        {
            // Trailing bytes, comments, trailing commas and a byte order mark are all no JSON.
            using var document = JsonDocument.Parse(body.GetBuffer().AsMemory(0, (int)body.Length), new JsonDocumentOptions { MaxDepth = DepthMax });
            return (body, new StrictMessage(context.Request.RouteValues.ContainsKey).FaultOf(document.RootElement, call.MethodDescriptor.InputType));
        }
        catch (JsonException e)
        {
            var where = $"line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1}";
            return (body, new Refusal("INVALID_ARGUMENT", $"The body is no JSON object in UTF-8 of at most {DepthMax} levels; send one and nothing after it.", where));
        }
        catch (InvalidOperationException)
        {
            // What the reader says of a text that is half of a character.
            return (body, new Refusal("INVALID_ARGUMENT", "A text in the body is not Unicode: bytes that are no UTF-8, or half of a surrogate pair.", "body"));
        }
    }

    private static Refusal? InQuery(HttpContext context, MessageDescriptor type)
    {
        foreach (var (name, values) in context.Request.Query)
        {
            if (FieldOf(type, name) is not { } field)
            {
                return StrictMessage.UnknownField(name, type);
            }

            if (context.Request.RouteValues.ContainsKey(field.Name))
            {
                return StrictMessage.InThePath(name);
            }

            if (!field.IsRepeated && values.Count > 1)
            {
                return StrictMessage.Twice(name);
            }

            if (values.Select(value => StrictMessage.FaultOfText(value ?? string.Empty, field, name)).FirstOrDefault(fault => fault is not null) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    /// <summary>The field at a dotted name.</summary>
    private static FieldDescriptor? FieldOf(MessageDescriptor type, string name)
    {
        var at = type;
        FieldDescriptor? field = null;
        foreach (var part in name.Split('.'))
        {
            field = at is null ? null : StrictMessage.Find(at, part);
            at = field is { FieldType: FieldType.Message, IsRepeated: false } ? field.MessageType : null;
        }

        return field;
    }
}

/// <summary>The words that the query of a call without a protobuf request may have, each once.</summary>
internal sealed record QueryWords(params string[] Known)
{
    public Refusal? Other(IQueryCollection query)
    {
        foreach (var (name, values) in query)
        {
            if (!Known.Contains(name))
            {
                return new Refusal("UNKNOWN_FIELD", Known.Length == 0 ? "This call has no fields." : $"There is no such field; known here: {string.Join(", ", Known)}.", name);
            }

            if (values.Count > 1)
            {
                return StrictMessage.Twice(name);
            }
        }

        return null;
    }
}
