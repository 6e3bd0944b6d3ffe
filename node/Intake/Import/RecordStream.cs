using System.Text;
using System.Text.Unicode;

namespace CityGrid.Node.Intake.Import;

/// <summary>
/// The records of a file one by one, each with the values of the columns that the mapping asks for. Memory is bounded by
/// <see cref="RecordBytesMax"/> whatever the file holds.
/// </summary>
/// <remarks>
/// Own code rather than a CSV package, because a faulty record must cost exactly that record: after a quote that is not closed or a field of
/// ten megabytes, reading goes on at the next line of the file, and every byte that is no text is told by row and column. The tests
/// hold the results against CsvHelper's for well-formed files.
/// </remarks>
internal abstract class RecordStream(ByteSource source, IReadOnlyList<string> columns)
{
    /// <summary>The most bytes of a record (1 MiB): the largest in known sources is 4 KiB, and one record is all that is ever held.</summary>
    public const int RecordBytesMax = 1024 * 1024;

    private const int BufferBytesMin = 256 * 1024;

    private byte[] _buffer = new byte[BufferBytesMin];
    private int _start;
    private int _end;

    /// <summary>The columns asked for; a slot is an index into this list.</summary>
    protected IReadOnlyList<string> Columns { get; } = columns;

    /// <summary>The values of the record by slot; null where it has none. They are trimmed.</summary>
    public string?[] Values { get; } = new string?[columns.Count];

    /// <summary>See <see cref="ImportItem"/>.</summary>
    public long RowNumber { get; private set; }

    public long LineNumber { get; private set; }

    /// <summary>What is wrong with the record, or with the file; its values are not to be used then.</summary>
    public ImportFault? Fault { get; protected set; }

    /// <summary>True once nothing more is to come.</summary>
    protected bool IsOver { get; set; }

    private long NextLine { get; set; } = 1;

    /// <summary>Bytes from the start of the next record.</summary>
    protected ReadOnlySpan<byte> Rest => _buffer.AsSpan(_start, _end - _start);

    /// <summary>True where the source has been read to its end.</summary>
    protected bool IsAtEnd { get; private set; }

    /// <summary>Moves to the next record; false at the end. A faulty record is one too.</summary>
    public bool Next()
    {
        if (IsOver)
        {
            return false;
        }

        Begin();
        return ReadRecord();
    }

    /// <summary>Reads the record that starts at <see cref="Rest"/>, or leaves a fault; false at the end.</summary>
    protected abstract bool ReadRecord();

    /// <summary>A new record starts at <see cref="Rest"/>.</summary>
    protected void Begin()
    {
        Array.Clear(Values);
        Fault = null;
        RowNumber++;
        LineNumber = NextLine;
    }

    /// <summary>Passes over a blank line, which is no record.</summary>
    protected void LeaveBlank(int bytes)
    {
        Leave(bytes, 1);
        LineNumber = NextLine;
    }

    /// <summary>Brings more bytes behind <see cref="Rest"/>; false at the end of the file or of the room.</summary>
    protected bool Fill()
    {
        if (IsAtEnd)
        {
            return false;
        }

        if (_start > 0)
        {
            Rest.CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            if (_buffer.Length >= RecordBytesMax)
            {
                return false;
            }

            Array.Resize(ref _buffer, Math.Min(_buffer.Length * 2, RecordBytesMax));
        }

        var read = source.Read(_buffer.AsSpan(_end));
        IsAtEnd = read == 0;
        _end += read;
        return read > 0;
    }

    /// <summary>Leaves <paramref name="bytes"/> behind, which hold <paramref name="lines"/> line ends.</summary>
    protected void Leave(int bytes, int lines)
    {
        _start += bytes;
        NextLine += lines;
    }

    /// <summary>Leaves the bytes up to and with the next line end, however far it is.</summary>
    protected void LeaveLine()
    {
        while (true)
        {
            var at = Rest.IndexOfAny((byte)'\n', (byte)'\r');
            if (at >= 0 && (Rest[at] == '\n' || at + 1 < Rest.Length || IsAtEnd))
            {
                Leave(at + (Rest[at] == '\r' && at + 1 < Rest.Length && Rest[at + 1] == '\n' ? 2 : 1), 1);
                return;
            }

            Leave(at < 0 ? Rest.Length : at, 0);
            if (!Fill() && Rest.IsEmpty)
            {
                return;
            }
        }
    }

    /// <summary>True where the last bytes are there only because the file was cut.</summary>
    protected bool IsCut(int bytes) => IsAtEnd && source.Failure is not null && bytes == Rest.Length && Rest[^1] is not ((byte)'\n' or (byte)'\r');

    /// <summary>At the end of the file: true, with a fault, where that end is not the proper one.</summary>
    protected bool EndsEarly()
    {
        IsOver = true;
        if (source.Failure is not { } failure)
        {
            return false;
        }

        Fault = null;
        Refuse(failure.Code, failure.Message, "Get the file again whole and run the import again: what was imported already stays unchanged.");
        return true;
    }

    protected void Refuse(string code, string message, string remedy, string? column = null) =>
        Fault ??= new ImportFault(RowNumber, LineNumber, column, null, code, message, remedy);

    /// <summary>Takes the value of a column, or refuses the record.</summary>
    protected void Take(int slot, ReadOnlySpan<byte> utf8)
    {
        if (!Utf8.IsValid(utf8))
        {
            RefuseEncoding(slot);
            return;
        }

        Take(slot, Encoding.UTF8.GetString(utf8));
    }

    protected void Take(int slot, string value)
    {
        var trimmed = value.Trim();
        if (trimmed.Contains(ByteSource.BadByte))
        {
            RefuseEncoding(slot);
        }
        else if (trimmed.Contains('\0'))
        {
            RefuseNul(Columns[slot]);
        }

        Values[slot] = trimmed;
    }

    protected void RefuseNul(string? column) => Refuse(
        ImportCode.NulByte, "The record holds a NUL character, which is no text; the file was cut or overwritten.", "Export the row again.", column);

    protected void RefuseEncoding(int slot) => Refuse(
        ImportCode.EncodingInvalid,
        "The value holds bytes that are no text in the file's encoding.",
        "Export the file as UTF-8, or name its encoding in the mapping (\"encoding\": \"gb18030\", \"windows-1252\" …).",
        Columns[slot]);

    protected void RefuseTooLong() => Refuse(
        ImportCode.RecordTooLong,
        $"The record is longer than {RecordBytesMax} bytes, or a quote that opens in it is never closed; reading goes on at the next line.",
        "Shorten the record or close the quote.");
}
