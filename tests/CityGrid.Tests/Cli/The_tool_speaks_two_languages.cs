using System.CommandLine;
using System.Globalization;
using System.Resources;
using System.Text.RegularExpressions;
using CityGrid.Cli;
using CityGrid.Node.Checks;
using NUnit.Framework;

namespace CityGrid.Tests.Cli;

/// <summary>Every text of the tool is there in 简体中文 and in English, with the same places for values, and every one is used.</summary>
[NonParallelizable]
public sealed class The_tool_speaks_two_languages
{
    private static readonly ResourceManager Resources = new("CityGrid.Cli.Texts", typeof(Texts).Assembly);

    [Test]
    public void Both_have_the_same_texts() => Assert.That(NamesIn("zh-Hans"), Is.EquivalentTo(Texts.Names));

    [Test]
    public void With_the_same_places_for_values() => Assert.Multiple(() =>
    {
        foreach (var name in Texts.Names)
        {
            Assert.That(Places(name, "zh-Hans"), Is.EquivalentTo(Places(name, string.Empty)), name);
        }
    });

    [Test]
    public void The_chinese_ones_are_chinese_and_the_english_ones_are_not() => Assert.Multiple(() =>
    {
        foreach (var name in Texts.Names)
        {
            Assert.That(Regex.IsMatch(In(name, string.Empty), @"\p{IsCJKUnifiedIdeographs}"), Is.False, $"{name} in English");
            Assert.That(Regex.IsMatch(In(name, "zh-Hans"), @"\p{IsCJKUnifiedIdeographs}") || !Regex.IsMatch(In(name, string.Empty), "[a-z]{4,}"), Is.True, $"{name} in Chinese");
        }
    });

    [Test]
    public void Every_text_is_used_and_every_one_used_is_there()
    {
        var code = string.Concat(Directory.EnumerateFiles(Path.Combine(Machine.Repository, "tools", "CityGrid.Cli"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal)).Select(File.ReadAllText));
        var asked = Regex.Matches(code, "Texts\\.Get\\(\\s*\"([^\"]+)\"").Select(match => match.Groups[1].Value).Distinct();

        Assert.Multiple(() =>
        {
            Assert.That(asked.Except(Texts.Names), Is.Empty);
            Assert.That(Texts.Names.Where(name => !code.Contains($"\"{name}\"", StringComparison.Ordinal)), Is.Empty, "nobody says this");
        });
    }

    [TestCase("zh", true)]
    [TestCase("en", false)]
    public void Every_command_option_and_argument_is_described_in_it(string language, bool isChinese)
    {
        Texts.Choose(language);
        try
        {
            var described = Described(Commands.Root()).ToList();
            Assert.That(described, Has.Count.GreaterThan(30));
            Assert.That(described.Where(one => Regex.IsMatch(one.Text, @"\p{IsCJKUnifiedIdeographs}") != isChinese), Is.Empty);
        }
        finally
        {
            Texts.Choose(null);
        }
    }

    [TestCase("zh", "完好：12 records", "损坏，位置 journal/1:40：a bit", "无法判断：nothing is there", "没有这个类型代码，请核对（'x' is none）", "x")]
    [TestCase("en", "sound: 12 records", "damaged at journal/1:40: a bit", "cannot decide: nothing is there", "'x' is none", "x")]
    public void Verdicts_and_refusals_are_told_in_it(string language, string sound, string damaged, string undecided, string refused, string unknown)
    {
        Texts.Choose(language);
        try
        {
            Assert.Multiple(() =>
            {
                Assert.That(Texts.Verdict(CheckVerdict.Sound("12 records")), Is.EqualTo(sound));
                Assert.That(Texts.Verdict(CheckVerdict.Damaged("journal/1:40", "a bit")), Is.EqualTo(damaged));
                Assert.That(Texts.Verdict(CheckVerdict.CannotDecide("nothing is there")), Is.EqualTo(undecided));
                Assert.That(Texts.Refusal("TYPE_UNKNOWN", "'x' is none"), Is.EqualTo(refused));
                Assert.That(Texts.Refusal("A_CODE_OF_TOMORROW", unknown), Is.EqualTo(unknown), "a newer node may know more codes");
            });
        }
        finally
        {
            Texts.Choose(null);
        }
    }

    private static IEnumerable<(string Name, string Text)> Described(Command command) =>
    [
        (command.Name, command.Description!),
        .. command.Options.Select(option => (option.Name, option.Description!)),
        .. command.Arguments.Select(argument => (argument.Name, argument.Description!)),
        .. command.Subcommands.SelectMany(Described),
    ];

    private static IEnumerable<string> NamesIn(string culture) =>
        Resources.GetResourceSet(CultureInfo.GetCultureInfo(culture), true, false)!.Cast<System.Collections.DictionaryEntry>().Select(entry => (string)entry.Key);

    private static IEnumerable<string> Places(string name, string culture) =>
        Regex.Matches(In(name, culture), @"\{\d+").Select(match => match.Value).Distinct();

    private static string In(string name, string culture) => Resources.GetString(name, CultureInfo.GetCultureInfo(culture))!;
}
