using System.Text.RegularExpressions;
using System.Xml.Linq;
using NUnit.Framework;

namespace CityGrid.Tests.Conventions;

/// <summary>A package is added with a sentence in docs/dependencies.md, and none is kept that nothing refers to.</summary>
public sealed class Every_package_has_its_reason
{
    private static readonly string Root = Machine.Repository;

    [Test]
    public void In_the_page_about_dependencies()
    {
        var page = File.ReadAllText(Path.Combine(Root, "docs", "dependencies.md"));

        Assert.That(Versions().Where(package => !Regex.IsMatch(page, $@"(?<![\w.]){Regex.Escape(package)}(?![\w]|\.\w)")), Is.Empty);
    }

    [Test]
    public void And_a_project_that_refers_to_it()
    {
        var referred = Directory.EnumerateFiles(Root, "*.csproj", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 })
            .Append(Path.Combine(Root, "Directory.Build.props"))
            .SelectMany(project => Included(project, "PackageReference"))
            .ToHashSet();

        Assert.That(Versions().Where(package => !referred.Contains(package)), Is.Empty);
    }

    private static IEnumerable<string> Versions() => Included(Path.Combine(Root, "Directory.Packages.props"), "PackageVersion");

    private static IEnumerable<string> Included(string file, string element) =>
        XDocument.Load(file).Descendants(element).Select(found => found.Attribute("Include")!.Value);
}
