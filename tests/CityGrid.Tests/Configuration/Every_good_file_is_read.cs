using System.Net;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Configuration;

/// <summary>One good file for each tier, and what it comes to.</summary>
public sealed class Every_good_file_is_read
{
    [TestCase("street", Tier.Street)]
    [TestCase("county", Tier.County)]
    [TestCase("city", Tier.City)]
    [TestCase("province", Tier.Province)]
    [TestCase("ministry", Tier.Ministry)]
    public void Each_tier_has_one(string name, Tier tier) => Assert.That(Read(name).Tier, Is.EqualTo(tier));

    [Test]
    public void The_least_file_of_a_city_takes_everything_else_from_its_surroundings()
    {
        var city = Read("city");

        Assert.Multiple(() =>
        {
            Assert.That(city.Division, Is.EqualTo(DivisionCode.Parse("330100")));
            Assert.That(city.Zone.Id, Is.EqualTo("Asia/Shanghai"));
            Assert.That(city.RegisterFile, Is.Null, "the built-in register");
            Assert.That(city.Link.Port, Is.Null, "no port is open to other places");
            Assert.That(city.Operator.Address, Is.EqualTo(IPAddress.Loopback));
            Assert.That((city.Operator.Port, city.Operator.GrpcPort), Is.EqualTo((7080, 7081)));
            Assert.That(city.Parent!.Schedule, Is.EqualTo(TierPreset.City.Schedule));
            Assert.That(city.ClosingDelay, Is.EqualTo(Duration.FromHours(2)));
            Assert.That(city.Calendar.Hours, Is.EqualTo(new[] { new WorkHours(480, 720), new WorkHours(840, 1080) }));
            Assert.That(city.Calendar.WorkDays, Has.Length.EqualTo(5));
            Assert.That(city.Limits.ViewLagRecords, Is.EqualTo(10_000));
            Assert.That(city.Log.Folder, Is.Null);
        });
    }

    [Test]
    public void Paths_are_relative_to_the_file_and_absolute_ones_stay()
    {
        var province = Read("province");

        Assert.Multiple(() =>
        {
            Assert.That(province.Link.CertificateFile, Is.EqualTo("/etc/citygrid/node.pem"));
            Assert.That(province.TokensFile, Is.EqualTo("/etc/citygrid/secrets/tokens"));
            Assert.That(province.DataFolder, Is.EqualTo("/srv/citygrid/zhejiang"));
        });
    }

    [Test]
    public void A_province_and_the_ministry_open_a_port_for_their_children() =>
        Assert.That(new[] { Read("province").Link.Port, Read("ministry").Link.Port }, Is.All.EqualTo(7443));

    [Test]
    public void The_root_of_the_tree_has_no_parent() => Assert.That(Read("ministry").Parent, Is.Null);

    [Test]
    public void Port_0_asks_for_a_free_one_twice() => Assert.That((Read("ministry").Operator.Port, Read("ministry").Operator.GrpcPort), Is.EqualTo((0, 0)));

    [Test]
    public void A_county_may_take_children_and_keep_its_own_hours()
    {
        var county = Read("county");

        Assert.Multiple(() =>
        {
            Assert.That(county.Link.Port, Is.EqualTo(7443));
            Assert.That(county.Calendar.Hours, Is.EqualTo(new[] { new WorkHours(510, 720), new WorkHours(810, 1050) }));
            Assert.That(county.Calendar.MakeUpDays, Is.EqualTo(new[] { new LocalDate(2026, 10, 10) }));
            Assert.That(county.Log.Level, Is.EqualTo(Microsoft.Extensions.Logging.LogLevel.Warning));
        });
    }

    private static NodeConfiguration Read(string name)
    {
        var reading = ConfigurationFile.Read(Samples.Text($"{name}.good.json"), "/etc/citygrid/node.json", _ => true);
        Assert.That(reading.Faults, Is.Empty);
        return reading.Configuration!;
    }
}
