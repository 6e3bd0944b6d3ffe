using NUnit.Framework;

namespace CityGrid.Tests.Approvals;

/// <summary>
/// Golden lines in a file beside their test, each a name, " | ", and what must never change. With CITYGRID_APPROVE=1 in the environment lines of names that
/// the file does not have are added to it; none is ever changed.
/// </summary>
internal static class GoldenLines
{
    public static string PathOf(string folder, string file) => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", folder, $"{file}.golden.txt");

    /// <summary>The lines of the file, cell by cell.</summary>
    public static IReadOnlyList<string[]> Of(string folder, string file) => [.. File.ReadAllLines(PathOf(folder, file)).Select(line => line.Split(" | "))];

    /// <summary>Each line that is written now stands in the file.</summary>
    public static void Have(string folder, string file, IReadOnlyList<string> written)
    {
        var path = PathOf(folder, file);
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1")
        {
            var known = File.Exists(path) ? File.ReadAllLines(path).Select(NameOf).ToHashSet(StringComparer.Ordinal) : [];
            File.AppendAllLines(path, written.Where(line => !known.Contains(NameOf(line))));
        }

        Assert.That(File.Exists(path), Is.True, $"There is no {path} yet; run this test once with CITYGRID_APPROVE=1 and read the file.");
        var kept = File.ReadAllLines(path);
        Assert.That(kept.Select(NameOf), Is.Unique);
        var names = written.Select(NameOf).ToHashSet(StringComparer.Ordinal);
        Assert.That(written.Order(StringComparer.Ordinal), Is.EqualTo(kept.Where(line => names.Contains(NameOf(line))).Order(StringComparer.Ordinal)));
    }

    private static string NameOf(string line) => line[..line.IndexOf(" | ", StringComparison.Ordinal)];
}
