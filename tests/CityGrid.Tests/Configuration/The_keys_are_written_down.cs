using CityGrid.Node.Configuration;
using CityGrid.Tests.Approvals;
using NUnit.Framework;

namespace CityGrid.Tests.Configuration;

/// <summary>The keys of the file are an interface: they change on purpose, and docs/configuration.md has each of them.</summary>
public sealed class The_keys_are_written_down
{
    [Test]
    public void All_of_them_are_approved() => Approved.Matches(
        "configuration-keys",
        string.Join('\n', ConfigurationFile.Keys.Select(key => $"{key.Path} | {key.Allowed} | {key.Default ?? "required"}")));

    [Test]
    public void The_page_about_configuration_has_each_with_its_default()
    {
        var page = File.ReadAllText(Path.Combine(Machine.Repository, "docs", "configuration.md"));

        Assert.Multiple(() =>
        {
            foreach (var key in ConfigurationFile.Keys)
            {
                Assert.That(page, Does.Contain($"| `{key.Path}` |"), $"{key.Path} is not in docs/configuration.md");
            }
        });
    }

    [Test]
    public void The_page_shows_the_presets_as_they_are()
    {
        var page = File.ReadAllText(Path.Combine(Machine.Repository, "docs", "configuration.md"));

        Assert.Multiple(() =>
        {
            foreach (var preset in Enum.GetValues<Tier>().Select(TierPreset.Of))
            {
                var row = $"| {JsonReads.Name(preset.Tier)} | {preset.LinkPort?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none"} | `{preset.Schedule}` "
                    + $"| {JsonReads.Shown(preset.Jitter)} | {JsonReads.Shown(preset.ClosingDelay)} | {JsonReads.Shown(preset.SnapshotEvery)} | {preset.LinkConnections} |";
                Assert.That(page, Does.Contain(row));
            }
        });
    }
}
