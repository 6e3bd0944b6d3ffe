using System.Text.Json.Nodes;
using Google.Protobuf.Reflection;

namespace CityGrid.Node.Hosting;

/// <summary>The schemas of an OpenAPI document: one for each message that a call takes or gives, as it is written in JSON.</summary>
internal sealed class OpenApiSchemas(ProtoComments comments)
{
    /// <summary>The name of the schema of every error.</summary>
    public const string Error = "Error";

    private readonly SortedDictionary<string, JsonObject?> _schemas = new(StringComparer.Ordinal)
    {
        [Error] = new JsonObject
        {
            ["type"] = "object",
            ["required"] = new JsonArray("code", "message"),
            ["properties"] = new JsonObject
            {
                ["code"] = Text("A stable code: upper-case words joined by '_'."),
                ["message"] = Text("What happened, and what to do."),
                ["where"] = new JsonObject { ["type"] = new JsonArray("string", "null"), ["description"] = "The field or place that it is about." },
            },
        },
    };

    public static JsonObject Reference(string name) => new() { ["$ref"] = $"#/components/schemas/{name}" };

    public static JsonObject Text(string description) => new() { ["type"] = "string", ["description"] = description };

    public static JsonObject Whole(string description) => new() { ["type"] = "integer", ["format"] = "int64", ["description"] = description };

    public JsonObject All()
    {
        var all = new JsonObject();
        foreach (var (name, schema) in _schemas)
        {
            all[name] = schema;
        }

        return all;
    }

    public void Add(string name, JsonObject schema) => _schemas[name] = schema;

    /// <summary>The name of a message's schema, which is made when first asked for.</summary>
    public string NameOf(MessageDescriptor message)
    {
        // Null while it is being made: a message may hold itself.
        if (_schemas.TryAdd(message.Name, null))
        {
            _schemas[message.Name] = Object(message, []);
        }

        return message.Name;
    }

    public JsonObject Object(MessageDescriptor message, HashSet<string> without)
    {
        var properties = new JsonObject();
        foreach (var field in message.Fields.InDeclarationOrder().Where(field => !without.Contains(field.Name)))
        {
            properties[field.JsonName] = Described(Of(field), comments.Of(field.FullName));
        }

        // Unknown fields are refused, so the document says so.
        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false };
        return Described(schema, comments.Of(message.FullName));
    }

    public JsonObject Of(FieldDescriptor field)
    {
        if (field.IsMap)
        {
            return new JsonObject { ["type"] = "object", ["additionalProperties"] = One(field.MessageType.FindFieldByName("value")) };
        }

        return field.IsRepeated ? new JsonObject { ["type"] = "array", ["items"] = One(field) } : One(field);
    }

    private JsonObject One(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => Reference(NameOf(field.MessageType)),
        FieldType.Enum => Reference(NameOf(field.EnumType)),
        FieldType.String => new JsonObject { ["type"] = "string" },
        FieldType.Bytes => new JsonObject { ["type"] = "string", ["contentEncoding"] = "base64" },
        FieldType.Bool => new JsonObject { ["type"] = "boolean" },
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => new JsonObject { ["type"] = "integer", ["format"] = "int32" },
        FieldType.UInt32 or FieldType.Fixed32 => new JsonObject { ["type"] = "integer", ["format"] = "int32", ["minimum"] = 0 },
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => new JsonObject { ["type"] = "integer", ["format"] = "int64" },
        FieldType.UInt64 or FieldType.Fixed64 => new JsonObject { ["type"] = "integer", ["format"] = "int64", ["minimum"] = 0 },
        _ => throw new InvalidOperationException($"{field.FullName} has a type that nothing stored or sent may have."),
    };

    private string NameOf(EnumDescriptor type)
    {
        if (!_schemas.ContainsKey(type.Name))
        {
            var values = new JsonArray();
            var words = new List<string>();
            foreach (var value in type.Values)
            {
                values.Add(value.Name);
                if (comments.Of($"{type.FullName}.{value.Name}") is { } word)
                {
                    words.Add($"{value.Name}: {word}");
                }
            }

            var about = string.Join("; ", words.Prepend(comments.Of(type.FullName) ?? string.Empty).Where(text => text.Length > 0));
            _schemas[type.Name] = Described(new JsonObject { ["type"] = "string", ["enum"] = values }, about.Length > 0 ? about : null);
        }

        return type.Name;
    }

    private static JsonObject Described(JsonObject schema, string? description)
    {
        if (description is not null)
        {
            schema["description"] = description;
        }

        return schema;
    }
}
