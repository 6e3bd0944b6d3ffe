namespace CityGrid.Hub.Journal;

/// <summary>
/// State that is a function of the journal's events alone: it reads no clock, draws no random number and asks nobody. It is changed by the
/// sequencer only, after the events are durable. Another <see cref="Version"/> than that of a snapshot means replay.
/// </summary>
public interface IFold
{
    string Name { get; }

    int Version { get; }

    /// <summary>Whether events of this kind mean anything here; of another kind none is shown. May be asked at any time on any thread; the answer is always the same.</summary>
    bool Takes(ushort kind) => true;

    void Apply(in JournalEvent journalEvent);

    /// <summary>Whether <see cref="Prepare"/> ever makes anything: of a fold that says no, it is not called.</summary>
    bool Prepares => false;

    /// <summary>
    /// What of <see cref="Apply(in JournalEvent, object?)"/> needs the record alone and no state, for each of its events; null for nothing. At a replay it may
    /// be done on another thread, ahead. Where the last is a <see cref="WholeRecord"/>, the fold does nothing at the events before it.
    /// </summary>
    object?[]? Prepare(JournalRecord record) => null;

    /// <summary>As <see cref="Apply(in JournalEvent)"/>, with what <see cref="Prepare"/> made of the event, or what was <see cref="EventDraft.Known"/> of it.</summary>
    void Apply(in JournalEvent journalEvent, object? prepared) => Apply(journalEvent);

    /// <summary>Called when all events of a batch, or of a replay, have been applied, before anybody reads.</summary>
    void Settle()
    {
    }

    void Save(Stream target);

    void Load(Stream source);
}
