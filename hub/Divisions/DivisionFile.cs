using System.Globalization;
using CityGrid.Protocol.Names;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Hub.Divisions;

/// <summary>Something wrong in a register's file: where (line 1 is the header, 0 the file as a whole; the column by its name), what stands there, what is allowed.</summary>
public sealed record DivisionFault(int Line, string Column, string What, string Allowed)
{
    public override string ToString() =>
        Line == 0 ? $"{What}; {Allowed}" : $"line {Line.ToString(CultureInfo.InvariantCulture)}{(Column.Length == 0 ? "" : $", {Column}")}: {What}; {Allowed}";
}

/// <summary>A register, or everything that is wrong with its file: never both.</summary>
public sealed record DivisionReading(DivisionRegister? Register, IReadOnlyList<DivisionFault> Faults);

/// <summary>
/// The form in which a register is written down: CSV (RFC 4180, UTF-8) with the columns <c>code,parent,name_zh,name_en,kind,valid_from,valid_to</c>,
/// in any order of rows. A file is taken whole or not at all, and all its faults are told at once.
/// </summary>
public sealed class DivisionFile
{
    private static readonly string[] Columns = ["code", "parent", "name_zh", "name_en", "kind", "valid_from", "valid_to"];

    private static readonly Dictionary<string, DivisionKind> Kinds = new(StringComparer.Ordinal)
    {
        ["nation"] = DivisionKind.Nation,
        ["province"] = DivisionKind.Province,
        ["municipality"] = DivisionKind.Municipality,
        ["city"] = DivisionKind.City,
        ["direct-county"] = DivisionKind.DirectCounty,
        ["directcounty"] = DivisionKind.DirectCounty,
        ["county"] = DivisionKind.County,
        ["township"] = DivisionKind.Township,
        ["placeholder"] = DivisionKind.Placeholder,
        ["unknown"] = DivisionKind.Unknown,
    };

    private static readonly string KindsAllowed = $"allowed are {string.Join(", ", Kinds.Keys.Where(k => k != "directcounty"))}";

    private readonly List<DivisionFault> _faults = [];
    private readonly Dictionary<DivisionCode, (int Line, Division Division)> _rows = [];

    private DivisionFile()
    {
    }

    /// <summary>Most characters of a name.</summary>
    public const int NameLengthMax = 200;

    /// <summary>Reads a register, or answers all that is wrong, in the order of the lines.</summary>
    public static DivisionReading Read(TextReader source)
    {
        var file = new DivisionFile();
        file.ReadRows(new DivisionCsv(source));
        file.JudgeTree();
        return file._faults.Count == 0
            ? new DivisionReading(DivisionRegister.Of(file._rows.Values.Select(r => r.Division)), [])
            : new DivisionReading(null, [.. file._faults.OrderBy(f => f.Line)]);
    }

    private void ReadRows(DivisionCsv csv)
    {
        var isHeader = true;
        while (csv.Next(out var fields))
        {
            if (csv.Fault is { } fault)
            {
                _faults.Add(new(csv.Line, "", fault, "a field with quotes begins and ends with one, and doubles those inside"));
            }
            else if (isHeader && !fields.SequenceEqual(Columns))
            {
                _faults.Add(new(csv.Line, "", $"the header is '{Short(string.Join(',', fields))}'", $"it must be {string.Join(',', Columns)}"));
                return;
            }
            else if (!isHeader && fields.Count != Columns.Length)
            {
                _faults.Add(new(csv.Line, "", $"the line has {fields.Count} fields", $"it must have {Columns.Length}, as the header names them"));
            }
            else if (!isHeader)
            {
                ReadRow(csv.Line, fields);
            }

            isHeader = false;
        }

        if (isHeader)
        {
            _faults.Add(new(0, "", "the file is empty", $"it begins with the line {string.Join(',', Columns)}"));
        }
    }

