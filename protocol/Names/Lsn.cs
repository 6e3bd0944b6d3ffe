namespace CityGrid.Protocol.Names;

/// <summary>A position in a node's journal: the number of an event, counted from 1 without gaps. 0 stands before the first event.</summary>
public readonly record struct Lsn(long Value) : IComparable<Lsn>
{
    public static readonly Lsn Zero = new(0);

    public Lsn Next => new(Value + 1);

    /// <summary>The earlier of the two.</summary>
    public static Lsn Min(Lsn a, Lsn b) => a <= b ? a : b;

    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    public static bool operator <(Lsn a, Lsn b) => a.Value < b.Value;

    public static bool operator >(Lsn a, Lsn b) => a.Value > b.Value;

    public static bool operator <=(Lsn a, Lsn b) => a.Value <= b.Value;

    public static bool operator >=(Lsn a, Lsn b) => a.Value >= b.Value;

    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
