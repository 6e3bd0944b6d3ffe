using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Divisions;

/// <summary>All rows of a register, of all days; what <see cref="DivisionRegister"/> looks at from one of them.</summary>
internal sealed class DivisionHistory
{
    private readonly Dictionary<DivisionCode, Division[]> _byCode;
    private readonly Dictionary<DivisionCode, List<Division>> _below = [];
    private readonly Dictionary<DivisionCode, Division[]> _implied = [];
    private readonly DivisionRegister[] _eras;

    public DivisionHistory(IEnumerable<Division> divisions)
    {
        Rows = [.. divisions.OrderBy(d => d.Code).ThenBy(d => d.ValidFrom ?? LocalDate.MinIsoValue)];
        _byCode = Rows.GroupBy(d => d.Code).ToDictionary(g => g.Key, g => g.ToArray());
        foreach (var row in Rows)
        {
            if (row.Parent is { } parent)
            {
                if (!_below.TryGetValue(parent, out var list))
                {
                    _below.Add(parent, list = []);
                }

                list.Add(row);
            }

            if (row.IsOrigin && DivisionCode.TryParse(row.Code + DivisionRegister.UnknownSuffix, out var unknown) && !_byCode.ContainsKey(unknown))
            {
                _implied[unknown] = [new Division(unknown, row.Code, "区县不明", "District unknown", DivisionKind.Unknown, null, null)];
            }
        }

        foreach (var (code, rows) in _byCode)
        {
            if (rows.Zip(rows.Skip(1)).Any(pair => !(pair.First.ValidTo < pair.Second.ValidFrom)))
            {
                throw new ArgumentException($"The periods of {code} overlap.", nameof(divisions));
            }
        }

        Changes = [.. ChangesOf(Rows)];
        _eras = [.. Enumerable.Range(0, Changes.Count + 1).Select(era => new DivisionRegister(this, era))];
    }

    public IReadOnlyList<Division> Rows { get; }

    public IReadOnlyList<LocalDate> Changes { get; }

    public DivisionRegister Newest => _eras[^1];

    /// <summary>The days on which a row begins, or the one after its last.</summary>
    public static IEnumerable<LocalDate> ChangesOf(IEnumerable<Division> rows)
    {
        var days = new SortedSet<LocalDate>();
        foreach (var row in rows)
        {
            days.UnionWith(row.ValidFrom is { } from ? [from] : []);
            days.UnionWith(row.ValidTo is { } to && to < LocalDate.MaxIsoValue ? [to.PlusDays(1)] : []);
        }

        return days;
    }

    public DivisionRegister In(int era) => _eras[era];

    public int EraOf(LocalDate day)
    {
        var (low, high) = (0, Changes.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = Changes[middle] <= day ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    public LocalDate FirstDayOf(int era) => era == 0 ? LocalDate.MinIsoValue : Changes[era - 1];

    public IReadOnlyList<Division> RowsBelow(DivisionCode code) => _below.TryGetValue(code, out var rows) ? rows : [];

    /// <summary>The last row that has begun by the day, or the first one to come; null for a code that has none.</summary>
    public Division? RowOf(DivisionCode code, LocalDate day)
    {
        if (code.IsNone || (!_byCode.TryGetValue(code, out var rows) && !_implied.TryGetValue(code, out rows)))
        {
            return null;
        }

        for (var i = rows.Length - 1; i > 0; i--)
        {
            if (!(rows[i].ValidFrom > day))
            {
                return rows[i];
            }
        }

        return rows[0];
    }

    /// <summary>The row, or that of what the division went into where it has ended.</summary>
    public Division? StandingOf(DivisionCode code, LocalDate day)
    {
        var row = RowOf(code, day);
        for (var steps = 0; row is { Successor: { } successor, ValidTo: { } to } && to < day && steps < DivisionRegister.DepthMax; steps++)
        {
            row = RowOf(successor, day) ?? row;
        }

        return row;
    }
}
