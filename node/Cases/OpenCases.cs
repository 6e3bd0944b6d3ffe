using CityGrid.Protocol.Names;

namespace CityGrid.Node.Cases;

/// <summary>
/// The open cases: each by its id, and in the order of the ids, so that a page of a list costs that page. Ids begin with the time, so nearly every case
/// that comes is the last one; one that ends leaves its place empty until half of the places are.
/// </summary>
internal sealed class OpenCases
{
    /// <summary>Fewer empty places than this are never worth a pass over all.</summary>
    private const int EmptyMin = 1_000;

    private readonly Dictionary<CaseId, CaseState> _states = [];
    private readonly List<CaseId> _order = [];

    public IReadOnlyDictionary<CaseId, CaseState> States => _states;

    public void Put(CaseState state)
    {
        if (_states.TryAdd(state.Id, state))
        {
            TakePlace(state.Id);
        }
        else
        {
            _states[state.Id] = state;
        }
    }

    public void Remove(CaseId id)
    {
        if (_states.Remove(id) && _order.Count - _states.Count > Math.Max(EmptyMin, _states.Count))
        {
            _order.RemoveAll(place => !_states.ContainsKey(place));
        }
    }

    /// <summary>At most so many cases whose ids are greater than <paramref name="after"/>, in order.</summary>
    public IReadOnlyList<CaseState> After(UInt128 after, int most)
    {
        var found = new List<CaseState>(Math.Min(most, _states.Count));
        var at = _order.BinarySearch(new CaseId(after));
        for (at = at < 0 ? ~at : at + 1; at < _order.Count && found.Count < most; at++)
        {
            if (_states.TryGetValue(_order[at], out var state))
            {
                found.Add(state);
            }
        }

        return found;
    }

    private void TakePlace(CaseId id)
    {
        if (_order.Count == 0 || _order[^1].CompareTo(id) < 0)
        {
            _order.Add(id);
        }
        else if (_order.BinarySearch(id) is < 0 and var before)
        {
            _order.Insert(~before, id);
        }
    }
}
