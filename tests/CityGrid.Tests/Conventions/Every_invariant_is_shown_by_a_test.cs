using System.Globalization;
using System.Text.RegularExpressions;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>docs/invariants.md names every invariant, and what it names as shown by a test is a test.</summary>
public sealed class Every_invariant_is_shown_by_a_test
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Machine.Repository, "docs", "invariants.md"));

    [Test]
    public void That_there_is()
    {
        var named = Regex.Matches(Page, @"`(\w+(?:/\w+)?)/(\w+)`").Select(match => (Folder: match.Groups[1].Value, Class: match.Groups[2].Value)).Distinct().ToList();

        Assert.That(named, Has.Count.GreaterThan(50));
        Assert.That(named.Where(test => !File.Exists(FileOf(test.Folder, test.Class))), Is.Empty);
    }

    [Test]
    public void And_none_is_left_out()
    {
        var rows = Regex.Matches(Page, @"^\| (INV-.*?) \|", RegexOptions.Multiline).Select(match => match.Groups[1].Value);
        var later = Regex.Match(Page, @"^(INV-[\d, and]+) belongs? to (?:a capability|capabilities) that (?:is|are) not built yet", RegexOptions.Multiline).Groups[1].Value;
        var numbers = rows.Append(later).SelectMany(text => Regex.Matches(text, @"\d+")).Select(match => int.Parse(match.Value, CultureInfo.InvariantCulture));

        Assert.That(numbers.Order(), Is.EqualTo(Enumerable.Range(1, 32)));
    }

    private static string FileOf(string folder, string test) => folder.StartsWith("EndToEnd", StringComparison.Ordinal)
        ? Path.Combine(Machine.Repository, "tests", "CityGrid." + folder, $"{test}.cs")
        : Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", folder, $"{test}.cs");
}
