using System.Text;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using NUnit.Framework;
using NodeProcess = CityGrid.Cli.Network.NodeProcess;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// INV-30 with the program itself: after a reporter is erased, neither the program, nor a rebuild from the journal with every key file that there is,
/// nor a byte search of everything the node wrote finds anything of him, and the journal and the views still verify.
/// </summary>
public sealed class An_erased_reporter_is_nowhere
{
    private static readonly string[] Canaries = ["Zebedee Quillfeather", "覃翡翠", "13912345678", "Marzipan Crescent 4711", "a blue door, third bell"];

    private static readonly Personal Erased = new() { ReporterName = $"{Canaries[0]} {Canaries[1]}", Contact = Canaries[2], Address = Canaries[3], FreeText = Canaries[4] };

    private LoneCity _city = null!;

    private string Data => _city.Data;

    [SetUp]
    public void WriteNode() => _city = new LoneCity();

    [TearDown]
    public void Remove() => _city.Dispose();

    [Test]
    public async Task Not_in_the_program_not_after_a_rebuild_and_not_in_any_byte()
    {
        string erased = string.Empty, other = string.Empty;
        await WhileItRuns(async client =>
        {
            erased = await Worked(client, "erased", Erased);
            other = await Worked(client, "other", new Personal { ReporterName = "Somebody Else", Contact = "13800000000" });
            Assert.That((await Get(client, erased)).Personal.ReporterName, Is.EqualTo(Erased.ReporterName));
        });

        // A snapshot and the views were written while he was known.
        await WhileItRuns(async client =>
        {
            await Take(client, erased, new TakeRequest { EraseReporter = new EraseReporter(), Reason = "reporter_request" });
            await RequireErased(client, erased);
        });

        RequireNoTrace();
        Assert.That(await RunAsync("journal", "verify", Data), Is.Zero);
        Assert.That(await RunAsync("view", "verify", Data), Is.Zero);

        Directory.Delete(Path.Combine(Data, "views"), recursive: true);
        Directory.Delete(Path.Combine(Data, "snapshots"), recursive: true);
        await WhileItRuns(async client =>
        {
            await RequireErased(client, erased);
            Assert.That((await Get(client, other)).Personal.ReporterName, Is.EqualTo("Somebody Else"), "nobody else's is gone");
        });

        RequireNoTrace();
        Assert.That(await RunAsync("journal", "verify", Data), Is.Zero);
        Assert.That(await RunAsync("view", "verify", Data), Is.Zero);
    }

    [Test]
    public async Task View_verify_tells_a_changed_and_a_damaged_file_from_an_equal_one_and_changes_nothing()
    {
        await WhileItRuns(client => Worked(client, "one", null));
        var before = Folders.Contents(Data);
        Assert.That(await RunAsync("view", "verify", Data), Is.Zero);
        Assert.That(Folders.Contents(Data), Is.EqualTo(before));

        var file = Directory.GetFiles(Path.Combine(Data, "views"), "*.db").Single();
        var bytes = File.ReadAllBytes(file);
        bytes[600] ^= 1;
        File.WriteAllBytes(file, bytes);
        before = Folders.Contents(Data);
        Assert.That(await RunAsync("view", "verify", Data), Is.EqualTo(2));
        Assert.That(Folders.Contents(Data), Is.EqualTo(before));
        Assert.That(await RunAsync("view", "verify", Path.Combine(_city.Folder, "nothing")), Is.EqualTo(3));
    }

    private async Task WhileItRuns(Func<NodeClient, Task> work)
    {
        using var node = NodeProcess.Start(_city.Node.Configuration);
        await node.ReadyAsync(TimeSpan.FromMinutes(1));
        using var client = new NodeClient(_city.Node.GrpcUrl, _city.Node.Tokens["desk"]);
        await work(client);
        Assert.That(await node.StopAsync(TimeSpan.FromSeconds(20)), Is.Zero, node.LastOutput);
    }

