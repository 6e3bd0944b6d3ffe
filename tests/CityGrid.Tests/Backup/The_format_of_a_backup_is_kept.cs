using CityGrid.Hub.Backup;
using CityGrid.Hub.Backup.V1;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Journal;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Backup;

/// <summary>
/// INV-27: a backup may lie for years. Golden/ holds what format 1 is; it is never written again but with CITYGRID_APPROVE=1, and whoever changes what is
/// written raises the format number, adds a second folder, and keeps reading this one.
/// </summary>
public sealed class The_format_of_a_backup_is_kept
{
    private static readonly BackupKey Words = BackupKey.Parse("correct horse battery staple", out _)!;

    private static string Golden => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Backup", "Golden");

    [TestCase(BackupKeySource.Key)]
    [TestCase(BackupKeySource.Passphrase)]
    public void What_the_first_program_wrote_is_read_and_restored(BackupKeySource source)
    {
        var shelf = Kept();
        var key = KeyOf(source);
        using var node = BackupReader.Open(shelf, $"{source}.backup", key);
        using var keys = BackupReader.Open(shelf, $"{source}.keys", key);
        node.Verify();
        Assert.That((node.Content.Node, node.Content.Head.Lsn, node.Content.Program, node.Content.IsRoot), Is.EqualTo((Drafts.Node, new Lsn(8), "0.3", false)));
        Assert.That(keys.Files, Is.EqualTo(new[] { "keys/00000000.key" }));
        var directory = new ModelDisk();
        new BackupRestoring(directory, new SeededEntropy(5), Clock()).Restore(node, keys);
        using var journal = FileJournal.Open(directory, new SeededEntropy(6), Drafts.Node);
        Assert.That(journal.Head.Lsn, Is.EqualTo(new Lsn(9)));
        Assert.That(journal.LoadSnapshot()!.Lsn, Is.EqualTo(new Lsn(3)));
    }

    [TestCase(BackupKeySource.Key)]
    [TestCase(BackupKeySource.Passphrase)]
    public void The_same_directory_makes_the_same_bytes(BackupKeySource source)
    {
        var shelf = new ModelDisk();
        var taken = new BackupTaking(Directory(), shelf, KeyOf(source), new SeededEntropy(7), Clock())
            .Take(new BackupSubject(Drafts.Node, false, "0.3") { ChunkBytes = 1024, Configuration = [("node.json", "{ }"u8.ToArray())] });
        var files = new[] { (Name: $"{source}.backup", Bytes: shelf.Bytes(taken.File)), (Name: $"{source}.keys", Bytes: shelf.Bytes(taken.KeysFile)) };
        foreach (var (name, bytes) in files)
        {
            var path = Path.Combine(Golden, name);
            if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1")
            {
                System.IO.Directory.CreateDirectory(Golden);
                File.WriteAllBytes(path, bytes);
            }

            Assert.That(bytes, Is.EqualTo(File.ReadAllBytes(path)), name);
        }
    }

    [Test]
    public void And_so_are_the_events_of_a_restore()
    {
        var restored = new DirectoryRestored
        {
            Incarnation = ByteString.CopyFrom(new Incarnation(2).ToBytes()),
            IncarnationBefore = ByteString.CopyFrom(new Incarnation(1).ToBytes()),
            Lsn = 7,
            ChainHash = ByteString.CopyFrom(Hash256.Zero.ToBytes()),
            TakenAt = 1_000,
        };
        Assert.That(EventKinds.DirectoryRestored, Is.EqualTo(70));
        Assert.That(Convert.ToHexString(restored.ToByteArray()), Is.EqualTo(
            "0A1000000000000000000000000000000002" + "121000000000000000000000000000000001" + "1807" + "2220" + new string('0', 64) + "28E807"));
        var heard = UplinkFold.ParentEpochHeardEvent(ParentKind.Territorial, NodeId.Parse("p"), new Epoch(3, 9), forgotten: true);
        Assert.That(heard.Kind, Is.EqualTo(71));
        Assert.That(Convert.ToHexString(heard.Payload.Span), Is.EqualTo("0A0170" + "1003" + "190900000000000000" + "2001"));
        Assert.That(ParentEpochHeard.Parser.ParseFrom(heard.Payload.Span).Epoch, Is.EqualTo(3));
    }

    [Test]
    public void And_so_is_the_line_of_a_directorys_owner()
    {
        var line = DirectoryLock.LineOf(12, "token=00 process=7 host=h since=2026-11-29T06:00:00Z", "none", new FileIdentity(0x801, 42));
        Assert.That(System.Text.Encoding.UTF8.GetString(line).TrimEnd(), Is.EqualTo(
            "citygrid-lock 1 fencing=12 token=00 process=7 host=h since=2026-11-29T06:00:00Z incarnation=none file=801:42 crc=80a80465"));
        Assert.That(line, Has.Length.EqualTo(512));
        var disk = new ModelDisk();
        using var file = disk.Open("lock", DiskAccess.CreateNew);
        file.Write(0, line);
        Assert.That(DirectoryLock.Read(file, "lock"), Is.EqualTo((12L, new FileIdentity(0x801, 42))));
    }

    private static BackupKey KeyOf(BackupKeySource source) => source == BackupKeySource.Key ? BackedUpCity.Key : Words;

    private static VirtualClock Clock() => new(new VirtualTime(new DateTimeOffset(2026, 11, 29, 6, 0, 0, TimeSpan.Zero)));

    /// <summary>The golden directory of the journal, with a block of keys that is always the same.</summary>
    private static ModelDisk Directory()
    {
        var disk = Loaded(Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Journal", "Golden"));
        disk.CreateFolder("keys");
        using var file = disk.Open("keys/00000000.key", DiskAccess.CreateNew);
        file.Write(0, Enumerable.Range(0, 4000).Select(i => (byte)(i % 251)).ToArray());
        return disk;
    }

    private static ModelDisk Kept() => Loaded(Golden);

    private static ModelDisk Loaded(string folder)
    {
        var disk = new ModelDisk();
        foreach (var path in System.IO.Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            var name = Path.GetRelativePath(folder, path).Replace('\\', '/');
            if (name.Contains('/', StringComparison.Ordinal))
            {
                disk.CreateFolder(name[..name.LastIndexOf('/')]);
            }

            using var file = disk.Open(name, DiskAccess.CreateNew);
            file.Write(0, File.ReadAllBytes(path));
        }

        return disk;
    }
}
