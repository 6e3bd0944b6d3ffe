using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using CityGrid.Node.Hosting;
using NUnit.Framework;
using NodeProcess = CityGrid.Cli.Network.NodeProcess;

namespace CityGrid.Tests.EndToEnd;

/// <summary>A node that is asked to end while its disk is full has lost nothing: only its last snapshot is not there, and it says so.</summary>
[Requires(Need.Root)]
public sealed class A_full_disk_is_no_reason_to_end_badly
{
    private LoneCity _city = null!;

    [SetUp]
    public void GiveItASmallDisk()
    {
        _city = new LoneCity();
        Directory.CreateDirectory(_city.Data);
        Run("mount", "-t", "tmpfs", "-o", "size=256m,mode=700", "tmpfs", _city.Data);
    }

    [TearDown]
    public void TakeItAway()
    {
        Run("umount", _city.Data);
        _city.Dispose();
    }

    [Test]
    public async Task It_says_so_ends_clean_and_starts_again_with_everything()
    {
        var filling = Path.Combine(_city.Data, "filling");
        string filed;
        using (var node = NodeProcess.Start(_city.Node.Configuration))
        {
            await node.ReadyAsync(TimeSpan.FromMinutes(1));
            filed = await FileAsync();
            Fill(filling);
            Assert.That(await node.StopAsync(TimeSpan.FromSeconds(20)), Is.EqualTo(ExitCodes.Clean), node.LastOutput);
            Assert.That(node.LastOutput, Does.Contain("without a last snapshot"));
        }

        File.Delete(filling);
        using var again = NodeProcess.Start(_city.Node.Configuration);
        await again.ReadyAsync(TimeSpan.FromMinutes(1));
        Assert.That(await FileAsync(), Is.EqualTo(filed), "the same request is answered with the case that it made");
        Assert.That(await again.StopAsync(TimeSpan.FromSeconds(20)), Is.EqualTo(ExitCodes.Clean), again.LastOutput);
        Assert.That((await Programs.CityGridAsync("journal", "verify", _city.Data)).Code, Is.Zero);
    }

    /// <summary>INV-25: room is kept for what is under way; people are refused, readers are not, and nobody has to start the node again.</summary>
    [Test]
    public async Task Near_its_end_it_takes_nothing_new_and_goes_on_by_itself_once_there_is_room()
    {
        var filling = Path.Combine(_city.Data, "filling");
        using var node = NodeProcess.Start(_city.Node.Configuration);
        await node.ReadyAsync(TimeSpan.FromMinutes(1));
        var filed = await FileAsync();
        Fill(filling);
        using (var file = new FileStream(filling, FileMode.Open, FileAccess.Write))
        {
            file.SetLength(file.Length - (32 << 20));
        }

        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", _city.Node.Tokens["desk"]);
        await Asking.UntilAsync(async () => (await (await http.GetAsync($"{_city.Node.OperatorUrl}/healthz")).Content.ReadAsStringAsync()).Contains("nothing new is taken", StringComparison.Ordinal), "health says it");
        var refused = await ReportAsync(http, "two");
        Assert.That((int)refused.StatusCode, Is.EqualTo(503));
        Assert.That(await refused.Content.ReadAsStringAsync(), Does.Contain("DISK_FULL").And.Contain("MiB"));
        Assert.That(await FileAsync(), Is.EqualTo(filed), "what was taken is answered again");
        Assert.That(await http.GetStringAsync($"{_city.Node.OperatorUrl}/v1/cases"), Does.Contain(filed), "readers are answered");

        File.Delete(filling);
        await Asking.UntilAsync(async () => (await ReportAsync(http, "two")).IsSuccessStatusCode, "it goes on by itself");
        Assert.That(await node.StopAsync(TimeSpan.FromSeconds(20)), Is.EqualTo(ExitCodes.Clean), node.LastOutput);
    }

    private Task<HttpResponseMessage> ReportAsync(HttpClient http, string key) =>
        http.PostAsJsonAsync($"{_city.Node.OperatorUrl}/v1/cases", new { requestKey = key, type = "01001", source = "web" });

    private async Task<string> FileAsync()
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", _city.Node.Tokens["desk"]);
        var answer = await ReportAsync(http, "one");
        var text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, Is.True, text);
        return JsonDocument.Parse(text).RootElement.GetProperty("step").GetProperty("caseId").GetString()!;
    }

    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        var bytes = new byte[4096];
        Assert.That(
            () =>
            {
                for (var page = 0; page < 1 << 20; page++)
                {
                    file.Write(bytes);
                }
            },
            Throws.InstanceOf<IOException>());
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, program);
    }
}
