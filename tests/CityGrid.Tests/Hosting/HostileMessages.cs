using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CityGrid.Tests.Hosting;

/// <summary>
/// What an attacker would send in place of a message, made from its descriptor alone, so that a new call or field is attacked as soon as it stands in the
/// contract.
/// </summary>
internal static class HostileMessages
{
    private static readonly ByteString NoUtf8 = ByteString.CopyFrom(0xC3, 0x28, 0xFF);

    private static readonly string[] Texts =
        ["", " ", "\0", "' OR 1=1 --", "../../../../etc/passwd", "$.x[*]", "{{7*7}}", "=cmd|' /C calc'!A0", "３３０１００", "330100 ", "\u202E\uFEFF", "\n\r\x1B[31m", "-1", "1e999", new string('x', 100_000)];

    private static readonly long[] Numbers = [-1, 0, 1, int.MinValue, int.MaxValue, uint.MaxValue, long.MinValue, long.MaxValue];

    /// <summary>Bytes for one request, each with the name of what is wrong with them.</summary>
    public static IEnumerable<(string What, byte[] Bytes)> Of(MessageDescriptor type)
    {
        yield return ("nothing", []);
        yield return ("zeros", new byte[64]);
        yield return ("groups 63 deep", [.. Enumerable.Repeat((byte)0x7B, 63), .. Enumerable.Repeat((byte)0x7C, 63)]);
        yield return ("groups 99 deep", [.. Enumerable.Repeat((byte)0x7B, 99), .. Enumerable.Repeat((byte)0x7C, 99)]);
        yield return ("groups 60,000 deep", [.. Enumerable.Repeat((byte)0x7B, 60_000)]);
        yield return ("an unknown field", [0xFA, 0x7F, 0x03, 1, 2, 3]);
        yield return ("a length past the end", [0x0A, 0xFF, 0xFF, 0xFF, 0x7F]);
        yield return ("a varint without end", Enumerable.Repeat((byte)0xFF, 40).ToArray());
        yield return ("field number 0", [0x02, 0x00]);
        foreach (var field in Paths(type, 0))
        {
            foreach (var (what, bytes) in Values(field[^1]))
            {
                yield return ($"{string.Join('.', field.Select(f => f.Name))}: {what}", Wrapped(field, bytes));
            }
        }
    }

    /// <summary>The same as JSON bodies of a transcoded call.</summary>
    public static IEnumerable<(string What, string Json)> JsonOf(MessageDescriptor type)
    {
        yield return ("nothing", "");
        yield return ("no object", "[]");
        yield return ("a number", "1e400");
        yield return ("half", "{ \"");
        yield return ("two", "{}{}");
        yield return ("33 deep", string.Concat(Enumerable.Repeat("{\"a\":", 33)) + "1" + new string('}', 33));
        yield return ("100,000 deep", new string('[', 100_000));
        yield return ("a NUL", "{\0}");
        yield return ("a half of a pair", "{ \"summary\": \"\\uD800\" }");
        yield return ("an unknown field", "{ \"__proto__\": 1 }");
        yield return ("a type", "{ \"@type\": \"type.googleapis.com/google.protobuf.Any\", \"$type\": \"System.Object\" }");
        foreach (var path in Paths(type, 0))
        {
            foreach (var value in JsonValues(path[^1]))
            {
                var body = value;
                for (var i = path.Count - 1; i >= 0; i--)
                {
                    body = path[i].IsRepeated && !(i == path.Count - 1 && value.StartsWith('[')) ? $"[{body}]" : body;
                    body = $"{{ \"{path[i].JsonName}\": {body} }}";
                }

                yield return ($"{string.Join('.', path.Select(f => f.JsonName))}: {value[..Math.Min(20, value.Length)]}", body);
            }
        }
    }

