using System.Collections.Concurrent;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>A stretch of a working day, in minutes from midnight of the wall clock: from is in, to is out; 1440 is the end of the day.</summary>
public readonly record struct Shift(int FromMinute, int ToMinute)
{
    public const int MinutesMax = 24 * 60;

    public bool IsValid => FromMinute >= 0 && FromMinute < ToMinute && ToMinute <= MinutesMax;
}

/// <summary>
/// When a place works: weekly days with shifts, holidays, make-up workdays (调休), and the zone of its clocks. Answers where a limit ends and
/// how much working time lies between two instants, to the millisecond. A moment is worked if the wall clock then shows a minute of a shift of a
/// workday: an hour that the clock skips is not worked, one that it repeats is worked twice. Immutable; safe for many threads.
/// </summary>
public sealed class WorkCalendar
{
    /// <summary>Monday to Friday, 08:00–12:00 and 14:00–18:00.</summary>
    public static readonly IReadOnlyList<Shift> UsualShifts = [new(8 * 60, 12 * 60), new(14 * 60, 18 * 60)];

    public static readonly IReadOnlyList<IsoDayOfWeek> UsualWorkDays =
        [IsoDayOfWeek.Monday, IsoDayOfWeek.Tuesday, IsoDayOfWeek.Wednesday, IsoDayOfWeek.Thursday, IsoDayOfWeek.Friday];

    /// <summary>The last year that is reckoned with; a deadline past it is refused.</summary>
    private const int YearMax = 9000;

    private readonly Shift[] _shifts;
    private readonly HashSet<IsoDayOfWeek> _workDays;
    private readonly HashSet<LocalDate> _holidays;
    private readonly HashSet<LocalDate> _makeUpWorkdays;
    private readonly ConcurrentDictionary<int, WorkYear> _years = new();

    /// <summary>Throws <see cref="ArgumentException"/> where shifts overlap or are out of order, or where no day of the week is worked.</summary>
    public WorkCalendar(
        DateTimeZone zone,
        IReadOnlyList<Shift>? shifts = null,
        IEnumerable<IsoDayOfWeek>? workDays = null,
        IEnumerable<LocalDate>? holidays = null,
        IEnumerable<LocalDate>? makeUpWorkdays = null)
    {
        Zone = zone;
        _shifts = [.. shifts ?? UsualShifts];
        _workDays = [.. workDays ?? UsualWorkDays];
        _holidays = [.. holidays ?? []];
        _makeUpWorkdays = [.. makeUpWorkdays ?? []];
        if (_shifts.Length == 0 || _workDays.Count == 0 || _workDays.Contains(IsoDayOfWeek.None))
        {
            throw new ArgumentException("A calendar needs a shift and a day of the week to work on: a deadline in working time would never come.");
        }

        for (var i = 0; i < _shifts.Length; i++)
        {
            if (!_shifts[i].IsValid || (i > 0 && _shifts[i].FromMinute < _shifts[i - 1].ToMinute))
            {
                throw new ArgumentException($"Shift {i + 1} is empty, leaves the day, or starts before the one in front of it ends.");
            }
        }
    }

    public DateTimeZone Zone { get; }

    public IReadOnlyList<Shift> Shifts => _shifts;

    /// <summary>True where this date of the place is worked on. A make-up workday beats a holiday, a holiday beats the day of the week.</summary>
    public bool IsWorkday(LocalDate date) =>
        _makeUpWorkdays.Contains(date) || (_workDays.Contains(date.DayOfWeek) && !_holidays.Contains(date));

    /// <summary>
    /// The end of a limit: the earliest instant by which it has run down. Whoever is done at that instant is in time. Sub-millisecond parts of
    /// the start are dropped.
    /// </summary>
    public Instant Deadline(Instant start, Limit limit) => After(start, limit.Seconds * 1000, limit.IsWorkingTime);

