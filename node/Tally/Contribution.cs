using CityGrid.Protocol.Names;

namespace CityGrid.Node.Tally;

/// <summary>
/// What a case added to one counter or histogram, on which day, under which of the places that it counted in (its segments, from 0). A case
/// keeps the list of these, so that a correction can take all of it back and add it elsewhere. 16 bytes.
/// </summary>
public readonly record struct Contribution
{
    private Contribution(byte segment, ushort id, StatDay day, long value, sbyte times)
    {
        Segment = segment;
        Id = id;
        DayNumber = day.Number;
        Value = value;
        Times = times;
    }

    public long Value { get; }

    public int DayNumber { get; }

    /// <summary>The id of the counter, or of the histogram.</summary>
    public ushort Id { get; }

    public byte Segment { get; }

    /// <summary>0 for a counter, whose change is <see cref="Value"/>; for a histogram how often the seconds in <see cref="Value"/> were counted in (below zero: withdrawn).</summary>
    public sbyte Times { get; }

    public bool IsDuration => Times != 0;

    public StatDay Day => new(DayNumber);

    public static Contribution Count(byte segment, Counter counter, StatDay day, long by) => new(segment, counter.Id, day, by, 0);

    public static Contribution Lasted(byte segment, Histogram histogram, StatDay day, long seconds, int times) =>
        new(segment, histogram.Id, day, seconds, checked((sbyte)times));

    /// <summary>A contribution as it was kept.</summary>
    public static Contribution Kept(byte segment, ushort id, StatDay day, long value, sbyte times) => new(segment, id, day, value, times);

    /// <summary>True where both add to the same thing, so that they may become one.</summary>
    public bool IsLike(in Contribution other) =>
        Segment == other.Segment && Id == other.Id && DayNumber == other.DayNumber && IsDuration == other.IsDuration
        && (!IsDuration || Value == other.Value);

    /// <summary>Both in one; null where they cancel out.</summary>
    public Contribution? Plus(in Contribution other)
    {
        if (IsDuration)
        {
            var times = checked((sbyte)(Times + other.Times));
            return times == 0 ? null : new Contribution(Segment, Id, Day, Value, times);
        }

        var value = Value + other.Value;
        return value == 0 ? null : new Contribution(Segment, Id, Day, value, 0);
    }
}

/// <summary>A list of contributions with like ones added up.</summary>
public static class Contributions
{
    /// <summary>A case that went its whole way has some 20.</summary>
    private const int UsuallyAtMost = 32;

    public static Contribution[] With(this Contribution[] kept, ReadOnlySpan<Contribution> more)
    {
        if (more.IsEmpty)
        {
            return kept;
        }

        Span<Contribution> room = kept.Length + more.Length <= UsuallyAtMost ? stackalloc Contribution[UsuallyAtMost] : new Contribution[kept.Length + more.Length];
        kept.CopyTo(room);
        var count = kept.Length;
        foreach (ref readonly var one in more)
        {
            Add(room, ref count, one);
        }

        return room[..count].ToArray();
    }

    private static void Add(Span<Contribution> sum, ref int count, in Contribution one)
    {
        for (var i = 0; i < count; i++)
        {
            if (!sum[i].IsLike(one))
            {
                continue;
            }

            if (sum[i].Plus(one) is { } both)
            {
                sum[i] = both;
            }
            else
            {
                sum[(i + 1)..count].CopyTo(sum[i..]);
                count--;
            }

            return;
        }

        sum[count++] = one;
    }
}
