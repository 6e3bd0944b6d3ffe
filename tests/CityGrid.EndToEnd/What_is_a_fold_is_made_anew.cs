using CityGrid.Cli.Network;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Z5 with real processes: a parent that lost everything is filled again by its children, and snapshot and views of a node by its journal.</summary>
public sealed class What_is_a_fold_is_made_anew
{
    private static readonly TimeSpan AMinute = TimeSpan.FromMinutes(1);

    /// <summary>It takes the epochs that its children held with it, so what it has of each is afterwards what it was to the revision (clause L7).</summary>
    [Test]
    public async Task A_province_whose_directory_is_lost_has_the_figures_and_digests_it_had_and_nobody_had_to_help()
    {
        await using var trees = await Trees.StartAsync(1, 2);
        var (root, cities) = (trees.Tree.Root, trees.Tree.Cities.ToArray());
        var province = trees.Tree.Nodes.Single(node => node.Node == cities[0].Parent);
        for (var i = 0; i < 6; i++)
        {
            await ReportAsync(cities[i % 2], $"key-{i}", isVoid: i < 3);
        }

        Assert.That(await trees.Running.WaitUntilEqualAsync(AMinute, CancellationToken.None), Is.True);
        var (before, above) = (await FiguresAsync(province), await FiguresAsync(root));
        var digests = await trees.Running.DigestsOfChildrenAsync(province);
        Assert.That(before, Has.Count.EqualTo(2));

        trees.Running.Kill(province.Node);
        Directory.Delete(Folders.DataOf(province), recursive: true);
        await trees.Running.StartAsync(province);
        var start = TimeProvider.System.GetTimestamp();
        while (!before.SequenceEqual(await FiguresAsync(province)) || !above.SequenceEqual(await FiguresAsync(root)) || !await trees.Running.IsEqualAsync()
            || !digests.SequenceEqual(await trees.Running.DigestsOfChildrenAsync(province)))
        {
            Assert.That(TimeProvider.System.GetElapsedTime(start), Is.LessThan(TimeSpan.FromMinutes(2)), "figures and digests are those of the lost one, and every edge is equal");
            await Task.Delay(200);
        }

        TestContext.Out.WriteLine($"filled again after {TimeProvider.System.GetElapsedTime(start).TotalSeconds:F1} s");
    }

    [Test]
    public async Task And_a_city_is_made_anew_from_its_journal_alone()
    {
        using var city = new LoneCity();
        await RunAsync(city, async () =>
        {
            for (var i = 0; i < 10; i++)
            {
                await ReportAsync(city.Node, $"first-{i}", isVoid: true);
            }

            Assert.That(await RebuildAsync(city, 3), Does.Contain("another process has this data directory"));
        });
        var early = SnapshotOf(city);
        await RunAsync(city, async () =>
        {
            for (var i = 0; i < 10; i++)
            {
                await ReportAsync(city.Node, $"second-{i}", isVoid: true);
            }
        });

        var journal = Folders.Contents(Path.Combine(city.Data, "journal"));
        Assert.That(await RebuildAsync(city, 0), Does.Match(@"Folded up to (\d+) of \1").And.Contain("sound: 20 documents"));

        // A snapshot that is whole, of this journal, and not its fold: what no checksum finds.
        Lie(city, early);
        Assert.That(await RebuildAsync(city, 2), Does.Contain("10 cases").And.Contain("20 cases").And.Contain("made anew"));
        Assert.That(await RebuildAsync(city, 0), Does.Contain("20 documents"));

        foreach (var snapshot in Directory.GetFiles(Path.Combine(city.Data, "snapshots")))
        {
            var bytes = await File.ReadAllBytesAsync(snapshot);
            bytes[^40] ^= 1;
            await File.WriteAllBytesAsync(snapshot, bytes);
        }

        Directory.Delete(Path.Combine(city.Data, "views"), recursive: true);
        Assert.That(await RebuildAsync(city, 0), Does.Contain("20 documents"));
        Assert.That((await Programs.CityGridAsync("journal", "verify", city.Data)).Code, Is.Zero, "the snapshot is whole again");
        Assert.That(Folders.Contents(Path.Combine(city.Data, "journal")), Is.EqualTo(journal), "the journal is read and never written");
    }

