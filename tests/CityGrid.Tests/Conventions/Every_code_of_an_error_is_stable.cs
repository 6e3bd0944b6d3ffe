using System.Text.RegularExpressions;
using CityGrid.Node.Hosting;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>
/// Programs act on the code of an error, so one that was once given out is never renamed or dropped: Approvals/error-codes.approved.txt holds them.
/// New ones are added to it with CITYGRID_APPROVE=1.
/// </summary>
public sealed class Every_code_of_an_error_is_stable
{
    private static readonly string Page = Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Approvals", "error-codes.approved.txt");

    /// <summary>Words that look like codes and are none: a setting of LiteDB, and the switches of the build with failpoints.</summary>
    private static readonly string[] NoCodes = ["UTC_DATE", "CITYGRID_FAILPOINTS", "CITYGRID_LIMITS"];

    /// <summary>Codes of four letters or fewer, which <see cref="InTheCode"/> takes for other things, such as the names of protocols.</summary>
    private static readonly string[] ShortWords = ["FORK", "GAP", "LOOP"];

    private static IReadOnlySet<string> InTheCode { get; } = new[] { "hub", "node", "protocol" }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Machine.Repository, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(folder => folder is "obj" or "bin"))
        .SelectMany(file => Regex.Matches(File.ReadAllText(file), "\"([A-Z]+(?:_[A-Z]+)*)\"").Select(match => match.Groups[1].Value))
        .Where(word => word.Length > 4)
        .ToHashSet();

    private static string[] Approved => File.ReadAllLines(Page);

    [Test]
    public void None_that_was_given_out_is_gone()
    {
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1")
        {
            File.WriteAllLines(Page, Approved.Union(InTheCode).Except(NoCodes).Where(code => code.Contains('_')).Order(StringComparer.Ordinal));
        }

        Assert.That(Approved.Where(code => !InTheCode.Contains(code)), Is.Empty, "programs act on these");
    }

    [Test]
    public void And_each_that_is_given_out_stands_in_the_list() =>
        Assert.That(InTheCode.Where(word => word.Contains('_')).Except(Approved).Except(NoCodes), Is.Empty, "run None_that_was_given_out_is_gone once with CITYGRID_APPROVE=1");

    [Test]
    public void And_each_has_words_in_Chinese() => Assert.That(Approved.Except(RefusalWords.Codes), Is.Empty, "node/Hosting/RefusalWords.resx");

    [Test]
    public void And_no_words_are_kept_for_a_code_that_is_not_there() =>
        Assert.That(RefusalWords.Codes.Where(code => !InTheCode.Contains(code) && !ShortWords.Contains(code)), Is.Empty, "node/Hosting/RefusalWords.resx");

    [Test]
    public void And_the_list_is_not_empty() => Assert.That(Approved.Length, Is.GreaterThan(100));
}
