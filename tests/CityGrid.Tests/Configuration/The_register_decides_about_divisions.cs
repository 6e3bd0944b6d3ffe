using CityGrid.Hub.Divisions;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Configuration;

/// <summary>A node's division is one of the register's, and lies below its parent's there: never by prefix.</summary>
public sealed class The_register_decides_about_divisions
{
    private static readonly DivisionRegister Register = DivisionRegister.Of(
    [
        Row("CN", null, DivisionKind.Nation),
        Row("330000", "CN", DivisionKind.Province),
        Row("330100", "330000", DivisionKind.City),
        Row("340000", "CN", DivisionKind.Province),
        Row("419000", "CN", DivisionKind.Placeholder),
    ]);

    [TestCase("330100", "330000", null)]
    [TestCase("330100", "CN", null)]
    [TestCase("330199", "330000", "division")]
    [TestCase("419000", "CN", "division")]
    [TestCase("330100", "350000", "parent.division")]
    [TestCase("330100", "340000", "parent.division")]
    public void With_the_fault_named(string division, string parent, string? fault)
    {
        var text = Samples.Text("city.good.json").Replace("330100", division, StringComparison.Ordinal).Replace("330000", parent, StringComparison.Ordinal);
        var configuration = ConfigurationFile.Read(text, "/etc/citygrid/node.json", _ => true).Configuration!;

        Assert.That(RegisterCheck.Faults(configuration, Register).Select(f => f.Path), Is.EqualTo(fault is null ? Array.Empty<string>() : [fault]));
    }

    [TestCase("CN,,中国,China,nation,,\nGAS,CN,燃气,Gas,province,,\n330100,GAS,杭州,Hangzhou,city,,", null)]
    [TestCase("CN,,中国,China,nation,,\nGAS,CN,燃气,Gas,province,,", "sectorParent.register")]
    [TestCase("CN,,中国,China,nation,,\n330100,CN,杭州,Hangzhou,city,,", "sectorParent.register")]
    [TestCase("CN,,中国,China,nation", "line 2")]
    public void And_a_sectors_own_about_the_sector(string rows, string? fault)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, $"code,parent,name_zh,name_en,kind,valid_from,valid_to\n{rows}\n");
            var sector = $$"""
                "sectorParent": { "url": "https://10.44.0.1:7443", "node": "gas", "division": "GAS", "register": "{{file}}" },
                "parent":
                """;
            var configuration = ConfigurationFile.Read(Samples.Text("city.good.json").Replace("\"parent\":", sector, StringComparison.Ordinal), "/etc/citygrid/node.json", _ => true).Configuration!;
            if (fault is null)
            {
                Assert.That(RegisterCheck.OfSector(configuration, Register).Contains(DivisionCode.Parse("GAS")), Is.True);
                Assert.That(RegisterCheck.OfSector(configuration with { SectorParent = configuration.SectorParent! with { RegisterFile = null } }, Register), Is.SameAs(Register));
            }
            else
            {
                Assert.That(() => RegisterCheck.OfSector(configuration, Register), Throws.TypeOf<ConfigurationException>().With.Message.Contains(fault));
            }
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Division Row(string code, string? parent, DivisionKind kind) =>
        new(DivisionCode.Parse(code), parent is null ? null : DivisionCode.Parse(parent), code, code, kind, null, null);
}
