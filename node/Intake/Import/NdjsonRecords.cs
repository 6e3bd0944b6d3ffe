using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace CityGrid.Node.Intake.Import;

/// <summary>Records of an NDJSON file: one JSON object a line. Numbers and booleans are taken as they are written; blank lines are passed over.</summary>
internal sealed class NdjsonRecords(ByteSource source, IReadOnlyList<string> columns) : RecordStream(source, columns)
{
    private readonly byte[][] _names = [.. columns.Select(Encoding.UTF8.GetBytes)];

    protected override bool ReadRecord()
    {
        while (true)
        {
            var length = FindLine();
            if (length < 0)
            {
                RefuseTooLong();
                LeaveLine();
                return true;
            }

            if (Rest.IsEmpty || IsCut(length))
            {
                return EndsEarly() || RefuseEmpty();
            }

            var line = Rest[..length].Trim(" \t\r\n"u8);
            if (line.IsEmpty)
            {
                LeaveBlank(length);
                continue;
            }

            TakeLine(line);
            Leave(length, 1);
            return true;
        }
    }

    private bool RefuseEmpty()
    {
        if (RowNumber > 1)
        {
            return false;
        }

        Refuse(ImportCode.FileEmpty, "The file is empty.", "Give a file with one JSON object a line.");
        return true;
    }

    /// <summary>The length of the line at <see cref="RecordStream.Rest"/> with its end; negative where it is too long.</summary>
    private int FindLine()
    {
        for (var from = 0; ;)
        {
            var at = Rest[from..].IndexOf((byte)'\n');
            if (at >= 0)
            {
                return from + at + 1;
            }

            from = Rest.Length;
            if (!Fill())
            {
                return IsAtEnd ? Rest.Length : -1;
            }
        }
    }

    private void TakeLine(ReadOnlySpan<byte> line)
    {
        if (line.Contains((byte)0))
        {
            RefuseNul(null);
            return;
        }

        try
        {
            TakeObject(line);
        }
        catch (JsonException e)
        {
            Refuse(
                ImportCode.JsonInvalid,
                $"The line is no JSON object: {(Utf8.IsValid(line) ? "it breaks at" : "it holds bytes that are no UTF-8 at or after")} byte {(e.BytePositionInLine ?? 0) + 1}.",
                "Write one JSON object a line, in UTF-8.");
        }
        catch (InvalidOperationException)
        {
            // What the reader says of a text that is half of a character.
            Refuse(ImportCode.JsonInvalid, "The line has half of a character: an escape from \\uD800 to \\uDFFF stands in pairs.", "Write the character itself, in UTF-8.");
        }
    }

    private void TakeObject(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException(null, null, null, 0);
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var slot = SlotOf(ref reader);
            reader.Read();
            if (slot < 0)
            {
                reader.Skip();
            }
            else
            {
                TakeValue(slot, ref reader);
            }
        }

        // Nothing may follow the object on its line.
        reader.Read();
    }

    private int SlotOf(ref Utf8JsonReader reader)
    {
        for (var slot = 0; slot < _names.Length; slot++)
        {
            if (reader.ValueTextEquals(_names[slot]))
            {
                return slot;
            }
        }

        return -1;
    }

    private void TakeValue(int slot, ref Utf8JsonReader reader)
    {
        if (Values[slot] is not null)
        {
            Refuse(ImportCode.ColumnTwice, $"The object has the property '{Columns[slot]}' twice.", "Leave one of them out.", Columns[slot]);
        }

        switch (reader.TokenType)
        {
            case JsonTokenType.String when !reader.ValueIsEscaped:
                Take(slot, reader.ValueSpan);
                break;
            case JsonTokenType.String:
                TakeEscaped(slot, ref reader);
                break;
            case JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False:
                Take(slot, reader.ValueSpan);
                break;
            case JsonTokenType.Null:
                break;
            default:
                Refuse(
                    ImportCode.ValueNotPlain, $"The property '{Columns[slot]}' holds an object or a list.", "Name a property that holds a plain value.", Columns[slot]);
                reader.Skip();
                break;
        }
    }

    private void TakeEscaped(int slot, ref Utf8JsonReader reader)
    {
        try
        {
            Take(slot, reader.GetString()!);
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair, or bytes that are no UTF-8.
            RefuseEncoding(slot);
        }
    }
}
