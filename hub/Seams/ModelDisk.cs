using System.Buffers.Binary;
using System.Security.Cryptography;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Seams;

/// <summary>
/// The disk in simulation: it forgets at a power cut whatever was not synced. Of an unsynced write everything, nothing, a prefix or any set of
/// 512-byte sectors may survive (a lost sector keeps its older content, zeros where there was none), the file may be shorter than written, and
/// unsynced entries of folders may vanish, each on its own. After a failed sync the writes that it was for go on being shown, and no later sync
/// makes them durable. The same seed gives the same cut on every machine.
/// </summary>
public sealed class ModelDisk : IDisk
{
    /// <summary>What a disk writes whole or not at all.</summary>
    public const int SectorBytes = 512;

    private const int NoEntry = 2;
    private const int EntryExists = 17;
    private const int NotFolder = 20;
    private const int NoSpace = 28;

    private readonly Lock _gate = new();
    private readonly List<DiskFault> _faults = [];
    private ModelFolder _root = new();

    /// <summary>How many operations were tried so far, reads and refused ones included.</summary>
    public long Operations { get; private set; }

    /// <summary>The most bytes that all files together may have; a write past it fails with ENOSPC.</summary>
    public long SizeLimit { get; set; } = long.MaxValue;

    /// <summary>Called after every operation that changed something, while its crash states can be asked for.</summary>
    public Action<DiskOperation>? Happened { get; set; }

    public long FreeBytes => SizeLimit == long.MaxValue ? SizeLimit : Math.Max(0, SizeLimit - UsedBytes);

    /// <summary>Rises at every cut and kill; a handle of an earlier life is dead.</summary>
    internal int Life { get; private set; }

    private long UsedBytes => Files.Sum(file => (long)Find<ModelFile>(file)!.Length);

    /// <summary>The paths of all files, in ordinal order.</summary>
    public IReadOnlyList<string> Files
    {
        get
        {
            lock (_gate)
            {
                var files = new List<string>();
                _root.CollectFiles(string.Empty, files);
                return files;
            }
        }
    }

    public IReadOnlyList<string> List(string folder) => Do(new("list", folder), changes: false, () => Find<ModelFolder>(folder)?.Names ?? []);

    public bool Exists(string path) => Do(new("look-up", path), changes: false, () => Find<ModelNode>(path) is not null);

    public void CreateFolder(string folder)
    {
        var at = string.Empty;
        foreach (var name in DiskPath.Names(folder))
        {
            var parent = at;
            at = at.Length == 0 ? name : $"{at}/{name}";
            switch (Find<ModelNode>(at))
            {
                case null:
                    Do(new("create folder", at), changes: true, () => Folder("create folder", parent, at).Add(name, new ModelFolder()));
                    break;
                case ModelFile:
                    throw new DiskFailedException("create folder", folder, NotFolder, "a file stands there");
            }
        }
    }

    public IDiskFile Open(string path, DiskAccess access)
    {
        var (folder, name) = Split(path);
        var isNew = access != DiskAccess.Read && !Has(path);
        return Do<IDiskFile>(new(isNew ? "create" : "open", path), isNew, () =>
        {
            var found = Folder("open", folder, path).Find(name);
            if (found is ModelFolder || (found is not null && access == DiskAccess.CreateNew))
            {
                throw new DiskFailedException("open", path, EntryExists, "it exists");
            }

            if (found is null && access == DiskAccess.Read)
            {
                throw new DiskFailedException("open", path, NoEntry, "there is no such file");
            }

            var file = found as ModelFile ?? new ModelFile();
            if (found is null)
            {
                Folder("open", folder, path).Add(name, file);
            }

            return new ModelHandle(this, file, path);
        });
    }

    public void Rename(string from, string to) => Do(new("rename", from), changes: true, () =>
    {
        var (fromFolder, fromName) = Split(from);
        var (toFolder, toName) = Split(to);
        var node = Find<ModelFile>(from) ?? throw new DiskFailedException("rename", from, NoEntry, "there is no such file");
        var target = Folder("rename", toFolder, to);
        if (fromFolder == toFolder)
        {
            target.Rename(fromName, toName, node);
        }
        else
        {
            target.Add(toName, node);
            Folder("rename", fromFolder, from).Remove(fromName);
        }
    });

