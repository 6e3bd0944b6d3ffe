using CityGrid.Hub.Cells;
using CityGrid.Hub.Journal;
using CityGrid.Node.Cases;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Journey;

/// <summary>What one event of a case added to a cell.</summary>
public sealed record EventShare(CaseEntry Entry, CellChange Change);

/// <summary>
/// Which events a cell of this place is made of: the journal is read once for the cases that something happened to on the cell's day, and those are told
/// event by event. A reading of the whole journal, for one question of a person.
/// </summary>
public static class Contributions
{
    /// <param name="records">The journal from its start.</param>
    /// <param name="upTo">The position that the cells stand at.</param>
    /// <param name="history">The events of a case up to a position.</param>
    /// <param name="key">A cell of this node's own.</param>
    /// <param name="place">The division that this node keeps cases for.</param>
    /// <returns>In the order of the journal.</returns>
    public static IReadOnlyList<EventShare> To(IEnumerable<JournalRecord> records, Lsn upTo, Func<Lsn, IReadOnlyList<CaseEntry>> history, CellKey key, DivisionCode place)
    {
        var last = new Dictionary<CaseId, Lsn>();
        foreach (var entry in records.TakeWhile(r => r.First <= upTo).SelectMany(r => r.Events).Where(e => e.Lsn <= upTo).Select(e => CaseEventCodec.Decode(e)).OfType<CaseEntry>())
        {
            if (entry.Event.Day == key.Day || (entry.Event as Corrected)?.Reported?.Day == key.Day || last.ContainsKey(entry.Event.Case))
            {
                last[entry.Event.Case] = entry.Stamp.Lsn;
            }
        }

        return [.. last.Values.SelectMany(lsn => Of(history(lsn), key.Origin, place)).Where(s => s.Change.Key == key).OrderBy(s => s.Entry.Stamp.Lsn)];
    }

    /// <summary>What each event of one case added to which cells.</summary>
    public static IEnumerable<EventShare> Of(IReadOnlyList<CaseEntry> history, NodeId origin, DivisionCode place)
    {
        CaseState? state = null;
        var room = new Contribution[Counting.ContributionsMax];
        foreach (var entry in history)
        {
            foreach (var change in CaseTally.ChangesOf(state, entry.Event, origin, place))
            {
                yield return new EventShare(entry, change);
            }

            state = CaseFold.Apply(state, entry.Event, entry.Stamp, Counting.Of(state, entry.Event, room));
        }
    }
}
