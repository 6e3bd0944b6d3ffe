using System.Buffers.Binary;
using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Wire;

namespace CityGrid.Tests.Fuzz;

/// <summary>Changes of inputs, drawn from a seed: blindly in the bytes, and by shape, so that the change is still a message or a text of that language.</summary>
internal sealed class Mutations(SeededEntropy entropy, FuzzTarget target)
{
    private const int LengthMax = 64 << 10;

    private static readonly long[] Edges = [0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, int.MaxValue, int.MinValue, uint.MaxValue, long.MaxValue, long.MinValue, 1_000_000, 10_001];

    private static readonly string[] Texts =
        ["", " ", "\0", "\"", "\\", "\r\n", "\n", ",", ";", "'", "-1", "0", "1e400", "NaN", "null", "true", "{}", "[]", "[[[[[[[[[[", "{\"\":{\"\":", "\uFEFF", "\u202E", "\uFFFE", "\\ud800", "\\u0000", "\\udc00\\ud800", "９", "2026-02-30",
         "9999-12-31T23:59:60Z", "0000-00-00", "99999999999999999999", "𠮷", "\u0001", "//", "/*", "A.B", "../", "%s", "=1+1"];

    public byte[] Changed(IReadOnlyList<byte[]> pool)
    {
        var bytes = pool[entropy.Below(pool.Count)];
        for (var k = entropy.Below(4); k >= 0; k--)
        {
            bytes = entropy.OneIn(3) || target.Shape == Shape.Bytes ? Blind(bytes, pool) : target.Shape == Shape.Protobuf ? Message(bytes, pool, 0) : Text(bytes);
            bytes = bytes.Length > LengthMax ? bytes[..LengthMax] : bytes;
        }

        return entropy.OneIn(2) ? target.Mend(bytes) : bytes;
    }

    private byte[] Blind(byte[] bytes, IReadOnlyList<byte[]> pool)
    {
        var at = entropy.Below(bytes.Length + 1);
        var length = Math.Min(entropy.Below(1 << entropy.Below(10)), bytes.Length - at);
        switch (entropy.Below(9))
        {
            case 0 when bytes.Length > 0:
                var flipped = (byte[])bytes.Clone();
                flipped[entropy.Below(bytes.Length)] ^= (byte)(1 << entropy.Below(8));
                return flipped;
            case 1 when bytes.Length > 0:
                var set = (byte[])bytes.Clone();
                set[entropy.Below(bytes.Length)] = (byte)entropy.Below(256);
                return set;
            case 2:
                return [.. bytes[..at], .. bytes[(at + length)..]];
            case 3:
                return [.. bytes[..(at + length)], .. bytes[at..]];
            case 4:
                return bytes[..at];
            case 5:
                var other = pool[entropy.Below(pool.Count)];
                return [.. bytes[..at], .. other[entropy.Below(other.Length + 1)..]];
            case 6:
                var number = new byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(number, Edges[entropy.Below(Edges.Length)]);
                if (entropy.OneIn(2))
                {
                    Array.Reverse(number);
                }

                var size = 1 << entropy.Below(4);
                return [.. bytes[..at], .. number[..size], .. bytes[Math.Min(at + size, bytes.Length)..]];
            case 7:
                return [.. bytes[..at], .. Varint64(unchecked((ulong)Edges[entropy.Below(Edges.Length)])), .. bytes[at..]];
            default:
                return [.. bytes[..at], .. Encoding.UTF8.GetBytes(Word()), .. bytes[(at + length)..]];
        }
    }

    private string Word() => target.Words.Count > 0 && entropy.OneIn(2) ? target.Words[entropy.Below(target.Words.Count)] : Texts[entropy.Below(Texts.Length)];

