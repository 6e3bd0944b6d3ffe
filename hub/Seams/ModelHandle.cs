namespace CityGrid.Hub.Seams;

/// <summary>An open file of a <see cref="ModelDisk"/>; it outlives the file's name, as on Linux, but no cut and no kill.</summary>
internal sealed class ModelHandle(ModelDisk disk, ModelFile file, string path) : IDiskFile
{
    private const int InputOutput = 5;

    private readonly int _life = disk.Life;
    private bool _dead;
    private bool _closed;

    public long Length => Alive(file.Length);

    public int Read(long offset, Span<byte> target) => disk.Read(new("read", path, offset, target.Length), () => Alive(file), offset, target);

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        var copy = bytes.ToArray();
        var whole = disk.Do(
            new("write", path, offset, copy.Length),
            changes: true,
            () =>
            {
                var room = disk.Room(Alive(file), offset, copy.Length);
                file.Write(offset, room == copy.Length ? copy : copy[..room]);
                return room == copy.Length;
            },
            failed: () => Alive(file).Write(offset, copy[..(copy.Length / 2)]));
        if (!whole)
        {
            throw ModelDisk.Full(path);
        }
    }

    public void Sync()
    {
        if (_dead)
        {
            throw new DiskFailedException("sync", path, InputOutput, "an earlier sync failed, and a later one would hide that");
        }

        try
        {
            disk.Do(
                new("sync", path),
                changes: true,
                () =>
                {
                    Alive(file).Sync();
                    return true;
                },
                failed: file.LosePending);
        }
        catch (DiskFailedException)
        {
            _dead = true;
            throw;
        }
    }

    public void Truncate(long length) => disk.Do(new("truncate", path, length), changes: true, () => Alive(file).Truncate(length));

    public void DropCache() => Alive(file).DropCache();

    public void Dispose() => _closed = true;

    private T Alive<T>(T value)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        return _life == disk.Life ? value : throw new DiskFailedException("use", path, InputOutput, "the process that opened it is dead");
    }
}
