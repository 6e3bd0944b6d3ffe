using System.Text;

namespace CityGrid.Hub.Divisions;

/// <summary>
/// Rows of a CSV file as RFC 4180 has them; lines end with LF or CRLF, blank ones are passed over, and so is a byte order mark. Strict: a quote
/// stands around a whole field or not at all.
/// </summary>
internal sealed class DivisionCsv(TextReader source)
{
    private readonly StringBuilder _field = new();
    private int _nextLine = 1;

    /// <summary>The line on which the row at hand began, from 1.</summary>
    public int Line { get; private set; }

    /// <summary>What is wrong with the row at hand; null for nothing. After a fault, reading goes on with the next line.</summary>
    public string? Fault { get; private set; }

    /// <summary>Moves to the next row; false at the end.</summary>
    public bool Next(out IReadOnlyList<string> fields)
    {
        fields = [];
        while (source.ReadLine() is { } text)
        {
            Line = _nextLine++;
            text = Line == 1 ? text.TrimStart('\uFEFF') : text;
            if (text.Length > 0)
            {
                fields = Split(text);
                return true;
            }
        }

        return false;
    }

    private List<string> Split(string text)
    {
        Fault = null;
        var fields = new List<string>();
        var at = 0;
        while (Fault is null)
        {
            fields.Add(at < text.Length && text[at] == '"' ? Quoted(ref text, ref at) : Plain(text, ref at));
            if (at >= text.Length)
            {
                break;
            }

            if (text[at] != ',')
            {
                Fault ??= "a quote stands inside a field";
            }

            at++;
        }

        return fields;
    }

    private static string Plain(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && text[at] is not (',' or '"'))
        {
            at++;
        }

        return text[start..at];
    }

    /// <summary>A field in quotes, which may go over several lines.</summary>
    private string Quoted(ref string text, ref int at)
    {
        _field.Clear();
        at++;
        while (true)
        {
            if (at >= text.Length)
            {
                if (source.ReadLine() is not { } more)
                {
                    Fault = "a quote is not closed";
                    return string.Empty;
                }

                _nextLine++;
                _field.Append('\n');
                (text, at) = (more, 0);
            }
            else if (text[at] != '"')
            {
                _field.Append(text[at++]);
            }
            else if (at + 1 < text.Length && text[at + 1] == '"')
            {
                _field.Append('"');
                at += 2;
            }
            else
            {
                at++;
                return _field.ToString();
            }
        }
    }
}
