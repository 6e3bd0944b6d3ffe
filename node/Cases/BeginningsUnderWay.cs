using CityGrid.Protocol.Names;

namespace CityGrid.Node.Cases;

/// <summary>
/// The cases that began earlier in the batch under way, which the folds do not count yet. All decisions of a batch are made while the folds stand at one
/// position, and a batch that appends anything moves it: so what was noted at another position is in the folds by now, or was put back to be decided
/// again, and counts no more. On the writer only.
/// </summary>
internal sealed class BeginningsUnderWay
{
    private readonly Dictionary<(TypeKey Type, DivisionCode Division), List<StatDay>> _begun = [];
    private Lsn _at;

    /// <param name="applied">Where the folds stand.</param>
    /// <param name="type">As the case came in.</param>
    /// <param name="division">As the case came in.</param>
    /// <param name="day">The statistical day that it counts on as reported.</param>
    public void Add(Lsn applied, TypeKey type, DivisionCode division, StatDay day)
    {
        ForgetOthers(applied);
        if (!_begun.TryGetValue((type, division), out var days))
        {
            _begun.Add((type, division), days = []);
        }

        days.Add(day);
    }

    /// <summary>How many of a type began in a division from one day to another, both in.</summary>
    public long Count(Lsn applied, TypeKey type, DivisionCode division, StatDay from, StatDay to)
    {
        ForgetOthers(applied);
        return _begun.TryGetValue((type, division), out var days) ? days.Count(day => day >= from && day <= to) : 0;
    }

    private void ForgetOthers(Lsn applied)
    {
        if (applied != _at)
        {
            _begun.Clear();
            _at = applied;
        }
    }
}
