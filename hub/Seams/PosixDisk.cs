using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace CityGrid.Hub.Seams;

/// <summary>
/// The disk in production: a folder on Linux, by system calls whose every result is checked, because .NET there reports a failed fsync as a
/// success. Files are readable by their owner alone (0600), folders too (0700). A call that a signal interrupted is made again, except a sync,
/// whose interruption counts as its failure.
/// </summary>
public sealed class PosixDisk : IDisk
{
    private readonly string _root;

    /// <summary>Uses the folder, which is created where it is missing; its own entry is durable on return.</summary>
    public PosixDisk(string root)
    {
        _root = Path.GetFullPath(root);
        if (!Directory.Exists(_root))
        {
            var parent = Path.GetDirectoryName(_root)!;
            Directory.CreateDirectory(parent);
            MakeFolder(_root, string.Empty);
            SyncFolderAt(parent, "..");
        }
    }

    public long FreeBytes => new DriveInfo(_root).AvailableFreeSpace;

    /// <summary>The disk over this folder that the running operating system calls for: this one on Linux, a portable one elsewhere.</summary>
    public static IDisk At(string root) => OperatingSystem.IsLinux() ? new PosixDisk(root) : new PortableDisk(root);

    public IReadOnlyList<string> List(string folder)
    {
        try
        {
            var names = Directory.GetFileSystemEntries(DiskPath.Under(_root, folder)).Select(entry => Path.GetFileName(entry)).ToArray();
            Array.Sort(names, StringComparer.Ordinal);
            return names;
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new DiskFailedException("list", folder, PosixNative.ErrorInputOutput, refused.Message);
        }
    }

    public bool Exists(string path)
    {
        if (PosixNative.Access(DiskPath.Under(_root, path), PosixNative.FileExists) == 0)
        {
            return true;
        }

        var error = Marshal.GetLastPInvokeError();
        return error is PosixNative.ErrorNoEntry or PosixNative.ErrorNotFolder ? false : throw Failed("look-up", path, error);
    }

    public void CreateFolder(string folder)
    {
        var at = _root;
        foreach (var name in DiskPath.Names(folder))
        {
            at = Path.Combine(at, name);
            MakeFolder(at, folder);
        }
    }

    public IDiskFile Open(string path, DiskAccess access)
    {
        var flags = PosixNative.CloseOnExec | access switch
        {
            DiskAccess.Read => PosixNative.ReadOnly,
            DiskAccess.ReadWrite => PosixNative.ReadWrite | PosixNative.Create,
            DiskAccess.CreateNew => PosixNative.ReadWrite | PosixNative.Create | PosixNative.Exclusive,
            _ => throw new ArgumentOutOfRangeException(nameof(access), access, "unknown access"),
        };
        return new PosixFile(OpenAt(DiskPath.Under(_root, path), path, flags), path);
    }

    public void Rename(string from, string to) =>
        Check(PosixNative.Rename(DiskPath.Under(_root, from), DiskPath.Under(_root, to)), "rename", from);

    public void Delete(string path) => Check(PosixNative.Unlink(DiskPath.Under(_root, path)), "delete", path);

    public void SyncFolder(string folder) => SyncFolderAt(DiskPath.Under(_root, folder), folder);

    internal static DiskFailedException Failed(string operation, string path, int error) =>
        new(operation, path, error, Marshal.GetPInvokeErrorMessage(error));

    private static void MakeFolder(string at, string folder)
    {
        if (PosixNative.MakeFolder(at, PosixNative.FolderMode) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != PosixNative.ErrorExists || !Directory.Exists(at))
            {
                throw Failed("create folder", folder, error);
            }
        }
    }

    private static void SyncFolderAt(string at, string folder)
    {
        using var handle = OpenAt(at, folder, PosixNative.ReadOnly | PosixNative.CloseOnExec);
        Check(PosixNative.Sync(handle), "sync of folder", folder);
    }

    private static SafeFileHandle OpenAt(string at, string path, int flags)
    {
        while (true)
        {
            var descriptor = PosixNative.Open(at, flags, PosixNative.FileMode);
            if (descriptor >= 0)
            {
                return new SafeFileHandle(descriptor, ownsHandle: true);
            }

            var error = Marshal.GetLastPInvokeError();
            if (error != PosixNative.ErrorInterrupted)
            {
                throw Failed("open", path, error);
            }
        }
    }

    private static void Check(int result, string operation, string path)
    {
        if (result != 0)
        {
            throw Failed(operation, path, Marshal.GetLastPInvokeError());
        }
    }
}

/// <summary>An open file of a <see cref="PosixDisk"/>. Closing it is never a reason to fail: what was promised was synced before.</summary>
internal sealed class PosixFile(SafeFileHandle handle, string path) : IDiskFile
{
    private volatile bool _dead;

    public long Length
    {
        get
        {
            var length = PosixNative.Seek(handle, 0, PosixNative.SeekEnd);
            return length >= 0 ? length : throw PosixDisk.Failed("look-up", path, Marshal.GetLastPInvokeError());
        }
    }

    public unsafe int Read(long offset, Span<byte> target)
    {
        var done = 0;
        fixed (byte* start = target)
        {
            while (done < target.Length)
            {
                var read = PosixNative.Read(handle, start + done, (nuint)(target.Length - done), offset + done);
                if (read == 0)
                {
                    break;
                }

                done += Progress(read, "read");
            }
        }

        return done;
    }

    public unsafe void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        var done = 0;
        fixed (byte* start = bytes)
        {
            while (done < bytes.Length)
            {
                var written = PosixNative.Write(handle, start + done, (nuint)(bytes.Length - done), offset + done);
                if (written == 0)
                {
                    throw new DiskFailedException("write", path, PosixNative.ErrorInputOutput, "nothing was written");
                }

                done += Progress(written, "write");
            }
        }
    }

    public void Sync()
    {
        if (_dead)
        {
            throw new DiskFailedException("sync", path, PosixNative.ErrorInputOutput, "an earlier sync failed, and a later one would hide that");
        }

        if (PosixNative.SyncData(handle) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            _dead = true;
            throw PosixDisk.Failed("sync", path, error);
        }
    }

    public void Truncate(long length)
    {
        while (PosixNative.Truncate(handle, length) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != PosixNative.ErrorInterrupted)
            {
                throw PosixDisk.Failed("truncate", path, error);
            }
        }
    }

    /// <summary>Advice only: a file system that does not know it has no page cache to forget.</summary>
    public void DropCache() => _ = PosixNative.Advise(handle, 0, 0, PosixNative.DontNeed);

    public void Dispose() => handle.Dispose();

    /// <summary>How many bytes a call moved; none where a signal interrupted it.</summary>
    private int Progress(nint result, string operation)
    {
        if (result >= 0)
        {
            return (int)result;
        }

        var error = Marshal.GetLastPInvokeError();
        return error == PosixNative.ErrorInterrupted ? 0 : throw PosixDisk.Failed(operation, path, error);
    }
}
