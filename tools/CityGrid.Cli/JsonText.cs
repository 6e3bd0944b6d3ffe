using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CityGrid.Cli;

/// <summary>
/// A message as the node's own port writes it over HTTP: what is 0 or empty is there, and a whole number is a number. The library's formatter writes numbers of 64 bits as texts, for readers that
/// have no whole numbers past 2^53; figures here stay below 10^15.
/// </summary>
internal static class JsonText
{
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonSerializerOptions Plain = new(Indented) { WriteIndented = false };

    public static string Of(IMessage message, bool indented = false)
    {
        var json = JsonNode.Parse(Formatter.Format(message))!.AsObject();
        WithNumbers(json, message.Descriptor);
        return json.ToJsonString(indented ? Indented : Plain);
    }

    private static void WithNumbers(JsonObject json, MessageDescriptor descriptor)
    {
        foreach (var field in descriptor.Fields.InDeclarationOrder())
        {
            if (json[field.JsonName] is not { } value)
            {
                continue;
            }

            if (field.IsMap)
            {
                var of = field.MessageType.FindFieldByNumber(2);
                foreach (var (key, one) in value.AsObject().ToArray())
                {
                    value[key] = Number(one, of);
                }
            }
            else if (field.IsRepeated)
            {
                var list = value.AsArray();
                for (var i = 0; i < list.Count; i++)
                {
                    list[i] = Number(list[i], field);
                }
            }
            else
            {
                json[field.JsonName] = Number(value, field);
            }
        }
    }

    private static JsonNode? Number(JsonNode? value, FieldDescriptor field)
    {
        switch (field.FieldType)
        {
            case FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 when value is JsonValue text && text.TryGetValue<string>(out var signed):
                return long.Parse(signed, CultureInfo.InvariantCulture);
            case FieldType.UInt64 or FieldType.Fixed64 when value is JsonValue text && text.TryGetValue<string>(out var whole):
                return ulong.Parse(whole, CultureInfo.InvariantCulture);
            case FieldType.Message when value is JsonObject inner:
                WithNumbers(inner, field.MessageType);
                break;
            default:
                break;
        }

        // A node has one place; it is put back where it was taken from.
        return value?.DeepClone();
    }
}
