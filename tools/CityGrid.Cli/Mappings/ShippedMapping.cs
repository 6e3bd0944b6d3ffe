using CityGrid.Node.Intake.Import;

namespace CityGrid.Cli.Mappings;

/// <summary>A mapping that comes with the tool, for a public source of real cases.</summary>
/// <param name="Name">What <c>--mapping</c> takes for it, and its file in this folder.</param>
/// <param name="FilePrefix">How the names of its files begin.</param>
public sealed record ShippedMapping(string Name, string FilePrefix)
{
    public static readonly IReadOnlyList<ShippedMapping> All =
    [
        new("boston-311", "boston_311_"),
        new("boston-georeport", "boston_georeport_"),
        new("chicago-311", "chicago_311_"),
        new("los-angeles-311", "la_311_"),
        new("new-york-311", "nyc_311_"),
        new("san-francisco-311", "sf_311_"),
    ];

    /// <summary>The register (CSV) of the nation, states, cities and districts that the mappings speak of.</summary>
    public const string RegisterName = "us-2026.csv";

    public static string RegisterCsv => Text(RegisterName);

    public string Json => Text(Name + ".json");

    /// <summary>The mapping by its name; null where there is none of that name.</summary>
    public static ShippedMapping? Find(string name) => All.FirstOrDefault(m => m.Name == name);

    /// <summary>The mapping for a file, by the file's name; null where none is known.</summary>
    public static ShippedMapping? ForFile(string path) =>
        All.FirstOrDefault(m => Path.GetFileName(path).StartsWith(m.FilePrefix, StringComparison.OrdinalIgnoreCase));

    public ImportMapping Read() =>
        ImportMapping.Read(Json) is { Mapping: { } mapping } ? mapping : throw new InvalidOperationException($"The shipped mapping {Name} is faulty.");

    private static string Text(string name)
    {
        using var stream = typeof(ShippedMapping).Assembly.GetManifestResourceStream("mappings/" + name)
            ?? throw new InvalidOperationException($"The tool was built without {name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
