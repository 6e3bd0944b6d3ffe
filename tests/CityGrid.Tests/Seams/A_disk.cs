using CityGrid.Hub.Seams;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Seams;

/// <summary>What every disk does, whichever it is.</summary>
public abstract class A_disk
{
    protected abstract IDisk Disk { get; }

    [Test]
    public void Reads_back_what_was_written_where_it_was_written()
    {
        Disk.CreateFolder("a/b");
        using var file = Disk.Open("a/b/f", DiskAccess.CreateNew);
        file.Write(0, "hello"u8);
        file.Write(7, "there"u8);
        file.Sync();
        var bytes = new byte[20];
        Assert.That(file.Read(0, bytes), Is.EqualTo(12));
        Assert.That(bytes[..12], Is.EqualTo("hello\0\0there"u8.ToArray()));
        Assert.That(file.Read(12, bytes), Is.Zero);
        Assert.That(file.Length, Is.EqualTo(12));
    }

    [Test]
    public void Shows_its_entries_in_ordinal_order_and_nothing_of_a_folder_that_is_not_there()
    {
        Disk.CreateFolder("x");
        foreach (var name in new[] { "x/b", "x/B", "x/a" })
        {
            Disk.Open(name, DiskAccess.ReadWrite).Dispose();
        }

        Disk.SyncFolder("x");
        Disk.SyncFolder(string.Empty);
        Assert.That(Disk.List("x"), Is.EqualTo(new[] { "B", "a", "b" }));
        Assert.That(Disk.List("y"), Is.Empty);
        Assert.That(Disk.List(string.Empty), Is.EqualTo(new[] { "x" }));
        Assert.That((Disk.Exists("x"), Disk.Exists("x/a"), Disk.Exists("x/c"), Disk.Exists("x/a/d")), Is.EqualTo((true, true, false, false)));
    }

    [Test]
    public void Renames_over_a_target_and_deletes()
    {
        using (var file = Disk.Open("from", DiskAccess.CreateNew))
        {
            file.Write(0, "new"u8);
        }

        Disk.Open("to", DiskAccess.CreateNew).Dispose();
        Disk.Rename("from", "to");
        Assert.That(Disk.List(string.Empty), Is.EqualTo(new[] { "to" }));
        using (var file = Disk.Open("to", DiskAccess.Read))
        {
            Assert.That(file.Length, Is.EqualTo(3));
        }

        Disk.Delete("to");
        Assert.That(Disk.List(string.Empty), Is.Empty);
    }

    [Test]
    public void Shortens_and_lengthens_a_file_with_zeros()
    {
        using var file = Disk.Open("f", DiskAccess.ReadWrite);
        file.Write(0, "abcdef"u8);
        file.Truncate(3);
        file.Truncate(5);
        file.DropCache();
        var bytes = new byte[8];
        Assert.That(file.Read(0, bytes), Is.EqualTo(5));
        Assert.That(bytes, Is.EqualTo("abc\0\0\0\0\0"u8.ToArray()));
    }

    [Test]
    public void Says_with_the_errno_what_it_cannot_do()
    {
        Disk.Open("f", DiskAccess.ReadWrite).Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(() => Disk.Open("g", DiskAccess.Read), Fails(2));
            Assert.That(() => Disk.Open("f", DiskAccess.CreateNew), Fails(17));
            Assert.That(() => Disk.Open("no/f", DiskAccess.CreateNew), Fails(2));
            Assert.That(() => Disk.Delete("g"), Fails(2));
            Assert.That(() => Disk.Rename("g", "h"), Fails(2));
            Assert.That(() => Disk.SyncFolder("no"), Fails(2));
        });
    }

    [TestCase("..")]
    [TestCase("/etc")]
    [TestCase("a//b")]
    [TestCase("a/../../b")]
    public void Lets_no_path_lead_out_of_its_root(string path) =>
        Assert.That(() => Disk.Open(path, DiskAccess.ReadWrite), Throws.ArgumentException);

    private static NUnit.Framework.Constraints.IResolveConstraint Fails(int error) =>
        Throws.TypeOf<DiskFailedException>().With.Property(nameof(DiskFailedException.ErrorNumber)).EqualTo(error);
}