    /// <summary>The earliest instant by which so many milliseconds have run: of working time, or of all time.</summary>
    public Instant After(Instant start, long milliseconds, bool workingTime)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(milliseconds);
        var from = start.ToUnixTimeMilliseconds();
        return Instant.FromUnixTimeMilliseconds(workingTime && milliseconds > 0 ? AfterWorking(from, milliseconds) : from + milliseconds);
    }

    /// <summary>Milliseconds from one instant to another: of working time, or of all time. Zero where the second is not later.</summary>
    public long Between(Instant from, Instant to, bool workingTime)
    {
        var start = from.ToUnixTimeMilliseconds();
        var end = to.ToUnixTimeMilliseconds();
        return end <= start ? 0 : workingTime ? WorkingBetween(start, end) : end - start;
    }

    /// <summary>Whole seconds of working time from one instant to another, rounded down; zero where the second is not later.</summary>
    public long WorkingTimeBetween(Instant from, Instant to) => Between(from, to, workingTime: true) / 1000;

    private long AfterWorking(long from, long milliseconds)
    {
        for (var year = YearOf(from); ; year = year.Number < YearMax ? Year(year.Number + 1) : throw TooFar())
        {
            var done = year.WorkedBefore(from);
            if (done + milliseconds <= year.Total)
            {
                return year.WhenWorked(done + milliseconds);
            }

            milliseconds -= year.Total - done;
        }
    }

    private long WorkingBetween(long start, long end)
    {
        var last = YearOf(end);
        var year = YearOf(start);
        var sum = -year.WorkedBefore(start);
        while (year.Number < last.Number)
        {
            sum += year.Total;
            year = Year(year.Number + 1);
        }

        return sum + year.WorkedBefore(end);
    }

    private WorkYear YearOf(long unixMilliseconds) => Year(Instant.FromUnixTimeMilliseconds(unixMilliseconds).InZone(Zone).Year);

    private WorkYear Year(int number) => _years.TryGetValue(number, out var year) ? year : _years.GetOrAdd(number, Build);

    private WorkYear Build(int number)
    {
        var pieces = new List<(long Start, long End)>();
        for (var date = new LocalDate(number, 1, 1); date.Year == number; date = date.PlusDays(1))
        {
            if (IsWorkday(date))
            {
                AddPieces(pieces, date);
            }
        }

        return new WorkYear(number, [.. pieces.Select(p => p.Start)], [.. pieces.Select(p => p.End)]);
    }

    /// <summary>The stretches of time during which the wall clock shows a minute of a shift: one a shift, but on the day of a change of the clock.</summary>
    private void AddPieces(List<(long Start, long End)> pieces, LocalDate date)
    {
        var first = pieces.Count;
        var from = Zone.AtStartOfDay(date).ToInstant();
        var to = Zone.AtStartOfDay(date.PlusDays(1)).ToInstant();
        foreach (var interval in Zone.GetZoneIntervals(from, to))
        {
            var earliest = interval.HasStart ? interval.Start.ToUnixTimeMilliseconds() : long.MinValue;
            var latest = interval.HasEnd ? interval.End.ToUnixTimeMilliseconds() : long.MaxValue;
            var midnight = date.AtMidnight().WithOffset(interval.WallOffset).ToInstant().ToUnixTimeMilliseconds();
            foreach (var shift in _shifts)
            {
                var start = Math.Max(earliest, midnight + (shift.FromMinute * 60_000L));
                var end = Math.Min(latest, midnight + (shift.ToMinute * 60_000L));
                if (start < end)
                {
                    pieces.Add((start, end));
                }
            }
        }

        pieces.Sort(first, pieces.Count - first, Comparer<(long Start, long End)>.Default);
    }

    private static ArgumentOutOfRangeException TooFar() => new($"The limit runs past the year {YearMax}.");

    /// <summary>The shifts of a local year with what was worked before each: two look-ups instead of a walk over days.</summary>
    private sealed class WorkYear
    {
        private readonly long[] _starts;
        private readonly long[] _ends;
        private readonly long[] _before;

        public WorkYear(int number, long[] starts, long[] ends)
        {
            Number = number;
            _starts = starts;
            _ends = ends;
            _before = new long[starts.Length];
            for (var i = 0; i < starts.Length; i++)
            {
                _before[i] = Total;
                Total += ends[i] - starts[i];
            }
        }

        public int Number { get; }

        public long Total { get; }

        /// <summary>What of the year is worked before an instant.</summary>
        public long WorkedBefore(long at)
        {
            var i = Array.BinarySearch(_starts, at);
            i = i >= 0 ? i : ~i - 1;
            return i < 0 ? 0 : _before[i] + Math.Min(at, _ends[i]) - _starts[i];
        }

        /// <summary>The earliest instant before which so much is worked; <paramref name="worked"/> is above zero and at most the total.</summary>
        public long WhenWorked(long worked)
        {
            var i = Array.BinarySearch(_before, worked);
            // At an edge between two shifts the end of the earlier one is the earliest instant.
            i = (i >= 0 ? i : ~i) - 1;
            return _starts[i] + worked - _before[i];
        }
    }
}
