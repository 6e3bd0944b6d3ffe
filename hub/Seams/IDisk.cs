namespace CityGrid.Hub.Seams;

/// <summary>
/// The disk, handed in: P/Invoke with the result of every sync checked in production, a model that forgets whatever was not synced in
/// simulation. Paths are relative to the disk's root and use '/'. A failed operation throws <see cref="DiskFailedException"/>, after which
/// nothing that depended on it may be acknowledged (INV-2).
/// </summary>
public interface IDisk
{
    /// <summary>Names of the files and folders directly in <paramref name="folder"/>, in ordinal order; empty where there is no such folder.</summary>
    IReadOnlyList<string> List(string folder);

    bool Exists(string path);

    void CreateFolder(string folder);

    /// <summary>Opens a file, creating it where asked to. The entry of a new file is durable only after <see cref="SyncFolder"/>.</summary>
    IDiskFile Open(string path, DiskAccess access);

    /// <summary>Renames over the target where there is one. Durable only after <see cref="SyncFolder"/> of both folders.</summary>
    void Rename(string from, string to);

    void Delete(string path);

    /// <summary>Makes the entries of a folder durable.</summary>
    void SyncFolder(string folder);

    /// <summary>Bytes free for this process.</summary>
    long FreeBytes { get; }
}

/// <summary>How a file is opened.</summary>
public enum DiskAccess
{
    Read,

    /// <summary>Read and write; created where it is missing.</summary>
    ReadWrite,

    /// <summary>Read and write; it must not exist yet.</summary>
    CreateNew,
}

/// <summary>An open file of an <see cref="IDisk"/>; used by one thread at a time, except that reads may run beside one writer.</summary>
public interface IDiskFile : IDisposable
{
    long Length { get; }

    /// <summary>Reads up to the target's length; returns how many bytes there were.</summary>
    int Read(long offset, Span<byte> target);

    /// <summary>Writes all bytes, or throws.</summary>
    void Write(long offset, ReadOnlySpan<byte> bytes);

    /// <summary>Makes everything written durable (fdatasync), or throws. After a failure the file is never synced again.</summary>
    void Sync();

    void Truncate(long length);

    /// <summary>
    /// Forgets what the operating system remembers of the file, so that the next read shows what the medium holds. After a failed sync Linux
    /// calls the lost pages clean and goes on showing them; a program that restarts would trust what a power cut then takes away.
    /// </summary>
    void DropCache()
    {
    }
}

/// <summary>The disk refused or failed. <see cref="ErrorNumber"/> is the errno where there is one (5 EIO, 28 ENOSPC).</summary>
public sealed class DiskFailedException(string operation, string path, int errorNumber, string message)
    : IOException($"{operation} of '{path}' failed: {message} (errno {errorNumber}).")
{
    public string Operation { get; } = operation;

    public string Path { get; } = path;

    public int ErrorNumber { get; } = errorNumber;
}
