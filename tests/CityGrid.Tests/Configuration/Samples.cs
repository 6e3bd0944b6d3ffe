namespace CityGrid.Tests.Configuration;

/// <summary>The configuration files beside these tests.</summary>
internal static class Samples
{
    private static readonly string Folder = Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Configuration");

    public static IEnumerable<string> Bad => Directory.GetFiles(Folder, "*.bad.json").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);

    public static string Text(string name) => File.ReadAllText(Path.Combine(Folder, name));
}
