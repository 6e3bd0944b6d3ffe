using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Z2, SEC-30, INV-21 with real processes: backed up while it runs, lost, restored on an empty folder; told what only the parent knows; the life before is out of office.</summary>
public sealed class A_backup_of_a_running_city_is_restored
{
    private static readonly TimeSpan AMinute = TimeSpan.FromMinutes(1);

    private string _shelf = null!;

    private string Key => Path.Combine(_shelf, "key");

    [SetUp]
    public void MakeShelf() => _shelf = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(_shelf, recursive: true);

    [Test]
    public async Task And_the_operator_hears_what_only_the_parent_knows()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var city = trees.Tree.Cities.Single();
        var parent = trees.Tree.Nodes.Single(node => node.Node == city.Parent);
        await ReportAsync(city, 0, 3);
        Assert.That(await trees.Running.WaitUntilEqualAsync(AMinute, CancellationToken.None), Is.True);

        await RunAsync(0, "backup", "new-key", Key);
        var taken = await RunAsync(0, "backup", "--config", city.Configuration, "--to", _shelf, "--key-file", Key);
        Assert.That(taken, Does.Contain("read back and found right"));
        var backup = Directory.GetFiles(_shelf, "*.backup").Single();
        Assert.That(await RunAsync(0, "backup", "verify", backup, "--key-file", Key), Does.StartWith("sound: a backup of " + city.Node));
        Assert.That(await RunAsync(0, "backup", "verify", Directory.GetFiles(_shelf, "*.keys").Single(), "--key-file", Key), Does.StartWith("sound: the keys of " + city.Node));

        // After the backup: four cases, one of them urgent, so that it is escalated at once.
        await ReportAsync(city, 3, 3);
        await EscalateAsync(city);
        Assert.That(await trees.Running.WaitUntilEqualAsync(AMinute, CancellationToken.None), Is.True);
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(7));

        trees.Running.Kill(city.Node);
        var data = Folders.DataOf(city);
        Directory.Move(data, data + "-lost");
        var token = Path.Combine(_shelf, "token");
        await File.WriteAllTextAsync(token, parent.Tokens["admin"]);
        var told = await RunAsync(0, "restore", backup, "--to", data, "--key-file", Key, "--parent", parent.OperatorUrl, "--parent-token-file", token);
        Assert.That(told, Does.Match(@"The parent has heard of positions up to \d+, what is here ends at \d+\. Lost here and known there: [1-9]\d* cells .* and [1-9]\d* escalations"));
        Assert.That(told, Does.Match(@"at \d+: escalation [0-9a-f]{32} version 1"));

        await trees.Running.StartAsync(city);
        Assert.That(await trees.Running.WaitUntilEqualAsync(AMinute, CancellationToken.None), Is.True);
        await ReportAsync(city, 7, 1);
        Assert.That(await trees.Running.WaitUntilEqualAsync(AMinute, CancellationToken.None), Is.True);
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(4));

        // The life before comes back, and changes nothing.
        await trees.Running.StopAsync(city.Node);
        Directory.Move(data, data + "-restored");
        Directory.Move(data + "-lost", data);
        await trees.Running.StartAsync(city);
        Assert.That(await Asking.UplinkErrorAsync(city), Does.Contain("FENCED"));
        Assert.That(await Asking.ReportedAsync(trees.Tree.Root), Is.EqualTo(4));
    }

    [Test]
    public async Task And_nothing_else_than_a_whole_backup_under_the_right_key_into_an_empty_folder()
    {
        using var city = new LoneCity();
        var node = NodeProcess.Start(city.Node.Configuration);
        await node.ReadyAsync(AMinute);
        await ReportAsync(city.Node, 0, 2);
        Assert.That(await node.StopAsync(TimeSpan.FromSeconds(12)), Is.Zero);
        node.Dispose();

        await RunAsync(0, "backup", "new-key", Key);
        await RunAsync(2, "backup", "new-key", Key);
        await RunAsync(0, "backup", "--config", city.Node.Configuration, "--to", _shelf, "--key-file", Key);
        var backup = Directory.GetFiles(_shelf, "*.backup").Single();
        var other = Path.Combine(_shelf, "other");
        await RunAsync(0, "backup", "new-key", other);
        Assert.That(await RunAsync(3, "backup", "verify", backup, "--key-file", other), Does.Contain("another key"));

        var target = Path.Combine(_shelf, "restored");
        Assert.That(await RunAsync(1, "restore", backup, "--to", target, "--key-file", other), Does.Contain("another key"));
        Assert.That(await RunAsync(1, "restore", backup, "--to", city.Data, "--key-file", Key), Does.Contain("not empty"));
        Assert.That(Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any(), Is.False);

        var whole = await File.ReadAllBytesAsync(backup);
        await File.WriteAllBytesAsync(backup, [.. whole[..500], (byte)(whole[500] ^ 4), .. whole[501..]]);
        Assert.That(await RunAsync(2, "backup", "verify", backup, "--key-file", Key), Does.Contain("damaged"));
        await RunAsync(1, "restore", backup, "--to", target, "--key-file", Key);
        await File.WriteAllBytesAsync(backup, Newer(whole));
        Assert.That(await RunAsync(78, "backup", "verify", backup, "--key-file", Key), Does.Contain("format 2"));
        Assert.That(await RunAsync(78, "restore", backup, "--to", target, "--key-file", Key), Does.Contain(Path.GetFileName(backup)));
        Assert.That(await File.ReadAllBytesAsync(backup), Is.EqualTo(Newer(whole)));

        await File.WriteAllBytesAsync(backup, whole);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Key, UnixFileMode.UserRead | UnixFileMode.OtherRead);
            await RunAsync(2, "restore", backup, "--to", target, "--key-file", Key);
            File.SetUnixFileMode(Key, UnixFileMode.UserRead);
        }

        await RunAsync(0, "restore", backup, "--to", target, "--key-file", Key);
        Assert.That((await Programs.CityGridAsync("journal", "verify", target)).Code, Is.Zero);
    }

    /// <summary>hub/Backup/README.md: the format stands after the magic, and the checksum at the end of the header covers it.</summary>
    private static byte[] Newer(byte[] backup)
    {
        var bytes = backup.ToArray();
        bytes[8] = 2;
        var crc = bytes.AsSpan(0, 124).ToArray().Aggregate(uint.MaxValue, System.Numerics.BitOperations.Crc32C);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(124), ~crc);
        return bytes;
    }

    private static async Task<string> RunAsync(int code, params string[] arguments)
    {
        var ended = await Programs.CityGridAsync([.. arguments, "--lang", "en"]);
        Assert.That(ended.Code, Is.EqualTo(code), $"citygrid {string.Join(' ', arguments)}: {ended.Output}{ended.Error}");
        return ended.Output + ended.Error;
    }

    private static async Task ReportAsync(TreeNode city, int from, int times)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        for (var i = from; i < from + times; i++)
        {
            await client.Cases.ReportAsync(new ReportRequest { RequestKey = $"r-{i}", Type = "06010", Source = "hotline" }, client.Options);
        }
    }

    private static async Task EscalateAsync(TreeNode city)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        await client.Cases.ReportAsync(new ReportRequest { RequestKey = "grave", Type = "01001", Source = "hotline", Grade = EmergencyGrade.Serious }, client.Options);
    }
}
