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

/// <summary>A row of the register. Valid from the one day to the other, both within; null is open.</summary>
public sealed record Division(
    DivisionCode Code, DivisionCode? Parent, string NameZh, string NameEn, DivisionKind Kind, LocalDate? ValidFrom, LocalDate? ValidTo)
{
    /// <summary>True for the kinds of which the register expects that a node keeps their cases.</summary>
    public bool IsOrigin => Kind is DivisionKind.City or DivisionKind.Municipality or DivisionKind.DirectCounty;

    /// <summary>True for the kinds whose node, where there is one, keeps cases of its own: all from the city down.</summary>
    public bool MayKeepCases => Kind is not (DivisionKind.Nation or DivisionKind.Province or DivisionKind.Placeholder or DivisionKind.Unknown);
}

/// <summary>
/// The divisions that a node knows and how they hang together. A code is valid because it stands here, and lies below another because the
/// parent column says so; neither is ever read off a prefix. Below every division that keeps cases there is one more, <c>CODE-NONE</c>, where it
/// counts the cases whose district is not known: it is found by its code but is no row, unless the register has one.
/// </summary>
public sealed class DivisionRegister
{
    private readonly Dictionary<DivisionCode, Division> _byCode;
    private readonly Dictionary<DivisionCode, Division> _implied = [];
    private readonly Dictionary<DivisionCode, List<Division>> _children = [];

    private DivisionRegister(Dictionary<DivisionCode, Division> byCode)
    {
        _byCode = byCode;
        foreach (var division in byCode.Values.OrderBy(d => d.Code))
        {
            if (division.Parent is { } parent)
            {
                if (!_children.TryGetValue(parent, out var list))
                {
                    _children.Add(parent, list = []);
                }

                list.Add(division);
            }

            if (division.IsOrigin && DivisionCode.TryParse(division.Code + UnknownSuffix, out var unknown) && !byCode.ContainsKey(unknown))
            {
                _implied.Add(unknown, new Division(unknown, division.Code, "区县不明", "District unknown", DivisionKind.Unknown, null, null));
            }
        }
    }

    /// <summary>The most steps from a division up to the root; more is a cycle.</summary>
    public const int DepthMax = 16;

    /// <summary>What stands behind an origin's code to name its cases of unknown district.</summary>
    public const string UnknownSuffix = "-NONE";

    private static readonly Lazy<DivisionRegister> FromResource = new(ReadResource);

    /// <summary>GB/T 2260: the nation CN, 34 provinces, 337 cities (4 of them placeholders) and 2,846 counties; tools/divisions writes it.</summary>
    public static DivisionRegister BuiltIn => FromResource.Value;

    /// <summary>How many rows the register has.</summary>
    public int Count => _byCode.Count;

    /// <summary>All rows in order of code.</summary>
    public IEnumerable<Division> All => _byCode.Values.OrderBy(d => d.Code);

    public static DivisionRegister Of(IEnumerable<Division> divisions) => new(divisions.ToDictionary(d => d.Code));

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

    public Division? Find(DivisionCode code) => code.IsNone ? null : _byCode.GetValueOrDefault(code) ?? _implied.GetValueOrDefault(code);

    public bool Contains(DivisionCode code) => Find(code) is not null;

    /// <summary>The rows directly below, in order of code.</summary>
    public IReadOnlyList<Division> ChildrenOf(DivisionCode code) => _children.TryGetValue(code, out var list) ? list : [];

    /// <summary>True where <paramref name="code"/> is <paramref name="ancestor"/> or hangs below it.</summary>
    public bool IsAtOrBelow(DivisionCode code, DivisionCode ancestor)
    {
        var at = Find(code);
        for (var depth = 0; at is not null && depth <= DepthMax; depth++)
        {
            if (at.Code == ancestor)
            {
                return true;
            }

            at = at.Parent is { } parent ? Find(parent) : null;
        }

        return false;
    }

    /// <summary>The division itself and everything above it, nearest first.</summary>
    public IEnumerable<Division> UpFrom(DivisionCode code)
    {
        var at = Find(code);
        for (var depth = 0; at is not null && depth <= DepthMax; depth++)
        {
            yield return at;
            at = at.Parent is { } parent ? Find(parent) : null;
        }
    }

    /// <summary>The divisions at or below <paramref name="root"/> that the register expects to keep cases, in order of code.</summary>
    public IReadOnlyList<Division> OriginsBelow(DivisionCode root) => [.. All.Where(d => d.IsOrigin && IsAtOrBelow(d.Code, root))];

    private static DivisionRegister ReadResource()
    {
        using var stream = typeof(DivisionRegister).Assembly.GetManifestResourceStream("CityGrid.Hub.Divisions.gbt2260.csv")
            ?? throw new InvalidOperationException("The program was built without its register of divisions (gbt2260.csv).");
        using var reader = new StreamReader(stream);
        var (register, faults) = DivisionFile.Read(reader);
        return register ?? throw new InvalidOperationException($"The register of divisions that is built in is damaged: {faults[0]}");
    }
}
