using System.Text;
using CityGrid.Protocol.Names;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Intake.Import;

/// <summary>How records lie in the file.</summary>
public enum ImportFormat
{
    Csv,
    Ndjson,
}

/// <summary>What becomes of a name that the mapping does not know, or of a value that is not there.</summary>
public enum OtherwisePolicy
{
    /// <summary>A code is made from the name (<see cref="SourceNames"/>).</summary>
    Generate,

    /// <summary>It counts where what is not known counts: type <see cref="TypeRules.MissingCode"/>, district <c>city-NONE</c>.</summary>
    None,

    /// <summary>The row is kept out and stands in the error file.</summary>
    Park,
}

/// <summary>Which column of the source holds what. Only id, reported and type must be there.</summary>
public sealed record ImportColumns
{
    public required string Id { get; init; }

    public required string Reported { get; init; }

    public required string Type { get; init; }

    public string? Closed { get; init; }

    public string? Due { get; init; }

    public string? Updated { get; init; }

    public string? District { get; init; }

    public string? Source { get; init; }

    public string? Status { get; init; }

    /// <summary>Columns whose values become the text, one a line.</summary>
    public IReadOnlyList<string> Text { get; init; } = [];

    public string? Reporter { get; init; }

    public string? Contact { get; init; }

    public string? Address { get; init; }

    /// <summary>One column with both coordinates: <c>(lat, long)</c> or <c>POINT (long lat)</c>.</summary>
    public string? Point { get; init; }

    public string? Latitude { get; init; }

    public string? Longitude { get; init; }
}

/// <param name="Codes">Source name → code of the catalogue.</param>
/// <param name="Unknown">For a name that is not in <paramref name="Codes"/>: <see cref="OtherwisePolicy.Generate"/> makes a local type.</param>
/// <param name="Missing">For a row without a name: <see cref="OtherwisePolicy.None"/> or <see cref="OtherwisePolicy.Park"/>.</param>
public sealed record TypeRules(IReadOnlyDictionary<string, TypeCode> Codes, OtherwisePolicy Unknown, OtherwisePolicy Missing)
{
    /// <summary>The matter <c>other</c>.</summary>
    public static readonly TypeCode MissingCode = TypeCode.Parse("99000");
}

/// <param name="Codes">Source value → division.</param>
/// <param name="Unknown">For a value that is not in <paramref name="Codes"/>: <see cref="OtherwisePolicy.Generate"/> makes a code from it.</param>
/// <param name="Missing">For a row without a value: <see cref="OtherwisePolicy.None"/> or <see cref="OtherwisePolicy.Park"/>.</param>
/// <param name="Name">The name of a district, with <c>{0}</c> for the source's value; codes are made from it.</param>
/// <param name="AfterLastComma">True where only what follows the last comma of the value names the district.</param>
/// <param name="None">Values that mean: no district.</param>
public sealed record DistrictRules(
    IReadOnlyDictionary<string, DivisionCode> Codes, OtherwisePolicy Unknown, OtherwisePolicy Missing, string Name, bool AfterLastComma, IReadOnlySet<string> None)
{
    public string NameOf(string value) => Name.Replace("{0}", value, StringComparison.Ordinal);
}

/// <param name="Codes">Source word → source code.</param>
/// <param name="Otherwise">For every other word, and for a row without one.</param>
public sealed record SourceRules(IReadOnlyDictionary<string, SourceCode> Codes, SourceCode Otherwise);

/// <summary>The answer to reading a mapping: the mapping, or everything that is wrong with it (<see cref="Refusal.Where"/> is a JSON path).</summary>
public sealed record MappingReading(ImportMapping? Mapping, IReadOnlyList<Refusal> Faults);

/// <summary>What a source's columns and words mean. Written as JSON (docs/import.md), read once, never changed.</summary>
public sealed class ImportMapping
{
    /// <summary>The JSON Schema of the file.</summary>
    public static string Schema { get; } = ReadSchema();

    public required ImportFormat Format { get; init; }

    /// <summary>Null is UTF-8.</summary>
    public Encoding? Encoding { get; init; }

    public char Delimiter { get; init; } = ',';

    /// <summary>The division whose node keeps the cases.</summary>
    public required DivisionCode City { get; init; }

    /// <summary>The source system, which names a case for ever together with a row's id; null is the name of the mapping.</summary>
    public string? System { get; init; }

    public required DateTimeZone Zone { get; init; }

    public required IReadOnlyList<string> DateFormats { get; init; }

    /// <summary>Words that stand for no value, in every column; the empty value always does.</summary>
    public required IReadOnlySet<string> Missing { get; init; }

    public required ImportColumns Columns { get; init; }

    /// <summary>Status words that make a row void, in any case of letters.</summary>
    public required IReadOnlySet<string> StatusVoid { get; init; }

    /// <summary>Status words of open cases; nothing hangs on them, as a case is closed by its close time.</summary>
    public required IReadOnlySet<string> StatusOpen { get; init; }

    /// <summary>Where not empty, the close time counts only beside one of these words: for sources whose close time is a time of any last change.</summary>
    public required IReadOnlySet<string> StatusClosed { get; init; }

    public required TypeRules Types { get; init; }

    public required DistrictRules Districts { get; init; }

    public required SourceRules Sources { get; init; }

    /// <summary>The datum of the coordinates; <c>WGS84</c> unless given.</summary>
    public string Datum { get; init; } = "WGS84";

    /// <summary>Reads a mapping; every fault of the file is told at once.</summary>
    public static MappingReading Read(string json) => new MappingReader().Read(json);

    private static string ReadSchema()
    {
        using var stream = typeof(ImportMapping).Assembly.GetManifestResourceStream("import-mapping.schema.json")
            ?? throw new InvalidOperationException("The program was built without import-mapping.schema.json.");
        using var reader = new StreamReader(stream, global::System.Text.Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
