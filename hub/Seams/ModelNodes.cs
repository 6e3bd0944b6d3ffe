namespace CityGrid.Hub.Seams;

/// <summary>A file or folder of a <see cref="ModelDisk"/>: what programs see now, and what is on the medium.</summary>
internal abstract class ModelNode
{
    /// <summary>The node as a power cut leaves it; <paramref name="done"/> keeps a node that has two names one node.</summary>
    public ModelNode AfterCut(CutPlan plan, Dictionary<ModelNode, ModelNode> done)
    {
        if (!done.TryGetValue(this, out var after))
        {
            after = Surviving(plan, done);
            done.Add(this, after);
        }

        return after;
    }

    public ModelNode Copy(Dictionary<ModelNode, ModelNode> done)
    {
        if (!done.TryGetValue(this, out var copy))
        {
            copy = Clone(done);
            done.Add(this, copy);
        }

        return copy;
    }

    protected abstract ModelNode Surviving(CutPlan plan, Dictionary<ModelNode, ModelNode> done);

    protected abstract ModelNode Clone(Dictionary<ModelNode, ModelNode> done);
}

/// <summary>A folder: its entries, and the changes to them that no sync has made durable.</summary>
internal sealed class ModelFolder : ModelNode
{
    private readonly SortedDictionary<string, ModelNode> _now = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, ModelNode> _durable = new(StringComparer.Ordinal);
    private readonly List<EntryChange> _pending = [];

    public IReadOnlyList<string> Names => [.. _now.Keys];

    public ModelNode? Find(string name) => _now.GetValueOrDefault(name);

    public void Add(string name, ModelNode node) => Change(new(null, name, node));

    public void Remove(string name) => Change(new(name, null, null));

    public void Rename(string from, string to, ModelNode node) => Change(new(from, to, node));

    public void Sync()
    {
        _pending.ForEach(change => change.Apply(_durable));
        _pending.Clear();
    }

    public void CollectFiles(string prefix, List<string> files)
    {
        foreach (var (name, node) in _now)
        {
            if (node is ModelFolder folder)
            {
                folder.CollectFiles($"{prefix}{name}/", files);
            }
            else
            {
                files.Add(prefix + name);
            }
        }
    }

    /// <summary>How many changes here and below are not durable; unlinked files do not count.</summary>
    public int PendingBelow() =>
        _pending.Count + _now.Values.Sum(node => node is ModelFolder folder ? folder.PendingBelow() : ((ModelFile)node).PendingCount);

    protected override ModelNode Surviving(CutPlan plan, Dictionary<ModelNode, ModelNode> done)
    {
        var entries = new SortedDictionary<string, ModelNode>(_durable, StringComparer.Ordinal);
        foreach (var change in _pending)
        {
            if (plan.KeepsEntry())
            {
                change.Apply(entries);
            }
        }

        var after = new ModelFolder();
        foreach (var (name, node) in entries)
        {
            after._now.Add(name, node.AfterCut(plan, done));
            after._durable.Add(name, after._now[name]);
        }

        return after;
    }

    protected override ModelNode Clone(Dictionary<ModelNode, ModelNode> done)
    {
        var copy = new ModelFolder();
        foreach (var (name, node) in _now)
        {
            copy._now.Add(name, node.Copy(done));
        }

        foreach (var (name, node) in _durable)
        {
            copy._durable.Add(name, node.Copy(done));
        }

        copy._pending.AddRange(_pending.Select(change => change with { Node = change.Node?.Copy(done) }));
        return copy;
    }

    private void Change(EntryChange change)
    {
        change.Apply(_now);
        _pending.Add(change);
    }

    /// <summary>An entry that goes (<see cref="Gone"/>), one that comes (<see cref="Name"/>), or both at once.</summary>
    private sealed record EntryChange(string? Gone, string? Name, ModelNode? Node)
    {
        public void Apply(SortedDictionary<string, ModelNode> entries)
        {
            if (Gone is not null)
            {
                entries.Remove(Gone);
            }

            if (Name is not null)
            {
                entries[Name] = Node!;
            }
        }
    }
}

