using System.Text;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Divisions;

/// <summary>What a division is, as far as the network needs to know.</summary>
public enum DivisionKind
{
    Nation,
    Province,

    /// <summary>直辖市: a province that keeps cases like a city.</summary>
    Municipality,
    City,

    /// <summary>A county-level unit directly under a province (省直辖县级): it keeps cases like a city.</summary>
    DirectCounty,
    County,
    Township,

    /// <summary>A row that only groups others in the code table (市辖区, 县, 省直辖县级行政区划); never a node.</summary>
    Placeholder,

    /// <summary>Where a city counts the cases whose district is not known; never a node.</summary>
    Unknown,
}

/// <summary>
/// A row of the register: where a division stands, and what it is, on the days from the one to the other, both within; null is open. A code may have
/// several rows, of different days.
/// </summary>
public sealed record Division(
    DivisionCode Code, DivisionCode? Parent, string NameZh, string NameEn, DivisionKind Kind, LocalDate? ValidFrom, LocalDate? ValidTo)
{
    /// <summary>Into what the division went at its end (合并): its figures stand there afterwards. Null where it went on, or into several.</summary>
    public DivisionCode? Successor { get; init; }

    /// <summary>True for the kinds of which the register expects that a node keeps their cases.</summary>
    public bool IsOrigin => Kind is DivisionKind.City or DivisionKind.Municipality or DivisionKind.DirectCounty;

    /// <summary>True for the kinds whose node, where there is one, keeps cases of its own: all from the city down.</summary>
    public bool MayKeepCases => Kind is not (DivisionKind.Nation or DivisionKind.Province or DivisionKind.Placeholder or DivisionKind.Unknown);

    /// <summary>True where the row holds on the day.</summary>
    public bool IsInForce(LocalDate day) => !(ValidFrom > day) && !(ValidTo < day);
}

/// <summary>
/// The divisions that a node knows and how they hang together, seen from a day (clause H1): <see cref="At(LocalDate)"/> is the same register seen from another one. A code is
/// known because it stands here and has begun by the day, and lies below another because the parent column of that day says so; neither is ever read off a
/// prefix. A division that has ended stands where it last stood, or in what it went into, so that its figures are never lost. Below every division that keeps
/// cases there is one more, <c>CODE-NONE</c>, where it counts the cases whose district is not known: it is found by its code but is no row, unless the
/// register has one.
/// </summary>
public sealed class DivisionRegister
{
    private readonly DivisionHistory _history;

    internal DivisionRegister(DivisionHistory history, int era) => (_history, Era) = (history, era);

    /// <summary>The most steps from a division up to the root; more is a cycle.</summary>
    public const int DepthMax = 16;

    /// <summary>What stands behind an origin's code to name its cases of unknown district.</summary>
    public const string UnknownSuffix = "-NONE";

    private static readonly Lazy<DivisionRegister> FromResource = new(ReadResource);

    /// <summary>GB/T 2260: the nation CN, 34 provinces, 337 cities (4 of them placeholders) and 2,846 counties; tools/divisions writes it.</summary>
    public static DivisionRegister BuiltIn => FromResource.Value;

    /// <summary>How many rows the register has, those of other days among them.</summary>
    public int Count => _history.Rows.Count;

    /// <summary>All rows of all days in order of code, those of one code in order of time.</summary>
    public IReadOnlyList<Division> All => _history.Rows;

    /// <summary>The days on which anything changes, in order; none in a register without dates.</summary>
    public IReadOnlyList<LocalDate> Changes => _history.Changes;

    /// <summary>Which of the stretches between <see cref="Changes"/> the register is seen from: 0 is that before the first.</summary>
    public int Era { get; }

    /// <summary>The register that has these rows, seen from the day of its last change. The periods of one code do not overlap.</summary>
    public static DivisionRegister Of(IEnumerable<Division> divisions) => new DivisionHistory(divisions).Newest;

    /// <summary>This register seen from a day.</summary>
    public DivisionRegister At(LocalDate day) => _history.Changes.Count == 0 ? this : _history.In(EraOf(day));