[TestFixture, FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_model_disk : A_disk
{
    private readonly ModelDisk _disk = new();

    protected override IDisk Disk => _disk;

    [Test]
    public void Forgets_what_was_not_synced_and_keeps_what_was()
    {
        using var file = _disk.Open("f", DiskAccess.CreateNew);
        file.Write(0, "synced"u8);
        file.Sync();
        Assert.That(Least().Files, Is.Empty, "the entry was not synced");
        _disk.SyncFolder(string.Empty);
        file.Write(0, "SYNCED and more"u8);
        Assert.That(Least().Bytes("f"), Is.EqualTo("synced"u8.ToArray()));
        Assert.That(_disk.CrashStates(new SeededEntropy(1), 0).Last().Bytes("f"), Is.EqualTo("SYNCED and more"u8.ToArray()));
    }

    [Test]
    public void Keeps_any_set_of_sectors_of_an_unsynced_write()
    {
        using var file = _disk.Open("f", DiskAccess.CreateNew);
        _disk.SyncFolder(string.Empty);
        file.Write(0, Enumerable.Repeat((byte)7, 1600).ToArray());
        var states = _disk.CrashStates(new SeededEntropy(2), 400).ToList();
        var shapes = states.Select(state => string.Concat(state.Bytes("f").Chunk(512).Select(sector => sector.Sum(b => b) / 7))).ToHashSet();
        Assert.That(shapes, Is.SupersetOf(new[] { string.Empty, "51251251264", "51205120", "00064", "0512", "0000" }));
        Assert.That(states.Select(state => state.Fingerprint()).Distinct().Count(), Is.GreaterThan(50));
    }

    [Test]
    public void Loses_an_unsynced_rename_or_delete_each_on_its_own()
    {
        foreach (var name in new[] { "a", "b" })
        {
            _disk.Open(name, DiskAccess.CreateNew).Dispose();
        }

        _disk.SyncFolder(string.Empty);
        _disk.Rename("a", "c");
        _disk.Delete("b");
        var seen = _disk.CrashStates(new SeededEntropy(3), 0).Select(state => string.Concat(state.Files)).ToHashSet();
        Assert.That(seen, Is.EquivalentTo(new[] { "ab", "c", "bc", "a" }));
    }

    [Test]
    public void Cuts_the_same_way_for_the_same_seed()
    {
        using var file = _disk.Open("f", DiskAccess.CreateNew);
        file.Write(0, new byte[5000]);
        Assert.That(_disk.AfterCut(new SeededEntropy(9)).Fingerprint(), Is.EqualTo(_disk.Copy().AfterCut(new SeededEntropy(9)).Fingerprint()));
    }

    [Test]
    public void Never_makes_durable_what_a_failed_sync_was_for()
    {
        using var file = _disk.Open("f", DiskAccess.CreateNew);
        _disk.SyncFolder(string.Empty);
        file.Write(0, "lost"u8);
        _disk.Fail(new DiskFault(_disk.Operations + 1, 5));
        Assert.That(file.Sync, Throws.TypeOf<DiskFailedException>());
        Assert.That(file.Sync, Throws.TypeOf<DiskFailedException>(), "the handle is dead");
        using var again = _disk.Open("f", DiskAccess.ReadWrite);
        Assert.That(again.Length, Is.EqualTo(4), "it is still shown");
        again.Sync();
        Assert.That(Least().Bytes("f"), Is.Empty);
        again.DropCache();
        Assert.That(again.Length, Is.Zero);
    }

    [Test]
    public void Is_full_at_its_size_limit()
    {
        using var file = _disk.Open("f", DiskAccess.CreateNew);
        _disk.SizeLimit = 10;
        file.Write(0, new byte[8]);
        Assert.That(() => file.Write(8, new byte[8]), Throws.TypeOf<DiskFailedException>().With.Property("ErrorNumber").EqualTo(28));
        Assert.That((file.Length, _disk.FreeBytes), Is.EqualTo((10L, 0L)));
    }

    [Test]
    public void Kills_every_handle_at_a_cut_and_keeps_the_files_of_a_killed_process()
    {
        var file = _disk.Open("f", DiskAccess.CreateNew);
        file.Write(0, "x"u8);
        _disk.Kill();
        Assert.That(file.Sync, Throws.TypeOf<DiskFailedException>());
        Assert.That(_disk.Bytes("f"), Has.Length.EqualTo(1));
        _disk.Cut(new SeededEntropy(0));
        Assert.That(_disk.Files, Is.Empty.Or.EqualTo(new[] { "f" }));
    }

    [Test]
    public void Shares_nothing_with_its_copies_and_with_the_disks_that_a_cut_leaves() =>
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 9], Gen.Int[0, 40], Gen.Int[1, 20]).List[1, 60].Sample(steps =>
        {
            var disks = new List<(ModelDisk Disk, List<byte> Content)> { (new ModelDisk(), []) };
            using (disks[0].Disk.Open("f", DiskAccess.CreateNew))
            {
                disks[0].Disk.SyncFolder(string.Empty);
            }

            foreach (var (kind, which, at, length) in steps)
            {
                var (disk, content) = disks[which % disks.Count];
                using var file = disk.Open("f", DiskAccess.ReadWrite);
                switch (kind)
                {
                    case 0:
                        var bytes = Enumerable.Range(at, length).Select(b => (byte)(b + disks.Count)).ToArray();
                        file.Write(at, bytes);
                        content.AddRange(new byte[Math.Max(0, at + length - content.Count)]);
                        bytes.CopyTo(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(content)[at..]);
                        break;
                    case 1 when at <= content.Count:
                        file.Truncate(at);
                        content.RemoveRange(at, content.Count - at);
                        break;
                    case 2 when at < content.Count:
                        file.Sync();
                        disk.FlipBit("f", (at * 8) + (length % 8));
                        content[at] ^= (byte)(1 << (length % 8));
                        break;
                    case 3:
                        disks.Add((disk.Copy(), [.. content]));
                        break;
                    case 4:
                        file.Sync();
                        disks.Add((disk.AfterCut(new SeededEntropy(1)), [.. content]));
                        break;
                    default:
                        file.Sync();
                        break;
                }
            }

            return disks.All(one => one.Disk.Bytes("f").SequenceEqual(one.Content));
        });

    private ModelDisk Least() => _disk.CrashStates(new SeededEntropy(0), 0).First();
}

