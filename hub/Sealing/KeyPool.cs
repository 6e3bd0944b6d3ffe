using System.Security.Cryptography;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;

namespace CityGrid.Hub.Sealing;

/// <summary>
/// The keys of personal data: random, kept beside the journal and never in it, so that overwriting a slot makes every box sealed under it
/// unreadable for ever while the journal's chain still verifies. Blocks are written, synced and entered in their folder one whole block
/// ahead of use, so a key that sealed anything is always durable before the box is. Slots count from 1; slot = block × 4,096 + index; a slot of
/// zeros is erased. Safe for many threads.
/// </summary>
public sealed class KeyPool : IDisposable
{
    public const int KeyBytes = KeyBlock.KeyBytes;

    public const int SlotsPerBlock = KeyBlock.Slots;

    /// <summary>Keys that are read at once, before they are given out.</summary>
    private const int AheadMost = 64;

    private readonly IDisk _disk;
    private readonly IEntropy _entropy;
    private readonly string _folder;
    private readonly Lock _lock = new();
    private readonly OpenBlocks _blocks;
    private readonly byte[] _ahead = new byte[AheadMost * KeyBytes];
    private long _next;
    private long _aheadFrom;
    private int _aheadCount;
    private long _readyBlock = -1;

    private KeyPool(IDisk disk, IEntropy entropy, string folder, long next)
    {
        _disk = disk;
        _entropy = entropy;
        _folder = folder;
        _blocks = new OpenBlocks(disk, folder);
        _next = next;
    }

    /// <summary>The slot that <see cref="Take()"/> gives next, unless it is erased.</summary>
    public long Next
    {
        get
        {
            lock (_lock)
            {
                return _next;
            }
        }
    }

    /// <summary>
    /// Opens the pool; <paramref name="usedUpTo"/> is the highest slot that the journal knows to be used (0 for none). Throws
    /// <see cref="KeysLostException"/> where a block up to there is not in the folder, and <see cref="Journal.NewerFormatException"/>.
    /// </summary>
    public static KeyPool Open(IDisk disk, IEntropy entropy, long usedUpTo, string folder = "keys")
    {
        ArgumentOutOfRangeException.ThrowIfNegative(usedUpTo);
        DurableFolder.Create(disk, folder);
        var blocks = new HashSet<long>();
        foreach (var name in disk.List(folder))
        {
            if (KeyBlock.NumberOf(name) is { } block)
            {
                blocks.Add(block);
            }
        }

        if (blocks.Count > 0)
        {
            // A newer program makes its next block in its own format: the last one tells, before anything is written here.
            var path = $"{folder}/{KeyBlock.Name(blocks.Max())}";
            using var newest = disk.Open(path, DiskAccess.Read);
            _ = KeyBlock.Fault(newest, path, blocks.Max());
        }

        foreach (var name in disk.List(folder).Where(KeyBlock.IsUnfinished))
        {
            disk.Delete($"{folder}/{name}");
        }

        var pool = new KeyPool(disk, entropy, folder, usedUpTo + 1);
        while (blocks.Contains(pool._readyBlock + 1))
        {
            pool._readyBlock++;
        }

        if (usedUpTo > 0 && pool._readyBlock < usedUpTo / SlotsPerBlock)
        {
            throw new KeysLostException($"{folder}/{KeyBlock.Name(pool._readyBlock + 1)}", $"is missing, but slots up to {usedUpTo} are in use");
        }

        pool.Prepare(pool._next / SlotsPerBlock);
        return pool;
    }

