using System.Globalization;
using System.Text.Json.Nodes;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Checks;
using Grpc.Core;
using NUnit.Framework;
using NodeProcess = CityGrid.Cli.Network.NodeProcess;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// INV-1 on a real ext4: a city under load, its data in an image file, is killed; a copy of the image without the page cache is what a power cut leaves;
/// the next node starts on the copy, after ext4 has replayed its own journal. What was answered is there, once, and journal and views verify. The lives
/// follow each other on one medium, so each recovery stands on those before it; every eighth begins with an empty directory, and every third is cut while
/// the node starts. 40 cuts in a run; CITYGRID_CUTS=500 for a night.
/// </summary>
[Requires(Need.PullRequest)]
[Requires(Need.LoopDevices)]
[Requires(Need.WriteBack)]
public sealed class When_the_power_is_cut
{
    private const int CutsInAll = 40;
    private const int LivesOfADirectory = 8;
    private const int Desks = 16;

    /// <summary>At least so much is answered in a life before it ends, so that it fills segments on a busy machine too; within five seconds.</summary>
    private const int AnswersInALife = 40;

    private static readonly string[] Modes = ["data=ordered", "data=writeback", "data=writeback,nodelalloc"];

    private string _folder = null!;
    private LoneCity _city = null!;
    private StoppedWriteBack _stopped = null!;
    private CutMedium? _medium;

    private CutMedium Medium => _medium!;

    private string Data => Path.Combine(Medium.Folder, "data");

    [SetUp]
    public async Task BeginAsync()
    {
        // In memory where there is room: the image is the medium, whatever is below it.
        _folder = Directory.Exists("/dev/shm") && new DriveInfo("/dev/shm").AvailableFreeSpace > 2L << 30
            ? Directory.CreateDirectory($"/dev/shm/citygrid-e2e-{Path.GetRandomFileName()}").FullName
            : Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        _city = new LoneCity();
        _stopped = await StoppedWriteBack.BeginAsync(_folder);
    }

    [TearDown]
    public void End()
    {
        try
        {
            _medium?.Dispose();
        }
        finally
        {
            _medium = null;
            _stopped.Dispose();
            _city.Dispose();
        }
    }