/// <summary>A file: what programs read, what is on the medium, and the writes between the two.</summary>
internal sealed class ModelFile : ModelNode
{
    private readonly List<FileChange> _pending = [];
    private Content _now;
    private Content _durable;

    public int Length => _now.Length;

    public ReadOnlySpan<byte> Now => _now.Bytes;

    public int PendingCount => _pending.Count;

    public void Write(long offset, byte[] bytes) => Change(new((int)offset, bytes, Lost: false));

    public void Truncate(long length) => Change(new((int)length, null, Lost: false));

    public void Sync()
    {
        foreach (var change in _pending)
        {
            if (!change.Lost)
            {
                _durable.Apply(change);
            }
        }

        _pending.RemoveAll(change => !change.Lost);
    }

    /// <summary>The sync failed: the system calls the pages clean, still shows them, and will never write them.</summary>
    public void LosePending()
    {
        for (var i = 0; i < _pending.Count; i++)
        {
            _pending[i] = _pending[i] with { Lost = true };
        }
    }

    /// <summary>Shows the medium, with the writes that are still on their way to it.</summary>
    public void DropCache()
    {
        if (_pending.RemoveAll(change => change.Lost) > 0)
        {
            _now = _durable.Copy();
            _pending.ForEach(change => _now.Apply(change));
        }
    }

    public void Flip(int at, byte mask)
    {
        _now.Flip(at, mask);
        if (at < _durable.Length)
        {
            _durable.Flip(at, mask);
        }
    }

    protected override ModelNode Surviving(CutPlan plan, Dictionary<ModelNode, ModelNode> done)
    {
        var after = new ModelFile { _durable = _durable.Copy() };
        foreach (var change in _pending)
        {
            plan.ApplyWhatSurvives(change, ref after._durable);
        }

        after._now = after._durable.Copy();
        return after;
    }

    protected override ModelNode Clone(Dictionary<ModelNode, ModelNode> done)
    {
        var copy = new ModelFile { _now = _now.Copy(), _durable = _durable.Copy() };
        copy._pending.AddRange(_pending);
        return copy;
    }

    private void Change(FileChange change)
    {
        _now.Apply(change);
        _pending.Add(change);
    }
}

/// <summary>A write at an offset, or a truncation to it; lost where a failed sync was to make it durable.</summary>
internal sealed record FileChange(int Offset, byte[]? Bytes, bool Lost);

/// <summary>Bytes that grow with zeros. Copies share their array until one of them is written: of thousands of disks after a cut most files are never touched.</summary>
internal struct Content
{
    private byte[]? _bytes;
    private bool _isShared;

    public readonly ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    public int Length { get; private set; }

    public void Apply(FileChange change)
    {
        if (change.Bytes is null)
        {
            Resize(change.Offset);
        }
        else
        {
            Write(change.Offset, change.Bytes);
        }
    }

    public void Write(int offset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 0)
        {
            Resize(Math.Max(Length, offset + bytes.Length));
            bytes.CopyTo(Own(Length).AsSpan(offset));
        }
    }

    public void Resize(int length)
    {
        if (length < Length)
        {
            Own(length).AsSpan(length, Length - length).Clear();
        }
        else if (length > Length)
        {
            Own(length);
        }

        Length = length;
    }

    public void Flip(int at, byte mask) => Own(Length)[at] ^= mask;

    public Content Copy()
    {
        _isShared = true;
        return this;
    }

    /// <summary>The array, this content's alone and with room for so many bytes; those past its end are zero.</summary>
    private byte[] Own(int length)
    {
        var bytes = _bytes ?? [];
        if (_isShared || length > bytes.Length)
        {
            _bytes = new byte[length > bytes.Length ? Math.Max(length, bytes.Length * 2) : bytes.Length];
            bytes.AsSpan(0, Length).CopyTo(_bytes);
            _isShared = false;
        }

        return _bytes!;
    }
}
