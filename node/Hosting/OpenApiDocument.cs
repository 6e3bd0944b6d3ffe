using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Google.Api;
using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;

namespace CityGrid.Node.Hosting;

/// <summary>
/// The OpenAPI 3.1 document of a node's calls over HTTP. It is made of the protobuf descriptors of the mapped calls, which are the contract, so it
/// cannot differ from what the node does; the texts are the contract's comments.
/// </summary>
internal sealed partial class OpenApiDocument(ProtoComments comments)
{
    private readonly OpenApiSchemas _schemas = new(comments);

    public JsonObject Of(IEnumerable<Microsoft.AspNetCore.Http.Endpoint> endpoints)
    {
        var paths = new JsonObject();
        var calls = endpoints
            .Select(endpoint => endpoint.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>())
            .OfType<GrpcJsonTranscodingMetadata>()
            .Select(call => (call.MethodDescriptor, Route: RouteOf(call.HttpRule), Body: call.HttpRule.Body))
            .OrderBy(call => call.Route.Path, StringComparer.Ordinal).ThenBy(call => call.Route.Verb, StringComparer.Ordinal);
        foreach (var (method, route, body) in calls)
        {
            At(paths, route.Path)[route.Verb] = Operation(method, route.Path, body);
        }

        OpenApiOps.AddTo(paths, _schemas);
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "CityGrid node",
                ["version"] = "1",
                ["description"] = "What a node of CityGrid offers over HTTP as JSON. The same calls are there over gRPC on the node's gRPC port.",
            },
            ["security"] = new JsonArray(new JsonObject { ["bearer"] = new JsonArray() }),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["securitySchemes"] = new JsonObject { ["bearer"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" } },
                ["schemas"] = _schemas.All(),
            },
        };
    }

    internal static JsonObject Answer(string description, string schema) => new()
    {
        ["description"] = description,
        ["content"] = new JsonObject { ["application/json"] = new JsonObject { ["schema"] = OpenApiSchemas.Reference(schema) } },
    };

    private JsonObject Operation(MethodDescriptor method, string path, string body)
    {
        var inPath = PathVariables(path);
        var operation = new JsonObject
        {
            ["operationId"] = $"{method.Service.Name}_{method.Name}",
            ["tags"] = new JsonArray(method.Service.Name),
        };
        if (comments.Of(method.FullName) is { } text)
        {
            operation["summary"] = text;
        }

        var parameters = new JsonArray();
        foreach (var field in method.InputType.Fields.InDeclarationOrder())
        {
            if (inPath.Contains(field.Name) || body.Length == 0)
            {
                parameters.Add(Parameter(field, inPath.Contains(field.Name)));
            }
        }

        if (parameters.Count > 0)
        {
            operation["parameters"] = parameters;
        }

        if (body.Length > 0)
        {
            operation["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject { ["application/json"] = new JsonObject { ["schema"] = BodySchema(method, body, inPath) } },
            };
        }

        operation["responses"] = new JsonObject
        {
            ["200"] = Answer(comments.Of(method.OutputType.FullName) ?? "The answer.", _schemas.NameOf(method.OutputType)),
            ["default"] = Answer("The call was refused, with a stable code.", OpenApiSchemas.Error),
        };
        return operation;
    }

    private JsonObject Parameter(FieldDescriptor field, bool inPath)
    {
        var parameter = new JsonObject
        {
            ["name"] = inPath ? field.Name : field.JsonName,
            ["in"] = inPath ? "path" : "query",
            ["schema"] = _schemas.Of(field),
        };
        if (inPath)
        {
            parameter["required"] = true;
        }

        if (comments.Of(field.FullName) is { } text)
        {
            parameter["description"] = text;
        }

        return parameter;
    }

    /// <summary>The request without what stands in the path.</summary>
    private JsonObject BodySchema(MethodDescriptor method, string body, HashSet<string> inPath) =>
        body != "*" ? _schemas.Of(method.InputType.FindFieldByName(body))
        : inPath.Count == 0 ? OpenApiSchemas.Reference(_schemas.NameOf(method.InputType))
        : _schemas.Object(method.InputType, inPath);

    private static JsonObject At(JsonObject paths, string path)
    {
        if (paths[path] is JsonObject found)
        {
            return found;
        }

        var item = new JsonObject();
        paths[path] = item;
        return item;
    }

    private static (string Verb, string Path) RouteOf(HttpRule rule) => rule.PatternCase switch
    {
        HttpRule.PatternOneofCase.Get => ("get", rule.Get),
        HttpRule.PatternOneofCase.Post => ("post", rule.Post),
        HttpRule.PatternOneofCase.Put => ("put", rule.Put),
        HttpRule.PatternOneofCase.Delete => ("delete", rule.Delete),
        HttpRule.PatternOneofCase.Patch => ("patch", rule.Patch),
        _ => throw new InvalidOperationException($"The route {rule.Custom} has a verb that the document does not know."),
    };

    private static HashSet<string> PathVariables(string path) => [.. Variable().Matches(path).Select(match => match.Groups[1].Value)];

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex Variable();
}
