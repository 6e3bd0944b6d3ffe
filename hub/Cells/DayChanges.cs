namespace CityGrid.Hub.Cells;

/// <summary>For each statistical day the local position of the newest change of a value there: what tells a restated figure from a final one.</summary>
internal sealed class DayChanges
{
    private DayPages _days = new();
    private readonly List<long> _newest = [];

    public long Bytes => _days.Bytes + (_newest.Capacity * 8L);

    /// <summary>The first day on which anything changed, 0 where none did.</summary>
    public int FirstDay => All().Select(d => d.Day).FirstOrDefault();

    public void Note(int day, long local)
    {
        var at = _days.Find(day);
        if (at < 0)
        {
            _days.Set(day, _newest.Count);
            _newest.Add(local);
        }
        else
        {
            _newest[at] = Math.Max(_newest[at], local);
        }
    }

    public void Clear()
    {
        _days = new DayPages();
        _newest.Clear();
    }

    /// <summary>The newest change on the days from <paramref name="from"/> on and before <paramref name="to"/>, 0 for none.</summary>
    public long NewestBetween(int from, int to) => _days.Between(from, to).Select(d => _newest[d.Value]).DefaultIfEmpty().Max();

    /// <summary>All days with their newest change, in order.</summary>
    public IEnumerable<(int Day, long Local)> All() => _days.Between(int.MinValue, int.MaxValue).Select(d => (d.Day, _newest[d.Value]));
}
