using System.Globalization;
using System.Text.Json;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using Google.Protobuf.Reflection;

namespace CityGrid.Node.Hosting;

/// <summary>
/// Holds a JSON value against the message that it should be: every field known, once, of its type and within its range, and one of a oneof. The
/// first fault is told with its place, such as <c>rows[3].personal.colour</c>. A null is a field left out, as protobuf's JSON has it.
/// </summary>
/// <param name="inPath">Whether the path of the call says what stands in a field of the request, by its name in the contract.</param>
internal sealed class StrictMessage(Func<string, bool> inPath)
{
    private const int ToldMax = 60;

    private int _items;

    public Refusal? FaultOf(JsonElement body, MessageDescriptor type) => body.ValueKind == JsonValueKind.Object
        ? Fields(body, type, string.Empty)
        : new Refusal("INVALID_ARGUMENT", $"The body is {Kind(body)}; send an object {{ … }}.", "body");

    public static FieldDescriptor? Find(MessageDescriptor type, string name) =>
        type.FindFieldByName(name) ?? type.Fields.InDeclarationOrder().FirstOrDefault(field => field.JsonName == name);

    public static Refusal UnknownField(string at, MessageDescriptor type) => new(
        "UNKNOWN_FIELD",
        type.Fields.InDeclarationOrder().Count == 0 ? "This call has no fields." : $"There is no such field; known here: {string.Join(", ", type.Fields.InDeclarationOrder().Select(field => field.JsonName))}.",
        at);

    public static Refusal Twice(string at) => new("FIELD_TWICE", "The field stands twice; keep one.", at);

    public static Refusal InThePath(string at) => new("FIELD_TWICE", "The path of the call says this already; leave the field out.", at);

    /// <summary>What is wrong with the text of a query's value.</summary>
    public static Refusal? FaultOfText(string text, FieldDescriptor field, string at)
    {
        var good = field.FieldType switch
        {
            FieldType.String => true,
            FieldType.Bool => text is "true" or "false",
            FieldType.Enum => field.EnumType.FindValueByName(text) is not null,
            FieldType.Bytes => IsBase64(text),
            FieldType.Message or FieldType.Group => false,
            _ => Whole(text, out var value) && InRange(value, field.FieldType),
        };
        return good ? null : WrongType(at, field, text.Length == 0 ? "an empty text" : text);
    }

    private Refusal? Fields(JsonElement element, MessageDescriptor type, string path)
    {
        var seen = new HashSet<FieldDescriptor>();
        var choices = new Dictionary<OneofDescriptor, string>();
        foreach (var property in element.EnumerateObject())
        {
            var at = path.Length == 0 ? property.Name : $"{path}.{property.Name}";
            var fault = Find(type, property.Name) is not { } field ? UnknownField(at, type)
                : !seen.Add(field) ? Twice(at)
                : path.Length == 0 && inPath(field.Name) ? InThePath(at)
                : property.Value.ValueKind == JsonValueKind.Null ? null
                : field.RealContainingOneof is { } choice && !choices.TryAdd(choice, property.Name) ? OneOf(choice, choices[choice], at)
                : Value(property.Value, field, at);
            if (fault is not null)
            {
                return fault;
            }
        }

        return null;
    }

