using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Storage;

namespace CityGrid.Hub.Seams;

/// <summary>Another process owns the data directory by now. Nothing that this one did since was told to anybody; it must end.</summary>
public sealed class DirectoryTakenException(string path, string by)
    : IOException($"The data directory was taken over: {path} is {by}. This process keeps nothing more and ends. Do not start it on this directory again.");

/// <summary>
/// The one live owner of a data directory (INV-24). The file <c>lock</c> is locked (flock) as long as the process lives, stopped or not, and says who it is,
/// with a fencing number that rises with every taking. What flock alone does not see is a lock file that was deleted or exchanged and a directory that was
/// moved or mounted over: so the owner looks, before each change of a name and after each sync, whether its own line still stands at that path
/// (<see cref="Guard"/>). Sound on a local file system; a network file system that shows old contents is none for a data directory.
/// </summary>
public sealed class DirectoryLock : IDisposable
{
    public const string FileName = "lock";

    private const string Head = "citygrid-lock 1 ";
    private const string AnyHead = "citygrid-lock ";
    private const int Format = 1;
    private const int Bytes = 512;

    private readonly string _path;
    private readonly FileStream _held;
    private readonly IDiskFile? _file;
    private readonly FileIdentity _identity;
    private readonly string _who;

    /// <summary>While the line is being written anew it stands nowhere whole, and whoever looks meanwhile must not take that for another owner.</summary>
    private readonly Lock _writing = new();
    private byte[] _line = [];

    private DirectoryLock(string path, FileStream held, IDiskFile? file, FileIdentity identity, long fencing, bool isExchanged, string who)
    {
        (_path, _held, _file, _identity, Fencing, IsExchanged, _who) = (path, held, file, identity, fencing, isExchanged, who);
        Write("none");
    }

    /// <summary>Rises with every taking of this directory; 0 where the platform keeps no line in the file.</summary>
    public long Fencing { get; }

    /// <summary>
    /// The lock file is not the one that the last owner had: deleted, exchanged, or copied with the directory. That owner may still be there, so the file
    /// that it appends to must not be gone on with (<see cref="JournalOptions.CopyLastSegment"/>).
    /// </summary>
    public bool IsExchanged { get; }