    /// <summary>
    /// The next unused slot. Its key is durable already. A slot whose box never reached the journal is given out again after a restart,
    /// which harms nothing: nobody was told of that box, and every box has a nonce of its own.
    /// </summary>
    public long Take()
    {
        Span<byte> key = stackalloc byte[KeyBytes];
        try
        {
            return Take(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>The same, with the slot's key (32 bytes), which was read to see that it is one. The caller overwrites it after use.</summary>
    public long Take(Span<byte> key)
    {
        lock (_lock)
        {
            while (true)
            {
                Prepare(_next / SlotsPerBlock);
                var slot = _next;
                var state = ReadAhead(slot, key);
                if (state == KeyState.Lost)
                {
                    throw new KeysLostException($"{_folder}/{KeyBlock.Name(slot / SlotsPerBlock)}", "is missing or damaged");
                }

                _next++;
                if (state == KeyState.Present)
                {
                    return slot;
                }
            }
        }
    }

    /// <summary>
    /// Overwrites the keys with zeros, syncs, and reads them back. When it returns, no box sealed under them opens again. Erasing a slot
    /// twice is the same as once; after a crash the caller erases again what its journal says is to be erased.
    /// </summary>
    public void Erase(params IReadOnlyCollection<long> slots)
    {
        if (slots.Any(slot => slot < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(slots), "Slots count from 1.");
        }

        lock (_lock)
        {
            Forget();
            foreach (var block in slots.GroupBy(slot => slot / SlotsPerBlock).OrderBy(group => group.Key))
            {
                EraseInBlock(block.Key, block);
            }
        }
    }

    /// <summary>Reads a key into <paramref name="key"/> (32 bytes), which is left zero unless it is <see cref="KeyState.Present"/>.</summary>
    public KeyState Read(long slot, Span<byte> key)
    {
        lock (_lock)
        {
            return ReadLocked(slot, key);
        }
    }

    /// <summary>The files of keys in a data directory, the unfinished ones left out.</summary>
    internal static IReadOnlyList<string> FilesOf(IDisk disk, string folder = "keys") => [.. disk.List(folder).Where(name => KeyBlock.NumberOf(name) is not null).Select(name => $"{folder}/{name}")];

    /// <summary>Looks at the header of every block and returns what is wrong, one line a file; empty where all is well.</summary>
    public IReadOnlyList<string> Verify()
    {
        var faults = new List<string>();
        foreach (var name in _disk.List(_folder))
        {
            if (KeyBlock.NumberOf(name) is not { } block)
            {
                continue;
            }

            var path = $"{_folder}/{name}";
            using var file = _disk.Open(path, DiskAccess.Read);
            if (KeyBlock.Fault(file, path, block) is { } fault)
            {
                faults.Add($"{path}: {fault}. What was sealed with its keys cannot be read; restore the file from a backup of the keys.");
            }
        }

        return faults;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            Forget();
            _blocks.Dispose();
        }
    }

    /// <summary>The key of the slot that is given out next, from among some that were read with it; each is overwritten here as it goes out.</summary>
    private KeyState ReadAhead(long slot, Span<byte> key)
    {
        if (slot < _aheadFrom || slot >= _aheadFrom + _aheadCount)
        {
            Forget();
            var count = (int)Math.Min(AheadMost, SlotsPerBlock - (slot % SlotsPerBlock));
            if (slot < 1 || _blocks.Sound(slot / SlotsPerBlock) is not { } file || file.Read(KeyBlock.OffsetOf(slot), _ahead.AsSpan(0, count * KeyBytes)) < count * KeyBytes)
            {
                Forget();
                key.Clear();
                return KeyState.Lost;
            }

            (_aheadFrom, _aheadCount) = (slot, count);
        }

        var kept = _ahead.AsSpan((int)(slot - _aheadFrom) * KeyBytes, KeyBytes);
        kept.CopyTo(key);
        CryptographicOperations.ZeroMemory(kept);
        return key[..KeyBytes].IndexOfAnyExcept((byte)0) < 0 ? KeyState.Erased : KeyState.Present;
    }

    private void Forget()
    {
        CryptographicOperations.ZeroMemory(_ahead);
        (_aheadFrom, _aheadCount) = (0, 0);
    }

    /// <summary>Sees to it that the block and the one after it are durable.</summary>
    private void Prepare(long block)
    {
        while (_readyBlock < block + 1)
        {
            KeyBlock.Write(_disk, _folder, _readyBlock + 1, _entropy);
            _readyBlock++;
        }
    }

    private KeyState ReadLocked(long slot, Span<byte> key)
    {
        key = key[..KeyBytes];
        key.Clear();
        if (slot < 1 || _blocks.Sound(slot / SlotsPerBlock) is not { } file || file.Read(KeyBlock.OffsetOf(slot), key) < KeyBytes)
        {
            key.Clear();
            return KeyState.Lost;
        }

        return key.IndexOfAnyExcept((byte)0) < 0 ? KeyState.Erased : KeyState.Present;
    }

    private void EraseInBlock(long block, IEnumerable<long> slots)
    {
        var path = $"{_folder}/{KeyBlock.Name(block)}";
        if (!_disk.Exists(path))
        {
            return; // The keys are gone already; should a backup bring them back, the caller erases again when it starts.
        }

        Failpoint.Hit("keys.erase.before");
        _blocks.Close(block);
        using var file = _disk.Open(path, DiskAccess.ReadWrite);
        Span<byte> zeros = stackalloc byte[KeyBytes];
        var erased = slots.ToList();
        foreach (var slot in erased)
        {
            file.Write(KeyBlock.OffsetOf(slot), zeros);
        }

        Failpoint.Hit("keys.erase.written");
        file.Sync();
        Failpoint.Hit("keys.erase.after");
        Span<byte> found = stackalloc byte[KeyBytes];
        foreach (var slot in erased)
        {
            if (file.Read(KeyBlock.OffsetOf(slot), found) < KeyBytes || found.IndexOfAnyExcept((byte)0) >= 0)
            {
                throw new DiskFailedException("Erasing a key", path, 0, $"slot {slot} still reads as a key after it was overwritten and synced");
            }
        }
    }
}

/// <summary>What stands in a slot.</summary>
public enum KeyState
{
    Present,

    /// <summary>Zeros: the key was erased, and what it sealed is gone for good.</summary>
    Erased,

    /// <summary>There is no such slot, or its file is missing or damaged.</summary>
    Lost,
}

/// <summary>A file of keys that is in use is missing or damaged. The node does not start: going on would hide that personal data cannot be read.</summary>
public sealed class KeysLostException(string file, string what)
    : Exception($"The key file {file} {what}. Restore it from the backup of the keys; the journal and everything in it is untouched.")
{
    public string File { get; } = file;
}
