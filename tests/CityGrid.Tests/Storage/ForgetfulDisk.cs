using CityGrid.Hub.Seams;

namespace CityGrid.Tests.Storage;

/// <summary>
/// A disk in memory that can lose power: what was not synced is kept, lost, or torn at 512 bytes, and folder entries not synced may be gone.
/// <see cref="CutBefore"/> lets the power fail before the n-th change.
/// </summary>
internal sealed class ForgetfulDisk : IDisk
{
    private const int Sector = 512;
    private readonly Lock _lock = new();
    private SortedDictionary<string, Content> _entries = new(StringComparer.Ordinal);
    private SortedDictionary<string, Content> _durableEntries = new(StringComparer.Ordinal);

    /// <summary>The power fails before the change with this number, counted from 1.</summary>
    public int? CutBefore { get; set; }

    /// <summary>Syncs fail from now on, as a broken disk's do.</summary>
    public bool SyncFails { get; set; }

    public int Changes { get; private set; }

    public long FreeBytes { get; set; } = 1L << 40;

    public IEnumerable<(string Path, byte[] Bytes)> Files => _entries.Select(entry => (entry.Key, entry.Value.Current));

    public IReadOnlyList<string> List(string folder) =>
        [.. _entries.Keys.Where(path => path.StartsWith(folder + "/", StringComparison.Ordinal)).Select(path => path[(folder.Length + 1)..].Split('/')[0]).Distinct()];

    public bool Exists(string path) => _entries.ContainsKey(path);

    public void CreateFolder(string folder)
    {
    }

    public IDiskFile Open(string path, DiskAccess access)
    {
        lock (_lock)
        {
            var exists = _entries.TryGetValue(path, out var content);
            if (exists ? access == DiskAccess.CreateNew : access == DiskAccess.Read)
            {
                throw new DiskFailedException("Opening", path, exists ? 17 : 2, exists ? "it exists" : "there is no such file");
            }

            if (content is null)
            {
                Change();
                _entries[path] = content = new Content();
            }

            return new OpenFile(this, content, path);
        }
    }

    public void Rename(string from, string to)
    {
        lock (_lock)
        {
            Change();
            _entries.Remove(from, out var content);
            _entries[to] = content ?? throw new DiskFailedException("Renaming", from, 2, "there is no such file");
        }
    }

    public void Delete(string path)
    {
        lock (_lock)
        {
            Change();
            _entries.Remove(path);
        }
    }

    public void SyncFolder(string folder)
    {
        lock (_lock)
        {
            Change();
            _durableEntries = new(_entries, StringComparer.Ordinal);
        }
    }

    /// <summary>Turns a bit over behind everyone's back.</summary>
    public void FlipBit(string path, long bit) => _entries[path].Current[(int)(bit / 8)] ^= (byte)(1 << (int)(bit % 8));

    /// <summary>A copy of everything as it stands, as a killed process leaves it: nothing is lost.</summary>
    public ForgetfulDisk AfterKill()
    {
        lock (_lock)
        {
            var copy = new ForgetfulDisk();
            foreach (var (path, content) in _entries)
            {
                copy._entries[path] = new Content { Current = [.. content.Current], Durable = [.. content.Current] };
            }

            copy._durableEntries = new(copy._entries, StringComparer.Ordinal);
            return copy;
        }
    }

    /// <summary>One of the states that a power failure may leave; <paramref name="seed"/> says which.</summary>
    public ForgetfulDisk AfterPowerCut(int seed)
    {
        lock (_lock)
        {
            var random = new Random(seed);
            var copy = new ForgetfulDisk();
            var contents = new Dictionary<Content, Content>();
            foreach (var (path, content) in random.Next(2) == 0 ? _durableEntries : _entries)
            {
                if (!contents.TryGetValue(content, out var survived))
                {
                    var bytes = content.Survivor(random);
                    contents[content] = survived = new Content { Current = bytes, Durable = [.. bytes] };
                }

                copy._entries[path] = survived;
            }

            copy._durableEntries = new(copy._entries, StringComparer.Ordinal);
            return copy;
        }
    }

    private void Change()
    {
        Changes++;
        if (Changes >= CutBefore)
        {
            throw new PowerFailedException();
        }
    }

    private sealed class Content
    {
        private readonly List<(long Offset, byte[]? Bytes)> _unsynced = [];

        public byte[] Current { get; set; } = [];

        public byte[] Durable { get; set; } = [];

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            _unsynced.Add((offset, bytes.ToArray()));
            Current = Written(Current, offset, bytes);
        }

        public void Truncate(long length)
        {
            _unsynced.Add((length, null));
            Current = Resized(Current, length);
        }

        public void Sync()
        {
            _unsynced.Clear();
            Durable = [.. Current];
        }

        public byte[] Survivor(Random random)
        {
            var bytes = (byte[])Durable.Clone();
            var mode = random.Next(4);
            var prefix = random.Next(_unsynced.Count + 1);
            for (var i = 0; i < _unsynced.Count; i++)
            {
                var keep = mode switch { 0 => false, 1 => true, 2 => i < prefix, _ => random.Next(2) == 0 };
                var (offset, written) = _unsynced[i];
                if (!keep)
                {
                    continue;
                }

                bytes = written is null ? Resized(bytes, offset) : mode == 3 && random.Next(4) == 0 ? Torn(bytes, offset, written, random) : Written(bytes, offset, written);
            }

            return bytes;
        }

        private static byte[] Torn(byte[] bytes, long offset, byte[] written, Random random)
        {
            for (long at = offset; at < offset + written.Length; at = (at / Sector * Sector) + Sector)
            {
                var end = Math.Min((at / Sector * Sector) + Sector, offset + written.Length);
                if (random.Next(2) == 0)
                {
                    bytes = Written(bytes, at, written.AsSpan((int)(at - offset), (int)(end - at)));
                }
            }

            return bytes;
        }

        private static byte[] Written(byte[] bytes, long offset, ReadOnlySpan<byte> written)
        {
            if (bytes.Length < offset + written.Length)
            {
                bytes = Resized(bytes, offset + written.Length);
            }

            written.CopyTo(bytes.AsSpan((int)offset));
            return bytes;
        }

        private static byte[] Resized(byte[] bytes, long length)
        {
            Array.Resize(ref bytes, (int)length);
            return bytes;
        }
    }

    private sealed class OpenFile(ForgetfulDisk disk, Content content, string path) : IDiskFile
    {
        public long Length => content.Current.Length;

        public int Read(long offset, Span<byte> target)
        {
            lock (disk._lock)
            {
                var count = (int)Math.Clamp(content.Current.Length - offset, 0, target.Length);
                content.Current.AsSpan((int)Math.Min(offset, content.Current.Length), count).CopyTo(target);
                return count;
            }
        }

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            lock (disk._lock)
            {
                disk.Change();
                content.Write(offset, bytes);
            }
        }

        public void Sync()
        {
            lock (disk._lock)
            {
                disk.Change();
                if (disk.SyncFails)
                {
                    throw new DiskFailedException("fdatasync", path, 5, "Input/output error");
                }

                content.Sync();
            }
        }

        public void Truncate(long length)
        {
            lock (disk._lock)
            {
                disk.Change();
                content.Truncate(length);
            }
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>The test let the power fail.</summary>
internal sealed class PowerFailedException : Exception;