    public void Delete(string path) => Do(new("delete", path), changes: true, () =>
    {
        var (folder, name) = Split(path);
        _ = Find<ModelFile>(path) ?? throw new DiskFailedException("delete", path, NoEntry, "there is no such file");
        Folder("delete", folder, path).Remove(name);
    });

    public void SyncFolder(string folder) => Do(new("sync of folder", folder), changes: true, () =>
    {
        var found = Find<ModelFolder>(folder) ?? throw new DiskFailedException("sync of folder", folder, NoEntry, "there is no such folder");
        found.Sync();
    });

    /// <summary>Makes one operation fail; its number counts from the first one tried on this disk, which is 1.</summary>
    public void Fail(DiskFault fault)
    {
        lock (_gate)
        {
            _faults.Add(fault);
        }
    }

    /// <summary>The disk after a power cut now, with the choices drawn; this one stays as it is.</summary>
    public ModelDisk AfterCut(IEntropy entropy) => AfterCut(CutPlan.Drawn(entropy));

    /// <summary>The faults that were planted and the size limit are gone; what they did stays.</summary>
    public void Mend()
    {
        lock (_gate)
        {
            _faults.Clear();
            SizeLimit = long.MaxValue;
        }
    }

    /// <summary>
    /// Disks after a power cut now: nothing unsynced survived, everything did, each change alone did or alone did not, and so many drawn ones.
    /// Some may be equal; <see cref="Fingerprint"/> tells.
    /// </summary>
    public IEnumerable<ModelDisk> CrashStates(IEntropy entropy, int drawn)
    {
        int pending;
        lock (_gate)
        {
            pending = _root.PendingBelow();
        }

        yield return AfterCut(CutPlan.None);
        if (pending > 0)
        {
            yield return AfterCut(CutPlan.All);
            for (var only = 0; only < pending && pending > 1; only++)
            {
                yield return AfterCut(CutPlan.Only(only));
                yield return AfterCut(CutPlan.AllBut(only));
            }

            for (var draw = 0; draw < drawn; draw++)
            {
                yield return AfterCut(CutPlan.Drawn(entropy));
            }
        }
    }

    /// <summary>A power cut: this disk goes on with what survived, and every open handle is dead.</summary>
    public void Cut(IEntropy entropy)
    {
        lock (_gate)
        {
            _root = (ModelFolder)_root.AfterCut(CutPlan.Drawn(entropy), []);
            Life++;
        }
    }

    /// <summary>The death of the process: what it wrote is still there, synced or not, and every open handle is dead.</summary>
    public void Kill()
    {
        lock (_gate)
        {
            Life++;
        }
    }

    /// <summary>A disk of its own with the same content, durable and not; faults and the size limit are not copied.</summary>
    public ModelDisk Copy()
    {
        lock (_gate)
        {
            return new ModelDisk { _root = (ModelFolder)_root.Copy([]) };
        }
    }

