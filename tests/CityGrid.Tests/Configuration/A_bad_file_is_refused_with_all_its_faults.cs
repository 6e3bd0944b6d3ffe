using System.Text;
using CityGrid.Node.Configuration;
using CityGrid.Tests.Approvals;
using NUnit.Framework;

namespace CityGrid.Tests.Configuration;

/// <summary>One bad file for each fault; its first lines say where the fault is. Files named missing.* are not there, all others are.</summary>
public sealed class A_bad_file_is_refused_with_all_its_faults
{
    private const string Expected = "// fault: ";

    [TestCaseSource(typeof(Samples), nameof(Samples.Bad))]
    public void Exactly_where_they_are(string name)
    {
        var expected = Samples.Text(name).Split('\n').Where(line => line.StartsWith(Expected, StringComparison.Ordinal)).Select(line => line[Expected.Length..]);

        var reading = Read(name);

        Assert.Multiple(() =>
        {
            Assert.That(reading.Faults.Select(fault => fault.Path), Is.EquivalentTo(expected));
            Assert.That(reading.Configuration, Is.Null);
        });
    }

    [Test]
    public void Each_message_says_where_what_and_what_is_allowed()
    {
        var text = new StringBuilder();
        foreach (var name in Samples.Bad)
        {
            text.Append(name).Append('\n');
            foreach (var fault in Read(name).Faults)
            {
                text.Append("  ").Append(fault).Append('\n');
            }
        }

        Approved.Matches("configuration-faults", text.ToString());
    }

    [Test]
    public void A_file_that_is_not_there_is_named()
    {
        var refusal = Assert.Throws<ConfigurationException>(() => ConfigurationFile.Load("/nowhere/node.json"))!;

        Assert.That(refusal.Message, Does.Contain("/nowhere/node.json").And.Contain("no such file"));
    }

    private static ConfigurationReading Read(string name) =>
        ConfigurationFile.Read(Samples.Text(name), "/etc/citygrid/node.json", path => !Path.GetFileName(path).StartsWith("missing", StringComparison.Ordinal));
}
