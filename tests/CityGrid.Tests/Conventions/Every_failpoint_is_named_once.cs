using System.Text.RegularExpressions;
using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>The list of failpoints is what the source hits and what docs/failpoints.md tells of.</summary>
public sealed class Every_failpoint_is_named_once
{
    private static readonly string[] InTheSource = [.. new[] { "hub", "node", "protocol", "tools" }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Machine.Repository, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(folder => folder is "obj" or "bin"))
        .SelectMany(file => Regex.Matches(File.ReadAllText(file), @"Failpoint\.Hit\(\s*""([^""]*)""").Select(match => match.Groups[1].Value))];

    [Test]
    public void And_stands_at_one_place() => Assert.That(InTheSource, Is.EquivalentTo(FailpointNames.All));

    [Test]
    public void And_has_a_name_of_its_own() => Assert.That(FailpointNames.All, Is.Unique.And.All.Match(@"^[a-z-]+(\.[a-z-]+)+$"));

    [Test]
    public void And_there_are_sixty_at_least() => Assert.That(FailpointNames.All.Count, Is.GreaterThanOrEqualTo(60));

    [Test]
    public void And_the_page_tells_of_each()
    {
        var rows = File.ReadAllLines(Path.Combine(Machine.Repository, "docs", "failpoints.md")).Where(line => line.StartsWith("| ", StringComparison.Ordinal));

        Assert.That(rows.SelectMany(row => Regex.Matches(row.Split('|')[2], "`([a-z.-]+)`")).Select(match => match.Groups[1].Value), Is.EquivalentTo(FailpointNames.All));
    }
}
