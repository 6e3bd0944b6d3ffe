using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>
/// A record that a fold takes at one go, made of it beforehand (<see cref="IFold.Prepare"/>), which may be on another thread. It keeps nothing of the record but what is asked of it: whoever
/// applies it reaches for one object, and the events, their payloads and what was read from those are gone before the collector comes by.
/// </summary>
public abstract class WholeRecord(IFold fold, JournalRecord record)
{
    public IFold Fold { get; } = fold;

    /// <summary>The position of its last event.</summary>
    public Lsn Last { get; } = record.Last;

    /// <summary>The number of its events.</summary>
    public int Events { get; } = record.Events.Length;

    /// <summary>Does to the fold that made it what all events of the record do.</summary>
    public abstract void Apply();
}
