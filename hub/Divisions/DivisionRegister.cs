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

/// <summary>A row of the register. Valid from and to are days; null is open.</summary>
public sealed record Division(
    DivisionCode Code, DivisionCode? Parent, string NameZh, string NameEn, DivisionKind Kind, LocalDate? ValidFrom, LocalDate? ValidTo)
{
    /// <summary>True for the kinds of which the register expects that a node keeps their cases.</summary>
    public bool IsOrigin => Kind is DivisionKind.City or DivisionKind.Municipality or DivisionKind.DirectCounty;
}

/// <summary>
/// The divisions that a node knows and how they hang together. A code is valid because it stands here, and lies below another because the
/// parent column says so; neither is ever read off a prefix.
/// </summary>
public sealed class DivisionRegister
{
    private readonly Dictionary<DivisionCode, Division> _byCode;
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
        }
    }

    /// <summary>The most steps from a division up to the root; more is a cycle.</summary>
    public const int DepthMax = 16;

    public int Count => _byCode.Count;

    /// <summary>All divisions in order of code.</summary>
    public IEnumerable<Division> All => _byCode.Values.OrderBy(d => d.Code);

    public static DivisionRegister Of(IEnumerable<Division> divisions) => new(divisions.ToDictionary(d => d.Code));

    public Division? Find(DivisionCode code) => code.IsNone ? null : _byCode.GetValueOrDefault(code);

    public bool Contains(DivisionCode code) => !code.IsNone && _byCode.ContainsKey(code);

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
}
