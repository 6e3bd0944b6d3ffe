using CityGrid.Protocol.Names;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Intake.Import;

/// <summary>What a name became. A source has few names and many rows, so answers are kept, up to a bound that a wrong mapping cannot pass.</summary>
internal sealed class RememberedNames<T>(Func<string, T> find)
{
    private const int KeptMax = 20_000;

    private readonly Dictionary<string, T> _kept = new(StringComparer.Ordinal);

    public T Find(string name)
    {
        if (!_kept.TryGetValue(name, out var found))
        {
            found = find(name);
            if (_kept.Count < KeptMax)
            {
                _kept.Add(name, found);
            }
        }

        return found;
    }
}

/// <summary>Names of types → codes. The code is <c>default</c> for a name that is to be parked.</summary>
internal sealed class TypeNames
{
    private readonly RememberedNames<(TypeCode Code, string Name, bool IsLocal)> _found;

    public TypeNames(TypeRules rules) => _found = new(name => Find(rules, SourceNames.Canonical(name)));

    public (TypeCode Code, string Name, bool IsLocal) Find(string name) => _found.Find(name);

    private static (TypeCode Code, string Name, bool IsLocal) Find(TypeRules rules, string name)
    {
        if (rules.Codes.TryGetValue(name, out var code))
        {
            return (code, name, false);
        }

        return rules.Unknown switch
        {
            OtherwisePolicy.Generate => (SourceNames.LocalType(name), name, true),
            OtherwisePolicy.None => (TypeRules.MissingCode, name, false),
            _ => (default, name, false),
        };
    }
}

/// <summary>Values of the district column → divisions.</summary>
internal sealed class DistrictNames
{
    private readonly DistrictRules _rules;
    private readonly RememberedNames<DivisionCode?> _found;

    public DistrictNames(DivisionCode city, DistrictRules rules)
    {
        _rules = rules;
        NoDistrict = SourceNames.NoDistrict(city);
        _found = new(value => Find(city, SourceNames.Canonical(value)));
    }

    public DivisionCode NoDistrict { get; }

    /// <summary>The part of the value that names the district; null where it names none.</summary>
    public string? PartOf(string value)
    {
        if (_rules.AfterLastComma)
        {
            var comma = value.LastIndexOf(',');
            value = comma < 0 ? string.Empty : value[(comma + 1)..].Trim();
        }

        return value.Length == 0 || _rules.None.Contains(value) ? null : value;
    }

    /// <summary>The division; null where the mapping does not know the value and makes no codes.</summary>
    public DivisionCode? Find(string value) => _found.Find(value);

    private DivisionCode? Find(DivisionCode city, string value)
    {
        if (_rules.Codes.TryGetValue(value, out var code))
        {
            return code;
        }

        return _rules.Unknown == OtherwisePolicy.Generate ? SourceNames.District(city, _rules.NameOf(value)) : null;
    }
}
