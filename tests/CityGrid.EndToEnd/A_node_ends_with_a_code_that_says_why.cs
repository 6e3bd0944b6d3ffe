using System.Net.Http.Json;
using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Node.Hosting;
using NUnit.Framework;
using NodeProcess = CityGrid.Cli.Network.NodeProcess;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Whoever starts a node reads its exit code: 0 clean, 2 command line, 64 configuration, 70 storage, 78 data of a newer program.</summary>
public sealed class A_node_ends_with_a_code_that_says_why
{
    private static readonly TimeSpan AtMost = TimeSpan.FromSeconds(10);

    private LoneCity _city = null!;

    private TreeNode Node => _city.Node;

    [SetUp]
    public void WriteNode() => _city = new LoneCity();

    [TearDown]
    public void Remove() => _city.Dispose();

    [Test]
    public async Task Zero_within_ten_seconds_of_being_asked_to_end()
    {
        using var node = NodeProcess.Start(Node.Configuration);
        await node.ReadyAsync(TimeSpan.FromMinutes(1));
        using var http = new HttpClient();
        await http.GetAsync($"{Node.OperatorUrl}/healthz");

        Assert.That(await node.StopAsync(AtMost), Is.EqualTo(ExitCodes.Clean), node.LastOutput);
    }

    [TestCase]
    [TestCase("--config")]
    [TestCase("--colour", "red")]
    public async Task Two_for_a_command_line_that_cannot_be_used(params string[] arguments) =>
        Assert.That(await RunAsync(arguments), Is.EqualTo((ExitCodes.CommandLine, true)));

    [Test]
    public async Task Sixty_four_for_a_configuration_that_cannot()
    {
        Rewrite(text => text.Replace("\"zone\":", "\"colour\": 1, \"zone\":", StringComparison.Ordinal));

        Assert.That(await RunAsync("--config", Node.Configuration), Is.EqualTo((ExitCodes.Configuration, true)));
    }

    [TestCase("data", "/proc/nowhere", "--config")]
    [TestCase("register", "broken.csv", "--config")]
    [TestCase("register", "broken.csv", "--config", "--check")]
    [TestCase("division", "999999", "--config", "--check")]
    public async Task Sixty_four_for_what_a_configuration_names_and_cannot_be_used(string key, string value, params string[] options)
    {
        await File.WriteAllTextAsync(Path.Combine(_city.Home, "broken.csv"), "code,parent,name_zh,name_en,kind,valid_from,valid_to\nCN,,two fields\n");
        Rewrite(text =>
        {
            var configuration = JsonNode.Parse(text)!;
            configuration[key] = value;
            return configuration.ToJsonString();
        });

        var ended = await Programs.NodeAsync([.. options.Take(1), Node.Configuration, .. options.Skip(1)]);
        Assert.That(ended.Code, Is.EqualTo(ExitCodes.Configuration), ended.Error);
        Assert.That(ended.Error, Does.Contain(value).And.Not.Contain("   at "));
    }

    [Test]
    public async Task Sixty_four_for_a_port_that_is_taken()
    {
        using var other = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, Node.OperatorPort);
        other.Start();