    /// <inheritdoc cref="At(LocalDate)"/>
    public DivisionRegister At(StatDay day) => _history.Changes.Count == 0 ? this : At(day.Date);

    /// <summary>The stretch between two changes that a day lies in.</summary>
    public int EraOf(LocalDate day) => _history.EraOf(day);

    /// <summary>This register seen from a stretch between two changes.</summary>
    public DivisionRegister In(int era) => _history.In(era);

    /// <summary>The register in a CSV file, or the built-in one for null. A file that cannot be read is a fault of line 0.</summary>
    public static DivisionReading Load(string? path)
    {
        if (path is null)
        {
            return new DivisionReading(BuiltIn, []);
        }

        try
        {
            using var reader = new StreamReader(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
            return DivisionFile.Read(reader);
        }
        catch (DecoderFallbackException)
        {
            return new DivisionReading(null, [new DivisionFault(0, "", "the file is not in UTF-8", "save it as UTF-8")]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new DivisionReading(null, [new DivisionFault(0, "", $"the file cannot be read ({e.Message})", "name a CSV file that this account may read")]);
        }
    }

    /// <summary>The row of the day, or the last one before it; null where the code is not known by then.</summary>
    public Division? Find(DivisionCode code) => !code.IsNone && _history.RowOf(code, Day) is { } row && !(row.ValidFrom > Day) ? row : null;

    /// <summary>True for a division that has begun by the day, whether it has ended or not.</summary>
    public bool Contains(DivisionCode code) => Find(code) is not null;

    /// <summary>The rows in force directly below, in order of code.</summary>
    public IReadOnlyList<Division> ChildrenOf(DivisionCode code) => [.. _history.RowsBelow(code).Where(row => row.IsInForce(Day))];

    /// <summary>True where <paramref name="code"/> is <paramref name="ancestor"/> or hangs below it on the day.</summary>
    public bool IsAtOrBelow(DivisionCode code, DivisionCode ancestor)
    {
        if (code == ancestor && !code.IsNone)
        {
            return _history.RowOf(code, Day) is not null;
        }

        var at = Standing(code);
        for (var depth = 0; at is not null && depth <= DepthMax; depth++)
        {
            if (at.Code == ancestor)
            {
                return true;
            }

            at = at.Parent is { } parent ? Standing(parent) : null;
        }

        return false;
    }

    /// <summary>True where <paramref name="code"/> was <paramref name="ancestor"/> or hung below it on the day or any day before.</summary>
    public bool HasBeenAtOrBelow(DivisionCode code, DivisionCode ancestor)
    {
        for (var era = Era; era >= 0; era--)
        {
            if (_history.In(era).IsAtOrBelow(code, ancestor))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// The division itself and everything above it, nearest first. One that ended begins with where it stands now; one that has not begun, with where it
    /// will first stand.
    /// </summary>
    public IEnumerable<Division> UpFrom(DivisionCode code)
    {
        var at = Standing(code);
        for (var depth = 0; at is not null && depth <= DepthMax; depth++)
        {
            yield return at;
            at = at.Parent is { } parent ? Standing(parent) : null;
        }
    }

    /// <summary>The divisions in force at or below <paramref name="root"/> that the register expects to keep cases, in order of code.</summary>
    public IReadOnlyList<Division> OriginsBelow(DivisionCode root) => [.. All.Where(d => d.IsOrigin && d.IsInForce(Day) && IsAtOrBelow(d.Code, root))];

    /// <summary>The first day of the stretch; nothing changes within it.</summary>
    private LocalDate Day => _history.FirstDayOf(Era);

    private Division? Standing(DivisionCode code) => _history.StandingOf(code, Day);

    private static DivisionRegister ReadResource()
    {
        using var stream = typeof(DivisionRegister).Assembly.GetManifestResourceStream("CityGrid.Hub.Divisions.gbt2260.csv")
            ?? throw new InvalidOperationException("The program was built without its register of divisions (gbt2260.csv).");
        using var reader = new StreamReader(stream);
        var (register, faults) = DivisionFile.Read(reader);
        return register ?? throw new InvalidOperationException($"The register of divisions that is built in is damaged: {faults[0]}");
    }
}
