using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CsCheck;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cells;

public sealed class Days_and_months_of_cells
{
    [Test]
    public void A_day_is_in_the_month_of_the_calendar() =>
        Gen.Int[-800_000, 2_932_896].Sample(day =>
        {
            var date = new StatDay(day).Date;
            var month = CellDigests.MonthOf(day);
            return month == (date.Year * 12) + date.Month - 1
                && CellDigests.FirstDayOf(month) == StatDay.Of(new LocalDate(date.Year, date.Month, 1)).Number;
        }, iter: 5_000);

    [Test]
    public void Any_day_whatever_has_a_month_that_holds_it() =>
        Gen.OneOf(Gen.Int, Gen.OneOf(int.MinValue, int.MaxValue)).Sample(day =>
        {
            var month = CellDigests.MonthOf(day);
            return CellDigests.FirstDayOf(month) <= day && (CellDigests.FirstDayOf(month + 1) > day || day == int.MaxValue);
        }, iter: 5_000);

    [Test]
    public void A_walk_over_days_meets_each_that_was_set_in_order() =>
        Gen.Select(Gen.OneOf(Gen.Int[-100, 100], Gen.Int).List[0, 60], Gen.OneOf(Gen.Int[-110, 110], Gen.Int), Gen.OneOf(Gen.Int[-110, 110], Gen.Int)).Sample((days, a, b) =>
        {
            var (pages, model) = (new DayPages(), new SortedDictionary<int, int>());
            foreach (var day in days)
            {
                model[day] = model.Count;
                pages.Set(day, model[day]);
            }

            var (from, to) = (Math.Min(a, b), Math.Max(a, b));
            return pages.Between(from, to).SequenceEqual(model.Where(m => m.Key >= from && m.Key < to).Select(m => (m.Key, m.Value)))
                && days.All(day => pages.Find(day) == model[day]) && pages.Find(a) == model.GetValueOrDefault(a, -1);
        }, iter: 2_000);
}
