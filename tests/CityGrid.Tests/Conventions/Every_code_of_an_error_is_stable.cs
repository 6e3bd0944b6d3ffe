using System.Text.RegularExpressions;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>
/// Programs act on the code of an error, so one that was once given out is never renamed or dropped: Approvals/error-codes.approved.txt holds them.
/// New ones are added to it with CITYGRID_APPROVE=1.
/// </summary>
public sealed class Every_code_of_an_error_is_stable
{
    private static readonly string Page = Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Approvals", "error-codes.approved.txt");

    private static IReadOnlySet<string> InTheCode { get; } = new[] { "hub", "node", "protocol" }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Machine.Repository, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(folder => folder is "obj" or "bin"))
        .SelectMany(file => Regex.Matches(File.ReadAllText(file), "\"([A-Z]+(?:_[A-Z]+)*)\"").Select(match => match.Groups[1].Value))
        .Where(word => word.Length > 4)
        .ToHashSet();

    [Test]
    public void None_that_was_given_out_is_gone()
    {
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1")
        {
            File.WriteAllLines(Page, File.ReadLines(Page).Union(InTheCode).Where(code => code.Contains('_')).Order(StringComparer.Ordinal));
        }

        Assert.That(File.ReadLines(Page).Where(code => !InTheCode.Contains(code)), Is.Empty);
    }

    [Test]
    public void And_the_list_is_not_empty() => Assert.That(File.ReadLines(Page).Count(), Is.GreaterThan(100));
}
