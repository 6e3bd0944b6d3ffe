using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace CityGrid.Hub.Seams;

/// <summary>The system calls of <see cref="PosixDisk"/>. Constants are those of Linux on x64 and arm64, where they agree.</summary>
internal static partial class PosixNative
{
    public const int ReadOnly = 0x0;
    public const int ReadWrite = 0x2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int CloseOnExec = 0x80000;

    public const int SeekEnd = 2;
    public const int DontNeed = 4;
    public const int FileExists = 0;

    /// <summary>A path is relative to the working folder, where it is not absolute.</summary>
    public const int AtWorkingFolder = -100;
    public const int OfTheHandle = 0x1000;
    public const uint StatusInode = 0x100;

    public const int ErrorNoEntry = 2;
    public const int ErrorInterrupted = 4;
    public const int ErrorInputOutput = 5;
    public const int ErrorExists = 17;
    public const int ErrorNotFolder = 20;

    public const uint FileMode = 0b110_000_000;
    public const uint FolderMode = 0b111_000_000;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static unsafe partial nint Read(SafeFileHandle file, byte* target, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    public static unsafe partial nint Write(SafeFileHandle file, byte* source, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int SyncData(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int Truncate(SafeFileHandle file, long length);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    public static partial int Advise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeFolder(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unlink(string path);

    /// <summary>Fills the 256 bytes of <c>struct statx</c>, whose layout is the same on every architecture: inode at 32, device at 136.</summary>
    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static unsafe partial int Status(int folder, string path, int flags, uint mask, byte* status);

    /// <summary>
    /// The calling thread, and it alone, weighs a tenth of others from now on where the scheduler shares a core (nice 10: on Linux a thread has its own, whatever POSIX says of processes). Nothing
    /// happens elsewhere, or where the system does not let it.
    /// </summary>
    public static void WeighLess()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = SetPriority(Process, 0, 10);
        }
    }

    private const int Process = 0;

    [LibraryImport("libc", EntryPoint = "setpriority", SetLastError = true)]
    private static partial int SetPriority(int which, uint who, int nice);

    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Access(string path, int mode);
}
