namespace CityGrid.Hub.Cells;

/// <summary>
/// A number for each of some days, found without hashing: pages of 32 days in order. Days are any 32-bit numbers; a stray one costs a page and
/// no more. -1 stands for none.
/// </summary>
internal sealed class DayPages
{
    private const int PageBits = 5, PageDays = 1 << PageBits;
    /// <summary>The day at which a walk stands, and its page.</summary>
    internal readonly record struct Place(int Page, int Day);

    private readonly List<(int Number, int[] Slots)> _pages = [];
    private int _last;

    public long Bytes => _pages.Capacity * 16L + _pages.Count * (24L + PageDays * sizeof(int));

    public bool IsEmpty => _pages.Count == 0;

    public int Find(int day)
    {
        var at = PageAt(day >> PageBits);
        return at < 0 ? -1 : _pages[at].Slots[day & (PageDays - 1)];
    }

    public void Set(int day, int value)
    {
        var at = PageAt(day >> PageBits);
        if (at < 0)
        {
            at = ~at;
            var slots = new int[PageDays];
            Array.Fill(slots, -1);
            _pages.Insert(at, (day >> PageBits, slots));
        }

        _pages[at].Slots[day & (PageDays - 1)] = value;
    }

    /// <summary>The numbers of the days from <paramref name="from"/> on and before <paramref name="to"/>, in order of the days.</summary>
    public IEnumerable<(int Day, int Value)> Between(int from, int to)
    {
        for (var at = Seek(from); Step(ref at, to, out var day, out var value);)
        {
            yield return (day, value);
        }
    }

    /// <summary>Where to begin <see cref="Step"/> for the days from this one on.</summary>
    public Place Seek(int day)
    {
        var page = PageAt(day >> PageBits);
        return page >= 0 ? new(page, day) : ~page < _pages.Count ? new(~page, _pages[~page].Number << PageBits) : new(_pages.Count, day);
    }

    /// <summary>The number of the next day that has one and lies before <paramref name="to"/>; false when there is none.</summary>
    public bool Step(ref Place at, int to, out int day, out int value)
    {
        while (at.Page < _pages.Count && at.Day < to)
        {
            var (number, slots) = _pages[at.Page];
            for (var slot = at.Day & (PageDays - 1); slot < PageDays; slot++)
            {
                day = (number << PageBits) + slot;
                if (slots[slot] >= 0 && day < to)
                {
                    value = slots[slot];
                    at = slot + 1 < PageDays ? new(at.Page, day + 1) : NextPage(at.Page);
                    return true;
                }
            }

            at = NextPage(at.Page);
        }

        (day, value) = (0, -1);
        return false;
    }

    private Place NextPage(int page) => new(page + 1, page + 1 < _pages.Count ? _pages[page + 1].Number << PageBits : int.MaxValue);

    /// <summary>The page's index, or the complement of where it would stand.</summary>
    private int PageAt(int number)
    {
        if ((uint)_last < (uint)_pages.Count && _pages[_last].Number == number)
        {
            return _last;
        }

        int low = 0, high = _pages.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) >> 1;
            if (_pages[middle].Number == number)
            {
                return _last = middle;
            }

            if (_pages[middle].Number < number)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return ~low;
    }
}
