using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace CityGrid.Hub.Seams;

/// <summary>
/// The disk for development on Windows and macOS: .NET's own file calls, and a durable flush of its own (FlushFileBuffers, F_FULLFSYNC) with the
/// result checked. Folder entries are synced on macOS; Windows keeps them in a log of its own.
/// </summary>
internal sealed partial class PortableDisk : IDisk
{
    private const int FullSync = 51;

    private readonly string _root;

    public PortableDisk(string root) => _root = Directory.CreateDirectory(Path.GetFullPath(root)).FullName;

    public long FreeBytes => new DriveInfo(_root).AvailableFreeSpace;

    public IReadOnlyList<string> List(string folder) => Guard("list", folder, at =>
    {
        if (!Directory.Exists(at))
        {
            return [];
        }

        var names = Directory.GetFileSystemEntries(at).Select(entry => Path.GetFileName(entry)).ToArray();
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    });

    public bool Exists(string path) => Guard("look-up", path, Path.Exists);

    public void CreateFolder(string folder) => Guard("create folder", folder, Directory.CreateDirectory);

    public IDiskFile Open(string path, DiskAccess access) => Guard("open", path, at =>
    {
        var mode = access switch
        {
            DiskAccess.Read => FileMode.Open,
            DiskAccess.ReadWrite => FileMode.OpenOrCreate,
            DiskAccess.CreateNew => FileMode.CreateNew,
            _ => throw new ArgumentOutOfRangeException(nameof(access), access, "unknown access"),
        };
        var rights = access == DiskAccess.Read ? FileAccess.Read : FileAccess.ReadWrite;
        return (IDiskFile)new PortableFile(File.OpenHandle(at, mode, rights, FileShare.ReadWrite | FileShare.Delete), path);
    });

    public void Rename(string from, string to) => Guard("rename", from, at =>
    {
        File.Move(at, DiskPath.Under(_root, to), overwrite: true);
        return true;
    });

    public void Delete(string path) => Guard("delete", path, at =>
    {
        if (!File.Exists(at))
        {
            throw new FileNotFoundException("there is no such file");
        }

        File.Delete(at);
        return true;
    });

    public void SyncFolder(string folder) => Guard("sync of folder", folder, at =>
    {
        if (!Directory.Exists(at))
        {
            throw new DirectoryNotFoundException("there is no such folder");
        }

        if (!OperatingSystem.IsWindows())
        {
            using var handle = new SafeFileHandle(PosixNative.Open(at, PosixNative.ReadOnly, 0), ownsHandle: true);
            Flush(handle, folder);
        }

        return true;
    });

    /// <summary>Makes a file durable, or throws with the operating system's number.</summary>
    internal static void Flush(SafeFileHandle handle, string path)
    {
        var flushed = OperatingSystem.IsWindows() ? FlushFileBuffers(handle)
            : OperatingSystem.IsMacOS() ? Control(handle, FullSync) != -1
            : PosixNative.Sync(handle) == 0;
        if (!flushed)
        {
            var error = Marshal.GetLastPInvokeError();
            throw new DiskFailedException("sync", path, error, Marshal.GetPInvokeErrorMessage(error));
        }
    }

    internal static DiskFailedException Failed(string operation, string path, Exception refused) =>
        new(operation, path, Number(refused), refused.Message);

    private static int Number(Exception refused) => refused switch
    {
        FileNotFoundException or DirectoryNotFoundException => PosixNative.ErrorNoEntry,
        IOException => unchecked(refused.HResult & 0xFFFF),
        _ => PosixNative.ErrorInputOutput,
    };

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool FlushFileBuffers(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeFileHandle file, int command);

    private T Guard<T>(string operation, string path, Func<string, T> call)
    {
        try
        {
            return call(DiskPath.Under(_root, path));
        }
        catch (Exception refused) when (refused is IOException and not DiskFailedException or UnauthorizedAccessException)
        {
            throw Failed(operation, path, refused);
        }
    }
}

/// <summary>An open file of a <see cref="PortableDisk"/>.</summary>
internal sealed class PortableFile(SafeFileHandle handle, string path) : IDiskFile
{
    private volatile bool _dead;

    public long Length => RandomAccess.GetLength(handle);

    public int Read(long offset, Span<byte> target)
    {
        var done = 0;
        while (done < target.Length)
        {
            var read = RandomAccess.Read(handle, target[done..], offset + done);
            if (read == 0)
            {
                break;
            }

            done += read;
        }

        return done;
    }

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(handle, bytes, offset);
        }
        catch (IOException refused)
        {
            throw PortableDisk.Failed("write", path, refused);
        }
    }

    public void Sync()
    {
        if (_dead)
        {
            throw new DiskFailedException("sync", path, PosixNative.ErrorInputOutput, "an earlier sync failed, and a later one would hide that");
        }

        try
        {
            PortableDisk.Flush(handle, path);
        }
        catch (DiskFailedException)
        {
            _dead = true;
            throw;
        }
    }

    public void Truncate(long length) => RandomAccess.SetLength(handle, length);

    public void Dispose() => handle.Dispose();
}
