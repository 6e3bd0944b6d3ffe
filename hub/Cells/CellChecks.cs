using System.Globalization;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>What a received cell must not be (clause C6). Reception parks a cell that is refused here; nothing here throws, whatever the bytes.</summary>
public static class CellChecks
{
    public const string Malformed = CellCodec.Malformed;

    /// <summary>A counter or a bucket below zero.</summary>
    public const string Negative = "CELL_NEGATIVE";

    /// <summary>A counter or a bucket above <see cref="ValueMax"/>.</summary>
    public const string TooLarge = "CELL_TOO_LARGE";

    /// <summary>A statistical day after tomorrow, by the receiver's clock in the origin's zone.</summary>
    public const string DayAhead = "CELL_DAY_AHEAD";

    /// <summary>Buckets that do not add up to their histogram's counter, or lie outside the table of clause C5.</summary>
    public const string Buckets = "CELL_BUCKETS";

    /// <summary>10^15: a billion cases a day of a million seconds each; and nine thousand such cells still add up in 64 bits.</summary>
    public const long ValueMax = 1_000_000_000_000_000;

    /// <summary>Null when the cell may be merged, else the first thing that speaks against it.</summary>
    /// <param name="key">The cell's key.</param>
    /// <param name="value">Its value as received.</param>
    /// <param name="tomorrow">The day after the receiver's present day: clocks and zones may differ by that much.</param>
    public static Refusal? Judge(in CellKey key, ReadOnlySpan<byte> value, StatDay tomorrow)
    {
        var refusal = CellCodec.Check(value);
        refusal ??= key.Day > tomorrow
            ? new Refusal(DayAhead, $"The day {key.Day.Number} (days since 1970-01-01) lies after tomorrow, {tomorrow}. Check the clock of the origin.")
            : JudgeValues(value);
        return refusal is null || refusal.Where is not null ? refusal : refusal with { Where = Describe(key) };
    }

    private static Refusal? JudgeValues(ReadOnlySpan<byte> value)
    {
        Span<long> owed = stackalloc long[Histogram.All.Count];
        var reader = new CellReader(value);
        while (reader.NextCounter(out var id, out var count))
        {
            if (JudgeValue(count, "Counter", id) is { } refusal)
            {
                return refusal;
            }

            for (var i = 0; i < owed.Length; i++)
            {
                if (Histogram.All[i].Total.Id == id)
                {
                    owed[i] = count;
                }
            }
        }

        while (reader.NextHistogram(out var id))
        {
            var index = CellSum.IndexOf(id);
            while (reader.NextBucket(out var bucket, out var count))
            {
                if (JudgeValue(count, "A bucket of histogram", id) is { } refusal)
                {
                    return refusal;
                }

                if (index >= 0 && bucket >= DurationEdges.Buckets)
                {
                    return new Refusal(Buckets, $"Histogram {id} has {DurationEdges.Buckets} buckets; {bucket} is none of them.");
                }

                // At most 724 buckets of at most 10^15: far from the end of 64 bits.
                owed[Math.Max(index, 0)] -= index >= 0 ? count : 0;
            }
        }

        for (var i = 0; i < owed.Length; i++)
        {
            if (owed[i] != 0)
            {
                var histogram = Histogram.All[i];
                return new Refusal(Buckets, $"The buckets of {histogram.Name} do not add up to {histogram.Total.Name}: {owed[i]} too few.");
            }
        }

        return null;
    }

    private static Refusal? JudgeValue(long count, string what, int id) =>
        count < 0 ? new Refusal(Negative, $"{what} {id} is {count}, below zero.")
        : count > ValueMax ? new Refusal(TooLarge, $"{what} {id} is {count}, above {ValueMax}.")
        : null;

    private static string Describe(in CellKey key) =>
        string.Create(CultureInfo.InvariantCulture, $"{key.Origin} {key.Grain} {key.Type} {key.Division} day {key.Day.Number} {key.Source}");
}