    [TestCaseSource(nameof(Modes))]
    public async Task What_was_answered_is_there_once(string mode)
    {
        var all = int.TryParse(Environment.GetEnvironmentVariable("CITYGRID_CUTS"), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : CutsInAll;
        var cuts = (all + Modes.Length - 1) / Modes.Length;
        _medium = new CutMedium(_folder, mode);
        RequireThatItCuts();
        Configure();
        var random = new SeededEntropy(4 + (ulong)Array.IndexOf(Modes, mode));
        var (answers, life, files) = (0L, new CaseLedger("life-0", _city.Node, Desks), new FilesSeen());
        for (var cut = 0; cut < cuts; cut++)
        {
            if (cut > 0 && cut % LivesOfADirectory == 0)
            {
                answers += life.Answers;
                await CloseAsync(life);
                life = new CaseLedger($"life-{cut}", _city.Node, Desks);
            }

            await LiveAsync(life, random, isCutWhileStarting: cut % 3 == 2);
            Medium.Cut();
            files.Look(Data);
            Verify(life);
        }

        await CloseAsync(life);
        TestContext.Out.WriteLine($"{mode}: {cuts} cuts, {answers + life.Answers} answers, {files}");
        files.RequireEachKind(cuts);
    }

    /// <summary>The control: what was synced is there after the cut, what was not is gone. Without it the rest would show nothing.</summary>
    private void RequireThatItCuts()
    {
        // By other programs than the one that is tried.
        var (synced, lost, grown) = (Path.Combine(Medium.Folder, "synced"), Path.Combine(Medium.Folder, "lost"), Path.Combine(Medium.Folder, "grown"));
        File.WriteAllBytes(synced, [1, 2, 3]);
        File.WriteAllBytes(grown, [1, 2, 3]);
        CutMedium.Run("sync", synced, grown, Medium.Folder);
        File.WriteAllBytes(lost, [4, 5, 6]);
        File.AppendAllText(grown, "more");
        Medium.Cut();
        Assert.Multiple(() =>
        {
            Assert.That(File.Exists(synced) ? File.ReadAllBytes(synced) : null, Is.EqualTo(new byte[] { 1, 2, 3 }), "the rig keeps what was synced");
            Assert.That(File.Exists(lost), Is.False, "the rig loses what was not");
            Assert.That(new FileInfo(grown).Length, Is.EqualTo(3), "nor does it keep what was added");
        });
    }

    /// <summary>Small segments and frequent snapshots, so that many fall into every life.</summary>
    private void Configure()
    {
        var configuration = JsonNode.Parse(File.ReadAllText(_city.Node.Configuration))!;
        configuration["data"] = Data;
        configuration["snapshotEvery"] = "10s";
        configuration["limits"] = new JsonObject { ["segmentBytes"] = 16 << 10, ["callsPerUser"] = 1_000_000, ["readsPerUser"] = 1_000_000, ["callsPerAddress"] = 1_000_000 };
        File.WriteAllText(_city.Node.Configuration, configuration.ToJsonString());
    }

    /// <summary>One life of the node: it starts, is compared with what was told before, works, and dies.</summary>
    private async Task LiveAsync(CaseLedger ledger, SeededEntropy random, bool isCutWhileStarting)
    {
        using var node = NodeProcess.Start(_city.Node.Configuration);
        if (isCutWhileStarting)
        {
            await Task.Delay(random.Below(1200));
            Assert.That(node.HasExited, Is.False, node.LastOutput);
            node.Kill();
            return;
        }

        await node.ReadyAsync(TimeSpan.FromMinutes(1));
        await CompareAsync(node, ledger, everything: false);
        var (before, working) = (ledger.AnswersSoFar, ledger.WorkAsync(CancellationToken.None));
        await Task.Delay(100 + random.Below(700));
        for (var waits = 0; ledger.AnswersSoFar < before + AnswersInALife && waits < 50 && !node.HasExited; waits++)
        {
            await Task.Delay(100);
        }

        Assert.That(node.HasExited, Is.False, node.LastOutput);
        node.Kill();
        await working;
    }

    private static async Task CompareAsync(NodeProcess node, CaseLedger ledger, bool everything)
    {
        try
        {
            await ledger.CompareAsync(everything);
        }
        catch (RpcException refused)
        {
            throw new AssertionException($"The node started and then {(node.HasExited ? "ended" : "refused")}; it said: {node.LastOutput}", refused);
        }
    }

    /// <summary>The last look at a directory: every case of it, then a clean end, and the checks as anybody runs them; it is gone afterwards.</summary>
    private async Task CloseAsync(CaseLedger ledger)
    {
        using (var node = NodeProcess.Start(_city.Node.Configuration))
        {
            await node.ReadyAsync(TimeSpan.FromMinutes(1));
            await CompareAsync(node, ledger, everything: true);
            Assert.That(await node.StopAsync(TimeSpan.FromSeconds(20)), Is.Zero, node.LastOutput);
        }

        Assert.That((await Programs.CityGridAsync("journal", "verify", Data)).Code, Is.Zero);
        Assert.That((await Programs.CityGridAsync("view", "verify", Data)).Code, Is.Zero);
        Directory.Delete(Data, recursive: true);
        new PosixDisk(Medium.Folder).SyncFolder(string.Empty);
    }

    /// <summary>What the cut left verifies as it lies there. The checks look at a copy: the node must find it untouched.</summary>
    private void Verify(CaseLedger ledger)
    {
        if (!Directory.Exists(Path.Combine(Data, "journal")) || Directory.GetFiles(Path.Combine(Data, "journal")).Length == 0)
        {
            Assert.That(ledger.Answers, Is.Zero, "somebody was answered, and there is no journal");
            return;
        }

        var copy = Path.Combine(_folder, "look");
        Folders.Copy(Data, copy);

        var journal = JournalVerifier.Verify(new PosixDisk(copy));
        Assert.That(journal, Is.InstanceOf<JournalVerdict.Sound>(), $"{journal}");
        var views = ViewCheck.Verify(copy);
        Assert.That(views.ExitCode, Is.Zero, $"{views}");
        Directory.Delete(copy, recursive: true);
    }

    /// <summary>What the cuts found of each kind of file.</summary>
    private sealed class FilesSeen
    {
        private readonly HashSet<string> _raw = [];
        private readonly HashSet<string> _packed = [];
        private readonly HashSet<string> _snapshots = [];

        public void Look(string data)
        {
            Add(_raw, "journal", ".seg");
            Add(_packed, "journal", ".seg.zst");
            Add(_snapshots, "snapshots", ".snap");

            void Add(HashSet<string> seen, string folder, string ending)
            {
                var path = Path.Combine(data, folder);
                if (Directory.Exists(path))
                {
                    seen.UnionWith(Directory.GetFiles(path).Where(file => file.EndsWith(ending, StringComparison.Ordinal)).Select(Path.GetFileName)!);
                }
            }
        }

        public void RequireEachKind(int cuts) => Assert.Multiple(() =>
        {
            Assert.That(_raw.Count + _packed.Count, Is.GreaterThan(cuts), "segments");
            Assert.That(_packed, Is.Not.Empty, "packed segments");
            Assert.That(_snapshots, Is.Not.Empty, "snapshots");
        });

        public override string ToString() => $"{_raw.Count} raw segments, {_packed.Count} packed, {_snapshots.Count} snapshots seen at cuts";
    }
}
