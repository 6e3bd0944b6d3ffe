using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using CityGrid.Hub.Journal;
using CityGrid.Node.Cases;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>INV-27: whoever adds a kind of event writes down what it looks like, before anybody's journal holds one.</summary>
public sealed class Every_stored_format_has_golden_bytes
{
    private static readonly string Tests = Path.Combine(Machine.Repository, "tests", "CityGrid.Tests");

    private static readonly string[] Pages = [.. Directory.GetFiles(Tests, "*.golden.txt", SearchOption.AllDirectories).Where(IsSource)];

    /// <summary>A bound of the kinds, or the version of their payloads.</summary>
    private static readonly string[] NoKinds = [nameof(EventKinds.NodeFirst), nameof(CaseEventKinds.Last), nameof(CaseEventKinds.Schema)];

    /// <summary>Its number is kept, and no program ever wrote one.</summary>
    private static readonly string[] NeverWritten = [nameof(EventKinds.DirectoryCreated)];

    private static readonly FieldInfo[] Kinds = [.. new[] { typeof(EventKinds), typeof(CaseEventKinds) }
        .SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static))
        .Where(field => field.IsLiteral && !NoKinds.Contains(field.Name))];

    [Test]
    public void Every_kind_of_event_has_a_golden_line()
    {
        var lines = Pages.SelectMany(File.ReadAllLines)
            .Select(line => Regex.Match(line, @"^(?:[^|]+ \| )?(\d+)(?: \| | )\d+(?: \| | )[0-9a-f]+$"))
            .Where(match => match.Success)
            .Select(match => ushort.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))
            .ToHashSet();

        Assert.That(Kinds, Has.Length.GreaterThan(60));
        Assert.That(Kinds.Where(kind => !NeverWritten.Contains(kind.Name) && !lines.Contains((ushort)kind.GetRawConstantValue()!)).Select(kind => kind.Name), Is.Empty);
    }

    [Test]
    public void What_is_said_to_be_never_written_is_named_by_no_program()
    {
        var source = new[] { "hub", "node", "tools" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Machine.Repository, folder), "*.cs", SearchOption.AllDirectories)).Where(IsSource).Select(File.ReadAllText).ToArray();

        Assert.That(NeverWritten.Where(kind => source.Any(text => text.Contains($"EventKinds.{kind}", StringComparison.Ordinal))), Is.Empty);
        Assert.That(source.Any(text => text.Contains($"EventKinds.{nameof(EventKinds.EpochGranted)}", StringComparison.Ordinal)), Is.True);
    }

    [Test]
    public void Every_page_of_golden_lines_is_read_by_a_test()
    {
        var tests = Directory.EnumerateFiles(Tests, "*.cs", SearchOption.AllDirectories).Where(IsSource).Select(File.ReadAllText).ToArray();

        Assert.That(Pages, Has.Length.GreaterThan(6));
        Assert.That(Pages.Select(page => Path.GetFileName(page)[..^".golden.txt".Length]).Where(name => !tests.Any(text => text.Contains($"\"{name}\"", StringComparison.Ordinal) || text.Contains($"\"{name}.golden.txt\"", StringComparison.Ordinal))), Is.Empty);
    }

    private static bool IsSource(string path) => !path.Split(Path.DirectorySeparatorChar).Any(folder => folder is "obj" or "bin");
}
