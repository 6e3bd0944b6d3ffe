using CityGrid.Hub.Storage;

namespace CityGrid.Node.Cases;

/// <summary>
/// Which states of a case the view store holds: those that it has while it is ended, and the one in which it was opened again, so that no list shows
/// it as ended. An open case lives in memory (<see cref="CaseBook.Open"/>), where most of its changes happen: so a case is written once and not with
/// every step.
/// </summary>
public static class CaseDocuments
{
    /// <summary>True where the view store is given the case as it is after a change. <paramref name="before"/> is null for the first event.</summary>
    public static bool IsKept(CaseState? before, CaseState after) => !after.IsOpen || before is { IsOpen: false };

    public static ViewDocument Of(CaseState state) => new(state.Id.Value, state.LastLsn, CaseStateCodec.Write(state));

    /// <summary>What the view store holds of a case after these events, which are its history from the first on; null for one that never ended.</summary>
    public static ViewDocument? After(IEnumerable<CaseEntry> history)
    {
        CaseState? state = null, kept = null;
        foreach (var entry in history)
        {
            var after = CaseState.Apply(state, entry.Event, entry.Stamp);
            kept = IsKept(state, after) ? after : kept;
            state = after;
        }

        return kept is null ? null : Of(kept);
    }
}