    /// <summary>The values of a query's fields.</summary>
    public static IEnumerable<string> Queries(MessageDescriptor type)
    {
        yield return "unknown=1";
        yield return "%00=%00&&==";
        yield return "__proto__[x]=1";
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            foreach (var value in Texts.Where(text => text.Length < 1000).Concat(["99999999999999999999", "NaN", "true", "%C3%28"]))
            {
                yield return $"{field.JsonName}={(value.StartsWith('%') ? value : Uri.EscapeDataString(value))}";
            }

            yield return $"{field.JsonName}=1&{field.Name}=2";
            yield return $"{field.JsonName}.x=1";
        }
    }

    private static IEnumerable<IReadOnlyList<FieldDescriptor>> Paths(MessageDescriptor type, int depth)
    {
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            yield return [field];
            if (field.FieldType == FieldType.Message && depth < 3)
            {
                foreach (var inner in Paths(field.MessageType, depth + 1))
                {
                    yield return [field, .. inner];
                }
            }
        }
    }

    private static IEnumerable<string> JsonValues(FieldDescriptor field)
    {
        foreach (var value in new[] { "null", "true", "{}", "[]", "[null]", "[[]]", "\"\"", "-1", "0.5", "1e400", "99999999999999999999999999999999", "\"\\u0000\"", "\"NaN\"", "\"９９\"" })
        {
            yield return value;
        }

        if (field.IsRepeated)
        {
            yield return $"[{string.Join(',', Enumerable.Repeat(field.FieldType == FieldType.Message ? "{}" : "\"1\"", 10_001))}]";
        }
        else if (field.FieldType == FieldType.String)
        {
            yield return $"\"{new string('x', 100_000)}\"";
        }
    }

    private static IEnumerable<(string What, byte[] Bytes)> Values(FieldDescriptor field)
    {
        switch (field.FieldType)
        {
            case FieldType.String or FieldType.Bytes:
                foreach (var text in Texts)
                {
                    yield return ($"\"{text[..Math.Min(12, text.Length)]}\"", Tagged(field, ByteString.CopyFromUtf8(text)));
                }

                yield return ("no UTF-8", Tagged(field, NoUtf8));
                break;
            case FieldType.Message:
                yield return ("no message", Tagged(field, NoUtf8));
                break;
            default:
                foreach (var number in Numbers)
                {
                    yield return ($"{number}", Number(field, number));
                }

                break;
        }

        yield return ("another wire type", Written(output =>
        {
            output.WriteTag(field.FieldNumber, WireFormat.WireType.Fixed32);
            output.WriteFixed32(7);
        }));
        if (field.IsRepeated)
        {
            yield return ("10,001 times", Written(output =>
            {
                for (var i = 0; i <= 10_000; i++)
                {
                    output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
                    output.WriteBytes(ByteString.Empty);
                }
            }));
        }
    }

    private static byte[] Number(FieldDescriptor field, long number) => Written(output =>
    {
        switch (field.FieldType)
        {
            case FieldType.Fixed64 or FieldType.SFixed64 or FieldType.Double:
                output.WriteTag(field.FieldNumber, WireFormat.WireType.Fixed64);
                output.WriteFixed64(unchecked((ulong)number));
                break;
            case FieldType.Fixed32 or FieldType.SFixed32 or FieldType.Float:
                output.WriteTag(field.FieldNumber, WireFormat.WireType.Fixed32);
                output.WriteFixed32(unchecked((uint)number));
                break;
            default:
                output.WriteTag(field.FieldNumber, WireFormat.WireType.Varint);
                output.WriteInt64(number);
                break;
        }
    });

    private static byte[] Tagged(FieldDescriptor field, ByteString bytes) => Written(output =>
    {
        output.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(bytes);
    });

    private static byte[] Wrapped(IReadOnlyList<FieldDescriptor> path, byte[] inner)
    {
        for (var i = path.Count - 2; i >= 0; i--)
        {
            inner = Tagged(path[i], ByteString.CopyFrom(inner));
        }

        return inner;
    }

    private static byte[] Written(Action<CodedOutputStream> write)
    {
        using var bytes = new MemoryStream();
        var output = new CodedOutputStream(bytes);
        write(output);
        output.Flush();
        return bytes.ToArray();
    }
}
