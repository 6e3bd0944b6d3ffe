using CityGrid.Cli.Network;
using CityGrid.Hub.Backup;
using CityGrid.Hub.Seams;
using CityGrid.Tests.EndToEnd.Failpoints;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>TIER-4 for what people start by hand (docs/failpoints.md): a backup, a restore, a rebuild, and bundles, cut short at its places and begun again.</summary>
[Parallelizable(ParallelScope.All), Category("Failpoints"), Requires(Need.PullRequest)]
public sealed class A_tool_dies_at_every_named_place
{
    private static readonly string[] OfABackup =
    [
        "backup.before", "backup.node.written", "backup.keys.written", "backup.checked", "backup.keys.renamed", "backup.keys.durable", "backup.node.renamed", "backup.after",
    ];

    private static readonly string[] OfARestore = ["restore.before", "restore.marked", "restore.written", "restore.read", "restore.renewed", "restore.recorded", "restore.after"];

    private static readonly string[] OfARebuild = ["rebuild.before", "rebuild.view.deleted", "rebuild.after"];

    private static readonly string[] OfABundleMade = ["bundle.make.before", "bundle.note.before", "bundle.note.after"];

    private static readonly string[] OfABundleTaken = ["bundle.take.before", "bundle.take.after"];

    private static readonly string[] OfAnAnswerTaken = ["bundle.answer.before", "bundle.answer.after"];

    /// <summary>Every place that this fixture goes through.</summary>
    internal static IEnumerable<string> Places => [.. OfABackup, .. OfARestore, .. OfARebuild, .. OfABundleMade, .. OfABundleTaken, .. OfAnAnswerTaken];

    private static IEnumerable<object[]> Cases => Nightly.Cases;

    [TestCaseSource(nameof(Cases))]
    public async Task While_a_city_is_backed_up_restored_and_rebuilt(Deed deed, int round)
    {
        TestContext.Out.WriteLine($"round {round}");
        await using var pair = await Pair.MakeAsync();
        await pair.Province.ServeAsync();
        await pair.City.ServeAsync();
        for (var i = 0; i < 10; i++)
        {
            await pair.Labour.WorkAsync();
        }

        // Of a city at work.
        var (shelf, key, data) = (Directory.CreateDirectory(Path.Combine(pair.Folder, "shelf")).FullName, Path.Combine(pair.Folder, "key"), Folders.DataOf(pair.City.Node));
        await MortalTool.SaysAsync("backup", "new-key", key);
        foreach (var place in Nightly.Of(OfABackup))
        {
            await MortalTool.PassAsync(place, deed, "backup", "--config", pair.City.Node.Configuration, "--to", shelf, "--key-file", key);
            RequireSoundBackups(shelf, key);
            await pair.Labour.WorkAsync();
        }

        await MortalTool.SaysAsync("backup", "--config", pair.City.Node.Configuration, "--to", shelf, "--key-file", key);
        RequireSoundBackups(shelf, key);
        Assert.That(Directory.GetFiles(shelf, "*.tmp"), Is.Empty, "what was cut short is gone with the next backup");
        Assert.That(await pair.City.StopAsync(), Is.Zero);
        var backup = Directory.GetFiles(shelf, "*.backup").Max(StringComparer.Ordinal)!;
        var restored = Path.Combine(pair.Folder, "restored");
        foreach (var place in Nightly.Of(OfARestore))
        {
            var code = await MortalTool.PassAsync(place, deed, "restore", backup, "--to", restored, "--key-file", key);
            var isWhole = place == "restore.after" || code == 0;
            Assert.That(File.Exists(Path.Combine(restored, "restoring")), Is.EqualTo(!isWhole && place != "restore.before"), $"{place}: half a restore says so, and is never started");
            if (Directory.Exists(restored))
            {
                Directory.Delete(restored, recursive: true);
            }
        }

        await MortalTool.SaysAsync("restore", backup, "--to", restored, "--key-file", key);
        Assert.That(JournalVerdictOf(restored), Is.Zero);

        var journal = Folders.Contents(Path.Combine(data, "journal"));
        foreach (var place in OfARebuild)
        {
            await MortalTool.PassAsync(place, deed, "rebuild", "--config", pair.City.Node.Configuration);
        }

        Assert.That(await MortalTool.SaysAsync("rebuild", "--config", pair.City.Node.Configuration), Does.Contain("sound"));
        Assert.That(Folders.Contents(Path.Combine(data, "journal")), Is.EqualTo(journal), "the journal is read and never written");
        await pair.SettleAsync();
    }