    private Refusal? Value(JsonElement value, FieldDescriptor field, string at)
    {
        if (field.IsMap)
        {
            return value.ValueKind == JsonValueKind.Object ? Map(value, field, at) : WrongKind(at, "an object", value);
        }

        if (!field.IsRepeated)
        {
            return One(value, field, at);
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            return WrongKind(at, "a list [ … ]", value);
        }

        var length = value.GetArrayLength();
        _items += Math.Min(length, MessageBounds.ItemsInAllMax + 1);
        if (length > MessageBounds.ItemsMax || _items > MessageBounds.ItemsInAllMax)
        {
            return new Refusal("TOO_MANY_ITEMS", $"A list has at most {MessageBounds.ItemsMax} items, and a body {MessageBounds.ItemsInAllMax} in all; send them in parts.", at);
        }

        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            if (One(item, field, $"{at}[{index++}]") is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private Refusal? Map(JsonElement value, FieldDescriptor field, string at)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var of = field.MessageType.FindFieldByName("value");
        foreach (var property in value.EnumerateObject())
        {
            var place = $"{at}.{property.Name}";
            if ((seen.Add(property.Name) ? One(property.Value, of, place) : Twice(place)) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    private Refusal? One(JsonElement value, FieldDescriptor field, string at)
    {
        if (field.FieldType == FieldType.Message)
        {
            return value.ValueKind == JsonValueKind.Object ? Fields(value, field.MessageType, at) : WrongKind(at, "an object { … }", value);
        }

        return value.ValueKind switch
        {
            // A number in quotes is protobuf's JSON, but none that the transcoding takes here.
            JsonValueKind.String when field.FieldType is FieldType.String or FieldType.Bytes or FieldType.Enum => FaultOfText(value.GetString()!, field, at),
            JsonValueKind.True or JsonValueKind.False when field.FieldType == FieldType.Bool => null,
            JsonValueKind.Number when field.FieldType == FieldType.Enum =>
                Whole(value.GetRawText(), out var number) && Known(field.EnumType, number) ? null : WrongType(at, field, value.GetRawText()),
            JsonValueKind.Number when field.FieldType is not (FieldType.String or FieldType.Bytes or FieldType.Bool) => FaultOfText(value.GetRawText(), field, at),
            _ => WrongType(at, field, Kind(value)),
        };
    }

    private static Refusal OneOf(OneofDescriptor choice, string first, string at) => new(
        "FIELD_TWICE", $"Only one of {string.Join(", ", choice.Fields.Select(field => field.JsonName))} may stand, and {first} does already.", at);

    private static Refusal WrongType(string at, FieldDescriptor field, string found) => new(
        "WRONG_TYPE", $"The field is {Wanted(field)}, and {(found.Length > ToldMax ? "another text" : found)} stands there.", at);

    private static Refusal WrongKind(string at, string wanted, JsonElement found) => new("WRONG_TYPE", $"The field is {wanted}, and {Kind(found)} stands there.", at);

    private static string Wanted(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.String => "a text",
        FieldType.Bool => "true or false",
        FieldType.Bytes => "a text of base64",
        FieldType.Enum => $"one of {string.Join(", ", field.EnumType.Values.Select(value => value.Name))}",
        FieldType.Message or FieldType.Group => "an object { … }",
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => "a whole number of 32 bits",
        FieldType.UInt32 or FieldType.Fixed32 => "a whole number of 32 bits from 0",
        FieldType.UInt64 or FieldType.Fixed64 => "a whole number of 64 bits from 0",
        _ => "a whole number of 64 bits",
    };

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };

    /// <summary>The library takes a sign, which protobuf does not know, and zero bytes at the end.</summary>
    private static bool Whole(string text, out Int128 value) =>
        Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && text[0] != '+' && text[^1] != '\0';

    private static bool Known(EnumDescriptor type, Int128 number) => number >= int.MinValue && number <= int.MaxValue && type.FindValueByNumber((int)number) is not null;

    private static bool InRange(Int128 value, FieldType type) => type switch
    {
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => value >= int.MinValue && value <= int.MaxValue,
        FieldType.UInt32 or FieldType.Fixed32 => value >= 0 && value <= uint.MaxValue,
        FieldType.UInt64 or FieldType.Fixed64 => value >= 0 && value <= ulong.MaxValue,
        _ => value >= long.MinValue && value <= long.MaxValue,
    };

    private static bool IsBase64(string text) =>
        System.Buffers.Text.Base64.IsValid(text) && text.Length % 4 == 0;
}
