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
/// and <c>successor</c> behind them where there is one, in any order of rows. A code may have several rows, of days that do not overlap. A file is taken whole
/// or not at all, and all its faults are told at once.
/// </summary>
public sealed class DivisionFile
{
    private static readonly string[] Columns = ["code", "parent", "name_zh", "name_en", "kind", "valid_from", "valid_to"];
    private static readonly string[] ColumnsWithSuccessor = [.. Columns, "successor"];

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
    private readonly Dictionary<DivisionCode, List<(int Line, Division Division)>> _rows = [];
    private int _width = Columns.Length;

    private DivisionFile()
    {
    }

    /// <summary>Most characters of a name.</summary>
    public const int NameLengthMax = 200;

    /// <summary>Most days on which something changes: more than thirty years of a change every twelve days. The tree is judged on each.</summary>
    public const int ChangesMax = 1_000;

    /// <summary>Reads a register, or answers all that is wrong, in the order of the lines.</summary>
    public static DivisionReading Read(TextReader source)
    {
        var file = new DivisionFile();
        file.ReadRows(new DivisionCsv(source));
        file.JudgeNames();
        file.JudgeTree();
        return file._faults.Count == 0
            ? new DivisionReading(DivisionRegister.Of(file.InLines().Select(r => r.Division)), [])
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
            else if (isHeader && !fields.SequenceEqual(Columns) && !fields.SequenceEqual(ColumnsWithSuccessor))
            {
                _faults.Add(new(csv.Line, "", $"the header is '{Short(string.Join(',', fields))}'", $"it must be {string.Join(',', Columns)}"));
                return;
            }
            else if (isHeader)
            {
                _width = fields.Count;
            }
            else if (fields.Count != _width)
            {
                _faults.Add(new(csv.Line, "", $"the line has {fields.Count} fields", $"it must have {_width}, as the header names them"));
            }
            else
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
            code, parent, Name(line, "name_zh", fields[2]), Name(line, "name_en", fields[3]), kind, Day(line, "valid_from", fields[5]), Day(line, "valid_to", fields[6]))
        {
            Successor = fields.Count > Columns.Length && fields[^1].Length > 0 ? Code(line, "successor", fields[^1]) : null,
        };
        if (division.ValidTo < division.ValidFrom)
        {
            _faults.Add(new(line, "valid_to", $"{fields[6]} lies before valid_from, {fields[5]}", "the last valid day is the first one or later"));
            division = division with { ValidTo = division.ValidFrom };
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

        if (!_rows.TryGetValue(code, out var rows))
        {
            _rows.Add(code, rows = []);
        }

        var other = rows.FirstOrDefault(row => Overlap(row.Division, division));
        if (other.Division is null)
        {
            rows.Add((line, division));
            return;
        }

        _faults.Add(other.Division is { ValidFrom: null, ValidTo: null } && division is { ValidFrom: null, ValidTo: null }
            ? new(line, "code", $"'{code}' stands in line {other.Line} already", "a code stands once")
            : new(line, "code", $"'{code}' stands in line {other.Line} for some of these days", "on each day a code stands once: end one row (valid_to) before the other begins (valid_from)"));
    }

    private static bool Overlap(Division a, Division b) => !(a.ValidTo < b.ValidFrom) && !(b.ValidTo < a.ValidFrom);

    private IEnumerable<(int Line, Division Division)> InLines() => _rows.Values.SelectMany(rows => rows).OrderBy(row => row.Line);

    /// <summary>Every parent and every successor stands in the file, and no parent pauses above its children.</summary>
    private void JudgeNames()
    {
        foreach (var (line, division) in InLines())
        {
            if (division.Parent is { IsNone: false } named)
            {
                if (!_rows.TryGetValue(named, out var parents))
                {
                    _faults.Add(new(line, "parent", $"'{named}' stands in no line", "a parent has a line of its own"));
                }
                else if (parents.Count > 1 && Pause(parents, division) is { } day)
                {
                    _faults.Add(new(line, "parent", $"'{named}' does not stand on {DayText(day)}", $"between its first and its last day a parent stands on every day on which '{division.Code}' lies below it"));
                }
            }

            if (division.Successor is { IsNone: false } successor)
            {
                JudgeSuccessor(line, division, successor);
            }
        }
    }

