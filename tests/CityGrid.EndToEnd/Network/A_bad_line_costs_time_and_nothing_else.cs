using System.Globalization;
using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>
/// INV-7, 8, 16, 20, 31 and O1 on real connections: between four cities at work and their province lies a line that does everything a line can do below TLS. While nothing passes the link
/// says so; what it broke reaches no state; and when it is well again all arrives, once.
/// </summary>
/// <remarks>
/// <c>CITYGRID_FAULTS=10000 CITYGRID_FAULTS_SEED=7</c> adds that many faults, in stories of 500, each with its own seed. What is drawn is the same again for a seed; how the bytes fall into chunks
/// is not.
/// </remarks>
[Requires(Need.PullRequest)]
public sealed class A_bad_line_costs_time_and_nothing_else
{
    private const int Cities = 4;
    private const int FaultsAStory = 500;

    public static IEnumerable<TestCaseData> Stories()
    {
        var faults = int.Parse(Environment.GetEnvironmentVariable("CITYGRID_FAULTS") ?? "0", CultureInfo.InvariantCulture);
        var seed = ulong.Parse(Environment.GetEnvironmentVariable("CITYGRID_FAULTS_SEED") ?? "1", CultureInfo.InvariantCulture);
        for (; faults > 0; faults -= FaultsAStory, seed++)
        {
            yield return new TestCaseData(seed, Math.Min(faults, FaultsAStory));
        }
    }

    [Test]
    public async Task Each_thing_that_a_line_can_do_below_TLS() => await TellAsync(Spells.Named(), 1, "every kind once");

    /// <summary>None by default: see the remarks.</summary>
    [TestCaseSource(nameof(Stories))]
    public async Task Storms_of_them(ulong seed, int faults) => await TellAsync(Spells.Drawn(seed, Cities, faults), seed, $"seed {seed}");

    private static async Task TellAsync(IReadOnlyList<Spell>[] spells, ulong seed, string story)
    {
        var proxies = new Dictionary<string, ToxicProxy>(StringComparer.Ordinal);
        try
        {
            await using var trees = await Trees.StartAsync(1, Cities, tree => Reroute(tree, proxies, seed));
            await TellAsync(trees, proxies, spells);
            await TestContext.Out.WriteLineAsync($"{story}: {spells.Sum(all => all.Count)} faults, {proxies.Values.Sum(proxy => proxy.Taken)} connections");
        }
        finally
        {
            foreach (var proxy in proxies.Values)
            {
                await proxy.DisposeAsync();
            }
        }
    }

    private static async Task TellAsync(Trees trees, Dictionary<string, ToxicProxy> proxies, IReadOnlyList<Spell>[] spells)
    {
        var (ministry, province) = (trees.Tree.Root, trees.Tree.Nodes[1]);
        var workers = trees.Tree.Cities.Select(city => new CityAtWork(city, city.GrpcUrl, TimeSpan.FromMilliseconds(250))).ToArray();
        using var parent = new NodeClient(province.GrpcUrl, province.Tokens["viewer"]);
        try
        {
            await Task.WhenAll(workers.Select((worker, i) => SufferAsync(worker, proxies[worker.City.Node], parent, spells[i])));
        }
        finally
        {
            await Task.WhenAll(workers.Select(worker => worker.DisposeAsync().AsTask()));
        }

        Assert.That(await trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(2), CancellationToken.None), Is.True, "every edge is equal in the end");
        using var top = new NodeClient(ministry.GrpcUrl, ministry.Tokens["viewer"]);
        Assert.That(await top.ReportedAsync(), Is.EqualTo(workers.Sum(worker => worker.Kept)), "each case is counted once");
        foreach (var worker in workers)
        {
            var child = (await parent.ChildAsync(worker.City))!;
            Assert.That((child.Quarantine, child.Parked, child.Epoch), Is.EqualTo((string.Empty, 0L, 1L)), worker.City.Node);
        }

        await top.RequireAlarmsOnceAsync(workers);
        foreach (var node in trees.Tree.Nodes.Reverse())
        {
            Assert.That(await trees.Running.StopAsync(node.Node), Is.Zero);
        }

        foreach (var verified in await Task.WhenAll(trees.Tree.Nodes.Select(node => Programs.CityGridAsync("journal", "verify", Folders.DataOf(node), "--lang", "en"))))
        {
            Assert.That(verified.Code, Is.Zero, verified.Output + verified.Error);
        }
    }

    private static void Reroute(WrittenTree tree, Dictionary<string, ToxicProxy> proxies, ulong seed)
    {
        foreach (var city in tree.Cities)
        {
            var proxy = ToxicProxy.To(tree.Nodes.Single(node => node.Node == city.Parent).LinkPort, seed++);
            proxies.Add(city.Node, proxy);
            var configuration = JsonNode.Parse(File.ReadAllText(city.Configuration))!;
            configuration["parent"]!["url"] = $"https://127.0.0.1:{proxy.Port}";
            File.WriteAllText(city.Configuration, configuration.ToJsonString());
        }
    }

    private static async Task SufferAsync(CityAtWork city, ToxicProxy proxy, NodeClient parent, IReadOnlyList<Spell> spells)
    {
        await city.CaughtUpAsync(parent, "at first");
        foreach (var spell in spells)
        {
            var start = TimeProvider.System.GetTimestamp();
            proxy.Set(spell.Up, spell.Down);
            var told = spell.Told is null ? string.Empty : await ToldAsync(city, spell);

            if (spell.AtLeast - TimeProvider.System.GetElapsedTime(start) is { } left && left > TimeSpan.Zero)
            {
                await Task.Delay(left);
            }

            var lasted = TimeProvider.System.GetElapsedTime(start);
            proxy.Heal();
            if (spell.Drains)
            {
                start = TimeProvider.System.GetTimestamp();
                await city.CaughtUpAsync(parent, spell.ToString());
                await TestContext.Progress.WriteLineAsync($"{city.City.Node}: {spell} for {lasted.TotalSeconds:F1} s{told}, all there {TimeProvider.System.GetElapsedTime(start).TotalSeconds:F1} s later");
            }
        }

        await city.CaughtUpAsync(parent, "at the end");
    }

    /// <summary>
    /// While nothing passes the link says that something waits, and since when, in a silence long before the connection ends; it does not move on; and what broke is told once it broke.
    /// </summary>
    private static async Task<string> ToldAsync(CityAtWork city, Spell spell)
    {
        LinkView view = null!;
        await Asking.UntilAsync(async () => (view = await city.LinkAsync()).OldestUnsentSeconds >= 3 && (view.Connected || !spell.IsSilent), () => $"{spell}: {view}");
        var progress = view.LastProgress;
        await Asking.UntilAsync(
            async () =>
            {
                view = await city.LinkAsync();
                Assert.That((view.LastProgress, view.PendingCells + view.PendingRecords > 0, view.OldestUnsentSeconds >= 3), Is.EqualTo((progress, true, true)), $"{spell}: nothing passed: {view}");
                return spell.Told!.Length == 0 || (!view.Connected && view.LastError.Contains(spell.Told, StringComparison.Ordinal));
            },
            () => $"{spell}: {view}");
        return $" ({view.LastError})";
    }
}