        Assert.That(await RunAsync("--config", Node.Configuration), Is.EqualTo((ExitCodes.Configuration, true)));
    }

    [Test]
    public async Task Seventy_for_a_data_directory_that_another_process_has()
    {
        using var node = NodeProcess.Start(Node.Configuration);
        await node.ReadyAsync(TimeSpan.FromMinutes(1));

        Assert.That(await RunAsync("--config", Node.Configuration), Is.EqualTo((ExitCodes.Storage, true)));
    }

    [Test]
    public async Task Seventy_for_a_directory_to_be_restored_that_has_no_journal() =>
        Assert.That(await RunAsync("--config", Node.Configuration, "--restored"), Is.EqualTo((ExitCodes.Storage, true)));

    [Test]
    public async Task Seventy_for_a_damaged_journal_and_nothing_is_changed()
    {
        await RunOnceAsync(cases: 2);
        var segment = Segment();
        // Within the first record, with another one after it: no crash explains that.
        Patch(segment, 320, at => (byte)(at ^ 0x10));
        var before = File.ReadAllBytes(segment);

        Assert.That(await RunAsync("--config", Node.Configuration), Is.EqualTo((ExitCodes.Storage, true)));
        Assert.That(File.ReadAllBytes(segment), Is.EqualTo(before));
    }

    [Test]
    public async Task Seventy_eight_for_data_of_a_newer_program_and_nothing_is_changed()
    {
        await RunOnceAsync();
        var segment = Segment();
        Folders.MakeNewer(segment);
        var before = File.ReadAllBytes(segment);

        Assert.That(await RunAsync("--config", Node.Configuration), Is.EqualTo((ExitCodes.NewerFormat, true)));
        Assert.That(File.ReadAllBytes(segment), Is.EqualTo(before));
    }

    /// <summary>INV-27: each file of a data directory that has a format of its own; where the format and what vouches for it stand is in its README.</summary>
    [TestCase("snapshots", "*.snap")]
    [TestCase("keys", "*.key")]
    [TestCase("views", "*.db")]
    [TestCase("", "lock")]
    public async Task Seventy_eight_for_any_file_of_a_newer_program_and_nothing_is_changed(string folder, string files)
    {
        await RunOnceAsync(cases: 1, isVoid: true);
        var file = Directory.GetFiles(Path.Combine(_city.Data, folder), files).Order(StringComparer.Ordinal).Last();
        var bytes = File.ReadAllBytes(file);
        switch (folder)
        {
            case "snapshots":
                bytes[8] = 99;
                System.Security.Cryptography.SHA256.HashData(bytes.AsSpan(0, bytes.Length - 32), bytes.AsSpan(bytes.Length - 32));
                break;
            case "keys":
                bytes[8] = 99;
                Folders.Seal(bytes, 24);
                break;
            case "views":
                bytes[8] = 99;
                Folders.Seal(bytes, 40);
                break;
            default:
                var text = System.Text.Encoding.UTF8.GetString(bytes).TrimEnd().Replace("citygrid-lock 1 ", "citygrid-lock 99 ", StringComparison.Ordinal);
                text = text[..text.LastIndexOf(" crc=", StringComparison.Ordinal)];
                bytes = System.Text.Encoding.UTF8.GetBytes($"{text} crc={Folders.Crc(System.Text.Encoding.UTF8.GetBytes(text)):x8}");
                break;
        }

        File.WriteAllBytes(file, bytes);
        var before = Folders.Contents(_city.Data);
        var ended = await Programs.NodeAsync("--config", Node.Configuration);

        Assert.That(ended.Code, Is.EqualTo(ExitCodes.NewerFormat), ended.Error);
        Assert.That(ended.Error, Does.Contain(Path.GetFileName(file)).And.Contain("format 99"));
        var after = Folders.Contents(_city.Data);
        Assert.That(after.Where(entry => entry.Key != "lock" || folder.Length == 0), Is.EqualTo(before.Where(entry => entry.Key != "lock" || folder.Length == 0)));
    }

    private async Task RunOnceAsync(int cases = 0, bool isVoid = false)
    {
        using var node = NodeProcess.Start(Node.Configuration);
        await node.ReadyAsync(TimeSpan.FromMinutes(1));
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new("Bearer", Node.Tokens["desk"]);
        for (var i = 0; i < cases; i++)
        {
            var answer = await http.PostAsJsonAsync($"{Node.OperatorUrl}/v1/cases", new { requestKey = $"key-{i}", type = "01001", source = "web" });
            Assert.That(answer.IsSuccessStatusCode, Is.True, await answer.Content.ReadAsStringAsync());
            if (isVoid)
            {
                var id = (await answer.Content.ReadFromJsonAsync<JsonNode>())!["step"]!["caseId"]!.GetValue<string>();
                var ended = await http.PostAsJsonAsync($"{Node.OperatorUrl}/v1/cases/{id}/steps", new { requestKey = $"void-{i}", reason = "test", voidCase = new { } });
                Assert.That(ended.IsSuccessStatusCode, Is.True, await ended.Content.ReadAsStringAsync());
            }
        }

        Assert.That(await node.StopAsync(AtMost), Is.Zero);
    }

    /// <summary>Runs the program to its end; its code, and whether it said anything on standard error.</summary>
    private static async Task<(int Code, bool Spoke)> RunAsync(params string[] arguments)
    {
        var ended = await Programs.NodeAsync(arguments);
        TestContext.Out.WriteLine(ended.Output + ended.Error);
        Assert.That(ended.Error, Does.Not.Contain("   at "), "a stack says nothing to an operator");
        return (ended.Code, ended.Error.Trim().Length > 0);
    }

    private void Rewrite(Func<string, string> change) => File.WriteAllText(Node.Configuration, change(File.ReadAllText(Node.Configuration)));

    private string Segment() => Directory.GetFiles(Path.Combine(_city.Data, "journal"), "*.seg").Order(StringComparer.Ordinal).First();

    private static void Patch(string file, int offset, Func<byte, byte> change)
    {
        var bytes = File.ReadAllBytes(file);
        bytes[offset] = change(bytes[offset]);
        File.WriteAllBytes(file, bytes);
    }
}