    /// <summary>A case with its reporter, worked to its end, with words in the steps too.</summary>
    private async Task<string> Worked(NodeClient client, string key, Personal? personal)
    {
        var report = new ReportRequest { RequestKey = key, Type = "06010", Source = "hotline", Personal = personal };
        var id = (await client.Cases.ReportAsync(report, client.Options)).Step.CaseId;
        var note = personal is null ? string.Empty : $"{personal.ReporterName} {personal.FreeText}";
        await Take(client, id, new TakeRequest { CheckBeforeFiling = new CheckBeforeFiling { Passed = true } });
        await Take(client, id, new TakeRequest { File = new FileCase() });
        await Take(client, id, new TakeRequest { Dispatch = new DispatchCase { Unit = "unit-1" }, Note = note });
        await Take(client, id, new TakeRequest { FinishHandling = new FinishHandling() });
        await Take(client, id, new TakeRequest { CheckBeforeClosing = new CheckBeforeClosing { Passed = true } });

        // Who handled a case does not close it.
        var close = new TakeRequest { CaseId = id, RequestKey = $"{id}-close", Close = new CloseCase() };
        await client.Cases.TakeAsync(close, NodeClient.OptionsFor(_city.Node.Tokens["admin"]));
        return id;
    }

    private static async Task Take(NodeClient client, string id, TakeRequest step)
    {
        step.CaseId = id;
        step.RequestKey = $"{id}-{step.StepCase}";
        await client.Cases.TakeAsync(step, client.Options);
    }

    private static async Task<GetResponse> Get(NodeClient client, string id) =>
        await client.Cases.GetAsync(new GetRequest { CaseId = id, Personal = true }, client.Options);

    private static async Task RequireErased(NodeClient client, string id)
    {
        var shown = await Get(client, id);
        Assert.That(shown.Erased, Is.True);
        var history = await client.Cases.GetHistoryAsync(new GetHistoryRequest { CaseId = id }, client.Options);
        var list = await client.Cases.ListAsync(new ListRequest(), client.Options);
        foreach (var canary in Canaries)
        {
            Assert.That($"{shown} {history} {list}", Does.Not.Contain(canary));
        }
    }

    /// <summary>Everything that the node wrote, logs too, in UTF-8 and UTF-16; packed segments as they are and unpacked.</summary>
    private void RequireNoTrace()
    {
        var files = Directory.GetFiles(_city.Home, "*", SearchOption.AllDirectories);
        Assert.That(files.Select(Path.GetFileName), Has.Some.EndsWith(".seg").And.Some.EndsWith(".db").And.Some.EndsWith(".snap"));
        foreach (var file in files)
        {
            foreach (var bytes in Forms(file))
            {
                foreach (var word in Canaries.SelectMany(canary => canary.Split(' ').Append(canary)).Where(word => word.Length > 5 || word.Any(c => c > 127)))
                {
                    Assert.That(bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(word)), Is.Negative, $"{word} in {file}");
                    Assert.That(bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(word)), Is.Negative, $"{word} in {file}");
                    Assert.That(bytes.AsSpan().IndexOf(Encoding.BigEndianUnicode.GetBytes(word)), Is.Negative, $"{word} in {file}");
                }
            }
        }
    }

    /// <summary>The bytes of a file, and those of every zstd frame in it.</summary>
    private static IEnumerable<byte[]> Forms(string file)
    {
        var bytes = File.ReadAllBytes(file);
        yield return bytes;
        using var zstd = new ZstdSharp.Decompressor();
        for (var at = 0; file.EndsWith(".zst", StringComparison.Ordinal) && at < bytes.Length - 4; at++)
        {
            if (bytes.AsSpan(at).StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]))
            {
                yield return zstd.Unwrap(bytes.AsSpan(at)).ToArray();
            }
        }
    }

    private static async Task<int> RunAsync(params string[] arguments)
    {
        var ended = await Programs.CityGridAsync(arguments);
        TestContext.Out.WriteLine(ended.Output + ended.Error);
        return ended.Code;
    }
}