    [TestCaseSource(nameof(Cases))]
    public async Task While_bundles_are_made_and_taken(Deed deed, int round)
    {
        TestContext.Out.WriteLine($"round {round}");
        await using var pair = await Pair.MakeAsync();
        var (city, province) = (pair.City, pair.Province);
        var line = string.Empty;
        Pair.Change(city.Node, configuration =>
        {
            line = configuration["parent"]!["url"]!.GetValue<string>();
            configuration["parent"]!["url"] = "https://127.0.0.1:9";
        });
        await province.ServeAsync();
        await city.ServeAsync();
        var bundle = new Bundle(pair);
        await bundle.MakeAsync();
        await bundle.TakeAsync();
        await bundle.TakeAnswerAsync();
        for (var i = 0; i < 6; i++)
        {
            await pair.Labour.WorkAsync();
        }

        foreach (var place in OfABundleMade)
        {
            await city.PassAsync(new NamedPlace(place) { Work = bundle.TryMakeAsync }, deed, 1);
        }

        await city.ServeAsync();
        await bundle.MakeAsync();
        foreach (var place in OfABundleTaken)
        {
            await province.PassAsync(new NamedPlace(place) { Work = bundle.TryTakeAsync }, deed, 1);
        }

        await province.ServeAsync();
        await bundle.TakeAsync();
        foreach (var place in OfAnAnswerTaken)
        {
            await city.PassAsync(new NamedPlace(place) { Work = bundle.TryTakeAnswerAsync }, deed, 1);
        }

        // The line stands again, and has to add nothing but what came since.
        Pair.Change(city.Node, configuration => configuration["parent"]!["url"] = line);
        await pair.SettleAsync();
    }

    private static int JournalVerdictOf(string data) => Hub.Journal.JournalVerifier.Verify(PosixDisk.At(data)).ExitCode;

    /// <summary>What has the name of a backup is one.</summary>
    private static void RequireSoundBackups(string shelf, string key)
    {
        var secret = BackupKey.Parse(File.ReadAllText(key), out _)!;
        foreach (var file in Directory.GetFiles(shelf, "*.backup").Concat(Directory.GetFiles(shelf, "*.keys")))
        {
            using var reader = BackupReader.Open(PosixDisk.At(shelf), Path.GetFileName(file), secret);
            Assert.That(() => reader.Verify(), Throws.Nothing, file);
        }
    }

    /// <summary>A city's bundle on its way to the province, and the answer on its way back.</summary>
    private sealed class Bundle(Pair pair)
    {
        private string File => Path.Combine(pair.Folder, "bundle");

        public Task MakeAsync() => MortalTool.SaysAsync([.. Making]);

        public Task TakeAsync() => MortalTool.SaysAsync([.. Taking]);

        public Task TakeAnswerAsync() => MortalTool.SaysAsync([.. TakingAnswer]);

        public Task TryMakeAsync() => Programs.CityGridAsync([.. Making]);

        public Task TryTakeAsync() => Programs.CityGridAsync([.. Taking]);

        public Task TryTakeAnswerAsync() => Programs.CityGridAsync([.. TakingAnswer]);

        private IEnumerable<string> Making =>
            ["bundle", "make", "--for", Path.Combine(Path.GetDirectoryName(pair.Province.Node.Configuration)!, "node.pem"), "--out", File, .. At(pair.City.Node)];

        private IEnumerable<string> Taking => ["bundle", "take", File, .. At(pair.Province.Node)];

        private IEnumerable<string> TakingAnswer => ["bundle", "take", File + ".answer", .. At(pair.City.Node)];

        private static string[] At(TreeNode node)
        {
            var token = Path.Combine(Path.GetDirectoryName(node.Configuration)!, "admin-token");
            System.IO.File.WriteAllText(token, node.Tokens["admin"]);
            return ["--node", node.GrpcUrl, "--token-file", token];
        }
    }
}