    private void ReadRow(int line, IReadOnlyList<string> fields)
    {
        var code = Code(line, "code", fields[0]);
        DivisionCode? parent = fields[1].Length == 0 ? null : Code(line, "parent", fields[1]);
        if (!Kinds.TryGetValue(fields[4], out var kind))
        {
            _faults.Add(new(line, "kind", $"'{Short(fields[4])}' is no kind", KindsAllowed));
        }
        else if (parent is null && fields[1].Length == 0 && kind != DivisionKind.Nation)
        {
            _faults.Add(new(line, "parent", "there is none", "only a nation stands below nothing"));
        }

        var division = new Division(
            code, parent, Name(line, "name_zh", fields[2]), Name(line, "name_en", fields[3]), kind, Day(line, "valid_from", fields[5]), Day(line, "valid_to", fields[6]));
        if (division.ValidTo < division.ValidFrom)
        {
            _faults.Add(new(line, "valid_to", $"{fields[6]} lies before valid_from, {fields[5]}", "the last valid day is the first one or later"));
        }

        if (code.IsNone)
        {
            return;
        }

        if (division.IsOrigin && code.ToString().Length + DivisionRegister.UnknownSuffix.Length > DivisionCode.LengthMax)
        {
            _faults.Add(new(line, "code", $"'{code}' is too long for a {fields[4]}",
                $"at most {DivisionCode.LengthMax - DivisionRegister.UnknownSuffix.Length} characters, so that {DivisionRegister.UnknownSuffix} fits behind it"));
        }

        if (!_rows.TryAdd(code, (line, division)))
        {
            _faults.Add(new(line, "code", $"'{code}' stands in line {_rows[code].Line} already", "a code stands once"));
        }
    }

    /// <summary>Every parent stands in the file, and every way up ends.</summary>
    private void JudgeTree()
    {
        var inCycle = new HashSet<DivisionCode>();
        foreach (var (line, division) in _rows.Values.OrderBy(r => r.Line))
        {
            if (division.Parent is { IsNone: false } named && !_rows.ContainsKey(named))
            {
                _faults.Add(new(line, "parent", $"'{named}' stands in no line", "a parent has a line of its own"));
                continue;
            }

            var path = new List<DivisionCode> { division.Code };
            for (var at = division.Parent; at is { IsNone: false } parent && _rows.TryGetValue(parent, out var row) && !inCycle.Contains(parent); at = row.Division.Parent)
            {
                if (path.IndexOf(parent) is var start and >= 0)
                {
                    // Rows that only hang below the circle get no fault of their own; the circle gets one, at its first line.
                    var circle = path[start..];
                    inCycle.UnionWith(circle);
                    _faults.Add(new(circle.Min(c => _rows[c].Line), "parent", $"{string.Join(" below ", Shown([.. circle, parent]))} is a circle", "every way up ends at a nation"));
                    break;
                }

                path.Add(parent);
                if (path.Count == DivisionRegister.DepthMax + 2 && !LeadsToCycle(parent))
                {
                    _faults.Add(new(line, "parent", $"'{division.Code}' lies more than {DivisionRegister.DepthMax} steps below the top", $"at most {DivisionRegister.DepthMax} steps"));
                    break;
                }
            }
        }
    }

    private bool LeadsToCycle(DivisionCode from)
    {
        var seen = new HashSet<DivisionCode>();
        DivisionCode? at = from;
        while (at is { IsNone: false } code && _rows.TryGetValue(code, out var row))
        {
            if (!seen.Add(code))
            {
                return true;
            }

            at = row.Division.Parent;
        }

        return false;
    }

    private DivisionCode Code(int line, string column, string text)
    {
        if (!DivisionCode.TryParse(text, out var code))
        {
            _faults.Add(new(line, column, text.Length == 0 ? "there is no code" : $"'{Short(text)}' is no code", $"1 to {DivisionCode.LengthMax} characters of A-Z, 0-9 and '-'"));
        }

        return code;
    }

    private string Name(int line, string column, string text)
    {
        if (text.Length > NameLengthMax || text.Any(char.IsControl))
        {
            _faults.Add(new(line, column, $"'{Short(text)}' is no name", $"at most {NameLengthMax} characters and no control characters"));
        }

        return text;
    }

    private LocalDate? Day(int line, string column, string text)
    {
        if (text.Length == 0)
        {
            return null;
        }

        // A NUL would be taken for the end of the text, whatever stands behind it.
        var parsed = LocalDatePattern.Iso.Parse(text.Replace('\0', '?'));
        if (parsed.Success)
        {
            return parsed.Value;
        }

        _faults.Add(new(line, column, $"'{Short(text)}' is no day", "yyyy-MM-dd, or nothing for open"));
        return null;
    }

    private static IEnumerable<string> Shown(IReadOnlyList<DivisionCode> codes) =>
        codes.Count <= 6 ? codes.Select(c => c.ToString()) : [.. codes.Take(4).Select(c => c.ToString()), "…", codes[^1].ToString()];

    private static string Short(string text)
    {
        var shown = new string([.. text.Take(40).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)]);
        return text.Length <= 40 ? shown : shown + "…";
    }
}
