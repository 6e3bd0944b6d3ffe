using System.Globalization;
using CityGrid.Protocol.Names;
using NodaTime;
using NodaTime.Calendars;

namespace CityGrid.Hub.Views;

/// <summary>A period of a row: from is in, to is out.</summary>
internal readonly record struct ViewPeriod(StatDay From, StatDay To)
{
    /// <summary>
    /// The calendar periods that cover the days, cut to them, so that each lies within one period of every dimension asked for: by week and month,
    /// a week across two months is two rows. One period where rows are not told apart by time. Null for more than <paramref name="most"/>.
    /// </summary>
    public static IReadOnlyList<ViewPeriod>? Cut(IReadOnlyList<Dimension> by, StatDay from, StatDay to, int most)
    {
        var periods = new List<ViewPeriod>();
        for (var at = from; at < to;)
        {
            if (periods.Count == most)
            {
                return null;
            }

            var end = to;
            foreach (var dimension in by)
            {
                var its = Of(dimension, at).End;
                end = its < end ? its : end;
            }

            periods.Add(new ViewPeriod(at, end));
            at = end;
        }

        return periods;
    }

    /// <summary>The name of the period that holds the day, and the day after its last one. Weeks are those of ISO 8601.</summary>
    public static (string Label, StatDay End) Of(Dimension dimension, StatDay day)
    {
        var date = day.Date;
        switch (dimension)
        {
            case Dimension.Day:
                return (day.ToString(), day.Plus(1));
            case Dimension.Week:
                var week = WeekYearRules.Iso;
                return (Text($"{week.GetWeekYear(date):D4}-W{week.GetWeekOfWeekYear(date):D2}"), day.Plus(8 - (int)date.DayOfWeek));
            case Dimension.Month:
                return (Text($"{date.Year:D4}-{date.Month:D2}"), StatDay.Of(new LocalDate(date.Year, date.Month, 1).PlusMonths(1)));
            case Dimension.Quarter:
                var quarter = (date.Month + 2) / 3;
                return (Text($"{date.Year:D4}-Q{quarter}"), StatDay.Of(new LocalDate(date.Year, (quarter * 3) - 2, 1).PlusMonths(3)));
            case Dimension.Year:
                return (Text($"{date.Year:D4}"), StatDay.Of(new LocalDate(date.Year + 1, 1, 1)));
            default:
                throw new ArgumentOutOfRangeException(nameof(dimension), dimension, "no dimension of time");
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Finds the period of a day. Days come in order, so the one found last is looked at first.</summary>
internal sealed class PeriodFinder(IReadOnlyList<ViewPeriod> periods)
{
    private int _last;

    /// <summary>The period's number, or <see cref="RowGroup.Before"/>; the day lies before the end of the last one.</summary>
    public int Of(StatDay day)
    {
        if (day < periods[0].From)
        {
            return RowGroup.Before;
        }

        if (day < periods[_last].From || day >= periods[_last].To)
        {
            var (low, high) = (0, periods.Count - 1);
            while (low < high)
            {
                var middle = (low + high + 1) / 2;
                (low, high) = periods[middle].From <= day ? (middle, high) : (low, middle - 1);
            }

            _last = low;
        }

        return _last;
    }
}
