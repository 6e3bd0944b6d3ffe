using CityGrid.Hub.Seams;

namespace CityGrid.Bench;

/// <summary>A disk whose syncs take 2 ms more: some acknowledge before anything is on the medium, and then nothing is left to divide by.</summary>
internal sealed class SlowDisk(IDisk disk) : IDisk
{
    private static readonly TimeSpan More = TimeSpan.FromMilliseconds(2);

    public long FreeBytes => disk.FreeBytes;

    public IReadOnlyList<string> List(string folder) => disk.List(folder);

    public bool Exists(string path) => disk.Exists(path);

    public void CreateFolder(string folder) => disk.CreateFolder(folder);

    public IDiskFile Open(string path, DiskAccess access) => new SlowFile(disk.Open(path, access));

    public void Rename(string from, string to) => disk.Rename(from, to);

    public void Delete(string path) => disk.Delete(path);

    public void SyncFolder(string folder) => disk.SyncFolder(folder);

    private sealed class SlowFile(IDiskFile file) : IDiskFile
    {
        private readonly ManualResetEventSlim _never = new(false, 0);

        public long Length => file.Length;

        public int Read(long offset, Span<byte> target) => file.Read(offset, target);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => file.Write(offset, bytes);

        public void Sync()
        {
            file.Sync();
            _never.Wait(More);
        }

        public void Truncate(long length) => file.Truncate(length);

        public void DropCache() => file.DropCache();

        public void Dispose()
        {
            _never.Dispose();
            file.Dispose();
        }
    }
}