    private void JudgeSuccessor(int line, Division division, DivisionCode successor)
    {
        if (division.ValidTo is not { } to)
        {
            _faults.Add(new(line, "successor", $"'{division.Code}' has no end", "a division that went into another has a last day (valid_to)"));
        }
        else if (_rows[division.Code].Any(row => row.Division.ValidFrom > to))
        {
            _faults.Add(new(line, "successor", $"'{division.Code}' goes on after {DayText(to)}", "only the last row of a code names what it went into"));
        }
        else if (to == LocalDate.MaxIsoValue || !_rows.TryGetValue(successor, out var rows) || !rows.Any(row => row.Division.IsInForce(to.PlusDays(1))))
        {
            _faults.Add(new(line, "successor", $"'{successor}' does not stand on the day after {DayText(to)}", "what a division went into stands when it has ended"));
        }
    }

    /// <summary>The first day of a child on which its parent, which stood before and stands again, does not stand; null for none.</summary>
    private static LocalDate? Pause(List<(int Line, Division Division)> parents, Division child)
    {
        var rows = parents.Select(p => p.Division).OrderBy(p => p.ValidFrom ?? LocalDate.MinIsoValue).ToArray();
        for (var i = 1; i < rows.Length; i++)
        {
            var (from, to) = (rows[i - 1].ValidTo!.Value.PlusDays(1), rows[i].ValidFrom!.Value.PlusDays(-1));
            if (from <= to && !(child.ValidFrom > to) && !(child.ValidTo < from))
            {
                return child.ValidFrom > from ? child.ValidFrom : from;
            }
        }

        return null;
    }

    /// <summary>Every way up ends, and within a bound, on every day.</summary>
    private void JudgeTree()
    {
        var changes = DivisionHistory.ChangesOf(InLines().Select(r => r.Division)).ToArray();
        if (changes.Length > ChangesMax)
        {
            _faults.Add(new(0, "", $"something changes on {changes.Length} days", $"at most {ChangesMax}"));
            return;
        }

        var history = new DivisionHistory(InLines().Select(r => r.Division));
        var lines = new Dictionary<Division, int>(ReferenceEqualityComparer.Instance);
        foreach (var (line, division) in InLines())
        {
            lines.Add(division, line);
        }

        var told = new HashSet<DivisionCode>();
        for (var era = 0; era <= changes.Length; era++)
        {
            JudgeTreeOn(history, era, lines, told);
        }
    }

    private void JudgeTreeOn(DivisionHistory history, int era, Dictionary<Division, int> lines, HashSet<DivisionCode> told)
    {
        var day = history.FirstDayOf(era);
        var on = era == 0 ? string.Empty : $" on {DayText(day)}";
        var top = new Dictionary<DivisionCode, int>();
        foreach (var (code, rows) in _rows.OrderBy(row => row.Value[0].Line))
        {
            var path = new List<Division>();
            var at = history.StandingOf(code, day);
            while (at is not null && !top.ContainsKey(at.Code) && !told.Contains(at.Code))
            {
                if (path.FindIndex(p => p.Code == at.Code) is var start and >= 0)
                {
                    // Rows that only hang below the circle get no fault of their own; the circle gets one, at its first line.
                    var circle = path[start..];
                    told.UnionWith(circle.Select(p => p.Code));
                    var shown = Shown([.. circle.Select(p => p.Code), at.Code]);
                    _faults.Add(new(circle.Min(p => lines.GetValueOrDefault(p)), "parent", $"{string.Join(" below ", shown)} is a circle{on}", "every way up ends at a nation"));
                    break;
                }

                path.Add(at);
                at = at.Parent is { IsNone: false } parent ? history.StandingOf(parent, day) : null;
            }

            // What hangs below a circle has no depth.
            if (at is not null && !top.ContainsKey(at.Code))
            {
                continue;
            }

            var depth = at is null ? -1 : top[at.Code];
            for (var i = path.Count - 1; i >= 0; i--)
            {
                depth++;
                top[path[i].Code] = depth;
                if (depth == DivisionRegister.DepthMax + 1 && told.Add(path[i].Code))
                {
                    _faults.Add(new(lines.GetValueOrDefault(path[i]), "parent", $"'{path[i].Code}' lies more than {DivisionRegister.DepthMax} steps below the top{on}", $"at most {DivisionRegister.DepthMax} steps"));
                }
            }
        }
    }

    private static string DayText(LocalDate day) => LocalDatePattern.Iso.Format(day);

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
