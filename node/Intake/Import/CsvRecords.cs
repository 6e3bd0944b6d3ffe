using System.Buffers;
using System.Text;

namespace CityGrid.Node.Intake.Import;

/// <summary>
/// Records of a CSV file (RFC 4180; any one-byte delimiter; lines end with LF, CRLF or CR). Strict: a quote stands around a whole field or
/// not at all. Blank lines are passed over.
/// </summary>
internal sealed class CsvRecords : RecordStream
{
    /// <summary>The most columns of a file; the widest known has 42.</summary>
    private const int ColumnsMax = 4096;

    private readonly byte _delimiter;
    private readonly SearchValues<byte> _stops;
    private readonly List<Field> _fields = [];
    private int[]? _columnOfSlot;
    private int _columnCount;
    private byte[] _unquoted = new byte[256];

    public CsvRecords(ByteSource source, IReadOnlyList<string> columns, char delimiter)
        : base(source, columns)
    {
        _delimiter = (byte)delimiter;
        _stops = SearchValues.Create([_delimiter, (byte)'\r', (byte)'\n', (byte)'"']);
    }

    private enum Found
    {
        Record,
        Blank,
        End,
        QuoteMisplaced,
        QuoteNotClosed,
        TooLong,
        More,
    }

    /// <summary>Where a field of the record at hand lies in <see cref="RecordStream.Rest"/>.</summary>
    private readonly record struct Field(int Start, int Length, bool HasDoubledQuotes);

    protected override bool ReadRecord()
    {
        if (_columnOfSlot is not null)
        {
            return ReadRow();
        }

        if (!ReadHeader())
        {
            IsOver = true;
            return true;
        }

        Begin();
        return ReadRow();
    }

    /// <summary>Finds the columns that the mapping names; false, with a fault, where that cannot be.</summary>
    private bool ReadHeader()
    {
        var found = FindRow(out var length);
        if (found == Found.End)
        {
            if (!EndsEarly())
            {
                Refuse(ImportCode.FileEmpty, "The file is empty.", "Give a file with a header line and rows.");
            }

            return false;
        }

        if (found != Found.Record)
        {
            RefuseRecord(found);
            return false;
        }

        var names = _fields.Select(f => Encoding.UTF8.GetString(Content(f)).Trim()).ToList();
        var faults = Columns.Select(column => ColumnFault(column, names)).OfType<ImportFault>().ToList();
        if (faults.Count > 0)
        {
            Fault = faults[0] with { Also = faults[1..] };
            return false;
        }

        _columnCount = names.Count;
        _columnOfSlot = [.. Columns.Select(column => names.IndexOf(column))];
        Leave(length);
        return true;
    }

    private ImportFault? ColumnFault(string column, List<string> names)
    {
        var count = names.Count(name => name == column);
        if (count == 1)
        {
            return null;
        }

        if (count > 1)
        {
            return new ImportFault(
                RowNumber, LineNumber, column, null, ImportCode.ColumnTwice, $"The header names the column '{column}' {count} times.", "Rename one of them in the file.");
        }

        var shown = string.Join(", ", names.Take(50).Select(name => name.Length <= 40 ? name : name[..40] + "…"));
        return new ImportFault(
            RowNumber,
            LineNumber,
            column,
            null,
            ImportCode.ColumnNotFound,
            $"The header has no column '{column}'. Its {names.Count} columns, told apart by '{(char)_delimiter}', are: {shown}",
            names.Count == 1 ? "Set \"delimiter\" in the mapping to the one of the file." : "Name a column of the file in the mapping.");
    }

    private bool ReadRow()
    {
        var found = FindRow(out var length);
        switch (found)
        {
            case Found.End:
                return EndsEarly();
            case Found.Record:
                TakeRow(length);
                Leave(length);
                return true;
            default:
                RefuseRecord(found);
                LeaveLine();
                return true;
        }
    }

    private void TakeRow(int length)
    {
        if (Rest[..length].Contains((byte)0))
        {
            RefuseNul(null);
            return;
        }

        if (_fields.Count != _columnCount)
        {
            Refuse(
                ImportCode.ColumnCount,
                $"The row has {_fields.Count} fields, the header has {_columnCount}.",
                "Put quotes around fields that hold the delimiter or a line break.");
            return;
        }

        for (var slot = 0; slot < _columnOfSlot!.Length; slot++)
        {
            Take(slot, Content(_fields[_columnOfSlot[slot]]));
        }
    }

