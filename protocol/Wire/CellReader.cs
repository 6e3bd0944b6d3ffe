namespace CityGrid.Protocol.Wire;

/// <summary>
/// Walks the bytes of a cell value (clause C4) without taking memory: all counters, then each histogram with its buckets. It stops at the first
/// byte that is not canonical and then says so in <see cref="IsSound"/>; it never throws, whatever the bytes.
/// </summary>
public ref struct CellReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private int _at;
    private ulong _countersLeft;
    private ulong _histogramsLeft;
    private ulong _bucketsLeft;
    private int _id;
    private int _bucket;
    private bool _inHistograms;

    public CellReader(ReadOnlySpan<byte> bytes)
    {
        _bytes = bytes;
        IsSound = Varint.TryRead(bytes, ref _at, out _countersLeft);
    }

    /// <summary>False once a byte was met that is not canonical.</summary>
    public bool IsSound { get; private set; }

    /// <summary>True when everything was read, soundly, and nothing follows.</summary>
    public readonly bool IsAtEnd => IsSound && _inHistograms && _histogramsLeft == 0 && _bucketsLeft == 0 && _at == _bytes.Length;

    /// <summary>The next counter; false after the last one.</summary>
    public bool NextCounter(out int id, out long value)
    {
        id = 0;
        value = 0;
        if (_countersLeft == 0 || !IsSound)
        {
            return false;
        }

        _countersLeft--;
        return IsSound = NextId(out id) && NextValue(out value);
    }

    /// <summary>The next histogram; false after the last one. Its buckets must be read before the next is asked for.</summary>
    public bool NextHistogram(out int id)
    {
        id = 0;
        if (!IsSound || (!_inHistograms && !EnterHistograms()) || _histogramsLeft == 0)
        {
            return false;
        }

        _histogramsLeft--;
        _bucket = -1;
        return IsSound = _bucketsLeft == 0 && NextId(out id) && Varint.TryRead(_bytes, ref _at, out _bucketsLeft) && _bucketsLeft > 0;
    }

    /// <summary>The next bucket of the histogram at hand; false after the last one.</summary>
    public bool NextBucket(out int bucket, out long count)
    {
        bucket = 0;
        count = 0;
        if (_bucketsLeft == 0 || !IsSound)
        {
            return false;
        }

        _bucketsLeft--;
        if (!Varint.TryRead(_bytes, ref _at, out var gap) || gap > ushort.MaxValue || (gap == 0 && _bucket >= 0))
        {
            return IsSound = false;
        }

        _bucket = bucket = Math.Max(_bucket, 0) + (int)gap;
        return IsSound = bucket <= ushort.MaxValue && NextValue(out count);
    }

    private bool EnterHistograms()
    {
        _inHistograms = true;
        _id = 0;
        return IsSound = _countersLeft == 0 && Varint.TryRead(_bytes, ref _at, out _histogramsLeft);
    }

    private bool NextId(out int id)
    {
        id = 0;
        if (!Varint.TryRead(_bytes, ref _at, out var gap) || gap is 0 or > ushort.MaxValue)
        {
            return false;
        }

        _id = id = _id + (int)gap;
        return id <= ushort.MaxValue;
    }

    private bool NextValue(out long value)
    {
        var read = Varint.TryRead(_bytes, ref _at, out var zigzag);
        value = Varint.UnZigZag(zigzag);
        return read && value != 0;
    }
}
