using System.Globalization;
using System.Security.Cryptography;

namespace CityGrid.Tests.Fuzz;

/// <summary>The inputs that are kept of each target, one file each under the hash of what is in it; and how many others a run is asked for.</summary>
internal static class FuzzCorpus
{
    public static readonly string Folder = Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Fuzz", "corpus");

    public static ulong Seed => Asked("CITYGRID_FUZZ_SEED", 1);

    public static int RunsOf(FuzzTarget target) => (int)Asked("CITYGRID_FUZZ_RUNS", (ulong)target.Runs);

    public static IReadOnlyList<(string File, byte[] Input)> Of(string name)
    {
        var folder = Path.Combine(Folder, name);
        return Directory.Exists(folder) ? [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(file => (Path.GetFileName(file), File.ReadAllBytes(file)))] : [];
    }

    /// <summary>A find stays, until it is mended and for ever after.</summary>
    public static void Keep(Find find) => File.WriteAllBytes(Path.Combine(Directory.CreateDirectory(Path.Combine(Folder, find.Target.Name)).FullName, FileOf(find.Input)), find.Input);

    public static string FileOf(byte[] input) => Convert.ToHexStringLower(SHA256.HashData(input))[..12];

    private static ulong Asked(string variable, ulong otherwise) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var asked) ? asked : otherwise;
}