    /// <summary>A hash of all paths and contents as a program sees them now.</summary>
    public Hash256 Fingerprint()
    {
        lock (_gate)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            Span<byte> length = stackalloc byte[4];
            foreach (var path in Files)
            {
                var content = Find<ModelFile>(path)!.Now;
                hash.AppendData(System.Text.Encoding.UTF8.GetBytes(path));
                BinaryPrimitives.WriteInt32LittleEndian(length, content.Length);
                hash.AppendData(length);
                hash.AppendData(content);
            }

            return Hash256.FromBytes(hash.GetHashAndReset());
        }
    }

    /// <summary>The bytes of a file as a program sees them now.</summary>
    public byte[] Bytes(string path)
    {
        lock (_gate)
        {
            return (Find<ModelFile>(path) ?? throw new DiskFailedException("read", path, NoEntry, "there is no such file")).Now.ToArray();
        }
    }

    /// <summary>Flips one bit of a file, on the medium too; bit 0 is the lowest of the first byte.</summary>
    public void FlipBit(string path, long bit)
    {
        lock (_gate)
        {
            (Find<ModelFile>(path) ?? throw new DiskFailedException("flip", path, NoEntry, "there is no such file")).Flip((int)(bit / 8), (byte)(1 << (int)(bit % 8)));
        }
    }

    internal void Do(DiskOperation operation, bool changes, Action effect) => Do(operation, changes, () =>
    {
        effect();
        return true;
    });

    internal T Do<T>(DiskOperation operation, bool changes, Func<T> effect, Action? failed = null)
    {
        lock (_gate)
        {
            var (number, fault) = Begin(operation, failed);
            var result = effect();
            End(operation, fault);
            if (changes)
            {
                Happened?.Invoke(operation with { Number = number });
            }

            return result;
        }
    }

    /// <summary>Reads what a program sees of a file into the reader's own memory: journals are read so often that a copy between would be most of it.</summary>
    internal int Read(DiskOperation operation, Func<ModelFile> file, long offset, Span<byte> target)
    {
        lock (_gate)
        {
            var (_, fault) = Begin(operation, null);
            var now = file().Now;
            var found = offset < now.Length ? now.Slice((int)offset, (int)Math.Min(target.Length, now.Length - offset)) : [];
            End(operation, fault);
            found.CopyTo(target);
            return found.Length;
        }
    }

    private (long Number, DiskFault? Fault) Begin(DiskOperation operation, Action? failed)
    {
        var number = ++Operations;
        foreach (var fault in _faults)
        {
            if (fault.Operation != number && !(fault.Lasting && fault.Operation <= number))
            {
                continue;
            }

            if (!fault.TakesEffect)
            {
                failed?.Invoke();
                throw Failed(operation, fault);
            }

            return (number, fault);
        }

        return (number, null);
    }

    private void End(DiskOperation operation, DiskFault? fault)
    {
        if (fault is not null)
        {
            throw Failed(operation, fault);
        }
    }

    /// <summary>How many of these bytes still fit under the size limit when they are written here.</summary>
    internal int Room(ModelFile file, long offset, int length)
    {
        if (SizeLimit == long.MaxValue)
        {
            return length;
        }

        var growthMax = Math.Max(0, SizeLimit - UsedBytes);
        return (int)Math.Clamp(file.Length + growthMax - offset, 0, length);
    }

    internal static DiskFailedException Full(string path) => new("write", path, NoSpace, "no space left on the disk");

    private static DiskFailedException Failed(DiskOperation operation, DiskFault fault) =>
        new(operation.Kind, operation.Path, fault.ErrorNumber, "a fault was planted");

    private static (string Folder, string Name) Split(string path)
    {
        var names = DiskPath.Names(path);
        return (string.Join('/', names[..^1]), names[^1]);
    }

    private ModelDisk AfterCut(CutPlan plan)
    {
        lock (_gate)
        {
            return new ModelDisk { _root = (ModelFolder)_root.AfterCut(plan, []) };
        }
    }

    private bool Has(string path)
    {
        lock (_gate)
        {
            return Find<ModelNode>(path) is not null;
        }
    }

    private T? Find<T>(string path)
        where T : ModelNode
    {
        ModelNode? at = _root;
        foreach (var name in DiskPath.Names(path))
        {
            at = (at as ModelFolder)?.Find(name);
        }

        return at as T;
    }

    private ModelFolder Folder(string operation, string folder, string path) =>
        Find<ModelFolder>(folder) ?? throw new DiskFailedException(operation, path, NoEntry, "there is no such folder");
}

/// <summary>An operation on a <see cref="ModelDisk"/>.</summary>
public sealed record DiskOperation(string Kind, string Path, long Offset = 0, int Length = 0)
{
    public long Number { get; init; }

    public override string ToString() => $"#{Number} {Kind} {Path} {Offset}+{Length}";
}

/// <summary>
/// An operation that fails: its number on the disk, the errno, whether it took effect all the same, and whether all later ones fail too. A
/// failed write leaves its first half behind.
/// </summary>
public sealed record DiskFault(long Operation, int ErrorNumber, bool TakesEffect = false, bool Lasting = false);