[TestFixture, FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Platform("Linux")]
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class A_folder_on_Linux : A_disk
{
    private string _root = string.Empty;

    protected override IDisk Disk => new PosixDisk(_root);

    [SetUp]
    public void Begin() => _root = Path.Combine(Path.GetTempPath(), "citygrid-" + Path.GetRandomFileName());

    [TearDown]
    public void End() => Directory.Delete(_root, recursive: true);

    [Test]
    public void Is_readable_by_its_owner_alone()
    {
        Disk.CreateFolder("d");
        Disk.Open("d/f", DiskAccess.CreateNew).Dispose();
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.That(File.GetUnixFileMode(Path.Combine(_root, "d/f")), Is.EqualTo(owner));
        Assert.That(File.GetUnixFileMode(Path.Combine(_root, "d")), Is.EqualTo(owner | UnixFileMode.UserExecute));
        Assert.That(File.GetUnixFileMode(_root), Is.EqualTo(owner | UnixFileMode.UserExecute));
        Assert.That(Disk.FreeBytes, Is.Positive);
    }
}

[TestFixture, FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_folder_on_a_developers_machine : A_disk
{
    private string _root = string.Empty;

    protected override IDisk Disk => new PortableDisk(_root);

    [SetUp]
    public void Begin() => _root = Path.Combine(Path.GetTempPath(), "citygrid-" + Path.GetRandomFileName());

    [TearDown]
    public void End()
    {
        if (Directory.Exists(_root))
        {
            Directory.Delete(_root, recursive: true);
        }
    }
}
