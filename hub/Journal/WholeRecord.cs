namespace CityGrid.Hub.Journal;

/// <summary>
/// A record that a fold takes at one go, made of it beforehand (<see cref="IFold.Prepare"/>) on another thread: whoever applies it reaches for one object, and not for
/// each event of the record, its payload and what was made of that.
/// </summary>
public abstract class WholeRecord(IFold fold, JournalRecord record)
{
    public IFold Fold { get; } = fold;

    public JournalRecord Record { get; } = record;

    /// <summary>The number of its events.</summary>
    public int Events { get; } = record.Events.Length;

    /// <summary>Does to the fold that made it what all events of the record do.</summary>
    public abstract void Apply();
}
