using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Journal;
using NUnit.Framework;

namespace CityGrid.Tests.Seams;

/// <summary>INV-24: the lock of a data directory, on a real file system.</summary>
[Requires(Need.Linux)]
public sealed class A_directory_has_one_live_owner
{
    private static readonly SystemEntropy Entropy = new();

    private string _folder = null!;

    [SetUp]
    public void MakeFolder()
    {
        _folder = Directory.CreateTempSubdirectory("citygrid-lock-").FullName;
    }

    [TearDown]
    public void Remove()
    {
        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public void The_number_rises_with_every_taking()
    {
        for (var i = 1; i <= 3; i++)
        {
            using var owner = Take();
            Assert.That((owner.Fencing, owner.IsExchanged), Is.EqualTo(((long)i, false)));
            owner.Name(new Incarnation((UInt128)i));
            Assert.That(System.Text.Encoding.UTF8.GetString(Line()).Split(' ')[2], Is.EqualTo($"fencing={i}"));
            Assert.That(Take, Throws.TypeOf<DiskFailedException>().With.Message.Contains("another process"));
            owner.Check();
        }
    }

    /// <summary>Segments are packed from the moment at which the journal is open, and the owner learns the directory's life only then.</summary>
    [Test]
    public async Task An_owner_that_names_its_life_never_takes_itself_for_another()
    {
        using var owner = Take();
        using var over = new CancellationTokenSource();
        var looks = 0;
        var looking = LookAsync();
        for (var i = 1; i <= 300 && !looking.IsCompleted; i++)
        {
            owner.Name(new Incarnation((UInt128)i));
        }

        while (Volatile.Read(ref looks) == 0 && !looking.IsCompleted)
        {
            await Task.Yield();
        }

        await over.CancelAsync();
        await looking;

        async Task LookAsync()
        {
            while (!over.IsCancellationRequested)
            {
                await Task.Yield();
                owner.Check();
                Interlocked.Increment(ref looks);
            }
        }
    }

    [Test]
    public void One_that_was_deleted_exchanged_moved_or_written_over_is_seen_at_once()
    {
        AssertSeen(() => File.Delete(LockPath));
        AssertSeen(() => Exchange());
        AssertSeen(() => File.WriteAllText(LockPath + ".other", string.Empty), () => File.Move(LockPath + ".other", LockPath, overwrite: true));
        AssertSeen(() =>
        {
            using var file = PosixDisk.At(_folder).Open(DirectoryLock.FileName, DiskAccess.ReadWrite);
            file.Write(20, "7"u8);
        });
        AssertSeen(() =>
        {
            Directory.Move(_folder, _folder + "-moved");
            Directory.CreateDirectory(_folder);
        });
        Directory.Delete(_folder + "-moved", recursive: true);
    }

    [Test]
    public void Whoever_takes_it_then_knows_that_the_last_owner_may_still_be_there()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "journal"));
        using (Take())
        {
        }

        Exchange();
        using (var owner = Take())
        {
            Assert.That((owner.Fencing, owner.IsExchanged), Is.EqualTo((2L, true)));
        }

        File.Delete(LockPath);
        using (var owner = Take())
        {
            Assert.That(owner.IsExchanged, Is.True);
        }

        // As a program before this one left it: held, and empty.
        File.WriteAllText(LockPath, string.Empty);
        using var empty = Take();
        Assert.That((empty.Fencing, empty.IsExchanged), Is.EqualTo((1L, false)));
    }

    [Test]
    public void An_owner_that_was_put_out_acknowledges_nothing_and_what_it_writes_lands_nowhere()
    {
        using var old = Take();
        using var before = Open(old);
        Assert.That(before.Append([Drafts.Of("a", [1])], Drafts.Noon).Appended, Is.True);

        // Its lock is deleted while it stands still, and another goes on in the same directory.
        File.Delete(LockPath);
        using var owner = Take();
        using var journal = Open(owner);
        Assert.That(journal.Append([Drafts.Of("b", [2])], Drafts.Noon).Appended, Is.True);

        Assert.That(() => before.Append([Drafts.Of("late", new byte[400])], Drafts.Noon), Throws.TypeOf<DirectoryTakenException>());
        Assert.That(before.ClosedBy, Is.TypeOf<DirectoryTakenException>());
        Assert.That(() => before.SaveSnapshot(new Lsn(1), []), Throws.TypeOf<JournalClosedException>());
        Assert.That(journal.Append([Drafts.Of("c", [3])], Drafts.Noon).Appended, Is.True);
        journal.Dispose();
        using var again = FileJournal.Open(PosixDisk.At(_folder), Entropy, Drafts.Node);
        Assert.That(again.ReadFrom(Lsn.Zero).Select(record => record.Actor), Is.EqualTo(new[] { "a", "b", "c" }));
    }

    [Test]
    public void And_neither_names_nor_lengths_are_changed_by_it()
    {
        using var old = Take();
        var disk = old.Guard(PosixDisk.At(_folder));
        disk.Open("file", DiskAccess.CreateNew).Dispose();
        using var open = disk.Open("file", DiskAccess.ReadWrite);
        File.Delete(LockPath);
        Assert.That(() => disk.Rename("file", "other"), Throws.TypeOf<DirectoryTakenException>());
        Assert.That(() => disk.Delete("file"), Throws.TypeOf<DirectoryTakenException>());
        Assert.That(() => disk.Open("new", DiskAccess.CreateNew), Throws.TypeOf<DirectoryTakenException>());
        Assert.That(() => disk.SyncFolder(string.Empty), Throws.TypeOf<DirectoryTakenException>());
        Assert.That(() => open.Truncate(0), Throws.TypeOf<DirectoryTakenException>());
        Assert.That(() => open.Sync(), Throws.TypeOf<DirectoryTakenException>());
        Assert.That(Directory.GetFiles(_folder).Select(Path.GetFileName), Is.EqualTo(new[] { "file" }));
    }

    private string LockPath => Path.Combine(_folder, DirectoryLock.FileName);

    /// <summary>What stands in the lock; .NET's own calls ask for the lock that its owner has.</summary>
    private byte[] Line()
    {
        using var file = PosixDisk.At(_folder).Open(DirectoryLock.FileName, DiskAccess.Read);
        var line = new byte[file.Length];
        file.Read(0, line);
        return line;
    }

    private DirectoryLock Take() => DirectoryLock.Take(_folder, Entropy, TimeProvider.System);

    private FileJournal Open(DirectoryLock owner) =>
        FileJournal.Open(owner.Guard(PosixDisk.At(_folder)), Entropy, Drafts.Node, new JournalOptions { CopyLastSegment = owner.IsExchanged, ReadAhead = false });

    private void Exchange()
    {
        File.WriteAllBytes(LockPath + ".copy", Line());
        File.Move(LockPath + ".copy", LockPath, overwrite: true);
    }

    private void AssertSeen(params Action[] takeOver)
    {
        File.Delete(LockPath);
        using var owner = Take();
        owner.Check();
        foreach (var step in takeOver)
        {
            step();
        }

        Assert.That(owner.Check, Throws.TypeOf<DirectoryTakenException>());
    }
}
