namespace CityGrid.Protocol.Names;

/// <summary>
/// A child's turn of office as granted by its parent (RULE-8): a rising number and a random nonce, so that a number granted twice by a
/// parent restored from backup is seen as a fork. Number 0 means not yet granted; the node works locally until it is.
/// </summary>
public readonly record struct Epoch(long Number, ulong Nonce)
{
    public static readonly Epoch NotGranted = new(0, 0);

    public bool IsGranted => Number > 0;

    public override string ToString() => $"{Number}-{Nonce:x16}";
}

/// <summary>The random identity of a data directory, new at creation and at restore.</summary>
public readonly record struct Incarnation(UInt128 Value)
{
    public static readonly Incarnation None;

    public bool IsNone => Value == UInt128.Zero;

    public byte[] ToBytes()
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);
        return bytes;
    }

    /// <summary>Reads 16 big-endian bytes; <see cref="None"/> for any other length.</summary>
    public static Incarnation FromBytes(ReadOnlySpan<byte> bytes) =>
        bytes.Length == 16 ? new(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes)) : None;

    /// <summary>Reads 32 hexadecimal digits, not all of them 0.</summary>
    public static bool TryParse(string? text, out Incarnation incarnation)
    {
        var read = UInt128.TryParse(text, System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture, out var value) && text!.Length == 32;
        incarnation = new Incarnation(read ? value : UInt128.Zero);
        return !incarnation.IsNone;
    }

    public override string ToString() => Value.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>
/// How new a cell is: the origin's epoch number, then the origin's lsn of the last event that touched it, compared in that order
/// (architecture: a wall clock never decides).
/// </summary>
public readonly record struct Revision(long Epoch, long Lsn) : IComparable<Revision>
{
    public int CompareTo(Revision other) => Epoch != other.Epoch ? Epoch.CompareTo(other.Epoch) : Lsn.CompareTo(other.Lsn);

    public static bool operator <(Revision a, Revision b) => a.CompareTo(b) < 0;

    public static bool operator >(Revision a, Revision b) => a.CompareTo(b) > 0;

    public override string ToString() => $"{Epoch}.{Lsn}";
}
