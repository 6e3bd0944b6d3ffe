using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using CityGrid.Protocol.Names;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Hub.Catalogue;

/// <summary>What is wrong with a file: the first faults, each with its line, and how many there are in all.</summary>
public sealed class CatalogueFaults
{
    /// <summary>So many are named: nobody mends more at a time, and a file of garbage has a fault in each of half a million lines.</summary>
    public const int NamedMax = 100;

    private readonly List<string> _named = [];

    public IReadOnlyList<string> Named => _named;

    public int Count { get; private set; }

    public void Add(string fault)
    {
        Count++;
        if (_named.Count < NamedMax)
        {
            _named.Add(fault);
        }
    }
}

/// <summary>
/// A version of the catalogue (目录): its types with their rows. Immutable: a local type makes a new catalogue of the same version. Safe for
/// many threads.
/// </summary>
public sealed class TypeCatalogue
{
    /// <summary>The limit of a type that the catalogue gives none: 5 working days.</summary>
    public static readonly Limit DefaultLimit = new(5, LimitUnit.WorkDay);

    /// <summary>The first line of a file, so that none loses its first type to a line that was thought to be this one.</summary>
    private const string Header = "code\tname_zh\tname_en\tlimits";

    private const string BuiltInFile = "CityGrid.Hub.Catalogue.gb47678-2026.tsv";
    private static readonly Lazy<TypeCatalogue> BuiltInOnce = new(ReadBuiltIn);

    private readonly FrozenDictionary<TypeKey, CatalogueType> _standard;
    private readonly ImmutableDictionary<TypeKey, CatalogueType> _local;

    private TypeCatalogue(
        CatalogueVersion version,
        FrozenDictionary<TypeKey, CatalogueType> standard,
        ImmutableDictionary<TypeKey, CatalogueType> local)
    {
        Version = version;
        _standard = standard;
        _local = local;
    }

    /// <summary>
    /// <c>gb47678-2026</c>: the 250 matters of GB/T 47678.5-2026 and <c>other</c> (99000). Names and codes come second hand, limits from one
    /// city's table; README.md of this folder says how the file was made.
    /// </summary>
    public static TypeCatalogue BuiltIn => BuiltInOnce.Value;

    public CatalogueVersion Version { get; }

    /// <summary>The matter that holds what fits nowhere (其他, 99000); local types hang below it.</summary>
    public TypeKey Other => KeyOf(TypeCode.Parse("99000"));

    public int Count => _standard.Count + _local.Count;

    /// <summary>All types in order of key, the local ones with them.</summary>
    public IEnumerable<CatalogueType> All => _standard.Values.Concat(_local.Values).OrderBy(t => t.Key);

    public IEnumerable<CatalogueType> LocalTypes => _local.Values.OrderBy(t => t.Key);

    public CatalogueType? Find(TypeKey key) => _standard.GetValueOrDefault(key) ?? _local.GetValueOrDefault(key);

    public CatalogueType? Find(TypeCode code) => Find(KeyOf(code));

    /// <summary>The key of a matter with this code in this version, whether it stands here or not.</summary>
    public TypeKey KeyOf(TypeCode code) => new(Version, TypeKind.Matter, code);

    /// <summary>The code of a local type: <c>x</c> and the first 8 hexadecimal digits of the SHA-256 of its name in UTF-8.</summary>
    public static TypeCode LocalCodeOf(string name) =>
        TypeCode.Parse("x" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 4)));

    /// <summary>This catalogue and a local type below <c>other</c>. A code that stands here already changes nothing.</summary>
    public TypeCatalogue WithLocal(TypeCode code, string name)
    {
        var key = KeyOf(code);
        return Find(key) is not null
            ? this
            : new TypeCatalogue(Version, _standard, _local.Add(key, new CatalogueType(key, name, name, RowsOf([]), Other.Code)));
    }

    /// <summary>
    /// Reads a catalogue file: UTF-8, tab-separated, a header line, then code, Chinese name, English name and limits with spaces between them.
    /// Throws <see cref="FormatException"/> with the faults.
    /// </summary>
    public static TypeCatalogue Read(CatalogueVersion version, TextReader file) =>
        TryRead(version, file, out var faults)
            ?? throw new FormatException($"The catalogue {version} has {faults.Count} faults: {string.Join(' ', faults.Named)}");

    /// <summary>As <see cref="Read"/>; null with the faults where there are any.</summary>
    public static TypeCatalogue? TryRead(CatalogueVersion version, TextReader file, out CatalogueFaults faults)
    {
        var types = new Dictionary<TypeKey, CatalogueType>();
        var found = new CatalogueFaults();
        if (file.ReadLine() is var first && first != Header)
        {
            found.Add($"line 1: the header '{Header.Replace('\t', ' ')}' is expected there, with tabs.");
        }

        var number = 1;
        while (file.ReadLine() is { } line)
        {
            number++;
            if (line.Length == 0)
            {
                continue;
            }

            if (line.Contains('\uFFFD', StringComparison.Ordinal))
            {
                found.Add($"line {number}: characters were lost before it came here. Save the file as UTF-8.");
            }
            else if (TypeOf(version, line, out var fault) is not { } type)
            {
                found.Add($"line {number}: {fault}");
            }
            else if (!types.TryAdd(type.Key, type))
            {
                found.Add($"line {number}: {type.Key.Code} stands here twice.");
            }
        }

        faults = found;
        return found.Count == 0 ? new TypeCatalogue(version, types.ToFrozenDictionary(), ImmutableDictionary<TypeKey, CatalogueType>.Empty) : null;
    }

    /// <summary>The types without the local ones in the form that <see cref="Read"/> takes, in order of code: two catalogues with the same text have the same types.</summary>
    public string ToText()
    {
        var text = new StringBuilder(Header).Append('\n');
        foreach (var type in _standard.Values.OrderBy(type => type.Key))
        {
            text.Append(type.Key.Code).Append('\t').Append(type.NameZh).Append('\t').Append(type.NameEn).Append('\t')
                .AppendJoin(' ', type.Rows.Where(row => !row.IsDefault).Select(row => row.Limit.ToString())).Append('\n');
        }

        return text.ToString();
    }

    private static CatalogueType? TypeOf(CatalogueVersion version, string line, out string fault)
    {
        var fields = line.Split('\t');
        if (fields.Length != 4)
        {
            fault = $"4 columns are expected, not {fields.Length}.";
            return null;
        }

        if (fields[0].Length != 5 || !fields[0].All(char.IsAsciiDigit))
        {
            fault = $"'{fields[0]}' is no type code of five digits.";
            return null;
        }

        var limits = new List<Limit>();
        foreach (var text in fields[3].Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Limit.TryParse(text, out var limit))
            {
                fault = $"'{text}' is no limit.";
                return null;
            }

            limits.Add(limit);
        }

        fault = string.Empty;
        return new CatalogueType(new TypeKey(version, TypeKind.Matter, TypeCode.Parse(fields[0])), fields[1], fields[2], RowsOf(limits));
    }

    private static CatalogueRow[] RowsOf(List<Limit> limits) =>
        limits.Count == 0 ? [new CatalogueRow(1, DefaultLimit, IsDefault: true)] : [.. limits.Select((limit, i) => new CatalogueRow(i + 1, limit, IsDefault: false))];

    private static TypeCatalogue ReadBuiltIn()
    {
        using var stream = typeof(TypeCatalogue).Assembly.GetManifestResourceStream(BuiltInFile)
            ?? throw new InvalidOperationException($"The program was built without {BuiltInFile}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return Read(CatalogueVersion.Parse("gb47678-2026"), reader);
    }
}
