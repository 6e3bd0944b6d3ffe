namespace CityGrid.Hub.Seams;

/// <summary>What a power cut spares of the changes that no sync has made durable, in the order in which they are asked about.</summary>
internal sealed class CutPlan
{
    private readonly Func<int, bool>? _keeps;
    private readonly IEntropy? _entropy;
    private int _asked;

    private CutPlan(Func<int, bool>? keeps, IEntropy? entropy)
    {
        _keeps = keeps;
        _entropy = entropy;
    }

    public static CutPlan None => new(_ => false, null);

    public static CutPlan All => new(_ => true, null);

    public static CutPlan Only(int index) => new(asked => asked == index, null);

    public static CutPlan AllBut(int index) => new(asked => asked != index, null);

    /// <summary>Each change has a fate of its own, drawn.</summary>
    public static CutPlan Drawn(IEntropy entropy) => new(null, entropy);

    public bool KeepsEntry() => _keeps?.Invoke(_asked++) ?? Below(2) == 0;

    public void ApplyWhatSurvives(FileChange change, ref Content content)
    {
        if (_keeps is not null)
        {
            if (_keeps(_asked++))
            {
                content.Apply(change);
            }

            return;
        }

        switch (Below(4))
        {
            case 0:
                content.Apply(change);
                break;
            case 1:
                break;
            case 2 when change.Bytes is { Length: > 0 } bytes:
                ApplyPrefix(change.Offset, bytes, ref content);
                break;
            case 3 when change.Bytes is { Length: > 0 } bytes:
                ApplySectors(change.Offset, bytes, ref content);
                break;
        }
    }

    /// <summary>A file that ends short may end at any byte; a sector in its middle was written whole or not at all.</summary>
    private void ApplyPrefix(int offset, byte[] bytes, ref Content content)
    {
        var kept = Below(bytes.Length + 1);
        if (offset + kept >= content.Length && Below(2) == 0)
        {
            content.Write(offset, bytes.AsSpan(0, kept));
            return;
        }

        var end = Math.Clamp((offset + kept) / ModelDisk.SectorBytes * ModelDisk.SectorBytes, offset, offset + bytes.Length);
        content.Write(offset, bytes.AsSpan(0, end - offset));
        KeepLength(offset + bytes.Length, ref content);
    }

    private void ApplySectors(int offset, byte[] bytes, ref Content content)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var end = Math.Min(bytes.Length, at + ModelDisk.SectorBytes - ((offset + at) % ModelDisk.SectorBytes));
            if (Below(2) == 0)
            {
                content.Write(offset + at, bytes.AsSpan(at, end - at));
            }

            at = end;
        }

        KeepLength(offset + bytes.Length, ref content);
    }

    /// <summary>The file's length may have been written although its content was not.</summary>
    private void KeepLength(int length, ref Content content)
    {
        if (content.Length < length && Below(2) == 0)
        {
            content.Resize(length);
        }
    }

    private int Below(int below) => (int)(_entropy!.NextUInt64() % (ulong)below);
}
