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

    private async Task<string> FileAsync()
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", _city.Node.Tokens["desk"]);
        var answer = await http.PostAsJsonAsync($"{_city.Node.OperatorUrl}/v1/cases", new { requestKey = "one", type = "01001", source = "web" });
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
