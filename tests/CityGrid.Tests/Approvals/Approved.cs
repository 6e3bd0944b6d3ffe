using System.Runtime.CompilerServices;
using NUnit.Framework;

namespace CityGrid.Tests.Approvals;

/// <summary>
/// Freezes what others see: a surface changes only on purpose. The approved text is Approvals/NAME.approved.txt; with CITYGRID_APPROVE=1 in the
/// environment it is written instead of compared, and then read before it is kept.
/// </summary>
public static class Approved
{
    public static void Matches(string name, string text)
    {
        var path = Path.Combine(Folder(), $"{name}.approved.txt");
        var lines = text.ReplaceLineEndings("\n").TrimEnd('\n') + "\n";
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1")
        {
            File.WriteAllText(path, lines);
        }

        Assert.That(File.Exists(path), Is.True, $"Nothing is approved as {name} yet; run this test once with CITYGRID_APPROVE=1 and read the file.");
        Assert.That(lines, Is.EqualTo(File.ReadAllText(path)), $"{name} is not what was approved. If that is meant, run this test once with CITYGRID_APPROVE=1.");
    }

    private static string Folder([CallerFilePath] string file = "") =>
        Directory.Exists(Path.GetDirectoryName(file)) ? Path.GetDirectoryName(file)! : Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Approvals");
}
