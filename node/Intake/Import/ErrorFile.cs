using System.Globalization;

namespace CityGrid.Node.Intake.Import;

/// <summary>
/// The row-level error file of an import: CSV with <c>row,column,code,message,remedy,value,line,imported</c>, one line a fault, those of rows that were kept
/// (<c>imported</c> = <c>yes</c>) too. A cell that a spreadsheet would take for a formula gets an apostrophe in front.
/// </summary>
/// <param name="open">Opens where the lines go; asked for with the first fault, so that a file without any leaves nothing behind.</param>
/// <param name="words">The message of a code in the language of whoever reads the file; by default as it is.</param>
public sealed class ErrorFile(Func<TextWriter> open, Func<string, string, string>? words = null) : IDisposable
{
    private TextWriter? _writer;

    /// <summary>Faults written so far.</summary>
    public long Count { get; private set; }

    /// <summary>Writes what is wrong with an item; nothing where nothing is.</summary>
    public void Write(ImportItem item)
    {
        switch (item)
        {
            case ImportFault fault:
                Write(fault, isImported: false);
                break;
            case ImportRow row:
                foreach (var dirt in row.Dirt)
                {
                    Write(dirt, isImported: true);
                }

                break;
        }
    }

    /// <summary>Writes a fault that another than the reader found, such as the node that refused the row.</summary>
    public void Write(ImportFault fault, bool isImported)
    {
        if (_writer is null)
        {
            _writer = open();
            _writer.Write("row,column,code,message,remedy,value,line,imported\r\n");
        }

        string[] cells =
        [
            fault.RowNumber.ToString(CultureInfo.InvariantCulture),
            fault.Column ?? string.Empty,
            fault.Code,
            words?.Invoke(fault.Code, fault.Message) ?? fault.Message,
            fault.Remedy,
            fault.Value ?? string.Empty,
            fault.LineNumber.ToString(CultureInfo.InvariantCulture),
            isImported ? "yes" : "no",
        ];
        _writer.Write(string.Join(',', cells.Select(Cell)));
        _writer.Write("\r\n");
        Count++;
        foreach (var also in fault.Also)
        {
            Write(also, isImported);
        }
    }

    /// <summary>Closes what was opened.</summary>
    public void Dispose() => _writer?.Dispose();

    private static string Cell(string text)
    {
        var safe = text.Length > 0 && text[0] is '=' or '+' or '-' or '@' or '\t' or '\r' or '\n' ? "'" + text : text;
        return safe.AsSpan().IndexOfAny(",\"\r\n") >= 0 ? $"\"{safe.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : safe;
    }
}
