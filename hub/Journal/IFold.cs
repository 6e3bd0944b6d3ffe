namespace CityGrid.Hub.Journal;

/// <summary>
/// State that is a function of the journal's events alone: it reads no clock, draws no random number and asks nobody. It is changed by the
/// sequencer only, after the events are durable. Another <see cref="Version"/> than that of a snapshot means replay.
/// </summary>
public interface IFold
{
    string Name { get; }

    int Version { get; }

    void Apply(in JournalEvent journalEvent);

    void Save(Stream target);

    void Load(Stream source);
}