    [Test]
    public async Task A_damaged_file_of_the_case_lists_is_told_counted_and_made_anew()
    {
        using var city = new LoneCity();
        await RunAsync(city, async () =>
        {
            for (var i = 0; i < 10; i++)
            {
                await ReportAsync(city.Node, $"first-{i}", isVoid: true);
            }
        });
        var file = Directory.GetFiles(Path.Combine(city.Data, "views"), "*.db").Single();
        var bytes = await File.ReadAllBytesAsync(file);
        for (var at = 100; at < bytes.Length; at += 512)
        {
            bytes[at] ^= 1;
        }

        await File.WriteAllBytesAsync(file, bytes);

        using (var node = NodeProcess.Start(city.Node.Configuration))
        {
            await node.ReadyAsync(AMinute);
            Assert.That(node.LastOutput, Does.Contain($"put aside as views/{Path.GetFileName(file)}.damaged-1"));
            using var http = new HttpClient { BaseAddress = new Uri(city.Node.OperatorUrl) };
            http.DefaultRequestHeaders.Authorization = new("Bearer", city.Node.Tokens["viewer"]);
            Assert.That(await http.GetStringAsync("/metrics"), Does.Contain("\ncitygrid_views_damaged 1\n"));
            Assert.That(await node.StopAsync(TimeSpan.FromSeconds(12)), Is.Zero, node.LastOutput);
        }

        Assert.That(await RebuildAsync(city, 0), Does.Contain("sound: 10 documents"));
    }

    private static async Task RunAsync(LoneCity city, Func<Task> work)
    {
        using var node = NodeProcess.Start(city.Node.Configuration);
        await node.ReadyAsync(AMinute);
        await work();
        Assert.That(await node.StopAsync(TimeSpan.FromSeconds(12)), Is.Zero, node.LastOutput);
    }

    private static async Task<string> RebuildAsync(LoneCity city, int code)
    {
        var ended = await Programs.CityGridAsync("rebuild", "--config", city.Node.Configuration, "--lang", "en");
        Assert.That(ended.Code, Is.EqualTo(code), ended.Output + ended.Error);
        return ended.Output;
    }

    private static Snapshot SnapshotOf(LoneCity city)
    {
        using var journal = Open(city);
        return journal.LoadSnapshot()!;
    }

    private static void Lie(LoneCity city, Snapshot early)
    {
        using var journal = Open(city);
        journal.SaveSnapshot(journal.Head.Lsn, early.Folds);
    }

    private static FileJournal Open(LoneCity city) => FileJournal.Open(PosixDisk.At(city.Data), new SystemEntropy(), NodeId.Parse(city.Node.Node));

    private static async Task<List<string>> FiguresAsync(TreeNode node)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
        var answer = await client.Views.QueryAsync(new QueryRequest { By = { "city", "type", "day" }, Measures = { "reported", "voided", "open_end_of_day" } }, client.Options);
        return [.. answer.Rows.Select(row => $"{string.Join(' ', row.Dimensions.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => d.Value))}: {string.Join(' ', row.Measures.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => $"{m.Key}={m.Value}"))}").Order(StringComparer.Ordinal)];
    }

    private static async Task ReportAsync(TreeNode city, string key, bool isVoid)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        var reported = await client.Cases.ReportAsync(new ReportRequest { RequestKey = key, Type = "06010", Source = "hotline" }, client.Options);
        if (isVoid)
        {
            await client.Cases.TakeAsync(new TakeRequest { CaseId = reported.Step.CaseId, RequestKey = $"{key}-void", Reason = "test", VoidCase = new VoidCase() }, client.Options);
        }
    }
}
