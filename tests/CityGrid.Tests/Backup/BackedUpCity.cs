using CityGrid.Hub.Backup;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Crashes;
using NUnit.Framework;

namespace CityGrid.Tests.Backup;

/// <summary>A city at work on a model disk, and a shelf where its backups are kept.</summary>
internal sealed class BackedUpCity : IDisposable
{
    public static readonly BackupKey Key = BackupKey.OfBytes(Enumerable.Range(1, 32).Select(i => (byte)i).ToArray());

    public VirtualTime Time { get; } = new(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero));

    public SeededEntropy Entropy { get; } = new(70);

    public ModelDisk Disk { get; } = new();

    public ModelDisk Shelf { get; set; } = new();

    public CityOnADisk City { get; }

    public BackedUpCity() => City = new CityOnADisk(Disk, Entropy, Time, JournalFaults.None);

    public CaseId Report(string name = "Zhang")
    {
        var id = City.Core.Desk.Mint();
        Submit(new ReportCase(Cases.City.Cover, Cases.City.North, Cases.City.Hotline) { Case = id, Actor = "desk", Sealed = City.Personal(id, name) });
        return id;
    }

    public void Erase(CaseId id) => Submit(new EraseReporter { Case = id, Actor = "officer", Reason = "reporter_request" });

    public BackupTaken Take(IDisk? source = null, Action<BackupProgress>? progress = null) =>
        new BackupTaking(source ?? Disk, Shelf, Key, Entropy, new VirtualClock(Time)) { Progress = progress }.Take(Subject);

    public static BackupSubject Subject => new(Cases.City.Node, false, "1.0") { ChunkBytes = 4096, Configuration = [("node.json", "{}"u8.ToArray())] };

    public Restored Restore(BackupTaken taken, ModelDisk target) => Restore(Shelf, taken, target);

    public Restored Restore(ModelDisk shelf, BackupTaken taken, ModelDisk target)
    {
        using var node = BackupReader.Open(shelf, taken.File, Key);
        using var keys = BackupReader.Open(shelf, taken.KeysFile, Key);
        return new BackupRestoring(target, Entropy, new VirtualClock(Time)).Restore(node, keys);
    }

    /// <summary>The city that a directory makes.</summary>
    public CityOnADisk Start(ModelDisk disk) => new(disk, Entropy, Time, JournalFaults.None);

    public void Dispose() => City.Dispose();

    private void Submit(CaseCommand command) => Assert.That(City.Submit(command, answer => Assert.That(answer.Refusal, Is.Null)), Is.True);
}

/// <summary>A disk on which somebody else is at work: something happens before every look and every read.</summary>
internal sealed class BusyDisk(IDisk disk, Action happens) : IDisk
{
    public long FreeBytes => disk.FreeBytes;

    public IReadOnlyList<string> List(string folder)
    {
        happens();
        return disk.List(folder);
    }

    public bool Exists(string path)
    {
        happens();
        return disk.Exists(path);
    }

    public IDiskFile Open(string path, DiskAccess access)
    {
        happens();
        return new BusyFile(disk.Open(path, access), happens);
    }

    public void CreateFolder(string folder) => disk.CreateFolder(folder);

    public void Rename(string from, string to) => disk.Rename(from, to);

    public void Delete(string path) => disk.Delete(path);

    public void SyncFolder(string folder) => disk.SyncFolder(folder);

    private sealed class BusyFile(IDiskFile file, Action happens) : IDiskFile
    {
        public long Length
        {
            get
            {
                happens();
                return file.Length;
            }
        }

        public int Read(long offset, Span<byte> target)
        {
            happens();
            return file.Read(offset, target);
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes) => file.Write(offset, bytes);

        public void Sync() => file.Sync();

        public void Truncate(long length) => file.Truncate(length);

        public void Dispose() => file.Dispose();
    }
}