    /// <summary>Takes the folder, which is made where it is missing. Throws <see cref="DiskFailedException"/> where a live process has it.</summary>
    public static DirectoryLock Take(string folder, IEntropy entropy, TimeProvider clock)
    {
        var disk = PosixDisk.At(folder);
        var path = Path.Combine(Path.GetFullPath(folder), FileName);
        var isNew = !disk.Exists(FileName) && disk.Exists(JournalFiles.Folder);
        FileStream held;
        Failpoint.Hit("lock.before");
        try
        {
            held = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw Busy(path);
        }

        try
        {
            if (!OperatingSystem.IsLinux())
            {
                // Windows lets nobody delete or open what is held; elsewhere the lock alone must do.
                return new DirectoryLock(path, held, null, default, 0, false, string.Empty);
            }

            var file = disk.Open(FileName, DiskAccess.ReadWrite);
            if (FileIdentity.At(path) is not { } identity || identity != FileIdentity.Of(held.SafeFileHandle))
            {
                // Exchanged between the two looks: somebody else is about to take it.
                throw Busy(path);
            }

            Failpoint.Hit("lock.held");
            var before = Read(file, path);
            disk.SyncFolder(string.Empty);
            var who = string.Create(
                CultureInfo.InvariantCulture,
                $"token={entropy.NextUInt128():x32} process={Environment.ProcessId} host={Environment.MachineName} since={clock.GetUtcNow():yyyy-MM-ddTHH:mm:ssZ}");
            return new DirectoryLock(path, held, file, identity, (before?.Fencing ?? 0) + 1, isNew || (before is { } last && last.Identity != identity), who);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The disk as its owner uses it: it stops where the directory is not this process's any more.</summary>
    public IDisk Guard(IDisk disk) => _file is null ? disk : new OwnedDisk(disk, Check);

    /// <summary>Adds the life that the directory leads to the line, for whoever reads it.</summary>
    public void Name(Protocol.Names.Incarnation incarnation) => Write(incarnation.ToString());

    /// <summary>Throws <see cref="DirectoryTakenException"/> where another process has the directory by now. Two system calls.</summary>
    public void Check()
    {
        if (_file is null)
        {
            return;
        }

        if (FileIdentity.At(_path) is not { } now || now != _identity)
        {
            throw new DirectoryTakenException(_path, FileIdentity.At(_path) is null ? "gone" : "another file");
        }

        Span<byte> line = stackalloc byte[Bytes];
        lock (_writing)
        {
            if (_file.Read(0, line) < Bytes || !line.SequenceEqual(_line))
            {
                throw new DirectoryTakenException(_path, $"that of \"{Encoding.UTF8.GetString(line).TrimEnd()}\"");
            }
        }
    }

    public void Dispose()
    {
        _file?.Dispose();
        _held.Dispose();
    }

    /// <summary>The line of an owner: its fencing number, who it is, and the file that the line was written into.</summary>
    internal static byte[] LineOf(long fencing, string who, string incarnation, FileIdentity identity)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{Head}fencing={fencing} {who} incarnation={incarnation} file={identity.Device:x}:{identity.Inode}");
        var line = new byte[Bytes];
        line.AsSpan().Fill((byte)' ');
        Encoding.UTF8.GetBytes($"{text} crc={Crc32C.Of(Encoding.UTF8.GetBytes(text)):x8}", line);
        line[^1] = (byte)'\n';
        return line;
    }

    /// <summary>
    /// The last owner's number and file; null where there is no line, or one that a crash cut short. Throws <see cref="NewerFormatException"/>.
    /// </summary>
    internal static (long Fencing, FileIdentity Identity)? Read(IDiskFile file, string path)
    {
        var bytes = new byte[Bytes];
        var text = Encoding.UTF8.GetString(bytes, 0, file.Read(0, bytes)).TrimEnd();
        var words = text.Split(' ');
        if (words.Length < 4 || text.LastIndexOf(" crc=", StringComparison.Ordinal) is not (> 0 and var end)
            || words[^1] != $"crc={Crc32C.Of(Encoding.UTF8.GetBytes(text[..end])):x8}" || !text.StartsWith(AnyHead, StringComparison.Ordinal))
        {
            return null;
        }

        if (int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var format) && format > Format)
        {
            throw new NewerFormatException(path, format, Format);
        }

        string Value(string name) => words.FirstOrDefault(word => word.StartsWith(name, StringComparison.Ordinal))?[name.Length..] ?? string.Empty;
        return long.TryParse(Value("fencing="), NumberStyles.None, CultureInfo.InvariantCulture, out var fencing)
            && Value("file=").Split(':') is [var device, var inode]
            && ulong.TryParse(device, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var on)
            && ulong.TryParse(inode, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? (fencing, new FileIdentity(on, number))
            : null;
    }

    private static DiskFailedException Busy(string path) =>
        new("lock", path, 11, "another process has this data directory. Stop it first, or give this node a directory of its own");

    private void Write(string incarnation)
    {
        if (_file is null)
        {
            return;
        }

        lock (_writing)
        {
            _line = LineOf(Fencing, _who, incarnation, _identity);
            Failpoint.Hit("lock.line.before");
            _file.Write(0, _line);
            _file.Sync();
            Failpoint.Hit("lock.line.after");
        }
    }
}

/// <summary>Which file stands at a path, whatever it is called.</summary>
internal readonly record struct FileIdentity(ulong Device, ulong Inode)
{
    private const int StatusBytes = 256;
    private const int InodeAt = 32;
    private const int DeviceAt = 136;

    /// <summary>The file that is open, by whatever name.</summary>
    public static FileIdentity Of(Microsoft.Win32.SafeHandles.SafeFileHandle file) => At((int)file.DangerousGetHandle(), string.Empty)!.Value;

    /// <summary>Null where there is none. Linux.</summary>
    public static FileIdentity? At(string path) => At(PosixNative.AtWorkingFolder, path);

    private static unsafe FileIdentity? At(int folder, string path)
    {
        var status = stackalloc byte[StatusBytes];
        if (PosixNative.Status(folder, path, path.Length == 0 ? PosixNative.OfTheHandle : 0, PosixNative.StatusInode, status) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            return error is PosixNative.ErrorNoEntry or PosixNative.ErrorNotFolder ? null : throw PosixDisk.Failed("look-up", path, error);
        }

        var bytes = new ReadOnlySpan<byte>(status, StatusBytes);
        return new FileIdentity(BinaryPrimitives.ReadUInt64LittleEndian(bytes[DeviceAt..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[InodeAt..]));
    }
}

/// <summary>
/// A disk used by the owner of its directory alone. A name is changed only while the directory is its own, and a sync counts only if it still was
/// afterwards: whoever took it over in between finds everything that was acknowledged, and nothing is acknowledged that he does not find.
/// </summary>
internal sealed class OwnedDisk(IDisk disk, Action check) : IDisk
{
    public long FreeBytes => disk.FreeBytes;

    public IReadOnlyList<string> List(string folder) => disk.List(folder);

    public bool Exists(string path) => disk.Exists(path);

    public void CreateFolder(string folder) => disk.CreateFolder(folder);

    public IDiskFile Open(string path, DiskAccess access)
    {
        if (access != DiskAccess.Read)
        {
            check();
        }

        return new OwnedFile(disk.Open(path, access), check);
    }

    public void Rename(string from, string to)
    {
        check();
        disk.Rename(from, to);
    }

    public void Delete(string path)
    {
        check();
        disk.Delete(path);
    }

    public void SyncFolder(string folder)
    {
        disk.SyncFolder(folder);
        check();
    }

    private sealed class OwnedFile(IDiskFile file, Action check) : IDiskFile
    {
        public long Length => file.Length;

        public int Read(long offset, Span<byte> target) => file.Read(offset, target);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => file.Write(offset, bytes);

        public void Sync()
        {
            file.Sync();
            check();
        }

        public void Truncate(long length)
        {
            check();
            file.Truncate(length);
        }

        public void DropCache() => file.DropCache();

        public void Dispose() => file.Dispose();
    }
}
