using System.Net.Sockets;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Node.Hosting;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>0 clean, 2 command line, 64 configuration, 70 storage, 78 data of a newer program, 1 anything unforeseen.</summary>
public sealed class The_process_ends_with_a_code_that_says_why
{
    private static IEnumerable<TestCaseData> Ends =>
    [
        new(new DiskFailedException("fdatasync", "journal/1.seg", 5, "Input/output error"), 70),
        new(new JournalDamagedException("journal/1.seg", 4096, "A checksum is wrong."), 70),
        new(new NewerFormatException("journal/1.seg", 9, 1), 78),
        new(new ConfigurationException("node.json", [new("zone", null, "an IANA time zone")]), 64),
        new(new RuntimeTooOldException(new Version(10, 0, 8)), 64),
        new(new IOException("Failed to bind.", new SocketException((int)SocketError.AddressAlreadyInUse)), 64),
        new(new CommandLineException("what?"), 2),
        new(new AggregateException(new InvalidOperationException("wrapped", new DiskFailedException("write", "journal/1.seg", 28, "No space"))), 70),
        new(new InvalidOperationException("a fault of the program"), 1),
        new(new OperationCanceledException(), 0),
    ];

    [TestCaseSource(nameof(Ends))]
    public async Task Whatever_is_thrown(Exception thrown, int code)
    {
        var error = new StringWriter();
        using var folder = new NodeFolder();

        var found = await NodeProcess.RunAsync(["--config", folder.ConfigurationFile], TextWriter.Null, error, _ => throw thrown);

        Assert.Multiple(() =>
        {
            Assert.That(found, Is.EqualTo(code));
            Assert.That(error.ToString().Length > 0, Is.EqualTo(code != 0));
        });
    }

    [Test]
    public async Task Zero_when_it_ran_to_its_end()
    {
        using var folder = new NodeFolder();
        NodeConfiguration? ran = null;

        var code = await NodeProcess.RunAsync(["--config", folder.ConfigurationFile], TextWriter.Null, TextWriter.Null, configuration =>
        {
            ran = configuration;
            return Task.CompletedTask;
        });

        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(ExitCodes.Clean));
            Assert.That(ran!.Node.ToString(), Is.EqualTo("hangzhou"));
        });
    }

    [TestCase]
    [TestCase("--config")]
    [TestCase("--colour", "red")]
    [TestCase("node.json")]
    [TestCase("--config", "a.json", "--config", "b.json")]
    [TestCase("--restored")]
    [TestCase("--config", "a.json", "--check", "--restored")]
    public async Task Two_for_a_command_line_that_cannot_be_used(params string[] arguments)
    {
        var error = new StringWriter();

        var code = await NodeProcess.RunAsync(arguments, TextWriter.Null, error, _ => Task.CompletedTask);

        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(ExitCodes.CommandLine));
            Assert.That(error.ToString(), Does.Contain("--config").Or.Contain("--help"));
        });
    }

    [Test]
    public async Task Sixty_four_with_every_fault_of_the_configuration()
    {
        using var folder = new NodeFolder("""{ "node": "A B", "zone": "Mars" }""");
        var error = new StringWriter();

        var code = await NodeProcess.RunAsync(["--config", folder.ConfigurationFile], TextWriter.Null, error, _ => Task.CompletedTask);

        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(ExitCodes.Configuration));
            Assert.That(error.ToString(), Does.Contain("node is \"A B\"").And.Contain("zone is \"Mars\"").And.Contain("link.key is missing"));
        });
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_directory_is_a_restored_one_where_the_command_line_says_so(bool isRestored)
    {
        using var folder = new NodeFolder();
        bool? ran = null;

        await NodeProcess.RunAsync(["--config", folder.ConfigurationFile, .. isRestored ? ["--restored"] : Array.Empty<string>()], TextWriter.Null, TextWriter.Null, configuration =>
        {
            ran = configuration.IsRestored;
            return Task.CompletedTask;
        });

        Assert.That(ran, Is.EqualTo(isRestored));
    }

    [Test]
    public async Task Check_only_reads_the_configuration()
    {
        using var folder = new NodeFolder();
        var output = new StringWriter();

        var code = await NodeProcess.RunAsync(
            ["--config", folder.ConfigurationFile, "--check"], output, TextWriter.Null, _ => throw new InvalidOperationException("It ran."));

        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(ExitCodes.Clean));
            Assert.That(output.ToString(), Does.Contain("hangzhou is in order"));
        });
    }

    [Test]
    public void A_runtime_below_the_floor_is_refused()
    {
        Assert.Throws<RuntimeTooOldException>(() => RuntimeFloor.Check(new Version(10, 0, 8)));
        Assert.DoesNotThrow(() => RuntimeFloor.Check(new Version(10, 0, 9)));
        Assert.DoesNotThrow(() => RuntimeFloor.Check(Environment.Version));
    }
}