    /// <summary>Replaces, doubles or drops one word, number or mark of a text.</summary>
    private byte[] Text(byte[] bytes)
    {
        var text = Encoding.UTF8.GetString(bytes);
        var tokens = System.Text.RegularExpressions.Regex.Matches(text, "\"[^\"]*\"|[\\w.:+-]+|[^\\s\\w]");
        if (tokens.Count == 0)
        {
            return Encoding.UTF8.GetBytes(Word());
        }

        var token = tokens[entropy.Below(tokens.Count)];
        var (head, tail) = (text[..token.Index], text[(token.Index + token.Length)..]);
        var quoted = token.Value.StartsWith('"');
        var changed = entropy.Below(6) switch
        {
            0 => head + tail,
            1 => head + token.Value + token.Value + tail,
            2 => head + tokens[entropy.Below(tokens.Count)].Value + tail,
            3 => head + (quoted ? $"\"{Word()}\"" : Word()) + tail,
            4 => head + Edges[entropy.Below(Edges.Length)] + tail,
            _ => head + (quoted ? $"\"{new string('x', 1 << entropy.Below(12))}\"" : string.Concat(Enumerable.Repeat(token.Value, 1 << entropy.Below(8)))) + tail,
        };
        return Encoding.UTF8.GetBytes(changed);
    }

    /// <summary>Changes one field of a message, or of a message inside it; lengths stay right.</summary>
    private byte[] Message(byte[] bytes, IReadOnlyList<byte[]> pool, int depth)
    {
        var fields = Fields(bytes);
        if (fields.Count == 0)
        {
            return Blind(bytes, pool);
        }

        var at = entropy.Below(fields.Count);
        var (number, wire, value) = fields[at];
        if (wire == 2 && depth < 6 && entropy.Below(4) > 0 && Fields(value).Count > 0)
        {
            fields[at] = (number, wire, Message(value, pool, depth + 1));
            return Written(fields);
        }

        switch (entropy.Below(8))
        {
            case 0:
                fields.RemoveAt(at);
                break;
            case 1:
                fields.Insert(at, fields[at]);
                break;
            case 2:
                var other = entropy.Below(fields.Count);
                (fields[at], fields[other]) = (fields[other], fields[at]);
                break;
            case 3:
                fields[at] = (1 + entropy.Below(20), wire, value);
                break;
            case 4:
                fields[at] = (number, 2, Encoding.UTF8.GetBytes(Word()));
                break;
            case 5 when wire == 2:
                fields[at] = (number, wire, Blind(value, pool));
                break;
            case 6:
                fields.InsertRange(at, Enumerable.Repeat(fields[at], 1 << entropy.Below(8)));
                break;
            default:
                fields[at] = wire == 1 ? (number, wire, BitConverter.GetBytes(Edges[entropy.Below(Edges.Length)]))
                    : wire == 0 ? (number, wire, Varint64(unchecked((ulong)Edges[entropy.Below(Edges.Length)])))
                    : (number, wire, Blind(value, pool));
                break;
        }

        return Written(fields);
    }

    /// <summary>The fields of a message; none where the bytes are no message.</summary>
    private static List<(int Number, int Wire, byte[] Value)> Fields(byte[] bytes)
    {
        var fields = new List<(int, int, byte[])>();
        var at = 0;
        while (at < bytes.Length)
        {
            if (!Varint.TryRead(bytes, ref at, out var tag) || tag >> 3 is 0 or > 1 << 20)
            {
                return [];
            }

            var start = at;
            switch (tag & 7)
            {
                case 0 when Varint.TryRead(bytes, ref at, out _):
                    fields.Add(((int)(tag >> 3), 0, bytes[start..at]));
                    break;
                case 1 when at + 8 <= bytes.Length:
                    at += 8;
                    fields.Add(((int)(tag >> 3), 1, bytes[start..at]));
                    break;
                case 5 when at + 4 <= bytes.Length:
                    at += 4;
                    fields.Add(((int)(tag >> 3), 5, bytes[start..at]));
                    break;
                case 2 when Varint.TryRead(bytes, ref at, out var length) && length <= (ulong)(bytes.Length - at):
                    start = at;
                    at += (int)length;
                    fields.Add(((int)(tag >> 3), 2, bytes[start..at]));
                    break;
                default:
                    return [];
            }
        }

        return fields;
    }

    private static byte[] Written(List<(int Number, int Wire, byte[] Value)> fields)
    {
        using var bytes = new MemoryStream();
        foreach (var (number, wire, value) in fields)
        {
            bytes.Write(Varint64(((ulong)number << 3) | (uint)wire));
            if (wire == 2)
            {
                bytes.Write(Varint64((ulong)value.Length));
            }

            bytes.Write(value);
        }

        return bytes.ToArray();
    }

    private static byte[] Varint64(ulong value)
    {
        var bytes = new byte[Varint.BytesMax];
        return bytes[..Varint.Write(bytes, value)];
    }
}
