using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>INV-21 with real processes and a real copy of a data directory: refused as it is, and with <c>--restored</c> right at every tier.</summary>
public sealed class A_restored_copy_goes_on_as_a_new_life
{
    [Test]
    public async Task And_the_ministry_shows_what_the_copy_has()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var city = trees.Tree.Cities.Single();
        var data = Folders.DataOf(city);
        await ReportAsync(city, 0, 3);

        // On a busy machine the city can be stopped before its parent has granted it an epoch; then the copy has none, and is another case.
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        await trees.Running.StopAsync(city.Node);
        var copy = data + "-copy";
        Folders.Copy(data, copy);

        await trees.Running.StartAsync(city);
        await ReportAsync(city, 3, 4);
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(7));

        await trees.Running.StopAsync(city.Node);
        Directory.Delete(data, recursive: true);
        Directory.Move(copy, data);
        await trees.Running.StartAsync(city);
        await ReportAsync(city, 7, 1);
        Assert.That(await Asking.UplinkErrorAsync(city), Does.Contain("EPOCH_REGRESSION").And.Contain("--restored"));
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(7));

        await trees.Running.StopAsync(city.Node);
        await trees.Running.StartAsync(city, "--restored");
        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(1), CancellationToken.None), Is.True);
        Assert.That(await Asking.ReportedAsync(city), Is.EqualTo(4));
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(4));
    }

    private static async Task ReportAsync(TreeNode city, int from, int times)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        for (var i = from; i < from + times; i++)
        {
            await client.Cases.ReportAsync(new ReportRequest { RequestKey = $"r-{i}", Type = "06010", Source = "hotline" }, client.Options);
        }
    }
}