    private void RefuseRecord(Found found)
    {
        var column = _columnOfSlot is null ? null : $"#{_fields.Count + 1}";
        switch (found)
        {
            case Found.QuoteMisplaced:
                Refuse(
                    ImportCode.QuoteMisplaced,
                    $"Field {_fields.Count + 1} has a quote in its middle.",
                    "Put the whole field in quotes and double each quote inside it.",
                    column);
                break;
            case Found.QuoteNotClosed:
                Refuse(ImportCode.QuoteNotClosed, $"The quote that opens field {_fields.Count + 1} is never closed.", "Close the quote.", column);
                break;
            default:
                RefuseTooLong();
                break;
        }
    }

    /// <summary>Finds the next record that is no blank line.</summary>
    private Found FindRow(out int length)
    {
        Found found;
        while ((found = FindRecord(out length)) == Found.Blank)
        {
            LeaveBlank(length);
        }

        return found;
    }

    /// <summary>Finds the end and the fields of the record at <see cref="RecordStream.Rest"/>.</summary>
    private Found FindRecord(out int length)
    {
        while (true)
        {
            var found = Scan(out length);
            if (found == Found.More)
            {
                if (!Fill() && !IsAtEnd)
                {
                    return Found.TooLong;
                }

                continue;
            }

            return found == Found.Record && IsCut(length) ? Found.End : found;
        }
    }

    private Found Scan(out int length)
    {
        _fields.Clear();
        length = 0;
        var text = Rest;
        if (text.IsEmpty)
        {
            return IsAtEnd ? Found.End : Found.More;
        }

        for (var at = 0; ;)
        {
            if (_fields.Count == ColumnsMax)
            {
                return Found.TooLong;
            }

            var isQuoted = at < text.Length && text[at] == '"';
            var found = isQuoted ? ScanQuoted(text, ref at) : ScanPlain(text, ref at);
            if (found != Found.Record)
            {
                return found;
            }

            // at is now behind the field: at the delimiter, at a line end, or at the end of the text.
            if (at < text.Length && text[at] == _delimiter)
            {
                at++;
                continue;
            }

            if (at < text.Length && text[at] == '\r' && at + 1 == text.Length && !IsAtEnd)
            {
                return Found.More;
            }

            var lineEnd = at == text.Length ? 0 : text[at] == '\r' && at + 1 < text.Length && text[at + 1] == '\n' ? 2 : 1;
            length = at + lineEnd;
            return _fields.Count == 1 && _fields[0].Length == 0 && !isQuoted ? Found.Blank : Found.Record;
        }
    }

    private Found ScanPlain(ReadOnlySpan<byte> text, ref int at)
    {
        var start = at;
        var count = text[start..].IndexOfAny(_stops);
        if (count < 0)
        {
            if (!IsAtEnd)
            {
                return Found.More;
            }

            count = text.Length - start;
        }
        else if (text[start + count] == '"')
        {
            return Found.QuoteMisplaced;
        }

        at = start + count;
        _fields.Add(new Field(start, count, false));
        return Found.Record;
    }

    private Found ScanQuoted(ReadOnlySpan<byte> text, ref int at)
    {
        var start = at + 1;
        var hasDoubled = false;
        for (var from = start; ;)
        {
            var count = text[from..].IndexOf((byte)'"');
            if (count < 0)
            {
                return IsAtEnd ? Found.QuoteNotClosed : Found.More;
            }

            var quote = from + count;
            if (quote + 1 == text.Length && !IsAtEnd)
            {
                return Found.More;
            }

            if (quote + 1 < text.Length && text[quote + 1] == '"')
            {
                hasDoubled = true;
                from = quote + 2;
                continue;
            }

            at = quote + 1;
            if (at < text.Length && text[at] != _delimiter && text[at] is not ((byte)'\r' or (byte)'\n'))
            {
                return Found.QuoteMisplaced;
            }

            _fields.Add(new Field(start, quote - start, hasDoubled));
            return Found.Record;
        }
    }

    private ReadOnlySpan<byte> Content(Field field)
    {
        var raw = Rest.Slice(field.Start, field.Length);
        if (!field.HasDoubledQuotes)
        {
            return raw;
        }

        if (_unquoted.Length < raw.Length)
        {
            _unquoted = new byte[raw.Length];
        }

        var length = 0;
        for (var i = 0; i < raw.Length; i++)
        {
            _unquoted[length++] = raw[i];
            i += raw[i] == '"' ? 1 : 0;
        }

        return _unquoted.AsSpan(0, length);
    }

    private void Leave(int length)
    {
        var record = Rest[..length];
        var lines = record.Count((byte)'\n');
        Leave(length, length > 0 && record[^1] == '\r' ? lines + 1 : lines);
    }
}
